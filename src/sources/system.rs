//! A source, opened: what kind of system a location is, and the one list of them.

use super::database::Database;
use super::files::Files;
use super::http::Http;
use super::{mysql, postgresql, sqlite};
use crate::contract::Source;
use crate::error::{Error, Result};
use std::sync::Arc;

/// Kinds of systems by the scheme of their location, with what people call them. A location without scheme is a folder.
pub const SCHEMES: &[(&str, SystemKind, &str)] = &[
    ("file", SystemKind::Files, "a folder"),
    ("s3", SystemKind::Files, "an S3 store"),
    ("s3a", SystemKind::Files, "an S3 store"),
    ("gs", SystemKind::Files, "Google Cloud Storage"),
    ("az", SystemKind::Files, "Azure Blob Storage"),
    ("abfs", SystemKind::Files, "Azure Blob Storage"),
    ("abfss", SystemKind::Files, "Azure Blob Storage"),
    ("sftp", SystemKind::Files, "an SFTP server"),
    ("postgresql", SystemKind::Database, "PostgreSQL"),
    ("postgres", SystemKind::Database, "PostgreSQL"),
    ("mysql", SystemKind::Database, "MySQL or MariaDB"),
    ("mariadb", SystemKind::Database, "MySQL or MariaDB"),
    ("sqlite", SystemKind::Database, "SQLite"),
    ("http", SystemKind::Http, "JSON over HTTP"),
    ("https", SystemKind::Http, "JSON over HTTP"),
];

/// What can be read at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemKind {
    /// Files.
    Files,
    /// Relations of a database.
    Database,
    /// Pages of JSON.
    Http,
}

/// The scheme of a location, in small letters; `file` where it is a path.
pub fn scheme(location: &str) -> String {
    location.split_once("://").map_or("file", |(scheme, _)| scheme).to_ascii_lowercase()
}

/// The kind of system at a location.
///
/// # Errors
/// Of kind `Project` for a scheme nobody knows.
pub fn kind_of(location: &str) -> Result<SystemKind> {
    let scheme = scheme(location);
    let known = SCHEMES.iter().find(|(name, _, _)| *name == scheme);
    known.map(|(_, kind, _)| *kind).ok_or_else(|| {
        Error::project(format!("`{scheme}://` is no kind of system that can be read"))
            .suggest(&scheme, SCHEMES.iter().map(|(name, _, _)| *name))
    })
}

/// A source, opened for one run.
pub enum System {
    /// Files in a folder, a store or on an SFTP server.
    Files(Files),
    /// A database, as it was at one moment.
    Database(Arc<dyn Database>),
    /// JSON over HTTP.
    Http(Http),
    /// Nothing: for work on rows that were read before.
    Nothing,
}

impl System {
    /// Opens a source. Databases are connected to; folders and stores are looked at when files are listed.
    ///
    /// # Errors
    /// Of kind `Project` when location or access make no sense, `Unreachable` when the system does not let us in.
    pub async fn open(source: &Source) -> Result<System> {
        Ok(match kind_of(&source.location)? {
            SystemKind::Files => System::Files(Files::open(&source.location, &source.access).await?),
            SystemKind::Http => System::Http(Http::open(&source.location, &source.access)?),
            SystemKind::Database => System::Database(match scheme(&source.location).as_str() {
                "sqlite" => sqlite::open(&source.location, &source.access).await?,
                "mysql" | "mariadb" => mysql::open(&source.location, &source.access).await?,
                _ => postgresql::open(&source.location, &source.access).await?,
            }),
        })
    }
}
