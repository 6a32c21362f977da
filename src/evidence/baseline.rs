//! A baseline: the file of findings that are accepted.

use std::path::Path;
use std::{fs, io};

use serde::Deserialize as _;
use serde_json::Value;

use super::manifests::document::Document;
use crate::error::Error;
use crate::model::acceptance::Acceptance;

/// The most bytes that one may have: some ten thousand entries.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// A file of accepted findings as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    pub file: String,
    pub text: String,
    /// Each with the line that it begins on.
    pub entries: Vec<(u64, Acceptance)>,
}

/// Reads a baseline; `None` where there is no such file.
///
/// # Errors
/// It cannot be read, or an entry is not whole: one without a reason accepts nothing, so that it is
/// refused.
pub fn read(path: &Path) -> Result<Option<Baseline>, Error> {
    let file = path.display().to_string();
    let fail =
        |error: &dyn std::fmt::Display| Error::input(format!("read the baseline {file}"), error);
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
            return Err(fail(&format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let text = fs::read_to_string(path).map_err(|error| fail(&error))?;
    parse(&file, text).map(Some)
}

/// The entries of a baseline's text.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, text: String) -> Result<Baseline, Error> {
    let fail = |line: u64, why: &str| Error::input(format!("read the baseline {file}:{line}"), why);
    let mut entries = Vec::new();
    let document =
        Document::parse(&text).map_err(|malformed| fail(malformed.line, &malformed.why))?;
    if let Some(Document { value, lines, repeated }) = document {
        // What is accepted is not to depend on which of two reasons counts.
        if let Some(again) = repeated.first() {
            return Err(fail(again.line, &format!("{} is there twice", again.key)));
        }
        if (value["apiVersion"].as_str(), value["kind"].as_str())
            != (Some("nonroot/v1"), Some("Baseline"))
        {
            let help = "kubectl nonroot scan --baseline FILE --write-baseline makes one";
            return Err(fail(1, "it has no apiVersion: nonroot/v1 and kind: Baseline").help(help));
        }
        let items = match &value["accepted"] {
            Value::Null => &Vec::new(),
            Value::Array(items) => items,
            _ => return Err(fail(lines.of("accepted"), "accepted is no list")),
        };
        for (index, item) in items.iter().enumerate() {
            let line = lines.of(&format!("accepted[{index}]"));
            let entry =
                Acceptance::deserialize(item).map_err(|error| fail(line, &error.to_string()))?;
            if entry.reason.trim().is_empty() {
                return Err(fail(line, "an entry gives no reason"));
            }
            entries.push((line, entry));
        }
    }
    Ok(Baseline { file: file.to_owned(), text, entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_needs_a_reason_and_nothing_unknown() {
        let head = "apiVersion: nonroot/v1\nkind: Baseline\naccepted:\n";
        let read = |rest: &str| {
            parse("b.yaml", format!("{head}{rest}")).map_err(|error| error.to_string())
        };
        let good = read("- workload: a/b/c\n  check: '*'\n  reason: x\n  expires: 2027-02-28\n")
            .expect("an entry");
        assert_eq!(good.entries[0].0, 4);
        assert_eq!(
            good.entries[0].1.expires.map(|date| date.to_string()).as_deref(),
            Some("2027-02-28")
        );
        for bad in [
            "- workload: a/b/c\n  check: x\n",
            "- workload: a/b/c\n  check: x\n  reason: ' '\n",
            "- {workload: a/b/c, check: x, check: y, reason: x}\n",
            "- workload: a/b/c\n  check: x\n  reason: x\n  expires: 2027-02-30\n",
            "- workload: a/b/c\n  check: x\n  reason: x\n  container: x\n",
        ] {
            assert!(
                read(bad).expect_err(bad).starts_with("cannot read the baseline b.yaml:4:"),
                "{:?}",
                read(bad)
            );
        }
        assert!(parse("b.yaml", "kind: Pod\n".to_owned()).is_err());
        assert!(parse("b.yaml", String::new()).expect("nothing").entries.is_empty());
    }
}
