//! JSON documents, one a file, one a line or several behind each other, whose lists hold the rows.
//!
//! A document is looked over once to find its end and its faults, then its rows are given one by one: each is the fields
//! of an element along the path of lists, and those of the objects around it. Only the document stands in memory, never
//! its rows. A document that is no JSON, or no text, is refused as a whole, and reading goes on at the next line that
//! may begin another; a row that is not what its columns need is refused by itself.

use super::bytes::FileBytes;
use super::csv::{as_text, blank_what_is_no_text};
use super::json_rows::{OpenDocument, RowsOfDocuments};
use super::json_scan::{Mistake, skip, space};
use super::text::{MOST_ROWS, RowBuffers, RowFault, TextReader, TextRows};
use super::window::Window;
use crate::contract::TextEncoding;
use crate::error::{Error, Result};
use memchr::{memchr, memchr_iter, memrchr};

/// What rows are in documents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowsPath<'a> {
    /// A list around the documents proper, which may be absent: `batch` of `{"batch": [...], "sentAt": ...}`. Columns do
    /// not name it, and what a document lacks is taken from around the list.
    pub(super) wrapper: Option<&'a str>,
    /// The path to the elements that are rows (`orders[].lines[]`); the document itself when empty.
    pub(super) rows: &'a str,
}

/// Opens a file. `wanted` are the fields asked for; with `collect_new` every other field of the elements becomes one
/// more. Blocks.
///
/// # Errors
/// Of kind `Unreachable` when it cannot be read, `Project` when a path makes no sense.
pub(super) fn open(
    bytes: FileBytes,
    rows: RowsPath<'_>,
    wanted: &[String],
    collect_new: bool,
) -> Result<Box<dyn TextReader>> {
    let window = Window::open(bytes, TextEncoding::Utf8)?.with_long_hint(
        "lists of rows are read as a whole; have the system write one document a line, or smaller files",
    );
    let rows = RowsOfDocuments::new(rows, wanted, collect_new).map_err(Error::project)?;
    let buffers = RowBuffers::default();
    Ok(Box::new(DocumentsReader { window, rows, buffers, given: 0, document: None, skipping: None }))
}

/// Words on what is wrong with the paths of a table, if anything is.
pub fn check_paths(rows: &str, wanted: &[String]) -> Option<String> {
    RowsOfDocuments::new(RowsPath { wrapper: None, rows }, wanted, false).err()
}

struct DocumentsReader {
    window: Window,
    rows: RowsOfDocuments,
    buffers: RowBuffers,
    /// Bytes of the window that are dealt with; `Window::line` is the line they end on.
    given: usize,
    /// The document whose rows are being given.
    document: Option<OpenDocument>,
    /// Lines indented deeper than this belong to a document that was refused.
    skipping: Option<usize>,
}

/// What was found behind the last document.
enum Found {
    Document,
    /// The window ends, and there are rows to be given first.
    Later,
    End,
}

impl DocumentsReader {
    fn has_rows(&self) -> bool {
        !self.buffers.lines.is_empty() || !self.buffers.faults.is_empty()
    }

    /// Passes over bytes and counts their lines.
    fn give(&mut self, to: usize) {
        self.window.line += memchr_iter(b'\n', &self.window.bytes()[self.given..to]).count() as u64;
        self.given = to;
    }

    /// Makes room for more bytes; false when rows have to be given before.
    fn read_on(&mut self) -> Result<bool> {
        if self.has_rows() {
            return Ok(false);
        }
        self.window.take(self.given);
        self.given = 0;
        self.window.read_on()?;
        Ok(true)
    }

    /// Looks for the next document.
    fn find(&mut self) -> Result<Found> {
        loop {
            if self.buffers.faults.len() >= MOST_ROWS {
                return Ok(Found::Later);
            }
            if let Some(indent) = self.skipping {
                match fresh_line(self.window.bytes(), self.given, indent) {
                    Some(at) => {
                        self.give(at);
                        self.skipping = None;
                    }
                    None => {
                        // The last line may be a fresh one whose begin is not known yet.
                        let (bytes, ended) = (self.window.bytes(), self.window.ended());
                        let kept = memrchr(b'\n', &bytes[self.given..]).map_or(bytes.len(), |at| self.given + at);
                        self.give(if ended { bytes.len() } else { kept });
                        if !ended && !self.read_on()? {
                            return Ok(Found::Later);
                        }
                        if ended {
                            self.skipping = None;
                        }
                        continue;
                    }
                }
            }
            self.give(space(self.window.bytes(), self.given));
            let (bytes, ended) = (self.window.bytes(), self.window.ended());
            if self.given == bytes.len() {
                match ended {
                    true => return Ok(Found::End),
                    false if self.read_on()? => continue,
                    false => return Ok(Found::Later),
                }
            }
            match document_end(bytes, self.given) {
                Ok(end) if std::str::from_utf8(&bytes[self.given..end]).is_ok() => {
                    self.document = Some(OpenDocument::new(self.given, end, self.window.line));
                    return Ok(Found::Document);
                }
                Ok(end) => {
                    let reason = "the document holds bytes that are not utf-8";
                    self.buffers.faults.push(RowFault::new(self.window.line, &bytes[self.given..end], reason));
                    self.give(end);
                }
                Err(mistake) if mistake.is_cut(bytes.len()) && !ended => {
                    if !self.read_on()? {
                        return Ok(Found::Later);
                    }
                }
                Err(mistake) => self.refuse(&mistake)?,
            }
        }
    }

    /// Refuses the document that begins here.
    fn refuse(&mut self, mistake: &Mistake) -> Result<()> {
        let (bytes, from, line) = (self.window.bytes(), self.given, self.window.line);
        let indent = bytes[..from].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if mistake.is_cut(bytes.len()) && self.window.ended() && fresh_line(bytes, from, indent).is_none() {
            let name = &self.window.input.name;
            return Err(Error::data(format!("`{name}`: the document that begins at line {line} is cut short"))
                .hint("deliver the file again and run again; none of its rows were taken"));
        }
        let (reason, indent) = match bytes[from] {
            b'{' | b'[' => (mistake.words(|at| place(bytes, from, line, at)).into_owned(), indent),
            _ => ("a JSON document should begin here, with `{` or `[`".to_string(), usize::MAX),
        };
        self.buffers.faults.push(RowFault::new(line, &bytes[from..], reason));
        self.skipping = Some(indent);
        Ok(())
    }
}

/// Where the document ends that begins here.
fn document_end(bytes: &[u8], from: usize) -> std::result::Result<usize, Mistake> {
    match bytes[from] {
        b'{' | b'[' => skip(bytes, from, 0).map(|(end, _)| end),
        _ => Err(Mistake::Syntax(from, "`{` or `[`")),
    }
}

/// The next line that may begin a document: not deeper than the last one, and no closing bracket.
fn fresh_line(bytes: &[u8], from: usize, indent: usize) -> Option<usize> {
    let mut at = from;
    while let Some(end) = memchr(b'\n', &bytes[at..]) {
        at += end + 1;
        let blanks = bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let begins = bytes.get(at + blanks).is_some_and(|byte| !matches!(byte, b'\n' | b'\r' | b'}' | b']'));
        if blanks <= indent && begins {
            return Some(at);
        }
    }
    None
}

/// Where a byte is, for people.
fn place(bytes: &[u8], from: usize, line: u64, at: usize) -> String {
    let before = &bytes[from..at.min(bytes.len())];
    let lines = memchr_iter(b'\n', before).count() as u64;
    let start = memrchr(b'\n', before).map_or(0, |end| end + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    if lines == 0 { format!("column {column}") } else { format!("line {}, column {column}", line + lines) }
}

impl TextReader for DocumentsReader {
    fn fields(&self) -> &[String] {
        self.rows.paths()
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.buffers.cells.clear();
        self.buffers.lines.clear();
        self.buffers.faults.clear();
        if self.document.is_none() {
            self.buffers.unescaped.clear();
            self.window.take(self.given);
            self.given = 0;
            self.window.refill()?;
        }
        let mut upto = self.given;
        loop {
            if let Some(document) = &mut self.document {
                let bytes = self.window.bytes();
                let text = as_text(&bytes[document.from..document.to])?;
                let done = self.rows.read(document, text, &mut self.buffers, &self.window.input.name)?;
                upto = document.to;
                if done {
                    self.document = None;
                    self.give(upto);
                }
            }
            if self.buffers.lines.len() >= MOST_ROWS || self.buffers.faults.len() >= MOST_ROWS {
                break;
            }
            match self.find()? {
                Found::Document => {}
                Found::Later => break,
                Found::End if self.has_rows() => break,
                Found::End => return Ok(None),
            }
        }
        let upto = upto.max(self.given);
        if std::str::from_utf8(&self.window.bytes()[..upto]).is_err() {
            // Documents that are no text were refused.
            blank_what_is_no_text(&mut self.window.bytes_mut()[..upto]);
        }
        Ok(Some(TextRows {
            text: as_text(&self.window.bytes()[..upto])?,
            unescaped: as_text(&self.buffers.unescaped)?,
            cells: &self.buffers.cells,
            width: self.rows.paths().len(),
            fields: self.rows.paths(),
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
