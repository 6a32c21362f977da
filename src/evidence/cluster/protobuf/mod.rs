//! The API's protobuf encoding, read for a scan: a third of JSON's bytes and a tenth of the time, of which only what a scan
//! needs is taken.
//!
//! An object is the magic number `k8s\0` and a `runtime.Unknown` around it (k8s.io/apimachinery,
//! pkg/runtime/serializer/protobuf). The messages are our own short ones: the whole API's would cost more to
//! compile than the rest of the tool, and more to decode.

mod convert;
mod envelope;
mod message;
mod volume;

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Status;
use kube::core::response::StatusDetails;
use prost::{DecodeError, Message as _};

use super::fold::{Controller, Declared, Seen, Template, replica_failure};
use super::watch::{Change, INITIAL_EVENTS_END};
use crate::model::workload::Failure;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What an object begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The object in its envelope; an answer without the envelope is none.
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
    let envelope::Status { message, reason, details, code } = envelope::Status::decode(unwrapped(body).ok()?).ok()?;
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
            is_initial_end: meta.annotations.get(INITIAL_EVENTS_END).is_some_and(|value| value == "true"),
        },
        "DELETED" => Change::Gone(item(raw)?),
        _ => Change::Put(item(raw)?),
    };
    Ok((change, meta.resource_version))
}

/// Reads a pod.
pub(super) fn pod(item: Bytes) -> Result<Seen, DecodeError> {
    let mut pod = message::Pod::decode(item)?;
    let status = pod.status.take();
    let template = Template::Protobuf(pod.encode_to_vec().into());
    Ok(Seen::new(Pod { status: status.map(Into::into), ..pod.into() }, template))
}

/// Reads a pod from protobuf, without an envelope: for tests and fuzzing.
///
/// # Errors
/// It is no protobuf, or a string in it no UTF-8.
pub fn parse_pod(item: Bytes) -> Result<Pod, DecodeError> {
    message::Pod::decode(item).map(Pod::from)
}

/// Reads back what [`Template::Protobuf`] holds.
pub(super) fn template(bytes: &[u8]) -> Pod {
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
    let template = template.map(|template| Template::Protobuf(template.encode_to_vec().into()));
    Controller { metadata, declared: template.map(|template| Declared { template, failures }) }
}
