//! Finds and reads the files of a source: reads, never writes.
//!
//! [`Files`] lists what lies under a source's location; [`Files::read`] opens one file; [`CsvReader`],
//! [`JsonLinesReader`] and [`ParquetReader`] turn its bytes into rows that know the line they stood on. What a row has
//! to be is the contract's business, applied in `intake`; here a row is only text, or refused because it is none.
//!
//! The readers are synchronous and belong on a blocking thread; each holds one window of the file, never all of it.

mod bytes;
mod csv;
mod csv_cut;
mod encoding;
mod files;
mod json;
mod json_scan;
mod parquet;
mod text;
mod window;

pub use bytes::{FileBytes, TextInput};
pub use csv::CsvReader;
pub use files::{Files, SourceFile};
pub use json::JsonLinesReader;
pub use parquet::ParquetReader;
pub use text::{RowFault, TextReader, TextRows};

#[cfg(test)]
mod tests;
