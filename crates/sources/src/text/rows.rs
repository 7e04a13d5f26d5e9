//! Rows of text that know the line they come from.

use perennial_core::error::{Error, Result};

/// Maximum number of rows of a batch.
pub(crate) const MAX_ROWS: usize = 16_384;
/// Maximum number of characters kept of a rejected row or value.
pub(crate) const RAW_CHARACTERS: usize = 1000;

/// A reader of rows of text.
pub trait TextReader: Send {
    /// Names of the fields, in the order of [`TextRows::cell`]. Grows at its end when rows bring new ones.
    fn fields(&self) -> &[String];

    /// The next rows; `None` at the end of the file. They live until the next call.
    ///
    /// # Errors
    /// When the file as a whole cannot be read further; invalid rows are returned as [`RowReject`]s.
    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>>;

    /// After the last row: for a file in a local folder the hash of its content, which tells a touched file from a changed
    /// one; for a service the resume token of the next load, if it gives one.
    ///
    /// # Errors
    /// When the file changed while it was read.
    fn finish(&mut self) -> Result<Option<String>>;

    /// Bytes of the file read so far, before decompression.
    fn bytes(&self) -> u64;

    /// After the last row: what a person should know of the file.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// What to do when the file lacks a column of the contract, where the reader has a suggestion.
    fn hint_for_missing(&self, _name: &str) -> Option<String> {
        None
    }
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowReject {
    /// The physical line on which `raw` begins, counted from 1.
    pub line: u64,
    /// The row as it is in the file, truncated after 1000 characters. Of a JSON document whose damage is further behind, the
    /// damaged line.
    pub raw: String,
    /// Why.
    pub reason: String,
}

impl RowReject {
    pub(crate) fn new(line: u64, raw: &[u8], reason: impl Into<String>) -> RowReject {
        let start = &raw[..raw.len().min(RAW_CHARACTERS * 4)];
        let text = String::from_utf8_lossy(start);
        let raw = text.trim_end_matches(['\r', '\n']).chars().take(RAW_CHARACTERS).collect();
        RowReject { line, raw, reason: reason.into() }
    }
}

/// A cell: a range of the text, or of the unescaped text; or no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// No value: JSON's `null`, or a field an object lacks.
    pub(crate) const NONE: Span = Span { start: u32::MAX, end: u32::MAX };
    const UNESCAPED: u32 = 1 << 31;
    /// In the end of an unescaped span: the cell is an error of a spreadsheet. A native one lacks `UNESCAPED` there.
    const ERROR: u32 = 1 << 30;

    /// A range of the text.
    pub(crate) fn text(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// A range of the unescaped text.
    pub(crate) fn unescaped(start: usize, end: usize) -> Span {
        Span { start: start as u32 | Span::UNESCAPED, end: end as u32 | Span::UNESCAPED }
    }

    /// A cell of a workbook that is not text: a number, a date, a Boolean.
    pub(crate) fn native(start: usize, end: usize) -> Span {
        Span { start: start as u32 | Span::UNESCAPED, end: end as u32 }
    }

    /// A cell of a workbook that holds an error.
    pub(crate) fn error(start: usize, end: usize) -> Span {
        Span { start: start as u32 | Span::UNESCAPED, end: end as u32 | Span::UNESCAPED | Span::ERROR }
    }

    /// The same cell of a text that begins `by` bytes further; an unescaped one stays.
    pub(crate) fn shifted(self, by: usize) -> Span {
        if self.start & Span::UNESCAPED != 0 {
            return self;
        }
        Span { start: self.start + by as u32, end: self.end + by as u32 }
    }

    /// Its bytes in the text; not for an unescaped one.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// Its range in the unescaped text, if it is there.
    pub(crate) fn unescaped_range(self) -> Option<std::ops::Range<usize>> {
        let own = self != Span::NONE && self.start & Span::UNESCAPED != 0;
        let end = self.end & !(Span::UNESCAPED | Span::ERROR);
        own.then_some((self.start & !Span::UNESCAPED) as usize..end as usize)
    }
}

/// What a reader keeps between batches so that no row allocates.
#[derive(Default)]
pub(crate) struct RowBuffers {
    pub(crate) cells: Vec<Span>,
    pub(crate) lines: Vec<u64>,
    pub(crate) unescaped: Vec<u8>,
    pub(crate) rejects: Vec<RowReject>,
}

impl RowBuffers {
    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.lines.clear();
        self.unescaped.clear();
        self.rejects.clear();
    }

    /// Whether there is neither a row nor a reject.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.rejects.is_empty()
    }

    /// Gives the rows read so far empty cells for fields that appear only now.
    pub(crate) fn widen(&mut self, from: usize, to: usize) {
        let rows = self.cells.len().checked_div(from).unwrap_or(0);
        let mut wide = Vec::with_capacity((rows + 1) * to);
        for row in 0..rows {
            wide.extend_from_slice(&self.cells[row * from..(row + 1) * from]);
            wide.resize((row + 1) * to, Span::NONE);
        }
        self.cells = wide;
    }

    /// The rows read so far, whose cells are ranges of `text`.
    ///
    /// # Errors
    /// Of kind `Bug` when the unescaped text is not text.
    pub(crate) fn rows<'a>(&'a self, text: &'a str, fields: &'a [String]) -> Result<TextRows<'a>> {
        Ok(TextRows {
            text,
            unescaped: as_text(&self.unescaped)?,
            cells: &self.cells,
            width: fields.len(),
            fields,
            lines: &self.lines,
            rejects: &self.rejects,
        })
    }
}

/// Bytes that a reader has checked, as text.
///
/// # Errors
/// Of kind `Bug` when they are not.
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| Error::bug(format!("rows of a file are not text: {e}")))
}

/// Overwrites bytes that are not UTF-8 with spaces.
pub(crate) fn blank_invalid_utf8(bytes: &mut [u8]) {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&bytes[from..]) {
        let start = from + error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - start);
        bytes[start..start + length].fill(b' ');
        from = start + length;
    }
}

/// Some rows of a file.
#[derive(Debug)]
pub struct TextRows<'a> {
    text: &'a str,
    unescaped: &'a str,
    cells: &'a [Span],
    width: usize,
    fields: &'a [String],
    lines: &'a [u64],
    /// Rows among these that cannot be read, in the order of their lines.
    pub rejects: &'a [RowReject],
}

impl<'a> TextRows<'a> {
    /// Names of the fields, as [`TextReader::fields`] has them after these rows.
    pub fn fields(&self) -> &'a [String] {
        self.fields
    }

    /// Number of rows that can be read.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The physical line each row begins on, counted from 1.
    pub fn lines(&self) -> &'a [u64] {
        self.lines
    }

    /// The text of a cell; `None` where a JSON object has no value.
    #[inline]
    pub fn cell(&self, row: usize, field: usize) -> Option<&'a str> {
        let span = self.cells[row * self.width + field];
        if span.start & Span::UNESCAPED == 0 {
            return Some(&self.text[span.start as usize..span.end as usize]);
        }
        span.unescaped_range().map(|range| &self.unescaped[range])
    }

    /// Whether a cell is not text in its workbook, but a number, a date or a Boolean.
    pub fn is_native(&self, row: usize, field: usize) -> bool {
        let span = self.cells[row * self.width + field];
        span.start & Span::UNESCAPED != 0 && span.end & Span::UNESCAPED == 0
    }

    /// Whether a cell of a workbook holds an error, such as `#N/A`.
    pub fn is_error(&self, row: usize, field: usize) -> bool {
        let span = self.cells[row * self.width + field];
        span != Span::NONE && span.start & Span::UNESCAPED != 0 && span.end & Span::ERROR != 0
    }
}
