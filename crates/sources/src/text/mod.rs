//! Rows of text: what every reader of text files gives and shares.

mod buffer;
pub(crate) mod encoding;
mod evidence;
mod filter;
mod header;
pub(crate) mod lines;
mod records;
mod rows;

pub(crate) use buffer::ReadBuffer;
pub(crate) use evidence::Evidence;
pub(crate) use filter::RowFilter;
pub(crate) use header::{duplicate, first_names};
pub(crate) use records::{RecordParser, RecordReader, each_line};
pub(crate) use rows::{MAX_ROWS, RAW_CHARACTERS, RowBuffers, Span, as_text, blank_invalid_utf8};
pub use rows::{RowReject, TextReader, TextRows};

#[cfg(test)]
mod lines_tests;
