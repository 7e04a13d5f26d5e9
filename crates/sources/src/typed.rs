//! Rows of systems that have types: Arrow batches, and the cells that have no exact value.

use crate::text::TextReader;
use arrow::array::RecordBatch;
use perennial_core::error::Result;

/// Some rows of a typed system, in the order they came.
#[derive(Debug)]
pub struct TypedRows {
    /// One column per field. A column is either of the type that the contract's column has in the lake, and then exact, or
    /// text ([`arrow::datatypes::DataType::Utf8`]) as a person would write it; other Arrow types are read as text, too.
    pub batch: RecordBatch,
    /// Cells that have no exact value of the contract's type (too many digits, `NaN`, `infinity`, `0000-00-00`); they are
    /// NULL in the batch, and their rows are rejected.
    pub rejects: Vec<CellReject>,
}

/// A cell that has no exact value of the contract's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellReject {
    /// Row of the batch, from 0.
    pub row: usize,
    /// Field, from 0.
    pub field: usize,
    /// The value as the system would print it.
    pub raw: String,
    /// Why it is rejected.
    pub reason: String,
}

/// A reader of typed rows. It blocks, and so belongs on a thread that may.
pub trait TypedReader: Send {
    /// Names of the fields, in the order of the columns.
    fn fields(&self) -> &[String];

    /// The system's own name of each field's type (`numeric(12,2)`), so that changes are noticed; empty when a system has
    /// no types.
    fn types(&self) -> &[String] {
        &[]
    }

    /// After the last row: for a file in a local folder the hash of its content.
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
