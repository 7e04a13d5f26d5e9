//! A file of this machine, opened, and whether it is still what it was.

use super::file::{SourceFile, changed, unreadable};
use perennial_core::error::Result;
use perennial_core::regular_file;
use std::fs::{File, Metadata};
use std::path::Path;
use std::time::SystemTime;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct LocalFile {
    /// The file.
    pub(crate) file: File,
    name: String,
    /// What it was like when it was opened.
    opened: State,
}

/// What changes when a file is written, as exactly as the system tells it.
#[derive(Debug, PartialEq, Eq)]
struct State {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Inode, and time of the last change of any kind, which no program can set.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl State {
    fn of(data: &Metadata) -> State {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        State {
            bytes: data.len(),
            modified: data.modified().ok(),
            #[cfg(unix)]
            inode: (data.dev(), data.ino(), data.ctime(), data.ctime_nsec()),
        }
    }
}

impl LocalFile {
    /// Opens a file as it was listed. One that was replaced since by another of the same size is read as it is now; that it
    /// is another shows the next time, in its tag.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read, is not a regular file, or has another size than listed.
    pub(crate) fn open(path: &Path, listed: &SourceFile) -> Result<LocalFile> {
        let name = listed.path.clone();
        let file = regular_file::open(path).map_err(|e| unreadable(&name, e))?;
        let data = file.metadata().map_err(|e| unreadable(&name, e))?;
        if data.len() != listed.bytes {
            return Err(changed(&name, &format!("{} bytes when listed, {} when opened", listed.bytes, data.len())));
        }
        Ok(LocalFile { opened: State::of(&data), file, name })
    }

    /// After the last byte was read: whether all of them were of one version.
    ///
    /// # Errors
    /// When the file changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let now = State::of(&self.file.metadata().map_err(|e| unreadable(&self.name, e))?);
        if now == self.opened {
            return Ok(());
        }
        let how = match now.bytes == self.opened.bytes {
            true => "it was written to".to_string(),
            false => format!("{} bytes at the beginning, {} at the end", self.opened.bytes, now.bytes),
        };
        Err(changed(&self.name, &how))
    }
}
