//! The contracts of named formats: what a table has when it says nothing else.

use super::columns;
use super::document::Document;
use super::fields::Fields;
use super::keys::{self, TableKeys};
use perennial_core::contract::Column;

/// Columns and keys of a format.
pub(crate) struct FormatContract {
    /// Its files are logs that are rotated.
    pub(crate) rotated: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: TableKeys,
}

/// The contract of a named format; instants without a zone of their own are in `time_zone`.
pub(crate) fn named(name: &str, time_zone: &str) -> Option<FormatContract> {
    let format = perennial_sources::formats::named(name)?;
    // A test reads the contract of every format, so that no problem is lost here.
    let document = Document::new(format!("format {name}"), format.contract);
    read(&document, time_zone)
}

/// Reads the contract of a format.
pub(crate) fn read(document: &Document, time_zone: &str) -> Option<FormatContract> {
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "the contract of a format", 0..0)?;
    let columns = columns::read_all(&fields, None, time_zone);
    let keys = keys::read(&fields, &columns, None);
    let rotated = fields.flag("rotated", false);
    fields.finish();
    Some(FormatContract { rotated, columns, keys })
}
