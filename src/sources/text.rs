//! Rows of text that know their place.

use crate::error::Result;

/// Rows given at most at a time.
pub(super) const MOST_ROWS: usize = 16_384;
/// Characters of a refused row that are kept.
pub(super) const RAW_CHARACTERS: usize = 1000;

/// A reader of rows of text.
pub trait TextReader: Send {
    /// Names of the fields, in the order of [`TextRows::cell`]. Grows at its end when rows bring new ones.
    fn fields(&self) -> &[String];

    /// The next rows; `None` at the end of the file. They live until the next call.
    ///
    /// # Errors
    /// When the file as a whole cannot be read further; rows that are wrong by themselves come as [`RowFault`]s.
    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>>;

    /// After the last row: of a file on a local folder its content's hash, to tell a touched file from a changed one; of
    /// a service the token with which the next load goes on, where it gives one.
    ///
    /// # Errors
    /// When the file changed while it was read.
    fn finish(&mut self) -> Result<Option<String>>;

    /// Bytes of the file read so far, before decompression.
    fn bytes(&self) -> u64;

    /// What to do when the file lacks a promised column, where the reader has an idea.
    fn hint_for_missing(&self, _name: &str) -> Option<String> {
        None
    }
}

/// A row that cannot be read by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The physical line it begins on, counted from 1.
    pub line: u64,
    /// The row as it stands, cut after 1000 characters.
    pub raw: String,
    /// Why.
    pub reason: String,
}

impl RowFault {
    pub(super) fn new(line: u64, raw: &[u8], reason: impl Into<String>) -> RowFault {
        let start = &raw[..raw.len().min(RAW_CHARACTERS * 4)];
        let text = String::from_utf8_lossy(start);
        let raw = text.trim_end_matches(['\r', '\n']).chars().take(RAW_CHARACTERS).collect();
        RowFault { line, raw, reason: reason.into() }
    }
}

/// A cell: a range of the window, or of the letters that had to be unescaped; or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// No value: JSON's `null`, or a field an object lacks.
    pub(super) const NONE: Span = Span { start: u32::MAX, end: u32::MAX };
    const UNESCAPED: u32 = 1 << 31;
    /// At the end of an unescaped span: the cell is an error of a spreadsheet. A native one lacks `UNESCAPED` there.
    const ERROR: u32 = 1 << 30;

    pub(super) fn text(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    pub(super) fn unescaped(start: usize, end: usize) -> Span {
        Span { start: start as u32 | Span::UNESCAPED, end: end as u32 | Span::UNESCAPED }
    }

    /// A cell of a workbook that is no text there: a number, a day, a truth.
    pub(super) fn native(start: usize, end: usize) -> Span {
        Span { start: start as u32 | Span::UNESCAPED, end: end as u32 }
    }

    /// A cell of a workbook that holds an error.
    pub(super) fn error(start: usize, end: usize) -> Span {
        Span { start: start as u32 | Span::UNESCAPED, end: end as u32 | Span::UNESCAPED | Span::ERROR }
    }

    /// The same cell where its text begins so many bytes further; what is unescaped stays.
    pub(super) fn shifted(self, by: usize) -> Span {
        if self.start & Span::UNESCAPED != 0 {
            return self;
        }
        Span { start: self.start + by as u32, end: self.end + by as u32 }
    }

    /// Its bytes among those of the window; not for unescaped ones.
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    pub(super) fn unescaped_range(self) -> Option<std::ops::Range<usize>> {
        let own = self != Span::NONE && self.start & Span::UNESCAPED != 0;
        let end = self.end & !(Span::UNESCAPED | Span::ERROR);
        own.then_some((self.start & !Span::UNESCAPED) as usize..end as usize)
    }
}

/// What a reader keeps between calls so that no row allocates.
#[derive(Default)]
pub(super) struct RowBuffers {
    pub(super) cells: Vec<Span>,
    pub(super) lines: Vec<u64>,
    pub(super) unescaped: Vec<u8>,
    pub(super) faults: Vec<RowFault>,
}

impl RowBuffers {
    pub(super) fn clear(&mut self) {
        self.cells.clear();
        self.lines.clear();
        self.unescaped.clear();
        self.faults.clear();
    }
}

/// Some rows of a file.
#[derive(Debug)]
pub struct TextRows<'a> {
    pub(super) text: &'a str,
    pub(super) unescaped: &'a str,
    pub(super) cells: &'a [Span],
    pub(super) width: usize,
    pub(super) fields: &'a [String],
    pub(super) lines: &'a [u64],
    /// Rows between these that cannot be read, in the order of their lines.
    pub faults: &'a [RowFault],
}

impl<'a> TextRows<'a> {
    /// Names of the fields, as [`TextReader::fields`] has them after these rows.
    pub fn fields(&self) -> &'a [String] {
        self.fields
    }

    /// Count of rows that can be read.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
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

    /// Whether a cell is no text in its workbook, but a number, a day or a truth.
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
