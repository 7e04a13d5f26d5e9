//! Formats of known systems, one file each; [`FORMATS`] is the list.

mod amazon_connect;
mod asterisk_cdr;
mod asterisk_queue_log;
mod combined_log;
mod freeswitch_cdr;
mod ga4_export;
mod genesys_conversations;
mod help_desk_tickets;
mod nginx_json;
mod segment;
mod snowplow;
mod w3c_extended;
#[cfg(test)]
mod tests;

use crate::files::FileBytes;
use crate::text::TextReader;
use perennial_core::error::Result;

/// Opens a file for the fields that a contract reads.
pub type OpenFormat = fn(bytes: FileBytes, wanted: &[String]) -> Result<Box<dyn TextReader>>;

/// A format of a known system.
pub struct NamedFormat {
    /// As a contract writes it: `asterisk_queue_log`.
    pub name: &'static str,
    /// One line on what it is.
    pub title: &'static str,
    /// The page of the manual, in Markdown: where the files come from, what a row is, the traps.
    pub manual: &'static str,
    /// The contract that holds when a table says nothing else, as YAML: `key`, `newest_by`, `time_column`, `columns`.
    pub contract: &'static str,
    /// A few lines as the system writes them (our own, not copied), read by a test of the format.
    pub sample: &'static str,
    /// All fields that can be read, where the format has no others; empty where files may bring more (JSON).
    pub fields: &'static [&'static str],
    /// Opens a file; `wanted` are the fields the contract reads (`Column::from`). Blocks.
    pub open: OpenFormat,
}

/// All of them: call centres, then the web, each by name.
pub const FORMATS: &[&NamedFormat] = &[
    &amazon_connect::FORMAT,
    &asterisk_cdr::FORMAT,
    &asterisk_queue_log::FORMAT,
    &freeswitch_cdr::FORMAT,
    &genesys_conversations::FORMAT,
    &help_desk_tickets::FORMAT,
    &combined_log::FORMAT,
    &ga4_export::FORMAT,
    &nginx_json::FORMAT,
    &segment::FORMAT,
    &snowplow::FORMAT,
    &w3c_extended::FORMAT,
];

/// The format of a name.
pub fn named(name: &str) -> Option<&'static NamedFormat> {
    FORMATS.iter().find(|format| format.name == name).copied()
}

/// Names as a reader gives them.
fn names(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| field.to_string()).collect()
}
