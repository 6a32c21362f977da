//! The text of a manifest with a plan in it: only the lines that must change do.

mod editor;
mod notation;
mod tree;

use std::collections::BTreeMap;

use serde_json::Value;

use tree::Tree;

/// Why a text is not edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// A place in the text, as a byte offset.
    pub at: usize,
    pub why: &'static str,
}

impl Unfit {
    fn new(at: usize, why: &'static str) -> Self {
        Unfit { at, why }
    }
}

/// The text of one document, JSON or YAML, changed from one value to another. Comments, order,
/// quotes, anchors and layout stay; what is new is written like what stands around it. The result
/// is read again by `read`, as the document was: where it is not exactly the planned value, or has
/// lost a comment, there is no result.
///
/// # Errors
/// An edit that cannot be made safely: parts that are shared by anchors and change apart, explicit
/// keys, and the like.
pub fn manifest(
    text: &str,
    original: &Value,
    planned: &Value,
    read: &dyn Fn(&str) -> Option<Value>,
) -> Result<String, Unfit> {
    if original == planned {
        return Ok(text.to_owned());
    }
    let tree = tree::tree(text)?;
    // What an alias stands for changes with its anchor; where that says too much, the alias gives
    // way to a value.
    let aliases = if tree.shares { &[false, true][..] } else { &[false][..] };
    let mut unfit = Unfit::new(0, "the edited text would not mean what was planned");
    for unshared in aliases {
        match editor::edited(text, &tree, original, planned, *unshared) {
            Ok(result) if read(&result).as_ref() == Some(planned) => {
                let is_whole = tree::tree(&result)
                    .is_ok_and(|after| keeps(comments(text, &tree), comments(&result, &after)));
                let is_json =
                    |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
                if is_whole && (!is_json(text) || is_json(&result)) {
                    return Ok(result);
                }
                unfit = Unfit::new(0, "a comment in it would be lost");
            }
            Ok(_) => {}
            Err(error) => unfit = error,
        }
    }
    if tree.shares && unfit.at == 0 {
        unfit.why = "it shares parts by anchors, and these would have to change apart";
    }
    Err(unfit)
}

fn comments<'a>(text: &'a str, tree: &Tree) -> Vec<&'a str> {
    tree.comments.iter().map(|range| text[range.clone()].trim_end()).collect()
}

/// Whether each of these is among the others as often.
fn keeps(before: Vec<&str>, after: Vec<&str>) -> bool {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    after.into_iter().for_each(|comment| *left.entry(comment).or_default() += 1);
    before.into_iter().all(|comment| {
        let count = left.entry(comment).or_default();
        let is_left = *count > 0;
        *count = count.saturating_sub(1);
        is_left
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::manifests::document::Document;

    fn read(text: &str) -> Option<Value> {
        Document::parse(text).ok().flatten().map(|document| document.value)
    }

    /// RFC 7386, as a short way to say what is planned.
    fn merge(value: &mut Value, patch: &Value) {
        let Value::Object(changes) = patch else {
            *value = patch.clone();
            return;
        };
        if !value.is_object() {
            *value = json!({});
        }
        for (name, change) in changes {
            match change {
                Value::Null => drop(value.as_object_mut().expect("an object").shift_remove(name)),
                _ => merge(&mut value[name], change),
            }
        }
    }

    fn after(text: &str, patch: &Value) -> Result<String, Unfit> {
        let original = read(text).expect("well formed");
        let mut planned = original.clone();
        merge(&mut planned, patch);
        manifest(text, &original, &planned, &read)
    }

    fn becomes(text: &str, patch: Value, expected: &str) {
        assert_eq!(after(text, &patch).as_deref(), Ok(expected), "{text}");
        if !text.contains("\r\n") {
            let crlf = |text: &str| text.replace('\n', "\r\n");
            assert_eq!(after(&crlf(text), &patch), Ok(crlf(expected)), "with CRLF");
        }
    }

    #[test]
    fn a_value_keeps_its_quotes_and_its_comment() {
        becomes(
            "a: 0 # why\nb: 'x' # c\nc: \"y\"\n",
            json!({"a": 101, "b": "it's", "c": "on"}),
            "a: 101 # why\nb: 'it''s' # c\nc: \"on\"\n",
        );
        becomes("\"a\":  0\n", json!({"a": "80"}), "\"a\":  \"80\"\n");
        becomes("a: !!str 5\n", json!({"a": "yes"}), "a: !!str \"yes\"\n");
    }

    #[test]
    fn what_is_empty_is_filled_below_its_key() {
        let planned = json!({"a": {"b": {"c": ["d"]}}});
        for empty in ["a: {} # why\n", "a: # why\n", "a: ~ # why\n", "a: null # why\n"] {
            becomes(
                &format!("{empty}e: 1\n"),
                planned.clone(),
                "a: # why\n  b:\n    c:\n    - d\ne: 1\n",
            );
        }
        becomes("a: []\n", json!({"a": [{"b": 1, "c": 2}]}), "a:\n- b: 1\n  c: 2\n");
        becomes(
            "a:\n- b: 1\n-\n- {}\n",
            json!({"a": [{"b": 1}, {"c": 1, "d": 2}, {"e": 1}]}),
            "a:\n- b: 1\n- c: 1\n  d: 2\n- e: 1\n",
        );
    }

    #[test]
    fn new_fields_are_laid_out_as_the_document_is() {
        becomes(
            "spec:\n    list:\n        - name: a # first\n          b:\n              c: 1\n        # - name: b\n    # end of spec\nother: 1",
            json!({"spec": {"more": {"x": [{"w": "0"}]}}}),
            "spec:\n    list:\n        - name: a # first\n          b:\n              c: 1\n        # - name: b\n    # end of spec\n    more:\n        x:\n            - w: \"0\"\nother: 1",
        );
        becomes("spec:\n  a: 1", json!({"spec": {"b": 2}}), "spec:\n  a: 1\n  b: 2");
        becomes(
            "a:\n  b: |+\n    text\n\nc: 1\n",
            json!({"a": {"d": 1}}),
            "a:\n  b: |+\n    text\n\n  d: 1\nc: 1\n",
        );
    }

    #[test]
    fn what_is_taken_out_leaves_its_comments() {
        becomes(
            "a:\n  # above\n  b: 0 # beside\n  # below\n  c: 1\n",
            json!({"a": {"b": null}}),
            "a:\n  # above\n  # beside\n  # below\n  c: 1\n",
        );
        becomes(
            "a:\n- b: 0 # beside\n  # below\n  c: 1\n",
            json!({"a": [{"c": 1}]}),
            "a:\n- c: 1\n# beside\n# below\n",
        );
        becomes(
            "a:\n- name: x\n  b: 0\n  c: 1\n",
            json!({"a": [{"name": "x", "c": 1}]}),
            "a:\n- name: x\n  c: 1\n",
        );
        becomes(
            "a:\n- b: 0 # beside\n  # below\n  name: x\n",
            json!({"a": [{"name": "x"}]}),
            "a:\n- # beside\n  # below\n  name: x\n",
        );
        becomes("a:\n  b:\n    c: 0 # why\n", json!({"a": {"b": []}}), "a:\n  b: [] # why\n");
    }

    #[test]
    fn items_are_known_by_name_wherever_they_stand() {
        becomes(
            "initContainers:\n# waits\n- name: wait\n  image: x\n# last\n- name: own\n  args: [a, b]\n",
            json!({"initContainers": [{"name": "fill", "image": "w"}, {"name": "wait", "image": "x", "v": 1}, {"name": "own", "args": ["a", "c", "d"]}]}),
            "initContainers:\n- name: fill\n  image: w\n# waits\n- name: wait\n  image: x\n  v: 1\n# last\n- name: own\n  args: [a, c, d]\n",
        );
        becomes(
            "drop:\n  - NET_RAW # old\n  - CHOWN\n",
            json!({"drop": ["ALL"]}),
            "drop:\n  - ALL # old\n",
        );
        becomes(
            "env:\n- name: A\n  value: x\n  # - name: B\nports: []\n",
            json!({"env": [{"name": "A", "value": "x"}, {"name": "C", "value": "1"}]}),
            "env:\n- name: A\n  value: x\n  # - name: B\n- name: C\n  value: \"1\"\nports: []\n",
        );
    }

    #[test]
    fn brackets_stay_brackets() {
        becomes(
            "a: {b: 0, c: [x]} # why\n",
            json!({"a": {"b": null, "d": {"e": ["1", "p,q"]}}}),
            "a: {c: [x], d: {e: [\"1\", \"p,q\"]}} # why\n",
        );
        becomes("a: {b: 0}\n", json!({"a": {"b": null, "c": true}}), "a: {c: true}\n");
        becomes("a: {b: 0, c: 1}\n", json!({"a": {"c": null, "d": 1}}), "a: {b: 0, d: 1}\n");
        becomes("a: [x, y, z]\n", json!({"a": ["w", "x", "z", "q"]}), "a: [w, x, z, q]\n");
        becomes(
            "a: {\n  b: 0, # why\n  c: 1 # last\n}\n",
            json!({"a": {"d": [1]}}),
            "a: {\n  b: 0, # why\n  c: 1, # last\n  d: [1]\n}\n",
        );
        becomes("a: {\n  b: 0,\n}\n", json!({"a": {"d": 1}}), "a: {\n  b: 0,\n  d: 1,\n}\n");
    }

    #[test]
    fn json_stays_json() {
        becomes(
            "{\"a\":{\"b\":0},\"c\":[]}",
            json!({"a": {"d": {"e": "x"}}, "c": [1]}),
            "{\"a\":{\"b\":0,\"d\":{\"e\":\"x\"}},\"c\":[1]}",
        );
        becomes(
            "{\n    \"a\": {},\n    \"b\": [\n        \"x\"\n    ]\n}\n",
            json!({"a": {"c": ["y"]}, "b": ["x", {"z": 1}]}),
            "{\n    \"a\": {\n        \"c\": [\n            \"y\"\n        ]\n    },\n    \"b\": [\n        \"x\",\n        {\n            \"z\": 1\n        }\n    ]\n}\n",
        );
    }

    #[test]
    fn anchors_are_followed_as_long_as_all_agree() {
        let text = "x: &x {u: 0}\ny: *x\nz:\n  <<: *x\n  v: 1\n";
        let all = json!({"x": {"u": 7}, "y": {"u": 7}, "z": {"u": 7}});
        becomes(text, all, "x: &x {u: 7}\ny: *x\nz:\n  <<: *x\n  v: 1\n");
        becomes(text, json!({"y": {"u": 7}}), "x: &x {u: 0}\ny:\n  u: 7\nz:\n  <<: *x\n  v: 1\n");
        becomes(
            text,
            json!({"z": {"u": 7}}),
            "x: &x {u: 0}\ny: *x\nz:\n  <<: *x\n  v: 1\n  u: 7\n",
        );
        let apart = after("x: &x {u: 0}\ny:\n  <<: *x\n", &json!({"x": {"u": 7}}))
            .expect_err("they change apart");
        assert!(apart.why.contains("anchors"), "{apart:?}");
        let inherited = after("x: &x {u: 0}\ny:\n  <<: *x\n  v: 1\n", &json!({"y": {"u": null}}))
            .expect_err("inherited");
        assert!(inherited.why.contains("merge key"), "{inherited:?}");
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused_with_its_place() {
        let explicit =
            after("a:\n  ? b\n  : c\n", &json!({"a": {"b": "d"}})).expect_err("an explicit key");
        assert_eq!(explicit, Unfit::new(7, "a key there is written with a ? or has no colon"));
        let comment = after("a: [x, # why\n  y]\n", &json!({"a": "z"})).expect_err("a comment");
        assert_eq!(comment.why, "a comment in it would be lost");
    }
}
