//! An open SQLite database.

use super::errors::explain;
use perennial_core::error::{Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// An open file, and the transaction in which all is read.
pub(super) struct Session {
    /// The file, for errors.
    pub(super) path: String,
    connection: Mutex<Connection>,
    /// State of the file, where it is read without locks.
    unlocked: Option<FileState>,
}

/// What changes when a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    fn of(path: &str) -> Option<FileState> {
        let data = std::fs::metadata(path).ok()?;
        Some(FileState { bytes: data.len(), modified: data.modified().ok() })
    }
}

impl Session {
    /// Opens a file, for reading only. A program that writes to it is waited for `busy` long.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it is missing or locked, `Data` when it is not a SQLite database.
    pub(super) fn open(path: &Path, busy: Duration) -> Result<Session> {
        let shown = path.display().to_string();
        let file = std::fs::metadata(path)
            .map_err(|e| Error::unreachable(format!("the SQLite database `{shown}` cannot be read: {e}")).because(e))?;
        if !file.is_file() {
            return Err(Error::project(format!("`{shown}` is not a file, so it is not a SQLite database")));
        }
        match connect(path, busy) {
            Ok(connection) => Ok(Session { path: shown, connection: Mutex::new(connection), unlocked: None }),
            // A database with a write-ahead log needs to create the log, even for reading. Where that is not allowed and
            // there is no log, nobody is writing: the file is complete.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !has_log(&shown) => {
                Session::open_unlocked(path).map_err(|_| explain(&error, &shown, "opening"))
            }
            Err(error) => Err(explain(&error, &shown, "opening")),
        }
    }

    /// Opens a file that nobody writes to, without locking it.
    pub(super) fn open_unlocked(path: &Path) -> rusqlite::Result<Session> {
        let shown = path.display().to_string();
        let unlocked = FileState::of(&shown);
        Ok(Session { path: shown, connection: Mutex::new(connect_unlocked(path)?), unlocked })
    }

    /// The connection, once nobody else uses it.
    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails when a file that is read without locks was written meanwhile.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        if self.unlocked.is_some() && (self.unlocked != FileState::of(&self.path) || has_log(&self.path)) {
            let error = Error::unreachable(format!("`{}` was written to while it was read", self.path));
            return Err(error.hint("allow this account to write to its folder, so that SQLite can lock the database"));
        }
        Ok(())
    }
}

/// Whether a database has a write-ahead log.
pub(super) fn has_log(path: &str) -> bool {
    Path::new(&format!("{path}-wal")).exists()
}

fn connect(path: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy)?;
    begin(connection)
}

/// Opens a file that nobody writes to.
fn connect_unlocked(path: &Path) -> rusqlite::Result<Connection> {
    let url = url::Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_path_buf()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    begin(Connection::open_with_flags(format!("{url}?immutable=1"), flags)?)
}

/// Begins the transaction: what is committed from now on is not seen.
fn begin(connection: Connection) -> rusqlite::Result<Connection> {
    // A name that does not exist is an error, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.execute_batch("BEGIN")?;
    // A transaction begins with its first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Does work that blocks.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::bug(format!("reading a SQLite database stopped: {e}")))?
}
