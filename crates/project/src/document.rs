//! YAML as a tree whose nodes know their places, so that one pass finds every mistake of a file.
//!
//! A typed reader stops at the first mistake. Here the text becomes a tree first, and its readers report each mistake
//! and continue. Mistakes are collected in the [`Document`].

use super::Note;
use perennial_calendar::Invalid;
use perennial_core::error::{Error, Place, Problems};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Maximum number of nodes of a file; aliases could otherwise multiply without end.
const MAX_NODES: usize = 200_000;

/// A text file being read: its name, its text, and its problems.
pub(super) struct Document {
    /// The name readers know it by.
    pub file: String,
    /// The whole text.
    pub text: Arc<str>,
    problems: RefCell<Problems>,
    notes: RefCell<Vec<Note>>,
    /// Lines that must not be shown, because they may hold a secret.
    secret_lines: RefCell<BTreeSet<usize>>,
}

/// A piece of YAML and its bytes in the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What it is.
    pub value: Value,
    /// Bytes in the file.
    pub span: Range<usize>,
}

/// A value of YAML.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A single value; `Plain` when it is not quoted.
    Scalar { text: String, style: Style },
    /// `[a, b]`.
    List(Vec<Node>),
    /// `{a: b}`, in the order of the file; no key twice.
    Map(Vec<(Text, Node)>),
}

/// How a single value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// `|` or `>`, over several lines.
    Block,
}

/// A text and its bytes in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub value: String,
    pub span: Range<usize>,
}

impl Document {
    pub fn new(file: impl Into<String>, text: impl Into<Arc<str>>) -> Document {
        Document {
            file: file.into(),
            text: text.into(),
            problems: RefCell::default(),
            notes: RefCell::default(),
            secret_lines: RefCell::default(),
        }
    }

    /// Reports a mistake at some bytes of the file.
    pub fn report(&self, span: &Range<usize>, error: Error) {
        self.problems.borrow_mut().push(error.at(self.place(span)));
    }

    /// Notes what is accepted but should be changed.
    pub fn note(&self, span: &Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let note = Note { place: self.place(span), message: message.into(), hint: hint.into() };
        self.notes.borrow_mut().push(note);
    }

    /// The notes so far.
    pub fn take_notes(&self) -> Vec<Note> {
        self.notes.take()
    }

    /// Reports a mistake at some bytes that must not be shown, because they may be a secret; neither are their lines by
    /// other problems.
    pub fn report_secret(&self, span: &Range<usize>, error: Error) {
        self.secret_lines.borrow_mut().extend(self.line(span.start)..=self.line(span.end));
        self.report(span, error);
    }

    /// Reports what is wrong with a text at the bytes of it that it is about.
    pub fn report_invalid(&self, text: &Text, invalid: Invalid) {
        let error = Error::project(invalid.message);
        let error = match invalid.hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
        self.report(&self.span_within(text, &invalid.span), error);
    }

    /// The bytes in the file of a part of a text, which may stand in quotes; those of the whole text where the part is
    /// empty, or the file writes the text with escapes or over several lines.
    fn span_within(&self, text: &Text, part: &Range<usize>) -> Range<usize> {
        match self.text[text.span.clone()].find(&text.value) {
            Some(start) if !part.is_empty() && part.end <= text.value.len() => {
                let first = text.span.start + start;
                first + part.start..first + part.end
            }
            _ => text.span.clone(),
        }
    }

    /// Takes over the problems of another text that this one refers to.
    pub fn adopt(&self, other: Document) {
        self.problems.borrow_mut().extend(other.into_problems());
    }

    /// The place of some bytes.
    pub fn place(&self, span: &Range<usize>) -> Place {
        Place::span(self.file.clone(), self.text.clone(), span.clone())
    }

    /// The line of a byte, from 1.
    pub fn line(&self, byte: usize) -> usize {
        self.text.as_bytes()[..byte.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// Whether anything was wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// The problems.
    pub fn into_problems(self) -> Problems {
        let secret_lines = self.secret_lines.into_inner();
        let mut problems = Problems::new();
        for error in self.problems.into_inner() {
            let hidden = match error.place() {
                Some(Place::File { file, line, column, width, .. })
                    if *file == self.file && secret_lines.contains(line) =>
                {
                    Some(Place::File { file: file.clone(), line: *line, column: *column, width: *width, text: None })
                }
                _ => None,
            };
            problems.push(match hidden {
                Some(place) => error.at(place),
                None => error,
            });
        }
        problems
    }

    /// The YAML in these bytes; reported and `None` when it is not YAML. An empty text is an empty mapping.
    pub fn parse(&self, bytes: Range<usize>) -> Option<Node> {
        let yaml = &self.text[bytes.clone()];
        let offset = if yaml.starts_with('\u{feff}') { bytes.start + 3 } else { bytes.start };
        let events = Parser::new_from_str(&self.text[offset..bytes.end]);
        let mut builder = Builder { document: self, events, offset, anchors: HashMap::new(), nodes: 0 };
        builder.document_node().ok()
    }

    /// The YAML of the whole file.
    pub fn parse_all(&self) -> Option<Node> {
        self.parse(0..self.text.len())
    }
}

/// Reading stopped; the reason was reported.
struct Stop;

struct Builder<'d, I> {
    document: &'d Document,
    events: I,
    offset: usize,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t, I: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Builder<'_, I> {
    fn document_node(&mut self) -> Result<Node, Stop> {
        let empty = Node { value: Value::Map(Vec::new()), span: self.offset..self.offset };
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    let error = Error::project("only one YAML document is allowed per file").hint("remove the `---`");
                    return Err(self.stop(&span, error));
                }
                Event::DocumentStart(..) => {}
                other => root = Some(self.node(other, span)?),
            }
        }
        Ok(root.filter(|node| !matches!(node.value, Value::Null)).unwrap_or(empty))
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Range<usize>)>, Stop> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => {
                    let range = span.byte_range().unwrap_or(0..0);
                    return Ok(Some((event, self.offset + range.start..self.offset + range.end)));
                }
                Some(Err(error)) => {
                    let byte = self.offset + error.marker().byte_offset().unwrap_or(0);
                    let problem = Error::project(format!("this is not YAML: {}", error.info()));
                    return Err(self.stop(&(byte..byte), problem));
                }
            }
        }
    }

    fn stop(&self, span: &Range<usize>, error: Error) -> Stop {
        self.document.report(span, error);
        Stop
    }

    fn node(&mut self, event: Event<'t>, span: Range<usize>) -> Result<Node, Stop> {
        self.nodes += 1;
        let start = span.start;
        let (value, end, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), span.end, anchor),
            Event::SequenceStart(_, anchor, _) => {
                let (items, end) = self.list()?;
                (Value::List(items), end, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, end) = self.map()?;
                (Value::Map(entries), end, anchor)
            }
            Event::Alias(id) => return self.alias(id, span),
            _ => return Err(self.stop(&span, Error::project("expected a value here"))),
        };
        let node = Node { value, span: start..end.max(start) };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> Result<Node, Stop> {
        let node = self.anchors.get(&id).cloned();
        let Some(node) = node else {
            return Err(self.stop(&span, Error::project("this alias refers to itself")));
        };
        self.nodes += node.count();
        if self.nodes > MAX_NODES {
            return Err(self.stop(&span, Error::project("aliases expand to too many values")));
        }
        Ok(Node { span, ..node })
    }

    fn list(&mut self) -> Result<(Vec<Node>, usize), Stop> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if let Event::SequenceEnd = event {
                return Ok((items, span.end));
            }
            items.push(self.node(event, span)?);
        }
        Err(Stop)
    }

    fn map(&mut self) -> Result<(Vec<(Text, Node)>, usize), Stop> {
        let mut entries: Vec<(Text, Node)> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if let Event::MappingEnd = event {
                return Ok((entries, span.end));
            }
            let key = self.key(event, span)?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span)?;
            match entries.iter().find(|(known, _)| known.value == key.value) {
                Some((first, _)) => {
                    let line = self.document.line(first.span.start);
                    let message = format!("duplicate key `{}`, first in line {line}", key.value);
                    self.document.report(&key.span, Error::project(message));
                }
                None => entries.push((key, value)),
            }
        }
        Err(Stop)
    }

    fn key(&mut self, event: Event<'t>, span: Range<usize>) -> Result<Text, Stop> {
        match event {
            Event::Scalar(text, ..) => Ok(Text { value: text.into_owned(), span }),
            _ if self.document.text[..span.start].ends_with('{')
                && self.document.text[span.start..].starts_with('{') =>
            {
                let error = Error::project("YAML takes `{{` for a mapping");
                Err(self.stop(
                    &(span.start - 1..span.start + 1),
                    error.hint("put the whole text in quotes: `\"{{ ... }}\"`"),
                ))
            }
            _ => Err(self.stop(&span, Error::project("a key must be text, not a list or mapping"))),
        }
    }
}

impl Node {
    fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::count).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.count()).sum(),
            _ => 0,
        }
    }

    /// Its kind, for messages such as "expected a list, found a mapping".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" if style == Style::Plain => Value::Null,
        _ => Value::Scalar { text: text.to_string(), style },
    }
}
