//! Reads the systems that a company has: files, databases, services. Reads, never writes.
//!
//! [`System::open`] opens a source by its location. [`Files`] lists and reads files, in a folder, a store or on an SFTP
//! server; [`Database`] reads relations, all seen at one moment; [`Http`] reads pages of JSON. All give rows through one of
//! two readers: [`TextReader`] gives rows of text that know their line, [`TypedReader`] Arrow batches. What a row has to
//! be is the contract's business, applied in `intake`; here a row is only read, or refused because it cannot be.
//!
//! The readers block and belong on a thread that may; each holds a window of its input, never all of it.

mod batch;
mod bytes;
mod channel;
mod csv;
mod csv_cut;
mod database;
mod encoding;
mod excel;
mod excel_cells;
mod files;
pub mod formats;
mod http;
mod json;
mod json_documents;
mod json_paths;
mod json_rows;
mod json_scan;
mod lines;
mod local_time;
mod mysql;
mod open;
mod parquet;
mod pattern;
mod postgresql;
mod sftp;
mod sniff;
mod sqlite;
mod system;
mod text;
mod tls;
mod typed;
mod window;
mod workbook;

pub use bytes::FileBytes;
pub use csv::CsvReader;
pub use database::{Database, FoundColumn, FoundRelation, FoundTable, RelationRequest, Since};
pub use files::{Files, SourceFile};
pub use http::{Http, PagesReader};
pub use json::JsonLinesReader;
pub use json_documents::check_paths;
pub use open::{has_header, open_text};
pub use parquet::ParquetReader;
pub use sniff::{Known, Sniffed, sniff};
pub use system::{SCHEMES, System, SystemKind, kind_of, scheme};
pub use text::{RowFault, TextReader, TextRows};
pub use typed::{RowReader, TypedFault, TypedReader, TypedRows};

#[cfg(test)]
mod documents_tests;
#[cfg(test)]
mod lines_tests;
#[cfg(test)]
mod tests;
