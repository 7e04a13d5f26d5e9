//! A file of a source, as listed, and errors about it.

use perennial_core::error::Error;
use perennial_core::location::scrub;

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
    /// It may be appended to while it is read: the bytes that it had when it was listed are read.
    pub grows: bool,
}

impl SourceFile {
    /// A file that has no entity tag.
    pub(crate) fn without_tag(path: String, bytes: u64, modified: jiff::Timestamp) -> SourceFile {
        SourceFile { path, bytes, tag: format!("modified={modified}"), modified, grows: false }
    }
}

/// What a pattern finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files, by path.
    pub files: Vec<SourceFile>,
    /// Notes on what else matches, and is left out because it is not a file.
    pub left_out: Vec<String>,
}

impl Listing {
    /// Leaves out what matches and is not a file; `what` it is: `a folder`.
    pub(crate) fn leave_out(&mut self, path: &str, what: &str) {
        self.left_out.push(format!("`{path}` is {what}, not a file, so it is left out"));
    }
}

/// That a pattern names exactly something that is not a file; `what` it is: `a folder`.
pub(crate) fn no_file(path: &str, what: &str) -> Error {
    Error::data(format!("`{path}` is {what} where a file is expected"))
        .hint(format!("remove it, or name files: `{path}/*` are those in a folder"))
}

/// A file that cannot be read. What a client says of it may contain signed URLs.
pub(crate) fn unreadable(path: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unreachable(format!("cannot read `{path}`: {}", scrub(&error.to_string()))).because(error)
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
