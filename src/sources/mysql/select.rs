//! What is asked of a relation, as SQL.

use super::column::{ColumnShape, Kind};
use crate::contract::{Overlap, Relation, RelationRows};
use crate::error::{Error, Result, list};
use crate::sources::database::Since;

/// An overlap is never longer than this (a hundred years), so that no date falls out of the calendar.
const LONGEST_OVERLAP_SECONDS: i64 = 100 * 366 * 86_400;
/// Dates before this are `0000-00-00` and the like: no value.
const FIRST_DATE: &str = "'1000-01-01'";

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in SQL, whatever the server makes of backslashes.
pub(super) fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("CONVERT(x'{digits}' USING utf8mb4)")
}

/// Schema and name of a table as the contract writes it.
pub(super) fn split(table: &str) -> (Option<&str>, &str) {
    table.split_once('.').map_or((None, table), |(schema, name)| (Some(schema), name))
}

/// What stands behind `FROM`.
pub(super) fn from(relation: &Relation) -> String {
    match &relation.rows {
        RelationRows::Table(name) => match split(name) {
            (Some(schema), name) => format!("{}.{}", quoted(schema), quoted(name)),
            (None, name) => quoted(name),
        },
        // A line of its own ends a comment at the query's end.
        RelationRows::Query(sql) => format!("(\n{}\n) AS `query`", sql.trim().trim_end_matches(';')),
    }
}

/// `WHERE` with those of the conditions that there are, or nothing.
pub(super) fn wherever(conditions: &[Option<String>]) -> String {
    let given: Vec<String> = conditions.iter().flatten().map(|condition| format!("({condition}\n)")).collect();
    if given.is_empty() { String::new() } else { format!(" WHERE {}", given.join(" AND ")) }
}

/// How the values of a cursor are ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Number,
    /// A date or moment; without a zone, where the flag says so.
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
            "the cursor `{}` is of type `{}`, in which the database has no order of time or number",
            column.name, column.type_name
        ))
        .hint("read it through a `query` that casts it (`CAST(... AS DATETIME)`)")),
    }
}

/// The orders of the columns of a cursor, which must be one.
fn common_order(columns: &[&ColumnShape]) -> Result<Order> {
    let orders = columns.iter().map(|column| order(column)).collect::<Result<Vec<Order>>>()?;
    match orders.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(*first),
        _ => {
            let types: Vec<&str> = columns.iter().map(|column| column.type_name.as_str()).collect();
            let error = Error::project(format!("the columns of the cursor are of the types {}", list(&types)));
            Err(error.hint("moments with and without zone, or numbers, cannot be compared; cast them in a `query`"))
        }
    }
}

/// The query for the greatest cursor of a relation.
pub(super) fn watermark(relation: &Relation, columns: &[&ColumnShape]) -> Result<String> {
    let times = matches!(common_order(columns)?, Order::Time { .. });
    // One maximum a column: each can be looked up in an index.
    let greatest = |is_past: bool| {
        let part = |column: &&ColumnShape| {
            let name = quoted(&column.name);
            let past = is_past.then(|| format!("{name} <= UTC_TIMESTAMP() + INTERVAL 1 DAY"));
            let conditions = [relation.filter.clone(), past];
            format!("SELECT MAX({name}) AS greatest FROM {}{}", from(relation), wherever(&conditions))
        };
        let parts: Vec<String> = columns.iter().map(part).collect();
        format!("SELECT MAX(greatest) FROM (\n{}\n) AS maxima", parts.join("\nUNION ALL "))
    };
    // A stamp in the future (9999-12-31) would keep every later change from being read: it counts where nothing else is.
    Ok(match times {
        true => format!("SELECT CAST(COALESCE(({}), ({})) AS CHAR)", greatest(true), greatest(false)),
        false => format!("SELECT CAST(({}) AS CHAR)", greatest(false)),
    })
}

/// The condition that a row has changed since: a cursor from the bound on, or none at all.
pub(super) fn changed(since: &Since<'_>, columns: &[&ColumnShape]) -> Result<String> {
    let order = common_order(columns)?;
    let bound = match order {
        Order::Number => number_bound(since)?,
        Order::Time { local } => time_bound(since, local)?,
    };
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
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
        return Err(Error::bug("an overlap of a cursor in time is a count"));
    };
    let seconds = if local { since.clock_seconds_back() } else { seconds };
    let seconds = seconds.clamp(0, LONGEST_OVERLAP_SECONDS);
    Ok(format!("(CAST('{}' AS DATETIME(6)) - INTERVAL {seconds} SECOND)", since.watermark))
}

fn unfit(since: &Since<'_>, wanted: &str) -> Error {
    let message = format!("the cursor {} was at `{}`, which is not {wanted}", since.cursor.join(", "), since.watermark);
    Error::data(message).hint("its type was changed in the database; read the table anew with `--full-refresh`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ValueType;

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
        assert_eq!(quoted("a`b"), "`a``b`");
        assert_eq!(literal("a'\\"), "CONVERT(x'61275c' USING utf8mb4)");
        let table = |name: &str| Relation { rows: RelationRows::Table(name.into()), filter: None };
        assert_eq!(from(&table("sales.orders")), "`sales`.`orders`");
        assert_eq!(from(&table("orders; DROP TABLE x")), "`orders; DROP TABLE x`");
        let query = Relation { rows: RelationRows::Query("SELECT 1 -- one;".into()), filter: None };
        assert_eq!(from(&query), "(\nSELECT 1 -- one\n) AS `query`");
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
    fn columns_that_cannot_be_compared_are_refused() {
        let relation = Relation { rows: RelationRows::Table("t".into()), filter: Some("x > 1 -- yes".into()) };
        let (utc, local, text) = (shape("a", Kind::Timestamp), shape("b", Kind::DateTime), shape("c", Kind::Text));
        assert!(watermark(&relation, &[&utc, &local]).is_err());
        assert!(watermark(&relation, &[&text]).is_err());
        let sql = watermark(&relation, &[&local, &local]).unwrap();
        assert!(sql.contains("SELECT MAX(`b`) AS greatest FROM `t` WHERE (x > 1 -- yes\n)\nUNION ALL"), "{sql}");
    }
}
