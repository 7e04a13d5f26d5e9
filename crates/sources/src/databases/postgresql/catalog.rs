//! The system catalog: relations, their columns, keys and comments.

use super::columns::{declared_decimal, value_type};
use super::select::DIALECT;
use super::session::Session;
use crate::databases::{FoundColumn, FoundRelation, FoundTable};
use perennial_core::error::{Error, Result};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Number of rows sampled for the digits of numbers.
const SAMPLE_ROWS: u32 = 100_000;
/// Tables, partitioned tables, views, materialised views, foreign tables.
const KINDS: &str = "'r', 'p', 'v', 'm', 'f'";

/// A table or view.
pub(super) struct CatalogEntry {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// It is stored as one heap, whose blocks can be divided.
    pub(super) is_heap: bool,
    /// Approximate number of rows; -1 when unknown.
    pub(super) about_rows: f32,
    /// Current number of blocks of a heap.
    pub(super) blocks: i64,
}

/// Finds a relation by its name in a contract.
///
/// # Errors
/// Of kind `Project` when there is none (naming similar ones) or it may not be read.
pub(super) async fn find(session: &mut Session, table: &str) -> Result<CatalogEntry> {
    let (schema, name) = DIALECT.parse_table(table)?;
    let sql = format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.reltuples, \
            c.relkind IN ('r', 'm') AND NOT c.relhassubclass AND \
                c.relam IN (0, (SELECT oid FROM pg_catalog.pg_am WHERE amname = 'heap')), \
            CASE WHEN c.relkind IN ('r', 'm') THEN \
                pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint ELSE 0 END, \
            pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND \
                (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR \
                 pg_catalog.has_any_column_privilege(c.oid, 'SELECT')) \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relname = $1 AND c.relkind IN ({KINDS}) \
            AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2::text END"
    );
    let rows = session.query(&sql, &[&name, &schema]).await?;
    let Some(row) = rows.first() else {
        let known = tables(session).await?;
        let error = Error::project(format!("{} has no table or view `{table}`", session.label));
        let known: Vec<String> = known.iter().map(|table| table.written(&DIALECT)).collect();
        return Err(error.suggest(table, known.iter().map(String::as_str)));
    };
    if !get::<bool>(row, 6)? {
        let error = Error::project(format!("{}: the user may not read `{table}`", session.label));
        return Err(error.hint("grant USAGE on the schema and SELECT on the table"));
    }
    Ok(CatalogEntry {
        oid: get(row, 0)?,
        schema: get(row, 1)?,
        name: get(row, 2)?,
        about_rows: get(row, 3)?,
        is_heap: get(row, 4)?,
        blocks: get(row, 5)?,
    })
}

/// A value of a row of the catalog.
pub(super) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column)
        .map_err(|e| Error::bug(format!("a query of the catalog returned an unexpected type: {e}")).because(e))
}

/// The tables and views that the user may read.
pub(super) async fn tables(session: &mut Session) -> Result<Vec<FoundTable>> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, pg_catalog.pg_table_is_visible(c.oid), c.relkind IN ('v', 'm'), \
            c.reltuples \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ({KINDS}) AND NOT c.relispartition \
            AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
            AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
            AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR \
                 pg_catalog.has_any_column_privilege(c.oid, 'SELECT')) \
         ORDER BY NOT pg_catalog.pg_table_is_visible(c.oid), 1, 2"
    );
    let rows = session.query(&sql, &[]).await?;
    rows.iter()
        .map(|row| {
            let counted: f32 = get(row, 4)?;
            Ok(FoundTable {
                schema: get(row, 0)?,
                in_default_schema: get(row, 2)?,
                name: get(row, 1)?,
                about_rows: (counted > 0.0).then_some(counted as u64),
                is_view: get(row, 3)?,
            })
        })
        .collect()
}

/// The columns, key and comments of a relation.
pub(super) async fn describe(session: &mut Session, table: &str) -> Result<FoundRelation> {
    let found = find(session, table).await?;
    let from = DIALECT.table(Some(&found.schema), &found.name);
    let statement = session.prepare(&format!("SELECT * FROM {from}")).await?;
    let sql = "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), \
            a.attnotnull, pg_catalog.col_description(a.attrelid, a.attnum) \
         FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum";
    let rows = session.query(sql, &[&found.oid]).await?;
    let bare = |column: &tokio_postgres::Column| {
        *column.type_() == Type::NUMERIC && declared_decimal(column.type_modifier()).is_none()
    };
    let unknown: Vec<&str> = statement.columns().iter().filter(|c| bare(c)).map(|c| c.name()).collect();
    let mut digits = sampled_digits(session, &from, &unknown).await?.into_iter();
    let mut columns = Vec::new();
    for (row, column) in rows.iter().zip(statement.columns()) {
        let sampled = if bare(column) { digits.next() } else { None };
        columns.push(FoundColumn {
            name: get(row, 0)?,
            type_name: get(row, 1)?,
            data_type: value_type(column.type_(), column.type_modifier(), sampled),
            required: get(row, 2)?,
            comment: get(row, 3)?,
        });
    }
    let comment = session.query("SELECT pg_catalog.obj_description($1, 'pg_class')", &[&found.oid]).await?;
    let comment = comment.first().map(|row| get(row, 0)).transpose()?.flatten();
    Ok(FoundRelation { columns, key: key(session, found.oid).await?, comment })
}

/// The columns of the primary key, or of the first unique key without NULL.
async fn key(session: &mut Session, oid: u32) -> Result<Vec<String>> {
    let sql = "SELECT array_agg(a.attname::text ORDER BY k.place) \
         FROM pg_catalog.pg_index AS i \
         CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place) \
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number \
         WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
            AND k.place <= i.indnkeyatts \
         GROUP BY i.indexrelid, i.indisprimary HAVING bool_and(a.attnotnull) \
         ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1";
    let rows = session.query(sql, &[&oid]).await?;
    rows.first().map_or(Ok(vec![]), |row| get(row, 0))
}

/// Of numbers without declared scale, the maximum number of digits before and after the decimal point in a sample of the
/// rows.
async fn sampled_digits(session: &mut Session, from: &str, columns: &[&str]) -> Result<Vec<(u32, u32)>> {
    if columns.is_empty() {
        return Ok(vec![]);
    }
    let one = |name: &&str| {
        let name = DIALECT.identifier(name);
        format!("max(length(trunc(abs({name}))::text))::int, max(scale({name}))::int")
    };
    let maxima: Vec<String> = columns.iter().map(one).collect();
    let sql = format!("SELECT {} FROM (SELECT * FROM {from} LIMIT {SAMPLE_ROWS}) AS \"rows\"", maxima.join(", "));
    let rows = session.query(&sql, &[]).await?;
    let Some(row) = rows.first() else { return Ok(vec![(0, 0); columns.len()]) };
    let number = |place: usize| get::<Option<i32>>(row, place).map(|found| found.unwrap_or(0).max(0) as u32);
    (0..columns.len()).map(|i| Ok((number(2 * i)?, number(2 * i + 1)?))).collect()
}
