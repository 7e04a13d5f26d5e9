//! JSON lines: one object a line, its fields found by dotted paths in one pass.
//!
//! Cells are the text as written: numbers keep every digit, `true` is `true`, strings are unescaped, an object or array
//! asked for as a whole stays JSON. Of a name that stands twice in one object the last counts. Empty lines are skipped.

use super::bytes::FileBytes;
use super::json_scan::{Scan, Shapes};
use super::text::{MOST_ROWS, RowBuffers, RowFault, Span, TextReader, TextRows};
use super::window::Window;
use crate::contract::TextEncoding;
use crate::error::{Error, Result};
use memchr::{memchr, memrchr};

/// Columns that a table may gain beyond its contract; more mean that names are made from data.
pub(super) const MOST_NEW_FIELDS: usize = 200;

/// Reads JSON lines.
pub struct JsonLinesReader {
    window: Window,
    paths: Vec<String>,
    shapes: Shapes,
    /// Fields nobody asked for become new ones.
    collect_new: bool,
    promised: usize,
    buffers: RowBuffers,
    row: Vec<Span>,
}

impl JsonLinesReader {
    /// Opens a file. `paths` are the fields asked for; with `collect_new` every other field met becomes one more, by
    /// its path, at the end of [`TextReader::fields`]. Blocks.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read, `Project` when a path makes no sense.
    pub fn open(bytes: FileBytes, paths: &[String], collect_new: bool) -> Result<JsonLinesReader> {
        let mut reader = JsonLinesReader {
            window: Window::open(bytes, TextEncoding::Utf8)?,
            paths: Vec::new(),
            shapes: Shapes::for_one_object(),
            collect_new,
            promised: paths.len(),
            buffers: RowBuffers::default(),
            row: Vec::new(),
        };
        for (cell, path) in paths.iter().enumerate() {
            reader.paths.push(path.clone());
            reader.shapes.want(0, path, cell).map_err(Error::project)?;
        }
        Ok(reader)
    }

    /// Reads the lines of the window that are whole; gives the bytes they take up.
    fn read_lines(&mut self) -> Result<usize> {
        let JsonLinesReader { window, paths, shapes, collect_new, promised, buffers, row } = self;
        let bytes = window.bytes();
        let whole = match memrchr(b'\n', bytes) {
            _ if window.ended() => bytes.len(),
            Some(at) => at + 1,
            None => 0,
        };
        let valid = std::str::from_utf8(&bytes[..whole]).map_or_else(|e| e.valid_up_to(), str::len);
        // Up to the line with the first byte that is no letter; the next call begins there.
        let text = match memrchr(b'\n', &bytes[..valid]) {
            _ if valid == whole => as_str(&bytes[..valid]),
            Some(at) => as_str(&bytes[..=at]),
            None => "",
        };
        let mut line = window.line;
        let mut from = 0;
        let unescaped = &mut buffers.unescaped;
        let mut scan = Scan { text, paths, shapes, collect_new: *collect_new, row, unescaped, list: None };
        let mut width = scan.paths.len();
        while from < text.len() && buffers.lines.len() < MOST_ROWS {
            let next = memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at + 1);
            let json = &text[from..next];
            if !json.trim_ascii().is_empty() {
                scan.row.clear();
                scan.row.resize(scan.paths.len(), Span::NONE);
                match scan.line(from, next) {
                    Ok(()) => {
                        if scan.paths.len() > width {
                            widen(&mut buffers.cells, width, scan.paths.len());
                            width = scan.paths.len();
                        }
                        buffers.cells.extend_from_slice(scan.row);
                        buffers.lines.push(line);
                    }
                    Err(reason) => buffers.faults.push(RowFault::new(line, json.trim_ascii().as_bytes(), reason)),
                }
                if scan.paths.len() > width {
                    widen(&mut buffers.cells, width, scan.paths.len());
                    width = scan.paths.len();
                }
            }
            from = next;
            line += 1;
        }
        if text.is_empty() && whole > 0 {
            let next = memchr(b'\n', &bytes[..whole]).map_or(whole, |at| at + 1);
            let reason = "the line holds bytes that are not utf-8";
            buffers.faults.push(RowFault::new(line, &bytes[..next], reason));
            from = next;
            line += 1;
        }
        if paths.len() > *promised + MOST_NEW_FIELDS {
            return Err(too_many(&window.input.name, line - 1));
        }
        window.line = line;
        window.take(from);
        Ok(from)
    }
}

pub(super) fn too_many(name: &str, line: u64) -> Error {
    Error::data(format!(
        "`{name}` has more than {MOST_NEW_FIELDS} fields that the contract does not name, by line {line}"
    ))
    .hint("say `on_new_column: ignore`, or take the object that holds them as one text column")
}

fn as_str(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// Gives the rows read so far empty cells for fields met only now.
pub(super) fn widen(cells: &mut Vec<Span>, from: usize, to: usize) {
    let rows = cells.len().checked_div(from).unwrap_or(0);
    let mut wide = Vec::with_capacity((rows + 1) * to);
    for row in 0..rows {
        wide.extend_from_slice(&cells[row * from..(row + 1) * from]);
        wide.resize((row + 1) * to, Span::NONE);
    }
    *cells = wide;
}

impl TextReader for JsonLinesReader {
    fn fields(&self) -> &[String] {
        &self.paths
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.buffers.clear();
        let taken = loop {
            self.window.refill()?;
            let taken = self.read_lines()?;
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
        let text = match std::str::from_utf8(self.window.taken(taken)) {
            Ok(text) => text,
            // A line that is not text is alone in its batch and has no cells.
            Err(_) if self.buffers.lines.is_empty() => "",
            Err(e) => return Err(Error::bug(format!("lines of a file are not text: {e}"))),
        };
        Ok(Some(TextRows {
            text,
            unescaped: super::csv::as_text(&self.buffers.unescaped)?,
            cells: &self.buffers.cells,
            width: self.paths.len(),
            fields: &self.paths,
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
