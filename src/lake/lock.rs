//! Who may write. One process at a time holds the lake's lock; the next one is told who does.
//!
//! In a folder the lock is the operating system's, on `_perennial/lock`: it ends with the process that holds it,
//! however that ends. On an object store it is a lease ([`super::lease`]).

use super::lease::Lease;
use super::open::{Lake, RECORDS};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The process that holds a lock, as the next one is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Its run.
    pub run_id: String,
    /// Its machine.
    pub host: String,
    /// The user it runs as.
    pub user: String,
    /// Its process.
    pub pid: u32,
    /// What it was called with, as in `run nightly`.
    pub command: String,
}

/// How often a lock that nobody has signed is tried again, and after what time.
const UNSIGNED_TRIES: u32 = 20;
const UNSIGNED_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// What stands in a folder's lock file.
#[derive(serde::Serialize, serde::Deserialize)]
struct LockFile {
    format: u32,
    since: jiff::Timestamp,
    holder: Holder,
}

/// The lake's lock, held until it is released or dropped.
#[derive(Debug)]
pub struct Lock {
    holder: Holder,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Folder { file: File, path: std::path::PathBuf },
    Store(Lease),
}

impl Lake {
    /// Takes the lock.
    ///
    /// Errors: `Unreachable` when another process holds it (named with machine, process and since when) or the store
    /// fails.
    pub async fn lock(&self, holder: Holder, now: jiff::Timestamp) -> Result<Lock> {
        let held = match self.folder() {
            Some(folder) => {
                let mut tries = 0;
                loop {
                    match lock_folder(folder, &holder, now)? {
                        Ok(held) => break held,
                        // Nobody has signed: a process that is just coming or going, or one that a child of an ended
                        // process keeps open for a moment.
                        Err(None) if tries < UNSIGNED_TRIES => tries += 1,
                        Err(found) => return Err(busy(&folder.display().to_string(), found)),
                    }
                    tokio::time::sleep(UNSIGNED_PAUSE).await;
                }
            }
            None => Held::Store(Lease::take(self, &holder, now).await?),
        };
        Ok(Lock { holder, held })
    }
}

impl Lock {
    /// Who holds it: the caller of [`Lake::lock`].
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Makes sure that it is still held, at this moment.
    ///
    /// Errors: `Unreachable` when it was lost or that cannot be found out; then nothing may be published.
    pub async fn verify(&self) -> Result<()> {
        match &self.held {
            Held::Store(lease) => lease.renew().await,
            Held::Folder { file, path } if same_file(file, path) => Ok(()),
            Held::Folder { path, .. } => {
                Err(Error::unreachable(format!("the lake's lock {} was removed while it was held", path.display()))
                    .hint("nothing was published; run again, and leave that file alone"))
            }
        }
    }

    /// Frees it. Dropping does the same, as well as it can without waiting.
    pub async fn release(self) -> Result<()> {
        match self.held {
            Held::Folder { file, .. } => {
                file.set_len(0).ok();
                Ok(())
            }
            Held::Store(lease) => lease.release().await,
        }
    }
}

/// Takes the lock, or says who holds it, if it is signed.
fn lock_folder(
    folder: &Path,
    holder: &Holder,
    now: jiff::Timestamp,
) -> Result<Result<Held, Option<(Holder, jiff::Timestamp)>>> {
    let path = folder.join(RECORDS).join("lock");
    let failed =
        |e: std::io::Error| Error::unreachable(format!("the lake's lock {} cannot be taken: {e}", path.display()));
    std::fs::create_dir_all(folder.join(RECORDS)).map_err(failed)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok();
            let found = serde_json::from_str::<LockFile>(&text).ok().map(|f| (f.holder, f.since));
            return Ok(Err(found));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let record = LockFile { format: 1, since: now, holder: holder.clone() };
    let text = serde_json::to_string(&record).map_err(|e| Error::bug(format!("a lock cannot be written: {e}")))?;
    file.set_len(0).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(Ok(Held::Folder { file, path }))
}

/// The error of the process that came second.
pub(super) fn busy(location: &str, found: Option<(Holder, jiff::Timestamp)>) -> Error {
    match found {
        Some((holder, since)) => Error::unreachable(format!(
            "the lake {location} is in use since {since:.0} by run {} (`{}`), process {} of {} on {}",
            holder.run_id, holder.command, holder.pid, holder.user, holder.host
        ))
        .hint(format!(
            "wait until that run has ended, or stop process {} on {}; the lock frees itself when the process is gone",
            holder.pid, holder.host
        )),
        None => Error::unreachable(format!("the lake {location} is in use by another process"))
            .hint("wait until it has ended, then try again"),
    }
}

/// The path still leads to the file that is locked.
#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(there)) => held.dev() == there.dev() && held.ino() == there.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}
