//! Errors of SQLite, for the person who must act.

use perennial_core::error::Error;
use rusqlite::{Error as SqliteError, ErrorCode};

/// An error while something was done (`reading `orders``) with a file.
pub(super) fn explain(error: &SqliteError, path: &str, doing: &str) -> Error {
    let said = message_of(error);
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::unreachable(format!("{doing}: `{path}` is locked by another program"))
                .hint("wait until it has finished, or enable write-ahead logging (`PRAGMA journal_mode = WAL`)")
        }
        Some(ErrorCode::NotADatabase) => Error::data(format!("`{path}` is not a SQLite database"))
            .hint("it may be encrypted, or another kind of file"),
        Some(ErrorCode::DatabaseCorrupt) => Error::data(format!("{doing}: `{path}` is damaged: {said}"))
            .hint("copy a database in use with `sqlite3 FILE '.backup COPY'`, not by copying the file"),
        Some(ErrorCode::Unknown) => Error::project(format!("{doing}: {said}")),
        Some(_) => Error::unreachable(format!("{doing}: `{path}` cannot be read: {said}")),
        None => Error::project(format!("{doing}: {said}")),
    }
}

/// SQLite's own message, without the query.
pub(super) fn message_of(error: &SqliteError) -> String {
    match error {
        SqliteError::SqliteFailure(_, Some(message)) => message.clone(),
        SqliteError::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
