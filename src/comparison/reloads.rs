//! SIGHUP to who catches it.

use super::Difference;
use crate::model::behaviour::Behaviour;

/// A reload that root survives and the copy does not.
pub(super) fn compare(control: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let survived = |name: &str| {
        control.reloads.iter().any(|reload| reload.container == name && reload.survived)
    };
    let lost = copy.reloads.iter().filter(|reload| !reload.survived && survived(&reload.container));
    lost.map(|reload| Difference::Lost {
        container: Some(reload.container.clone()),
        cause: "it does not survive a reload (SIGHUP), as it does as root".to_owned(),
        evidence: "as root: it runs on after SIGHUP; the copy: it ended or is not Ready".to_owned(),
    })
    .collect()
}
