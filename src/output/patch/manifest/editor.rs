//! The edits of a text that take a document from one value to another, each where its node stands.

use std::ops::Range;

use serde_json::{Map, Value, json};
use similar::{Algorithm, DiffOp};

use super::Unfit;
use super::notation::{Layout, column, line_start, starts_its_line};
use super::tree::{Field, Item, Kind, Node, Tree};
use crate::model::merge_key::merge_key;

/// The text with the change in it.
pub(super) fn edited(
    text: &str,
    tree: &Tree,
    original: &Value,
    planned: &Value,
    unshared: bool,
) -> Result<String, Unfit> {
    let layout = Layout::of(text, &tree.root);
    let line_break =
        if text.find('\n').is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" };
    let mut editor = Editor { text, tree, layout, line_break, unshared, splices: Vec::new() };
    editor.change(
        &Place { key: None, name: "", intro: 0, column: 0, flow: false },
        &tree.root,
        original,
        planned,
    )?;
    editor.result()
}

/// What introduces a node.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The key of a field; `None` for an item.
    key: Option<&'a str>,
    /// The field that it is in, or whose list it is in.
    name: &'a str,
    /// Behind the colon or the dash.
    intro: usize,
    /// Of the key or the dash.
    column: usize,
    /// Within brackets.
    flow: bool,
}

struct Editor<'a> {
    text: &'a str,
    tree: &'a Tree,
    layout: Layout,
    line_break: &'static str,
    /// Aliases are replaced by values.
    unshared: bool,
    splices: Vec<(Range<usize>, String)>,
}

impl Editor<'_> {
    /// The text with all splices in it.
    fn result(mut self) -> Result<String, Unfit> {
        // At one place, what is put in comes before what is taken out, and what is deeper came
        // first.
        self.splices.sort_by_key(|(range, _)| (range.start, range.end));
        let (mut out, mut done) = (String::with_capacity(self.text.len() + 1024), 0);
        for (range, new) in &self.splices {
            if range.start < done {
                return Err(Unfit::new(range.start, "two changes meet in one place"));
            }
            out.push_str(&self.text[done..range.start]);
            out.push_str(new);
            done = range.end;
        }
        out.push_str(&self.text[done..]);
        Ok(out)
    }

    fn splice(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.splices.push((range, text.into()));
    }

    fn change(
        &mut self,
        place: &Place<'_>,
        node: &Node,
        before: &Value,
        after: &Value,
    ) -> Result<(), Unfit> {
        if before == after {
            return Ok(());
        }
        match (&node.kind, before, after) {
            (Kind::Alias, ..) if !self.unshared => Ok(()),
            (Kind::Map { fields, flow }, Value::Object(old), Value::Object(new))
                if !new.is_empty() && !fields.is_empty() =>
            {
                self.map(node, fields, *flow, old, new)
            }
            (Kind::List { items, flow }, Value::Array(old), Value::Array(new))
                if !new.is_empty() && !items.is_empty() =>
            {
                self.list(place, node, items, *flow, (old, new))
            }
            _ => self.replace(place, node, after),
        }
    }

    fn map(
        &mut self,
        node: &Node,
        fields: &[Field],
        flow: bool,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) -> Result<(), Unfit> {
        let own = |name: &str| fields.iter().find(|field| field.name.as_deref() == Some(name));
        let mut gone = Vec::new();
        for (number, field) in fields.iter().enumerate() {
            let Some(name) = field.name.as_deref() else {
                return Err(Unfit::new(field.key.start, "a key is no word"));
            };
            let (before, after) = (old.get(name), new.get(name));
            gone.push(before.is_some() && after.is_none());
            // Of a key that is there twice, the last counts.
            let counts =
                !fields[number + 1..].iter().any(|other| other.name.as_deref() == Some(name));
            if let (Some(before), Some(after), true) = (before, after, counts)
                && before != after
            {
                let intro = field.intro.ok_or(Unfit::new(
                    field.key.start,
                    "a key there is written with a ? or has no colon",
                ))?;
                let column = column(self.text, field.key.start);
                self.change(
                    &Place { key: Some(name), name, intro, column, flow },
                    &field.value,
                    before,
                    after,
                )?;
            }
        }
        // What a merge key brings changes with its anchor, or is overridden by a field of the map's
        // own.
        let inherited = |name: &String| old.contains_key(name) && own(name).is_none();
        if self.unshared && old.keys().any(|name| !new.contains_key(name) && inherited(name)) {
            return Err(Unfit::new(node.start, "what a merge key brings cannot be taken away"));
        }
        let is_added = |(name, value): &(&String, &Value)| {
            own(name).is_none()
                && old.get(*name) != Some(*value)
                && (self.unshared || !inherited(name))
        };
        let added: Vec<(&String, &Value)> = new.iter().filter(is_added).collect();
        if flow {
            let ranges: Vec<Range<usize>> = fields
                .iter()
                .map(|field| field.key.start..field.value.end.max(field.key.end))
                .collect();
            let is_tight = |field: &Field| field.intro.is_some_and(|at| at == field.value.start);
            let colon = if self.layout.json && fields.iter().all(is_tight) { ":" } else { ": " };
            let texts = added.iter().map(|(name, value)| {
                Ok(self.layout.flow(&json!(name), None)? + colon + &self.beside(value, &ranges)?)
            });
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            return self.brackets(node, &ranges, &gone, vec![(fields.len(), texts)]);
        }
        self.block_map(fields, &gone, &added)
    }

    /// A value to stand in brackets beside others: JSON on lines where theirs are.
    fn beside(&self, value: &Value, around: &[Range<usize>]) -> Result<String, Unfit> {
        match around
            .last()
            .filter(|last| self.layout.json && starts_its_line(self.text, last.start))
        {
            Some(last) => self.layout.pretty(value, self.fresh(last.start)),
            None => self.layout.flow(value, None),
        }
    }

    fn block_map(
        &mut self,
        fields: &[Field],
        gone: &[bool],
        added: &[(&String, &Value)],
    ) -> Result<(), Unfit> {
        let (Some(first), Some(last)) = (fields.first(), fields.last()) else { return Ok(()) };
        let column = column(self.text, first.key.start);
        let mut lines = Vec::new();
        for (name, value) in added {
            let mut field = Map::new();
            field.insert((*name).clone(), (*value).clone());
            lines.extend(self.layout.block(&Value::Object(field))?);
        }
        // A map that starts behind a dash has its first key on the dash's line; no line break is
        // before the first line.
        let mut skipped = 0;
        if gone[0]
            && (!starts_its_line(self.text, first.key.start)
                || line_start(self.text, first.key.start) == 0)
        {
            skipped = gone.iter().take_while(|gone| **gone).count();
            let end = self.line_end(end(&fields[skipped - 1]));
            let comments = self.comments(first.key.start..end);
            let pad = " ".repeat(column);
            if let Some(kept) = fields.get(skipped) {
                // Up to it, or to the comment above it.
                let next = end + self.text[end..kept.key.start].len()
                    - self.text[end..kept.key.start].trim_start().len();
                let text: String = comments
                    .iter()
                    .map(|comment| format!("{comment}{}{pad}", self.line_break))
                    .collect();
                self.splice(first.key.start..next, text);
            } else {
                lines.extend(comments);
                let text = self.lines(&lines, column);
                self.splice(first.key.start..end, text.trim_start());
                return Ok(());
            }
        }
        for (field, _) in fields.iter().zip(gone).skip(skipped).filter(|(_, gone)| **gone) {
            self.take_lines(field.key.start..end(field), column)?;
        }
        if !lines.is_empty() {
            let at = self.behind_comments(self.line_end(end(last)), column);
            self.put_lines(at, &lines, column)?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        place: &Place<'_>,
        node: &Node,
        items: &[Item],
        flow: bool,
        (old, new): (&[Value], &[Value]),
    ) -> Result<(), Unfit> {
        if items.len() != old.len() {
            return Err(Unfit::new(node.start, "a list has other items than were read"));
        }
        let names = |values: &[Value]| {
            values.iter().map(|value| identity(place.name, value)).collect::<Vec<_>>()
        };
        let mut gone = vec![false; items.len()];
        let mut added: Vec<(usize, &[Value])> = Vec::new();
        for step in similar::capture_diff_slices(Algorithm::Myers, &names(old), &names(new)) {
            let (from, to) = (step.old_range(), step.new_range());
            let is_plain = |values: &[Value]| {
                !values.iter().any(|value| value.is_object() || value.is_array())
            };
            let pairs = match step {
                DiffOp::Replace { .. }
                    if !is_plain(&old[from.clone()]) || !is_plain(&new[to.clone()]) =>
                {
                    0
                }
                _ => from.len().min(to.len()),
            };
            for (at, new_at) in from.clone().zip(to.clone()).take(pairs) {
                let Item { dash, value } = &items[at];
                let inner = Place {
                    key: None,
                    name: place.name,
                    intro: dash + 1,
                    column: column(self.text, *dash),
                    flow,
                };
                self.change(&inner, value, &old[at], &new[new_at])?;
            }
            gone[from.start + pairs..from.end].fill(true);
            if to.len() > pairs {
                added.push((from.start + pairs, &new[to.start + pairs..to.end]));
            }
        }
        if flow {
            let ranges: Vec<Range<usize>> =
                items.iter().map(|item| item.value.start..item.value.end).collect();
            let texts = added.into_iter().map(|(at, values)| {
                Ok((
                    at,
                    values
                        .iter()
                        .map(|value| self.beside(value, &ranges))
                        .collect::<Result<_, _>>()?,
                ))
            });
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            return self.brackets(node, &ranges, &gone, texts);
        }
        let column = column(self.text, items[0].dash);
        if let Some(item) = items.iter().find(|item| !starts_its_line(self.text, item.dash)) {
            return Err(Unfit::new(item.dash, "a list begins on the line of another"));
        }
        for (item, _) in items.iter().zip(&gone).filter(|(_, gone)| **gone) {
            self.take_lines(item.dash..item.value.end, column)?;
        }
        for (at, values) in added {
            let mut lines = Vec::new();
            for value in values {
                lines.extend(hanging(self.layout.block(value)?));
            }
            let before = if at == 0 { place.intro } else { items[at - 1].value.end };
            let mut end = self.line_end(before);
            if at > 0 {
                end = self.behind_comments(end, column + 1);
            }
            self.put_lines(end, &lines, column)?;
        }
        Ok(())
    }

    /// Changes the entries of a map or a list in brackets: takes out those that are gone, and puts
    /// texts before the entry of a number, or behind the last.
    fn brackets(
        &mut self,
        node: &Node,
        entries: &[Range<usize>],
        gone: &[bool],
        added: Vec<(usize, Vec<String>)>,
    ) -> Result<(), Unfit> {
        if !self.text[node.start..].starts_with(['{', '[']) {
            return Err(Unfit::new(node.start, "a map in brackets has none of its own"));
        }
        let Some(last) = entries.last() else { return Ok(()) };
        let own_lines = starts_its_line(self.text, last.start);
        let between = if own_lines {
            let (line_break, indent) = self.fresh(last.start);
            format!(",{line_break}{indent}")
        } else if self.layout.json && entries.windows(2).all(|two| two[0].end + 1 == two[1].start) {
            ",".to_owned()
        } else {
            ", ".to_owned()
        };
        let Some(kept) = gone.iter().rposition(|gone| !gone) else {
            let texts: Vec<String> = added.into_iter().flat_map(|(_, texts)| texts).collect();
            self.splice(entries[0].start..last.end, texts.join(&between));
            return Ok(());
        };
        for at in (0..kept).filter(|at| gone[*at]) {
            self.splice(entries[at].start..entries[at + 1].start, "");
        }
        if kept + 1 < entries.len() {
            self.splice(entries[kept].end..last.end, "");
        }
        for (at, texts) in added.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            let text = texts.join(&between);
            if at < entries.len() && at <= kept {
                self.splice(entries[at].start..entries[at].start, text + &between);
                continue;
            }
            // A comment behind the last entry stays behind it.
            let end = entries[kept].end;
            let rest = &self.text[end..self.line_end(end)];
            let has_comma = rest.trim_start().starts_with(',');
            let tail = rest.trim_start().trim_start_matches(',').trim_start();
            if own_lines && kept + 1 == entries.len() && (tail.is_empty() || tail.starts_with('#'))
            {
                if !has_comma {
                    self.splice(end..end, ",");
                }
                let at = self.line_end(end);
                let comma = if has_comma { "," } else { "" };
                self.splice(at..at, format!("{}{text}{comma}", &between[1..]));
            } else {
                self.splice(end..end, between.clone() + &text);
            }
        }
        Ok(())
    }

    /// Another value in place of a node.
    fn replace(&mut self, place: &Place<'_>, node: &Node, value: &Value) -> Result<(), Unfit> {
        let is_filled = value.as_object().is_some_and(|fields| !fields.is_empty())
            || value.as_array().is_some_and(|items| !items.is_empty());
        if is_filled && !place.flow && !self.layout.json {
            return self.replace_by_lines(place, node, value);
        }
        let style = match node.kind {
            Kind::Scalar(style) => Some(style),
            _ => None,
        };
        let text = if self.layout.json && is_filled && self.is_laid_out(node.start) {
            self.layout.pretty(value, self.fresh(node.start))?
        } else {
            self.layout.flow(value, style)?
        };
        if node.is_block() {
            let end = self.line_end(node.end);
            let comments = self.comments(place.intro..node.end);
            self.splice(place.intro..node.end, format!(" {text}"));
            self.put_lines(end, &comments, place.column)?;
        } else if matches!(node.kind, Kind::Nothing) {
            self.splice(place.intro..place.intro, format!(" {text}"));
        } else {
            self.splice(node.start..node.end, text);
        }
        Ok(())
    }

    /// Whether the JSON around a place is laid out on lines.
    fn is_laid_out(&self, at: usize) -> bool {
        let line = line_start(self.text, at);
        line > 0 && self.text[line..].trim_start_matches([' ', '\t']).starts_with('"')
    }

    fn replace_by_lines(
        &mut self,
        place: &Place<'_>,
        node: &Node,
        value: &Value,
    ) -> Result<(), Unfit> {
        let Some(key) = place.key else {
            let text = self.lines(&hanging(self.layout.block(value)?), place.column);
            let text = text.trim_start().trim_start_matches("- ");
            if matches!(node.kind, Kind::Nothing) {
                self.splice(place.intro..place.intro, format!(" {text}"));
            } else {
                self.splice(node.start..node.end, text);
            }
            return Ok(());
        };
        let mut field = Map::new();
        field.insert(key.to_owned(), value.clone());
        let mut lines: Vec<String> = self.layout.block(&Value::Object(field))?.split_off(1);
        let before = &self.text[place.intro..node.start];
        let start = place.intro + if before.contains('\n') { 0 } else { before.trim_end().len() };
        let comments = self.comments(start..node.end);
        lines.extend(comments.into_iter().map(|comment| format!("{}{comment}", " ".repeat(2))));
        self.splice(start..node.end, "");
        self.put_lines(self.line_end(node.end), &lines, place.column)
    }

    /// Takes out whole lines, but for the comments on them.
    fn take_lines(&mut self, range: Range<usize>, column: usize) -> Result<(), Unfit> {
        let start = line_start(self.text, range.start);
        if !starts_its_line(self.text, range.start) || start == 0 {
            return Err(Unfit::new(range.start, "a line holds more than what would be taken out"));
        }
        let end = self.line_end(range.end);
        let comments = self.comments(range.start..end);
        let text = self.lines(&comments, column);
        let start = start - if self.text[..start].ends_with("\r\n") { 2 } else { 1 };
        self.splice(start..end, text);
        Ok(())
    }

    /// Puts lines below the one that ends at a place.
    fn put_lines(&mut self, at: usize, lines: &[String], column: usize) -> Result<(), Unfit> {
        let mut text = self.lines(lines, column);
        // Readers differ in what a block scalar is that ends without a line break.
        if at == self.text.len() && !lines.is_empty() {
            if self.tree.is_open {
                return Err(Unfit::new(
                    at,
                    "its last line is part of a block scalar and has no line break",
                ));
            }
            if lines.iter().any(|line| line.ends_with(['|', '+', '-'])) {
                text.push_str(self.line_break);
            }
        }
        self.splice(at..at, text);
        Ok(())
    }

    /// Lines, each behind a line break and so many columns.
    fn lines(&self, lines: &[String], column: usize) -> String {
        let pad = " ".repeat(column);
        lines.iter().fold(String::new(), |mut out, line| {
            out.push_str(self.line_break);
            if !line.is_empty() {
                out.push_str(&pad);
                out.push_str(line);
            }
            out
        })
    }

    fn comments(&self, range: Range<usize>) -> Vec<String> {
        let inside = self
            .tree
            .comments
            .iter()
            .filter(|comment| range.start <= comment.start && comment.end <= range.end);
        inside.map(|comment| self.text[comment.clone()].trim_end().to_owned()).collect()
    }

    /// The end of a line, before its line break.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |line_break| at + line_break);
        if end > at && self.text[..end].ends_with('\r') { end - 1 } else { end }
    }

    /// What begins another line like the one of a place.
    fn fresh(&self, at: usize) -> (&str, &str) {
        (self.line_break, self.indent(at))
    }

    fn indent(&self, at: usize) -> &str {
        let line = &self.text[line_start(self.text, at)..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// From the end of a line behind the lines of comment that follow at once and are indented as
    /// far: an item that is commented out stays with its list.
    fn behind_comments(&self, end: usize, column: usize) -> usize {
        let mut end = end;
        while let Some(line) =
            self.text[end..].strip_prefix("\r\n").or(self.text[end..].strip_prefix('\n'))
        {
            let comment = line.trim_start_matches(' ');
            if !comment.starts_with('#') || line.len() - comment.len() < column {
                break;
            }
            end = self.line_end(self.text.len() - comment.len());
        }
        end
    }
}

/// Behind the last character of a field.
fn end(field: &Field) -> usize {
    field.value.end.max(field.intro.unwrap_or(field.key.end))
}

/// Lines behind a dash.
fn hanging(lines: Vec<String>) -> Vec<String> {
    let dashed = |(number, line): (usize, String)| match number {
        0 => format!("- {line}"),
        _ if line.is_empty() => line,
        _ => format!("  {line}"),
    };
    lines.into_iter().enumerate().map(dashed).collect()
}

/// What an item is known by in its list.
fn identity(list: &str, item: &Value) -> String {
    let key = merge_key(list).unwrap_or("name");
    match (&item[key], &item["metadata"]) {
        // Of some kinds a container needs no name.
        (Value::Null, Value::Null) if item["image"].is_string() => item["image"].to_string(),
        (Value::Null, Value::Null) => item.to_string(),
        (Value::Null, metadata) => {
            format!("{} {} {}", item["kind"], metadata["namespace"], metadata["name"])
        }
        (name, _) => name.to_string(),
    }
}
