//! SQLite: a file, possibly one that another program is writing.
//!
//! All tables of a source are read over one connection in one transaction, one after the other. Columns of SQLite
//! promise nothing; each value has a type of its own. So every value is given as its exact text, and the contract
//! decides row by row.

mod catalog;
mod errors;
mod location;
mod reader;
mod select;
mod session;
mod values;
#[cfg(test)]
mod tests;

use super::relation::{Selection, find_columns, select_columns};
use super::{Database, FoundRelation, FoundTable, RelationRequest};
use crate::typed::TypedReader;
use errors::{explain, message_of};
use perennial_core::contract::{Access, Relation, RelationRows};
use perennial_core::error::{Error, Result};
use perennial_core::sql::STANDARD;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use session::{Session, blocking};
use std::sync::Arc;
use std::time::Duration;
use values::FieldReader;

/// Opens the file, for reading only. A program that writes to it is waited for as long as for a connection.
///
/// # Errors
/// Of kind `Unreachable` when it is missing or locked, `Data` when it is not a SQLite database.
pub(crate) async fn open(location: &str, access: &Access) -> Result<Arc<dyn Database>> {
    let path = location::path(location);
    let busy = Duration::from_secs(access.connect_timeout_seconds);
    let session = blocking(move || Session::open(&path, busy)).await?;
    Ok(Arc::new(Sqlite { session: Arc::new(session) }))
}

struct Sqlite {
    session: Arc<Session>,
}

impl Sqlite {
    /// Does something with the connection.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session, &Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let session = self.session.clone();
        blocking(move || work(&session, &session.connection())).await
    }
}

#[async_trait::async_trait]
impl Database for Sqlite {
    async fn version(&self) -> Result<String> {
        Ok(format!("SQLite {}", rusqlite::version()))
    }

    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>> {
        let relation = request.relation.clone();
        let shape = self.with(move |session, connection| shape(session, connection, &relation)).await?;
        let relation = request.relation;
        let selected = select_columns(&shape.names(), request, str::eq_ignore_ascii_case)?;
        let changed = match &request.since {
            Some(since) => select::changed(since, &shape.find(&since.cursor, relation)?),
            None => None,
        };
        let list: Vec<String> = selected.iter().map(|field| STANDARD.identifier(&shape.names[field.index])).collect();
        let sql = Selection::of(relation, &STANDARD)?.select(&list.join(", "), changed.as_slice());
        let (checked, label) = (sql.clone(), relation.label().to_string());
        // An error in the condition is found before anything is read.
        self.with(move |session, connection| {
            let prepared = connection.prepare(&checked).map(|_| ());
            prepared.map_err(|e| explain(&e, &session.path, &format!("reading `{label}`")))
        })
        .await?;
        let types = selected.iter().filter_map(|field| shape.types.get(field.index).cloned()).collect();
        let fields = selected.iter().map(|field| FieldReader::new(&field.wanted)).collect();
        let names = selected.into_iter().map(|field| field.name).collect();
        let task = reader::Task { label: relation.label().to_string(), sql, fields };
        Ok(vec![Box::new(reader::reader(self.session.clone(), task, names, types))])
    }

    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>> {
        let (relation, cursor) = (relation.clone(), cursor.to_vec());
        self.with(move |session, connection| {
            let columns = shape(session, connection, &relation)?.find(&cursor, &relation)?;
            let failed = |e: rusqlite::Error| {
                explain(&e, &session.path, &format!("reading the watermark of `{}`", relation.label()))
            };
            let sql = select::watermark(&Selection::of(&relation, &STANDARD)?, &columns);
            let mut statement = connection.prepare(&sql).map_err(failed)?;
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
        self.with(|session, connection| {
            catalog::tables(connection).map_err(|e| explain(&e, &session.path, "listing the tables"))
        })
        .await
    }

    async fn describe(&self, table: &str) -> Result<FoundRelation> {
        let table = table.to_string();
        self.with(move |session, connection| {
            let found = describe(session, connection, &table)?;
            if found.columns.is_empty() { Err(unknown_table(session, connection, &table)) } else { Ok(found) }
        })
        .await
    }
}

/// The columns of a table; none when there is no such table.
fn describe(session: &Session, connection: &Connection, table: &str) -> Result<FoundRelation> {
    let (schema, name) = STANDARD.parse_table(table)?;
    let found = catalog::describe(connection, schema.as_deref().unwrap_or("main"), &name);
    found.map_err(|e| explain(&e, &session.path, &format!("describing `{table}`")))
}

/// The columns of a relation.
struct Shape {
    names: Vec<String>,
    /// As declared; empty for a query.
    types: Vec<String>,
}

impl Shape {
    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// Columns, as the database writes their names.
    fn find(&self, wanted: &[String], relation: &Relation) -> Result<Vec<String>> {
        let indexes = find_columns(&self.names(), wanted, relation, str::eq_ignore_ascii_case)?;
        Ok(indexes.into_iter().map(|index| self.names[index].clone()).collect())
    }
}

fn shape(session: &Session, connection: &Connection, relation: &Relation) -> Result<Shape> {
    let doing = format!("reading `{}`", relation.label());
    let failed = |e: rusqlite::Error| match &relation.rows {
        RelationRows::Table(table) if message_of(&e).starts_with("no such table") => {
            unknown_table(session, connection, table)
        }
        _ => explain(&e, &session.path, &doing),
    };
    let sql = Selection::of(&Relation { filter: None, ..relation.clone() }, &STANDARD)?.select("*", &[]);
    let statement = connection.prepare(&sql).map_err(failed)?;
    let names: Vec<String> = statement.column_names().map(String::from).collect();
    let types = match &relation.rows {
        RelationRows::Query(_) => Vec::new(),
        RelationRows::Table(table) => {
            let declared = describe(session, connection, table)?.columns;
            let declared = |name: &String| declared.iter().find(|column| column.name == *name);
            names.iter().map(|name| declared(name).map_or(String::new(), |column| column.type_name.clone())).collect()
        }
    };
    Ok(Shape { names, types })
}

fn unknown_table(session: &Session, connection: &Connection, table: &str) -> Error {
    let error = Error::project(format!("the database `{}` has no table `{table}`", session.path));
    match catalog::tables(connection) {
        Ok(tables) => {
            let names: Vec<String> = tables.iter().map(|table| table.written(&STANDARD)).collect();
            error.suggest(table, names.iter().map(String::as_str))
        }
        Err(_) => error,
    }
}
