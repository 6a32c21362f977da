//! The nodes of one YAML document with their places in its text, by the parser that reads it.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::Unfit;

/// A node of the text. Places are byte offsets; an anchor or a tag stands before `start`.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) start: usize,
    /// Behind the last character of the value; a comment or a line break is not part of it.
    pub(super) end: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing is written, which is null.
    Nothing,
    Scalar(ScalarStyle),
    Alias,
    Map {
        fields: Vec<Field>,
        flow: bool,
    },
    List {
        items: Vec<Item>,
        flow: bool,
    },
}

impl Node {
    pub(super) fn is_block(&self) -> bool {
        matches!(self.kind, Kind::Map { flow: false, .. } | Kind::List { flow: false, .. })
    }
}

#[derive(Debug)]
pub(super) struct Field {
    /// `None`: the key is no plain word.
    pub(super) name: Option<String>,
    pub(super) key: Range<usize>,
    /// Behind the colon; `None`: it has none, or the key is written with `?`.
    pub(super) intro: Option<usize>,
    pub(super) value: Node,
}

#[derive(Debug)]
pub(super) struct Item {
    /// Of a block list, where its dash stands.
    pub(super) dash: usize,
    pub(super) value: Node,
}

/// The one document of a text.
pub(super) struct Tree {
    pub(super) root: Node,
    /// Its comments, in order, each with its `#`.
    pub(super) comments: Vec<Range<usize>>,
    /// It has anchors.
    pub(super) shares: bool,
    /// A block scalar ends with the text, which has no line break there.
    pub(super) is_open: bool,
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, granit_parser::StrInput<'a>>,
    comments: Vec<Range<usize>>,
    shares: bool,
    is_open: bool,
}

/// Reads the only document of a text.
///
/// # Errors
/// It is malformed, empty, or one of several.
pub(super) fn tree(text: &str) -> Result<Tree, Unfit> {
    let options = granit_parser::options! { max_buffered_comment_events: usize::MAX };
    let events = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { text, events, comments: Vec::new(), shares: false, is_open: false };
    loop {
        match reader.next()? {
            (Event::DocumentStart(..), _) => break,
            (Event::StreamEnd, _) => return Err(Unfit::new(0, "it is empty")),
            _ => {}
        }
    }
    let (event, span) = reader.next()?;
    let root = reader.node(event, span, 0)?;
    loop {
        match reader.next()? {
            (Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => break,
            (_, span) => return Err(Unfit::new(span.start, "another document begins")),
        }
    }
    Ok(Tree { root, comments: reader.comments, shares: reader.shares, is_open: reader.is_open })
}

impl<'a> Reader<'a> {
    /// The next event that is no comment.
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Unfit> {
        loop {
            let (event, span) = match self.events.next() {
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    return Err(Unfit::new(
                        error.marker().byte_offset().unwrap_or(0),
                        "it is malformed",
                    ));
                }
                None => return Err(Unfit::new(self.text.len(), "it ends too early")),
            };
            let range = range(&span, self.text)?;
            if let Event::Comment(..) = event {
                self.comments.push(range);
            } else {
                return Ok((event, range));
            }
        }
    }

    /// The node that an event begins. `intro` is the place behind what introduces it: a colon, a
    /// dash.
    fn node(&mut self, event: Event<'a>, range: Range<usize>, intro: usize) -> Result<Node, Unfit> {
        let anchor = match &event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(_, anchor, _)
            | Event::MappingStart(_, anchor, _) => *anchor,
            _ => 0,
        };
        self.shares |= anchor != 0;
        Ok(match event {
            Event::Scalar(_, style @ (ScalarStyle::Literal | ScalarStyle::Folded), ..) => {
                let (start, end) = self.block_scalar(intro, range)?;
                self.is_open |= end == self.text.len();
                Node { start, end, kind: Kind::Scalar(style) }
            }
            Event::Scalar(..) if range.is_empty() => {
                Node { start: intro, end: intro, kind: Kind::Nothing }
            }
            Event::Scalar(_, style, ..) => {
                Node { start: range.start, end: range.end, kind: Kind::Scalar(style) }
            }
            Event::Alias(_) => Node { start: range.start, end: range.end, kind: Kind::Alias },
            Event::MappingStart(style, ..) => self.map(range, style == StructureStyle::Flow)?,
            Event::SequenceStart(style, ..) => {
                self.list(range, style == StructureStyle::Flow, intro)?
            }
            _ => return Err(Unfit::new(range.start, "a value is missing")),
        })
    }

    fn map(&mut self, open: Range<usize>, flow: bool) -> Result<Node, Unfit> {
        let mut fields: Vec<Field> = Vec::new();
        let close = loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break range;
            }
            let name = match &event {
                Event::Scalar(
                    name,
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted,
                    ..,
                ) => Some(name.to_string()),
                _ => None,
            };
            let key = self.node(event, range.clone(), range.start)?;
            let colon = self.blank(key.end, flow);
            let explicit = self.text[..key.start].trim_end_matches([' ', '\t']).ends_with('?');
            let intro = (self.text[colon..].starts_with(':') && !explicit).then_some(colon + 1);
            let (event, range) = self.next()?;
            let value = self.node(event, range, intro.unwrap_or(key.end))?;
            fields.push(Field { name, key: key.start..key.end, intro, value });
        };
        let (start, end) = if flow && !open.is_empty() {
            (open.start, close.end)
        } else {
            let first = fields.first().map_or(open.start, |field| field.key.start);
            (first, fields.last().map_or(first, |field| field.value.end.max(field.key.end)))
        };
        Ok(Node { start, end, kind: Kind::Map { fields, flow } })
    }

    fn list(&mut self, open: Range<usize>, flow: bool, intro: usize) -> Result<Node, Unfit> {
        let mut items: Vec<Item> = Vec::new();
        let mut behind = intro;
        let close = loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break range;
            }
            let dash = if flow { range.start } else { self.dash(behind)? };
            let value = self.node(event, range, if flow { dash } else { dash + 1 })?;
            behind = value.end;
            items.push(Item { dash, value });
        };
        let (start, end) = if flow {
            (open.start, close.end)
        } else {
            let first = items.first().map_or(open.start, |item| item.dash);
            (first, items.last().map_or(first, |item| item.value.end))
        };
        Ok(Node { start, end, kind: Kind::List { items, flow } })
    }

    /// Where the next thing stands that is neither blank nor, with `lines`, a line break or a
    /// comment.
    fn blank(&self, from: usize, lines: bool) -> usize {
        let mut at = from;
        loop {
            let rest = &self.text[at..];
            let blank = |c: char| c == ' ' || c == '\t' || lines && matches!(c, '\n' | '\r');
            at += rest.len() - rest.trim_start_matches(blank).len();
            if !lines || !self.text[at..].starts_with('#') {
                return at;
            }
            at += self.text[at..].find('\n').unwrap_or(self.text.len() - at);
        }
    }

    /// The dash of the next item: what comes before it is a comment, or an anchor or a tag of the
    /// list.
    fn dash(&self, from: usize) -> Result<usize, Unfit> {
        let mut at = self.blank(from, true);
        while self.text[at..].starts_with(['&', '!']) {
            at = self.blank(self.word_end(at), true);
        }
        if self.text[at..].starts_with('-') {
            Ok(at)
        } else {
            Err(Unfit::new(at, "a dash was expected here"))
        }
    }

    fn word_end(&self, at: usize) -> usize {
        at + self.text[at..].find(char::is_whitespace).unwrap_or(self.text.len() - at)
    }

    /// A block scalar from its `|` or `>` to the end of what counts: with `+`, empty lines at its
    /// end do.
    fn block_scalar(&self, intro: usize, content: Range<usize>) -> Result<(usize, usize), Unfit> {
        let mut start = self.blank(intro, true);
        while self.text[start..].starts_with(['&', '!']) {
            start = self.blank(self.word_end(start), true);
        }
        if !self.text[start..].starts_with(['|', '>']) {
            return Err(Unfit::new(start, "a block scalar was expected here"));
        }
        let header = self.word_end(start);
        let text = &self.text[start..content.end.max(header)];
        let end = if self.text[start..header].contains('+') {
            let whole = text.trim_end_matches([' ', '\t']);
            whole.strip_suffix('\n').map_or(whole, |text| text.strip_suffix('\r').unwrap_or(text))
        } else {
            text.trim_end()
        };
        Ok((start, (start + end.len()).max(header)))
    }
}

fn range(span: &Span, text: &str) -> Result<Range<usize>, Unfit> {
    let range = span.byte_range().filter(|range| text.get(range.clone()).is_some());
    range.ok_or(Unfit::new(0, "a place in it is not known"))
}
