//! The tables of a database and their columns, from `information_schema`.

use super::select::DIALECT;
use super::session::{Session, text_of};
use crate::databases::{FoundColumn, FoundRelation, FoundTable};
use mysql_async::Row;
use perennial_core::contract::ValueType;
use perennial_core::error::{Error, Result};

/// Schemas of the server itself.
const SYSTEM: &str = "('information_schema', 'mysql', 'performance_schema', 'sys')";
/// Maximum precision of a decimal in the lake.
const MAX_DIGITS: u8 = 38;

/// The tables and views that the user may read, those of the default database first.
pub(super) async fn tables(session: &mut Session) -> Result<Vec<FoundTable>> {
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_ROWS, TABLE_SCHEMA = DATABASE() \
         FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA NOT IN {SYSTEM} AND TABLE_TYPE <> 'SEQUENCE' \
         ORDER BY TABLE_SCHEMA <> DATABASE(), TABLE_SCHEMA, TABLE_NAME"
    );
    let rows = session.rows("listing the tables", &sql).await?;
    Ok(rows.iter().filter_map(found_table).collect())
}

fn found_table(row: &Row) -> Option<FoundTable> {
    let is_view = text_of(row, 2).is_some_and(|kind| kind.ends_with("VIEW"));
    Some(FoundTable {
        schema: text_of(row, 0)?,
        in_default_schema: text_of(row, 4).is_some_and(|flag| flag == "1"),
        name: text_of(row, 1)?,
        about_rows: text_of(row, 3).and_then(|count| count.parse().ok()).filter(|_| !is_view),
        is_view,
    })
}

/// That a table does not exist, with similar names.
pub(super) async fn unknown_table(session: &mut Session, table: &str) -> Error {
    let error = Error::project(format!("the database `{}` has no table `{table}`", session.location().database));
    match tables(session).await {
        Ok(tables) => {
            let names: Vec<String> = tables.iter().map(|table| table.written(&DIALECT)).collect();
            error.suggest(table, names.iter().map(String::as_str))
        }
        Err(_) => error,
    }
}

/// The columns, key and comment of a table.
pub(super) async fn describe(session: &mut Session, table: &str) -> Result<FoundRelation> {
    let (schema, name) = DIALECT.parse_table(table)?;
    let schema = schema.map_or("DATABASE()".to_string(), |schema| DIALECT.literal(&schema));
    let of_table = format!("TABLE_SCHEMA = {schema} AND TABLE_NAME = {}", DIALECT.literal(&name));
    let doing = format!("describing `{table}`");
    let columns = session
        .rows(
            &doing,
            &format!(
                "SELECT COLUMN_NAME, CAST(COLUMN_TYPE AS CHAR), IS_NULLABLE, COLUMN_COMMENT \
                 FROM information_schema.COLUMNS WHERE {of_table} ORDER BY ORDINAL_POSITION"
            ),
        )
        .await?;
    if columns.is_empty() {
        return Err(unknown_table(session, table).await);
    }
    let keys = session
        .rows(
            &doing,
            &format!(
                "SELECT INDEX_NAME, COLUMN_NAME, NULLABLE, SUB_PART FROM information_schema.STATISTICS \
                 WHERE {of_table} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"
            ),
        )
        .await?;
    let comments = session
        .rows(
            &doing,
            &format!(
                "SELECT TABLE_COMMENT FROM information_schema.TABLES \
                 WHERE {of_table} AND TABLE_TYPE NOT LIKE '%VIEW'"
            ),
        )
        .await?;
    Ok(FoundRelation {
        columns: columns.iter().filter_map(found_column).collect(),
        key: key(&keys),
        comment: comments.first().and_then(|row| text_of(row, 0)).filter(|comment| !comment.is_empty()),
    })
}

fn found_column(row: &Row) -> Option<FoundColumn> {
    let type_name = text_of(row, 1)?;
    Some(FoundColumn {
        name: text_of(row, 0)?,
        data_type: value_type(&type_name),
        type_name,
        required: text_of(row, 2).as_deref() == Some("NO"),
        comment: text_of(row, 3).filter(|comment| !comment.is_empty()),
    })
}

/// The columns of the first index that has no NULL and takes its columns whole; the primary key comes first.
fn key(rows: &[Row]) -> Vec<String> {
    let mut indexes: Vec<(String, Option<Vec<String>>)> = Vec::new();
    for row in rows {
        let name = text_of(row, 0).unwrap_or_default();
        let good = text_of(row, 2).as_deref() != Some("YES") && text_of(row, 3).is_none();
        let column = text_of(row, 1).filter(|_| good);
        if indexes.last().is_none_or(|(last, _)| *last != name) {
            indexes.push((name, Some(Vec::new())));
        }
        if let Some((_, columns)) = indexes.last_mut() {
            *columns = columns.take().zip(column).map(|(mut columns, column)| {
                columns.push(column);
                columns
            });
        }
    }
    indexes.into_iter().find_map(|(_, columns)| columns).unwrap_or_default()
}

/// The contract's type for a type as `information_schema` writes it (`bigint(20) unsigned`, `enum('a','b')`).
fn value_type(type_name: &str) -> ValueType {
    let word: String = type_name.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    let inner = type_name.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(inner, _)| inner);
    let numbers: Vec<u8> =
        inner.map(|inner| inner.split(',').filter_map(|n| n.trim().parse().ok()).collect()).unwrap_or_default();
    match (word.to_ascii_lowercase().as_str(), numbers.as_slice()) {
        // An unsigned `bigint` as well: numbers beyond 2^63 are very rare, and rejected with a hint.
        ("tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "year", _) => ValueType::Integer,
        ("decimal" | "numeric", [precision, scale]) if *precision <= MAX_DIGITS => {
            ValueType::Decimal { precision: *precision, scale: *scale as i8 }
        }
        ("float" | "double" | "real", _) => ValueType::Float,
        ("bit", [1]) => ValueType::Boolean,
        ("bit", [64]) => ValueType::Decimal { precision: 20, scale: 0 },
        ("bit", _) => ValueType::Integer,
        ("date", _) => ValueType::Date { formats: Vec::new() },
        ("datetime" | "timestamp", _) => ValueType::Instant { formats: Vec::new(), zone: "UTC".into() },
        ("enum", _) => ValueType::Enumeration(inner.map(values).unwrap_or_default()),
        _ => ValueType::Text,
    }
}

/// The values of `'a','it''s'`.
fn values(list: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut value: Option<String> = None;
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match (&mut value, character) {
            (None, '\'') => value = Some(String::new()),
            (None, _) => {}
            (Some(open), '\'') if characters.peek() == Some(&'\'') => {
                characters.next();
                open.push('\'');
            }
            (Some(_), '\'') => values.extend(value.take()),
            (Some(open), character) => open.push(character),
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_server_writes_them() {
        assert_eq!(value_type("bigint(20) unsigned"), ValueType::Integer);
        assert_eq!(value_type("bigint unsigned"), ValueType::Integer);
        assert_eq!(value_type("decimal(12,2) unsigned"), ValueType::Decimal { precision: 12, scale: 2 });
        assert_eq!(value_type("decimal(65,30)"), ValueType::Text);
        assert_eq!(value_type("bit(1)"), ValueType::Boolean);
        assert_eq!(value_type("binary(8)"), ValueType::Text);
        let words = ["a", "it's", "b,(c)"].map(String::from).to_vec();
        assert_eq!(value_type("enum('a','it''s','b,(c)')"), ValueType::Enumeration(words));
        assert_eq!(value_type("set('a','b')"), ValueType::Text);
    }
}
