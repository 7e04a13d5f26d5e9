//! The SQL of queries.

use crate::databases::Since;
use crate::databases::relation::Selection;
use perennial_core::contract::{EPOCH_FORMATS, ValueType};
use perennial_core::sql::STANDARD;

/// A value as a number that has the order of the cursor: numbers as they are, digits as the number they write, ISO
/// dates and timestamps as seconds since 1970, in thousandths. Anything else is NULL.
fn position(value: &str) -> String {
    format!(
        "CASE typeof({value}) WHEN 'integer' THEN {value} WHEN 'real' THEN {value} WHEN 'text' THEN \
         CASE WHEN ltrim({value}, '-') GLOB '[0-9]*' AND ltrim({value}, '-') NOT GLOB '*[^0-9]*' \
         THEN CAST({value} AS INTEGER) WHEN {value} GLOB '[0-9]*' THEN unixepoch({value}, 'subsec') END END"
    )
}

/// The query for the greatest cursor of a relation.
pub(super) fn watermark(selection: &Selection, columns: &[String]) -> String {
    let part = |column: &String| {
        let column = STANDARD.identifier(column);
        selection.select(&format!("{column} AS value, {} AS position", position(&column)), &[])
    };
    let parts: Vec<String> = columns.iter().map(part).collect();
    format!(
        "SELECT value FROM (\n{}\n) WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1",
        parts.join("\nUNION ALL ")
    )
}

/// The condition of rows changed since: a cursor of at least the bound, or none at all. `None` where SQLite cannot order the
/// contract's formats: then all rows are read.
pub(super) fn changed(since: &Since<'_>, columns: &[String]) -> Option<String> {
    if !ordered(since.data_type) {
        return None;
    }
    let number = since.watermark.parse::<f64>().is_ok_and(f64::is_finite);
    let back = if number { since.numbers_back() } else { since.clock_seconds_back() };
    let mark = if number { since.watermark.to_string() } else { position(&STANDARD.literal(since.watermark)) };
    let positions: Vec<String> = columns.iter().map(|column| position(&STANDARD.identifier(column))).collect();
    let reached: Vec<String> = positions.iter().map(|position| format!("{position} >= ({mark}) - {back}")).collect();
    let none: Vec<String> = positions.iter().map(|position| format!("{position} IS NULL")).collect();
    Some(format!("{} OR ({})", reached.join(" OR "), none.join(" AND ")))
}

/// Whether dates and timestamps are written such that [`position`] knows their order.
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
    use perennial_core::contract::Overlap;

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
