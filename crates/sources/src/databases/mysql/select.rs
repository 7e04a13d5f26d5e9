//! The SQL of queries.

use super::columns::{ColumnShape, Kind};
use crate::databases::Since;
use crate::databases::relation::Selection;
use perennial_core::contract::Overlap;
use perennial_core::error::{Error, Result, list};
use perennial_core::sql::Dialect;

/// Maximum overlap (a hundred years), so that no date leaves the calendar.
const MAX_OVERLAP_SECONDS: i64 = 100 * 366 * 86_400;
/// Dates before this are `0000-00-00` and the like: no value.
const FIRST_DATE: &str = "'1000-01-01'";

/// How MySQL quotes names and texts.
pub(crate) const DIALECT: Dialect = Dialect::new('`', literal);

/// A text literal in hexadecimal, which does not depend on how the server treats backslashes.
fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CONVERT(x'{digits}' USING utf8mb4)")
}

/// How the values of a cursor are ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Number,
    /// A date or timestamp; `local` when it has no zone.
    Time {
        local: bool,
    },
}

fn order(column: &ColumnShape) -> Result<Order> {
    match column.kind {
        Kind::Integer | Kind::Decimal | Kind::Year => Ok(Order::Number),
        Kind::Date | Kind::DateTime => Ok(Order::Time { local: true }),
        Kind::Timestamp => Ok(Order::Time { local: false }),
        _ => Err(Error::project(format!(
            "the cursor `{}` has the type `{}`, which is neither a number nor a time",
            column.name, column.type_name
        ))
        .hint("cast it in a `query` (`CAST(... AS DATETIME)`)")),
    }
}

/// The order of the columns of a cursor, which must be the same for all.
fn common_order(columns: &[&ColumnShape]) -> Result<Order> {
    let orders = columns.iter().map(|column| order(column)).collect::<Result<Vec<Order>>>()?;
    match orders.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(*first),
        _ => {
            let types: Vec<&str> = columns.iter().map(|column| column.type_name.as_str()).collect();
            let error = Error::project(format!("the columns of the cursor have different types: {}", list(&types)));
            Err(error
                .hint("timestamps with and without a zone, or numbers, cannot be compared; cast them in a `query`"))
        }
    }
}

/// The query for the greatest cursor of a relation.
pub(super) fn watermark(selection: &Selection, columns: &[&ColumnShape]) -> Result<String> {
    let times = matches!(common_order(columns)?, Order::Time { .. });
    // One maximum per column, so that each can be looked up in an index.
    let greatest = |is_past: bool| {
        let part = |column: &&ColumnShape| {
            let name = DIALECT.identifier(&column.name);
            let past = is_past.then(|| format!("{name} <= UTC_TIMESTAMP() + INTERVAL 1 DAY"));
            selection.select(&format!("MAX({name}) AS greatest"), past.as_slice())
        };
        let parts: Vec<String> = columns.iter().map(part).collect();
        format!("SELECT MAX(greatest) FROM (\n{}\n) AS maxima", parts.join("\nUNION ALL "))
    };
    // A timestamp in the future (9999-12-31) would hide every later change, so it counts only where there is no other.
    Ok(match times {
        true => format!("SELECT CAST(COALESCE(({}), ({})) AS CHAR)", greatest(true), greatest(false)),
        false => format!("SELECT CAST(({}) AS CHAR)", greatest(false)),
    })
}

/// The condition of rows changed since: a cursor of at least the bound, or none at all.
pub(super) fn changed(since: &Since<'_>, columns: &[&ColumnShape]) -> Result<String> {
    let order = common_order(columns)?;
    let bound = match order {
        Order::Number => number_bound(since)?,
        Order::Time { local } => time_bound(since, local)?,
    };
    let names: Vec<String> = columns.iter().map(|column| DIALECT.identifier(&column.name)).collect();
    let reached: Vec<String> = names.iter().map(|name| format!("{name} >= {bound}")).collect();
    let none: Vec<String> = names
        .iter()
        .map(|name| match order {
            Order::Number => format!("{name} IS NULL"),
            Order::Time { .. } => format!("({name} IS NULL OR {name} < {FIRST_DATE})"),
        })
        .collect();
    Ok(format!("{} OR ({})", reached.join(" OR "), none.join(" AND ")))
}

fn number_bound(since: &Since<'_>) -> Result<String> {
    let digits = since.watermark.strip_prefix('-').unwrap_or(since.watermark);
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !good {
        return Err(unfit(since, "a number"));
    }
    Ok(format!("({} - {})", since.watermark, since.numbers_back()))
}

fn time_bound(since: &Since<'_>, local: bool) -> Result<String> {
    let good = since.watermark.bytes().all(|b| b.is_ascii_digit() || b" :.-".contains(&b));
    if !good || !since.watermark.contains('-') {
        return Err(unfit(since, "a date"));
    }
    let Overlap::Seconds(seconds) = since.overlap else {
        return Err(Error::bug("the overlap of a time cursor is a count"));
    };
    let seconds = if local { since.clock_seconds_back() } else { seconds };
    let seconds = seconds.clamp(0, MAX_OVERLAP_SECONDS);
    Ok(format!("(CAST('{}' AS DATETIME(6)) - INTERVAL {seconds} SECOND)", since.watermark))
}

fn unfit(since: &Since<'_>, wanted: &str) -> Error {
    let message = format!("the cursor {} was at `{}`, which is not {wanted}", since.cursor.join(", "), since.watermark);
    Error::data(message).hint("its type has changed in the database; reload the table with `--full-refresh`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::contract::{Relation, RelationRows, ValueType};

    fn shape(name: &str, kind: Kind) -> ColumnShape {
        ColumnShape { name: name.into(), kind, type_name: format!("{kind:?}"), width: 0, decimals: 0 }
    }

    fn since<'a>(data_type: &'a ValueType, watermark: &'a str, overlap: Overlap) -> Since<'a> {
        Since { cursor: vec!["c".into()], data_type, watermark, overlap }
    }

    fn instant(zone: &str) -> ValueType {
        ValueType::Instant { formats: vec![], zone: zone.into() }
    }

    #[test]
    fn names_and_texts_cannot_leave_their_quotes() {
        assert_eq!(DIALECT.identifier("a`b"), "`a``b`");
        assert_eq!(DIALECT.literal("a'\\"), "CONVERT(x'61275c' USING utf8mb4)");
        assert_eq!(DIALECT.table(None, "orders; DROP TABLE x"), "`orders; DROP TABLE x`");
    }

    #[test]
    fn rows_without_a_cursor_are_read_every_time() {
        let (a, b) = (shape("a", Kind::Timestamp), shape("b", Kind::Timestamp));
        let zone = instant("UTC");
        let since = since(&zone, "2026-01-05 10:00:00.5", Overlap::Seconds(60));
        let bound = "(CAST('2026-01-05 10:00:00.5' AS DATETIME(6)) - INTERVAL 60 SECOND)";
        let expected = format!(
            "`a` >= {bound} OR `b` >= {bound} OR \
             ((`a` IS NULL OR `a` < '1000-01-01') AND (`b` IS NULL OR `b` < '1000-01-01'))"
        );
        assert_eq!(changed(&since, &[&a, &b]).unwrap(), expected);
    }

    #[test]
    fn a_clock_that_is_put_back_lengthens_the_overlap() {
        let local = shape("a", Kind::DateTime);
        let (berlin, utc) = (instant("Europe/Berlin"), instant("UTC"));
        let text = changed(&since(&berlin, "2026-01-05 10:00:00", Overlap::Seconds(60)), &[&local]).unwrap();
        assert!(text.contains("INTERVAL 3660 SECOND"), "{text}");
        let text = changed(&since(&utc, "2026-01-05 10:00:00", Overlap::Seconds(60)), &[&local]).unwrap();
        assert!(text.contains("INTERVAL 60 SECOND"), "{text}");
    }

    #[test]
    fn numbers_are_counted_back_and_nothing_else_gets_into_the_sql() {
        let id = shape("id", Kind::Integer);
        let text = changed(&since(&ValueType::Integer, "18446744073709551615", Overlap::Count(5)), &[&id]).unwrap();
        assert_eq!(text, "`id` >= (18446744073709551615 - 5) OR (`id` IS NULL)");
        let formats = vec!["epoch_milliseconds".to_string()];
        let moments = ValueType::Instant { formats, zone: "Europe/Berlin".into() };
        let text = changed(&since(&moments, "1767607200000", Overlap::Seconds(60)), &[&id]).unwrap();
        assert_eq!(text, "`id` >= (1767607200000 - 60000) OR (`id` IS NULL)");
        for watermark in ["1; DROP TABLE x", "", "x"] {
            assert!(changed(&since(&ValueType::Integer, watermark, Overlap::Count(5)), &[&id]).is_err());
        }
        let date = shape("d", Kind::Date);
        assert!(changed(&since(&ValueType::Integer, "2026'", Overlap::Seconds(5)), &[&date]).is_err());
    }

    #[test]
    fn columns_that_cannot_be_compared_are_rejected() {
        let relation = Relation { rows: RelationRows::Table("t".into()), filter: Some("x > 1 -- yes".into()) };
        let (utc, local, text) = (shape("a", Kind::Timestamp), shape("b", Kind::DateTime), shape("c", Kind::Text));
        let selection = Selection::of(&relation, &DIALECT).unwrap();
        assert!(watermark(&selection, &[&utc, &local]).is_err());
        assert!(watermark(&selection, &[&text]).is_err());
        let sql = watermark(&selection, &[&local, &local]).unwrap();
        assert!(sql.contains("SELECT MAX(`b`) AS greatest FROM `t` WHERE (x > 1 -- yes\n)\nUNION ALL"), "{sql}");
    }
}
