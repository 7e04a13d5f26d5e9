//! One file of a source, opened with the reader of its format: the one list of readers.

use super::bytes::FileBytes;
use super::csv::CsvReader;
use super::json::JsonLinesReader;
use super::json_documents::RowsPath;
use super::text::TextReader;
use super::{excel, formats, json_documents, lines};
use crate::contract::Format;
use crate::error::{Error, Result};

/// Opens a text file. `wanted` are the fields that the contract reads; with `collect_new`, fields of JSON that nobody
/// asked for become new ones. Blocks.
///
/// # Errors
/// As the reader of the format says them.
pub fn open_text(
    bytes: FileBytes,
    format: &Format,
    wanted: &[String],
    collect_new: bool,
) -> Result<Box<dyn TextReader>> {
    Ok(match format {
        Format::Csv(options) => Box::new(CsvReader::open(bytes, options, wanted)?),
        Format::JsonLines => Box::new(JsonLinesReader::open(bytes, wanted, collect_new)?),
        Format::Json { rows } => {
            let rows = RowsPath { wrapper: None, rows };
            json_documents::open(bytes, rows, wanted, collect_new)?
        }
        Format::Lines { pattern, encoding } => lines::open(bytes, pattern, *encoding)?,
        Format::Excel(options) => excel::open(bytes, options, wanted)?,
        Format::Named(name) => match formats::named(name) {
            Some(format) => (format.open)(bytes, wanted)?,
            None => return Err(Error::project(format!("unknown format `{name}`"))),
        },
        Format::Parquet => return Err(Error::bug("a Parquet file is no text")),
    })
}

/// Whether a format has its fields in a header or by definition, so that a promised one can be missing as a whole.
pub fn has_header(format: &Format) -> bool {
    match format {
        Format::Csv(options) => options.header,
        Format::JsonLines | Format::Json { .. } => false,
        Format::Lines { .. } | Format::Parquet | Format::Excel(_) | Format::Named(_) => true,
    }
}
