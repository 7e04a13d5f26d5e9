//! JSON documents, one per file, one per line or several in a row, whose lists hold the rows.
//!
//! A document is scanned once to find its end and its errors, then its rows are given one by one: each consists of the
//! fields of an element along the path of lists, and those of the objects around it. Only the document is in memory,
//! never its rows. A document that is not valid JSON or not text is rejected as a whole, and reading continues at the
//! next line that may begin another; a row that does not have what its columns need is rejected alone.

use super::paths::RowsPath;
use super::rows::{DocumentRows, OpenDocument};
use super::scan::{JsonError, skip, space};
use crate::files::FileBytes;
use crate::text::{
    MAX_ROWS, RAW_CHARACTERS, ReadBuffer, RowBuffers, RowReject, TextReader, TextRows, as_text, blank_invalid_utf8,
};
use memchr::{memchr, memchr_iter, memrchr};
use perennial_core::contract::TextEncoding;
use perennial_core::error::{Error, Result};

const LONG_HINT: &str =
    "lists of rows are read as a whole; have the system write one document per line, or smaller files";

/// Opens a file. `wanted` are the fields asked for; with `collect_new` every other field of the elements becomes one
/// more. Blocks.
///
/// # Errors
/// Of kind `Unreachable` when it cannot be read, `Project` when a path makes no sense.
pub(crate) fn open(
    bytes: FileBytes,
    rows: RowsPath<'_>,
    wanted: &[String],
    collect_new: bool,
) -> Result<Box<dyn TextReader>> {
    let buffer = ReadBuffer::open(bytes, TextEncoding::Utf8, LONG_HINT)?;
    let rows = DocumentRows::new(rows, wanted, collect_new).map_err(Error::project)?;
    Ok(Box::new(DocumentsReader {
        buffer,
        rows,
        buffers: RowBuffers::default(),
        done: 0,
        document: None,
        skipping: None,
    }))
}

/// What is wrong with the JSON paths of a table, if anything is.
pub fn check_paths(rows: &str, wanted: &[String]) -> Option<String> {
    DocumentRows::new(RowsPath { wrapper: None, rows }, wanted, false).err()
}

/// Bytes that are kept before the damage of a document with long lines.
const BYTES_BEFORE_DAMAGE: usize = 100;

struct DocumentsReader {
    buffer: ReadBuffer,
    rows: DocumentRows,
    buffers: RowBuffers,
    /// Bytes of the buffer that are done; `ReadBuffer::line` is the line they end on.
    done: usize,
    /// The document whose rows are being given.
    document: Option<OpenDocument>,
    /// Lines indented deeper than this belong to a document that was rejected.
    skipping: Option<usize>,
}

/// What was found after the last document.
enum Found {
    Document,
    /// The buffer ends, and rows must be given first.
    Later,
    End,
}

impl DocumentsReader {
    /// Skips bytes and counts their lines.
    fn advance(&mut self, to: usize) {
        self.buffer.line += memchr_iter(b'\n', &self.buffer.bytes()[self.done..to]).count() as u64;
        self.done = to;
    }

    /// Makes room for more bytes; false when rows have to be given before.
    fn read_on(&mut self) -> Result<bool> {
        if !self.buffers.is_empty() {
            return Ok(false);
        }
        self.buffer.take(self.done);
        self.done = 0;
        self.buffer.read_on()?;
        Ok(true)
    }

    /// Looks for the next document.
    fn find(&mut self) -> Result<Found> {
        loop {
            if self.buffers.rejects.len() >= MAX_ROWS {
                return Ok(Found::Later);
            }
            if let Some(indent) = self.skipping {
                match fresh_line(self.buffer.bytes(), self.done, indent) {
                    Some(at) => {
                        self.advance(at);
                        self.skipping = None;
                    }
                    None => {
                        // The last line may be a fresh one whose begin is not known yet.
                        let (bytes, ended) = (self.buffer.bytes(), self.buffer.ended());
                        let kept = memrchr(b'\n', &bytes[self.done..]).map_or(bytes.len(), |at| self.done + at);
                        self.advance(if ended { bytes.len() } else { kept });
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
            self.advance(space(self.buffer.bytes(), self.done));
            let (bytes, ended) = (self.buffer.bytes(), self.buffer.ended());
            if self.done == bytes.len() {
                match ended {
                    true => return Ok(Found::End),
                    false if self.read_on()? => continue,
                    false => return Ok(Found::Later),
                }
            }
            match document_end(bytes, self.done) {
                Ok(end) if std::str::from_utf8(&bytes[self.done..end]).is_ok() => {
                    self.document = Some(OpenDocument::new(self.done, end, self.buffer.line));
                    return Ok(Found::Document);
                }
                Ok(end) => {
                    let reason = "the document contains bytes that are not valid utf-8";
                    self.buffers.rejects.push(RowReject::new(self.buffer.line, &bytes[self.done..end], reason));
                    self.advance(end);
                }
                Err(error) if error.is_cut(bytes.len()) && !ended => {
                    if !self.read_on()? {
                        return Ok(Found::Later);
                    }
                }
                Err(error) => self.reject(&error)?,
            }
        }
    }

    /// Rejects the document that begins here.
    fn reject(&mut self, error: &JsonError) -> Result<()> {
        let (bytes, from, line) = (self.buffer.bytes(), self.done, self.buffer.line);
        let indent = bytes[..from].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if error.is_cut(bytes.len()) && self.buffer.ended() && fresh_line(bytes, from, indent).is_none() {
            let name = &self.buffer.input.name;
            return Err(Error::data(format!("`{name}`: the document that begins at line {line} is truncated"))
                .hint("replace the file and run again; none of its rows were loaded"));
        }
        let (reason, indent) = match bytes[from] {
            b'{' | b'[' => (error.reason().into_owned(), indent),
            _ => ("expected a JSON document, which begins with `{` or `[`".to_string(), usize::MAX),
        };
        let shown = from_damage(bytes, from, error);
        let line = line + memchr_iter(b'\n', &bytes[from..shown]).count() as u64;
        self.buffers.rejects.push(RowReject::new(line, &bytes[shown..], reason));
        self.skipping = Some(indent);
        Ok(())
    }
}

/// Where the document ends that begins here.
fn document_end(bytes: &[u8], from: usize) -> std::result::Result<usize, JsonError> {
    match bytes[from] {
        b'{' | b'[' => skip(bytes, from, 0).map(|(end, _)| end),
        _ => Err(JsonError::Syntax(from, "`{` or `[`")),
    }
}

/// Where the text begins that is kept of a damaged document: with the document if that shows the damage, else with the
/// damaged line, or shortly before the damage if that line is long.
fn from_damage(bytes: &[u8], from: usize, error: &JsonError) -> usize {
    let JsonError::Syntax(at, _) = error else { return from };
    let at = (*at).min(bytes.len());
    if at.saturating_sub(from) < RAW_CHARACTERS {
        return from;
    }
    let line = memrchr(b'\n', &bytes[from..at]).map_or(from, |end| from + end + 1);
    let near = line.max(at - BYTES_BEFORE_DAMAGE);
    // Not within a character.
    (near..at).find(|i| bytes[*i] & 0xc0 != 0x80).unwrap_or(at)
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

impl TextReader for DocumentsReader {
    fn fields(&self) -> &[String] {
        self.rows.paths()
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.buffers.cells.clear();
        self.buffers.lines.clear();
        self.buffers.rejects.clear();
        if self.document.is_none() {
            self.buffers.unescaped.clear();
            self.buffer.take(self.done);
            self.done = 0;
            self.buffer.refill()?;
        }
        let mut upto = self.done;
        loop {
            if let Some(document) = &mut self.document {
                let bytes = self.buffer.bytes();
                let text = as_text(&bytes[document.from..document.to])?;
                let done = self.rows.read(document, text, &mut self.buffers, &self.buffer.input.name)?;
                upto = document.to;
                if done {
                    self.document = None;
                    self.advance(upto);
                }
            }
            if self.buffers.lines.len() >= MAX_ROWS || self.buffers.rejects.len() >= MAX_ROWS {
                break;
            }
            match self.find()? {
                Found::Document => {}
                Found::Later => break,
                Found::End if !self.buffers.is_empty() => break,
                Found::End => return Ok(None),
            }
        }
        let upto = upto.max(self.done);
        if std::str::from_utf8(&self.buffer.bytes()[..upto]).is_err() {
            // Documents that are not text were rejected.
            blank_invalid_utf8(&mut self.buffer.bytes_mut()[..upto]);
        }
        self.buffers.rows(as_text(&self.buffer.bytes()[..upto])?, self.rows.paths()).map(Some)
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.buffer.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.buffer.input.bytes()
    }
}
