//! A file of a source, as listed, and errors about it.

use perennial_core::error::Error;

/// One file of a source, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path below the source's location, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Tells versions of the content apart without reading it: the store's entity tag, or the time of modification.
    pub tag: String,
    /// When it was last modified.
    pub modified: jiff::Timestamp,
}

impl SourceFile {
    /// A file that has no entity tag.
    pub(crate) fn without_tag(path: String, bytes: u64, modified: jiff::Timestamp) -> SourceFile {
        SourceFile { path, bytes, tag: format!("modified={modified}"), modified }
    }
}

/// A file that cannot be read.
pub(crate) fn unreadable(path: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unreachable(format!("cannot read `{path}`: {error}")).because(error)
}

/// A file that differs from the one listed.
pub(crate) fn changed(path: &str, how: &str) -> Error {
    Error::unreachable(format!("`{path}` changed while it was read: {how}")).hint("run again when it is complete")
}

/// A name that is not text.
pub(crate) fn not_utf8(path: &str) -> Error {
    Error::data(format!("the name of the file or folder `{path}` is not UTF-8"))
        .hint("rename it, or write the pattern so that it does not match")
}
