//! From protobuf messages to the types that JSON is read to: where JSON leaves out what is empty,
//! it is `None`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::jiff::Timestamp;

use super::message as proto;
use super::zero::{list, text};

/// Go's zero time stands for none.
fn time(time: Option<proto::Time>) -> Option<meta::Time> {
    let proto::Time { seconds, nanos } =
        time.filter(|time| time.seconds != 0 || time.nanos != 0)?;
    Timestamp::new(seconds, nanos).ok().map(meta::Time)
}

impl From<proto::ObjectMeta> for meta::ObjectMeta {
    fn from(from: proto::ObjectMeta) -> Self {
        meta::ObjectMeta {
            name: text(from.name),
            namespace: text(from.namespace),
            creation_timestamp: time(from.creation_timestamp),
            deletion_timestamp: time(from.deletion_timestamp),
            annotations: (!from.annotations.is_empty()).then_some(from.annotations),
            owner_references: list(from.owner_references),
            ..meta::ObjectMeta::default()
        }
    }
}

impl From<proto::ControllerMeta> for meta::ObjectMeta {
    fn from(from: proto::ControllerMeta) -> Self {
        meta::ObjectMeta {
            name: text(from.name),
            namespace: text(from.namespace),
            annotations: (!from.annotations.is_empty()).then_some(from.annotations),
            owner_references: list(from.owner_references),
            ..meta::ObjectMeta::default()
        }
    }
}

impl From<proto::OwnerReference> for meta::OwnerReference {
    fn from(from: proto::OwnerReference) -> Self {
        let proto::OwnerReference { kind, name, uid, api_version, controller } = from;
        meta::OwnerReference {
            api_version,
            block_owner_deletion: None,
            controller,
            kind,
            name,
            uid,
        }
    }
}

impl From<proto::Pod> for api::Pod {
    fn from(from: proto::Pod) -> Self {
        api::Pod {
            metadata: from.metadata.map(Into::into).unwrap_or_default(),
            spec: from.spec.map(Into::into),
            status: from.status.map(Into::into),
        }
    }
}

impl From<proto::PodSpec> for api::PodSpec {
    fn from(from: proto::PodSpec) -> Self {
        api::PodSpec {
            volumes: list(from.volumes),
            containers: from.containers.into_iter().map(Into::into).collect(),
            node_name: text(from.node_name),
            host_network: from.host_network.then_some(true),
            host_pid: from.host_pid.then_some(true),
            host_ipc: from.host_ipc.then_some(true),
            security_context: from.security_context.map(Into::into),
            init_containers: list(from.init_containers),
            ephemeral_containers: list(from.ephemeral_containers),
            os: from.os.map(|os| api::PodOS { name: os.name }),
            host_users: from.host_users,
            ..api::PodSpec::default()
        }
    }
}

impl From<proto::Container> for api::Container {
    fn from(from: proto::Container) -> Self {
        api::Container {
            name: from.name,
            image: text(from.image),
            ports: list(from.ports),
            resources: from.resources.map(Into::into),
            volume_mounts: list(from.volume_mounts),
            volume_devices: list(from.volume_devices),
            liveness_probe: from.liveness_probe.map(Into::into),
            readiness_probe: from.readiness_probe.map(Into::into),
            startup_probe: from.startup_probe.map(Into::into),
            lifecycle: from.lifecycle.map(Into::into),
            security_context: from.security_context.map(Into::into),
            restart_policy: from.restart_policy,
            ..api::Container::default()
        }
    }
}

impl From<proto::EphemeralContainer> for api::EphemeralContainer {
    fn from(from: proto::EphemeralContainer) -> Self {
        let from = from.common.unwrap_or_default();
        api::EphemeralContainer {
            name: from.name,
            image: text(from.image),
            ports: list(from.ports),
            resources: from.resources.map(Into::into),
            volume_mounts: list(from.volume_mounts),
            volume_devices: list(from.volume_devices),
            liveness_probe: from.liveness_probe.map(Into::into),
            readiness_probe: from.readiness_probe.map(Into::into),
            startup_probe: from.startup_probe.map(Into::into),
            lifecycle: from.lifecycle.map(Into::into),
            security_context: from.security_context.map(Into::into),
            restart_policy: from.restart_policy,
            ..api::EphemeralContainer::default()
        }
    }
}

impl From<proto::ContainerPort> for api::ContainerPort {
    fn from(from: proto::ContainerPort) -> Self {
        let host_port = (from.host_port != 0).then_some(from.host_port);
        api::ContainerPort {
            container_port: from.container_port,
            host_port,
            ..api::ContainerPort::default()
        }
    }
}

impl From<proto::Resources> for api::ResourceRequirements {
    fn from(from: proto::Resources) -> Self {
        let limits = from
            .limits
            .into_keys()
            .map(|name| (name, Quantity::default()))
            .collect::<BTreeMap<_, _>>();
        api::ResourceRequirements {
            limits: (!limits.is_empty()).then_some(limits),
            claims: list(from.claims),
            ..api::ResourceRequirements::default()
        }
    }
}

impl From<proto::ResourceClaim> for api::ResourceClaim {
    fn from(from: proto::ResourceClaim) -> Self {
        api::ResourceClaim { name: from.name, request: None }
    }
}

impl From<proto::VolumeMount> for api::VolumeMount {
    fn from(from: proto::VolumeMount) -> Self {
        let proto::VolumeMount { name, read_only, mount_path } = from;
        api::VolumeMount {
            name,
            mount_path,
            read_only: read_only.then_some(true),
            ..api::VolumeMount::default()
        }
    }
}

impl From<proto::VolumeDevice> for api::VolumeDevice {
    fn from(from: proto::VolumeDevice) -> Self {
        let proto::VolumeDevice { name, device_path } = from;
        api::VolumeDevice { device_path, name }
    }
}

impl From<proto::HttpGetAction> for api::HTTPGetAction {
    fn from(from: proto::HttpGetAction) -> Self {
        api::HTTPGetAction { host: text(from.host), ..api::HTTPGetAction::default() }
    }
}

impl From<proto::TcpSocketAction> for api::TCPSocketAction {
    fn from(from: proto::TcpSocketAction) -> Self {
        api::TCPSocketAction { host: text(from.host), ..api::TCPSocketAction::default() }
    }
}

impl From<proto::Probe> for api::Probe {
    fn from(from: proto::Probe) -> Self {
        let handler = from.handler.unwrap_or_default();
        api::Probe {
            http_get: handler.http_get.map(Into::into),
            tcp_socket: handler.tcp_socket.map(Into::into),
            ..api::Probe::default()
        }
    }
}

impl From<proto::Handler> for api::LifecycleHandler {
    fn from(from: proto::Handler) -> Self {
        api::LifecycleHandler {
            http_get: from.http_get.map(Into::into),
            tcp_socket: from.tcp_socket.map(Into::into),
            ..api::LifecycleHandler::default()
        }
    }
}

impl From<proto::Lifecycle> for api::Lifecycle {
    fn from(from: proto::Lifecycle) -> Self {
        api::Lifecycle {
            post_start: from.post_start.map(Into::into),
            pre_stop: from.pre_stop.map(Into::into),
            ..api::Lifecycle::default()
        }
    }
}

impl From<proto::SecurityContext> for api::SecurityContext {
    fn from(from: proto::SecurityContext) -> Self {
        api::SecurityContext {
            capabilities: from
                .capabilities
                .map(|from| api::Capabilities { add: list(from.add), drop: list(from.drop) }),
            privileged: from.privileged,
            se_linux_options: from.se_linux_options.map(Into::into),
            run_as_user: from.run_as_user,
            run_as_non_root: from.run_as_non_root,
            read_only_root_filesystem: from.read_only_root_filesystem,
            allow_privilege_escalation: from.allow_privilege_escalation,
            run_as_group: from.run_as_group,
            proc_mount: from.proc_mount,
            windows_options: from.windows_options.map(Into::into),
            seccomp_profile: from.seccomp_profile.map(Into::into),
            app_armor_profile: from.app_armor_profile.map(Into::into),
        }
    }
}

impl From<proto::PodSecurityContext> for api::PodSecurityContext {
    fn from(from: proto::PodSecurityContext) -> Self {
        api::PodSecurityContext {
            se_linux_options: from.se_linux_options.map(Into::into),
            run_as_user: from.run_as_user,
            run_as_non_root: from.run_as_non_root,
            supplemental_groups: list(from.supplemental_groups),
            fs_group: from.fs_group,
            run_as_group: from.run_as_group,
            sysctls: list(from.sysctls),
            windows_options: from.windows_options.map(Into::into),
            seccomp_profile: from.seccomp_profile.map(Into::into),
            app_armor_profile: from.app_armor_profile.map(Into::into),
            se_linux_change_policy: from.se_linux_change_policy,
            ..api::PodSecurityContext::default()
        }
    }
}

impl From<proto::SeLinuxOptions> for api::SELinuxOptions {
    fn from(from: proto::SeLinuxOptions) -> Self {
        let [user, role, type_, level] = [from.user, from.role, from.r#type, from.level].map(text);
        api::SELinuxOptions { level, role, type_, user }
    }
}

impl From<proto::WindowsOptions> for api::WindowsSecurityContextOptions {
    fn from(from: proto::WindowsOptions) -> Self {
        api::WindowsSecurityContextOptions { host_process: from.host_process, ..Self::default() }
    }
}

impl From<proto::Profile> for api::SeccompProfile {
    fn from(from: proto::Profile) -> Self {
        api::SeccompProfile { localhost_profile: from.localhost_profile, type_: from.r#type }
    }
}

impl From<proto::Profile> for api::AppArmorProfile {
    fn from(from: proto::Profile) -> Self {
        api::AppArmorProfile { localhost_profile: from.localhost_profile, type_: from.r#type }
    }
}

impl From<proto::Sysctl> for api::Sysctl {
    fn from(from: proto::Sysctl) -> Self {
        api::Sysctl { name: from.name, value: from.value }
    }
}

impl From<proto::PodStatus> for api::PodStatus {
    fn from(from: proto::PodStatus) -> Self {
        api::PodStatus {
            phase: text(from.phase),
            conditions: list(from.conditions),
            message: text(from.message),
            reason: text(from.reason),
            container_statuses: list(from.container_statuses),
            init_container_statuses: list(from.init_container_statuses),
            ephemeral_container_statuses: list(from.ephemeral_container_statuses),
            ..api::PodStatus::default()
        }
    }
}

impl From<proto::Condition> for api::PodCondition {
    fn from(from: proto::Condition) -> Self {
        api::PodCondition {
            type_: from.r#type,
            status: from.status,
            reason: text(from.reason),
            message: text(from.message),
            ..api::PodCondition::default()
        }
    }
}

impl From<proto::ContainerStatus> for api::ContainerStatus {
    fn from(from: proto::ContainerStatus) -> Self {
        api::ContainerStatus {
            name: from.name,
            state: from.state.map(Into::into),
            last_state: from.last_state.map(Into::into),
            ready: from.ready,
            restart_count: from.restart_count,
            user: from.user.map(|user| api::ContainerUser { linux: user.linux.map(Into::into) }),
            ..api::ContainerStatus::default()
        }
    }
}

impl From<proto::LinuxContainerUser> for api::LinuxContainerUser {
    fn from(from: proto::LinuxContainerUser) -> Self {
        let proto::LinuxContainerUser { uid, gid, supplemental_groups } = from;
        api::LinuxContainerUser { gid, supplemental_groups: list(supplemental_groups), uid }
    }
}

impl From<proto::ContainerState> for api::ContainerState {
    fn from(from: proto::ContainerState) -> Self {
        api::ContainerState {
            running: from.running.map(|()| api::ContainerStateRunning::default()),
            terminated: from.terminated.map(|from| api::ContainerStateTerminated {
                exit_code: from.exit_code,
                reason: text(from.reason),
                message: text(from.message),
                ..api::ContainerStateTerminated::default()
            }),
            waiting: from.waiting.map(|from| api::ContainerStateWaiting {
                reason: text(from.reason),
                message: text(from.message),
            }),
        }
    }
}
