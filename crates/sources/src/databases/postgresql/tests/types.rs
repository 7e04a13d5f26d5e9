//! Every type there and back, with NULL, extremes, and what has no exact value.

use super::*;
use arrow::datatypes::DataType;
use perennial_testing::postgres_server;
use proptest::prelude::*;

fn decimal(precision: u8, scale: i8) -> ValueType {
    ValueType::Decimal { precision, scale }
}

fn day() -> ValueType {
    ValueType::Date { formats: vec![] }
}

fn reasons(read: &Read) -> Vec<(usize, &str, &str)> {
    read.rejects.iter().map(|reject| (reject.row, reject.raw.as_str(), reject.reason.as_str())).collect()
}

/// Reads one expression over some rows of values, in their order.
async fn one(values: &str, wanted: ValueType) -> Read {
    let server = postgres_server().unwrap();
    let database = connected(server, "postgres").await;
    let sql = format!("SELECT value FROM (VALUES {values}) AS v (place, value) ORDER BY place");
    read(&database, &query(&sql), &[("value", wanted)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_keep_every_bit() {
    if postgres_server().is_none() {
        return;
    }
    let eight = "(1, 0::int8), (2, -9223372036854775808), (3, 9223372036854775807), (4, NULL)";
    let read = one(eight, ValueType::Integer).await;
    assert_eq!(read.column("value"), ["0", "-9223372036854775808", "9223372036854775807", "-"]);
    assert_eq!(read.types, ["bigint"]);
    let read = one(eight, ValueType::Text).await;
    assert_eq!(read.column("value"), ["0", "-9223372036854775808", "9223372036854775807", "-"]);
    assert_eq!(read.batches[0].schema().field(0).data_type(), &DataType::Utf8);
    let read = one("(1, 32767::int2), (2, '-32768')", ValueType::Integer).await;
    assert_eq!(read.column("value"), ["32767", "-32768"]);
    let read = one("(1, 2147483647::int4), (2, -7), (3, NULL)", decimal(12, 2)).await;
    assert_eq!(read.column("value"), ["2147483647.00", "-7.00", "-"]);
    let read = one("(1, 123::int4), (2, 12345)", decimal(5, 2)).await;
    assert_eq!(read.column("value"), ["123.00", "-"]);
    assert_eq!(reasons(&read), [(1, "12345", "the number does not fit in decimal(5, 2)")]);
    let read =
        one("(1, 9007199254740992::int8), (2, 9007199254740993), (3, 9223372036854775807)", ValueType::Float).await;
    assert_eq!(read.column("value"), ["9007199254740992.0", "-", "-"]);
    assert_eq!(read.rejects.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn numerics_are_exact_or_refused() {
    if postgres_server().is_none() {
        return;
    }
    let values = "(1, 12.34::numeric), (2, -0.01), (3, 0), (4, 100), (5, 12.3400), (6, 12.345), (7, 'NaN'), \
        (8, 'Infinity'), (9, NULL), (10, 9999999999999999.99), (11, 10000000000000000), (12, 0.00001), (13, 1e30), \
        (14, '-Infinity'), (15, 10000), (16, -123456789.5)";
    let read = one(values, decimal(18, 2)).await;
    let expected = [
        "12.34",
        "-0.01",
        "0.00",
        "100.00",
        "12.34",
        "-",
        "-",
        "-",
        "-",
        "9999999999999999.99",
        "-",
        "-",
        "-",
        "-",
        "10000.00",
        "-123456789.50",
    ];
    assert_eq!(read.column("value"), expected);
    let precise = "the number has more than 2 decimal places, and numbers are never rounded";
    let large = "the number does not fit in decimal(18, 2)";
    assert_eq!(
        reasons(&read),
        [
            (5, "12.345", precise),
            (6, "NaN", "the value is NaN (not a number)"),
            (7, "Infinity", "the number is infinite"),
            (10, "10000000000000000", large),
            (11, "0.00001", precise),
            (12, "1000000000000000000000000000000", large),
            (13, "-Infinity", "the number is infinite"),
        ]
    );
    let most = "12345678901234567890123456789012345678";
    let read = one(&format!("(1, {most}::numeric), (2, -{most}), (3, {most}0), (4, {most}.5)"), decimal(38, 0)).await;
    assert_eq!(read.column("value"), [most, &format!("-{most}"), "-", "-"]);
    assert_eq!(read.rejects[1].reason, "the number has more than 0 decimal places, and numbers are never rounded");
    let read = one("(1, 12::numeric), (2, 12.00), (3, 12.5), (4, 1e19)", ValueType::Integer).await;
    assert_eq!(read.column("value"), ["12", "12", "-", "-"]);
    let read = one("(1, 12.50::numeric), (2, NULL)", ValueType::Text).await;
    assert_eq!(read.column("value"), ["12.50", "-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_numeric_comes_back_as_its_digits() {
    let Some(server) = postgres_server() else { return };
    let database = connected(server, "postgres").await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (any::<bool>(), "[0-9]{1,30}", "[0-9]{0,10}");
    let texts: Vec<String> = (0..3000)
        .map(|_| {
            let (negative, whole, part) = strategy.new_tree(&mut runner).unwrap().current();
            let whole = whole.trim_start_matches('0');
            format!("{}{}.{part:0<10}", if negative { "-" } else { "" }, if whole.is_empty() { "0" } else { whole })
        })
        .collect();
    let values: Vec<String> = texts.iter().enumerate().map(|(i, text)| format!("({i}, '{text}'::numeric)")).collect();
    let sql = format!("SELECT n FROM (VALUES {}) AS v (i, n) ORDER BY i", values.join(", "));
    let read = read(&database, &query(&sql), &[("n", decimal(38, 8))]).await;
    for (i, found) in read.column("n").iter().enumerate() {
        // The answer is in the text itself: eight places are kept when the last two are 0.
        let text = &texts[i];
        let kept = text.strip_suffix("00").map(|kept| if kept == "-0.00000000" { "0.00000000" } else { kept });
        assert_eq!(found, kept.unwrap_or("-"), "{text}");
        if kept.is_none() {
            let reject = read.rejects.iter().find(|reject| reject.row == i).unwrap();
            assert_eq!(reject.raw.trim_start_matches('-'), text.trim_start_matches('-'));
        }
    }
}

use proptest::strategy::{Strategy, ValueTree};

#[tokio::test(flavor = "multi_thread")]
async fn floats_are_finite_and_keep_their_shortest_text() {
    if postgres_server().is_none() {
        return;
    }
    let values = "(1, 2.55::float8), (2, 'NaN'), (3, 'Infinity'), (4, 1.7976931348623157e308), (5, 5e-324), (6, NULL)";
    let read = one(values, ValueType::Float).await;
    assert_eq!(read.column("value"), ["2.55", "-", "-", "1.7976931348623157e308", "5e-324", "-"]);
    assert_eq!(read.rejects.iter().map(|reject| reject.raw.as_str()).collect::<Vec<_>>(), ["NaN", "Infinity"]);
    // A person wrote 0.1, not 0.10000000149011612.
    let read = one("(1, 0.1::float4), (2, 'NaN')", ValueType::Float).await;
    assert_eq!(read.column("value"), ["0.1", "-"]);
    let read = one("(1, 0.1::float8), (2, 1e15)", ValueType::Text).await;
    assert_eq!(read.column("value"), ["0.1", "1e+15"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_and_moments_end_with_the_calendar() {
    if postgres_server().is_none() {
        return;
    }
    let days = "(1, date '2026-01-31'), (2, '0001-01-01'), (3, '9999-12-31'), (4, 'infinity'), (5, '-infinity'), \
        (6, '10000-01-01'), (7, '0044-03-15 BC'), (8, NULL), (9, '1969-12-31'), (10, '5874897-12-31')";
    let read = one(days, day()).await;
    let expected = ["2026-01-31", "0001-01-01", "9999-12-31", "-", "-", "-", "-", "-", "1969-12-31", "-"];
    assert_eq!(read.column("value"), expected);
    let outside = "the date is outside the years 1 to 9999";
    assert_eq!(
        reasons(&read),
        [
            (3, "infinity", "the date is infinite"),
            (4, "-infinity", "the date is infinite"),
            (5, "10000-01-01", outside),
            (6, "0044-03-15 BC", outside),
            (9, "5874897-12-31", outside),
        ]
    );
    let moments = "(1, timestamptz '2026-01-31 10:00:00.123456+08'), (2, '9999-12-31 23:59:59.999999+00'), \
        (3, 'infinity'), (4, '0001-01-01 00:00:00+00'), (5, '294276-12-31 23:59:59.999999+00'), (6, '-infinity'), \
        (7, '4713-01-01 00:00:00+00 BC')";
    let read = one(moments, instant()).await;
    assert_eq!(
        read.column("value"),
        ["2026-01-31T02:00:00.123456Z", "9999-12-31T23:59:59.999999Z", "-", "0001-01-01T00:00:00Z", "-", "-", "-"]
    );
    let raws: Vec<&str> = read.rejects.iter().map(|reject| reject.raw.as_str()).collect();
    assert_eq!(raws, ["infinity", "294276-12-31 23:59:59.999999", "-infinity", "4713-01-01 00:00:00 BC"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_times_are_read_in_the_declared_zone() {
    if postgres_server().is_none() {
        return;
    }
    let values = "(1, timestamp '2026-01-31 10:00:00.5'), (2, '2026-07-31 10:00:00'), (3, '2026-03-29 02:30:00'), \
        (4, '2026-10-25 02:30:00'), (5, 'infinity'), (6, NULL)";
    let berlin = ValueType::Instant { formats: vec![], zone: "Europe/Berlin".into() };
    let read = one(values, berlin).await;
    let expected = ["2026-01-31T09:00:00.500Z", "2026-07-31T08:00:00Z", "-", "2026-10-25T00:30:00Z", "-", "-"];
    assert_eq!(read.column("value"), expected);
    assert_eq!(read.rejects[0].raw, "2026-03-29 02:30:00");
    assert!(read.rejects[0].reason.contains("set forward"));
    let read = one(values, instant()).await;
    assert_eq!(read.column("value")[2], "2026-03-29T02:30:00Z");
    // Of a clock time a day can be made by the contract's rules, when it is midnight.
    let read = one("(1, timestamp '2026-01-31 00:00')", day()).await;
    assert_eq!(read.column("value"), ["2026-01-31T00:00:00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_are_text_as_a_person_would_write_it() {
    let Some(server) = postgres_server() else { return };
    server.database("type_words");
    server.sql(
        "type_words",
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN euro AS numeric(12,2); \
         CREATE TABLE t (place int, a text, b varchar(10), c char(6), d name, e citext, f uuid, g json, \
            h jsonb, i bytea, \
            j mood, k time, l interval, m int[], n inet, o bool, p money, q euro, r date, s timestamptz, t timestamp, \
            u bool, v xml, w \"char\", x oid, \"Gr\u{f6}\u{df}e\" text, \"a\"\"b\" int, z timetz); \
         INSERT INTO t VALUES (1, 'it''s, \u{8ba2}\u{5355}', 'x', 'ab', 'n', 'Ci', \
            '6f1e0c1a-0000-4000-8000-0000000000ff', '{\"a\": 1}', \
            '{\"b\":2}', '\\x00ff10', 'sad', '24:00', '1 day 02:03:04', '{1,NULL,3}', '10.0.0.1/8', true, '1.5', 12.5, \
            '2026-01-05', '2026-01-05 10:00+08', '2026-01-05 10:00', false, '<a/>', 'z', 7, 'L', 3, '10:00+02'); \
         INSERT INTO t (place, a) VALUES (2, '')",
    );
    let database = connected(server, "type_words").await;
    let relation = table("t");
    let contract = columns(&[("place", ValueType::Integer), ("u", ValueType::Boolean), ("q", decimal(18, 2))]);
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: true, since: None };
    let read = read_request(&database, request).await.unwrap();
    let row: Vec<String> = read.fields.iter().map(|field| format!("{field}={}", read.column(field)[0])).collect();
    let expected = [
        "place=1",
        "a=it's, \u{8ba2}\u{5355}",
        "b=x",
        "c=ab",
        "d=n",
        "e=Ci",
        "f=6f1e0c1a-0000-4000-8000-0000000000ff",
        "g={\"a\": 1}",
        "h={\"b\": 2}",
        "i=00ff10",
        "j=sad",
        "k=24:00:00",
        "l=1 day 02:03:04",
        "m={1,NULL,3}",
        "n=10.0.0.1/8",
        "o=true",
        "p=$1.50",
        "q=12.50",
        "r=2026-01-05",
        "s=2026-01-05 02:00:00+00",
        "t=2026-01-05 10:00:00",
        "u=false",
        "v=<a/>",
        "w=z",
        "x=7",
        "Gr\u{f6}\u{df}e=L",
        "a\"b=3",
        "z=10:00:00+02",
    ];
    assert_eq!(row, expected);
    // An empty text is not NULL here; what it means is the contract's business.
    assert_eq!((read.column("a")[1].as_str(), read.column("b")[1].as_str()), ("", "-"));
    assert!(read.rejects.is_empty());
    assert_eq!(read.types[2], "character varying(10)");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8_refuses_its_row() {
    let Some(server) = postgres_server() else { return };
    server.sql("postgres", "DROP DATABASE IF EXISTS old_ascii");
    server.sql("postgres", "CREATE DATABASE old_ascii ENCODING 'SQL_ASCII' TEMPLATE template0");
    server.sql(
        "old_ascii",
        "CREATE TABLE t AS SELECT 1 AS id, E'ok'::text AS a UNION ALL SELECT 2, E'\\xb6\\xa9' UNION ALL SELECT 3, NULL",
    );
    let database = connected(server, "old_ascii").await;
    let read = read(&database, &query("SELECT a FROM t ORDER BY id"), &[("a", ValueType::Text)]).await;
    assert_eq!(read.column("a"), ["ok", "-", "-"]);
    assert_eq!(
        (read.rejects.len(), read.rejects[0].row, read.rejects[0].reason.as_str()),
        (1, 1, "the text is not UTF-8")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_wanted_twice_as_different_types_comes_as_text() {
    let Some(server) = postgres_server() else { return };
    let database = connected(server, "postgres").await;
    let mut contract = columns(&[("n", decimal(18, 2)), ("label", ValueType::Text)]);
    contract.columns[1].from = "n".into();
    let relation = query("SELECT 12.5::numeric(12,2) AS n, 'more' AS other");
    let read = try_read(&database, &relation, &contract).await.unwrap();
    assert_eq!((read.fields.clone(), read.column("n")), (vec!["n".to_string()], vec!["12.50".to_string()]));
}
