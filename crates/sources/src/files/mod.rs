//! Sources that are files: a folder, a prefix of an object store, or a folder of an SFTP server.

mod bytes;
mod compression;
mod file;
mod file_store;
mod folder;
mod held;
mod local_file;
mod pattern;
mod random_access;
mod sftp;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod whole_lines;

pub use bytes::FileBytes;
pub(crate) use bytes::TextInput;
pub(crate) use file::unreadable;
pub use file::{Listing, SourceFile};
pub(crate) use file_store::FileStore;
pub(crate) use folder::Folder;
pub use held::HeldHashes;
pub(crate) use local_file::LocalFile;
pub(crate) use random_access::{RandomAccess, RangeReader};
pub(crate) use sftp::Sftp;
#[cfg(test)]
pub(crate) use store::Store;

use pattern::Pattern;
use perennial_core::error::{Error, Result};
use std::sync::Arc;

/// The files of a source.
#[derive(Clone, Debug)]
pub struct Files {
    location: String,
    store: Arc<dyn FileStore>,
}

impl Files {
    /// The files at a location, which is shown in errors.
    pub(crate) fn new(location: &str, store: impl FileStore + 'static) -> Files {
        Files { location: location.to_string(), store: Arc::new(store) }
    }

    /// The files whose path below the location matches the glob, by path. `*` stays within a folder, `**` does not;
    /// names that begin with a dot are left out, and so are files still being written (`*.part`, `~$*` and the like)
    /// unless the glob names them. Pipes, devices and the like are never opened. No match is an empty list.
    ///
    /// # Errors
    /// Of kind `Project` when the glob is malformed or the server refuses the login, `Data` when a name is not UTF-8 or the
    /// glob names exactly something that is not a file, `Unreachable` when the location cannot be read.
    pub async fn list(&self, glob: &str) -> Result<Listing> {
        let pattern = Pattern::new(glob)?;
        let found = self.store.list(&pattern).await;
        let mut found = found.map_err(|e| e.context(format!("cannot read `{}`", self.location)))?;
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        found.left_out.sort();
        Ok(found)
    }

    /// Opens a file for reading from its first byte.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be opened.
    pub async fn read(&self, file: &SourceFile) -> Result<FileBytes> {
        self.store.read(file).await
    }

    /// The BLAKE3 hash of a local file's content, in hexadecimal; `None` elsewhere, where only the tag tells versions
    /// apart.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read.
    pub async fn content_hash(&self, file: &SourceFile) -> Result<Option<String>> {
        let RandomAccess::Local(path) = self.random_access(file) else { return Ok(None) };
        let bytes = FileBytes::open_local(&path, file)?;
        tokio::task::spawn_blocking(move || bytes.hash_all())
            .await
            .map_err(|e| Error::bug(format!("hashing a file stopped: {e}")))?
            .map(Some)
    }

    /// How parts of a file are read.
    pub(crate) fn random_access<'a>(&'a self, file: &'a SourceFile) -> RandomAccess<'a> {
        self.store.random_access(file)
    }
}
