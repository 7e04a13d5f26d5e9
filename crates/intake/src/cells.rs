//! The cells of one column of a batch, wherever they come from.

use arrow::array::{Array, StringArray};
use perennial_sources::TextRows;

/// The cells of one column of a batch.
pub(crate) trait Cells {
    /// Number of rows.
    fn len(&self) -> usize;
    /// The text of a cell; `None` where there is no value.
    fn get(&self, row: usize) -> Option<&str>;
    /// Whether the cell was a number, date or timestamp in a workbook.
    fn is_native(&self, _row: usize) -> bool {
        false
    }
    /// Whether the cell may have been a date or timestamp in a workbook.
    fn may_be_date(&self, row: usize) -> bool {
        self.is_native(row)
    }
    /// Whether the cell contains an error of a spreadsheet instead of a value.
    fn is_error(&self, _row: usize) -> bool {
        false
    }
}

/// A column of rows of text.
pub(crate) struct TextColumn<'a> {
    pub(crate) rows: &'a TextRows<'a>,
    pub(crate) field: usize,
}

impl Cells for TextColumn<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn get(&self, row: usize) -> Option<&str> {
        self.rows.cell(row, self.field)
    }

    fn is_native(&self, row: usize) -> bool {
        self.rows.is_native(row, self.field)
    }

    fn is_error(&self, row: usize) -> bool {
        self.rows.is_error(row, self.field)
    }
}

impl Cells for StringArray {
    fn len(&self) -> usize {
        Array::len(self)
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.is_valid(row).then(|| self.value(row))
    }
}

/// A column of rejected rows that are replayed, which are stored as texts and numbers.
pub(crate) struct StoredColumn<'a> {
    pub(crate) texts: StringArray,
    pub(crate) native: &'a [bool],
}

impl Cells for StoredColumn<'_> {
    fn len(&self) -> usize {
        Array::len(&self.texts)
    }

    fn get(&self, row: usize) -> Option<&str> {
        Cells::get(&self.texts, row)
    }

    fn is_native(&self, row: usize) -> bool {
        self.native[row]
    }

    /// Dates of workbooks are stored as text.
    fn may_be_date(&self, _row: usize) -> bool {
        true
    }
}

/// A column that the file lacks: no value in any row.
pub(crate) struct MissingColumn(pub(crate) usize);

impl Cells for MissingColumn {
    fn len(&self) -> usize {
        self.0
    }

    fn get(&self, _row: usize) -> Option<&str> {
        None
    }
}
