//! The part of the API's objects that a scan reads, by the numbers of Kubernetes' own
//! `generated.proto`: those of k8s.io/apimachinery (pkg/apis/meta/v1) and k8s.io/api (core/v1,
//! apps/v1, batch/v1), v0.37. What has no number here is passed over.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::volume::Volume;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ObjectMeta {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(message, optional, tag = "8")]
    pub creation_timestamp: Option<Time>,
    #[prost(message, optional, tag = "9")]
    pub deletion_timestamp: Option<Time>,
    #[prost(btree_map = "string, string", tag = "12")]
    pub annotations: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    pub owner_references: Vec<OwnerReference>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OwnerReference {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub uid: String,
    #[prost(string, tag = "5")]
    pub api_version: String,
    #[prost(bool, optional, tag = "6")]
    pub controller: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Time {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `Pod`, and `PodTemplateSpec`, which is a pod without a status and has the same numbers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pod {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    pub spec: Option<PodSpec>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<PodStatus>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodSpec {
    #[prost(message, repeated, tag = "1")]
    pub volumes: Vec<Volume>,
    #[prost(message, repeated, tag = "2")]
    pub containers: Vec<Container>,
    #[prost(string, tag = "10")]
    pub node_name: String,
    #[prost(bool, tag = "11")]
    pub host_network: bool,
    #[prost(bool, tag = "12")]
    pub host_pid: bool,
    #[prost(bool, tag = "13")]
    pub host_ipc: bool,
    #[prost(message, optional, tag = "14")]
    pub security_context: Option<PodSecurityContext>,
    #[prost(message, repeated, tag = "20")]
    pub init_containers: Vec<Container>,
    #[prost(message, repeated, tag = "34")]
    pub ephemeral_containers: Vec<EphemeralContainer>,
    #[prost(message, optional, tag = "36")]
    pub os: Option<PodOs>,
    #[prost(bool, optional, tag = "37")]
    pub host_users: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodOs {
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `Container`, and `EphemeralContainerCommon`, which has the same numbers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Container {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub image: String,
    #[prost(message, repeated, tag = "6")]
    pub ports: Vec<ContainerPort>,
    #[prost(message, optional, tag = "8")]
    pub resources: Option<Resources>,
    #[prost(message, repeated, tag = "9")]
    pub volume_mounts: Vec<VolumeMount>,
    #[prost(message, optional, tag = "10")]
    pub liveness_probe: Option<Probe>,
    #[prost(message, optional, tag = "11")]
    pub readiness_probe: Option<Probe>,
    #[prost(message, optional, tag = "12")]
    pub lifecycle: Option<Lifecycle>,
    #[prost(message, optional, tag = "15")]
    pub security_context: Option<SecurityContext>,
    #[prost(message, repeated, tag = "21")]
    pub volume_devices: Vec<VolumeDevice>,
    #[prost(message, optional, tag = "22")]
    pub startup_probe: Option<Probe>,
    #[prost(string, optional, tag = "24")]
    pub restart_policy: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EphemeralContainer {
    #[prost(message, optional, tag = "1")]
    pub common: Option<Container>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerPort {
    #[prost(int32, tag = "2")]
    pub host_port: i32,
    #[prost(int32, tag = "3")]
    pub container_port: i32,
}

/// `ResourceRequirements`: of a limit only its name counts.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Resources {
    #[prost(btree_map = "string, message", tag = "1")]
    pub limits: BTreeMap<String, ()>,
    #[prost(message, repeated, tag = "3")]
    pub claims: Vec<ResourceClaim>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceClaim {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VolumeMount {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bool, tag = "2")]
    pub read_only: bool,
    #[prost(string, tag = "3")]
    pub mount_path: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VolumeDevice {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub device_path: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Probe {
    #[prost(message, optional, tag = "1")]
    pub handler: Option<Handler>,
}

/// `ProbeHandler`, and `LifecycleHandler`, which has the same numbers for what both have.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Handler {
    #[prost(message, optional, tag = "2")]
    pub http_get: Option<HttpGetAction>,
    #[prost(message, optional, tag = "3")]
    pub tcp_socket: Option<TcpSocketAction>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpGetAction {
    #[prost(string, tag = "3")]
    pub host: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TcpSocketAction {
    #[prost(string, tag = "2")]
    pub host: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Lifecycle {
    #[prost(message, optional, tag = "1")]
    pub post_start: Option<Handler>,
    #[prost(message, optional, tag = "2")]
    pub pre_stop: Option<Handler>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SecurityContext {
    #[prost(message, optional, tag = "1")]
    pub capabilities: Option<Capabilities>,
    #[prost(bool, optional, tag = "2")]
    pub privileged: Option<bool>,
    #[prost(message, optional, tag = "3")]
    pub se_linux_options: Option<SeLinuxOptions>,
    #[prost(int64, optional, tag = "4")]
    pub run_as_user: Option<i64>,
    #[prost(bool, optional, tag = "5")]
    pub run_as_non_root: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub read_only_root_filesystem: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub allow_privilege_escalation: Option<bool>,
    #[prost(int64, optional, tag = "8")]
    pub run_as_group: Option<i64>,
    #[prost(string, optional, tag = "9")]
    pub proc_mount: Option<String>,
    #[prost(message, optional, tag = "10")]
    pub windows_options: Option<WindowsOptions>,
    #[prost(message, optional, tag = "11")]
    pub seccomp_profile: Option<Profile>,
    #[prost(message, optional, tag = "12")]
    pub app_armor_profile: Option<Profile>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodSecurityContext {
    #[prost(message, optional, tag = "1")]
    pub se_linux_options: Option<SeLinuxOptions>,
    #[prost(int64, optional, tag = "2")]
    pub run_as_user: Option<i64>,
    #[prost(bool, optional, tag = "3")]
    pub run_as_non_root: Option<bool>,
    #[prost(int64, repeated, tag = "4")]
    pub supplemental_groups: Vec<i64>,
    #[prost(int64, optional, tag = "5")]
    pub fs_group: Option<i64>,
    #[prost(int64, optional, tag = "6")]
    pub run_as_group: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    pub sysctls: Vec<Sysctl>,
    #[prost(message, optional, tag = "8")]
    pub windows_options: Option<WindowsOptions>,
    #[prost(message, optional, tag = "10")]
    pub seccomp_profile: Option<Profile>,
    #[prost(message, optional, tag = "11")]
    pub app_armor_profile: Option<Profile>,
    #[prost(string, optional, tag = "13")]
    pub se_linux_change_policy: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Capabilities {
    #[prost(string, repeated, tag = "1")]
    pub add: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub drop: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SeLinuxOptions {
    #[prost(string, tag = "1")]
    pub user: String,
    #[prost(string, tag = "2")]
    pub role: String,
    #[prost(string, tag = "3")]
    pub r#type: String,
    #[prost(string, tag = "4")]
    pub level: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WindowsOptions {
    #[prost(bool, optional, tag = "4")]
    pub host_process: Option<bool>,
}

/// `SeccompProfile` and `AppArmorProfile`, which have the same numbers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Profile {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, optional, tag = "2")]
    pub localhost_profile: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sysctl {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodStatus {
    #[prost(string, tag = "1")]
    pub phase: String,
    #[prost(message, repeated, tag = "2")]
    pub conditions: Vec<Condition>,
    #[prost(string, tag = "3")]
    pub message: String,
    #[prost(string, tag = "4")]
    pub reason: String,
    #[prost(message, repeated, tag = "8")]
    pub container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "10")]
    pub init_container_statuses: Vec<ContainerStatus>,
    #[prost(message, repeated, tag = "13")]
    pub ephemeral_container_statuses: Vec<ContainerStatus>,
}

/// `PodCondition`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Condition {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, tag = "2")]
    pub status: String,
    #[prost(string, tag = "5")]
    pub reason: String,
    #[prost(string, tag = "6")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerStatus {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub state: Option<ContainerState>,
    #[prost(message, optional, tag = "3")]
    pub last_state: Option<ContainerState>,
    #[prost(bool, tag = "4")]
    pub ready: bool,
    #[prost(int32, tag = "5")]
    pub restart_count: i32,
    #[prost(message, optional, tag = "13")]
    pub user: Option<ContainerUser>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerState {
    #[prost(message, optional, tag = "1")]
    pub waiting: Option<Waiting>,
    #[prost(message, optional, tag = "2")]
    pub running: Option<()>,
    #[prost(message, optional, tag = "3")]
    pub terminated: Option<Terminated>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Waiting {
    #[prost(string, tag = "1")]
    pub reason: String,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Terminated {
    #[prost(int32, tag = "1")]
    pub exit_code: i32,
    #[prost(string, tag = "3")]
    pub reason: String,
    #[prost(string, tag = "4")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerUser {
    #[prost(message, optional, tag = "1")]
    pub linux: Option<LinuxContainerUser>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LinuxContainerUser {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(int64, tag = "2")]
    pub gid: i64,
    #[prost(int64, repeated, tag = "3")]
    pub supplemental_groups: Vec<i64>,
}

/// Any controller. What its spec and status are numbered like depends on its kind, and not all of
/// it is read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Controller {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ControllerMeta>,
    #[prost(bytes = "bytes", tag = "2")]
    pub spec: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub status: Bytes,
}

/// `ObjectMeta` without what only pods are asked for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ControllerMeta {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(btree_map = "string, string", tag = "12")]
    pub annotations: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    pub owner_references: Vec<OwnerReference>,
}

/// The spec of a Deployment, StatefulSet, ReplicaSet or ReplicationController.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReplicasSpec {
    #[prost(message, optional, tag = "3")]
    pub template: Option<Pod>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DaemonSetSpec {
    #[prost(message, optional, tag = "2")]
    pub template: Option<Pod>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct JobSpec {
    #[prost(message, optional, tag = "6")]
    pub template: Option<Pod>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CronJobSpec {
    #[prost(message, optional, tag = "5")]
    pub job_template: Option<JobTemplate>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct JobTemplate {
    #[prost(message, optional, tag = "2")]
    pub spec: Option<JobSpec>,
}

/// The status of a Deployment, ReplicaSet or ReplicationController: the kinds that have a
/// `ReplicaFailure`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReplicasStatus {
    #[prost(message, repeated, tag = "6")]
    pub conditions: Vec<ReplicasCondition>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReplicasCondition {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(string, tag = "2")]
    pub status: String,
    #[prost(string, tag = "4")]
    pub reason: String,
    #[prost(string, tag = "5")]
    pub message: String,
}
