//! What changed since the last read, and what one snapshot sees.

use super::*;
use perennial_core::contract::Overlap;

const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, amount DECIMAL(12,2), changed_at DATETIME(6) NULL,
    created_at DATETIME NULL, KEY (changed_at))";

fn columns() -> Vec<Column> {
    vec![column("id", ValueType::Integer), column("amount", decimal(12, 2))]
}

/// The keys that a read since then gives, in their order.
async fn ids_since(
    database: &dyn Database,
    relation: &Relation,
    cursor: &[&str],
    data_type: &ValueType,
    watermark: &str,
    overlap: Overlap,
) -> Vec<i64> {
    let cursor = cursor.iter().map(|name| name.to_string()).collect();
    let since = Since { cursor, data_type, watermark, overlap };
    let table = contract(columns());
    let found = drain(readers(database, relation, &table, Some(since)).await.unwrap()).await.unwrap();
    let mut ids: Vec<i64> = found.rows.iter().map(|row| row[0].parse().unwrap()).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_committed_late_is_found_by_the_overlap() {
    let server = mariadb_server();
    let mut first = database(server, "late", &[ORDERS]).await;
    let mut second = owner(server, "late").await;
    // Stamped at ten past, committed after the read that saw quarter past.
    first.query_drop("START TRANSACTION").await.unwrap();
    first.query_drop("INSERT INTO orders VALUES (1, 10, '2026-01-05 10:10:00', NULL)").await.unwrap();
    second.query_drop("INSERT INTO orders VALUES (2, 20, '2026-01-05 10:15:00.5', NULL)").await.unwrap();
    let cursor = ["changed_at".to_string()];
    let before = reader(server, "late").await;
    let watermark = before.watermark(&relation("orders"), &cursor).await.unwrap().unwrap();
    assert_eq!(watermark, "2026-01-05 10:15:00.500000");
    first.query_drop("COMMIT").await.unwrap();
    second.query_drop("INSERT INTO orders VALUES (3, 30, '2026-01-05 10:20:00', NULL)").await.unwrap();
    second.query_drop("INSERT INTO orders VALUES (4, 40, '2026-01-05 09:00:00', NULL)").await.unwrap();

    let after = reader(server, "late").await;
    let utc = instant("UTC");
    let orders = relation("orders");
    let since = |overlap| ids_since(after.as_ref(), &orders, &["changed_at"], &utc, &watermark, overlap);
    // The row at the watermark itself comes again: another may have the same stamp.
    assert_eq!(since(Overlap::Seconds(0)).await, [2, 3]);
    assert_eq!(since(Overlap::Seconds(600)).await, [1, 2, 3]);
    assert_eq!(since(Overlap::Seconds(i64::MAX)).await, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greatest_cursor_that_has_a_value_counts() {
    let server = mariadb_server();
    let rows = "INSERT INTO orders VALUES
        (1, 1, NULL, NULL), (2, 1, NULL, '2026-01-01'), (3, 1, '2026-01-03', '2026-01-01'), (4, 1, '0000-00-00', NULL),
        (5, 1, '2026-01-02', NULL), (6, 1, '2026-01-01', '2026-01-05')";
    database(server, "several", &[ORDERS, rows]).await;
    let database = reader(server, "several").await;
    let both = ["changed_at".to_string(), "created_at".to_string()];
    let relation = relation("orders");
    let watermark = database.watermark(&relation, &both).await.unwrap().unwrap();
    assert_eq!(watermark, "2026-01-05 00:00:00.000000");
    let utc = instant("UTC");
    let cursor = ["changed_at", "created_at"];
    let ids = ids_since(database.as_ref(), &relation, &cursor, &utc, "2026-01-02 12:00:00", Overlap::Seconds(0)).await;
    // 1 and 4 have no cursor at all.
    assert_eq!(ids, [1, 3, 4, 6]);
    let filtered = Relation { filter: Some("id <> 6 OR id IN (3) # not six".into()), ..relation.clone() };
    let ids = ids_since(database.as_ref(), &filtered, &cursor, &utc, "2026-01-02 12:00:00", Overlap::Seconds(0)).await;
    assert_eq!(ids, [1, 3, 4]);
    assert_eq!(database.watermark(&filtered, &both).await.unwrap().unwrap(), "2026-01-03 00:00:00.000000");
    let none = Relation { filter: Some("id IN (1, 4)".into()), ..relation.clone() };
    assert_eq!(database.watermark(&none, &both).await.unwrap(), None);
    let empty = Relation { filter: Some("FALSE".into()), ..relation };
    assert_eq!(database.watermark(&empty, &both).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_that_are_numbers_days_and_timestamps() {
    let server = mariadb_server();
    let table = "CREATE TABLE t (id INT PRIMARY KEY, amount INT, number BIGINT UNSIGNED, day DATE, at TIMESTAMP NULL)";
    let rows = "INSERT INTO t VALUES (1, 0, 5, '2026-01-01', '2026-01-01 10:00:00'),
        (2, 0, 18446744073709551615, '2026-01-02', '2026-01-01 11:00:00'), (3, 0, NULL, NULL, NULL)";
    database(server, "cursors", &["SET time_zone = '+08:00'", table, rows]).await;
    let database = reader(server, "cursors").await;
    let relation = relation("t");
    let mark = async |name: &str| database.watermark(&relation, &[name.to_string()]).await.unwrap().unwrap();
    assert_eq!(mark("number").await, "18446744073709551615");
    assert_eq!(mark("day").await, "2026-01-02");
    assert_eq!(mark("at").await, "2026-01-01 03:00:00");
    let ids = async |name: &str, data_type: &ValueType, overlap: Overlap| {
        ids_since(database.as_ref(), &relation, &[name], data_type, &mark(name).await, overlap).await
    };
    assert_eq!(ids("number", &ValueType::Integer, Overlap::Count(1000)).await, [2, 3]);
    assert_eq!(ids("number", &ValueType::Integer, Overlap::Count(i64::MAX)).await, [2, 3]);
    assert_eq!(ids("day", &date(), Overlap::Seconds(3600)).await, [2, 3]);
    assert_eq!(ids("day", &date(), Overlap::Seconds(86_400)).await, [1, 2, 3]);
    // The zone of the contract is not that of a timestamp: no hour is added for its clocks.
    assert_eq!(ids("at", &instant("Europe/Berlin"), Overlap::Seconds(3599)).await, [2, 3]);
    assert_eq!(ids("at", &instant("Europe/Berlin"), Overlap::Seconds(3600)).await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tables_are_seen_at_one_moment() {
    let server = mariadb_server();
    let tables = [
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY, a INT)",
        "INSERT INTO a VALUES (1), (2)",
        "INSERT INTO b VALUES (1, 1)",
    ];
    let mut owner = database(server, "moment", &tables).await;
    let database = reader(server, "moment").await;
    let id = || vec![column("id", ValueType::Integer)];
    assert_eq!(read(database.as_ref(), &relation("a"), id()).await.unwrap().lines(), ["1", "2"]);
    // Another session adds an order with its line, changes one and deletes one, between our two reads.
    for statement in [
        "INSERT INTO a VALUES (3)",
        "INSERT INTO b VALUES (2, 3)",
        "DELETE FROM a WHERE id = 1",
        "DELETE FROM b WHERE id = 1",
    ] {
        owner.query_drop(statement).await.unwrap();
    }
    assert_eq!(read(database.as_ref(), &relation("b"), id()).await.unwrap().lines(), ["1"]);
    assert_eq!(read(database.as_ref(), &relation("a"), id()).await.unwrap().lines(), ["1", "2"]);
    assert_eq!(database.watermark(&relation("a"), &["id".into()]).await.unwrap().as_deref(), Some("2"));
    // What is deleted is gone from the next snapshot.
    let next = reader(server, "moment").await;
    assert_eq!(read(next.as_ref(), &relation("a"), id()).await.unwrap().lines(), ["2", "3"]);
    assert_eq!(read(next.as_ref(), &relation("b"), id()).await.unwrap().lines(), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_opened_together_are_read_one_after_the_other() {
    let server = mariadb_server();
    let fill = "INSERT INTO t SELECT seq, REPEAT('x', 100) FROM seq_1_to_50000";
    database(server, "together", &["CREATE TABLE t (id INT PRIMARY KEY, x TEXT)", fill]).await;
    let database = reader(server, "together").await;
    let (relation, table) =
        (relation("t"), contract(vec![column("id", ValueType::Integer), column("x", ValueType::Text)]));
    let first = readers(database.as_ref(), &relation, &table, None).await.unwrap();
    let second = readers(database.as_ref(), &relation, &table, None).await.unwrap();
    let (first, second) = tokio::join!(drain(first), drain(second));
    assert_eq!((first.unwrap().rows.len(), second.unwrap().rows.len()), (50_000, 50_000));
}
