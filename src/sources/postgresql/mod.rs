//! PostgreSQL: relations as they were at one moment, whatever number of connections reads them.
//!
//! The first connection opens a transaction, exports its snapshot and then only keeps it alive; all others join it. So
//! every table of a source is seen as it was at the same moment, and a large table can be read side by side. Rows come
//! by binary `COPY` ([`copy`]), are cut into cells and become Arrow columns without a detour ([`cells`], [`fields`]).

mod catalog;
mod cells;
mod copy;
mod errors;
mod fields;
mod link;
mod location;
mod reader;
mod sql;
#[cfg(test)]
mod tests;
mod values;
mod wire;

use super::database::{Database, FoundRelation, FoundTable, RelationRequest};
use super::typed::TypedReader;
use crate::contract::{Access, Relation, RelationRows, ValueType};
use crate::error::{Error, Kind, Result};
use catalog::{FoundAt, get};
use fields::{Field, reading_of};
use link::{Door, Link};
use reader::CopyReader;
use sql::Rows;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

/// A table with fewer rows is read by one connection.
const LEAST_ROWS_TO_SHARE: f32 = 200_000.0;
/// ... or with fewer blocks, where nobody has counted the rows.
const LEAST_BLOCKS_TO_SHARE: i64 = 4096;
/// A table that is shared is cut into so many parts for every connection, and none is smaller than this.
const PARTS_PER_CONNECTION: i64 = 8;
const LEAST_BLOCKS_OF_PART: i64 = 1024;
/// From this version on a range of blocks is found without reading the others.
const FIRST_VERSION_WITH_RANGES: i32 = 140_000;

/// Connects.
///
/// # Errors
/// Of kind `Project` when the location makes no sense, `Unreachable` when the server does not let us in.
pub(super) async fn open(location: &str, access: &Access) -> Result<Arc<dyn Database>> {
    let location = location::parse(location, access)?;
    let door = Door { label: location.label(), location, access: access.clone() };
    let mut keeper = door.connect().await?;
    keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let asked = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
        pg_catalog.pg_export_snapshot()";
    let rows = keeper.query(asked, &[]).await.map_err(|e| e.context("the snapshot cannot be shared"))?;
    let row = rows.first().ok_or_else(|| Error::bug("PostgreSQL does not say its version"))?;
    let (version, version_number, snapshot) = (get::<String>(row, 0)?, get(row, 1)?, get(row, 2)?);
    let pool = Pool { door, snapshot, idle: Mutex::new(Vec::new()), _keeper: Mutex::new(keeper) };
    Ok(Arc::new(Postgres { pool: Arc::new(pool), version, version_number }))
}

/// A database, seen as it was when it was opened.
struct Postgres {
    pool: Arc<Pool>,
    version: String,
    version_number: i32,
}

/// Connections that see the same rows.
struct Pool {
    door: Door,
    /// The name of the snapshot that all join.
    snapshot: String,
    idle: Mutex<Vec<Link>>,
    /// The connection that keeps the snapshot alive.
    _keeper: Mutex<Link>,
}

impl Pool {
    /// A connection that nobody uses, or a new one.
    async fn take(&self) -> Result<Link> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(link) = idle {
            return Ok(link);
        }
        let mut link = self.door.connect().await?;
        let join = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            sql::literal(&self.snapshot)
        );
        link.execute(&join).await.map_err(|e| match e.kind() {
            // The snapshot is gone with the connection that kept it.
            Kind::Data | Kind::Project => Error::unreachable(format!(
                "{} lost the connection that keeps all tables at one moment: {}",
                self.door.label,
                e.message()
            ))
            .hint("try again"),
            _ => e,
        })?;
        Ok(link)
    }

    /// Keeps a connection for the next who needs one. Only for one whose last question was answered well.
    fn give_back(&self, link: Link) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
    }
}

#[async_trait::async_trait]
impl Database for Postgres {
    async fn version(&self) -> Result<String> {
        Ok(format!("PostgreSQL {}", self.version.split(' ').next().unwrap_or_default()))
    }

    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>> {
        let mut link = self.pool.take().await?;
        let (rows, found) = rows_of(&mut link, request.relation).await?;
        let statement = link.prepare(&rows.select("*", &[])).await?;
        let fields = fields_of(&mut link, &statement, request).await?;
        let mut conditions = Vec::new();
        if let Some(since) = &request.since {
            let (types, common) = cursor_types(&mut link, &rows, &statement, &since.cursor).await?;
            conditions.push(sql::since(since, &types, &common)?);
        }
        let whole = rows.fields(&fields, &conditions);
        let ranges = match &found {
            Some(found) if self.may_share(found) && is_scan(&mut link, &whole).await? => self.ranges(found),
            _ => vec![],
        };
        self.pool.give_back(link);
        let with_range = |range: String| rows.fields(&fields, &[conditions.as_slice(), &[range]].concat());
        let statements: VecDeque<String> = match ranges.is_empty() {
            true => [whole].into(),
            false => ranges.into_iter().map(with_range).collect(),
        };
        let count = statements.len().min(self.pool.door.access.connections.max(1));
        let statements = Arc::new(Mutex::new(statements));
        let reader = || -> Result<Box<dyn TypedReader>> {
            Ok(Box::new(CopyReader::new(self.pool.clone(), statements.clone(), &fields)?))
        };
        (0..count).map(|_| reader()).collect()
    }

    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>> {
        let mut link = self.pool.take().await?;
        let (rows, _) = rows_of(&mut link, relation).await?;
        let statement = link.prepare(&rows.select("*", &[])).await?;
        let (_, common) = cursor_types(&mut link, &rows, &statement, cursor).await?;
        let found = link.query(&sql::watermark(&rows, cursor, &common), &[]).await?;
        let watermark = found.first().map(|row| get(row, 0)).transpose()?.flatten();
        self.pool.give_back(link);
        Ok(watermark)
    }

    async fn tables(&self) -> Result<Vec<FoundTable>> {
        let mut link = self.pool.take().await?;
        let found = catalog::tables(&mut link).await?;
        self.pool.give_back(link);
        Ok(found)
    }

    async fn describe(&self, table: &str) -> Result<FoundRelation> {
        let mut link = self.pool.take().await?;
        let found = catalog::describe(&mut link, table).await?;
        self.pool.give_back(link);
        Ok(found)
    }
}

impl Postgres {
    fn may_share(&self, found: &FoundAt) -> bool {
        let large = match found.about_rows > 0.0 {
            true => found.about_rows >= LEAST_ROWS_TO_SHARE,
            false => found.blocks >= LEAST_BLOCKS_TO_SHARE,
        };
        let able = found.is_heap && self.version_number >= FIRST_VERSION_WITH_RANGES;
        large && able && self.pool.door.access.connections > 1
    }

    /// Conditions that share the blocks of a table out. The last has no end: the table may have grown since, and
    /// whether a row counts is the snapshot's business.
    fn ranges(&self, found: &FoundAt) -> Vec<String> {
        let parts = self.pool.door.access.connections as i64 * PARTS_PER_CONNECTION;
        let step = (found.blocks / parts).max(LEAST_BLOCKS_OF_PART);
        let starts: Vec<i64> = (0..found.blocks.max(1)).step_by(step as usize).collect();
        let range = |(i, start): (usize, &i64)| match starts.get(i + 1) {
            Some(end) => format!("ctid >= '({start},0)'::tid AND ctid < '({end},0)'::tid"),
            None => format!("ctid >= '({start},0)'::tid"),
        };
        starts.iter().enumerate().map(range).collect()
    }
}

/// What is selected from, and where a table was found.
async fn rows_of(link: &mut Link, relation: &Relation) -> Result<(Rows, Option<FoundAt>)> {
    match &relation.rows {
        RelationRows::Query(_) => Ok((Rows::new(relation, None), None)),
        RelationRows::Table(name) => {
            let found = catalog::find(link, name).await?;
            Ok((Rows::new(relation, Some((&found.schema, &found.name))), Some(found)))
        }
    }
}

/// The columns to read: those the contract wants and the database has; the others as text where all are wanted.
async fn fields_of(link: &mut Link, statement: &Statement, request: &RelationRequest<'_>) -> Result<Vec<Field>> {
    let columns = statement.columns();
    let (oids, modifiers): (Vec<u32>, Vec<i32>) =
        columns.iter().map(|column| (column.type_().oid(), column.type_modifier())).unzip();
    let asked = "SELECT pg_catalog.format_type(kind, modifier) \
        FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS asked (kind, modifier, place) ORDER BY place";
    let names = link.query(asked, &[&oids, &modifiers]).await?;
    let mut fields: Vec<Field> = Vec::new();
    for (column, row) in columns.iter().zip(&names) {
        let promised = request.table.columns.iter().filter(|promised| promised.from == column.name());
        let wanted: Vec<&ValueType> = promised.map(|promised| &promised.data_type).collect();
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
    link: &mut Link,
    rows: &Rows,
    statement: &Statement,
    cursor: &[String],
) -> Result<(Vec<Type>, Type)> {
    let known: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
    let mut types = Vec::new();
    for name in cursor {
        let Some(place) = known.iter().position(|column| column == name) else {
            return Err(Error::project(format!("{}: there is no column `{name}`, which is the cursor", link.label))
                .suggest(name, known.iter().copied()));
        };
        types.push(statement.columns()[place].type_().clone());
    }
    let greatest = link.prepare(&rows.select(&sql::greatest(cursor), &[])).await?;
    let common = greatest.columns().first().map(|column| column.type_().clone());
    Ok((types, common.ok_or_else(|| Error::bug("a cursor has no type"))?))
}

/// Whether the server would read the whole table anyway, so that sharing its blocks out costs nothing.
async fn is_scan(link: &mut Link, select: &str) -> Result<bool> {
    let rows = link.query(&format!("EXPLAIN (FORMAT TEXT, COSTS off) {select}"), &[]).await?;
    let lines: Vec<String> = rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let node = lines.iter().map(|line| line.trim().trim_start_matches("->").trim());
    let node = node.filter(|line| !line.starts_with("Gather") && !line.starts_with("Workers Planned"));
    Ok(node.take(1).any(|line| line.starts_with("Seq Scan") || line.starts_with("Parallel Seq Scan")))
}
