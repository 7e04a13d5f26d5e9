//! Sheets of workbooks: `.xlsx`, `.xlsm`, `.xlsb`, `.xls` and `.ods`, told apart by their bytes.
//!
//! The file is held in memory and so has a greatest size; its rows are read one after the other on a thread of their own,
//! some batches ahead, so that a sheet is never in memory as a whole (`.xls` and `.ods` are). That thread also keeps a
//! damaged file, over which the library may panic, from taking the program with it.

use super::bytes::{FileBytes, TextInput};
use super::csv::{as_text, is_skipped, skipping};
use super::excel_cells::{CellKind, write_cell};
use super::text::{MOST_ROWS, RowBuffers, RowFault, Span, TextReader, TextRows};
use super::workbook::Workbook;
use crate::contract::ExcelOptions;
use crate::error::{Error, Result, list};
use calamine::DataRef;
use regex::bytes::RegexSet;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Greater workbooks are not read.
const MOST_WORKBOOK_BYTES: usize = 64 * 1024 * 1024;
/// Batches of rows ahead of who takes them.
const BATCHES_AHEAD: usize = 2;
/// Letters after which a batch is given on.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Rows among which a header is looked for that is not where it should be.
const HEADER_ROWS: u32 = 30;

/// Opens a sheet and reads its header. Blocks.
///
/// # Errors
/// Of kind `Data` when the file is no workbook that can be read (too large, protected by a password, damaged), has no
/// such sheet, or a header that names none of the expected columns or one twice; `Unreachable` when it cannot be read.
pub(super) fn open(bytes: FileBytes, options: &ExcelOptions, expected: &[String]) -> Result<Box<dyn TextReader>> {
    let mut input = bytes.into_text()?;
    let bytes = whole(&mut input)?;
    let (sender, rows) = sync_channel(BATCHES_AHEAD);
    let sheet = Sheet {
        file: input.name.clone(),
        expected: expected.to_vec(),
        header_row: options.header_row,
        skip_rows: skipping(&options.skip_rows)?,
        header: Header::Wanted,
        row: Row::default(),
        buffers: RowBuffers::default(),
        out: sender,
    };
    let name = options.sheet.clone();
    let thread = std::thread::Builder::new()
        .name("sheet".to_string())
        .spawn(move || sheet.read(bytes, name.as_deref()))
        .map_err(|e| Error::bug(format!("a thread does not start: {e}")))?;
    let mut reader =
        SheetReader { input, rows, thread: Some(thread), names: Vec::new(), buffers: RowBuffers::default() };
    match reader.next_message()? {
        Some(Message::Header(names)) => reader.names = names,
        _ => return Err(Error::bug("a sheet begins without its header")),
    }
    Ok(Box::new(reader))
}

/// All bytes of a workbook.
fn whole(input: &mut TextInput) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let filled = bytes.len();
        bytes.resize(filled + 1024 * 1024, 0);
        let count = input.fill(&mut bytes[filled..], 0)?;
        bytes.truncate(filled + count);
        if bytes.len() > MOST_WORKBOOK_BYTES {
            let most = MOST_WORKBOOK_BYTES / 1024 / 1024;
            let error = Error::data(format!("`{}` is greater than {most} MiB, too large for a workbook", input.name));
            return Err(error.hint("save the sheet as CSV, which is read in pieces of any number"));
        }
        if bytes.len() < filled + 1024 * 1024 {
            return Ok(bytes);
        }
    }
}

/// What the thread says.
enum Message {
    Header(Vec<String>),
    Rows(RowBuffers),
}

struct SheetReader {
    input: TextInput,
    rows: Receiver<Result<Message>>,
    thread: Option<JoinHandle<()>>,
    names: Vec<String>,
    buffers: RowBuffers,
}

impl SheetReader {
    fn next_message(&mut self) -> Result<Option<Message>> {
        if let Ok(message) = self.rows.recv() {
            return message.map(Some);
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(damaged(&self.input.name, "its parts do not fit together")),
            _ => Ok(None),
        }
    }
}

/// A workbook that the library cannot read.
pub(super) fn damaged(file: &str, why: impl std::fmt::Display) -> Error {
    Error::data(format!("`{file}`: the workbook is damaged: {why}"))
        .hint("open and save it with a spreadsheet program, or deliver it as CSV")
}

impl TextReader for SheetReader {
    fn fields(&self) -> &[String] {
        &self.names
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        match self.next_message()? {
            Some(Message::Rows(buffers)) => self.buffers = buffers,
            Some(Message::Header(_)) => return Err(Error::bug("a sheet has two headers")),
            None => return Ok(None),
        }
        Ok(Some(TextRows {
            text: "",
            unescaped: as_text(&self.buffers.unescaped)?,
            cells: &self.buffers.cells,
            width: self.names.len(),
            fields: &self.names,
            lines: &self.buffers.lines,
            faults: &self.buffers.faults,
        }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.input.bytes()
    }
}

/// The sheet's rows on their way out.
pub(super) struct Sheet {
    pub(super) file: String,
    expected: Vec<String>,
    header_row: Option<u32>,
    skip_rows: Option<RegexSet>,
    header: Header,
    row: Row,
    buffers: RowBuffers,
    out: SyncSender<Result<Message>>,
}

enum Header {
    Wanted,
    /// A row that named none of the expected columns; a later one may be meant.
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
    /// Its values with blanks between them.
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
    Failed(Error),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> End {
        End::Stopped
    }
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Failed(error)
    }
}

impl Sheet {
    fn read(mut self, bytes: Vec<u8>, name: Option<&str>) {
        let read = Workbook::open(bytes, &self.file)
            .and_then(|mut workbook| workbook.sheet(name, &self.file).map(|sheet| (workbook, sheet)))
            .map_err(End::Failed)
            .and_then(|(mut workbook, sheet)| workbook.read(&sheet, &mut self))
            .and_then(|()| self.finish());
        if let Err(End::Failed(error)) = read {
            // Nobody is left to be told when this fails.
            let _ = self.out.send(Err(error));
        }
    }

    /// Takes a cell; rows and columns are counted from 0. Cells come row by row.
    pub(super) fn cell(&mut self, row: u32, column: u32, value: &DataRef<'_>) -> Result<(), End> {
        if row + 1 != self.row.number {
            if row + 1 < self.row.number {
                return Err(damaged(&self.file, format!("row {} comes after row {}", row + 1, self.row.number)).into());
            }
            self.end_row()?;
            self.row.number = row + 1;
        }
        let start = self.row.text.len();
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
        let skipped = !row.cells.is_empty() && is_skipped(&self.skip_rows, row.joined().as_bytes());
        if !row.cells.is_empty() && !skipped {
            match &self.header {
                Header::Found(columns) => {
                    let columns = columns.clone();
                    self.take_row(&row, columns)?;
                }
                _ => self.look_for_header(&row)?,
            }
        }
        // What was allocated for this row serves the next.
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
        if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return Err(Error::data(format!("`{}`: the header names `{}` twice", self.file, twice.1)).into());
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
        let shown: Vec<&str> = found.iter().map(String::as_str).collect();
        let expected: Vec<&str> = self.expected.iter().map(String::as_str).collect();
        let error = Error::data(format!(
            "`{}`: the header names none of the promised columns; expected {}, found {}",
            self.file,
            list(&expected),
            list(&shown)
        ));
        match row {
            Some(row) => error.hint(format!("row {row} names them; write `header_row: {row}` in `format`")),
            None => error.hint("say in `format` which `sheet` and which `header_row` it is"),
        }
    }

    fn take_row(&mut self, row: &Row, columns: Range<u32>) -> Result<(), End> {
        let line = u64::from(row.number);
        if let Some((column, _, _)) = row.cells.iter().find(|(column, _, _)| !columns.contains(column)) {
            let reason = format!("the row has a value in column {}, where the header has no name", letters(*column));
            self.buffers.faults.push(RowFault::new(line, row.joined().as_bytes(), reason));
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
        let rows = self.buffers.lines.len() + self.buffers.faults.len();
        if rows >= MOST_ROWS || self.buffers.unescaped.len() >= BATCH_BYTES {
            let buffers = std::mem::take(&mut self.buffers);
            self.send(Message::Rows(buffers))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), End> {
        self.end_row()?;
        if !matches!(self.header, Header::Found(_)) {
            return Err(self.no_header(None).into());
        }
        let buffers = std::mem::take(&mut self.buffers);
        if !buffers.lines.is_empty() || !buffers.faults.is_empty() {
            self.send(Message::Rows(buffers))?;
        }
        Ok(())
    }

    fn send(&self, message: Message) -> Result<(), Stopped> {
        self.out.send(Ok(message)).map_err(|_| Stopped)
    }
}

/// The name a spreadsheet gives a column: A to Z, AA and so on.
fn letters(column: u32) -> String {
    let mut name = Vec::new();
    let mut left = column + 1;
    while left > 0 {
        name.push(b'A' + ((left - 1) % 26) as u8);
        left = (left - 1) / 26;
    }
    name.iter().rev().map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_in_a_spreadsheet() {
        let names: Vec<String> = [0, 25, 26, 27, 701, 702, 16_383].map(letters).to_vec();
        assert_eq!(names, ["A", "Z", "AA", "AB", "ZZ", "AAA", "XFD"]);
    }
}
