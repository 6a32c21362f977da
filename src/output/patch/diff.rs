//! A unified diff, for people.

use serde_json::Value;
use similar::TextDiff;

use crate::error::Error;

/// The change between two objects as YAML, with three lines around each hunk; empty where nothing changes.
///
/// # Errors
/// An object that cannot be written as YAML.
pub fn diff(original: &Value, planned: &Value, name: &str) -> Result<String, Error> {
    let yaml = |object: &Value| {
        serde_saphyr::to_string(object).map_err(|error| Error::input(format!("write {name} as YAML"), error))
    };
    let (before, after) = (yaml(original)?, yaml(planned)?);
    let diff = TextDiff::from_lines(&before, &after);
    Ok(diff.unified_diff().context_radius(3).header(name, &format!("{name} (nonroot)")).to_string())
}
