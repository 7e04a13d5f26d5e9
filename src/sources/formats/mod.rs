//! Formats of known systems, one file each; [`FORMATS`] is the list.

use super::bytes::FileBytes;
use super::text::TextReader;
use crate::error::Result;

/// A format of a known system.
pub struct NamedFormat {
    /// As a contract writes it: `asterisk_queue_log`.
    pub name: &'static str,
    /// One line on what it is.
    pub title: &'static str,
    /// The page of the manual, in Markdown: where the files come from, what a row is, the traps.
    pub manual: &'static str,
    /// The contract that holds when a table says nothing else, as YAML: `key`, `time_column`, `columns`.
    pub contract: &'static str,
    /// A few lines as the system writes them (our own, not copied), read by a test of the format.
    pub sample: &'static str,
    /// Opens a file; `wanted` are the fields the contract reads (`Column::from`). Blocks.
    pub open: fn(bytes: FileBytes, wanted: &[String]) -> Result<Box<dyn TextReader>>,
}

/// All of them, by name.
pub const FORMATS: &[&NamedFormat] = &[];

/// The format of a name.
pub fn named(name: &str) -> Option<&'static NamedFormat> {
    FORMATS.iter().find(|format| format.name == name).copied()
}
