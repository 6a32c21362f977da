//! `procMount_restricted` (upstream policy/check_procMount_restricted.go): the default /proc masks
//! are set up to reduce attack surface, and should be required by the restricted profile.
//!
//! Restricted field: `spec.containers[*].securityContext.procMount`.
//! Allowed values: undefined, null, Default.

use super::{Check, Since, proc_mount};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "procMount_restricted",
    level: Level::Restricted,
    explain: "Containers may not unmask /proc, not even in a user namespace. The runtime hides or write-protects the \
              parts of /proc and /sys that show or change the node's kernel; `procMount: Unmasked` opens them. Leave \
              `procMount` out.",
    // Up to 1.34 the baseline check had no exception, and held here too.
    versions: &[Since(35, proc_mount::not_default, &[proc_mount::CHECK.id])],
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn a_user_namespace_is_no_excuse() {
        let pod = |proc_mount: &str| {
            json!({"spec": {
                "hostUsers": false,
                "initContainers": [{"name": "a", "securityContext": {"procMount": proc_mount}}],
            }})
        };
        allows(&CHECK, 35..=38, &pod("Default"));
        forbids(
            &CHECK,
            35..=38,
            &pod("Unmasked"),
            ("procMount", r#"container "a" must not set securityContext.procMount to "Unmasked""#),
            &["spec.initContainers[0].securityContext.procMount"],
        );
    }
}
