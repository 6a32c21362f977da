//! Documents as nearly all are: without tags, anchors, merge keys and words that may be a number.
//!
//! They are read straight from the events of the parser that serde-saphyr stands on, which takes a
//! third of its time. What is not certain here is not decided here, so that there is one place that
//! knows YAML 1.1; a test compares the two.

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Value};

use super::{Children, Document, Lines, Repeated};

/// Collections within collections: no real document comes near, and each takes a piece of the
/// stack.
const DEEPEST: usize = 64;

/// What a plain scalar may mean beside itself, in whatever case.
const WORDS: [&str; 9] = ["y", "yes", "on", "true", "n", "no", "off", "false", "null"];

/// What numbers of any notation are made of.
const OF_NUMBERS: &[u8] = b"0123456789abcdefABCDEFxXoO_.+-";

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    repeated: Vec<Repeated>,
}

/// Reads a document of which it is certain what it means; the outer `None` where it is not, or
/// where it is malformed.
pub(super) fn document(text: &str) -> Option<Option<Document>> {
    let options = granit_parser::options! { emit_comments: false };
    let mut reader =
        Reader { events: Parser::new_from_str_with_options(text, options), repeated: Vec::new() };
    let (Event::StreamStart, _) = reader.next()? else { return None };
    match reader.next()? {
        (Event::StreamEnd, _) => return Some(None),
        (Event::DocumentStart(..), _) => {}
        _ => return None,
    }
    let (event, span) = reader.next()?;
    let (value, lines) = reader.node(event, span, 0)?;
    let ((Event::DocumentEnd, _), (Event::StreamEnd, _)) = (reader.next()?, reader.next()?) else {
        return None;
    };
    let repeated = reader.repeated;
    Some((!value.is_null()).then_some(Document { value, lines, repeated }))
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        self.events.next_event()?.ok()
    }

    /// The node that an event without an anchor and a tag begins.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Option<(Value, Lines)> {
        let (value, children) = match event {
            Event::Scalar(text, ScalarStyle::Plain, 0, None) => (plain(&text)?, Children::None),
            Event::Scalar(text, _, 0, None) => (Value::String(text.into_owned()), Children::None),
            Event::SequenceStart(_, 0, None) if depth < DEEPEST => self.items(depth + 1)?,
            Event::MappingStart(_, 0, None) if depth < DEEPEST => self.fields(depth + 1)?,
            _ => return None,
        };
        Some((value, Lines { line: span.start.line() as u64, children }))
    }

    fn items(&mut self, depth: usize) -> Option<(Value, Children)> {
        let (mut values, mut lines) = (Vec::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if let Event::SequenceEnd = event {
                return Some((Value::Array(values), Children::Items(lines)));
            }
            let (value, item) = self.node(event, span, depth)?;
            values.push(value);
            lines.push(item);
        }
    }

    fn fields(&mut self, depth: usize) -> Option<(Value, Children)> {
        let (mut values, mut lines) = (Map::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if let Event::MappingEnd = event {
                return Some((Value::Object(values), Children::Fields(lines)));
            }
            let (Value::String(key), Lines { line, .. }) = self.node(event, span, DEEPEST)? else {
                return None;
            };
            let (event, span) = self.next()?;
            let (value, Lines { children, .. }) = self.node(event, span, depth)?;
            if values.insert(key.clone(), value).is_some() {
                self.repeated.extend(Repeated::of(&key, line, &lines));
            }
            lines.push((key, Lines { line, children }));
        }
    }
}

/// What a scalar without quotes means, if that is certain.
fn plain(text: &str) -> Option<Value> {
    let count = |wanted: u8| text.bytes().filter(|byte| *byte == wanted).count();
    let is_text = match text.bytes().next() {
        None => return Some(Value::Null),
        Some(b'~') if text.len() == 1 => return Some(Value::Null),
        // No number begins with a letter.
        Some(b'a'..=b'z' | b'A'..=b'Z') => match text {
            "true" => return Some(Value::Bool(true)),
            "false" => return Some(Value::Bool(false)),
            "null" => return Some(Value::Null),
            _ => !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)),
        },
        Some(b'/' | b'$' | b'_' | b'(') => true,
        Some(b'1'..=b'9') if text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Some(Value::Number(text.parse::<u64>().ok()?.into()));
        }
        Some(b'0') if text == "0" => return Some(Value::Number(0.into())),
        // A quantity, a version, an address, a hash.
        Some(b'0'..=b'9') => {
            text.bytes().any(|byte| !OF_NUMBERS.contains(&byte))
                || count(b'.') > 1
                || count(b'-') > 1
        }
        _ => false,
    };
    is_text.then(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Document, document};

    /// What is read here is what serde-saphyr reads.
    fn agrees(text: &str) {
        if let Some(read) = document(text) {
            assert_eq!(Document::parse_any(text), Ok(read), "{text:?}");
        }
    }

    #[test]
    fn manifests_are_read_here() {
        let text = "# why\napiVersion: apps/v1\nmetadata: {name: web, creationTimestamp: null}\nspec:\n  replicas: 3\n  a: 500m\n  \
                    b: 10.0.0.1\n  c: \"0644\"\n  d: ~\n  e:\n  f: false\n  list:\n  - name: \"x\"\n    emptyDir: {}\n  - |\n    y\n";
        assert!(document(text).is_some_and(|read| read.is_some()));
        agrees(text);
        for odd in [
            "a: &x 1\n",
            "a: !!str 1\n",
            "<<: {a: 1}\n",
            "1: a\n",
            "a: 0644\n",
            "a: 1.5\n",
            "a: [\n",
        ] {
            assert_eq!(document(odd), None, "{odd:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn scalars_mean_the_same(text in "[-+.0-9a-fxob_eE~]{0,6}|[a-zA-Z.<=~]{1,5}|\\PC{0,6}") {
            for around in [text.clone(), format!("a: {text}\n"), format!("- {text}"), format!("{{{text}: [{text}]}}")] {
                agrees(&around);
            }
        }

        #[test]
        fn documents_mean_the_same(pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "b", ": ", ":", "\n", "\n", "\n  ", "\n    ", "- ", "{", "}", "[", "]", ", ", "\"", "'", "#", " # c", "|", ">-", "&a ",
            "*a", "!!str ", "<<", "? ", "0", "0644", "yes", "1.5", "~", "null", "...", "---", "%YAML 1.1\n", "\t", "\r\n", "\u{feff}", "é",
        ]), 0..16)) {
            agrees(&pieces.concat());
        }
    }
}
