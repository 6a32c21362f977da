//! Chooses the identity and composes remedies into one consistent set of edits; pure.

mod as_root;
mod chown_job;
mod compose;
mod demand;
mod edit;
mod fields;
mod identity;
mod managed_by;
mod privilege;
mod user;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Volume;
use serde_json::Value;

pub use self::as_root::as_root;
pub use self::chown_job::{Transfer, job, transfers};
pub use self::compose::{compose, template_path};
pub use self::edit::FILL;
pub use self::identity::{Known, assigned, candidates, of_image};
pub use self::managed_by::{Owner, owner, release};
pub use self::privilege::{privileged, retained, retained_capabilities, windows};
pub use self::user::{run_as, run_as_non_root};

use crate::model::edit::Edit;
use crate::model::identity::Candidate;
use crate::model::plan::Step;
use crate::model::podsecurity::Level;
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

/// All edits of a plan: the user of each container that is to have another one, and what its steps
/// say. One user for all containers is the pod's. Where they differ, the first is the pod's and
/// each other has its own; unless a container keeps its own without saying so in full, which the
/// pod's would change: then each that changes has its own.
#[must_use]
pub fn edits(
    object: &Value,
    level: Level,
    identities: &[(String, Candidate)],
    steps: &[Step],
) -> Vec<Edit> {
    let (set, kept): (Vec<_>, Vec<_>) =
        identities.iter().partition(|(_, one)| one.assignment.is_written());
    let run_as = |container: Option<&String>, one: &Candidate| Edit::RunAs {
        container: container.cloned(),
        uid: one.uid,
        gid: one.gid,
    };
    let is_open = |name: &str| {
        let context = pod_spec(object)
            .and_then(|spec| container(spec, name))
            .map(|one| &one["securityContext"]);
        context
            .is_none_or(|context| context["runAsUser"].is_null() || context["runAsGroup"].is_null())
    };
    let mut edits = Vec::new();
    // Only the restricted level asks who is no root already to promise it.
    if !set.is_empty() || level == Level::Restricted && !identities.is_empty() {
        edits.push(Edit::NonRoot);
    }
    if kept.iter().any(|(name, _)| is_open(name)) {
        edits.extend(set.iter().map(|(name, one)| run_as(Some(name), one)));
    } else {
        let different: BTreeSet<(u32, u32)> =
            set.iter().map(|(_, one)| (one.uid, one.gid)).collect();
        edits.extend(set.first().map(|(_, one)| run_as(None, one)));
        if different.len() > 1 {
            edits.extend(set.iter().skip(1).map(|(name, one)| run_as(Some(name), one)));
        }
    }
    let groups = set.iter().flat_map(|(_, one)| &one.groups);
    edits.extend(groups.map(|group| Edit::SupplementalGroup(*group)));
    let others = steps
        .iter()
        .flat_map(|step| &step.edits)
        .filter(|edit| !matches!(edit, Edit::RunAs { .. }));
    edits.extend(others.cloned());
    edits
}

/// A container of a pod spec, of either list, by its name.
fn container<'s>(spec: &'s Value, name: &str) -> Option<&'s Value> {
    let lists =
        ["containers", "initContainers"].into_iter().filter_map(|list| spec[list].as_array());
    lists.flatten().find(|one| one["name"] == name)
}

/// Whether a container gives up all capabilities already, and cannot get one back.
#[must_use]
pub fn drops_all(object: &Value, name: &str) -> bool {
    let context =
        pod_spec(object).and_then(|spec| container(spec, name)).map(|one| &one["securityContext"]);
    context.is_some_and(|context| {
        let drops = context.pointer("/capabilities/drop").and_then(Value::as_array);
        drops.is_some_and(|drops| drops.iter().any(|one| one == "ALL"))
            && context["allowPrivilegeEscalation"] == false
    })
}
