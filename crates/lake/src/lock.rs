//! The lake's locks: one process at a time may write, and one at a time is its scheduler; the next one is told which
//! process that is.
//!
//! In a folder a lock is one of the operating system on `_perennial/lock` or `_perennial/scheduler-lock`, which ends with
//! the process that holds it, however that ends. On an object store it is a lease ([`super::lease`]).

use super::lease::Lease;
use super::open::{Lake, RECORDS};
use perennial_core::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The process that holds a lock, as others are told.
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
    /// Its command, as in `run nightly`.
    pub command: String,
}

/// What a lock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To write to the lake.
    Write,
    /// To start its runs by themselves.
    Schedule,
}

impl Purpose {
    /// The name of its file or object.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Purpose::Write => "lock",
            Purpose::Schedule => "scheduler-lock",
        }
    }
}

/// How often a lock file that names no holder is tried again, and after what time.
const ANONYMOUS_RETRIES: u32 = 20;
const ANONYMOUS_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// The content of a folder's lock file.
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
    handle: Handle,
}

#[derive(Debug)]
enum Handle {
    Folder(FolderLock),
    Store(Lease),
}

/// The operating system's lock on a file.
#[derive(Debug)]
struct FolderLock {
    file: File,
    path: PathBuf,
}

impl Drop for FolderLock {
    /// The file no longer names a holder. A child process that has just been started may keep it open, and locked, a
    /// little longer: others then see that they only have to wait.
    fn drop(&mut self) {
        self.file.set_len(0).ok();
    }
}

impl Lake {
    /// Acquires the lock.
    ///
    /// # Errors
    /// `Unreachable` when another process holds it (the message names machine, process and time) or the store fails.
    pub async fn lock(&self, holder: Holder, now: jiff::Timestamp) -> Result<Lock> {
        let lock = self.lock_for(Purpose::Write, holder, now).await?;
        self.forget_if_old().await?;
        Ok(lock)
    }

    /// Acquires the lock of the scheduler, beside which runs take the lake's own.
    ///
    /// # Errors
    /// `Unreachable` when another process holds it (the message names machine, process and time) or the store fails.
    pub async fn lock_scheduler(&self, holder: Holder, now: jiff::Timestamp) -> Result<Lock> {
        self.lock_for(Purpose::Schedule, holder, now).await
    }

    async fn lock_for(&self, purpose: Purpose, holder: Holder, now: jiff::Timestamp) -> Result<Lock> {
        let handle = match self.folder() {
            Some(folder) => {
                let mut retries = 0;
                loop {
                    match lock_folder(folder, purpose, &holder, now)? {
                        Ok(handle) => break handle,
                        // The file names no holder: a process is just starting or ending, or a child of one that has
                        // ended keeps the file open briefly.
                        Err(None) if retries < ANONYMOUS_RETRIES => retries += 1,
                        Err(found) => return Err(busy(purpose, &folder.display().to_string(), found)),
                    }
                    tokio::time::sleep(ANONYMOUS_PAUSE).await;
                }
            }
            None => Handle::Store(Lease::acquire(self, purpose, &holder, now).await?),
        };
        Ok(Lock { holder, handle })
    }
}

impl Lock {
    /// The process that holds it: the caller of [`Lake::lock`].
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Verifies that it is still held.
    ///
    /// # Errors
    /// `Unreachable` when it was lost or this cannot be determined; then nothing may be published.
    pub async fn verify(&self) -> Result<()> {
        match &self.handle {
            Handle::Store(lease) => lease.renew().await,
            Handle::Folder(FolderLock { file, path }) if same_file(file, path) => Ok(()),
            Handle::Folder(FolderLock { path, .. }) => {
                Err(Error::unreachable(format!("the lock file {} was deleted while the lock was held", path.display()))
                    .hint("nothing was published; run again, and do not delete that file"))
            }
        }
    }

    /// Whether another process has got it, or may have. A store that does not answer leaves that open; then it is not lost yet.
    pub async fn is_lost(&self) -> bool {
        match &self.handle {
            Handle::Store(lease) => lease.is_lost().await,
            Handle::Folder(FolderLock { file, path }) => !same_file(file, path),
        }
    }

    /// Releases it. Dropping does the same without waiting for the store.
    ///
    /// # Errors
    /// `Unreachable` when the store fails; then the lease expires.
    pub async fn release(self) -> Result<()> {
        match self.handle {
            Handle::Folder(_) => Ok(()),
            Handle::Store(lease) => lease.release().await,
        }
    }
}

/// Acquires the lock, or returns who holds it if the file names the holder.
fn lock_folder(
    folder: &Path,
    purpose: Purpose,
    holder: &Holder,
    now: jiff::Timestamp,
) -> Result<Result<Handle, Option<(Holder, jiff::Timestamp)>>> {
    let path = folder.join(RECORDS).join(purpose.file());
    let failed = |e: std::io::Error| Error::unreachable(format!("cannot lock {}: {e}", path.display()));
    std::fs::create_dir_all(folder.join(RECORDS)).map_err(failed)?;
    if std::fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
        let error = Error::project(format!("cannot lock {}: it is not a regular file", path.display()));
        return Err(error.hint("delete it; what it leads to would be overwritten"));
    }
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
    let text =
        serde_json::to_string(&record).map_err(|e| Error::bug(format!("a lock cannot be written as JSON: {e}")))?;
    file.set_len(0).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(Ok(Handle::Folder(FolderLock { file, path })))
}

/// The error of a process that finds the lock held by another one.
pub(crate) fn busy(purpose: Purpose, location: &str, found: Option<(Holder, jiff::Timestamp)>) -> Error {
    match found {
        Some((holder, since)) if purpose == Purpose::Schedule => Error::unreachable(format!(
            "the lake {location} has had a scheduler since {since:.0}: `{}`, process {} of {} on {}",
            holder.command, holder.pid, holder.user, holder.host
        ))
        .hint(format!("a lake has one scheduler; to start another one stop process {} on {}", holder.pid, holder.host)),
        Some((holder, since)) => Error::unreachable(format!(
            "the lake {location} has been in use since {since:.0} by run {} (`{}`), process {} of {} on {}",
            holder.run_id, holder.command, holder.pid, holder.user, holder.host
        ))
        .hint(format!(
            "wait until that run has ended, or stop process {} on {}; the lock is released when the process ends",
            holder.pid, holder.host
        )),
        None => Error::unreachable(format!("the lake {location} is in use by another process"))
            .hint("wait until it has ended, then try again"),
    }
}

/// Whether the path still leads to the locked file.
#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(locked), Ok(found)) => locked.dev() == found.dev() && locked.ino() == found.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}
