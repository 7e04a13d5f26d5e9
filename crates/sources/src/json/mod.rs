//! JSON: one object a line, or documents whose lists hold the rows.

mod documents;
mod lines;
mod paths;
mod rows;
mod scan;

pub use documents::check_paths;
pub(crate) use documents::open as open_documents;
pub(crate) use lines::JsonLinesReader;
pub use lines::MAX_NEW_FIELDS;
pub(crate) use paths::RowsPath;

#[cfg(test)]
mod documents_tests;
#[cfg(test)]
mod lines_tests;
