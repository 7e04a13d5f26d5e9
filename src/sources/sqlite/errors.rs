//! What SQLite complains of, said to the person who must act.

use crate::error::Error;
use rusqlite::{Error as Refusal, ErrorCode};

/// An error while something was done (`reading `orders``) with a file.
pub(super) fn explain(error: &Refusal, path: &str, doing: &str) -> Error {
    let said = words(error);
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::unreachable(format!("{doing}: `{path}` is locked by another program"))
                .hint("wait until it has written, or let it use write-ahead logging (`PRAGMA journal_mode = WAL`)")
        }
        Some(ErrorCode::NotADatabase) => {
            Error::data(format!("`{path}` is no SQLite database")).hint("it may be encrypted, or another kind of file")
        }
        Some(ErrorCode::DatabaseCorrupt) => Error::data(format!("{doing}: `{path}` is damaged: {said}"))
            .hint("copy a database that is in use with `sqlite3 FILE .backup COPY`, not by copying the file"),
        Some(ErrorCode::Unknown) => Error::project(format!("{doing}: {said}")),
        Some(_) => Error::unreachable(format!("{doing}: `{path}` cannot be read: {said}")),
        None => Error::project(format!("{doing}: {said}")),
    }
}

/// SQLite's own words, without the query.
pub(super) fn words(error: &Refusal) -> String {
    match error {
        Refusal::SqliteFailure(_, Some(message)) => message.clone(),
        Refusal::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
