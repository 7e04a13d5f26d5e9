//! Lines of text, parsed by a regular expression or by code of a named format.
//!
//! A line that is not text or cannot be parsed is rejected. Blank lines are skipped.

use super::buffer::ReadBuffer;
use super::records::{RecordParser, RecordReader, each_line};
use super::rows::{RowBuffers, RowReject, Span, TextReader};
use crate::files::FileBytes;
use perennial_core::contract::TextEncoding;
use perennial_core::error::{Error, Result};
use regex::{CaptureLocations, Regex};
use std::borrow::Cow;

const LONG_HINT: &str = "this happens with a file without line ends, or of another format";

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A row.
    Row,
    /// Something else that the format knows: a comment, a directive.
    Other,
}

/// Parses lines.
pub(crate) trait LineParser: Send {
    /// Names of the fields, in the order of a row's cells. Grows at its end when lines bring new ones.
    fn fields(&self) -> &[String];

    /// Parses one line, which has no line end and is not blank.
    ///
    /// # Errors
    /// Why the line is rejected.
    fn line(&mut self, line: &str, row: &mut Row<'_>) -> std::result::Result<LineKind, Cow<'static, str>>;
}

/// The row a line becomes. Cells that are not set have no value.
pub(crate) struct Row<'a> {
    line: &'a str,
    /// Where the line begins in the text.
    base: usize,
    cells: &'a mut Vec<Span>,
    unescaped: &'a mut Vec<u8>,
}

impl Row<'_> {
    /// Sets a cell to a part of the line.
    #[inline]
    pub(crate) fn part(&mut self, field: usize, part: &str) {
        let start = self.base + (part.as_ptr() as usize - self.line.as_ptr() as usize);
        self.cells[field] = Span::text(start, start + part.len());
    }

    /// Sets a cell to text that is not a part of the line.
    pub(crate) fn text<'t>(&mut self, field: usize, pieces: impl IntoIterator<Item = &'t str>) {
        let start = self.unescaped.len();
        pieces.into_iter().for_each(|piece| self.unescaped.extend_from_slice(piece.as_bytes()));
        self.cells[field] = Span::unescaped(start, self.unescaped.len());
    }

    /// Sets a cell to a field cut out of the line, which may have been unescaped.
    pub(crate) fn cut(&mut self, field: usize, span: Span) {
        self.cells[field] = span.shifted(self.base);
    }

    /// The unescaped text, to append to.
    pub(crate) fn unescaped(&mut self) -> &mut Vec<u8> {
        self.unescaped
    }

    /// Makes room for fields that this line adds.
    pub(crate) fn grow(&mut self, fields: usize) {
        self.cells.resize(fields, Span::NONE);
    }
}

/// Makes rows of lines.
pub(crate) struct LineRecords<P> {
    encoding: TextEncoding,
    parser: P,
    /// Fields of the parser that are given, and their names.
    kept: Vec<usize>,
    names: Vec<String>,
    /// Number of the parser's fields seen so far.
    known: usize,
    row: Vec<Span>,
}

/// Reads a file line by line.
pub(crate) type LineReader<P> = RecordReader<LineRecords<P>>;

impl<P: LineParser> LineReader<P> {
    /// Opens a file. Of the fields that the parser has from the start only the wanted ones are given, where any are
    /// named; those that appear later are all given. Blocks.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read.
    pub(crate) fn open(
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
        let buffer = ReadBuffer::open(bytes, encoding, LONG_HINT)?;
        Ok(RecordReader::new(buffer, LineRecords { encoding, parser, kept, names, known, row: Vec::new() }))
    }
}

impl<P: LineParser> RecordParser for LineRecords<P> {
    fn fields(&self) -> &[String] {
        &self.names
    }

    fn parse(&mut self, buffer: &mut ReadBuffer, rows: &mut RowBuffers) -> Result<usize> {
        let LineRecords { encoding, parser, kept, names, known, row } = self;
        Ok(each_line(buffer, rows, *encoding, |text, range, number, rows| {
            let base = range.start;
            let line = text[range].trim_end_matches(['\n', '\r']);
            row.clear();
            row.resize(*known, Span::NONE);
            let parsed = parser.line(line, &mut Row { line, base, cells: row, unescaped: &mut rows.unescaped });
            let fields = parser.fields();
            if fields.len() > *known {
                kept.extend(*known..fields.len());
                let before = names.len();
                names.extend_from_slice(&fields[*known..]);
                rows.widen(before, names.len());
                *known = fields.len();
            }
            match parsed {
                Ok(LineKind::Row) => {
                    rows.cells.extend(kept.iter().map(|field| row[*field]));
                    rows.lines.push(number);
                }
                Ok(LineKind::Other) => {}
                Err(reason) => rows.rejects.push(RowReject::new(number, line.as_bytes(), reason)),
            }
        }))
    }
}

/// Parses lines by a regular expression whose named groups are the fields.
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

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> std::result::Result<LineKind, Cow<'static, str>> {
        if self.pattern.captures_read(&mut self.found, line).is_none() {
            return Err("the line does not match the pattern".into());
        }
        for (field, group) in self.groups.iter().enumerate() {
            if let Some((start, end)) = self.found.get(*group) {
                row.part(field, &line[start..end]);
            }
        }
        Ok(LineKind::Row)
    }
}

/// Opens a file whose lines a regular expression parses. Blocks.
///
/// # Errors
/// Of kind `Unreachable` when it cannot be read, `Project` when the pattern is malformed.
pub(crate) fn open(bytes: FileBytes, pattern: &str, encoding: TextEncoding) -> Result<Box<dyn TextReader>> {
    let pattern =
        Regex::new(pattern).map_err(|e| Error::project("`pattern` is not a regular expression").because(e))?;
    let named = pattern.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?.to_string())));
    let (groups, fields) = named.unzip();
    let found = pattern.capture_locations();
    Ok(Box::new(LineReader::open(bytes, encoding, PatternLines { pattern, found, fields, groups }, None)?))
}
