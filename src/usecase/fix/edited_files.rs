//! The files of -f, with plans in them.

use std::sync::Arc;

use super::Fixed;
use crate::apply;
use crate::error::Error;
use crate::evidence::manifests::document::Document;
use crate::evidence::manifests::{Manifest, ManifestFile, source};
use crate::output::patch;

/// A file with the plans of its workloads in it.
pub struct Edited {
    pub text: String,
    /// The workloads that it changes, as `deployment/web`.
    pub names: Vec<String>,
    /// One for each document that stays as it is though a plan would change it.
    pub errors: Vec<Error>,
}

impl Edited {
    /// What changes, as `patch -p0` takes it.
    pub fn diff(&self, file: &ManifestFile) -> String {
        patch::diff((&file.name, &file.text), (&file.name, &self.text))
    }
}

/// Edits a file, a document at a time: what cannot be edited stays, and is told.
pub fn edited(file: &Arc<ManifestFile>, fixed: &[&Fixed]) -> Edited {
    let changed = fixed.iter().filter(|one| one.changes());
    let mut plans: Vec<(&Manifest, &Fixed)> = changed
        .filter_map(|one| Some((one.target.manifest.as_ref()?, *one)))
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
        let names: Vec<String> = of_document.iter().map(|(_, one)| one.target.name()).collect();
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
        one.target.put(&one.plan.object, place);
        if let Some(fields) = place.as_object_mut().filter(|_| manifest.is_unnamed) {
            fields.retain(|field, _| !["kind", "apiVersion"].contains(&field.as_str()));
        }
    }
    patch::manifest(text, &original, &planned, &read)
}

/// Whole files one after another, as one stream.
pub fn stream<'a>(texts: impl Iterator<Item = &'a str>) -> String {
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

/// Where a workload of a file was rendered from, and what to do there.
pub fn rendered(manifest: &Manifest) -> Option<String> {
    if manifest.file.is_rendered {
        return None;
    }
    let template = source::rendered_from(&manifest.file.text[manifest.part.clone()])?;
    Some(format!(
        "Helm rendered it from {template}: kubectl nonroot fix -f CHART -o values finds the values to set, and -o post-renderer prints what they do not reach"
    ))
}

/// Writes the plans of a file into it, but for those whose trial failed. Comes back with the
/// workloads that it changes.
///
/// # Errors
/// The file cannot be written, or is not the one to write to. What cannot be edited in it is no
/// error here.
pub fn write(file: &Arc<ManifestFile>, fixed: &[&Fixed]) -> Result<Vec<String>, Error> {
    let mut fixed = fixed.to_vec();
    fixed.retain(|one| !one.is_refuted());
    let Edited { text, names, .. } = edited(file, &fixed);
    let Some(path) = file.path.as_deref().filter(|_| !names.is_empty()) else {
        return Ok(Vec::new());
    };
    let changed = fixed.iter().filter(|one| names.contains(&one.target.name()));
    let manifests = changed.filter_map(|one| one.target.manifest.as_ref());
    if let Some(why) =
        manifests.filter(|manifest| Arc::ptr_eq(&manifest.file, file)).find_map(rendered)
    {
        return Err(Error::input(format!("write {}", file.name), why));
    }
    apply::replace(path, &file.text, &text)?;
    Ok(names)
}
