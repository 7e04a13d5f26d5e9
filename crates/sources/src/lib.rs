//! Reads the systems that a company has: files, databases, services. Reads, never writes.
//!
//! [`System::open`] opens a source by its location; [`SOURCE_KINDS`] is the list of what can be read. [`Files`] lists and
//! reads files, in a folder, an object store or on an SFTP server; [`Database`] reads relations, all as of one point in
//! time; [`Http`] reads pages of JSON. All give rows through one of two readers: [`TextReader`] gives rows of text that
//! know their line, [`TypedReader`] Arrow batches. What a row must be is decided by the contract, which `intake` applies;
//! here a row is only read, or rejected because it cannot be read.
//!
//! The readers block and belong on a thread that may; each holds a part of its input in memory, never all of it.

mod address;
mod kinds;
// Places
mod databases;
mod files;
mod http;
mod tls;
// Formats of files
mod open;
mod csv;
pub mod formats;
mod json;
mod parquet;
mod sniff;
mod text;
mod workbook;
// Typed rows
mod local_time;
mod typed;

pub use databases::{Database, FoundColumn, FoundRelation, FoundTable, RelationRequest, Since};
pub use files::{FileBytes, Files, HeldHashes, Listing, SourceFile};
pub use http::{Http, PagesReader};
pub use json::{MAX_NEW_FIELDS, check_paths};
pub use kinds::{Contents, SOURCE_KINDS, SourceKind, System, kind_of, local_path, scheme_list};
pub use local_time::LocalTime;
pub use open::{has_header, open_text};
pub use parquet::ParquetReader;
pub use sniff::{SniffResult, SniffedFormat, sniff};
pub use text::{RowReject, TextReader, TextRows};
pub use typed::{CellReject, RowReader, TypedReader, TypedRows};

#[cfg(test)]
mod testing;
