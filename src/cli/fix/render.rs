//! Plans and proofs in the format that was asked for.

use std::sync::Arc;

use k8s_openapi::jiff::ToSpan as _;
use serde_json::{Value, json};

use super::super::{json, say, width, yaml as as_yaml};
use super::arguments::{FixArgs, Format};
use crate::error::Error;
use crate::evidence::manifests::ManifestFile;
use crate::model::gitops::gitops;
use crate::output::fix as report;
use crate::output::html;
use crate::output::patch;
use crate::output::terminal::Clean;
use crate::plan;
use crate::usecase::acceptance::today;
use crate::usecase::fix::edited_files::{self, Edited};
use crate::usecase::fix::planning::transfers;
use crate::usecase::fix::{Fixed, objects};

/// Every fix in the format asked for: YAML documents one after another, JSON as a list where there
/// are several. Of files, YAML and the diff are those of the files.
pub(super) fn rendered(
    fixed: &[Fixed],
    files: &[Arc<ManifestFile>],
    edited: &[Edited],
    args: &FixArgs,
) -> Result<String, Error> {
    let format = args.output.unwrap_or(Format::Text);
    match format {
        Format::Json => match fixed {
            [one] => json(&one.report()),
            several => {
                let items: Vec<report::Fix> = several.iter().map(Fixed::report).collect();
                json(
                    &json!({"apiVersion": crate::output::API_VERSION, "kind": "FixList", "items": items}),
                )
            }
        },
        Format::Html => html::fixes(&fixed.iter().map(Fixed::report).collect::<Vec<_>>()),
        Format::Json6902 => match objects(fixed).as_slice() {
            [(before, after)] => json(&patch::json6902(before, after)),
            several => {
                let patches = several
                    .iter()
                    .map(|(before, after)| (before, "json", patch::json6902(before, after)));
                json(&patch::list(patches))
            }
        },
        Format::Kustomize => {
            for one in fixed
                .iter()
                .filter(|one| !one.target.before()["metadata"]["name"].is_string() && one.changes())
            {
                let name = one.target.name();
                say(format_args!(
                    "warning: {name}: kustomize finds an object by its name, and this object has none: it is left out"
                ));
            }
            as_yaml(&patch::kustomize(&objects(fixed))?)
        }
        Format::Gitops => {
            for one in fixed.iter().filter(|one| one.changes()) {
                if gitops(one.target.before()).is_none() {
                    say(format_args!(
                        "warning: {}: its labels and annotations name no object of Flux or Argo CD: it is left out",
                        Clean(&one.target.name())
                    ));
                }
            }
            patch::gitops_objects(&objects(fixed))
        }
        Format::Policy => policies(fixed),
        // A chart prints these, and there is nothing to change without one.
        Format::Values | Format::PostRenderer => Ok(String::new()),
        Format::Yaml if fixed.is_empty() => {
            Ok(edited_files::stream(files.iter().map(|file| file.text.as_str())))
        }
        Format::Yaml if !files.is_empty() => {
            Ok(edited_files::stream(edited.iter().map(|edited| edited.text.as_str())))
        }
        Format::Diff if !files.is_empty() => {
            Ok(files.iter().zip(edited).map(|(file, edited)| edited.diff(file)).collect())
        }
        Format::Yaml => yaml(fixed),
        Format::Patch => match objects(fixed).as_slice() {
            [(before, after)] => as_yaml(&patch::kubectl(before, after).1),
            several => {
                let patches = several.iter().map(|(before, after)| {
                    let (kind, patch) = patch::kubectl(before, after);
                    (before, kind, patch)
                });
                as_yaml(&patch::list(patches))
            }
        },
        Format::Diff => {
            fixed.iter().map(diff).collect::<Result<Vec<_>, _>>().map(|diffs| diffs.concat())
        }
        Format::Markdown => {
            let parts = fixed.iter().map(|one| Ok(report::markdown(&one.report(), &diff(one)?)));
            parts.collect::<Result<Vec<_>, Error>>().map(|parts| parts.join("\n"))
        }
        Format::OwnershipJob => ownership_jobs(fixed),
        Format::Text => {
            let parts = fixed.iter().map(|one| {
                let title = if fixed.len() > 1 {
                    format!("{}\n", one.target.name())
                } else {
                    String::new()
                };
                Ok(title + &report::text(&one.report(), &diff(one)?, width()))
            });
            parts.collect::<Result<Vec<_>, Error>>().map(|parts| parts.join("\n"))
        }
    }
}

/// A Job for each claim on which root wrote, with what to know before it runs.
fn ownership_jobs(fixed: &[Fixed]) -> Result<String, Error> {
    let mut jobs = Vec::new();
    for one in fixed {
        let name = one.target.name();
        for transfer in transfers(&one.target, &one.plan) {
            let job = as_yaml(&plan::job(&one.target.object, &transfer))?;
            let plan::Transfer { claim, uid, gid, .. } = &transfer;
            let lines = [
                format!(
                    "Gives every file of claim {claim} to {uid}:{gid}. It runs as root: the namespace must not enforce restricted."
                ),
                format!("Run it once, while {name} has no pods, and then apply the plan of kubectl nonroot fix."),
                "An NFS server that squashes root refuses it: then only the server can change the owner.".to_owned(),
            ];
            let comment: String = lines.iter().map(|line| format!("# {}\n", Clean(line))).collect();
            jobs.push(comment + &job);
        }
    }
    if jobs.is_empty() {
        say(format_args!("No claim is known on which root wrote."));
    }
    Ok(jobs.join("---\n"))
}

/// A policy on the pods of each workload that changes.
fn policies(fixed: &[Fixed]) -> Result<String, Error> {
    let changes = fixed.iter().filter(|one| one.changes()).map(|one| {
        let template = |object: &Value| {
            let path = plan::template_path(object);
            path.iter().try_fold(object, |value, key| value.get(key)).cloned().unwrap_or_default()
        };
        let mut object = one.target.before().clone();
        object["metadata"]["namespace"] = json!(one.target.namespace);
        let (before, after) = (template(&object), template(&one.after()));
        patch::TemplateChange { object, before, after }
    });
    let changes: Vec<patch::TemplateChange> = changes.collect();
    let review = today().saturating_add(REVIEW.days()).to_string();
    let policies = patch::admission_policies(&changes, &review)?;
    for (workload, why) in policies.left_out {
        say(format_args!("warning: {}: no policy can change it: {why}", Clean(&workload)));
    }
    Ok(policies.documents)
}

/// After how many days somebody should look whether a policy is still needed.
const REVIEW: i32 = 90;

/// Whole objects.
pub(super) fn yaml(fixed: &[Fixed]) -> Result<String, Error> {
    let objects = objects(fixed).into_iter().map(|(_, after)| as_yaml(&report::applicable(&after)));
    Ok(objects.collect::<Result<Vec<_>, _>>()?.join("---\n"))
}

/// What changes in its file, or where the file cannot be edited and in a cluster, in the object.
pub(super) fn diff(one: &Fixed) -> Result<String, Error> {
    if let Some(file) = one.target.manifest.as_ref().map(|manifest| &manifest.file) {
        let edited = edited_files::edited(file, &[one]);
        if edited.errors.is_empty() {
            return Ok(edited.diff(file));
        }
    }
    let text = |object: &Value| as_yaml(&report::applicable(object));
    let name = Clean(&one.target.name()).to_string();
    let (before, after) = report::discreet(one.target.before(), &one.after());
    let (before, after) = (text(&before)?, text(&after)?);
    Ok(patch::diff((&name, &before), (&format!("{name} (nonroot)"), &after)))
}
