//! `hostPathVolumes` (upstream policy/check_hostPathVolumes.go): HostPath volumes must be
//! forbidden.
//!
//! Restricted field: `spec.volumes[*].hostPath`.
//! Allowed values: undefined, null.

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "hostPathVolumes",
    level: Level::Baseline,
    explain: "A pod may not mount a path of its node. What it can write there outlives it and is trusted by the node: \
              a runtime's socket, the kubelet's credentials or a cron directory give it the whole node, and even \
              reading shows other pods' data. Use a PersistentVolumeClaim for data, an emptyDir for scratch space, \
              and a ConfigMap or a projected volume for files.",
    versions: &[Since(0, host_path, &[])],
};

fn host_path(pod: &Pod<'_>) -> Option<Forbidden> {
    let volumes = pod.spec.volumes.iter().flatten().enumerate();
    let bad: Vec<_> = volumes.filter(|(_, volume)| volume.host_path.is_some()).collect();
    (!bad.is_empty()).then(|| Forbidden {
        reason: "hostPath volumes",
        detail: format!(
            "{} {}",
            wording::plural(bad.len(), "volume", "volumes"),
            wording::quoted(bad.iter().map(|(_, volume)| volume.name.as_str()))
        ),
        fields: bad.iter().map(|(index, _)| format!("spec.volumes[{index}].hostPath")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn only_host_paths_are_forbidden() {
        allows(&CHECK, 0..=38, &json!({"spec": {"containers": []}}));
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b"}, {"name": "c", "hostPath": null}]}}),
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"volumes": [{"name": "a", "hostPath": {}}]}}),
            ("hostPath volumes", r#"volume "a""#),
            &["spec.volumes[0].hostPath"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"volumes": [
                {"name": "b", "hostPath": {"path": "/"}},
                {"name": "c", "emptyDir": {}},
                {"name": "a", "hostPath": {"path": "/a"}, "emptyDir": {}},
            ]}}),
            ("hostPath volumes", r#"volumes "b", "a""#),
            &["spec.volumes[0].hostPath", "spec.volumes[2].hostPath"],
        );
    }
}
