//! Manifests: workloads in files, directories and streams, each with its file and line.

mod parallel;
pub mod source;

use std::fs;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{PodTemplateSpec, Volume};
pub use nonroot_document as document;
use serde::Deserialize as _;
use serde_json::{Value, json};

use self::document::{Document, Lines};
use crate::error::{Error, Partial};
use crate::evidence::pods;
use crate::model::template::{self, Pod};
use crate::model::workload::{Location, Unjudged, Workload};
use crate::model::{defaults, misplaced, volume};

/// The most bytes that one manifest may have. A dump of a whole cluster's objects stays below it; a
/// device or an endless pipe does not.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// The endings that `kubectl -f DIRECTORY` reads (k8s.io/cli-runtime, pkg/resource/builder.go,
/// FileExtensions).
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// The most fields of a pod in another kind that are left out of account: where more cannot be
/// read, it is no pod.
const MAX_UNREADABLE: usize = 16;

/// The name of standard input in `-f` and in reports.
const STDIN: &str = "-";

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// As the user named it, or `stdin`.
    pub name: String,
    /// `None` for standard input.
    pub path: Option<PathBuf>,
    pub text: String,
    /// It is what a chart was rendered to, and no file.
    pub is_rendered: bool,
}

impl ManifestFile {
    /// The text without a byte order mark.
    fn body(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }
}

/// A workload of a manifest, and the lines of its pod template.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub file: Arc<ManifestFile>,
    /// The bytes of the file that are its document.
    pub part: Range<usize>,
    /// Which item of the document it is, if that is a list.
    pub item: Option<usize>,
    pub workload: Workload,
    /// The whole object, with the fields that our types do not know.
    pub object: Arc<Value>,
    lines: Arc<Lines>,
    /// The line before the document's first.
    offset: u64,
    /// Where the pod stands in the object.
    pub pod: Pod,
    /// The item has neither kind nor apiVersion in the file, but those of its list.
    pub is_unnamed: bool,
}

impl Manifest {
    /// The line in the file of a field of the object, or of its nearest ancestor.
    #[must_use]
    pub fn line_of(&self, path: &str) -> u64 {
        self.offset + self.lines.of(path)
    }

    /// The line in the file of a field of the pod template, as `spec.containers[0].image`, or of
    /// its nearest ancestor.
    #[must_use]
    pub fn line(&self, field: &str) -> u64 {
        self.offset + self.lines.of(&self.pod.place(field))
    }
}

/// What files hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestContents<T> {
    pub workloads: Vec<T>,
    /// Objects that make pods of which they do not say enough.
    pub unjudged: Vec<Unjudged>,
    /// What is not as its writer meant it, though it can be read.
    pub notes: Vec<String>,
}

/// What comes of a document.
enum Outcome<T> {
    Workload(T),
    Unjudged(Unjudged),
    Note(String),
    Failed(Error),
}

/// Reads the workloads of files, directories and standard input (`-`), in that order, and what
/// `make` makes of each on whatever thread; what cannot be read is an error, and the rest is still
/// read.
pub fn read<T: Send>(
    paths: &[String],
    recursive: bool,
    make: impl Fn(Manifest) -> T + Sync,
) -> Partial<ManifestContents<T>> {
    let Partial { value: files, mut errors } = files(paths, recursive);
    let files: Vec<Arc<ManifestFile>> = files.into_iter().map(Arc::new).collect();
    let Partial { value, errors: broken } = workloads(&files, make);
    errors.extend(broken);
    Partial { value, errors }
}

/// Reads files, directories and standard input (`-`), in that order.
pub fn files(paths: &[String], recursive: bool) -> Partial<Vec<ManifestFile>> {
    let mut sources = Vec::new();
    for path in paths {
        if path == STDIN {
            sources.push(Ok(None));
        } else if path.starts_with("http://") || path.starts_with("https://") {
            let help = format!("pipe it in: curl -fsSL {path} | kubectl nonroot scan -f -");
            sources
                .push(Err(Error::input(format!("read {path}"), "URLs are not fetched").help(help)));
        } else {
            match named(Path::new(path), recursive) {
                Ok(found) if found.is_empty() => {
                    let why = "the directory holds no .yaml, .yml or .json file";
                    let error = Error::input(format!("read {path}"), why);
                    sources.push(Err(if recursive {
                        error
                    } else {
                        error.help("-R descends into its directories")
                    }));
                }
                Ok(found) => sources.extend(found.into_iter().map(|path| Ok(Some(path)))),
                Err(error) => sources.push(Err(error)),
            }
        }
    }
    Partial::of(parallel::each(&sources, |source| match source {
        Ok(None) => text(io::stdin().lock(), "standard input").map(|text| ManifestFile {
            name: "stdin".to_owned(),
            path: None,
            text,
            is_rendered: false,
        }),
        Ok(Some(path)) => {
            let name = path.display().to_string();
            open(path, &name).map(|text| ManifestFile {
                name,
                path: Some(path.clone()),
                text,
                is_rendered: false,
            })
        }
        Err(error) => Err(error.clone()),
    }))
}

/// The files that a path of `-f` stands for, sorted: itself, or what a directory holds.
fn named(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, Error> {
    let fail = |error: io::Error| Error::input(format!("read {}", path.display()), error);
    if !fs::metadata(path).map_err(fail)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(fail)?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        // A link to a directory is not followed: it may lead back up.
        let kind = fs::symlink_metadata(&entry).map_err(fail)?.file_type();
        if kind.is_dir() {
            if recursive {
                found.extend(named(&entry, true)?);
            }
        } else if entry
            .extension()
            .is_some_and(|ending| EXTENSIONS.iter().any(|known| ending == *known))
        {
            found.push(entry);
        }
    }
    Ok(found)
}

fn open(path: &Path, name: &str) -> Result<String, Error> {
    text(fs::File::open(path).map_err(|error| Error::input(format!("read {name}"), error))?, name)
}

fn text(reader: impl io::Read, name: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    let size = read.map_err(|error| Error::input(format!("read {name}"), error))? as u64;
    if size > MAX_FILE_BYTES {
        let why = format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(Error::input(format!("read {name}"), why).help("split it"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::input(format!("read {name}"), format!("line {line} is not UTF-8 text"))
    })
}

/// Reads every document of files; one that is broken costs nothing but itself.
pub fn workloads<T: Send>(
    files: &[Arc<ManifestFile>],
    make: impl Fn(Manifest) -> T + Sync,
) -> Partial<ManifestContents<T>> {
    let files = files.iter().filter(|file| !source::is_kustomization(file));
    let parts: Vec<_> =
        files.flat_map(|file| split(file.body()).map(move |part| (file, part))).collect();
    let read = parallel::each(&parts, |(file, part)| {
        let mut read = Vec::new();
        let mut take = |outcome: Outcome<Manifest>| {
            read.push(match outcome {
                Outcome::Workload(manifest) => Outcome::Workload(make(manifest)),
                Outcome::Unjudged(unjudged) => Outcome::Unjudged(unjudged),
                Outcome::Note(note) => Outcome::Note(note),
                Outcome::Failed(error) => Outcome::Failed(error),
            });
        };
        json_values(*part).into_iter().for_each(|part| documents(file, part, &mut take));
        read
    });
    let mut found =
        ManifestContents { workloads: Vec::new(), unjudged: Vec::new(), notes: Vec::new() };
    let mut errors = Vec::new();
    for outcome in read.into_iter().flatten() {
        match outcome {
            Outcome::Workload(workload) => found.workloads.push(workload),
            Outcome::Unjudged(unjudged) => found.unjudged.push(unjudged),
            Outcome::Note(note) => found.notes.push(note),
            Outcome::Failed(error) => errors.push(error),
        }
    }
    Partial { value: found, errors }
}

/// The objects of a text, those of its lists each by itself.
///
/// # Errors
/// The first document that cannot be read, by its line.
pub fn objects(text: &str) -> Result<Vec<Value>, document::Malformed> {
    let mut found = Vec::new();
    for part in split(text).flat_map(json_values) {
        let document = Document::parse(part.text).map_err(|malformed| document::Malformed {
            line: part.line + malformed.line,
            ..malformed
        })?;
        let items = document.into_iter().flat_map(Document::items);
        found.extend(items.map(|item| item.value));
    }
    Ok(found)
}

/// Reads one document, which may be a list of objects.
fn documents(file: &Arc<ManifestFile>, part: Part<'_>, take: &mut dyn FnMut(Outcome<Manifest>)) {
    let Part { line: offset, start, text } = part;
    let document = match Document::parse(text) {
        Ok(None) => return,
        Ok(Some(document)) => document,
        Err(malformed) => {
            let error = Error::input(
                format!("read {}:{}", file.name, offset + malformed.line),
                malformed.why,
            );
            take(Outcome::Failed(match source::chart(file) {
                _ if !text.contains("{{") => error,
                Some(chart) => error.help(chart.advice()),
                None => error.help(
                    "it looks like a template: helm template CHART | kubectl nonroot scan -f -",
                ),
            }));
            return;
        }
    };
    let start = file.text.len() - file.body().len() + start;
    let is_list = document.is_list();
    let is_named = |item: &Value| item.get("kind").is_some() || item.get("apiVersion").is_some();
    let items = document.value["items"].as_array().filter(|_| is_list);
    let unnamed: Vec<bool> = items.into_iter().flatten().map(|item| !is_named(item)).collect();
    for (number, item) in document.items().into_iter().enumerate() {
        for document::Repeated { key, line, before } in &item.repeated {
            take(Outcome::Note(format!(
                "{}:{}: {key} is there twice in one map, and the last one counts: line {} is ignored",
                file.name,
                offset + line,
                offset + before
            )));
        }
        let is_unnamed = unnamed.get(number).copied().unwrap_or(false);
        let item_number = is_list.then_some(number);
        let place =
            Place { file, part: start..start + text.len(), item: item_number, offset, is_unnamed };
        object(item, &place, take);
    }
}

/// Where a document or an item of one stands.
struct Place<'a> {
    file: &'a Arc<ManifestFile>,
    part: Range<usize>,
    item: Option<usize>,
    offset: u64,
    is_unnamed: bool,
}

/// A part of a text: the lines and the bytes before it.
#[derive(Clone, Copy)]
struct Part<'a> {
    line: u64,
    start: usize,
    text: &'a str,
}

/// Splits a stream at its `---` lines as kubectl does, before any YAML is understood
/// (k8s.io/apimachinery, pkg/util/yaml/decoder.go, YAMLReader).
fn split(text: &str) -> impl Iterator<Item = Part<'_>> {
    let (mut next, mut line, mut start) = (Some(0), 0, 0);
    std::iter::from_fn(move || {
        let begin = next?;
        let first = line;
        for full in text[begin..].split_inclusive('\n') {
            line += 1;
            let end = start;
            start += full.len();
            if full.strip_prefix("---").is_some_and(|after| after.trim().is_empty()) {
                next = Some(start);
                return Some(Part { line: first, start: begin, text: &text[begin..end] });
            }
        }
        next = None;
        Some(Part { line: first, start: begin, text: &text[begin..] })
    })
}

/// Splits a part that holds JSON values one after another, as `jq -c '.items[]'` prints them; any
/// other part is whole.
fn json_values(part: Part<'_>) -> Vec<Part<'_>> {
    let Part { line, start, text } = part;
    if !text.trim_start().starts_with('{') {
        return vec![part];
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut parts, mut done, mut lines) = (Vec::new(), 0, line);
    while let Some(Ok(_)) = values.next() {
        let end = values.byte_offset();
        parts.push(Part { line: lines, start: start + done, text: &text[done..end] });
        lines += text[done..end].bytes().filter(|byte| *byte == b'\n').count() as u64;
        done = end;
    }
    if !text[done..].trim().is_empty() {
        // Not JSON after all, a flow mapping perhaps: YAML's parser has the last word.
        return vec![part];
    }
    parts
}

/// Reads one object: the pods in it, and what it says of others.
fn object(document: Document, place: &Place<'_>, take: &mut dyn FnMut(Outcome<Manifest>)) {
    let Document { value, lines, .. } = document;
    let Place { file, offset, .. } = place;
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(api_version)) = (text("kind"), text("apiVersion")) else {
        let why = "it has no apiVersion and kind, so it is no Kubernetes object";
        let line = offset + lines.of("");
        return take(Outcome::Failed(Error::input(format!("read {}:{line}", file.name), why)));
    };
    let of_metadata = |field: &str| value["metadata"][field].as_str().map(str::to_owned);
    let object = Object {
        name: of_metadata("name").or_else(|| of_metadata("generateName")).unwrap_or_default(),
        namespace: of_metadata("namespace"),
        api_version,
        kind,
        value: Arc::new(value),
        lines: Arc::new(lines),
    };
    let template::ObjectPods { pods, fragments } = template::find(&object.value);
    let unjudged = |fields: Vec<(String, u64)>, why: Option<String>| Unjudged {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        source: Location {
            file: file.name.clone(),
            line: offset + object.lines.of(""),
            path: None,
        },
        fields,
        root: fragments.iter().any(|fragment| fragment.is_root),
        forbidden: fragments.iter().any(|fragment| fragment.is_forbidden),
        is_hint: why.is_none() && fragments.iter().all(|fragment| fragment.is_hint),
        why,
    };
    for pod in pods {
        let (path, is_own) = (pod.path.to_string(), pod.is_own);
        match object.manifest(pod, place) {
            Ok((manifest, notes)) => {
                notes.into_iter().for_each(|note| take(Outcome::Note(note)));
                take(Outcome::Workload(manifest));
            }
            Err(error) if is_own => take(Outcome::Failed(error)),
            // Another kind may have its own types there, or words that are filled in later.
            Err(error) => {
                let line = offset + object.lines.of(&path);
                take(Outcome::Unjudged(Unjudged {
                    root: false,
                    forbidden: false,
                    ..unjudged(vec![(path, line)], Some(error.why))
                }));
            }
        }
    }
    if !fragments.is_empty() {
        let fields = fragments.iter().map(|fragment| fragment.path.to_string());
        let fields = fields.map(|path| (path.clone(), offset + object.lines.of(&path))).collect();
        take(Outcome::Unjudged(unjudged(fields, None)));
    }
}

/// An object with a kind.
struct Object {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    value: Arc<Value>,
    lines: Arc<Lines>,
}

impl Object {
    /// One of its pods, and what in it is not where it belongs.
    fn manifest(&self, mut pod: Pod, place: &Place<'_>) -> Result<(Manifest, Vec<String>), Error> {
        let Object { kind, name, value, lines, .. } = self;
        let Place { file, part, item, offset, is_unnamed } = place;
        let (line_of, is_own) = (
            {
                let pod = pod.clone();
                move |field: &str| offset + lines.of(&pod.place(field))
            },
            pod.is_own,
        );
        let line = if is_own { offset + lines.of("") } else { line_of("") };
        let mut raw = pod.template(value);
        let mut unreadable = Vec::new();
        let template = loop {
            let error = match PodTemplateSpec::deserialize(&*raw) {
                Ok(template) => break template,
                Err(error) => error,
            };
            let field = misread(&raw, &|template| PodTemplateSpec::deserialize(template).is_ok());
            let field = field.trim_start_matches('.');
            let what = pod.place(field);
            let why = format!("{what} of {kind} {name}: {}", in_words(&error.to_string()));
            let error = Error::input(format!("read {}:{}", file.name, line_of(field)), why);
            // Another kind may have its own types there, or words that are filled in later: the
            // rest is judged without.
            if pod.is_own
                || unreadable.len() == MAX_UNREADABLE
                || template::FieldPath::parse(field).remove(raw.to_mut()).is_none()
            {
                return Err(error);
            }
            unreadable.push(format!("{error}; the rest of its pod is judged without"));
        };
        // What cannot be read is not edited either.
        pod.is_whole &= unreadable.is_empty();
        let Some(mut spec) = template.spec else {
            return Err(Error::input(
                format!("read {}:{line}", file.name),
                format!("{kind} {name} has no pod spec"),
            ));
        };
        if pod.is_own {
            // Its controller gives the pods these volumes.
            let templates = value.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
            let templates = templates
                .into_iter()
                .flatten()
                .filter_map(|claim| claim["metadata"]["name"].as_str());
            let claims: Vec<Volume> =
                templates.map(|template| volume::templated(template, name)).collect();
            if !claims.is_empty() {
                spec.volumes.get_or_insert_default().extend(claims);
            }
        }
        defaults::pod(&mut spec);
        let misplaced = misplaced::in_pod(value, &pod, &raw).into_iter();
        let notes = misplaced.map(|one| {
            let line = offset + lines.of(&one.path(&pod));
            format!("{}:{line}: {}/{name}: {}", file.name, kind.to_lowercase(), one.fault(&pod))
        });
        let notes = unreadable.into_iter().chain(notes).collect();
        let annotations =
            value.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
        let annotations = annotations
            .filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())))
            .collect();
        let path = (!pod.is_own).then(|| pod.path.to_string());
        let workload = Workload {
            api_version: self.api_version.clone(),
            kind: kind.clone(),
            namespace: self.namespace.clone(),
            name: if pod.label.is_empty() { name.clone() } else { format!("{name}:{}", pod.label) },
            annotations,
            source: Some(Location { file: file.name.clone(), line, path }),
            pods: 0,
            metadata: template.metadata.unwrap_or_default(),
            containers: pods::containers(&spec, None),
            spec,
            failures: Vec::new(),
        };
        let manifest = Manifest {
            file: Arc::clone(file),
            part: part.clone(),
            item: *item,
            workload,
            object: Arc::clone(value),
            lines: Arc::clone(lines),
            offset: *offset,
            pod,
            is_unnamed: *is_unnamed,
        };
        Ok((manifest, notes))
    }
}

/// What a reader of types says of a value, in words of the API.
fn in_words(error: &str) -> String {
    let Some((found, expected)) =
        error.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    else {
        return error.to_owned();
    };
    let found = ["string ", "integer ", "boolean ", "floating point "]
        .iter()
        .find_map(|kind| found.strip_prefix(kind))
        .map_or(found.to_owned(), |value| value.trim_matches('`').to_owned());
    let expected = match expected {
        "i32" | "i64" | "u32" | "u64" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        "a map" => "a map",
        "f64" => "a number",
        other => other.strip_prefix("struct ").map_or(other, |_| "a map"),
    };
    format!("it is {found}, where {expected} belongs")
}

/// The first field of a value that cannot be read, as `.spec.containers[0].image`; `reads` says
/// whether a value can, and every field of what it reads may be missing.
fn misread(value: &Value, reads: &dyn Fn(&Value) -> bool) -> String {
    match value {
        Value::Object(fields) if reads(&json!({})) => {
            let fault = fields.iter().find_map(|(key, field)| {
                let alone = |field: &Value| reads(&json!({ key: field }));
                (!alone(field)).then(|| format!(".{key}{}", misread(field, &alone)))
            });
            fault.unwrap_or_default()
        }
        Value::Array(items) if reads(&json!([])) => {
            let alone = |item: &Value| reads(&json!([item]));
            let fault = items.iter().enumerate().find(|(_, item)| !alone(item));
            fault
                .map(|(index, item)| format!("[{index}]{}", misread(item, &alone)))
                .unwrap_or_default()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_that_cannot_be_read_is_found() {
        let at = |spec: Value| {
            misread(&json!({ "spec": spec }), &|value| PodTemplateSpec::deserialize(value).is_ok())
        };
        assert_eq!(at(json!({ "hostPID": false, "containers": [{ "name": "a" }] })), "");
        assert_eq!(at(json!("web")), ".spec");
        assert_eq!(at(json!({ "containers": {} })), ".spec.containers");
        assert_eq!(
            at(json!({ "hostPID": false, "containers": [{ "name": "a" }, { "name": 1 }] })),
            ".spec.containers[1].name"
        );
        // The first of several, and a map where a word belongs.
        assert_eq!(
            at(json!({ "containers": [{ "image": { "tag": 1 } }], "volumes": 1 })),
            ".spec.containers[0].image"
        );
        assert_eq!(
            at(json!({ "containers": [{ "ports": [{ "containerPort": 80 }, 81] }] })),
            ".spec.containers[0].ports[1]"
        );
    }

    fn read_text(text: &str) -> (Vec<Manifest>, Vec<String>) {
        let file = Arc::new(ManifestFile {
            name: "f.yaml".to_owned(),
            path: None,
            text: text.to_owned(),
            is_rendered: false,
        });
        let Partial { value, errors } = workloads(&[file], |manifest| manifest);
        (value.workloads, errors.iter().map(Error::to_string).collect())
    }

    #[test]
    fn a_broken_document_costs_only_itself() {
        let (found, failed) = read_text(concat!(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c}]}\n",
            "---\nkind: Pod\nmetadata: {name: [\n",
            "---\r\n# nothing\n---   \n",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: b\n  namespace: shop\nspec:\n  template:\n    spec:\n      containers:\n      - name: c\n        securityContext:\n          privileged: true\n",
        ));
        let names: Vec<_> = found
            .iter()
            .map(|m| (m.workload.name.as_str(), m.workload.source.as_ref().map(|s| s.line)))
            .collect();
        assert_eq!(names, [("a", Some(1)), ("b", Some(11))]);
        assert_eq!(found[1].line("spec.containers[0].securityContext.privileged"), 22);
        assert_eq!(found[1].workload.namespace.as_deref(), Some("shop"));
        assert_eq!(failed.len(), 1);
        assert!(failed[0].starts_with("cannot read f.yaml:"), "{failed:?}");
    }

    #[test]
    fn templates_are_found_in_every_kind() {
        for (kind, path) in [
            ("Pod", ""),
            ("PodTemplate", "template"),
            ("ReplicaSet", "spec.template"),
            ("CronJob", "spec.jobTemplate.spec.template"),
            ("Rollout", "spec.template"),
        ] {
            let mut document = serde_json::json!({"spec": {"containers": [{"name": "c"}]}});
            for step in path.split('.').rev().filter(|step| !step.is_empty()) {
                document = serde_json::json!({step: document});
            }
            document["kind"] = kind.into();
            document["apiVersion"] = "x/v1".into();
            let (found, failed) = read_text(&document.to_string());
            assert_eq!((found.len(), failed), (1, vec![]), "{kind}");
        }
        assert!(read_text("apiVersion: v1\nkind: Service\nspec: {type: ClusterIP}\n").0.is_empty());
    }

    #[test]
    fn json_values_one_after_another_are_documents_each() {
        let pod = |name: &str| {
            format!(
                "{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"{name}\"}},\n\"spec\":{{\"containers\":[]}}}}"
            )
        };
        let (found, failed) = read_text(&format!("{}\n{}{}\n", pod("a"), pod("b"), pod("c")));
        let lines: Vec<_> = found
            .iter()
            .map(|m| (m.workload.name.as_str(), m.workload.source.as_ref().map(|s| s.line)))
            .collect();
        assert_eq!((lines, failed), (vec![("a", Some(1)), ("b", Some(3)), ("c", Some(4))], vec![]));
        let (found, failed) = read_text("{apiVersion: v1, kind: Pod, spec: {containers: []}}\n");
        assert_eq!((found.len(), failed), (1, vec![]));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  securityContext:\n    runAsUser: nginx\n  containers: []\n";
        let (found, failed) = read_text(text);
        assert!(found.is_empty());
        assert!(
            failed[0].contains("f.yaml:6") && failed[0].contains("spec.securityContext.runAsUser"),
            "{failed:?}"
        );
    }

    #[test]
    fn what_is_filled_in_later_is_left_out_of_account_in_another_kind() {
        let text = "apiVersion: x.example/v1\nkind: Flow\nmetadata: {name: f}\nspec:\n  steps:\n  - image: i\n    securityContext:\n      runAsUser: \"{{uid}}\"\n      privileged: true\n";
        let file = ManifestFile {
            name: "f.yaml".to_owned(),
            path: None,
            text: text.to_owned(),
            is_rendered: false,
        };
        let Partial { value: ManifestContents { workloads, unjudged, notes }, errors } =
            workloads(&[Arc::new(file)], |manifest| manifest);
        let context =
            workloads[0].workload.spec.containers[0].security_context.clone().expect("a context");
        assert_eq!(
            (context.run_as_user, context.privileged, workloads[0].pod.is_whole),
            (None, Some(true), false)
        );
        assert_eq!((unjudged.len(), errors.len()), (0, 0));
        assert!(
            notes[0].contains("f.yaml:8: spec.steps[0].securityContext.runAsUser of Flow f"),
            "{notes:?}"
        );
    }

    #[test]
    fn values_of_a_chart_are_no_object() {
        let (_, failed) = read_text("image: nginx\nreplicas: 2\n");
        assert!(failed[0].contains("no apiVersion and kind"), "{failed:?}");
    }
}
