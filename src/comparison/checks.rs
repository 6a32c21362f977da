//! The checks that were given.

use super::Difference;
use crate::model::behaviour::Behaviour;

/// The checks that a copy does not pass, where there is nothing to compare it with.
pub(super) fn failed(copy: &Behaviour) -> Vec<Difference> {
    compare(&Behaviour::default(), copy)
}

/// A check that root passes and the copy does not. What fails for both tells nothing of the user.
pub(super) fn compare(control: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let differences = copy.checks.iter().filter(|check| !check.passed).map(|check| {
        let as_root = control.checks.iter().find(|known| known.check == check.check);
        match as_root {
            Some(known) if !known.passed => Difference::Noted(format!(
                "the check {:?} fails as root too: {}",
                check.check, known.answer
            )),
            _ => Difference::Lost {
                container: None,
                cause: format!("the check {:?} fails: {}", check.check, check.answer),
                evidence: match as_root {
                    Some(known) => format!("as root: {}; the copy: {}", known.answer, check.answer),
                    None => check.answer.clone(),
                },
            },
        }
    });
    differences.collect()
}
