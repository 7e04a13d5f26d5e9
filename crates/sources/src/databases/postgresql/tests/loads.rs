//! Snapshots, watermarks, parallel ranges, what is found of a database.

use super::super::DIALECT;
use super::*;
use crate::FoundTable;
use perennial_core::contract::Overlap;
use perennial_core::error::Kind;
use perennial_testing::postgres_server;

fn since<'a>(cursor: &[&str], watermark: &'a str, seconds: i64, data_type: &'a ValueType) -> Since<'a> {
    let cursor = cursor.iter().map(|name| name.to_string()).collect();
    Since { cursor, data_type, watermark, overlap: Overlap::Seconds(seconds) }
}

const ID: [(&str, ValueType); 1] = [("id", ValueType::Integer)];

#[tokio::test(flavor = "multi_thread")]
async fn all_tables_are_seen_at_one_moment() {
    let Some(server) = postgres_server() else { return };
    server.database("one_moment");
    server.sql("one_moment", "CREATE TABLE a AS SELECT 1 AS id; CREATE TABLE b AS SELECT 1 AS id");
    let database = connected(server, "one_moment").await;
    assert_eq!(read(&database, &table("a"), &ID).await.rows(), 1);
    server.sql("one_moment", "INSERT INTO a VALUES (2); INSERT INTO b VALUES (2); DELETE FROM b WHERE id = 1");
    assert_eq!(read(&database, &table("a"), &ID).await.column("id"), ["1"]);
    assert_eq!(read(&database, &table("b"), &ID).await.column("id"), ["1"]);
    assert_eq!(database.watermark(&table("b"), &["id".into()]).await.unwrap().as_deref(), Some("1"));
    // A hard delete is seen by whoever reads the whole table next time.
    let later = connected(server, "one_moment").await;
    assert_eq!(read(&later, &table("b"), &ID).await.column("id"), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_is_missed_by_the_watermark_and_found_by_the_overlap() {
    let Some(server) = postgres_server() else { return };
    server.database("late_commit");
    server.sql("late_commit", "CREATE TABLE t (id int, changed timestamptz DEFAULT now())");
    let mut late = server.session("late_commit");
    late.run("BEGIN; INSERT INTO t (id) VALUES (1)");
    server.sql("late_commit", "SELECT pg_sleep(0.01); INSERT INTO t (id) VALUES (2)");
    let first = connected(server, "late_commit").await;
    assert_eq!(read(&first, &table("t"), &ID).await.column("id"), ["2"]);
    let watermark = first.watermark(&table("t"), &["changed".into()]).await.unwrap().unwrap();
    late.run("COMMIT");
    server.sql("late_commit", "INSERT INTO t (id) VALUES (3)");
    let second = connected(server, "late_commit").await;
    let kind = instant();
    let missed = read_since(&second, "t", &ID, since(&["changed"], &watermark, 0, &kind)).await;
    assert_eq!(missed.sorted("id"), ["2", "3"]);
    let found = read_since(&second, "t", &ID, since(&["changed"], &watermark, 3600, &kind)).await;
    assert_eq!(found.sorted("id"), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_cursor_are_always_read_and_the_greatest_counts() {
    let Some(server) = postgres_server() else { return };
    server.database("cursors");
    server.sql(
        "cursors",
        "CREATE TABLE t (id int, made timestamp, changed timestamp, number int, day date, word text); \
         INSERT INTO t VALUES (1, '2026-01-01', NULL, 1, '2026-01-01', 'a'), \
            (2, '2026-01-01', '2026-01-09 00:00:00.000001', 2, '2026-01-05', 'b'), (3, NULL, NULL, NULL, NULL, NULL), \
            (4, '2026-01-10', NULL, 40, '2026-01-10', 'c'), (5, 'infinity', NULL, 5, '9999-12-31', 'd')",
    );
    let database = connected(server, "cursors").await;
    let both = ["made", "changed"];
    let owned: Vec<String> = both.iter().map(|name| name.to_string()).collect();
    let watermark = database.watermark(&table("t"), &owned).await.unwrap().unwrap();
    assert_eq!(watermark, "2026-01-10 00:00:00");
    let kind = instant();
    let ids = |read: Read| read.sorted("id").join(" ");
    assert_eq!(ids(read_since(&database, "t", &ID, since(&both, &watermark, 0, &kind)).await), "3 4 5");
    assert_eq!(ids(read_since(&database, "t", &ID, since(&both, &watermark, 86_400, &kind)).await), "2 3 4 5");
    // Clocks that are put back show an hour twice.
    let berlin = ValueType::Instant { formats: vec![], zone: "Europe/Berlin".into() };
    let seconds = 86_400 - 3600;
    assert_eq!(ids(read_since(&database, "t", &ID, since(&both, &watermark, seconds, &berlin)).await), "2 3 4 5");
    assert_eq!(ids(read_since(&database, "t", &ID, since(&both, &watermark, seconds, &kind)).await), "3 4 5");
    let exact = "2026-01-09 00:00:00.000001";
    assert_eq!(ids(read_since(&database, "t", &ID, since(&both, exact, 0, &kind)).await), "2 3 4 5");
    let numbers = Since { overlap: Overlap::Count(38), ..since(&["number"], "40", 0, &ValueType::Integer) };
    assert_eq!(ids(read_since(&database, "t", &ID, numbers).await), "2 3 4 5");
    // A day in the future would keep everything after it from being read: it is not a watermark.
    let days = database.watermark(&table("t"), &["day".into()]).await.unwrap().unwrap();
    assert_eq!(days, "2026-01-10");
    assert_eq!(ids(read_since(&database, "t", &ID, since(&["day"], &days, 86_400, &kind)).await), "3 4 5");
    // Of different types, the greatest is of the one that holds both.
    let mixed = database.watermark(&table("t"), &["made".into(), "day".into()]).await.unwrap().unwrap();
    assert_eq!(mixed, "2026-01-10 00:00:00");
    assert_eq!(ids(read_since(&database, "t", &ID, since(&["made", "day"], &mixed, 0, &kind)).await), "3 4 5");
    let relation = Relation { filter: Some("number < 3 -- only small ones".into()), ..table("t") };
    assert_eq!(database.watermark(&relation, &["number".into()]).await.unwrap().as_deref(), Some("2"));
    let nothing = Relation { filter: Some("false".into()), ..table("t") };
    assert_eq!(database.watermark(&nothing, &owned).await.unwrap(), None);
    let contract = columns(&ID);
    let word = Some(since(&["word"], "b", 5, &kind));
    let request = RelationRequest { relation: &table("t"), table: &contract, all_columns: false, since: word };
    let error = read_request(&database, request).await.unwrap_err();
    assert!(error.message().contains("`word` has the type text"), "{error}");
    let unknown = database.watermark(&table("t"), &["chnged".into()]).await.unwrap_err();
    assert_eq!(unknown.hint_text(), Some("did you mean `changed`?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_side_by_side_give_every_row_once() {
    let Some(server) = postgres_server() else { return };
    server.database("side_by_side");
    server.sql(
        "side_by_side",
        "CREATE TABLE t AS SELECT i::int8 AS id, repeat('x', 40) AS word FROM generate_series(1, 400000) AS i; \
         DELETE FROM t WHERE id % 7 = 0; ANALYZE t; CREATE INDEX ON t (id)",
    );
    let access = Access { connections: 3, ..access() };
    let database = open(&location(server, "side_by_side"), &access).await.unwrap();
    // What is written after the snapshot, also over blocks that are read later, does not count.
    server.sql("side_by_side", "UPDATE t SET word = 'later' WHERE id % 3 = 0; INSERT INTO t VALUES (0, 'new')");
    let both = [("id", ValueType::Integer), ("word", ValueType::Text)];
    let shared = read(&database, &table("t"), &both).await;
    assert_eq!(shared.readers, 3);
    let mut ids: Vec<i64> = shared.column("id").iter().map(|id| id.parse().unwrap()).collect();
    ids.sort_unstable();
    let expected: Vec<i64> = (1..=400_000).filter(|id| id % 7 != 0).collect();
    assert_eq!(ids, expected);
    assert!(shared.column("word").iter().all(|word| word.len() == 40));
    assert!(shared.batches.iter().all(|batch| batch.num_rows() <= 65_536));
    // Where an index finds the rows, and for queries, there is one reader.
    let few = Relation { filter: Some("id < 100".into()), ..table("t") };
    assert_eq!(read(&database, &few, &ID).await.readers, 1);
    assert_eq!(read(&database, &query("SELECT id FROM t"), &ID).await.readers, 1);
    // Readers need not be read side by side, nor to their end.
    let relation = table("t");
    let contract = columns(&both);
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: false, since: None };
    let mut readers = database.read(&request).await.unwrap();
    let (mut last, mut first) = (readers.pop().unwrap(), readers.remove(0));
    let rows = tokio::task::spawn_blocking(move || {
        assert!(last.next_rows().unwrap().is_some());
        let mut rows = 0;
        while let Some(more) = first.next_rows().unwrap() {
            rows += more.batch.num_rows();
        }
        rows
    });
    assert!(rows.await.unwrap() > 0);
    drop(readers);
    assert_eq!(read(&database, &query("SELECT 1 AS id"), &ID).await.rows(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_tables_tables_without_columns_and_wide_rows_are_read() {
    let Some(server) = postgres_server() else { return };
    server.database("odd_shapes");
    server.sql(
        "odd_shapes",
        "CREATE TABLE nothing (id int); CREATE TABLE three AS SELECT i AS id FROM generate_series(1, 3) AS i; \
         CREATE TABLE wide AS SELECT i AS id, repeat(chr(64 + i), 20000000) AS word FROM generate_series(1, 3) AS i",
    );
    let database = connected(server, "odd_shapes").await;
    assert_eq!(read(&database, &table("nothing"), &ID).await.rows(), 0);
    let none = read(&database, &table("three"), &[("absent", ValueType::Text)]).await;
    assert_eq!((none.rows(), none.fields.len()), (3, 0));
    let wide = read(&database, &table("wide"), &[("word", ValueType::Text)]).await;
    assert_eq!((wide.rows(), wide.batches.len()), (3, 3));
    assert_eq!(wide.column("word")[2], "C".repeat(20_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_conditions_are_taken_as_they_are_written() {
    let Some(server) = postgres_server() else { return };
    let database = connected(server, "postgres").await;
    let relation = query("SELECT 1 AS id, 2 AS other -- the end\n;");
    assert_eq!(read(&database, &relation, &ID).await.column("id"), ["1"]);
    let relation = query("WITH few AS (SELECT generate_series(1, 3) AS id) SELECT * FROM few ORDER BY id DESC");
    assert_eq!(read(&database, &relation, &ID).await.column("id"), ["3", "2", "1"]);
    for (sql, kind) in [
        ("SELECT 1/0 AS id", Kind::Data),
        ("SELEC 1", Kind::Project),
        ("SELECT 1 AS id) AS x; CREATE TABLE written (id int); SELECT * FROM (SELECT 1 AS id", Kind::Project),
        ("SELECT set_config('transaction_read_only', 'off', false)::int AS id FROM pg_class", Kind::Project),
        ("SELECT id FROM nowhere", Kind::Project),
    ] {
        let error = try_read(&database, &query(sql), &columns(&ID)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error}");
    }
    let writes = "CREATE OR REPLACE FUNCTION writes() RETURNS int LANGUAGE sql AS 'CREATE TABLE w (i int); SELECT 1'";
    server.sql("postgres", writes);
    let error = try_read(&database, &query("SELECT writes() AS id"), &columns(&ID)).await.unwrap_err();
    assert!(error.message().contains("read-only transaction"), "{error}");
    assert_eq!(database.version().await.unwrap().split('.').next(), Some("PostgreSQL 15"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_their_columns_are_found() {
    let Some(server) = postgres_server() else { return };
    server.database("found");
    server.sql(
        "found",
        "CREATE SCHEMA sales; CREATE TYPE state AS ENUM ('open', 'done'); \
         CREATE TABLE sales.\"Order Lines\" (order_id int, line int2, amount numeric, price numeric(12,4), \
            rate numeric(3,5), hundreds numeric(5,-2), huge numeric(60,2), state state, at timestamp, \
            changed timestamptz, day date, ok bool NOT NULL, f float4, \
            note varchar(9), PRIMARY KEY (order_id, line) INCLUDE (ok)); \
         COMMENT ON TABLE sales.\"Order Lines\" IS 'Lines'; COMMENT ON COLUMN sales.\"Order Lines\".amount IS 'Net'; \
         INSERT INTO sales.\"Order Lines\" (order_id, line, amount, ok) \
            VALUES (1, 1, 1234.567, true), (1, 2, 'NaN', true); \
         CREATE VIEW public.open AS SELECT * FROM sales.\"Order Lines\"; \
         CREATE TABLE parted (a int UNIQUE NOT NULL, b int) PARTITION BY RANGE (a); \
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9); INSERT INTO parted VALUES (3, 4)",
    );
    let database = connected(server, "found").await;
    let tables = database.tables().await.unwrap();
    let found = |schema: &str, name: &str, is_view| FoundTable {
        schema: schema.into(),
        in_default_schema: schema == "public",
        name: name.into(),
        about_rows: None,
        is_view,
    };
    let expected =
        [found("public", "open", true), found("public", "parted", false), found("sales", "Order Lines", false)];
    assert_eq!(tables, expected);
    assert_eq!(tables[2].written(&DIALECT), "sales.\"Order Lines\"");
    let lines = database.describe("sales.\"Order Lines\"").await.unwrap();
    assert_eq!((lines.key.join(","), lines.comment.as_deref()), ("order_id,line".into(), Some("Lines")));
    let types: Vec<(&str, &ValueType)> = lines.columns.iter().map(|c| (c.type_name.as_str(), &c.data_type)).collect();
    let decimal = |precision, scale| ValueType::Decimal { precision, scale };
    let (day, text) = (ValueType::Date { formats: vec![] }, ValueType::Text);
    assert_eq!(
        types,
        [
            ("integer", &ValueType::Integer),
            ("smallint", &ValueType::Integer),
            ("numeric", &decimal(18, 3)),
            ("numeric(12,4)", &decimal(12, 4)),
            ("numeric(3,5)", &decimal(5, 5)),
            ("numeric(5,-2)", &decimal(7, 0)),
            ("numeric(60,2)", &decimal(18, 2)),
            ("sales.state", &ValueType::Enumeration(vec!["open".into(), "done".into()])),
            ("timestamp without time zone", &instant()),
            ("timestamp with time zone", &instant()),
            ("date", &day),
            ("boolean", &ValueType::Boolean),
            ("real", &ValueType::Float),
            ("character varying(9)", &text),
        ]
        .map(|(name, kind)| (if name == "sales.state" { "state" } else { name }, kind))
    );
    assert_eq!(lines.columns[2].comment.as_deref(), Some("Net"));
    assert!(lines.columns[0].required && lines.columns[11].required && !lines.columns[2].required);
    assert_eq!(database.describe("parted").await.unwrap().key, ["a"]);
    assert_eq!(read(&database, &table("parted"), &[("b", ValueType::Integer)]).await.column("b"), ["4"]);
    assert!(database.describe("open").await.unwrap().key.is_empty());
    assert_eq!(read(&database, &table("open"), &[("line", ValueType::Text)]).await.column("line"), ["1", "2"]);
}
