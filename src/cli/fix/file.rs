//! The files of -f, with plans in them.

use std::path::Path;
use std::sync::Arc;

use super::{Fault, FixArgs, Fixed, say};
use crate::apply;
use crate::error::Error;
use crate::evidence::manifests::document::Document;
use crate::evidence::manifests::{Manifest, ManifestFile, source};
use crate::output::patch;

/// A file with the plans of its workloads in it.
pub(super) struct Edited {
    pub(super) text: String,
    /// The workloads that it changes, as `deployment/web`.
    pub(super) names: Vec<String>,
    /// One for each document that stays as it is though a plan would change it.
    pub(super) errors: Vec<Error>,
}

impl Edited {
    /// What changes, as `patch -p0` takes it.
    pub(super) fn diff(&self, file: &ManifestFile) -> String {
        patch::diff((&file.name, &file.text), (&file.name, &self.text))
    }
}

/// Edits a file, a document at a time: what cannot be edited stays, and is told.
pub(super) fn edited(file: &Arc<ManifestFile>, fixed: &[&Fixed]) -> Edited {
    let changed = fixed.iter().filter(|one| one.changes());
    let mut plans: Vec<(&Manifest, &Fixed)> = changed
        .filter_map(|one| Some((one.subject.manifest.as_ref()?, *one)))
        .filter(|(manifest, _)| Arc::ptr_eq(&manifest.file, file))
        .collect();
    plans.sort_by_key(|(manifest, _)| manifest.part.start);
    let mut edited = Edited {
        text: String::with_capacity(file.text.len()),
        names: Vec::new(),
        errors: Vec::new(),
    };
    let mut done = 0;
    for of_document in plans.chunk_by(|(one, _), (other, _)| one.part == other.part) {
        let part = of_document[0].0.part.clone();
        edited.text.push_str(&file.text[done..part.start]);
        let names: Vec<String> = of_document.iter().map(|(_, one)| one.subject.name()).collect();
        match document(&file.text[part.clone()], of_document) {
            Ok(text) => {
                edited.text.push_str(&text);
                edited.names.extend(names);
            }
            Err(patch::Unfit { at, why }) => {
                let line = 1 + file.text[..part.start + at].matches('\n').count();
                let error = Error::input(
                    format!("edit {} in {}:{line}", names.join(" and "), file.name),
                    why,
                );
                edited
                    .errors
                    .push(error.help("-o patch prints the change as a patch for kubectl patch"));
                edited.text.push_str(&file.text[part.clone()]);
            }
        }
        done = part.end;
    }
    edited.text.push_str(&file.text[done..]);
    edited
}

/// The text of one document with the plans of all its workloads.
fn document(text: &str, plans: &[(&Manifest, &Fixed)]) -> Result<String, patch::Unfit> {
    let read = |text: &str| Document::parse(text).ok().flatten().map(|document| document.value);
    let original = read(text).unwrap_or_default();
    let mut planned = original.clone();
    for (manifest, one) in plans {
        let place = match manifest.item {
            Some(item) => planned.get_mut("items").and_then(|items| items.get_mut(item)),
            None => Some(&mut planned),
        };
        let Some(place) = place else { continue };
        one.subject.put(&one.plan.object, place);
        if let Some(fields) = place.as_object_mut().filter(|_| manifest.is_unnamed) {
            fields.retain(|field, _| !["kind", "apiVersion"].contains(&field.as_str()));
        }
    }
    patch::manifest(text, &original, &planned, &read)
}

/// Whole files one after another, as one stream.
pub(super) fn stream<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for text in texts {
        if !out.is_empty() {
            if !out.ends_with('\n') {
                out.push('\n');
            }
            if !text.starts_with("---") {
                out.push_str("---\n");
            }
        }
        out.push_str(if out.is_empty() { text } else { text.trim_start_matches('\u{feff}') });
    }
    out
}

/// Why a workload of a file is no place for a plan.
pub(super) fn refused(manifest: &Manifest) -> Option<Error> {
    let Manifest { file, part, workload, .. } = manifest;
    let text = &file.text[part.clone()];
    let attempted =
        || format!("fix {}/{} in {}", workload.kind.to_lowercase(), workload.name, file.name);
    if text.contains("{{") {
        if let Some(chart) = source::chart(file) {
            return Some(Error::input(attempted(), chart.advice()));
        }
        if source::is_helm_template(text) {
            let error = Error::input(attempted(), "it is a template of Helm's");
            return Some(
                error.help(
                    "set its values, or plan for what it renders: helm template CHART | kubectl nonroot fix -f -",
                ),
            );
        }
    }
    // A directive of a strategic merge patch (kubernetes/community,
    // sig-api-machinery/strategic-merge-patch.md).
    if text.contains("$patch:") {
        let error =
            Error::input(attempted(), "it is a strategic merge patch ($patch) and no whole object");
        return Some(error.help("fix the resource that it changes, or what comes of it"));
    }
    let kustomization = source::patched_by(file)?;
    let directory = kustomization.parent().unwrap_or(Path::new(".")).display().to_string();
    let why = format!("it is a patch of {} and no whole object", kustomization.display());
    let help = format!(
        "fix the resource that it changes, or what comes of it: kubectl kustomize {directory} | kubectl nonroot fix -f - -o kustomize"
    );
    Some(Error::input(attempted(), why).help(help))
}

/// Where a workload of a file was rendered from, and what to do there.
pub(super) fn rendered(manifest: &Manifest) -> Option<String> {
    let template = source::rendered_from(&manifest.file.text[manifest.part.clone()])?;
    Some(format!(
        "Helm rendered it from {template}: set podSecurityContext and securityContext in the chart's values, or use the patch as a post-renderer"
    ))
}

/// Says that nothing can be written to standard input, before anything else is done.
pub(super) fn check(args: &FixArgs) -> Result<(), Fault> {
    if args.write && args.selection.filename.iter().any(|name| name == "-") {
        let error = Error::input("write to standard input", "it is no file");
        return Err(error
            .help("-o yaml prints the result, -o kustomize a patch for what it was rendered from")
            .into());
    }
    Ok(())
}

/// Writes the plans of a file into it, and says so.
///
/// # Errors
/// It cannot be written, or it is not what to write to. What cannot be edited in it is no error
/// here.
pub(super) fn write(file: &Arc<ManifestFile>, fixed: &[&Fixed]) -> Result<(), Error> {
    let mut fixed = fixed.to_vec();
    fixed.retain(|one| {
        let works = one.proof.as_ref().is_none_or(|proof| proof.ready);
        if !works {
            say(format_args!("{} is not written: its trial did not work.", one.subject.name()));
        }
        works
    });
    let Edited { text, names, .. } = edited(file, &fixed);
    let Some(path) = file.path.as_deref().filter(|_| !names.is_empty()) else { return Ok(()) };
    let changed = fixed.iter().filter(|one| names.contains(&one.subject.name()));
    let manifests = changed.filter_map(|one| one.subject.manifest.as_ref());
    if let Some(why) =
        manifests.filter(|manifest| Arc::ptr_eq(&manifest.file, file)).find_map(rendered)
    {
        return Err(Error::input(format!("write {}", file.name), why));
    }
    apply::replace(path, &file.text, &text)?;
    say(format_args!("{}: written ({}).", file.name, names.join(", ")));
    Ok(())
}
