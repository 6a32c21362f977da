//! `windowsHostProcess` (upstream policy/check_windowsHostProcess.go): pod and containers must not
//! set `securityContext.windowsOptions.hostProcess` to true.
//!
//! Restricted fields: `spec.securityContext.windowsOptions.hostProcess`,
//! `spec.containers[*].securityContext.windowsOptions.hostProcess`.
//! Allowed values: undefined, false.

use k8s_openapi::api::core::v1::WindowsSecurityContextOptions;

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "windowsHostProcess",
    level: Level::Baseline,
    explain: "Neither the pod nor a container may set `windowsOptions.hostProcess: true`. A HostProcess container runs on \
              the Windows node itself, with its file system, its network and the rights of the user it names, up to \
              the system account: it is the counterpart of a privileged container on Linux. Remove the setting.",
    versions: &[Since(0, host_process, &[])],
};

const FIELD: &str = "securityContext.windowsOptions.hostProcess";

fn host_process(pod: &Pod<'_>) -> Option<Forbidden> {
    let is_host_process =
        |options: &WindowsSecurityContextOptions| options.host_process == Some(true);
    let in_pod = pod.security(|s| s.windows_options.as_ref()).is_some_and(is_host_process);
    let bad = pod.containers_where(|container| {
        container.security(|s| s.windows_options.as_ref()).is_some_and(is_host_process)
    });
    let pod_field = in_pod.then(|| format!("spec.{FIELD}"));
    (in_pod || !bad.is_empty()).then(|| Forbidden {
        reason: "hostProcess",
        detail: format!("{} must not set {FIELD}=true", wording::setters(in_pod, &bad)),
        fields: pod_field
            .into_iter()
            .chain(bad.iter().map(|container| container.path(FIELD)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    fn container(name: &str, host_process: &Value) -> Value {
        json!({"name": name, "securityContext": {"windowsOptions": {"hostProcess": host_process}}})
    }

    #[test]
    fn only_true_is_forbidden() {
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"windowsOptions": {"hostProcess": false}},
                "containers": [
                    {"name": "a"},
                    {"name": "b", "securityContext": {"windowsOptions": {"runAsUserName": "ContainerUser"}}},
                    container("c", &json!(false)),
                    container("d", &json!(null)),
                ],
            }}),
        );
    }

    #[test]
    fn the_pod_and_its_containers_are_named() {
        let reason = "hostProcess";
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"windowsOptions": {"hostProcess": true}},
                "containers": [{"name": "a"}],
            }}),
            (reason, "pod must not set securityContext.windowsOptions.hostProcess=true"),
            &["spec.securityContext.windowsOptions.hostProcess"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [container("a", &json!(true))]}}),
            (
                reason,
                r#"container "a" must not set securityContext.windowsOptions.hostProcess=true"#,
            ),
            &["spec.containers[0].securityContext.windowsOptions.hostProcess"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"windowsOptions": {"hostProcess": true}},
                "containers": [container("a", &json!(true)), {"name": "b"}, container("c", &json!(true))],
            }}),
            (
                reason,
                r#"pod and containers "a", "c" must not set securityContext.windowsOptions.hostProcess=true"#,
            ),
            &[
                "spec.securityContext.windowsOptions.hostProcess",
                "spec.containers[0].securityContext.windowsOptions.hostProcess",
                "spec.containers[2].securityContext.windowsOptions.hostProcess",
            ],
        );
    }
}
