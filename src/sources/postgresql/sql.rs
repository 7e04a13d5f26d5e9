//! The statements: which rows and columns are selected.

use super::fields::Field;
use crate::contract::{Overlap, Relation, RelationRows, ValueType};
use crate::error::{Error, Result};
use crate::sources::database::Since;
use tokio_postgres::types::Type;

/// A name as SQL takes it, whatever letters it has.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it, whatever letters it has.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Schema, if one is named, and name of a table: `orders`, `sales.orders`, `sales."Order Lines"`.
pub(super) fn table_name(text: &str) -> Result<(Option<String>, String)> {
    let mut parts = vec![String::new()];
    let mut letters = text.trim().chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        let last = parts.len() - 1;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                parts[last].push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            letter => parts[last].push(letter),
        }
    }
    let name = parts.pop().unwrap_or_default();
    let schema = parts.pop();
    let empty = name.is_empty() || schema.as_ref().is_some_and(String::is_empty);
    if quoted || empty || !parts.is_empty() {
        return Err(Error::project(format!("`{text}` is not the name of a table"))
            .hint("it is written `orders` or `sales.orders`; a name with a point in it stands in double quotes"));
    }
    Ok((schema, name))
}

/// A name as a contract writes it.
pub(super) fn written(schema: Option<&str>, name: &str) -> String {
    let part = |text: &str| if text.contains(['.', '"', ' ']) { identifier(text) } else { text.to_string() };
    match schema {
        Some(schema) => format!("{}.{}", part(schema), part(name)),
        None => part(name),
    }
}

/// What stands behind `FROM`, and the condition of the contract.
pub(super) struct Rows {
    pub(super) from: String,
    pub(super) filter: Option<String>,
}

impl Rows {
    /// The rows of a relation; a table is found by its schema and name.
    pub(super) fn new(relation: &Relation, found: Option<(&str, &str)>) -> Rows {
        let from = match (&relation.rows, found) {
            (RelationRows::Query(query), _) => {
                // A line end, so that a comment at the end of the query does not swallow the bracket.
                format!("({}\n) AS \"rows\"", query.trim().trim_end_matches(';'))
            }
            (_, Some((schema, name))) => format!("{}.{}", identifier(schema), identifier(name)),
            (RelationRows::Table(name), None) => identifier(name),
        };
        Rows { from, filter: relation.filter.clone() }
    }

    /// A statement that gives all of these columns of the rows that meet every condition.
    pub(super) fn select(&self, columns: &str, conditions: &[String]) -> String {
        let own = self.filter.iter().map(|filter| format!("({filter}\n)"));
        let all: Vec<String> = own.chain(conditions.iter().cloned()).collect();
        let condition = if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) };
        format!("SELECT {columns} FROM {}{condition}", self.from)
    }

    /// The rows of some fields.
    pub(super) fn fields(&self, fields: &[Field], conditions: &[String]) -> String {
        let column = |field: &Field| {
            let name = identifier(&field.name);
            if field.as_text { format!("{name}::text") } else { name }
        };
        self.select(&fields.iter().map(column).collect::<Vec<_>>().join(", "), conditions)
    }
}

/// The greatest of the columns that have a value.
pub(super) fn greatest(cursor: &[String]) -> String {
    let names: Vec<String> = cursor.iter().map(|name| identifier(name)).collect();
    if let [one] = names.as_slice() { one.clone() } else { format!("greatest({})", names.join(", ")) }
}

/// The condition of rows that changed since a watermark, or have no cursor at all. `types` are those of the cursor's
/// columns, `common` is that of their greatest.
pub(super) fn since(since: &Since<'_>, types: &[Type], common: &Type) -> Result<String> {
    let bound = format!("CAST({} AS {})", literal(since.watermark), common.name());
    let bound = match (is_time(common), is_number(common), earlier(since, common)) {
        (_, _, 0) => bound,
        (true, _, seconds) => format!("{bound} - make_interval(secs => {seconds})"),
        (_, true, count) => format!("{bound} - {count}"),
        _ => {
            let (name, kind) = (since.cursor.join("`, `"), common.name());
            let error = format!("the cursor `{name}` is of type {kind}, from which the overlap cannot be taken");
            return Err(Error::project(error).hint("a cursor is a date, a timestamp or a whole number"));
        }
    };
    let names: Vec<String> = since.cursor.iter().map(|name| identifier(name)).collect();
    let nothing = names.iter().map(|name| format!("{name} IS NULL")).collect::<Vec<_>>().join(" AND ");
    // Written column by column, so that an index on each can be used.
    if types.iter().all(|one| one == common) {
        let each = names.iter().map(|name| format!("{name} >= {bound}")).collect::<Vec<_>>().join(" OR ");
        return Ok(format!("({each} OR ({nothing}))"));
    }
    Ok(format!("({} >= {bound} OR ({nothing}))", greatest(&since.cursor)))
}

/// How far before the watermark reading begins. Clocks that are put back in autumn show an hour twice: what was stamped
/// in it a second time looks older than it is.
fn earlier(since: &Since<'_>, common: &Type) -> i64 {
    let hour = match (common, since.data_type) {
        (&Type::TIMESTAMP, ValueType::Instant { zone, .. }) if zone != "UTC" => 3600,
        _ => 0,
    };
    if is_number(common) {
        return since.numbers_back();
    }
    match since.overlap {
        Overlap::Seconds(overlap) | Overlap::Count(overlap) => overlap.saturating_add(hour),
    }
}

/// A statement that gives the greatest cursor as text. Values in the future (a typing error, 9999-12-31) would keep
/// every later change from being read, so they count only where there is nothing else.
pub(super) fn watermark(rows: &Rows, cursor: &[String], common: &Type) -> String {
    let value = greatest(cursor);
    let greatest = |condition: Option<String>| {
        format!("({})", rows.select(&format!("max({value})"), &condition.into_iter().collect::<Vec<_>>()))
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
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b"), "E'a\\\\b'");
    }

    #[test]
    fn a_table_has_at_most_a_schema() {
        let name = |text: &str| table_name(text).map_err(|e| e.message().to_string());
        assert_eq!(name("orders"), Ok((None, "orders".into())));
        assert_eq!(name("sales.Orders"), Ok((Some("sales".into()), "Orders".into())));
        assert_eq!(name("sales.\"a.\"\"b\""), Ok((Some("sales".into()), "a.\"b".into())));
        assert!(name("a.b.c").is_err() && name("").is_err() && name("a.").is_err() && name("\"a").is_err());
        assert_eq!(written(Some("s"), "a.b"), "s.\"a.b\"");
    }
}
