//! The tables of a database and their columns, as SQLite lists them.

use crate::databases::{FoundColumn, FoundRelation, FoundTable};
use perennial_core::contract::ValueType;
use perennial_core::sql::STANDARD;
use rusqlite::{Connection, Result};

/// Maximum precision of a decimal in the lake.
const MAX_DIGITS: u8 = 38;

/// Tables and views, by name.
pub(super) fn tables(connection: &Connection) -> Result<Vec<FoundTable>> {
    let sql = "SELECT name, type FROM pragma_table_list \
         WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([], |row| {
        Ok(FoundTable {
            schema: "main".to_string(),
            in_default_schema: true,
            name: row.get(0)?,
            about_rows: None,
            is_view: row.get::<_, String>(1)? == "view",
        })
    })?;
    found.collect()
}

/// The columns and key of a table; no columns when there is no such table.
pub(super) fn describe(connection: &Connection, schema: &str, name: &str) -> Result<FoundRelation> {
    let sql = format!(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo({}, {}) WHERE hidden <> 1 ORDER BY cid",
        STANDARD.literal(name),
        STANDARD.literal(schema)
    );
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map([], |row| {
        let (name, type_name): (String, String) = (row.get(0)?, row.get(1)?);
        let (not_null, of_key): (bool, i64) = (row.get(2)?, row.get(3)?);
        let data_type = value_type(&type_name);
        Ok((of_key, FoundColumn { name, type_name, data_type, required: not_null || of_key > 0, comment: None }))
    })?;
    let found = found.collect::<Result<Vec<(i64, FoundColumn)>>>()?;
    let mut key: Vec<(i64, String)> =
        found.iter().filter(|(of_key, _)| *of_key > 0).map(|(of_key, column)| (*of_key, column.name.clone())).collect();
    key.sort();
    let mut key: Vec<String> = key.into_iter().map(|(_, name)| name).collect();
    let columns: Vec<FoundColumn> = found.into_iter().map(|(_, column)| column).collect();
    if key.is_empty() {
        key = unique_key(connection, schema, name, &columns)?;
    }
    Ok(FoundRelation { columns, key, comment: None })
}

/// The columns of the oldest index that is unique, whole and without NULL.
fn unique_key(connection: &Connection, schema: &str, table: &str, columns: &[FoundColumn]) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT name FROM pragma_index_list({}, {}) WHERE \"unique\" AND NOT partial ORDER BY seq DESC",
        STANDARD.literal(table),
        STANDARD.literal(schema)
    );
    let indexes = connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    for index in indexes {
        let sql = format!("PRAGMA {}.index_info({})", STANDARD.identifier(schema), STANDARD.identifier(&index));
        let mut statement = connection.prepare(&sql)?;
        let parts = statement.query_map([], |row| row.get(2))?.collect::<Result<Vec<Option<String>>>>()?;
        let required =
            |part: &Option<String>| columns.iter().any(|column| column.required && Some(&column.name) == part.as_ref());
        if parts.iter().all(required) {
            return Ok(parts.into_iter().flatten().collect());
        }
    }
    Ok(Vec::new())
}

/// The contract's type for a declared type. SQLite accepts values of any type in any column; those of another type are
/// rejected when they are read.
fn value_type(declared: &str) -> ValueType {
    let word = declared.to_ascii_lowercase();
    let has = |part: &str| word.contains(part);
    let digits = word.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inner, _)| inner);
    let digits: Vec<u8> =
        digits.map(|inner| inner.split(',').filter_map(|n| n.trim().parse().ok()).collect()).unwrap_or_default();
    match digits.as_slice() {
        [precision, scale] if (has("dec") || has("numeric")) && *precision <= MAX_DIGITS => {
            ValueType::Decimal { precision: *precision, scale: *scale as i8 }
        }
        _ if has("int") && !has("point") => ValueType::Integer,
        _ if has("bool") => ValueType::Boolean,
        _ if has("datetime") || has("timestamp") => ValueType::Instant { formats: Vec::new(), zone: "UTC".into() },
        _ if word == "date" => ValueType::Date { formats: Vec::new() },
        _ if has("real") || has("floa") || has("doub") => ValueType::Float,
        _ => ValueType::Text,
    }
}
