//! Errors about workbooks.

use perennial_core::error::Error;

/// A workbook that the library cannot read.
pub(super) fn damaged(file: &str, why: impl std::fmt::Display) -> Error {
    Error::data(format!("`{file}`: the workbook is damaged: {why}"))
        .hint("open and save it with a spreadsheet program, or export it as CSV")
}
