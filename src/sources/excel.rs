//! Sheets of workbooks.

use super::bytes::FileBytes;
use super::text::TextReader;
use crate::contract::ExcelOptions;
use crate::error::{Error, Result};

/// Opens a sheet. Blocks.
pub(super) fn open(_bytes: FileBytes, _options: &ExcelOptions, _expected: &[String]) -> Result<Box<dyn TextReader>> {
    Err(Error::bug("not there yet"))
}
