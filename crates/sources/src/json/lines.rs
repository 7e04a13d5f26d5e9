//! JSON lines: one object a line, its fields found by dotted paths in one pass.
//!
//! Cells are the text as written: numbers keep every digit, `true` is `true`, strings are unescaped, an object or array
//! asked for as a whole stays JSON. Of a duplicate name in one object the last counts. Blank lines are skipped.

use super::scan::{Scan, Shapes};
use crate::files::FileBytes;
use crate::text::{ReadBuffer, RecordParser, RecordReader, RowBuffers, RowReject, Span, each_line};
use perennial_core::contract::TextEncoding;
use perennial_core::error::{Error, Result};

/// Maximum number of fields of a file that are not in the contract; more mean that names are made from data.
pub const MAX_NEW_FIELDS: usize = 200;
const LONG_HINT: &str = "this happens with a file without line ends, or of another format";

/// Makes rows of JSON lines.
pub(crate) struct JsonRecords {
    paths: Vec<String>,
    shapes: Shapes,
    /// Other fields become new ones.
    collect_new: bool,
    /// Number of fields asked for.
    wanted: usize,
    row: Vec<Span>,
}

/// Reads JSON lines.
pub(crate) type JsonLinesReader = RecordReader<JsonRecords>;

impl JsonLinesReader {
    /// Opens a file. `paths` are the fields asked for; with `collect_new` every other field met becomes one more, by
    /// its path, at the end of the reader's fields. Blocks.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read, `Project` when a path is malformed.
    pub(crate) fn open(bytes: FileBytes, paths: &[String], collect_new: bool) -> Result<JsonLinesReader> {
        let mut shapes = Shapes::for_one_object();
        for (cell, path) in paths.iter().enumerate() {
            shapes.want(0, path, cell).map_err(Error::project)?;
        }
        let records = JsonRecords { paths: paths.to_vec(), shapes, collect_new, wanted: paths.len(), row: Vec::new() };
        Ok(RecordReader::new(ReadBuffer::open(bytes, TextEncoding::Utf8, LONG_HINT)?, records))
    }
}

impl RecordParser for JsonRecords {
    fn fields(&self) -> &[String] {
        &self.paths
    }

    fn parse(&mut self, buffer: &mut ReadBuffer, rows: &mut RowBuffers) -> Result<usize> {
        let JsonRecords { paths, shapes, collect_new, wanted, row } = self;
        let taken = each_line(buffer, rows, TextEncoding::Utf8, |text, range, line, rows| {
            let width = paths.len();
            row.clear();
            row.resize(width, Span::NONE);
            let unescaped = &mut rows.unescaped;
            let max_fields = max_fields(*collect_new, *wanted);
            let mut scan = Scan { text, paths, shapes, max_fields, row, unescaped, list: None };
            let read = scan.line(range.start, range.end);
            if paths.len() > width {
                rows.widen(width, paths.len());
            }
            match read {
                Ok(()) => {
                    rows.cells.extend_from_slice(row);
                    rows.lines.push(line);
                }
                Err(reason) => rows.rejects.push(RowReject::new(line, text[range].trim_ascii().as_bytes(), reason)),
            }
        });
        if paths.len() > *wanted + MAX_NEW_FIELDS {
            return Err(too_many_fields(&buffer.input.name, buffer.line - 1));
        }
        Ok(taken)
    }
}

/// The number of fields beyond which no more are collected: one more than is allowed.
pub(super) fn max_fields(collect_new: bool, wanted: usize) -> usize {
    if collect_new { wanted + MAX_NEW_FIELDS + 1 } else { 0 }
}

/// That a file has more new fields than a table can take.
pub(super) fn too_many_fields(name: &str, line: u64) -> Error {
    Error::data(format!("`{name}` has more than {MAX_NEW_FIELDS} fields that are not in the contract, by line {line}"))
        .hint("write `on_new_column: ignore`, or read the object that contains them as one text column")
}
