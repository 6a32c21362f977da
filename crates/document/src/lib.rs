//! One YAML or JSON document as kubectl reads it, with the line of every node.

mod plain;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;

/// The lines of a document's nodes, in the shape of the document. Lines are 1-based within the
/// document.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    line: u64,
    children: Children,
}

#[derive(Debug, Clone, PartialEq)]
enum Children {
    None,
    Items(Vec<Lines>),
    Fields(Vec<(String, Lines)>),
}

impl Lines {
    /// The line of the node at `path`, as `spec.containers[0].image`, or of its deepest ancestor
    /// that is there.
    #[must_use]
    pub fn of(&self, path: &str) -> u64 {
        let mut node = self;
        for step in steps(path) {
            let next = match (&node.children, step) {
                (Children::Items(items), Step::Index(index)) => items.get(index),
                (Children::Fields(fields), Step::Field(name)) => {
                    // Of a key that is there twice, the last counts.
                    fields.iter().rfind(|(key, _)| key == name).map(|(_, lines)| lines)
                }
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.line
    }

    /// The lines of one item of the list under `field`, as the items of a `kind: List` are read.
    fn into_items(self, field: &str) -> Vec<Lines> {
        let Children::Fields(fields) = self.children else { return Vec::new() };
        match fields.into_iter().rfind(|(key, _)| key == field) {
            Some((_, Lines { children: Children::Items(items), .. })) => items,
            _ => Vec::new(),
        }
    }
}

enum Step<'a> {
    Field(&'a str),
    Index(usize),
}

/// Splits `a.b[0].c`; a field in brackets, `annotations[example.com/x]`, is one step though it has
/// dots.
fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']')?;
            rest = after;
            return Some(step.parse().map_or(Step::Field(step), Step::Index));
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (step, after) = rest.split_at(end);
        rest = after;
        (!step.is_empty()).then_some(Step::Field(step))
    })
}

/// One document: its value for the API, its lines for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub value: Value,
    pub lines: Lines,
    /// Keys that stand in one map more than once: the last one counts.
    pub repeated: Vec<Repeated>,
}

/// A key that its map has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    pub key: String,
    /// Where it stands, 1-based within the document, and where it stood before.
    pub line: u64,
    pub before: u64,
}

/// Why a document could not be read, at a 1-based line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub line: u64,
    pub why: String,
}

impl Document {
    /// Reads one document as kubectl does: YAML 1.1 (`yes` is true, `0644` is octal), of which JSON
    /// is a part; of a key that is there twice, the last counts. An empty document, or one of
    /// comments only, is `None`.
    ///
    /// # Errors
    /// Syntax errors, and documents that grow beyond their text by aliases ("billion laughs").
    pub fn parse(text: &str) -> Result<Option<Document>, Malformed> {
        plain::document(text).map_or_else(|| Document::parse_any(text), Ok)
    }

    /// Reads a document whatever is in it.
    fn parse_any(text: &str) -> Result<Option<Document>, Malformed> {
        // Every event has at least a byte of its own in the text, so these bounds let any text
        // through and stop only what aliases multiply.
        let most = text.len().max(1000);
        let options = serde_saphyr::options! {
            legacy_octal_numbers: true,
            emit_comments: false,
            duplicate_keys: DuplicateKeyPolicy::LastWins,
            budget: serde_saphyr::budget! {
                max_events: most,
                max_nodes: most,
                max_aliases: most,
                max_anchors: most,
                max_total_scalar_bytes: most.saturating_mul(2),
                max_depth: 256,
            },
        };
        match serde_saphyr::from_str_with_options::<Option<Spanned<Node>>>(text, options) {
            Ok(Some(node)) => {
                let mut repeated = Vec::new();
                let (value, lines) = located(node, &mut repeated);
                Ok(if value.is_null() { None } else { Some(Document { value, lines, repeated }) })
            }
            Ok(None) => Ok(None),
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                Err(Malformed { line, why: why(&error) })
            }
        }
    }

    /// Whether it is a `kind: List` (or PodList, DeploymentList ...) that has items.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.item_kind().is_some() && self.value.get("items").is_some_and(Value::is_array)
    }

    /// What the items of a list of this kind are: `Pod` of a PodList, and nothing of a List.
    fn item_kind(&self) -> Option<&str> {
        self.value.get("kind").and_then(Value::as_str)?.strip_suffix("List")
    }

    /// The items of a `kind: List` (or PodList, DeploymentList ...), each as a document of its own;
    /// another document is its own only item. An item that has neither kind nor apiVersion has
    /// those of its list (k8s.io/apimachinery, pkg/apis/meta/v1/unstructured/unstructured.go,
    /// decodeToList).
    #[must_use]
    pub fn items(mut self) -> Vec<Document> {
        let Some(kind) = self.item_kind().map(str::to_owned) else { return vec![self] };
        let api_version = self.value.get("apiVersion").cloned().unwrap_or_default();
        match self.value.get_mut("items").map(Value::take) {
            Some(Value::Array(values)) => {
                let lines = self.lines.into_items("items");
                let mut repeated = self.repeated;
                let items = values.into_iter().zip(lines).map(|(mut value, lines)| {
                    if let Some(fields) = value.as_object_mut()
                        && !kind.is_empty()
                        && ["kind", "apiVersion"].iter().all(|field| !fields.contains_key(*field))
                    {
                        fields.insert("apiVersion".to_owned(), api_version.clone());
                        fields.insert("kind".to_owned(), Value::String(kind.clone()));
                    }
                    // They are told once for the whole.
                    Document { value, lines, repeated: std::mem::take(&mut repeated) }
                });
                items.collect()
            }
            Some(Value::Null) => Vec::new(),
            _ => vec![self],
        }
    }
}

/// The parser's message, without the position that it repeats.
fn why(error: &serde_saphyr::Error) -> String {
    let message = error.without_snippet().to_string();
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line).trim_start_matches("error: ");
    if line.contains("budget breached") || line.contains("alias replay") {
        return "its aliases multiply it far beyond its size".to_owned();
    }
    if line.contains("recursive references") {
        return "an alias refers to what it stands in".to_owned();
    }
    line.to_owned()
}

enum Node {
    Scalar(Value),
    Items(Vec<Spanned<Node>>),
    Fields(Vec<(Spanned<String>, Spanned<Node>)>),
}

fn located(node: Spanned<Node>, repeated: &mut Vec<Repeated>) -> (Value, Lines) {
    let line = node.referenced.line();
    match node.value {
        Node::Scalar(value) => (value, Lines { line, children: Children::None }),
        Node::Items(items) => {
            let (values, lines) = items.into_iter().map(|item| located(item, repeated)).unzip();
            (Value::Array(values), Lines { line, children: Children::Items(lines) })
        }
        Node::Fields(fields) => {
            let mut values = Map::with_capacity(fields.len());
            let mut children = Vec::with_capacity(fields.len());
            for (key, field) in fields {
                let (value, mut lines) = located(field, repeated);
                // A block mapping starts on the line after its key: the key is what a person looks
                // for.
                lines.line = key.referenced.line();
                if values.insert(key.value.clone(), value).is_some() {
                    repeated.extend(Repeated::of(&key.value, lines.line, &children));
                }
                children.push((key.value, lines));
            }
            (Value::Object(values), Lines { line, children: Children::Fields(children) })
        }
    }
}

impl Repeated {
    /// A key at a line, of a map that has these fields before it.
    fn of(key: &str, line: u64, fields: &[(String, Lines)]) -> Option<Repeated> {
        let (_, before) = fields.iter().rfind(|(known, _)| known == key)?;
        Some(Repeated { key: key.to_owned(), line, before: before.line })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Scalar(Value::String(value)))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(item) = items.next_element()? {
            nodes.push(item);
        }
        Ok(Node::Items(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(field) = fields.next_entry()? {
            nodes.push(field);
        }
        Ok(Node::Fields(nodes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Document, Repeated};

    fn parse(text: &str) -> Document {
        Document::parse(text).expect("well formed").expect("not empty")
    }

    #[test]
    fn reads_yaml_1_1_as_kubectl_does() {
        let document = parse(
            "a: yes\nb: 0644\nc: \"on\"\nd: 'yes'\ne: 1.5\nf: ~\ng: 2024-01-01\nh: [1, -2]\n",
        );
        let expected = json!({"a": true, "b": 420, "c": "on", "d": "yes", "e": 1.5, "f": null, "g": "2024-01-01", "h": [1, -2]});
        assert_eq!(document.value, expected);
    }

    #[test]
    fn finds_the_line_of_a_field_or_of_its_nearest_ancestor() {
        let lines =
            parse("kind: Pod\nspec:\n  containers:\n  - name: a\n    image: b\n  - name: c\n")
                .lines;
        assert_eq!(lines.of("spec.containers[0].image"), 5);
        assert_eq!(lines.of("spec.containers[1].securityContext.runAsUser"), 6);
        assert_eq!(lines.of("spec.hostNetwork"), 2);
        assert_eq!(lines.of("metadata.annotations[example.com/a.b]"), 1);
    }

    #[test]
    fn follows_anchors_and_merge_keys() {
        let document = parse("x: &x {runAsUser: 0}\na: *x\nb:\n  <<: *x\n  other: 1\n");
        assert_eq!(document.value["a"], json!({"runAsUser": 0}));
        assert_eq!(document.value["b"], json!({"other": 1, "runAsUser": 0}));
    }

    #[test]
    fn an_alias_bomb_is_an_error_and_not_a_memory_hole() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        let aliases = Document::parse(&bomb).expect_err("too much");
        assert_eq!(aliases.why, "its aliases multiply it far beyond its size");
        let cycle = Document::parse("a: &a\n  b: *a\n").expect_err("endless");
        assert_eq!((cycle.line, cycle.why.as_str()), (2, "an alias refers to what it stands in"));
    }

    #[test]
    fn an_error_names_its_line() {
        let malformed =
            Document::parse("kind: Pod\nmetadata: {name: a\nspec:\n").expect_err("unclosed brace");
        assert!(malformed.line >= 2, "{malformed:?}");
        assert!(!malformed.why.is_empty() && !malformed.why.contains('\n'), "{malformed:?}");
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts() {
        for text in [
            "a: 1\nb:\n  c: 1\n  d: {}\n  c: 2\na: 3\n",
            "a: &x 1\nb:\n  c: *x\n  d: {}\n  c: 2\na: 3\n",
        ] {
            let document = parse(text);
            assert_eq!(document.value, json!({"a": 3, "b": {"c": 2, "d": {}}}), "{text}");
            let repeated = [("c", 5, 3), ("a", 6, 1)];
            let repeated =
                repeated.map(|(key, line, before)| Repeated { key: key.to_owned(), line, before });
            assert_eq!(document.repeated, repeated, "{text}");
            assert_eq!((document.lines.of("a"), document.lines.of("b.c")), (6, 5));
        }
        let merged = parse("x: &x {u: 0}\na:\n  <<: *x\n  u: 1\nb:\n  u: 1\n  <<: *x\n");
        assert_eq!((&merged.value["a"], &merged.value["b"]), (&json!({"u": 1}), &json!({"u": 1})));
        assert_eq!(merged.repeated, []);
    }

    #[test]
    fn items_without_a_kind_have_the_lists() {
        let items =
            |text: &str| parse(text).items().into_iter().map(|item| item.value).collect::<Vec<_>>();
        let pod = json!({"metadata": {"name": "a"}, "apiVersion": "v1", "kind": "Pod"});
        assert_eq!(items("apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n"), [pod]);
        let half = json!({"kind": "Pod"});
        assert_eq!(items("apiVersion: v1\nkind: PodList\nitems:\n- kind: Pod\n"), [half]);
        assert_eq!(
            items("apiVersion: v1\nkind: List\nitems:\n- metadata: {}\n"),
            [json!({"metadata": {}})]
        );
    }

    #[test]
    fn comments_and_nothing_are_no_document() {
        assert_eq!(Document::parse("# only a comment\n"), Ok(None));
        assert_eq!(Document::parse(""), Ok(None));
    }

    #[test]
    fn a_list_is_its_items_with_their_lines() {
        let items =
            parse("kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n- kind: Pod\n").items();
        assert_eq!(items.len(), 2);
        assert_eq!(items[1].lines.of(""), 5);
    }
}
