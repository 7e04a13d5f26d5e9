//! Lines of text taken apart by a regular expression or by code of a named format.
//!
//! A line that is no text, or that cannot be taken apart, is refused by itself. Empty lines are skipped.

use super::bytes::FileBytes;
use super::csv::as_text;
use super::json::widen;
use super::text::{MOST_ROWS, RowBuffers, RowFault, Span, TextReader, TextRows};
use super::window::Window;
use crate::contract::TextEncoding;
use crate::error::{Error, Result};
use memchr::{memchr, memrchr};
use regex::{CaptureLocations, Regex};
use std::borrow::Cow;

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A row.
    Row,
    /// Something else that the format knows: a comment, a directive.
    Nothing,
}

/// Takes lines apart.
pub(super) trait LineParser: Send {
    /// Names of the fields, in the order of a row's cells. Grows at its end when lines bring new ones.
    fn fields(&self) -> &[String];

    /// Takes one line apart, which has no line end and is not empty.
    ///
    /// # Errors
    /// Words on why the line is refused.
    fn line(&mut self, line: &str, row: &mut Row<'_>) -> std::result::Result<Outcome, Cow<'static, str>>;
}

/// The row a line becomes. Cells that are not set have no value.
pub(super) struct Row<'a> {
    line: &'a str,
    /// Where the line begins in the window.
    base: usize,
    cells: &'a mut Vec<Span>,
    unescaped: &'a mut Vec<u8>,
}

impl Row<'_> {
    /// Sets a cell to a part of the line.
    #[inline]
    pub(super) fn part(&mut self, field: usize, part: &str) {
        let start = self.base + (part.as_ptr() as usize - self.line.as_ptr() as usize);
        self.cells[field] = Span::text(start, start + part.len());
    }

    /// Sets a cell to text that does not stand in the line as it is.
    pub(super) fn text<'t>(&mut self, field: usize, pieces: impl IntoIterator<Item = &'t str>) {
        let start = self.unescaped.len();
        pieces.into_iter().for_each(|piece| self.unescaped.extend_from_slice(piece.as_bytes()));
        self.cells[field] = Span::unescaped(start, self.unescaped.len());
    }

    /// Sets a cell to what was cut out of the line, which may have been unescaped.
    pub(super) fn cut(&mut self, field: usize, span: Span) {
        self.cells[field] = span.shifted(self.base);
    }

    /// Letters that are unescaped.
    pub(super) fn unescaped(&mut self) -> &mut Vec<u8> {
        self.unescaped
    }

    /// Makes room for fields that the parser came to know with this line.
    pub(super) fn grow(&mut self, fields: usize) {
        self.cells.resize(fields, Span::NONE);
    }
}

/// Reads a file line by line.
pub(super) struct LineReader<P> {
    window: Window,
    encoding: TextEncoding,
    parser: P,
    /// Fields of the parser that are given, and their names.
    kept: Vec<usize>,
    names: Vec<String>,
    /// Fields of the parser that were looked at.
    known: usize,
    buffers: RowBuffers,
    row: Vec<Span>,
}

impl<P: LineParser> LineReader<P> {
    /// Opens a file. Of the fields that the parser knows from the start only the wanted ones are given, where any are
    /// named; those it comes to know later are all given. Blocks.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read.
    pub(super) fn open(
        bytes: FileBytes,
        encoding: TextEncoding,
        parser: P,
        wanted: Option<&[String]>,
    ) -> Result<LineReader<P>> {
        let fields = parser.fields();
        let kept = (0..fields.len()).filter(|i| wanted.is_none_or(|wanted| wanted.contains(&fields[*i])));
        let kept: Vec<usize> = kept.collect();
        let names = kept.iter().map(|i| fields[*i].clone()).collect();
        let known = fields.len();
        let window = Window::open(bytes, encoding)?;
        Ok(LineReader { window, encoding, parser, kept, names, known, buffers: RowBuffers::default(), row: Vec::new() })
    }

    /// Reads the lines of the window that are whole; gives the bytes they take up.
    fn read_lines(&mut self) -> usize {
        let LineReader { window, encoding, parser, kept, names, known, buffers, row } = self;
        let bytes = window.bytes();
        let whole = match memrchr(b'\n', bytes) {
            _ if window.ended() => bytes.len(),
            Some(at) => at + 1,
            None => 0,
        };
        let valid = std::str::from_utf8(&bytes[..whole]).map_or_else(|e| e.valid_up_to(), str::len);
        // Up to the line with the first byte that is no letter; the next call begins there.
        let text = match memrchr(b'\n', &bytes[..valid]) {
            _ if valid == whole => &bytes[..valid],
            Some(at) => &bytes[..=at],
            None => &[],
        };
        let text = std::str::from_utf8(text).unwrap_or("");
        let mut line = window.line;
        let mut from = 0;
        while from < text.len() && buffers.lines.len() < MOST_ROWS && buffers.faults.len() < MOST_ROWS {
            let next = memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at + 1);
            let content = text[from..next].trim_end_matches(['\n', '\r']);
            if !content.trim_ascii().is_empty() {
                row.clear();
                row.resize(*known, Span::NONE);
                let unescaped = &mut buffers.unescaped;
                let outcome = parser.line(content, &mut Row { line: content, base: from, cells: row, unescaped });
                let fields = parser.fields();
                if fields.len() > *known {
                    kept.extend(*known..fields.len());
                    let before = names.len();
                    names.extend_from_slice(&fields[*known..]);
                    widen(&mut buffers.cells, before, names.len());
                    *known = fields.len();
                }
                match outcome {
                    Ok(Outcome::Row) => {
                        buffers.cells.extend(kept.iter().map(|field| row[*field]));
                        buffers.lines.push(line);
                    }
                    Ok(Outcome::Nothing) => {}
                    Err(reason) => buffers.faults.push(RowFault::new(line, content.as_bytes(), reason)),
                }
            }
            from = next;
            line += 1;
        }
        if text.is_empty() && whole > 0 {
            let next = memchr(b'\n', &bytes[..whole]).map_or(whole, |at| at + 1);
            let reason = format!("the line holds bytes that are not {}", super::encoding::name(*encoding));
            buffers.faults.push(RowFault::new(line, &bytes[..next], reason));
            from = next;
            line += 1;
        }
        window.line = line;
        window.take(from);
        from
    }
}

impl<P: LineParser> TextReader for LineReader<P> {
    fn fields(&self) -> &[String] {
        &self.names
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.buffers.clear();
        let taken = loop {
            self.window.refill()?;
            let taken = self.read_lines();
            if !self.buffers.lines.is_empty() || !self.buffers.faults.is_empty() {
                break taken;
            }
            if self.window.ended() && self.window.bytes().is_empty() {
                return Ok(None);
            }
            if taken == 0 {
                self.window.read_on()?;
            }
        };
        // A line that is not text is alone in its batch and has no cells.
        let text = match self.buffers.lines.is_empty() {
            true => "",
            false => as_text(self.window.taken(taken))?,
        };
        Ok(Some(TextRows {
            text,
            unescaped: as_text(&self.buffers.unescaped)?,
            cells: &self.buffers.cells,
            width: self.names.len(),
            fields: &self.names,
            lines: &self.buffers.lines,
            faults: &self.buffers.faults,
        }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.window.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.window.input.bytes()
    }
}

/// Lines of a regular expression whose named groups are the fields.
struct PatternLines {
    pattern: Regex,
    found: CaptureLocations,
    fields: Vec<String>,
    groups: Vec<usize>,
}

impl LineParser for PatternLines {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> std::result::Result<Outcome, Cow<'static, str>> {
        if self.pattern.captures_read(&mut self.found, line).is_none() {
            return Err("the line does not match the pattern".into());
        }
        for (field, group) in self.groups.iter().enumerate() {
            if let Some((start, end)) = self.found.get(*group) {
                row.part(field, &line[start..end]);
            }
        }
        Ok(Outcome::Row)
    }
}

/// Opens a file whose lines a regular expression takes apart. Blocks.
///
/// # Errors
/// Of kind `Unreachable` when it cannot be read, `Project` when the pattern is none.
pub(super) fn open(bytes: FileBytes, pattern: &str, encoding: TextEncoding) -> Result<Box<dyn TextReader>> {
    let pattern =
        Regex::new(pattern).map_err(|e| Error::project("`pattern` is not a regular expression").because(e))?;
    let named = pattern.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?.to_string())));
    let (groups, fields) = named.unzip();
    let found = pattern.capture_locations();
    Ok(Box::new(LineReader::open(bytes, encoding, PatternLines { pattern, found, fields, groups }, None)?))
}
