//! What is around the objects of an answer, by the numbers of Kubernetes' own `generated.proto`:
//! that of k8s.io/apimachinery (pkg/runtime, pkg/apis/meta/v1), v0.37.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

/// `runtime.Unknown`: what follows the four bytes of the magic number.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Unknown {
    #[prost(bytes = "bytes", tag = "2")]
    pub raw: Bytes,
}

/// Any list: `PodList`, `DeploymentList`, `PartialObjectMetadataList`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct List {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ListMeta>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub items: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ListMeta {
    #[prost(string, tag = "2")]
    pub resource_version: String,
    #[prost(string, tag = "3")]
    pub r#continue: String,
}

/// `metav1.Status`: why a request failed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "3")]
    pub message: String,
    #[prost(string, tag = "4")]
    pub reason: String,
    #[prost(message, optional, tag = "5")]
    pub details: Option<StatusDetails>,
    #[prost(int32, tag = "6")]
    pub code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusDetails {
    #[prost(int32, tag = "5")]
    pub retry_after_seconds: i32,
}

/// `metav1.WatchEvent`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WatchEvent {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(message, optional, tag = "2")]
    pub object: Option<RawExtension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RawExtension {
    #[prost(bytes = "bytes", tag = "1")]
    pub raw: Bytes,
}

/// Of any object, what a watch goes by.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Versioned {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<VersionedMeta>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionedMeta {
    #[prost(string, tag = "6")]
    pub resource_version: String,
    #[prost(btree_map = "string, string", tag = "12")]
    pub annotations: BTreeMap<String, String>,
}
