//! The end of a process, and its second start over the same volumes.

use super::Difference;
use crate::model::behaviour::{Behaviour, Restart};

const NOT_AGAIN: &str =
    "its second start fails: over the files of the first it does not become Ready";

pub(super) fn compare(control: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let both = copy.restarts.iter().filter_map(|restart| {
        let root = control.restarts.iter().find(|known| known.container == restart.container)?;
        Some((root, restart))
    });
    both.filter_map(|(root, restart)| compared(root, restart)).collect()
}

/// Second starts that fail, where there is nothing to compare them with: a pod whose container
/// cannot start again works until it first has to.
pub(super) fn failed(copy: &Behaviour) -> Vec<Difference> {
    let failed = copy.restarts.iter().filter(|restart| !restart.ready);
    failed
        .map(|restart| Difference::Lost {
            container: Some(restart.container.clone()),
            cause: NOT_AGAIN.to_owned(),
            evidence: "the copy: Ready, and after its end not again".to_owned(),
        })
        .collect()
}

fn compared(root: &Restart, copy: &Restart) -> Option<Difference> {
    let container = Some(copy.container.clone());
    if root.ready && !copy.ready {
        return Some(Difference::Lost {
            container,
            cause: NOT_AGAIN.to_owned(),
            evidence: "as root: Ready again; the copy: not".to_owned(),
        });
    }
    let (Some(as_root), Some(code)) = (root.exit_code, copy.exit_code) else { return None };
    // An end by SIGTERM is one whether the program or the kernel makes it.
    let is_graceful = |code: i32| code == 0 || code == 143;
    if is_graceful(as_root) && !is_graceful(code) {
        return Some(Difference::Lost {
            container,
            cause: format!(
                "after SIGTERM it ends with exit code {code}, and as root with {as_root}"
            ),
            evidence: format!("as root: exit code {as_root}; the copy: exit code {code}"),
        });
    }
    None
}
