//! The API's protobuf encoding, read for a scan: a third of JSON's bytes and a tenth of the time,
//! of which only what a scan needs is taken.
//!
//! An object is the magic number `k8s\0` and a `runtime.Unknown` around it (k8s.io/apimachinery,
//! pkg/runtime/serializer/protobuf). The messages are our own short ones: the whole API's would
//! cost more to compile than the rest of the tool, and more to decode.

mod convert;
mod envelope;
mod message;
mod volume;
mod zero;

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Status;
use kube::core::response::StatusDetails;
use prost::{DecodeError, Message as _};

use super::change::{Change, INITIAL_EVENTS_END};
use super::records::{Controller, Declared, PodSummary, Template, replica_failure};
use crate::model::workload::Failure;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What an object begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The object in its envelope; an answer without the envelope is an error.
fn unwrapped(body: &Bytes) -> Result<Bytes, DecodeError> {
    let inside = if body.starts_with(MAGIC) { body.slice(MAGIC.len()..) } else { Bytes::new() };
    Ok(envelope::Unknown::decode(inside)?.raw)
}

/// The items of a list, not yet decoded, and what continues it.
pub(super) struct List {
    pub items: Vec<Bytes>,
    pub r#continue: String,
    pub resource_version: String,
}

/// Reads a list, of anything.
pub(super) fn list(body: &Bytes) -> Result<List, DecodeError> {
    let envelope::List { metadata, items } = envelope::List::decode(unwrapped(body)?)?;
    let envelope::ListMeta { resource_version, r#continue } = metadata.unwrap_or_default();
    Ok(List { items, r#continue, resource_version })
}

/// Reads why a request failed; `None` where the body does not say.
pub(super) fn status(body: &Bytes) -> Option<Status> {
    let envelope::Status { message, reason, details, code } =
        envelope::Status::decode(unwrapped(body).ok()?).ok()?;
    let details = details.map(|details| StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: details.retry_after_seconds.try_into().unwrap_or_default(),
    });
    let code = u16::try_from(code).ok().filter(|code| *code != 0)?;
    Some(Status { details, ..Status::failure(&message, &reason).with_code(code) })
}

/// Reads an event of a watch, and the version after it.
pub(super) fn event<T>(
    frame: Bytes,
    item: fn(Bytes) -> Result<T, DecodeError>,
) -> Result<(Change<T>, String), DecodeError> {
    let envelope::WatchEvent { r#type, object } = envelope::WatchEvent::decode(frame)?;
    let object = object.unwrap_or_default().raw;
    if r#type == "ERROR" {
        let failed = status(&object).unwrap_or_else(|| Status::failure("", "").with_code(500));
        return Ok((Change::Failed(Box::new(failed)), String::new()));
    }
    let raw = unwrapped(&object)?;
    let meta = envelope::Versioned::decode(raw.clone())?.metadata.unwrap_or_default();
    let change = match r#type.as_str() {
        "BOOKMARK" => Change::Bookmark {
            is_initial_end: meta
                .annotations
                .get(INITIAL_EVENTS_END)
                .is_some_and(|value| value == "true"),
        },
        "DELETED" => Change::Gone(item(raw)?),
        _ => Change::Put(item(raw)?),
    };
    Ok((change, meta.resource_version))
}

/// What the name of the volume begins with that the API server gives every pod for the token of its
/// service account (`ServiceAccountVolumeName` in
/// plugin/pkg/admission/serviceaccount/admission.go); its end is random.
const TOKEN_VOLUME: &str = "kube-api-access-";

/// Reads a pod.
pub(super) fn pod(item: Bytes) -> Result<PodSummary, DecodeError> {
    let mut pod = message::Pod::decode(item)?;
    let status = pod.status.take();
    let (metadata, spec) = (pod.metadata.get_or_insert_default(), pod.spec.get_or_insert_default());
    // What tells a pod from the next of its template is kept beside it, so that the rest is kept
    // once for all of them.
    let name = std::mem::take(&mut metadata.name);
    let created = metadata.creation_timestamp.take();
    let node = std::mem::take(&mut spec.node_name);
    let mounts = spec
        .containers
        .iter_mut()
        .chain(&mut spec.init_containers)
        .flat_map(|one| &mut one.volume_mounts);
    let names =
        spec.volumes.iter_mut().map(|one| &mut one.name).chain(mounts.map(|one| &mut one.name));
    names
        .filter(|name| name.starts_with(TOKEN_VOLUME))
        .for_each(|name| name.truncate(TOKEN_VOLUME.len()));
    let template = Template::Protobuf(pod.encode_to_vec().into(), self::template);
    if let (Some(metadata), Some(spec)) = (&mut pod.metadata, &mut pod.spec) {
        (metadata.name, metadata.creation_timestamp, spec.node_name) = (name, created, node);
    }
    Ok(PodSummary::new(Pod { status: status.map(Into::into), ..pod.into() }, template))
}

/// Reads a pod from protobuf, without an envelope: for tests and fuzzing.
///
/// # Errors
/// It is no protobuf, or a string in it no UTF-8.
pub fn parse_pod(item: Bytes) -> Result<Pod, DecodeError> {
    message::Pod::decode(item).map(Pod::from)
}

/// Reads back what [`Template::Protobuf`] holds.
fn template(bytes: &[u8]) -> Pod {
    // We wrote it ourselves.
    message::Pod::decode(bytes).unwrap_or_default().into()
}

/// Reads a Deployment, ReplicaSet or ReplicationController.
pub(super) fn replicas(item: Bytes) -> Result<Controller, DecodeError> {
    let message::Controller { metadata, spec, status } = message::Controller::decode(item)?;
    let template = message::ReplicasSpec::decode(spec)?.template;
    let conditions = message::ReplicasStatus::decode(status)?.conditions;
    let failures = conditions.into_iter().filter_map(|condition| {
        replica_failure(&condition.r#type, &condition.status, condition.reason, condition.message)
    });
    Ok(controller(metadata, template, failures.collect()))
}

/// Reads a StatefulSet.
pub(super) fn stateful_set(item: Bytes) -> Result<Controller, DecodeError> {
    let message::Controller { metadata, spec, .. } = message::Controller::decode(item)?;
    Ok(controller(metadata, message::ReplicasSpec::decode(spec)?.template, Vec::new()))
}

/// Reads a DaemonSet.
pub(super) fn daemon_set(item: Bytes) -> Result<Controller, DecodeError> {
    let message::Controller { metadata, spec, .. } = message::Controller::decode(item)?;
    Ok(controller(metadata, message::DaemonSetSpec::decode(spec)?.template, Vec::new()))
}

/// Reads a Job.
pub(super) fn job(item: Bytes) -> Result<Controller, DecodeError> {
    let message::Controller { metadata, spec, .. } = message::Controller::decode(item)?;
    Ok(controller(metadata, message::JobSpec::decode(spec)?.template, Vec::new()))
}

/// Reads a CronJob.
pub(super) fn cron_job(item: Bytes) -> Result<Controller, DecodeError> {
    let message::Controller { metadata, spec, .. } = message::Controller::decode(item)?;
    let job = message::CronJobSpec::decode(spec)?.job_template.and_then(|template| template.spec);
    Ok(controller(metadata, job.and_then(|job| job.template), Vec::new()))
}

/// Reads a controller of which only the metadata was asked for.
pub(super) fn metadata(item: Bytes) -> Result<Controller, DecodeError> {
    let message::Controller { metadata, .. } = message::Controller::decode(item)?;
    Ok(controller(metadata, None, Vec::new()))
}

fn controller(
    metadata: Option<message::ControllerMeta>,
    template: Option<message::Pod>,
    failures: Vec<Failure>,
) -> Controller {
    let metadata: ObjectMeta = metadata.map(Into::into).unwrap_or_default();
    let template = template
        .map(|template| Template::Protobuf(template.encode_to_vec().into(), self::template));
    Controller { metadata, declared: template.map(|template| Declared { template, failures }) }
}

#[cfg(test)]
mod tests {
    use super::super::workload_store::WorkloadStore;
    use super::*;

    #[test]
    fn pods_of_one_template_share_it_and_keep_their_own() {
        let pod = |end: &str, node: &str, seconds: i64| {
            let volume = format!("{TOKEN_VOLUME}{end}");
            let owner = message::OwnerReference {
                kind: "StatefulSet".to_owned(),
                name: "web".to_owned(),
                api_version: "apps/v1".to_owned(),
                controller: Some(true),
                ..Default::default()
            };
            let metadata = message::ObjectMeta {
                name: format!("web-{end}"),
                namespace: "shop".to_owned(),
                creation_timestamp: Some(message::Time { seconds, ..Default::default() }),
                owner_references: vec![owner],
                ..Default::default()
            };
            let mount = message::VolumeMount { name: volume.clone(), ..Default::default() };
            let container = message::Container {
                name: "c".to_owned(),
                volume_mounts: vec![mount],
                ..Default::default()
            };
            let spec = message::PodSpec {
                node_name: node.to_owned(),
                containers: vec![container],
                volumes: vec![volume::Volume { name: volume, ..Default::default() }],
                ..Default::default()
            };
            message::Pod { metadata: Some(metadata), spec: Some(spec), ..Default::default() }
                .encode_to_vec()
        };
        let mut store = WorkloadStore::default();
        for (end, node, seconds) in
            [("aaaaa", "node1", 7), ("bbbbb", "node2", 9), ("ccccc", "node1", 8)]
        {
            store.pod(super::pod(pod(end, node, seconds).into()).expect("a pod"));
        }
        assert_eq!(store.templates(), 1);
        let [workload] = &store.workloads()[..] else { panic!("one workload") };
        assert_eq!((workload.kind.as_str(), workload.pods), ("StatefulSet", 3));
        // The newest stands for all.
        assert_eq!(workload.metadata.name.as_deref(), Some("web-bbbbb"));
        assert_eq!(
            workload.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second()),
            Some(9)
        );
        assert_eq!(workload.spec.node_name.as_deref(), Some("node2"));
        let mounts = workload.spec.containers[0].volume_mounts.as_deref().expect("mounts");
        assert_eq!(
            Some(&mounts[0].name),
            workload.spec.volumes.as_deref().map(|volumes| &volumes[0].name)
        );
    }
}
