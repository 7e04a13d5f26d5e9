//! PostgreSQL: relations as of one point in time, whatever number of connections reads them.
//!
//! The first connection opens a transaction, exports its snapshot and then only keeps it alive; all others share it. So
//! every table of a source is consistent with the others, and a large table can be read in parallel. Rows come by binary
//! `COPY` ([`copy`]), are cut into cells and become Arrow columns directly ([`cells`], [`columns`]).

mod catalog;
mod cells;
mod columns;
mod copy;
mod errors;
mod location;
mod pool;
mod reader;
mod select;
mod session;
mod values;
mod wire;
#[cfg(test)]
mod tests;

use super::relation::Selection;
use super::{Database, FoundRelation, FoundTable, RelationRequest};
use crate::typed::TypedReader;
use catalog::{CatalogEntry, get};
use columns::{Field, reading_of};
use location::Location;
use perennial_core::contract::{Access, Relation, RelationRows, ValueType};
use perennial_core::error::{Error, Result};
use pool::Pool;
use reader::CopyReader;
pub(crate) use select::DIALECT;
use session::{Connector, Session};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

/// A table with fewer rows is read by one connection.
const MIN_ROWS_TO_SHARE: f32 = 200_000.0;
/// ... or with fewer blocks, where the number of rows is unknown.
const MIN_BLOCKS_TO_SHARE: i64 = 4096;
/// Number of parts per connection of a table that is shared, and their minimum size.
const PARTS_PER_CONNECTION: i64 = 8;
const MIN_BLOCKS_OF_PART: i64 = 1024;
/// From this version on a range of blocks is found without reading the others.
const FIRST_VERSION_WITH_RANGES: i32 = 140_000;

/// Connects.
///
/// # Errors
/// Of kind `Project` when the location makes no sense, `Unreachable` when the server cannot be reached or refuses the
/// login.
pub(crate) async fn open(location: &str, access: &Access) -> Result<Arc<dyn Database>> {
    let location = Location::parse(location, access)?;
    let connector = Connector { label: location.label(), location, access: access.clone() };
    let mut keeper = connector.connect().await?;
    keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let sql = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
        pg_catalog.pg_export_snapshot()";
    let rows = keeper.query(sql, &[]).await.map_err(|e| e.context("cannot export the snapshot"))?;
    let row = rows.first().ok_or_else(|| Error::bug("PostgreSQL does not report its version"))?;
    let (version, version_number, snapshot) = (get::<String>(row, 0)?, get(row, 1)?, get(row, 2)?);
    Ok(Arc::new(Postgres { pool: Arc::new(Pool::new(connector, snapshot, keeper)), version, version_number }))
}

/// A database, as of the time when it was opened.
struct Postgres {
    pool: Arc<Pool>,
    version: String,
    version_number: i32,
}

#[async_trait::async_trait]
impl Database for Postgres {
    async fn version(&self) -> Result<String> {
        Ok(format!("PostgreSQL {}", self.version.split(' ').next().unwrap_or_default()))
    }

    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>> {
        let mut session = self.pool.take().await?;
        let (selection, found) = selection_of(&mut session, request.relation).await?;
        let statement = session.prepare(&selection.select("*", &[])).await?;
        let fields = fields_of(&mut session, &statement, request).await?;
        let mut conditions = Vec::new();
        if let Some(since) = &request.since {
            let (types, common) = cursor_types(&mut session, &selection, &statement, &since.cursor).await?;
            conditions.push(select::changed(since, &types, &common)?);
        }
        let whole = select::fields(&selection, &fields, &conditions);
        let ranges = match &found {
            Some(found) if self.may_share(found) && is_scan(&mut session, &whole).await? => self.ranges(found),
            _ => vec![],
        };
        self.pool.give_back(session);
        let with_range =
            |range: String| select::fields(&selection, &fields, &[conditions.as_slice(), &[range]].concat());
        let statements: VecDeque<String> = match ranges.is_empty() {
            true => [whole].into(),
            false => ranges.into_iter().map(with_range).collect(),
        };
        let count = statements.len().min(self.pool.connector().access.connections.max(1));
        let statements = Arc::new(Mutex::new(statements));
        let reader = || -> Result<Box<dyn TypedReader>> {
            Ok(Box::new(CopyReader::new(self.pool.clone(), statements.clone(), &fields)?))
        };
        (0..count).map(|_| reader()).collect()
    }

    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>> {
        let mut session = self.pool.take().await?;
        let (selection, _) = selection_of(&mut session, relation).await?;
        let statement = session.prepare(&selection.select("*", &[])).await?;
        let (_, common) = cursor_types(&mut session, &selection, &statement, cursor).await?;
        let found = session.query(&select::watermark(&selection, cursor, &common), &[]).await?;
        let watermark = found.first().map(|row| get(row, 0)).transpose()?.flatten();
        self.pool.give_back(session);
        Ok(watermark)
    }

    async fn tables(&self) -> Result<Vec<FoundTable>> {
        let mut session = self.pool.take().await?;
        let found = catalog::tables(&mut session).await?;
        self.pool.give_back(session);
        Ok(found)
    }

    async fn describe(&self, table: &str) -> Result<FoundRelation> {
        let mut session = self.pool.take().await?;
        let found = catalog::describe(&mut session, table).await?;
        self.pool.give_back(session);
        Ok(found)
    }
}

impl Postgres {
    fn may_share(&self, found: &CatalogEntry) -> bool {
        let large = match found.about_rows > 0.0 {
            true => found.about_rows >= MIN_ROWS_TO_SHARE,
            false => found.blocks >= MIN_BLOCKS_TO_SHARE,
        };
        let able = found.is_heap && self.version_number >= FIRST_VERSION_WITH_RANGES;
        large && able && self.pool.connector().access.connections > 1
    }

    /// Conditions that divide the blocks of a table. The last has no end: the table may have grown since, and the snapshot
    /// decides which rows are visible.
    fn ranges(&self, found: &CatalogEntry) -> Vec<String> {
        let parts = self.pool.connector().access.connections as i64 * PARTS_PER_CONNECTION;
        let step = (found.blocks / parts).max(MIN_BLOCKS_OF_PART);
        let starts: Vec<i64> = (0..found.blocks.max(1)).step_by(step as usize).collect();
        let range = |(i, start): (usize, &i64)| match starts.get(i + 1) {
            Some(end) => format!("ctid >= '({start},0)'::tid AND ctid < '({end},0)'::tid"),
            None => format!("ctid >= '({start},0)'::tid"),
        };
        starts.iter().enumerate().map(range).collect()
    }
}

/// What is selected from, and the entry of a table in the catalog.
async fn selection_of(session: &mut Session, relation: &Relation) -> Result<(Selection, Option<CatalogEntry>)> {
    match &relation.rows {
        RelationRows::Query(sql) => Ok((Selection::query(sql, relation, &DIALECT), None)),
        RelationRows::Table(name) => {
            let found = catalog::find(session, name).await?;
            Ok((Selection::table(Some(&found.schema), &found.name, relation, &DIALECT), Some(found)))
        }
    }
}

/// The columns to read: those that the contract wants and the database has; the others as text where all are wanted.
async fn fields_of(session: &mut Session, statement: &Statement, request: &RelationRequest<'_>) -> Result<Vec<Field>> {
    let columns = statement.columns();
    let (oids, modifiers): (Vec<u32>, Vec<i32>) =
        columns.iter().map(|column| (column.type_().oid(), column.type_modifier())).unzip();
    let sql = "SELECT pg_catalog.format_type(kind, modifier) \
        FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS asked (kind, modifier, place) ORDER BY place";
    let names = session.query(sql, &[&oids, &modifiers]).await?;
    let mut fields: Vec<Field> = Vec::new();
    for (column, row) in columns.iter().zip(&names) {
        let of_contract = request.table.columns.iter().filter(|wanted| wanted.from == column.name());
        let wanted: Vec<&ValueType> = of_contract.map(|wanted| &wanted.data_type).collect();
        let twice = fields.iter().any(|field| field.name == column.name());
        if (wanted.is_empty() && !request.all_columns) || twice {
            continue;
        }
        // A column that is wanted as several types is read as text, of which each can be made.
        let one = wanted.first().filter(|first| wanted.iter().all(|other| other == *first)).copied();
        let (reading, as_text) = reading_of(column.type_(), one);
        let type_name = get(row, 0)?;
        fields.push(Field { name: column.name().to_string(), type_name, as_text, reading });
    }
    Ok(fields)
}

/// The types of a cursor's columns, and of their greatest.
async fn cursor_types(
    session: &mut Session,
    selection: &Selection,
    statement: &Statement,
    cursor: &[String],
) -> Result<(Vec<Type>, Type)> {
    let known: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
    let mut types = Vec::new();
    for name in cursor {
        let Some(place) = known.iter().position(|column| column == name) else {
            return Err(Error::project(format!("{} has no column `{name}`, which is the cursor", session.label))
                .suggest(name, known.iter().copied()));
        };
        types.push(statement.columns()[place].type_().clone());
    }
    let greatest = session.prepare(&selection.select(&select::greatest(cursor), &[])).await?;
    let common = greatest.columns().first().map(|column| column.type_().clone());
    Ok((types, common.ok_or_else(|| Error::bug("a cursor has no type"))?))
}

/// Whether the server would read the whole table anyway, so that dividing its blocks costs nothing.
async fn is_scan(session: &mut Session, select: &str) -> Result<bool> {
    let rows = session.query(&format!("EXPLAIN (FORMAT TEXT, COSTS off) {select}"), &[]).await?;
    let lines: Vec<String> = rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let node = lines.iter().map(|line| line.trim().trim_start_matches("->").trim());
    let node = node.filter(|line| !line.starts_with("Gather") && !line.starts_with("Workers Planned"));
    Ok(node.take(1).any(|line| line.starts_with("Seq Scan") || line.starts_with("Parallel Seq Scan")))
}
