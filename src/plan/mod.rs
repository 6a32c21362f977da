//! Chooses the identity and composes remedies into one consistent set of edits; pure.

mod compose;
mod identity;
mod owner;
mod ownership;
mod privilege;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Volume;
use serde_json::Value;

pub use self::compose::{FILL, compose, template_path};
pub use self::identity::{Known, candidates, of_image};
pub use self::owner::{Owner, owner};
pub use self::ownership::{Transfer, job, transfers};
pub use self::privilege::privileged;

use crate::model::edit::Edit;
use crate::model::identity::Candidate;
use crate::model::plan::Step;
use crate::model::volume;

/// The pod spec in an object with a pod template.
#[must_use]
pub fn pod_spec(object: &Value) -> Option<&Value> {
    template_path(object).iter().try_fold(object, |value, key| value.get(key))?.get("spec")
}

/// `deployment/web`.
#[must_use]
pub fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]))
}

/// The volume that a StatefulSet's claim template of this name becomes in its first pod.
#[must_use]
pub fn templated(object: &Value, name: &str) -> Option<Volume> {
    let templates = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    templates.into_iter().flatten().find(|claim| claim["metadata"]["name"] == name)?;
    Some(volume::templated(name, object["metadata"]["name"].as_str().unwrap_or_default()))
}

/// All edits of a plan: the identity of each container, and what its steps say. One identity for all containers is the
/// pod's; where they differ, the first is the pod's and each other has its own.
#[must_use]
pub fn edits(identities: &[(String, Candidate)], steps: &[Step]) -> Vec<Edit> {
    let different: BTreeSet<(u32, u32)> = identities.iter().map(|(_, one)| (one.uid, one.gid)).collect();
    let run_as = |container: Option<&String>, one: &Candidate| Edit::RunAs {
        container: container.cloned(),
        uid: one.uid,
        gid: one.gid,
    };
    let mut edits: Vec<Edit> = identities.first().map(|(_, one)| run_as(None, one)).into_iter().collect();
    if different.len() > 1 {
        edits.extend(identities.iter().skip(1).map(|(name, one)| run_as(Some(name), one)));
    }
    let groups = identities.iter().flat_map(|(_, one)| &one.groups);
    edits.extend(groups.map(|group| Edit::SupplementalGroup(*group)));
    let others = steps.iter().flat_map(|step| &step.edits).filter(|edit| !matches!(edit, Edit::RunAs { .. }));
    edits.extend(others.cloned());
    edits
}
