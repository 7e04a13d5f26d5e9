//! Files that are records one after the other: the loop that their readers share.

use super::buffer::ReadBuffer;
use super::encoding;
use super::rows::{MAX_ROWS, RowBuffers, RowReject, TextReader, TextRows, as_text};
use memchr::{memchr, memrchr};
use perennial_core::contract::TextEncoding;
use perennial_core::error::Result;
use std::ops::Range;

/// Makes rows of the records of one format.
pub(crate) trait RecordParser: Send {
    /// Names of the fields. Grows at its end when records bring new ones.
    fn fields(&self) -> &[String];

    /// Reads the complete records in the buffer and takes them from it. Returns the number of bytes taken.
    ///
    /// # Errors
    /// When the file as a whole cannot be read further.
    fn parse(&mut self, buffer: &mut ReadBuffer, rows: &mut RowBuffers) -> Result<usize>;

    /// Rejects those of the rows just read whose bytes are not text, and blanks them out. For formats whose parser does
    /// not do so itself.
    fn reject_invalid(&mut self, _taken: &mut [u8], _rows: &mut RowBuffers) {}

    /// What to do when the file lacks a column of the contract.
    fn hint_for_missing(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Reads a file record by record.
pub(crate) struct RecordReader<P> {
    buffer: ReadBuffer,
    parser: P,
    rows: RowBuffers,
}

impl<P: RecordParser> RecordReader<P> {
    /// A reader of the records in a buffer.
    pub(crate) fn new(buffer: ReadBuffer, parser: P) -> RecordReader<P> {
        RecordReader { buffer, parser, rows: RowBuffers::default() }
    }
}

impl<P: RecordParser> TextReader for RecordReader<P> {
    fn fields(&self) -> &[String] {
        self.parser.fields()
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.rows.clear();
        let taken = loop {
            self.buffer.refill()?;
            let taken = self.parser.parse(&mut self.buffer, &mut self.rows)?;
            if !self.rows.is_empty() {
                break taken;
            }
            if self.buffer.ended() && self.buffer.bytes().is_empty() {
                return Ok(None);
            }
            if taken == 0 {
                self.buffer.read_on()?;
            }
        };
        self.parser.reject_invalid(self.buffer.taken_mut(taken), &mut self.rows);
        // Without accepted rows there are no cells, and the bytes may not be text.
        let text = if self.rows.lines.is_empty() { "" } else { as_text(self.buffer.taken(taken))? };
        self.rows.rows(text, self.parser.fields()).map(Some)
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.buffer.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.buffer.input.bytes()
    }

    fn remarks(&self) -> Vec<String> {
        self.buffer.remarks()
    }

    fn hint_for_missing(&self, name: &str) -> Option<String> {
        self.parser.hint_for_missing(name)
    }
}

/// Reads the complete lines in a buffer that are not blank, and takes them from it; returns the number of bytes taken. A
/// line that is not text is rejected. `read` gets the text, the range of one line in it with its line end, and the line's
/// number.
#[inline]
pub(crate) fn each_line(
    buffer: &mut ReadBuffer,
    rows: &mut RowBuffers,
    encoding: TextEncoding,
    mut read: impl FnMut(&str, Range<usize>, u64, &mut RowBuffers),
) -> usize {
    let bytes = buffer.bytes();
    let whole = match memrchr(b'\n', bytes) {
        _ if buffer.ended() => bytes.len(),
        Some(at) => at + 1,
        None => 0,
    };
    let valid = std::str::from_utf8(&bytes[..whole]).map_or_else(|e| e.valid_up_to(), str::len);
    // Up to the line with the first byte that is not text; the next call starts there.
    let text = match memrchr(b'\n', &bytes[..valid]) {
        _ if valid == whole => &bytes[..valid],
        Some(at) => &bytes[..=at],
        None => &[],
    };
    let text = std::str::from_utf8(text).unwrap_or("");
    let mut line = buffer.line;
    let mut from = 0;
    while from < text.len() && rows.lines.len() < MAX_ROWS && rows.rejects.len() < MAX_ROWS {
        let next = memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at + 1);
        if !text[from..next].trim_ascii().is_empty() {
            read(text, from..next, line, rows);
        }
        from = next;
        line += 1;
    }
    if text.is_empty() && whole > 0 {
        let next = memchr(b'\n', &bytes[..whole]).map_or(whole, |at| at + 1);
        let reason = format!("the line contains bytes that are not valid {}", encoding::name(encoding));
        rows.rejects.push(RowReject::new(line, &bytes[..next], reason));
        from = next;
        line += 1;
    }
    buffer.line = line;
    buffer.take(from);
    from
}
