//! Sheets of workbooks: `.xlsx`, `.xlsm`, `.xlsb`, `.xls` and `.ods`, told apart by their bytes.
//!
//! The file is held in memory and therefore has a maximum size; its rows are read one after the other on a separate thread,
//! some batches ahead, so that a sheet is never in memory as a whole (`.xls` and `.ods` are). The thread also keeps a
//! damaged file, over which the library may panic, from ending the program.

use super::book::Workbook;
use super::errors::damaged;
use super::sheet::{End, Message, Sheet};
use crate::files::{FileBytes, TextInput};
use crate::text::{RowBuffers, RowFilter, TextReader, TextRows};
use perennial_core::contract::ExcelOptions;
use perennial_core::error::{Error, Result};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Larger workbooks are not read.
const MAX_WORKBOOK_BYTES: usize = 64 * 1024 * 1024;
/// Batches read ahead.
const BATCHES_AHEAD: usize = 2;

/// Opens a sheet and reads its header. Blocks.
///
/// # Errors
/// Of kind `Data` when the file is not a workbook that can be read (too large, protected by a password, damaged), has no
/// such sheet, or a header that has none of the expected columns or one twice; `Unreachable` when it cannot be read.
pub(crate) fn open(bytes: FileBytes, options: &ExcelOptions, expected: &[String]) -> Result<Box<dyn TextReader>> {
    let mut input = bytes.into_text()?;
    let bytes = whole(&mut input)?;
    let (sender, rows) = sync_channel(BATCHES_AHEAD);
    let filter = RowFilter::new(&options.skip_rows)?;
    let sheet = Sheet::new(&input.name, expected, options.header_row, filter, sender);
    let name = options.sheet.clone();
    let thread = std::thread::Builder::new()
        .name("sheet".to_string())
        .spawn(move || read_sheet(sheet, bytes, name.as_deref()))
        .map_err(|e| Error::bug(format!("a thread does not start: {e}")))?;
    let mut reader =
        SheetReader { input, rows, thread: Some(thread), names: Vec::new(), buffers: RowBuffers::default() };
    match reader.next_message()? {
        Some(Message::Header(names)) => reader.names = names,
        _ => return Err(Error::bug("a sheet begins without its header")),
    }
    Ok(Box::new(reader))
}

/// What the thread does.
fn read_sheet(mut sheet: Sheet, bytes: Vec<u8>, name: Option<&str>) {
    let read = Workbook::open(bytes, sheet.file())
        .and_then(|mut workbook| workbook.sheet(name, sheet.file()).map(|name| (workbook, name)))
        .map_err(End::Error)
        .and_then(|(mut workbook, name)| workbook.read(&name, &mut sheet))
        .and_then(|()| sheet.finish());
    if let Err(End::Error(error)) = read {
        sheet.fail(error);
    }
}

/// All bytes of a workbook.
fn whole(input: &mut TextInput) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let filled = bytes.len();
        bytes.resize(filled + 1024 * 1024, 0);
        let count = input.fill(&mut bytes[filled..], 0)?;
        bytes.truncate(filled + count);
        if bytes.len() > MAX_WORKBOOK_BYTES {
            let max = MAX_WORKBOOK_BYTES / 1024 / 1024;
            let error =
                Error::data(format!("`{}` is larger than {max} MiB, which is too large for a workbook", input.name));
            return Err(error.hint("save the sheet as CSV, which may have any size"));
        }
        if bytes.len() < filled + 1024 * 1024 {
            return Ok(bytes);
        }
    }
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
            Some(Err(_)) => Err(damaged(&self.input.name, "its parts are inconsistent")),
            _ => Ok(None),
        }
    }
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
        self.buffers.rows("", &self.names).map(Some)
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.input.bytes()
    }
}
