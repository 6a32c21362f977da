//! What a pod's spec and status say of its containers and their failures.

use k8s_openapi::api::core::v1::{
    Container as SpecContainer, ContainerStatus, Pod, PodSpec, PodStatus, SecurityContext,
};

use crate::model::capability::{Capability, Set};
use crate::model::container::{Container, Role};
use crate::model::identity::{Origin, User};
use crate::model::waiting_reason::WaitingReason;
use crate::model::workload::Failure;

/// The containers of a pod, or of a pod template where there is no status: init containers and
/// sidecars first, as the kubelet starts them.
#[must_use]
pub fn containers(spec: &PodSpec, status: Option<&PodStatus>) -> Vec<Container> {
    let init = spec.init_containers.iter().flatten().map(|container| {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        (if sidecar { Role::Sidecar } else { Role::Init }, PodSummary::of(container))
    });
    let main = spec.containers.iter().map(|container| (Role::Container, PodSummary::of(container)));
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|container| {
        let context = container.security_context.as_ref();
        let image = container.image.as_deref();
        (Role::Ephemeral, PodSummary { name: &container.name, image, context })
    });
    init.chain(main)
        .chain(ephemeral)
        .map(|(role, seen)| {
            let reported = status.and_then(|status| status_of(status, role, seen.name));
            let user = user(spec, seen.context, reported);
            let root = root(
                spec,
                seen.context,
                &user,
                reported.is_some_and(|status| status.user.is_some()),
            );
            let image = seen.image.unwrap_or_default().to_owned();
            Container { name: seen.name.to_owned(), role, image, user, root }
        })
        .collect()
}

/// The security context of a container, init container or sidecar.
fn context<'a>(spec: &'a PodSpec, container: &str) -> Option<&'a SecurityContext> {
    let mut containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers.find(|known| known.name == container)?.security_context.as_ref()
}

/// The capabilities that the runtime grants a container: `add` and `drop` over what it grants by
/// itself, in the order of containerd's `containerSpecOpts`
/// (internal/cri/server/container_create.go): ALL of either list first, then each.
#[must_use]
pub fn granted(spec: &PodSpec, container: &str, by_itself: Set) -> Set {
    let Some(context) = context(spec, container) else { return by_itself };
    if context.privileged == Some(true) {
        return Set::ALL;
    }
    let Some(capabilities) = &context.capabilities else { return by_itself };
    let all = |names: &Option<Vec<String>>| {
        names.iter().flatten().any(|name| name.eq_ignore_ascii_case("ALL"))
    };
    let named = |names: &Option<Vec<String>>| {
        let named: Vec<Capability> =
            names.iter().flatten().filter_map(|name| Capability::named(name)).collect();
        Set::of(&named)
    };
    let start = match (all(&capabilities.add), all(&capabilities.drop)) {
        (_, true) => Set::EMPTY,
        (true, false) => Set::ALL,
        (false, false) => by_itself,
    };
    start.or(named(&capabilities.add)).without(named(&capabilities.drop))
}

/// `allowPrivilegeEscalation: false`, which a privileged container cannot have.
#[must_use]
pub fn no_new_privs(spec: &PodSpec, container: &str) -> bool {
    context(spec, container)
        .is_some_and(|context| context.allow_privilege_escalation == Some(false))
}

#[must_use]
pub fn read_only_root(spec: &PodSpec, container: &str) -> bool {
    context(spec, container).is_some_and(|context| context.read_only_root_filesystem == Some(true))
}

/// The group that the spec asks for.
#[must_use]
pub fn run_as_group(spec: &PodSpec, container: &str) -> Option<u32> {
    let of_pod = || spec.security_context.as_ref().and_then(|context| context.run_as_group);
    let gid = context(spec, container).and_then(|context| context.run_as_group).or_else(of_pod);
    gid.and_then(|gid| u32::try_from(gid).ok())
}

/// `supplementalGroupsPolicy: Strict` (KEP-3619): the image's /etc/group adds none.
#[must_use]
pub fn strict_groups(spec: &PodSpec) -> bool {
    let policy = spec
        .security_context
        .as_ref()
        .and_then(|context| context.supplemental_groups_policy.as_deref());
    policy == Some("Strict")
}

/// `command` of a container; empty where the image's entrypoint holds.
#[must_use]
pub fn command<'a>(spec: &'a PodSpec, container: &str) -> &'a [String] {
    let mut containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers
        .find(|known| known.name == container)
        .and_then(|found| found.command.as_deref())
        .unwrap_or_default()
}

/// A sysctl that the pod sets.
#[must_use]
pub fn sysctl<'a>(spec: &'a PodSpec, name: &str) -> Option<&'a str> {
    let sysctls = spec.security_context.as_ref()?.sysctls.as_ref()?;
    sysctls.iter().find(|sysctl| sysctl.name == name).map(|sysctl| sysctl.value.as_str())
}

/// The parts that the three container types have in common.
struct PodSummary<'a> {
    name: &'a str,
    image: Option<&'a str>,
    context: Option<&'a SecurityContext>,
}

impl<'a> PodSummary<'a> {
    fn of(container: &'a SpecContainer) -> Self {
        Self {
            name: &container.name,
            image: container.image.as_deref(),
            context: container.security_context.as_ref(),
        }
    }
}

fn status_of<'a>(status: &'a PodStatus, role: Role, name: &str) -> Option<&'a ContainerStatus> {
    let statuses = match role {
        Role::Container => &status.container_statuses,
        Role::Init | Role::Sidecar => &status.init_container_statuses,
        Role::Ephemeral => &status.ephemeral_container_statuses,
    };
    statuses.iter().flatten().find(|status| status.name == name)
}

/// The identity of a container's first process, by the precedence of the API: container over pod
/// over image.
///
/// What a spec leaves open, `status.containerStatuses[].user.linux` tells (KEP-3619, Kubernetes
/// 1.31): the runtime reports the identity that it gave the process, so a uid that no field set is
/// the image's.
fn user(
    spec: &PodSpec,
    context: Option<&SecurityContext>,
    status: Option<&ContainerStatus>,
) -> User {
    let pod = spec.security_context.as_ref();
    let reported =
        status.and_then(|status| status.user.as_ref()).and_then(|user| user.linux.as_ref());
    let from_container = context.and_then(|context| context.run_as_user);
    let from_pod = pod.and_then(|pod| pod.run_as_user);
    let from_image = reported.map(|linux| linux.uid);
    let (uid, origin) = match (from_container, from_pod, from_image) {
        (Some(uid), _, _) => (Some(uid), Origin::Container),
        (None, Some(uid), _) => (Some(uid), Origin::Pod),
        (None, None, Some(uid)) => (Some(uid), Origin::Image),
        (None, None, None) => return User { groups: spec_groups(spec), ..User::UNKNOWN },
    };
    let gid = context
        .and_then(|context| context.run_as_group)
        .or_else(|| pod.and_then(|pod| pod.run_as_group))
        .or_else(|| reported.map(|linux| linux.gid));
    let groups = reported
        .and_then(|linux| linux.supplemental_groups.clone())
        .unwrap_or_else(|| spec_groups(spec));
    User { uid, gid, groups, origin }
}

/// The supplementary groups that the spec asks for; an image's /etc/group may add more.
#[must_use]
pub fn spec_groups(spec: &PodSpec) -> Vec<i64> {
    let Some(pod) = &spec.security_context else { return Vec::new() };
    let mut groups: Vec<i64> =
        pod.supplemental_groups.iter().flatten().copied().chain(pod.fs_group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Whether the first process has uid 0; `is_reported` where the runtime says so of a process that
/// runs. With `runAsNonRoot: true` the kubelet starts no container as root, whoever asks for it
/// (pkg/kubelet/kuberuntime/security_context.go, verifyRunAsNonRoot): without a uid that is all
/// that is known, and with uid 0 nothing ever runs.
fn root(
    spec: &PodSpec,
    context: Option<&SecurityContext>,
    user: &User,
    is_reported: bool,
) -> Option<bool> {
    let requires = requires_non_root(spec, context);
    match user.uid {
        Some(0) if requires && !is_reported => Some(false),
        Some(uid) => Some(uid == 0),
        None => requires.then_some(false),
    }
}

/// `runAsNonRoot: true`, of the container or else of its pod.
fn requires_non_root(spec: &PodSpec, context: Option<&SecurityContext>) -> bool {
    let pod = spec.security_context.as_ref().and_then(|pod| pod.run_as_non_root);
    context.and_then(|context| context.run_as_non_root).or(pod) == Some(true)
}

/// The kubelet's word for a container that ends again and again.
const CRASH_LOOP: &str = "CrashLoopBackOff";

/// What fails in a pod now, worst first: containers that cannot start, that crash, that ended
/// badly; else a pod that cannot be scheduled or is not ready. A pod that is fine, on its way, or
/// being deleted has none.
#[must_use]
pub fn failures(pod: &Pod) -> Vec<Failure> {
    let Some(status) = &pod.status else { return Vec::new() };
    if pod.metadata.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let name = pod.metadata.name.clone();
    let statuses = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten());
    let mut failures: Vec<Failure> = statuses
        .filter_map(container_failure)
        .map(|failure| Failure { pod: name.clone(), ..failure })
        .collect();
    if !failures.is_empty() {
        return failures;
    }
    if status.phase.as_deref() == Some("Failed") {
        failures.push(Failure {
            reason: status.reason.clone().unwrap_or_else(|| "Failed".to_owned()),
            message: status.message.clone().unwrap_or_default(),
            pod: name,
            container: None,
            exit_code: None,
        });
        return failures;
    }
    let condition = |kind: &str| {
        let conditions = status.conditions.iter().flatten();
        conditions
            .filter(|condition| condition.status == "False")
            .find(|condition| condition.type_ == kind)
    };
    let stuck = condition("PodScheduled").or_else(|| {
        let running = status.phase.as_deref() == Some("Running");
        condition("ContainersReady").filter(|_| running)
    });
    if let Some(stuck) = stuck {
        let reason = match stuck.type_.as_str() {
            "ContainersReady" => "NotReady".to_owned(),
            _ => stuck.reason.clone().unwrap_or_else(|| "Unschedulable".to_owned()),
        };
        let message = stuck.message.clone().unwrap_or_default();
        failures.push(Failure { reason, message, pod: name, container: None, exit_code: None });
    }
    failures
}

fn container_failure(status: &ContainerStatus) -> Option<Failure> {
    let state = status.state.as_ref()?;
    let failure = |reason: &str, message: &Option<String>, exit_code| Failure {
        reason: reason.to_owned(),
        message: message.clone().unwrap_or_default(),
        pod: None,
        container: Some(status.name.clone()),
        exit_code,
    };
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    if let Some(waiting) = &state.waiting {
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| WaitingReason::parse(reason) != Some(WaitingReason::Starting))?;
        return Some(failure(reason, &waiting.message, last.map(|last| last.exit_code)));
    }
    if let Some(ended) = state.terminated.as_ref().filter(|ended| ended.exit_code != 0) {
        // Between two starts the kubelet shows the end of the last one; it is the same crash loop.
        let looping = status.restart_count > 0;
        let reason = if looping { CRASH_LOOP } else { ended.reason.as_deref().unwrap_or("Error") };
        return Some(failure(reason, &ended.message, Some(ended.exit_code)));
    }
    let restarted =
        last.filter(|last| state.running.is_some() && !status.ready && last.exit_code != 0)?;
    Some(failure(CRASH_LOOP, &restarted.message, Some(restarted.exit_code)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).expect("a pod")
    }

    fn only_container(value: Value) -> Container {
        let pod = pod(value);
        let containers = containers(pod.spec.as_ref().expect("a spec"), pod.status.as_ref());
        containers.into_iter().next().expect("a container")
    }

    #[test]
    fn container_beats_pod_beats_image() {
        let status = json!({"containerStatuses": [{"name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "user": {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0, 5]}}}]});
        for (container, in_pod, uid, origin, root) in [
            (json!({"runAsUser": 7}), json!({"runAsUser": 8}), 7, Origin::Container, false),
            (json!({}), json!({"runAsUser": 8}), 8, Origin::Pod, false),
            (
                json!({"runAsUser": 0}),
                json!({"runAsUser": 8, "runAsNonRoot": true}),
                0,
                Origin::Container,
                true,
            ),
            (json!({}), json!({}), 0, Origin::Image, true),
        ] {
            let spec = json!({"securityContext": in_pod, "containers": [{"name": "a", "securityContext": container}]});
            let found = only_container(json!({"spec": spec, "status": status}));
            assert_eq!(
                (found.user.uid, found.user.origin, found.root),
                (Some(uid), origin, Some(root))
            );
            assert_eq!(found.user.groups, [0, 5]);
        }
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_the_runtime_does() {
        for (capabilities, granted_set) in [
            (json!({}), "CHOWN, KILL"),
            (json!({"drop": ["ALL"]}), "none"),
            (json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}), "NET_BIND_SERVICE"),
            (json!({"drop": ["KILL"], "add": ["CAP_NET_RAW", "net_raw"]}), "CHOWN, NET_RAW"),
            (json!({"drop": ["NET_RAW"], "add": ["NET_RAW"]}), "CHOWN, KILL"),
        ] {
            let context = json!({"capabilities": capabilities, "allowPrivilegeEscalation": false});
            let spec: PodSpec = serde_json::from_value(
                json!({"containers": [{"name": "a", "securityContext": context}]}),
            )
            .expect("a spec");
            let by_itself = Set::of(&[Capability::CHOWN, Capability::KILL]);
            assert_eq!(granted(&spec, "a", by_itself).to_string(), granted_set);
            assert!(
                no_new_privs(&spec, "a")
                    && !no_new_privs(&spec, "b")
                    && !read_only_root(&spec, "a")
            );
        }
        let spec: PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "all", "securityContext": {"capabilities": {"add": ["ALL"], "drop": ["CHOWN"]}}},
            {"name": "privileged", "securityContext": {"privileged": true}}],
            "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}}))
        .expect("a spec");
        assert_eq!(
            granted(&spec, "all", Set::EMPTY),
            Set::ALL.without(Set::of(&[Capability::CHOWN]))
        );
        assert_eq!(granted(&spec, "privileged", Set::EMPTY), Set::ALL);
        assert_eq!(sysctl(&spec, "net.ipv4.ip_unprivileged_port_start"), Some("80"));
        assert_eq!(sysctl(&spec, "net.core.somaxconn"), None);
    }

    #[test]
    fn without_a_uid_only_run_as_non_root_tells() {
        for (container, in_pod, root) in [
            (json!({}), json!({}), None),
            (json!({}), json!({"runAsNonRoot": true}), Some(false)),
            (json!({"runAsNonRoot": false}), json!({"runAsNonRoot": true}), None),
            (json!({"runAsNonRoot": true}), json!({"runAsNonRoot": false}), Some(false)),
        ] {
            let spec = json!({"securityContext": in_pod, "containers": [{"name": "a", "securityContext": container}]});
            let found = only_container(json!({"spec": spec}));
            assert_eq!(
                (found.user.uid, found.user.origin, found.root),
                (None, Origin::Unknown, root)
            );
        }
    }

    #[test]
    fn roles_follow_the_three_lists() {
        let pod = pod(json!({"spec": {
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "c"}], "ephemeralContainers": [{"name": "e"}]}}));
        let roles: Vec<_> = containers(&pod.spec.expect("a spec"), None)
            .into_iter()
            .map(|c| (c.name, c.role))
            .collect();
        let expected = [
            ("i", Role::Init),
            ("s", Role::Sidecar),
            ("c", Role::Container),
            ("e", Role::Ephemeral),
        ];
        assert_eq!(roles, expected.map(|(name, role)| (name.to_owned(), role)));
    }

    #[test]
    fn a_crash_loop_keeps_its_exit_code_and_a_pod_on_its_way_is_no_failure() {
        let status = |state: Value, last: Value| {
            pod(
                json!({"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": [
                {"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 1, "state": state, "lastState": last}]}}),
            )
        };
        let crash = status(
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}),
            json!({"terminated": {"exitCode": 1}}),
        );
        let found = failures(&crash);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].reason.as_str(), found[0].exit_code), ("CrashLoopBackOff", Some(1)));
        assert_eq!(
            (found[0].pod.as_deref(), found[0].container.as_deref()),
            (Some("p"), Some("a"))
        );
        assert!(
            failures(&status(json!({"waiting": {"reason": "ContainerCreating"}}), json!({})))
                .is_empty()
        );
        assert!(failures(&status(json!({"terminated": {"exitCode": 0}}), json!({}))).is_empty());
    }
}
