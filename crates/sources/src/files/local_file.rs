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
    /// Its size when it was listed, if it may be appended to.
    grows_from: Option<u64>,
    /// What it was like when it was opened.
    opened: State,
}

/// What changes when a file is written, as exactly as the system tells it.
#[derive(Debug)]
struct State {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Number of names, and time of the last change of any kind, which no program can set.
    #[cfg(unix)]
    inode: (u64, (i64, i64)),
}

impl State {
    fn of(data: &Metadata) -> State {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        State {
            bytes: data.len(),
            modified: data.modified().ok(),
            #[cfg(unix)]
            inode: (data.nlink(), (data.ctime(), data.ctime_nsec())),
        }
    }

    /// How a file that was this has changed, if so.
    fn difference(&self, now: &State) -> Option<String> {
        if now.bytes != self.bytes {
            return Some(format!("{} bytes at the beginning, {} at the end", self.bytes, now.bytes));
        }
        if now.modified != self.modified {
            return Some("it was written to".to_string());
        }
        // To lose a name, as a file does that is deleted or replaced, is a change of its inode, too.
        #[cfg(unix)]
        if now.inode.0 == self.inode.0 && now.inode.1 != self.inode.1 {
            return Some("it was written to, or renamed, or its permissions were changed".to_string());
        }
        None
    }
}

impl LocalFile {
    /// Opens a file as it was listed. One that was replaced since by another of the same size is read as it is now; that it
    /// is another shows the next time, in its tag.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read, is not a regular file, or has another size than listed; one that grows
    /// may be longer.
    pub(crate) fn open(path: &Path, listed: &SourceFile) -> Result<LocalFile> {
        let name = listed.path.clone();
        let file = regular_file::open(path).map_err(|e| unreadable(&name, e))?;
        let data = file.metadata().map_err(|e| unreadable(&name, e))?;
        if data.len() < listed.bytes || data.len() > listed.bytes && !listed.grows {
            return Err(changed(&name, &format!("{} bytes when listed, {} when opened", listed.bytes, data.len())));
        }
        let grows_from = listed.grows.then_some(listed.bytes);
        Ok(LocalFile { opened: State::of(&data), grows_from, file, name })
    }

    /// The part of a target that bytes from a position may fill: of a file that grows only those that were listed.
    pub(crate) fn limit<'a>(&self, target: &'a mut [u8], position: u64) -> &'a mut [u8] {
        let left = self.grows_from.map_or(u64::MAX, |listed| listed.saturating_sub(position));
        let count = target.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        &mut target[..count]
    }

    /// After the last byte was read: whether all of them were of one version.
    ///
    /// # Errors
    /// When the file changed since it was opened; that one that grows became shorter.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let now = State::of(&self.file.metadata().map_err(|e| unreadable(&self.name, e))?);
        let how = match self.grows_from {
            Some(listed) if now.bytes >= listed => None,
            Some(listed) => Some(format!("{listed} bytes when listed, {} at the end", now.bytes)),
            None => self.opened.difference(&now),
        };
        how.map_or(Ok(()), |how| Err(changed(&self.name, &how)))
    }
}
