//! Rows of systems that know types: Arrow batches, and the cells that no exact value can be made of.

use super::text::TextReader;
use crate::error::Result;
use arrow::array::RecordBatch;

/// Some rows of a typed system, in the order they came.
#[derive(Debug)]
pub struct TypedRows {
    /// One column per field. A column is either of the type its promised column has in the lake, and then exact, or text
    /// ([`arrow::datatypes::DataType::Utf8`]) as a person would write it; other types of Arrow are read as text, too.
    pub batch: RecordBatch,
    /// Cells that have no exact value of the promised type (too many digits, `NaN`, `infinity`, `0000-00-00`); they are
    /// NULL in the batch, and their rows are refused.
    pub faults: Vec<TypedFault>,
}

/// A cell that has no exact value of the promised type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedFault {
    /// Row of the batch, from 0.
    pub row: usize,
    /// Field, from 0.
    pub field: usize,
    /// The value as the system would print it.
    pub raw: String,
    /// Why it is refused.
    pub reason: String,
}

/// A reader of typed rows. It blocks, and so belongs on a thread that may.
pub trait TypedReader: Send {
    /// Names of the fields, in the order of the columns.
    fn fields(&self) -> &[String];

    /// The system's own name of each field's type (`numeric(12,2)`), to notice when one changes; empty when a system has
    /// no types.
    fn types(&self) -> &[String] {
        &[]
    }

    /// After the last row: of a file on a local folder its content's hash.
    fn finish(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// Of kind `Unreachable` when the system is lost, `Data` when what it sends cannot be understood.
    fn next_rows(&mut self) -> Result<Option<TypedRows>>;
}

/// A reader of rows, of either kind.
pub enum RowReader {
    /// Rows of text.
    Text(Box<dyn TextReader>),
    /// Typed rows.
    Typed(Box<dyn TypedReader>),
}
