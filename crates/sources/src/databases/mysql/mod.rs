//! MySQL and MariaDB.
//!
//! One session reads all tables of a source, one after the other, in one transaction that sees them as of one point in
//! time. Several connections cannot share such a snapshot, so a relation has one reader.

mod catalog;
mod columns;
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
use columns::ColumnShape;
use location::Location;
use mysql_async::prelude::Queryable;
use perennial_core::contract::{Access, Relation, RelationRows};
use perennial_core::error::{Error, Result};
pub(crate) use select::DIALECT;
use session::{Session, text_of};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout;
use values::FieldReader;

/// Connects.
///
/// # Errors
/// Of kind `Project` when location or access make no sense, `Unreachable` when the server cannot be reached or refuses the
/// login.
pub(crate) async fn open(location: &str, access: &Access) -> Result<Arc<dyn Database>> {
    let location = Location::parse(location, access)?;
    let session = Session::open(location, access).await?;
    Ok(Arc::new(MySql { session: Arc::new(Mutex::new(session)) }))
}

struct MySql {
    session: Arc<Mutex<Session>>,
}

#[async_trait::async_trait]
impl Database for MySql {
    async fn version(&self) -> Result<String> {
        let rows = self.session.lock().await.rows("reading the version", "SELECT VERSION()").await?;
        let version = rows.first().and_then(|row| text_of(row, 0)).unwrap_or_default();
        let number = version.split('-').find(|part| part.contains('.')).unwrap_or(&version);
        Ok(format!("{} {number}", if version.contains("MariaDB") { "MariaDB" } else { "MySQL" }))
    }

    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>> {
        let mut session = self.session.lock().await;
        let relation = request.relation;
        let selection = Selection::of(relation, &DIALECT)?;
        let columns = shape(&mut session, relation).await?;
        let selected = select_columns(&names(&columns), request, is_same)?;
        let changed = match &request.since {
            Some(since) => Some(select::changed(since, &find(&columns, &since.cursor, relation)?)?),
            None => None,
        };
        let list: Vec<String> = selected.iter().map(|field| DIALECT.identifier(&columns[field.index].name)).collect();
        let sql = selection.select(&list.join(", "), changed.as_slice());
        // An error in the condition is found before anything is read.
        prepare(&mut session, relation, &sql).await?;
        let types = selected.iter().map(|field| columns[field.index].type_name.clone()).collect();
        let fields: Result<Vec<FieldReader>> =
            selected.iter().map(|field| FieldReader::new(&columns[field.index], &field.wanted)).collect();
        let names = selected.into_iter().map(|field| field.name).collect();
        let task = reader::Task { label: relation.label().to_string(), sql, fields: fields? };
        Ok(vec![Box::new(reader::reader(self.session.clone(), task, names, types))])
    }

    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>> {
        let mut session = self.session.lock().await;
        let selection = Selection::of(relation, &DIALECT)?;
        let columns = shape(&mut session, relation).await?;
        let sql = select::watermark(&selection, &find(&columns, cursor, relation)?)?;
        let rows = session.rows(&format!("reading the watermark of `{}`", relation.label()), &sql).await?;
        let greatest = rows.first().and_then(|row| text_of(row, 0));
        // When the greatest is a zero date, no row has a value.
        Ok(greatest.filter(|text| !text.starts_with("0000-")))
    }

    async fn tables(&self) -> Result<Vec<FoundTable>> {
        catalog::tables(&mut *self.session.lock().await).await
    }

    async fn describe(&self, table: &str) -> Result<FoundRelation> {
        catalog::describe(&mut *self.session.lock().await, table).await
    }
}

/// Names of columns are compared without regard to case, as the server does.
fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn names(columns: &[ColumnShape]) -> Vec<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

/// Columns by their names.
fn find<'a>(columns: &'a [ColumnShape], wanted: &[String], relation: &Relation) -> Result<Vec<&'a ColumnShape>> {
    let indexes = find_columns(&names(columns), wanted, relation, is_same)?;
    Ok(indexes.into_iter().map(|index| &columns[index]).collect())
}

/// The columns of a relation. No rows are read. Without the filter, an unknown table can only be that of the relation.
async fn shape(session: &mut Session, relation: &Relation) -> Result<Vec<ColumnShape>> {
    let whole = Selection::of(&Relation { filter: None, ..relation.clone() }, &DIALECT)?;
    let columns = prepare(session, relation, &whole.select("*", &[])).await;
    match (columns, &relation.rows) {
        (Err(PrepareError::UnknownTable(_)), RelationRows::Table(table)) => {
            Err(catalog::unknown_table(session, table).await)
        }
        (columns, _) => Ok(columns?),
    }
}

/// Why a query cannot be prepared.
enum PrepareError {
    /// A table does not exist.
    UnknownTable(Error),
    Other(Error),
}

impl From<PrepareError> for Error {
    fn from(error: PrepareError) -> Error {
        match error {
            PrepareError::UnknownTable(error) | PrepareError::Other(error) => error,
        }
    }
}

/// The columns of a query, which the server checks without running it.
async fn prepare(session: &mut Session, relation: &Relation, sql: &str) -> Result<Vec<ColumnShape>, PrepareError> {
    let doing = format!("reading `{}`", relation.label());
    let (location, limit) = (session.location().clone(), session.read_timeout());
    let prepared = timeout(limit, async {
        let connection = session.connection().map_err(PrepareError::Other)?;
        let statement = match connection.prep(sql).await {
            Ok(statement) => statement,
            Err(error) => {
                let unknown = matches!(&error, mysql_async::Error::Server(e) if e.code == errors::UNKNOWN_TABLE);
                let error = errors::explain(error, &location, &doing);
                return Err(if unknown { PrepareError::UnknownTable(error) } else { PrepareError::Other(error) });
            }
        };
        let columns = statement.columns().iter().map(ColumnShape::new).collect();
        let questions = statement.num_params();
        connection.close(statement).await.map_err(|e| PrepareError::Other(errors::explain(e, &location, &doing)))?;
        if questions > 0 {
            let error = Error::project(format!("{doing}: the query or filter contains a `?` outside a string"));
            return Err(PrepareError::Other(error.hint("parameters are not supported; write the value itself")));
        }
        Ok(columns)
    });
    match prepared.await {
        Ok(columns) => columns,
        Err(_) => {
            session.close().await;
            Err(PrepareError::Other(errors::hangs(&location.server(), &doing, limit.as_secs())))
        }
    }
}
