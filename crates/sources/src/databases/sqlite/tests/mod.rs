//! Reading real files, written by SQLite itself.

use super::session::has_log;
use super::*;
use crate::Since;
use arrow::array::{Array, AsArray};
use perennial_core::contract::{Column, Extraction, Overlap, SourceTable, ValueType};
use perennial_core::error::Kind;
use perennial_testing::{column, source_table};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// A folder with a database in it, written by these statements.
fn filled(statements: &str) -> (TempDir, PathBuf, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch(statements).unwrap();
    (folder, path, writer)
}

fn impatient() -> Access {
    Access { connect_timeout_seconds: 1, ..Access::default() }
}

async fn opened(path: &Path) -> Result<Arc<dyn Database>> {
    open(&format!("sqlite://{}", path.display()), &impatient()).await
}

async fn refused(path: &Path) -> Error {
    match opened(path).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn relation(name: &str) -> Relation {
    Relation { rows: RelationRows::Table(name.into()), filter: None }
}

fn query(sql: &str) -> Relation {
    Relation { rows: RelationRows::Query(sql.into()), filter: None }
}

fn contract(columns: Vec<Column>) -> SourceTable {
    SourceTable { extraction: Extraction::Relation(relation("unused")), ..source_table(columns) }
}

async fn reader_of(
    database: &dyn Database,
    relation: &Relation,
    table: &SourceTable,
    since: Option<Since<'_>>,
) -> Result<Box<dyn TypedReader>> {
    let request = RelationRequest { relation, table, all_columns: table.columns.is_empty(), since };
    Ok(database.read(&request).await?.remove(0))
}

/// Rows as lines, `-` where there is no value, and rejects with value and reason.
async fn drain(mut reader: Box<dyn TypedReader>) -> Result<(Vec<String>, Vec<String>)> {
    let read = move || {
        let (mut lines, mut rejects) = (Vec::new(), Vec::new());
        while let Some(rows) = reader.next_rows()? {
            let columns: Vec<_> = rows.batch.columns().iter().map(|column| column.as_string::<i32>()).collect();
            for row in 0..rows.batch.num_rows() {
                let cells = columns.iter().map(|c| if c.is_null(row) { "-" } else { c.value(row) });
                lines.push(cells.collect::<Vec<_>>().join(" | "));
            }
            rejects.extend(rows.rejects.iter().map(|reject| format!("{}: {}", reject.raw, reject.reason)));
        }
        Ok((lines, rejects))
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

async fn read(
    database: &dyn Database,
    relation: &Relation,
    columns: Vec<Column>,
) -> Result<(Vec<String>, Vec<String>)> {
    drain(reader_of(database, relation, &contract(columns), None).await?).await
}

fn said(error: &Error) -> String {
    format!("{:?}: {} [{}]", error.kind(), error.message(), error.hint_text().unwrap_or(""))
}

fn instant(zone: &str) -> ValueType {
    ValueType::Instant { formats: vec![], zone: zone.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_value_has_its_own_type() {
    let values = "CREATE TABLE t (id INTEGER PRIMARY KEY, v);
        INSERT INTO t (v) VALUES (1), (-9223372036854775808), (12.3), (1e300), (12.0), ('12.30'), ('王芳 😀'), (''),
            (x'00ff'), (NULL), (CAST(x'ff' AS TEXT)), (9e999), (0.1 + 0.2)";
    let (_folder, path, _writer) = filled(values);
    let database = opened(&path).await.unwrap();
    let ordered = query("SELECT v FROM t ORDER BY id;");
    let (lines, rejects) = read(database.as_ref(), &ordered, vec![column("v", ValueType::Text)]).await.unwrap();
    let large = format!("1{}", "0".repeat(300));
    let expected = [
        "1",
        "-9223372036854775808",
        "12.3",
        &large,
        "12",
        "12.30",
        "王芳 😀",
        "",
        "00ff",
        "-",
        "-",
        "inf",
        "0.30000000000000004",
    ];
    assert_eq!(lines, expected);
    assert_eq!(rejects, ["\u{fffd}: the text is not UTF-8"]);
    // As money: bytes and digits beyond the scale are refused, each by itself; the rest is the contract's business.
    let money = ValueType::Decimal { precision: 18, scale: 2 };
    let (lines, rejects) = read(database.as_ref(), &ordered, vec![column("v", money)]).await.unwrap();
    assert_eq!((lines[8].as_str(), lines[12].as_str(), lines[2].as_str()), ("-", "-", "12.3"));
    assert_eq!(rejects.len(), 3);
    assert!(rejects[0].starts_with("00ff: the value is a blob"), "{rejects:?}");
    assert!(rejects[2].starts_with("0.30000000000000004: the number has more than 2 decimal places"), "{rejects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_seen_at_one_moment_also_with_write_ahead_logging() {
    for mode in ["WAL", "DELETE"] {
        let tables = format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE a (id INTEGER PRIMARY KEY);
            CREATE TABLE b (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1)"
        );
        let (_folder, path, writer) = filled(&tables);
        let database = opened(&path).await.unwrap();
        let id = || vec![column("id", ValueType::Integer)];
        assert_eq!(read(database.as_ref(), &relation("a"), id()).await.unwrap().0, ["1", "2"]);
        let change = "BEGIN; INSERT INTO a VALUES (3); DELETE FROM a WHERE id = 1; INSERT INTO b VALUES (3); COMMIT";
        // Without the log, the writer waits until we are done.
        assert_eq!(writer.execute_batch(change).is_ok(), mode == "WAL");
        assert_eq!(read(database.as_ref(), &relation("b"), id()).await.unwrap().0, ["1"]);
        assert_eq!(read(database.as_ref(), &relation("a"), id()).await.unwrap().0, ["1", "2"]);
        drop(database);
        if mode == "DELETE" {
            // Connections close on threads of their own.
            let deadline = Instant::now() + Duration::from_secs(10);
            let _ = writer.execute_batch("ROLLBACK");
            while writer.execute_batch(change).is_err() {
                assert!(Instant::now() < deadline);
                let _ = writer.execute_batch("ROLLBACK");
            }
        }
        let next = opened(&path).await.unwrap();
        assert_eq!(read(next.as_ref(), &relation("a"), id()).await.unwrap().0, ["2", "3"]);
        assert_eq!(read(next.as_ref(), &relation("b"), id()).await.unwrap().0, ["1", "3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.db");
    let error = refused(&missing).await;
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains(&missing.display().to_string()), "{error}");
    assert!(!missing.exists(), "opening makes no file");
    assert_eq!(refused(folder.path()).await.kind(), Kind::Project);
    let other = folder.path().join("other.db");
    std::fs::write(&other, "order_id;amount\n".repeat(100)).unwrap();
    let error = refused(&other).await;
    assert_eq!(
        said(&error),
        format!("Data: `{}` is not a SQLite database [it may be encrypted, or another kind of file]", other.display())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_no_short_table() {
    let many = "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO t SELECT i, hex(zeroblob(100)) FROM n";
    let (_folder, path, writer) = filled(many);
    drop(writer);
    let mut bytes = std::fs::read(&path).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 64 * 4096);
    bytes[from..to].fill(0xaa);
    std::fs::write(&path, bytes).unwrap();
    let database = opened(&path).await.unwrap();
    let error = read(database.as_ref(), &relation("t"), vec![column("x", ValueType::Text)]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().contains("is damaged"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_is_waited_for_and_then_given_up() {
    let (_folder, path, writer) = filled("CREATE TABLE t (a); BEGIN EXCLUSIVE");
    let began = Instant::now();
    let error = refused(&path).await;
    assert!(began.elapsed().as_millis() >= 900, "{:?}", began.elapsed());
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("is locked by another program"), "{error}");
    writer.execute_batch("COMMIT").unwrap();
    opened(&path).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_read_without_locks_must_stay_as_it_is() {
    let (_folder, path, writer) = filled("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    drop(writer);
    let shown = path.display().to_string();
    assert!(!has_log(&shown), "the last writer takes its log away");
    let database = Sqlite { session: Arc::new(Session::open_unlocked(&path).unwrap()) };
    let a = || vec![column("a", ValueType::Integer)];
    assert_eq!(read(&database, &relation("t"), a()).await.unwrap().0, ["1"]);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    let error = read(&database, &relation("t"), a()).await.unwrap_err();
    assert!(error.message().contains("was written to while it was read"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changed_rows_and_those_without_a_cursor_are_read() {
    let (_folder, path, _writer) = filled(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, number, at, later);
        INSERT INTO t VALUES (1, 10, '2026-01-05T10:00:00Z', NULL), (2, '20', '2026-01-05 10:00:00.750', NULL),
            (3, NULL, NULL, NULL), (4, 5, '2026-01-01', '2026-01-05 11:00:00'), (5, 1, '2025-12-31 23:59:59', NULL),
            (6, 2, 1767610800, NULL), (7, 3, 'soon', 'x')",
    );
    let database = opened(&path).await.unwrap();
    let ids = async |filter: Option<&str>, cursor: &[&str], data_type: &ValueType, overlap: Overlap| {
        let relation = Relation { filter: filter.map(String::from), ..relation("t") };
        let cursor: Vec<String> = cursor.iter().map(|name| name.to_string()).collect();
        let watermark = database.watermark(&relation, &cursor).await.unwrap().unwrap();
        let since = Since { cursor, data_type, watermark: &watermark, overlap };
        let table = contract(vec![column("id", ValueType::Integer)]);
        let reader = reader_of(database.as_ref(), &relation, &table, Some(since)).await.unwrap();
        (watermark.clone(), drain(reader).await.unwrap().0.join(" "))
    };
    let found = ids(None, &["number"], &ValueType::Integer, Overlap::Count(9)).await;
    assert_eq!(found, ("20".into(), "2 3".into()));
    let found = ids(None, &["number"], &ValueType::Integer, Overlap::Count(10)).await;
    assert_eq!(found, ("20".into(), "1 2 3".into()));
    // 1767610800 is 2026-01-05 11:00:00 UTC. What is not a date has no cursor.
    let utc = instant("UTC");
    let found = ids(Some("id <> 6"), &["at"], &utc, Overlap::Seconds(0)).await;
    assert_eq!(found, ("2026-01-05 10:00:00.750".into(), "2 3 7".into()));
    let found = ids(Some("id <> 6 -- the number"), &["at"], &utc, Overlap::Seconds(1)).await.1;
    assert_eq!(found, "1 2 3 7");
    let found = ids(None, &["at", "later"], &utc, Overlap::Seconds(0)).await.1;
    assert_eq!(found, "3 4 6 7");
    // Clocks in Berlin may be put back by an hour.
    let found = ids(Some("id <> 6"), &["at"], &instant("Europe/Berlin"), Overlap::Seconds(0)).await.1;
    assert_eq!(found, "1 2 3 7");
    let none = Relation { filter: Some("id = 3".into()), ..relation("t") };
    assert_eq!(database.watermark(&none, &["at".to_string()]).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_described_and_unknown_names_suggested() {
    let (_folder, path, _writer) = filled(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL, credit DECIMAL(12,2), rate REAL,
            active BOOLEAN, born DATE, changed DATETIME, photo BLOB, \"we\"\"ird\" varchar(10));
        CREATE TABLE lines (a TEXT NOT NULL, b INT NOT NULL, c INT, PRIMARY KEY (b, a)) WITHOUT ROWID;
        CREATE TABLE keyless (a INT UNIQUE, b TEXT NOT NULL UNIQUE);
        CREATE VIEW busy AS SELECT id FROM customers;
        INSERT INTO customers (id, email, \"we\"\"ird\") VALUES (1, 'e', 'x')",
    );
    let database = opened(&path).await.unwrap();
    let tables = database.tables().await.unwrap();
    let tables: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.is_view)).collect();
    assert_eq!(tables, [("busy", true), ("customers", false), ("keyless", false), ("lines", false)]);
    let found = database.describe("customers").await.unwrap();
    assert_eq!(found.key, ["id"]);
    let types: Vec<_> = found.columns.iter().map(|column| column.data_type.clone()).collect();
    let (date, decimal) = (ValueType::Date { formats: vec![] }, ValueType::Decimal { precision: 12, scale: 2 });
    use ValueType::{Boolean, Float, Integer, Text};
    assert_eq!(types, [Integer, Text, decimal, Float, Boolean, date, instant("UTC"), Text, Text]);
    assert!(found.columns[1].required && !found.columns[2].required);
    assert_eq!(database.describe("lines").await.unwrap().key, ["b", "a"]);
    assert_eq!(database.describe("keyless").await.unwrap().key, ["b"]);
    assert_eq!(
        said(&database.describe("custmers").await.unwrap_err()),
        format!("Project: the database `{}` has no table `custmers` [did you mean `customers`?]", path.display())
    );
    let failed = async |relation: Relation, name: &str| {
        said(&read(database.as_ref(), &relation, vec![column(name, ValueType::Text)]).await.unwrap_err())
    };
    assert!(failed(relation("custmers"), "id").await.contains("did you mean `customers`?"));
    assert_eq!(
        failed(relation("customers"), "emial").await,
        "Project: `customers` has no column `emial` [did you mean `email`?]"
    );
    // A name in double quotes that does not exist is not a text.
    let wrong = Relation { filter: Some("\"nme\" = 'x'".into()), ..relation("customers") };
    assert!(failed(wrong, "id").await.starts_with("Project: reading `customers`: no such column"));
    assert!(failed(query("SELEC 1"), "id").await.starts_with("Project: reading `query`: near \"1\": syntax error"));
    let found = read(database.as_ref(), &relation("main.customers"), vec![column("WE\"IRD", ValueType::Text)]).await;
    assert_eq!(found.unwrap().0, ["x"]);
    let all = reader_of(database.as_ref(), &relation("customers"), &contract(vec![]), None).await.unwrap();
    assert_eq!(all.fields().len(), 9);
    assert_eq!(all.types()[..3], ["INTEGER", "TEXT", "DECIMAL(12,2)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_dropped_in_the_middle_leaves_the_database_to_others() {
    let many = "CREATE TABLE t (id INTEGER PRIMARY KEY);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO t SELECT i FROM n";
    let (_folder, path, _writer) = filled(many);
    let database = opened(&path).await.unwrap();
    let table = contract(vec![column("id", ValueType::Integer)]);
    let mut first = reader_of(database.as_ref(), &relation("t"), &table, None).await.unwrap();
    tokio::task::spawn_blocking(move || assert!(first.next_rows().unwrap().is_some())).await.unwrap();
    let (lines, _) = read(database.as_ref(), &relation("t"), vec![column("id", ValueType::Integer)]).await.unwrap();
    assert_eq!(lines.len(), 100_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_number_comes_back_from_its_text(integers in prop::collection::vec(any::<i64>(), 1..20),
        reals in prop::collection::vec(any::<f64>().prop_filter("SQLite has no NaN", |v| !v.is_nan()), 1..20)) {
        let (_folder, path, writer) = filled("CREATE TABLE t (v)");
        for value in &integers {
            writer.execute("INSERT INTO t VALUES (?1)", [value]).unwrap();
        }
        for value in &reals {
            writer.execute("INSERT INTO t VALUES (?1)", [value]).unwrap();
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (lines, rejects) = runtime.block_on(async {
            let database = opened(&path).await.unwrap();
            let ordered = query("SELECT v FROM t ORDER BY rowid");
            read(database.as_ref(), &ordered, vec![column("v", ValueType::Text)]).await.unwrap()
        });
        prop_assert!(rejects.is_empty());
        for (line, value) in lines.iter().zip(&integers) {
            prop_assert_eq!(line.parse::<i64>().unwrap(), *value);
        }
        for (line, value) in lines[integers.len()..].iter().zip(&reals) {
            prop_assert_eq!(line.parse::<f64>().unwrap(), *value);
        }
    }
}
