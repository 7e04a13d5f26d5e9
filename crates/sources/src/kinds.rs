//! The kinds of sources that can be read. [`SOURCE_KINDS`] is the one list: everything that depends on the kind of a
//! source asks its entry, and a new kind is a folder and an entry.

use crate::databases::{Database, mysql, postgresql, sqlite};
use crate::files::{FileStore, Files, Folder, Sftp, store};
use crate::http::Http;
use futures::future::BoxFuture;
use perennial_core::contract::{Access, Source};
use perennial_core::error::{Error, Result, closest};
use perennial_core::location::{self, PASSWORD_HINT};
use perennial_core::sql::{Dialect, STANDARD};
use std::sync::Arc;

/// Where the token of a service belongs.
const TOKEN_HINT: &str = "send it as `headers`, or in the query of a table's `path`, as `${NAME}` of the environment";

/// All kinds. A location without a scheme belongs to the first.
pub const SOURCE_KINDS: &[SourceKind] = &[
    SourceKind {
        schemes: &["file"],
        name: "a folder",
        open: |location, _| ready(Folder::open(location).map(|folder| files(location, folder))),
        ..SourceKind::FILES
    },
    SourceKind {
        schemes: &["s3", "s3a"],
        name: "an S3 store",
        open: |location, _| ready(store::open_s3(location).map(|store| files(location, store))),
        ..SourceKind::FILES
    },
    SourceKind {
        schemes: &["gs"],
        name: "Google Cloud Storage",
        open: |location, _| ready(store::open_google(location).map(|store| files(location, store))),
        ..SourceKind::FILES
    },
    SourceKind {
        schemes: &["az", "abfs", "abfss"],
        name: "Azure Blob Storage",
        open: |location, _| ready(store::open_azure(location).map(|store| files(location, store))),
        ..SourceKind::FILES
    },
    SourceKind {
        schemes: &["sftp"],
        name: "an SFTP server",
        retryable: true,
        forbid: |location| location::forbid_password(location, PASSWORD_HINT),
        open: |location, access| ready(Sftp::open(location, access).map(|sftp| files(location, sftp))),
        ..SourceKind::FILES
    },
    SourceKind {
        schemes: &["postgresql", "postgres"],
        name: "PostgreSQL",
        dialect: Some(postgresql::DIALECT),
        open: |location, access| {
            Box::pin(async move { postgresql::open(location, access).await.map(System::Database) })
        },
        ..SourceKind::DATABASE
    },
    SourceKind {
        schemes: &["mysql", "mariadb"],
        name: "MySQL or MariaDB",
        dialect: Some(mysql::DIALECT),
        open: |location, access| Box::pin(async move { mysql::open(location, access).await.map(System::Database) }),
        ..SourceKind::DATABASE
    },
    SourceKind {
        schemes: &["sqlite"],
        name: "SQLite",
        typed: false,
        exact_ranges: false,
        is_local_path: true,
        open: |location, access| Box::pin(async move { sqlite::open(location, access).await.map(System::Database) }),
        ..SourceKind::DATABASE
    },
    SourceKind {
        schemes: &["https", "http"],
        name: "JSON over HTTP",
        contents: Contents::Pages,
        lists_tables: false,
        forbid: |location| {
            location::forbid_password(location, PASSWORD_HINT)?;
            location::forbid_tokens(location, TOKEN_HINT)
        },
        open: |location, access| ready(Http::open(location, access).map(System::Http)),
        ..SourceKind::FILES
    },
];

/// A kind of source and what it can do.
pub struct SourceKind {
    /// Schemes of its locations; the first is the usual one.
    pub schemes: &'static [&'static str],
    /// What people call it: `PostgreSQL`, `an S3 store`.
    pub name: &'static str,
    /// What it contains.
    pub contents: Contents,
    /// How its SQL quotes names; only of databases.
    pub dialect: Option<Dialect>,
    /// Columns have types that all their values keep. Where they have none, a draft looks at the values.
    pub typed: bool,
    /// A read since a watermark returns no other rows than those asked for.
    pub exact_ranges: bool,
    /// A connection that is lost while reading is worth another attempt by the caller.
    pub retryable: bool,
    /// It says which tables or files it has. Where not, a draft needs the path of one.
    pub lists_tables: bool,
    /// What follows `://` is a path on this machine, which may be relative to the project's folder.
    pub is_local_path: bool,
    /// What a location of this kind may not contain.
    forbid: fn(location: &str) -> Result<()>,
    /// Opens a location.
    open: for<'a> fn(location: &'a str, access: &'a Access) -> BoxFuture<'a, Result<System>>,
}

impl SourceKind {
    /// What most sources of files have in common.
    const FILES: SourceKind = SourceKind {
        schemes: &[],
        name: "",
        contents: Contents::Files,
        dialect: None,
        typed: false,
        exact_ranges: false,
        retryable: false,
        lists_tables: true,
        is_local_path: false,
        forbid: location::forbid_credentials,
        open: |location, _| ready(Err(Error::bug(format!("`{location}` cannot be opened")))),
    };
    /// What most databases have in common.
    const DATABASE: SourceKind = SourceKind {
        contents: Contents::Relations,
        dialect: Some(STANDARD),
        typed: true,
        exact_ranges: true,
        retryable: true,
        forbid: |location| location::forbid_password(location, PASSWORD_HINT),
        ..SourceKind::FILES
    };

    /// Refuses a location that contains secrets: it is shown in messages and kept in the lake.
    ///
    /// # Errors
    /// Of kind `Project`; the location is not shown.
    pub fn forbid_secrets(&self, location: &str) -> Result<()> {
        (self.forbid)(location)
    }
}

/// What a source contains, which decides how a table says where its rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Files.
    Files,
    /// Relations of a database.
    Relations,
    /// Pages of JSON.
    Pages,
}

/// A source, opened for one run.
pub enum System {
    /// Files in a folder, an object store or on an SFTP server.
    Files(Files),
    /// A database, as of one point in time.
    Database(Arc<dyn Database>),
    /// JSON over HTTP.
    Http(Http),
    /// Nothing: for work on rows that were read earlier.
    Nothing,
}

impl System {
    /// Opens a source. Databases are connected to; folders and stores are looked at when files are listed.
    ///
    /// # Errors
    /// Of kind `Project` when location or access make no sense, `Unreachable` when the system cannot be reached or
    /// refuses the login.
    pub async fn open(source: &Source) -> Result<System> {
        let kind = kind_of(&source.location)?;
        kind.forbid_secrets(&source.location)?;
        (kind.open)(&source.location, &source.access).await
    }
}

fn ready<'a>(system: Result<System>) -> BoxFuture<'a, Result<System>> {
    Box::pin(std::future::ready(system))
}

fn files(location: &str, store: impl FileStore + 'static) -> System {
    System::Files(Files::new(location, store))
}

/// The kind of source at a location.
///
/// # Errors
/// Of kind `Project` for an unknown scheme.
pub fn kind_of(location: &str) -> Result<&'static SourceKind> {
    // A path belongs to the first kind.
    let Some(scheme) = location::scheme(location) else { return Ok(&SOURCE_KINDS[0]) };
    SOURCE_KINDS.iter().find(|kind| kind.schemes.contains(&scheme.as_str())).ok_or_else(|| {
        let error = Error::project(format!("unknown scheme `{scheme}://`"));
        let known: Vec<&str> = SOURCE_KINDS.iter().flat_map(|kind| kind.schemes).copied().collect();
        match closest(&scheme, &known) {
            Some(close) => error.hint(format!("did you mean `{close}://`?")),
            None => error.hint(format!("expected a path, or one of {}", scheme_list())),
        }
    })
}

/// Scheme and path of a location that is a path on this machine after a scheme (`sqlite://data/shop.db`).
pub fn local_path(location: &str) -> Option<(&'static str, &str)> {
    let scheme = location::scheme(location)?;
    let kind = SOURCE_KINDS.iter().find(|kind| kind.is_local_path && kind.schemes.contains(&scheme.as_str()))?;
    let (_, path) = location.split_once("://")?;
    Some((kind.schemes[0], path))
}

/// The usual schemes of all kinds, for help texts: `s3://, gs://, ...`.
pub fn scheme_list() -> String {
    let usual = SOURCE_KINDS.iter().filter_map(|kind| kind.schemes.first());
    usual.map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(crate) async fn open_files(location: &str, access: &Access) -> Result<Files> {
    match (kind_of(location)?.open)(location, access).await? {
        System::Files(files) => Ok(files),
        _ => Err(Error::bug(format!("`{location}` has no files"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_have_a_kind_by_their_scheme() {
        let named = |location| kind_of(location).map(|kind| kind.name).map_err(|error| error.message().to_string());
        assert_eq!(named("/data/in"), Ok("a folder"));
        assert_eq!(named("/data/a b://x"), Ok("a folder"));
        assert_eq!(named("S3A://bucket/x"), Ok("an S3 store"));
        assert_eq!(named("mariadb://db/shop"), Ok("MySQL or MariaDB"));
        assert_eq!(named("ftp://host/x"), Err("unknown scheme `ftp://`".to_string()));
        let error = kind_of("postgre://host/x").err().unwrap();
        assert_eq!(error.hint_text(), Some("did you mean `postgres://`?"));
    }

    #[test]
    fn no_kind_takes_secrets_in_its_location() {
        for location in [
            "file:///data?sig=s3cret",
            "s3://b/x?X-Amz-Signature=s3cret",
            "s3a://s3cret@b/x",
            "gs://b/x?GoogleAccessId=s3cret",
            "az://c/x?sig=s3cret",
            "sftp://u:s3cret@h/x",
            "postgresql://u:s3cret@h/x",
            "mysql://u:s3cret@h/x",
            "https://h/x?format=json&api_key=s3cret",
            "https://u:s3cret@h/x",
        ] {
            let error = kind_of(location).ok().unwrap().forbid_secrets(location).unwrap_err();
            assert!(error.hint_text().is_some() && !format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        for location in ["/data/a?b", "s3://b/x", "https://h/x?format=json", "mysql://u@h/x?socket=/run/s"] {
            kind_of(location).ok().unwrap().forbid_secrets(location).unwrap();
        }
    }

    #[test]
    fn every_scheme_belongs_to_one_kind() {
        let mut schemes: Vec<&str> = SOURCE_KINDS.iter().flat_map(|kind| kind.schemes).copied().collect();
        let count = schemes.len();
        schemes.sort_unstable();
        schemes.dedup();
        assert_eq!(schemes.len(), count);
        assert!(SOURCE_KINDS.iter().all(|kind| !kind.schemes.is_empty() && !kind.name.is_empty()));
    }

    #[test]
    fn every_kind_is_documented() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let pages = std::fs::read_dir(docs).unwrap().map(|entry| entry.unwrap().path());
        let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let text: String = pages.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        for kind in SOURCE_KINDS {
            let location = format!("`{}://", kind.schemes[0]);
            assert!(text.contains(&location), "no page of docs/ shows a location {location}...`");
        }
    }

    #[test]
    fn only_some_urls_are_paths_of_this_machine() {
        assert_eq!(local_path("SQLite://data/shop.db"), Some(("sqlite", "data/shop.db")));
        assert_eq!(local_path("file:///data"), None);
        assert_eq!(local_path("data/shop.db"), None);
    }
}
