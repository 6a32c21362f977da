//! A Helm chart, as far as its values are concerned.

use serde_json::Value;

/// A chart, or one below it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartPart {
    /// Where its values stand in those of the whole chart.
    pub prefix: Vec<String>,
    /// The values that it comes with.
    pub values: Value,
    pub schema: Option<Value>,
    pub templates: Vec<String>,
}
