//! The rows of a sheet: found header, cells put in their columns, sent in batches.

use super::cells::{CellKind, write_cell};
use super::errors::damaged;
use crate::text::{MAX_ROWS, RowBuffers, RowFilter, RowReject, Span, duplicate, first_names};
use calamine::DataRef;
use perennial_core::error::{Error, Result};
use std::ops::Range;
use std::sync::mpsc::SyncSender;

/// Bytes of text after which a batch is sent.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// No row may have more text, before its last cell.
const MAX_ROW_BYTES: usize = 64 * 1024 * 1024;
/// Rows among which a misplaced header is looked for.
const HEADER_ROWS: u32 = 30;

/// What is sent.
pub(super) enum Message {
    /// The names of the columns; comes first.
    Header(Vec<String>),
    /// Some rows.
    Rows(RowBuffers),
}

/// Makes rows of the cells of a sheet, and sends them.
pub(super) struct Sheet {
    file: String,
    expected: Vec<String>,
    header_row: Option<u32>,
    filter: RowFilter,
    header: Header,
    row: Row,
    buffers: RowBuffers,
    out: SyncSender<Result<Message>>,
}

enum Header {
    Wanted,
    /// A row that has none of the expected columns; a later one may be meant.
    Wrong(Vec<String>),
    /// The columns that have names.
    Found(Range<u32>),
}

/// One row, as far as it was read.
#[derive(Default)]
struct Row {
    /// Counted from 1; 0 before the first.
    number: u32,
    text: String,
    cells: Vec<(u32, CellKind, Range<usize>)>,
}

impl Row {
    /// Its values, separated by spaces.
    fn joined(&self) -> String {
        let texts: Vec<&str> = self.cells.iter().map(|(_, _, range)| &self.text[range.clone()]).collect();
        texts.join(" ")
    }
}

/// Nobody takes the rows any more.
struct Stopped;

/// Why reading ends before the sheet does.
pub(super) enum End {
    Stopped,
    Error(Error),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> End {
        End::Stopped
    }
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Error(error)
    }
}

impl Sheet {
    /// A sheet of a file. Its header has one of the expected names, in the row of that number where one is given.
    pub(super) fn new(
        file: &str,
        expected: &[String],
        header_row: Option<u32>,
        filter: RowFilter,
        out: SyncSender<Result<Message>>,
    ) -> Sheet {
        Sheet {
            file: file.to_string(),
            expected: expected.to_vec(),
            header_row,
            filter,
            header: Header::Wanted,
            row: Row::default(),
            buffers: RowBuffers::default(),
            out,
        }
    }

    /// The file, for errors.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Ends the sheet with an error.
    pub(super) fn fail(&self, error: Error) {
        // When nobody takes the rows any more, nobody needs the error.
        let _ = self.out.send(Err(error));
    }

    /// Takes a cell; rows and columns are counted from 0. Cells come row by row.
    pub(super) fn cell(&mut self, row: u32, column: u32, value: &DataRef<'_>) -> Result<(), End> {
        if row + 1 != self.row.number {
            if row + 1 < self.row.number {
                return Err(damaged(&self.file, format!("row {} follows row {}", row + 1, self.row.number)).into());
            }
            self.end_row()?;
            self.row.number = row + 1;
        }
        let start = self.row.text.len();
        if start > MAX_ROW_BYTES {
            let (number, max) = (self.row.number, MAX_ROW_BYTES / 1024 / 1024);
            let error = Error::data(format!("`{}`: row {number} of the sheet is longer than {max} MiB", self.file));
            return Err(error.hint("many cells share one long text; export the sheet as CSV").into());
        }
        let kind = write_cell(value, &mut self.row.text);
        self.keep(column, kind, start);
        Ok(())
    }

    /// Takes a cell with a formula whose value is not in the file.
    pub(super) fn formula(&mut self, row: u32, column: u32, formula: &str) -> Result<(), End> {
        self.cell(row, column, &DataRef::Empty)?;
        let start = self.row.text.len();
        self.row.text.push('=');
        self.row.text.push_str(formula);
        self.keep(column, CellKind::Error, start);
        Ok(())
    }

    fn keep(&mut self, column: u32, kind: CellKind, start: usize) {
        let end = self.row.text.len();
        if end > start {
            self.row.cells.push((column, kind, start..end));
        }
    }

    fn end_row(&mut self) -> Result<(), End> {
        let row = std::mem::take(&mut self.row);
        let skipped = !row.cells.is_empty() && self.filter.skips(row.joined().as_bytes());
        if !row.cells.is_empty() && !skipped {
            match &self.header {
                Header::Found(columns) => {
                    let columns = columns.clone();
                    self.take_row(&row, columns)?;
                }
                _ => self.look_for_header(&row)?,
            }
        }
        // The next row reuses the allocations of this one.
        self.row = Row { number: row.number, ..row };
        self.row.text.clear();
        self.row.cells.clear();
        Ok(())
    }

    fn look_for_header(&mut self, row: &Row) -> Result<(), End> {
        let number = row.number;
        let name = |(_, _, range): &(u32, CellKind, Range<usize>)| row.text[range.clone()].trim().to_string();
        let names: Vec<String> = row.cells.iter().map(name).collect();
        let fits = self.expected.is_empty() || names.iter().any(|name| self.expected.contains(name));
        match &self.header {
            Header::Wrong(_) if fits || number > HEADER_ROWS => {
                return Err(self.no_header(fits.then_some(number)).into());
            }
            Header::Wrong(_) => return Ok(()),
            _ => {}
        }
        match self.header_row {
            Some(wanted) if number < wanted => return Ok(()),
            Some(wanted) if number > wanted => {
                let error = Error::data(format!("`{}`: row {wanted} of the sheet is empty", self.file));
                return Err(error.hint("`header_row` counts rows from 1 as the spreadsheet does").into());
            }
            _ => {}
        }
        if !fits {
            self.header = Header::Wrong(names);
            return Ok(());
        }
        if let Some(twice) = duplicate(&names) {
            let message = format!("`{}`: duplicate column in the header: `{twice}`", self.file);
            return Err(Error::data(message).into());
        }
        let columns = row.cells.iter().map(|(column, _, _)| *column);
        let (first, last) = (columns.clone().min().unwrap_or(0), columns.clone().max().unwrap_or(0));
        let mut fields = vec![String::new(); (last - first + 1) as usize];
        for (column, name) in columns.zip(names) {
            fields[(column - first) as usize] = name;
        }
        self.header = Header::Found(first..last + 1);
        self.send(Message::Header(fields))?;
        Ok(())
    }

    fn no_header(&self, row: Option<u32>) -> Error {
        let Header::Wrong(found) = &self.header else {
            return Error::data(format!("`{}`: the sheet is empty where a header is expected", self.file));
        };
        let error = Error::data(format!(
            "`{}`: the header has none of the contract's columns; expected {}, found {}",
            self.file,
            first_names(&self.expected),
            first_names(found)
        ));
        match row {
            Some(row) => error.hint(format!("row {row} has them; write `header_row: {row}` in `format`")),
            None => error.hint("write the right `sheet` or `header_row` in `format`"),
        }
    }

    fn take_row(&mut self, row: &Row, columns: Range<u32>) -> Result<(), End> {
        let line = u64::from(row.number);
        if row.cells.iter().any(|(column, _, _)| !columns.contains(column)) {
            let reason = "the row has a value in a column that has no name in the header";
            self.buffers.rejects.push(RowReject::new(line, row.joined().as_bytes(), reason));
        } else {
            let base = self.buffers.unescaped.len();
            self.buffers.unescaped.extend_from_slice(row.text.as_bytes());
            let before = self.buffers.cells.len();
            self.buffers.cells.resize(before + columns.len(), Span::NONE);
            for (column, kind, range) in &row.cells {
                let (start, end) = (base + range.start, base + range.end);
                self.buffers.cells[before + (column - columns.start) as usize] = match kind {
                    CellKind::Text => Span::unescaped(start, end),
                    CellKind::Native => Span::native(start, end),
                    CellKind::Error => Span::error(start, end),
                };
            }
            self.buffers.lines.push(line);
        }
        let rows = self.buffers.lines.len() + self.buffers.rejects.len();
        if rows >= MAX_ROWS || self.buffers.unescaped.len() >= BATCH_BYTES {
            let buffers = std::mem::take(&mut self.buffers);
            self.send(Message::Rows(buffers))?;
        }
        Ok(())
    }

    /// Ends the last row and sends what is left.
    pub(super) fn finish(&mut self) -> Result<(), End> {
        self.end_row()?;
        if !matches!(self.header, Header::Found(_)) {
            return Err(self.no_header(None).into());
        }
        let buffers = std::mem::take(&mut self.buffers);
        if !buffers.is_empty() {
            self.send(Message::Rows(buffers))?;
        }
        Ok(())
    }

    fn send(&self, message: Message) -> Result<(), Stopped> {
        self.out.send(Ok(message)).map_err(|_| Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_row_of_cells_that_share_a_long_text_ends() {
        let (out, _rows) = sync_channel(1);
        let mut sheet = Sheet::new("f", &[], None, RowFilter::new(&[]).unwrap(), out);
        let long = "x".repeat(1024 * 1024);
        let ended = (0..16_384).try_for_each(|column| sheet.cell(6, column, &DataRef::SharedString(&long)));
        match ended {
            Err(End::Error(error)) => assert_eq!(error.message(), "`f`: row 7 of the sheet is longer than 64 MiB"),
            _ => panic!("16 GiB were kept"),
        }
    }
}
