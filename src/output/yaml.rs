//! YAML that readers of YAML 1.1, as kubectl, and of 1.2 read alike.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// Stands before and behind a string that is to be quoted: a character of the private use area.
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
    mark(&mut value);
    let text = serde_yaml::to_string(&value).map_err(|error| fail(error.to_string()))?;
    if !text.contains(MARK) {
        return Ok(text);
    }
    Ok(text.split(MARK).enumerate().map(|(number, part)| quoted(number, part)).collect())
}

/// Every second part of a text stood between two marks.
fn quoted(number: usize, part: &str) -> Cow<'_, str> {
    if number % 2 == 1 { Cow::Owned(format!("'{part}'")) } else { Cow::Borrowed(part) }
}

/// Marks the strings that serde_yaml, which writes YAML 1.2, leaves plain and YAML 1.1 reads as
/// something else.
fn mark(value: &mut Value) {
    let marked = |text: &str| format!("{MARK}{text}{MARK}");
    match value {
        Value::String(text) if is_ambiguous(text) => *text = marked(text),
        Value::Array(items) => items.iter_mut().for_each(mark),
        Value::Object(fields) => {
            fields.values_mut().for_each(mark);
            if fields.keys().any(|key| is_ambiguous(key)) {
                let renamed = std::mem::take(fields).into_iter().map(|(key, value)| {
                    let key = if is_ambiguous(&key) { marked(&key) } else { key };
                    (key, value)
                });
                *fields = renamed.collect();
            }
        }
        _ => {}
    }
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
        let value = json!({"on": ["yes", "No", "y", "=", "12:30:00", "0o7", "1_000", "2001-12-14", "é", "it's on"]});
        let text = to_string(&value).expect("YAML");
        assert_eq!(
            text,
            "'on':\n- 'yes'\n- 'No'\n- 'y'\n- '='\n- '12:30:00'\n- '0o7'\n- '1_000'\n- '2001-12-14'\n- é\n- it's on\n"
        );
        let read: Value = serde_yaml::from_str(&text).expect("well formed");
        assert_eq!(read, value);
    }
}
