//! One file of a source, opened with the reader of its format: the one list of readers.

use crate::csv::CsvReader;
use crate::files::FileBytes;
use crate::json::{JsonLinesReader, RowsPath, open_documents};
use crate::text::{TextReader, lines};
use crate::{formats, workbook};
use perennial_core::contract::Format;
use perennial_core::error::{Error, Result};

/// Opens a text file. `wanted` are the fields that the contract reads; with `collect_new`, other fields of JSON become new
/// ones. Blocks.
///
/// # Errors
/// As the reader of the format has them.
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
            open_documents(bytes, rows, wanted, collect_new)?
        }
        Format::Lines { pattern, encoding } => lines::open(bytes, pattern, *encoding)?,
        Format::Excel(options) => workbook::open(bytes, options, wanted)?,
        Format::Named(name) => match formats::named(name) {
            Some(format) => (format.open)(bytes, wanted)?,
            None => return Err(Error::project(format!("unknown format `{name}`"))),
        },
        Format::Parquet => return Err(Error::bug("a Parquet file is not text")),
    })
}

/// Whether a format has its fields in a header or by definition, so that a whole column can be missing.
pub fn has_header(format: &Format) -> bool {
    match format {
        Format::Csv(options) => options.header,
        Format::JsonLines | Format::Json { .. } => false,
        Format::Lines { .. } | Format::Parquet | Format::Excel(_) | Format::Named(_) => true,
    }
}
