//! Where a file takes its objects from: a Helm chart, a kustomization.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ManifestFile, document::Document};

/// What a template of Helm's can refer to (helm.sh/docs/chart_template_guide/builtin_objects), and
/// the functions that no other Go template has.
const HELM: [&str; 10] = [
    ".Values",
    ".Release.",
    ".Chart.",
    ".Capabilities.",
    ".Files.",
    ".Template.",
    "include \"",
    "template \"",
    "define \"",
    "tpl ",
];

/// The names under which kustomize finds a kustomization.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The most fields of a chart's values that an advice names.
const MAX_NAMED: usize = 4;

/// A Helm chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    pub directory: PathBuf,
    /// Fields of its values that hold a security context, as `web.podSecurityContext`.
    pub contexts: Vec<String>,
}

impl Chart {
    /// What to do instead of editing a template, as the help of an error.
    #[must_use]
    pub fn advice(&self) -> String {
        let directory = self.directory.display();
        let set = match self.contexts.as_slice() {
            [] => "its values have no security context to set, so its templates must take one"
                .to_owned(),
            contexts => format!("set {} in its values", contexts.join(" and ")),
        };
        format!(
            "it is a template of the Helm chart {directory}: {set}; helm template {directory} | kubectl nonroot fix -f - plans for what it renders"
        )
    }
}

/// The chart whose template a file is: it is in the chart's `templates`.
#[must_use]
pub fn chart(file: &ManifestFile) -> Option<Chart> {
    let path = fs::canonicalize(file.path.as_deref()?).ok()?;
    let templates = path.ancestors().skip(1).find(|above| {
        above.file_name().is_some_and(|name| name == "templates")
            && above.parent().is_some_and(|chart| chart.join("Chart.yaml").is_file())
    })?;
    let directory = templates.parent()?;
    let values = fs::read_to_string(directory.join("values.yaml")).unwrap_or_default();
    let mut contexts = Vec::new();
    if let Ok(Some(document)) = Document::parse(&values) {
        security_contexts(&document.value, "", &mut contexts);
    }
    contexts.truncate(MAX_NAMED);
    Some(Chart { directory: as_named(file, directory), contexts })
}

/// A directory above a file as the user would name it.
fn as_named(file: &ManifestFile, directory: &Path) -> PathBuf {
    let above = file.path.iter().flat_map(|path| path.ancestors().skip(1));
    let mut named =
        above.map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    named
        .find(|above| fs::canonicalize(above).is_ok_and(|above| above == directory))
        .unwrap_or(directory)
        .to_owned()
}

/// Whether a file is a kustomization, which has no workloads of its own.
#[must_use]
pub fn is_kustomization(file: &ManifestFile) -> bool {
    let name = file.path.as_deref().and_then(Path::file_name);
    name.is_some_and(|name| KUSTOMIZATIONS.iter().any(|known| name == *known))
}

fn security_contexts(value: &Value, path: &str, found: &mut Vec<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if name.to_lowercase().ends_with("securitycontext") {
            found.push(path);
        } else {
            security_contexts(field, &path, found);
        }
    }
}

/// Whether a text has actions that only Helm understands.
#[must_use]
pub fn is_helm_template(text: &str) -> bool {
    let actions = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    actions.into_iter().any(|(action, _)| HELM.iter().any(|word| action.contains(word)))
}

/// The template that a document was rendered from: `helm template` writes it above each.
#[must_use]
pub fn rendered_from(text: &str) -> Option<&str> {
    let sources = text.lines().filter_map(|line| line.strip_prefix("# Source: "));
    sources.map(str::trim).find(|source| source.contains("/templates/"))
}

/// The kustomization, in a directory above, that takes a file for a patch and not for a resource.
#[must_use]
pub fn patched_by(file: &ManifestFile) -> Option<PathBuf> {
    let path = file.path.as_deref()?;
    let whole = fs::canonicalize(path).ok()?;
    whole.ancestors().skip(1).find_map(|above| {
        let kustomization =
            KUSTOMIZATIONS.iter().map(|name| above.join(name)).find(|path| path.is_file())?;
        let text = fs::read_to_string(&kustomization).ok()?;
        let value = Document::parse(&text).ok()??.value;
        let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
        let patches = [list("patches"), list("patchesJson6902")].concat();
        let paths =
            patches.iter().map(|patch| patch["path"].clone()).chain(list("patchesStrategicMerge"));
        let is_named = paths.into_iter().any(|named| {
            named.as_str().is_some_and(|named| {
                fs::canonicalize(above.join(named)).is_ok_and(|named| named == whole)
            })
        });
        let name = kustomization.file_name()?;
        is_named.then(|| as_named(file, above).join(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf) -> ManifestFile {
        ManifestFile {
            name: path.display().to_string(),
            text: fs::read_to_string(&path).unwrap_or_default(),
            path: Some(path),
            is_rendered: false,
        }
    }

    #[test]
    fn a_template_is_told_from_other_text_in_braces() {
        assert!(is_helm_template("image: \"{{ .Values.image }}\"\n"));
        assert!(is_helm_template("{{- include \"web.labels\" . | nindent 4 }}\n"));
        assert!(!is_helm_template(
            "summary: '{{ $labels.pod }} restarts'\nargs: ['{{inputs.parameters.x}}']\n# .Values\n"
        ));
        assert_eq!(
            rendered_from("# Source: web/templates/deploy.yaml\nkind: Pod\n"),
            Some("web/templates/deploy.yaml")
        );
        assert_eq!(rendered_from("# Source: my notes\n"), None);
    }

    #[test]
    fn a_chart_and_a_kustomization_are_found_from_their_files() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, text).expect("it can be written");
            file(path)
        };
        write("chart/Chart.yaml", "name: web\n");
        write(
            "chart/values.yaml",
            "podSecurityContext: {}\nweb:\n  securityContext: {}\n  image: x\n",
        );
        let template = write("chart/templates/web/deploy.yaml", "kind: Deployment\n");
        let found = chart(&template).expect("a chart");
        assert_eq!(found.contexts, ["podSecurityContext", "web.securityContext"]);
        assert_eq!(found.directory, root.path().join("chart"));
        assert_eq!(chart(&write("chart/ci/pod.yaml", "")), None);
        write(
            "base/kustomization.yaml",
            "resources: [deploy.yaml]\npatches: [{path: more/env.yaml}, {patch: x}]\npatchesStrategicMerge: [a.yaml]\n",
        );
        assert_eq!(patched_by(&write("base/deploy.yaml", "")), None);
        for patch in ["base/more/env.yaml", "base/a.yaml"] {
            let by = patched_by(&write(patch, "")).expect("a kustomization");
            assert!(by.ends_with("base/kustomization.yaml"), "{by:?}");
        }
    }
}
