//! MySQL and MariaDB.
//!
//! One session reads all tables of a source, one after the other, in one transaction that sees them as they were at one
//! moment. Such a view cannot be shared by several connections, and so a relation has one reader.

mod address;
mod catalog;
mod column;
mod errors;
mod reader;
mod select;
mod session;
mod values;
#[cfg(test)]
mod tests;

use super::database::{Database, FoundRelation, FoundTable, RelationRequest};
use super::typed::TypedReader;
use crate::contract::{Access, Column, ColumnPolicy, Relation, RelationRows};
use crate::error::{Error, Result};
use column::ColumnShape;
use mysql_async::prelude::Queryable;
use session::{Session, text_of};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout;
use values::FieldReader;

/// Connects.
///
/// # Errors
/// Of kind `Project` when location or access make no sense, `Unreachable` when the server does not let us in.
pub(super) async fn open(location: &str, access: &Access) -> Result<Arc<dyn Database>> {
    let address = address::Address::parse(location, access)?;
    let session = Session::open(address, access).await?;
    Ok(Arc::new(MySql { session: Arc::new(Mutex::new(session)) }))
}

struct MySql {
    session: Arc<Mutex<Session>>,
}

#[async_trait::async_trait]
impl Database for MySql {
    async fn version(&self) -> Result<String> {
        let rows = self.session.lock().await.rows("asking for the version", "SELECT VERSION()").await?;
        let version = rows.first().and_then(|row| text_of(row, 0)).unwrap_or_default();
        let number = version.split('-').find(|part| part.contains('.')).unwrap_or(&version);
        Ok(format!("{} {number}", if version.contains("MariaDB") { "MariaDB" } else { "MySQL" }))
    }

    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>> {
        let mut session = self.session.lock().await;
        let relation = request.relation;
        let columns = shape(&mut session, relation).await?;
        let chosen = choose(&columns, request, relation)?;
        let changed = match &request.since {
            Some(since) => Some(select::changed(since, &named(&columns, &since.cursor, relation)?)?),
            None => None,
        };
        let list: Vec<String> = chosen.iter().map(|field| select::quoted(&field.shape.name)).collect();
        let sql = format!(
            "SELECT {} FROM {}{}",
            list.join(", "),
            select::from(relation),
            select::wherever(&[relation.filter.clone(), changed])
        );
        // A mistake in the condition is found before anything is read.
        prepared(&mut session, relation, &sql).await?;
        let names = chosen.iter().map(|field| field.name.clone()).collect();
        let types = chosen.iter().map(|field| field.shape.type_name.clone()).collect();
        let fields: Result<Vec<FieldReader>> =
            chosen.iter().map(|field| FieldReader::new(field.shape, &field.wanted)).collect();
        let task = reader::Task { label: relation.label().to_string(), sql, fields: fields? };
        Ok(vec![Box::new(reader::reader(self.session.clone(), task, names, types))])
    }

    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>> {
        let mut session = self.session.lock().await;
        let columns = shape(&mut session, relation).await?;
        let sql = select::watermark(relation, &named(&columns, cursor, relation)?)?;
        let rows = session.rows(&format!("reading the newest row of `{}`", relation.label()), &sql).await?;
        let greatest = rows.first().and_then(|row| text_of(row, 0));
        // The greatest is a zero date: no row has a value.
        Ok(greatest.filter(|text| !text.starts_with("0000-")))
    }

    async fn tables(&self) -> Result<Vec<FoundTable>> {
        catalog::tables(&mut *self.session.lock().await).await
    }

    async fn describe(&self, table: &str) -> Result<FoundRelation> {
        catalog::describe(&mut *self.session.lock().await, table).await
    }
}

/// The columns of a relation. Nothing of it is read.
async fn shape(session: &mut Session, relation: &Relation) -> Result<Vec<ColumnShape>> {
    let columns = prepared(session, relation, &format!("SELECT * FROM {}", select::from(relation))).await;
    match (columns, &relation.rows) {
        (Err(Refused::Unknown(_)), RelationRows::Table(table)) => Err(catalog::unknown_table(session, table).await),
        (columns, _) => Ok(columns?),
    }
}

/// Why a query cannot be prepared.
enum Refused {
    /// A table does not exist.
    Unknown(Error),
    Other(Error),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        match refused {
            Refused::Unknown(error) | Refused::Other(error) => error,
        }
    }
}

/// Has the server look at a query without running it: its columns.
async fn prepared(session: &mut Session, relation: &Relation, sql: &str) -> Result<Vec<ColumnShape>, Refused> {
    let doing = format!("reading `{}`", relation.label());
    let (address, limit) = (session.address().clone(), session.read_timeout());
    let looked = timeout(limit, async {
        let connection = session.connection().map_err(Refused::Other)?;
        let statement = match connection.prep(sql).await {
            Ok(statement) => statement,
            Err(error) => {
                let unknown = matches!(&error, mysql_async::Error::Server(e) if e.code == errors::UNKNOWN_TABLE);
                let error = errors::explain(error, &address, &doing);
                return Err(if unknown { Refused::Unknown(error) } else { Refused::Other(error) });
            }
        };
        let columns = statement.columns().iter().map(ColumnShape::new).collect();
        let questions = statement.num_params();
        connection.close(statement).await.map_err(|e| Refused::Other(errors::explain(e, &address, &doing)))?;
        if questions > 0 {
            let error = Error::project(format!("{doing}: the query or filter has a `?` outside of a text"));
            return Err(Refused::Other(error.hint("nothing is put in there; write the value itself")));
        }
        Ok(columns)
    });
    match looked.await {
        Ok(columns) => columns,
        Err(_) => {
            session.close().await;
            Err(Refused::Other(errors::hangs(&address.server(), &doing, limit.as_secs())))
        }
    }
}

/// A column that is read.
struct Chosen<'a> {
    /// Its name as the contract writes it.
    name: String,
    shape: &'a ColumnShape,
    /// The columns of the contract that are read from it.
    wanted: Vec<&'a Column>,
}

/// The columns to read, in the order of the relation. Names are compared as the server does: without regard to case.
fn choose<'a>(
    columns: &'a [ColumnShape],
    request: &RelationRequest<'a>,
    relation: &Relation,
) -> Result<Vec<Chosen<'a>>> {
    let table = request.table;
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    if table.on_missing_column == ColumnPolicy::Fail {
        let there = |column: &&Column| columns.iter().any(|shape| same(&shape.name, &column.from));
        if let Some(column) = table.columns.iter().find(|column| !there(column)) {
            return Err(missing(&column.from, columns, relation));
        }
    }
    let choose = |shape: &'a ColumnShape| {
        let wanted: Vec<&Column> = table.columns.iter().filter(|column| same(&column.from, &shape.name)).collect();
        let name = wanted.first().map_or(shape.name.clone(), |column| column.from.clone());
        (!wanted.is_empty() || request.all_columns).then_some(Chosen { name, shape, wanted })
    };
    let chosen: Vec<Chosen<'a>> = columns.iter().filter_map(choose).collect();
    if chosen.is_empty() {
        let message = format!("`{}` has none of the columns that the contract names", relation.label());
        return Err(Error::project(message));
    }
    Ok(chosen)
}

/// Columns by their names.
fn named<'a>(columns: &'a [ColumnShape], names: &[String], relation: &Relation) -> Result<Vec<&'a ColumnShape>> {
    let find = |name: &String| columns.iter().find(|column| column.name.to_lowercase() == name.to_lowercase());
    names.iter().map(|name| find(name).ok_or_else(|| missing(name, columns, relation))).collect()
}

fn missing(name: &str, columns: &[ColumnShape], relation: &Relation) -> Error {
    Error::project(format!("`{}` has no column `{name}`", relation.label()))
        .suggest(name, columns.iter().map(|column| column.name.as_str()))
}
