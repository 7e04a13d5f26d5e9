//! What is asked of a relation, as SQLite's SQL.

use crate::contract::{EPOCH_FORMATS, Relation, RelationRows, ValueType};
use crate::sources::database::Since;

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What stands behind `FROM`.
pub(super) fn from(relation: &Relation) -> String {
    match &relation.rows {
        RelationRows::Table(name) => match name.split_once('.') {
            Some((schema, name)) => format!("{}.{}", quoted(schema), quoted(name)),
            None => quoted(name),
        },
        // A line of its own ends a comment at the query's end.
        RelationRows::Query(sql) => format!("(\n{}\n) AS \"query\"", sql.trim().trim_end_matches(';')),
    }
}

/// `WHERE` with those of the conditions that there are, or nothing.
pub(super) fn wherever(conditions: &[Option<String>]) -> String {
    let given: Vec<String> = conditions.iter().flatten().map(|condition| format!("({condition}\n)")).collect();
    if given.is_empty() { String::new() } else { format!(" WHERE {}", given.join(" AND ")) }
}

/// A value as a number that has the order of the cursor: numbers as they are, digits as the number they write, ISO
/// dates and moments as seconds since 1970, in thousandths. Anything else is NULL.
fn position(value: &str) -> String {
    format!(
        "CASE typeof({value}) WHEN 'integer' THEN {value} WHEN 'real' THEN {value} WHEN 'text' THEN \
         CASE WHEN ltrim({value}, '-') GLOB '[0-9]*' AND ltrim({value}, '-') NOT GLOB '*[^0-9]*' \
         THEN CAST({value} AS INTEGER) WHEN {value} GLOB '[0-9]*' THEN unixepoch({value}, 'subsec') END END"
    )
}

/// The query for the greatest cursor of a relation.
pub(super) fn watermark(relation: &Relation, columns: &[String]) -> String {
    let rest = format!("FROM {}{}", from(relation), wherever(std::slice::from_ref(&relation.filter)));
    let part = |column: &String| {
        let column = quoted(column);
        format!("SELECT {column} AS value, {} AS position {rest}", position(&column))
    };
    let parts: Vec<String> = columns.iter().map(part).collect();
    format!(
        "SELECT value FROM (\n{}\n) WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1",
        parts.join("\nUNION ALL ")
    )
}

/// The condition that a row has changed since: a cursor from the bound on, or none at all. None where the contract's
/// formats are not such that SQLite can order them: then all rows are read.
pub(super) fn changed(since: &Since<'_>, columns: &[String]) -> Option<String> {
    if !ordered(since.data_type) {
        return None;
    }
    let number = since.watermark.parse::<f64>().is_ok_and(f64::is_finite);
    let back = if number { since.numbers_back() } else { since.clock_seconds_back() };
    let mark = if number { since.watermark.to_string() } else { position(&literal(since.watermark)) };
    let positions: Vec<String> = columns.iter().map(|column| position(&quoted(column))).collect();
    let reached: Vec<String> = positions.iter().map(|position| format!("{position} >= ({mark}) - {back}")).collect();
    let none: Vec<String> = positions.iter().map(|position| format!("{position} IS NULL")).collect();
    Some(format!("{} OR ({})", reached.join(" OR "), none.join(" AND ")))
}

/// Whether dates and moments are written such that [`position`] knows their order.
fn ordered(data_type: &ValueType) -> bool {
    match data_type {
        ValueType::Date { formats } | ValueType::Instant { formats, .. } => {
            let counts = |format: &str| format == "%s" || EPOCH_FORMATS.iter().any(|(name, _)| *name == format);
            formats.iter().all(|format| counts(format) || format.starts_with("%Y-%m-%d") || format.starts_with("%F"))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Overlap;

    #[test]
    fn names_and_texts_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
    }

    #[test]
    fn positions_are_those_of_the_values() {
        let sqlite = rusqlite::Connection::open_in_memory().unwrap();
        let position = |value: &str| {
            let sql = format!("SELECT {} FROM (SELECT {value} AS v)", position("v"));
            sqlite.query_row(&sql, [], |row| row.get::<_, Option<f64>>(0)).unwrap()
        };
        assert_eq!(position("5"), Some(5.0));
        assert_eq!(position("-2.5"), Some(-2.5));
        assert_eq!(position("'-17'"), Some(-17.0));
        assert_eq!(position("'1970-01-02'"), Some(86_400.0));
        assert_eq!(position("'1970-01-01T00:00:01.250Z'"), Some(1.25));
        assert_eq!(position("'1970-01-01 01:00:00.5+01:00'"), Some(0.5));
        for none in ["NULL", "''", "'now'", "'x'", "x'3132'", "'05/01/2026'"] {
            assert_eq!(position(none), None, "{none}");
        }
    }

    #[test]
    fn formats_without_an_order_read_everything() {
        let since = |formats: &'static [&'static str]| {
            let formats = formats.iter().map(|f| f.to_string()).collect();
            let data_type = ValueType::Instant { formats, zone: "Europe/Berlin".into() };
            let since = Since {
                cursor: vec!["c".into()],
                data_type: &data_type,
                watermark: "2026-01-05 10:00:00",
                overlap: Overlap::Seconds(60),
            };
            changed(&since, &["c".to_string()])
        };
        assert_eq!(since(&["%d/%m/%Y %H:%M"]), None);
        assert!(since(&["%s", "epoch_milliseconds"]).is_some());
        assert!(since(&[]).unwrap().contains(") - 3660"), "an hour more, which clocks in Berlin repeat");
    }
}
