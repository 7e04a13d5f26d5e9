//! The SQL of queries.

use super::columns::Field;
use crate::databases::Since;
use crate::databases::relation::Selection;
use crate::local_time::is_utc;
use perennial_core::contract::{Overlap, ValueType};
use perennial_core::error::{Error, Result};
use perennial_core::sql::Dialect;
use tokio_postgres::types::Type;

/// How PostgreSQL quotes names and texts.
pub(crate) const DIALECT: Dialect = Dialect::new('"', literal);

/// A text literal, whatever characters it contains.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The statement that selects some fields.
pub(super) fn fields(selection: &Selection, fields: &[Field], conditions: &[String]) -> String {
    let column = |field: &Field| {
        let name = DIALECT.identifier(&field.name);
        if field.as_text { format!("{name}::text") } else { name }
    };
    selection.select(&fields.iter().map(column).collect::<Vec<_>>().join(", "), conditions)
}

/// The greatest of the columns that have a value.
pub(super) fn greatest(cursor: &[String]) -> String {
    let names: Vec<String> = cursor.iter().map(|name| DIALECT.identifier(name)).collect();
    if let [one] = names.as_slice() { one.clone() } else { format!("greatest({})", names.join(", ")) }
}

/// The condition of rows changed since a watermark, or without a cursor. `types` are those of the cursor's
/// columns, `common` is that of their greatest.
pub(super) fn changed(since: &Since<'_>, types: &[Type], common: &Type) -> Result<String> {
    let bound = format!("CAST({} AS {})", DIALECT.literal(since.watermark), common.name());
    let bound = match (is_time(common), is_number(common), earlier(since, common)) {
        (_, _, 0) => bound,
        (true, _, seconds) => format!("{bound} - make_interval(secs => {seconds})"),
        (_, true, count) => format!("{bound} - {count}"),
        _ => {
            let (name, kind) = (since.cursor.join("`, `"), common.name());
            let error = format!("the cursor `{name}` has the type {kind}, from which an overlap cannot be subtracted");
            return Err(Error::project(error).hint("a cursor must be a date, a timestamp or an integer"));
        }
    };
    let names: Vec<String> = since.cursor.iter().map(|name| DIALECT.identifier(name)).collect();
    let nothing = names.iter().map(|name| format!("{name} IS NULL")).collect::<Vec<_>>().join(" AND ");
    // Written column by column, so that an index on each can be used.
    if types.iter().all(|one| one == common) {
        let each = names.iter().map(|name| format!("{name} >= {bound}")).collect::<Vec<_>>().join(" OR ");
        return Ok(format!("{each} OR ({nothing})"));
    }
    Ok(format!("{} >= {bound} OR ({nothing})", greatest(&since.cursor)))
}

/// How far before the watermark reading starts. When clocks are set back, an hour occurs twice: rows stamped the second
/// time look older than they are.
fn earlier(since: &Since<'_>, common: &Type) -> i64 {
    let hour = match (common, since.data_type) {
        (&Type::TIMESTAMP, ValueType::Instant { zone, .. }) if !is_utc(zone) => 3600,
        _ => 0,
    };
    if is_number(common) {
        return since.numbers_back();
    }
    match since.overlap {
        Overlap::Seconds(overlap) | Overlap::Count(overlap) => overlap.saturating_add(hour),
    }
}

/// The statement for the greatest cursor as text. Values in the future (a typing error, 9999-12-31) would hide every later
/// change, so they count only where there is no other.
pub(super) fn watermark(selection: &Selection, cursor: &[String], common: &Type) -> String {
    let value = greatest(cursor);
    let greatest = |condition: Option<String>| {
        format!("({})", selection.select(&format!("max({value})"), &condition.into_iter().collect::<Vec<_>>()))
    };
    if is_time(common) {
        let past = greatest(Some(format!("{value} <= now() + interval '1 day'")));
        let finite = greatest(Some(format!("isfinite({value})")));
        return format!("SELECT coalesce({past}, {finite})::text");
    }
    let proper = match *common {
        Type::FLOAT4 | Type::FLOAT8 => Some(format!("{value} < 'Infinity'")),
        Type::NUMERIC => Some(format!("{value}::text NOT IN ('NaN', 'Infinity')")),
        _ => None,
    };
    format!("SELECT {}::text", greatest(proper))
}

pub(super) fn is_time(kind: &Type) -> bool {
    matches!(*kind, Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ)
}

pub(super) fn is_number(kind: &Type) -> bool {
    matches!(*kind, Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC | Type::FLOAT4 | Type::FLOAT8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(DIALECT.identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b"), "E'a\\\\b'");
    }
}
