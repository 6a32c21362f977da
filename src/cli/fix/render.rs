//! Plans and proofs in the format that was asked for.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{explain, json, say, width, yaml as as_yaml};
use super::Fixed;
use super::arguments::{FixArgs, Format};
use super::file::{self, Edited};
use super::planning::transfers;
use crate::error::Error;
use crate::evidence::manifests::ManifestFile;
use crate::model::obstacle::Obstacle;
use crate::output::fix as report;
use crate::output::html;
use crate::output::patch;
use crate::output::terminal::Clean;
use crate::plan::{self, Owner};

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
            [one] => json(&fix(one)),
            several => {
                let items: Vec<report::Fix> = several.iter().map(fix).collect();
                json(
                    &json!({"apiVersion": crate::output::API_VERSION, "kind": "FixList", "items": items}),
                )
            }
        },
        Format::Html => html::fixes(&fixed.iter().map(fix).collect::<Vec<_>>()),
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
            for one in fixed.iter().filter(|one| {
                !one.subject.before()["metadata"]["name"].is_string() && one.changes()
            }) {
                let name = one.subject.name();
                say(format_args!(
                    "warning: {name}: kustomize finds an object by its name, and this has none: it is left out"
                ));
            }
            as_yaml(&patch::kustomize(&objects(fixed))?)
        }
        Format::Yaml if fixed.is_empty() => {
            Ok(file::stream(files.iter().map(|file| file.text.as_str())))
        }
        Format::Yaml if !files.is_empty() => {
            Ok(file::stream(edited.iter().map(|edited| edited.text.as_str())))
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
            let parts = fixed.iter().map(|one| Ok(report::markdown(&fix(one), &diff(one)?)));
            parts.collect::<Result<Vec<_>, Error>>().map(|parts| parts.join("\n"))
        }
        Format::OwnershipJob => ownership_jobs(fixed),
        Format::Text => {
            let parts = fixed.iter().map(|one| {
                let title = if fixed.len() > 1 {
                    format!("{}\n", one.subject.name())
                } else {
                    String::new()
                };
                Ok(title + &report::text(&fix(one), &diff(one)?, width()))
            });
            parts.collect::<Result<Vec<_>, Error>>().map(|parts| parts.join("\n"))
        }
    }
}

/// Each object before and after, with the plans of all its pods.
fn objects(fixed: &[Fixed]) -> Vec<(Value, Value)> {
    let is_same =
        |one: &Fixed, other: &Fixed| match (&one.subject.manifest, &other.subject.manifest) {
            (Some(one), Some(other)) => {
                Arc::ptr_eq(&one.file, &other.file)
                    && (&one.part, one.item) == (&other.part, other.item)
            }
            _ => false,
        };
    let mut objects = Vec::new();
    for of_one in fixed.chunk_by(is_same) {
        let before = of_one[0].subject.before().clone();
        let mut after = before.clone();
        of_one.iter().for_each(|one| one.subject.put(&one.plan.object, &mut after));
        objects.push((before, after));
    }
    objects
}

/// A Job for each claim, with what to know before it is run; nothing where no root wrote on a
/// claim.
fn ownership_jobs(fixed: &[Fixed]) -> Result<String, Error> {
    let mut jobs = Vec::new();
    for one in fixed {
        let name = one.subject.name();
        for transfer in transfers(&one.subject, &one.plan) {
            let job = as_yaml(&plan::job(&one.subject.object, &transfer))?;
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
        say(format_args!("No claim is known that root wrote."));
    }
    Ok(jobs.join("---\n"))
}

/// Whole objects.
pub(super) fn yaml(fixed: &[Fixed]) -> Result<String, Error> {
    let objects = objects(fixed).into_iter().map(|(_, after)| as_yaml(&report::applicable(&after)));
    Ok(objects.collect::<Result<Vec<_>, _>>()?.join("---\n"))
}

/// What changes in its file, or where the file cannot be edited and in a cluster, in the object.
pub(super) fn diff(one: &Fixed) -> Result<String, Error> {
    if let Some(file) = one.subject.manifest.as_ref().map(|manifest| &manifest.file) {
        let edited = file::edited(file, &[one]);
        if edited.errors.is_empty() {
            return Ok(edited.diff(file));
        }
    }
    let text = |object: &Value| as_yaml(&report::applicable(object));
    let name = Clean(&one.subject.name()).to_string();
    let (before, after) = report::discreet(one.subject.before(), &one.after());
    let (before, after) = (text(&before)?, text(&after)?);
    Ok(patch::diff((&name, &before), (&format!("{name} (nonroot)"), &after)))
}

pub(super) fn fix(one: &Fixed) -> report::Fix {
    let explained =
        |obstacles: &[Obstacle]| obstacles.iter().cloned().map(explain::explained).collect();
    let proof = one.proof.as_ref().map(|proof| report::Proof {
        ready: proof.ready,
        rounds: proof
            .rounds
            .iter()
            .map(|round| report::Round {
                obstacles: explained(&round.obstacles),
                added: round.added.clone(),
                seconds: round.seconds,
            })
            .collect(),
        seconds: proof.seconds,
        remaining: explained(&proof.remaining),
    });
    let mut warnings = warnings(one);
    if let Some(manifest) = &one.subject.manifest {
        warnings
            .extend(file::edited(&manifest.file, &[one]).errors.iter().map(ToString::to_string));
    }
    let mut fix = report::Fix::new(
        one.subject.before(),
        &one.after(),
        &one.plan,
        one.is_admitted,
        proof,
        warnings,
    );
    if let Some(manifest) = &one.subject.manifest {
        fix.workload.name = json!(manifest.workload.name);
    }
    fix
}

/// What a reader should know beside the plan.
pub(super) fn warnings(one: &Fixed) -> Vec<String> {
    let owner = one.owner.as_ref().map(|Owner { who, advice }| {
        format!("it belongs to {who}, which would take the change back: {advice}")
    });
    let of_kind = one.subject.left_out(&one.plan.object);
    let notes = one.subject.notes.iter().cloned();
    notes.chain(one.warnings.iter().cloned()).chain(of_kind).chain(owner).collect()
}
