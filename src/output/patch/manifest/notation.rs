//! Values as text that fits what stands around it.

use granit_parser::ScalarStyle;
use serde::Serialize as _;
use serde_json::Value;

use super::Unfit;
use super::tree::{Kind, Node};

/// How a document is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Columns from a map to a map in it.
    step: usize,
    /// The dashes of a list stand below its key, not to the right of it.
    compact: bool,
    /// It is JSON, and has to stay so.
    pub(super) json: bool,
}

impl Layout {
    /// What most of a document does; kubectl's own layout where it does not say.
    pub(super) fn of(text: &str, root: &Node) -> Layout {
        let mut seen = Seen { text, steps: [0; 17], compact: 0 };
        seen.node(root, Some(0));
        let most =
            (1..seen.steps.len()).max_by_key(|step| (seen.steps[*step], usize::from(*step == 2)));
        Layout {
            step: most.filter(|step| seen.steps[*step] > 0).unwrap_or(2),
            compact: seen.compact >= 0,
            json: serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        }
    }

    /// Lines in block style.
    pub(super) fn block(self, value: &Value) -> Result<Vec<String>, Unfit> {
        // A long text stays on its line: a command is searched for and read as one.
        let options = serde_saphyr::ser_options! {
            indent_step: self.step, compact_list_indent: self.compact, folded_wrap_chars: usize::MAX,
        };
        let text = serde_saphyr::to_string_with_options(value, options);
        let text = text.map_err(|_| Unfit::new(0, "a value cannot be written"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Text for one line within brackets; a string is quoted as the one was that it replaces.
    pub(super) fn flow(self, value: &Value, style: Option<ScalarStyle>) -> Result<String, Unfit> {
        match (value, style) {
            (Value::String(text), Some(ScalarStyle::SingleQuoted))
                if !text.contains(char::is_control) =>
            {
                return Ok(format!("'{}'", text.replace('\'', "''")));
            }
            (Value::String(text), style)
                if style == Some(ScalarStyle::DoubleQuoted) || text.contains('\n') =>
            {
                return Ok(value.to_string());
            }
            _ if self.json => return Ok(value.to_string()),
            _ => {}
        }
        let text = serde_saphyr::to_string(&serde_saphyr::FlowSeq(vec![value])).ok();
        let text = text
            .as_deref()
            .map(str::trim_end)
            .and_then(|text| text.strip_prefix('[')?.strip_suffix(']'));
        text.map(str::to_owned).ok_or(Unfit::new(0, "a value cannot be written"))
    }

    /// JSON on lines of their own, all but the first behind a line break and its indent.
    pub(super) fn pretty(
        self,
        value: &Value,
        (line_break, indent): (&str, &str),
    ) -> Result<String, Unfit> {
        let step = if indent.contains('\t') { "\t".to_owned() } else { " ".repeat(self.step) };
        let formatter = serde_json::ser::PrettyFormatter::with_indent(step.as_bytes());
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        value.serialize(&mut serializer).map_err(|_| Unfit::new(0, "a value cannot be written"))?;
        let text =
            String::from_utf8(bytes).map_err(|_| Unfit::new(0, "a value cannot be written"))?;
        Ok(text.replace('\n', &format!("{line_break}{indent}")))
    }
}

struct Seen<'a> {
    text: &'a str,
    steps: [usize; 17],
    /// Lists below their keys, less those to the right of them.
    compact: isize,
}

impl Seen<'_> {
    fn node(&mut self, node: &Node, above: Option<usize>) {
        match &node.kind {
            Kind::Map { fields, .. } => {
                for field in fields {
                    let column = column(self.text, field.key.start);
                    if let Some(step) = above.and_then(|above| column.checked_sub(above))
                        && starts_its_line(self.text, field.key.start)
                        && let Some(count) = self.steps.get_mut(step)
                    {
                        *count += 1;
                    }
                    self.node(&field.value, Some(column));
                }
            }
            Kind::List { items, flow } => {
                if let (Some(above), Some(first), false) = (above, items.first(), flow) {
                    self.compact += if column(self.text, first.dash) == above { 1 } else { -1 };
                }
                items.iter().for_each(|item| self.node(&item.value, None));
            }
            _ => {}
        }
    }
}

/// The column, in bytes: what stands before a node is blanks and dashes.
pub(super) fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |line_break| line_break + 1)
}

pub(super) fn starts_its_line(text: &str, at: usize) -> bool {
    text[line_start(text, at)..at].trim_matches([' ', '\t']).is_empty()
}
