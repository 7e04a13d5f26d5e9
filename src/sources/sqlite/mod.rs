//! SQLite: a file, or the database another program writes at this moment.
//!
//! All tables of a source are read over one connection in one transaction, one after the other. Columns of SQLite
//! promise nothing; each value has a type of its own. So every value is given as its exact text, and the contract
//! decides row by row.

mod catalog;
mod errors;
mod reader;
mod select;
#[cfg(test)]
mod tests;

use super::database::{Database, FoundRelation, FoundTable, RelationRequest};
use super::typed::TypedReader;
use crate::contract::{Access, Column, ColumnPolicy, Relation, RelationRows};
use crate::error::{Error, Result};
use errors::{explain, words};
use reader::FieldReader;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Opens the file, for reading only. A program that writes to it is waited for as long as for a connection.
///
/// # Errors
/// Of kind `Unreachable` when it is missing or locked, `Data` when it is no SQLite database.
pub(super) async fn open(location: &str, access: &Access) -> Result<Arc<dyn Database>> {
    let path = PathBuf::from(location.split_once("://").map_or(location, |(_, path)| path));
    let busy = Duration::from_secs(access.connect_timeout_seconds);
    let opened = blocking(move || Opened::new(&path, busy)).await?;
    Ok(Arc::new(Sqlite { opened: Arc::new(opened) }))
}

struct Sqlite {
    opened: Arc<Opened>,
}

/// The open file.
struct Opened {
    path: String,
    connection: Mutex<Connection>,
    /// State of a file that is read without locks.
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

impl Opened {
    fn new(path: &Path, busy: Duration) -> Result<Opened> {
        let shown = path.display().to_string();
        let file = std::fs::metadata(path)
            .map_err(|e| Error::unreachable(format!("the SQLite database `{shown}` cannot be read: {e}")).because(e))?;
        if !file.is_file() {
            return Err(Error::project(format!("`{shown}` is no file, and so no SQLite database")));
        }
        match connect(path, busy) {
            Ok(connection) => Ok(Opened { path: shown, connection: Mutex::new(connection), unlocked: None }),
            // A database with write-ahead log wants to make its log beside itself, even for reading. Where the folder
            // does not let us and there is no log, nobody is writing: the file is all there is.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !has_log(&shown) => {
                let unlocked = FileState::of(&shown);
                let connection = connect_unlocked(path).map_err(|_| explain(&error, &shown, "opening"))?;
                Ok(Opened { path: shown, connection: Mutex::new(connection), unlocked })
            }
            Err(error) => Err(explain(&error, &shown, "opening")),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails when a file that is read without locks was written meanwhile.
    fn check_unchanged(&self) -> Result<()> {
        if self.unlocked.is_some() && (self.unlocked != FileState::of(&self.path) || has_log(&self.path)) {
            let error = Error::unreachable(format!("`{}` was written to while it was read", self.path));
            return Err(error.hint("give this account the right to write to its folder, so that both can agree"));
        }
        Ok(())
    }
}

/// Whether a write-ahead log stands beside a database.
fn has_log(path: &str) -> bool {
    Path::new(&format!("{path}-wal")).exists()
}

fn connect(path: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy)?;
    begin(connection)
}

/// Opens a file of which is known that nobody writes to it.
fn connect_unlocked(path: &Path) -> rusqlite::Result<Connection> {
    let url = url::Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_path_buf()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    begin(Connection::open_with_flags(format!("{url}?immutable=1"), flags)?)
}

/// Begins the transaction: what is committed from here on is not seen.
fn begin(connection: Connection) -> rusqlite::Result<Connection> {
    // A name that does not exist is a mistake, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.execute_batch("BEGIN")?;
    // A transaction begins with its first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Does work that blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::bug(format!("reading of a SQLite database stopped: {e}")))?
}

impl Sqlite {
    /// Does something with the connection.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Opened, &Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let opened = self.opened.clone();
        blocking(move || work(&opened, &opened.connection())).await
    }
}

#[async_trait::async_trait]
impl Database for Sqlite {
    async fn version(&self) -> Result<String> {
        Ok(format!("SQLite {}", rusqlite::version()))
    }

    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>> {
        let relation = request.relation.clone();
        let shape = self.with(move |opened, connection| shape(opened, connection, &relation)).await?;
        let relation = request.relation;
        let chosen = choose(&shape, request)?;
        let changed = match &request.since {
            Some(since) => select::changed(since, &named(&shape, &since.cursor, relation)?),
            None => None,
        };
        let list: Vec<String> = chosen.iter().map(|field| select::quoted(&shape.names[field.at])).collect();
        let sql = format!(
            "SELECT {} FROM {}{}",
            list.join(", "),
            select::from(relation),
            select::wherever(&[relation.filter.clone(), changed])
        );
        let (looked_at, label) = (sql.clone(), relation.label().to_string());
        // A mistake in the condition is found before anything is read.
        self.with(move |opened, connection| {
            let looked = connection.prepare(&looked_at).map(|_| ());
            looked.map_err(|e| explain(&e, &opened.path, &format!("reading `{label}`")))
        })
        .await?;
        let names = chosen.iter().map(|field| field.name.clone()).collect();
        let types = chosen.iter().filter_map(|field| shape.types.get(field.at).cloned()).collect();
        let fields = chosen.iter().map(|field| FieldReader::new(&field.wanted)).collect();
        let task = reader::Task { label: relation.label().to_string(), sql, fields };
        Ok(vec![Box::new(reader::reader(self.opened.clone(), task, names, types))])
    }

    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>> {
        let (relation, cursor) = (relation.clone(), cursor.to_vec());
        self.with(move |opened, connection| {
            let columns = named(&shape(opened, connection, &relation)?, &cursor, &relation)?;
            let failed = |e: rusqlite::Error| {
                explain(&e, &opened.path, &format!("reading the newest row of `{}`", relation.label()))
            };
            let mut statement = connection.prepare(&select::watermark(&relation, &columns)).map_err(failed)?;
            let mut rows = statement.query([]).map_err(failed)?;
            let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
            Ok(match row.get_ref(0).map_err(failed)? {
                ValueRef::Integer(value) => Some(value.to_string()),
                ValueRef::Real(value) => Some(value.to_string()),
                ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                _ => None,
            })
        })
        .await
    }

    async fn tables(&self) -> Result<Vec<FoundTable>> {
        self.with(|opened, connection| {
            catalog::tables(connection).map_err(|e| explain(&e, &opened.path, "listing the tables"))
        })
        .await
    }

    async fn describe(&self, table: &str) -> Result<FoundRelation> {
        let table = table.to_string();
        self.with(move |opened, connection| {
            let found = catalog::describe(connection, &table);
            let found = found.map_err(|e| explain(&e, &opened.path, &format!("describing `{table}`")))?;
            if found.columns.is_empty() { Err(unknown_table(opened, connection, &table)) } else { Ok(found) }
        })
        .await
    }
}

/// The columns of a relation.
struct Shape {
    names: Vec<String>,
    /// As declared; empty for a query.
    types: Vec<String>,
}

fn shape(opened: &Opened, connection: &Connection, relation: &Relation) -> Result<Shape> {
    let doing = format!("reading `{}`", relation.label());
    let failed = |e: rusqlite::Error| match &relation.rows {
        RelationRows::Table(table) if words(&e).starts_with("no such table") => {
            unknown_table(opened, connection, table)
        }
        _ => explain(&e, &opened.path, &doing),
    };
    let statement = connection.prepare(&format!("SELECT * FROM {}", select::from(relation))).map_err(failed)?;
    let names: Vec<String> = statement.column_names().map(String::from).collect();
    let types = match &relation.rows {
        RelationRows::Query(_) => Vec::new(),
        RelationRows::Table(table) => {
            let declared = catalog::describe(connection, table).map_err(failed)?.columns;
            let declared = |name: &String| declared.iter().find(|column| column.name == *name);
            names.iter().map(|name| declared(name).map_or(String::new(), |column| column.type_name.clone())).collect()
        }
    };
    Ok(Shape { names, types })
}

fn unknown_table(opened: &Opened, connection: &Connection, table: &str) -> Error {
    let error = Error::project(format!("the database `{}` has no table `{table}`", opened.path));
    match catalog::tables(connection) {
        Ok(tables) => error.suggest(table, tables.iter().map(|table| table.name.as_str())),
        Err(_) => error,
    }
}

/// A column that is read.
struct Chosen<'a> {
    /// Its name as the contract writes it.
    name: String,
    /// Which of the relation's.
    at: usize,
    /// The columns of the contract that are read from it.
    wanted: Vec<&'a Column>,
}

/// The columns to read, in the order of the relation. Names are compared as SQLite does: without regard to case.
fn choose<'a>(shape: &Shape, request: &RelationRequest<'a>) -> Result<Vec<Chosen<'a>>> {
    let table = request.table;
    if table.on_missing_column == ColumnPolicy::Fail {
        let names: Vec<String> = table.columns.iter().map(|column| column.from.clone()).collect();
        named(shape, &names, request.relation)?;
    }
    let choose = |(at, name): (usize, &String)| {
        let wanted: Vec<&Column> =
            table.columns.iter().filter(|column| column.from.eq_ignore_ascii_case(name)).collect();
        let shown = wanted.first().map_or(name.clone(), |column| column.from.clone());
        (!wanted.is_empty() || request.all_columns).then_some(Chosen { name: shown, at, wanted })
    };
    let chosen: Vec<Chosen<'a>> = shape.names.iter().enumerate().filter_map(choose).collect();
    if chosen.is_empty() {
        let message = format!("`{}` has none of the columns that the contract names", request.relation.label());
        return Err(Error::project(message));
    }
    Ok(chosen)
}

/// Columns by their names, as the database writes them.
fn named(shape: &Shape, names: &[String], relation: &Relation) -> Result<Vec<String>> {
    let find = |name: &String| shape.names.iter().find(|known| known.eq_ignore_ascii_case(name)).cloned();
    let missing = |name: &String| {
        Error::project(format!("`{}` has no column `{name}`", relation.label()))
            .suggest(name, shape.names.iter().map(String::as_str))
    };
    names.iter().map(|name| find(name).ok_or_else(|| missing(name))).collect()
}
