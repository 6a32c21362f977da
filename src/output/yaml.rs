//! YAML that readers of YAML 1.1, as kubectl, and of 1.2 read alike.

use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// Stands before and behind the number of a scalar that serde_yaml is not to write: a character of
/// the private use area.
const MARK: char = '\u{e5e5}';

/// A value as YAML in block style. A long text stays on its line: it is searched for and read as
/// one.
///
/// # Errors
/// The value has what YAML has not.
pub fn to_string(value: &impl Serialize) -> Result<String, Error> {
    let fail = |why: String| Error::input("write the report as YAML", why);
    let mut value = serde_json::to_value(value).map_err(|error| fail(error.to_string()))?;
    if has_mark(&value) {
        // JSON is YAML, and quotes every string.
        return Ok(format!("{value:#}\n"));
    }
    let mut scalars = Vec::new();
    mark(&mut value, &mut scalars);
    let text = serde_yaml::to_string(&value).map_err(|error| fail(error.to_string()))?;
    if scalars.is_empty() {
        return Ok(text);
    }
    // Every second part stood between two marks.
    let written = |(number, part): (usize, &str)| match part.parse::<usize>() {
        Ok(at) if number % 2 == 1 => scalars.get(at).cloned().unwrap_or_default(),
        _ => part.to_owned(),
    };
    Ok(text.split(MARK).enumerate().map(written).collect())
}

/// Puts numbers between marks in place of strings that YAML 1.1 and 1.2 would read differently as
/// serde_yaml writes them, and collects how they are written instead.
fn mark(value: &mut Value, scalars: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if let Some(scalar) = scalar(text) {
                *text = marked(scalar, scalars);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, scalars)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| mark(value, scalars));
            if fields.keys().any(|key| scalar(key).is_some()) {
                let renamed = std::mem::take(fields).into_iter().map(|(key, value)| {
                    let key = scalar(&key).map_or(key, |scalar| marked(scalar, scalars));
                    (key, value)
                });
                *fields = renamed.collect();
            }
        }
        _ => {}
    }
}

fn marked(scalar: String, scalars: &mut Vec<String>) -> String {
    scalars.push(scalar);
    format!("{MARK}{}{MARK}", scalars.len() - 1)
}

/// How a string is written that serde_yaml would leave open to both; `None` for all others.
fn scalar(text: &str) -> Option<String> {
    // Line breaks of YAML 1.1 that are none in 1.2 (5.4).
    const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    if text.contains(BREAKS) {
        let escaped = |c: char| match BREAKS.contains(&c) {
            true => format!("\\u{:04x}", u32::from(c)),
            false => c.to_string(),
        };
        // A string of JSON is one of YAML in double quotes.
        return Some(Value::from(text).to_string().chars().map(escaped).collect());
    }
    is_ambiguous(text).then(|| format!("'{text}'"))
}

fn has_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARK),
        Value::Array(items) => items.iter().any(has_mark),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| key.contains(MARK) || has_mark(value))
        }
        _ => false,
    }
}

/// Words and numbers of YAML 1.1 (<https://yaml.org/type/>) that are strings in 1.2: booleans,
/// numbers in base 60, 2 and 8, numbers with underscores, dates, `=` and `<<`.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "=", "<<"];
    let first = text.trim_start_matches(['+', '-']).chars().next();
    let is_number_like = first.is_some_and(|c| c.is_ascii_digit() || c == '.')
        && text.chars().all(|c| c.is_ascii_hexdigit() || "+-._:xobTtZz ".contains(c));
    is_number_like || WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_1_1_reads_otherwise_is_quoted() {
        let value = json!({"on": ["yes", "No", "y", "=", "12:30:00", "0o7", "1_000", "2001-12-14", "é", "it's on", "a\u{2029}b"]});
        let text = to_string(&value).expect("YAML");
        assert_eq!(
            text,
            "'on':\n- 'yes'\n- 'No'\n- 'y'\n- '='\n- '12:30:00'\n- '0o7'\n- '1_000'\n- '2001-12-14'\n- é\n- it's on\n- \"a\\u2029b\"\n"
        );
        let read: Value = serde_yaml::from_str(&text).expect("well formed");
        assert_eq!(read, value);
    }

    #[test]
    fn every_string_comes_back() {
        proptest::proptest!(|(text in proptest::string::string_regex("(?s).{0,12}").expect("a regex"))| {
            let value = json!({"a": [text.clone()], text.clone(): text});
            let read: Value = serde_yaml::from_str(&to_string(&value).expect("YAML")).expect("well formed");
            assert_eq!(read, value);
            let again = crate::evidence::manifests::document::Document::parse(&to_string(&value).expect("YAML"));
            assert_eq!(again.expect("well formed").expect("a document").value, value);
        });
    }
}
