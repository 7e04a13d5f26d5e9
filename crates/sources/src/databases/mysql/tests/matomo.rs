//! Tables made as those of Matomo, the web analysis that keeps money as `FLOAT`.

use super::*;

const VISITS: &str = "CREATE TABLE log_visit (
    idvisit BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, idsite INT UNSIGNED NOT NULL,
    idvisitor BINARY(8) NOT NULL, user_id VARCHAR(200) NULL, visit_first_action_time DATETIME NOT NULL,
    visit_last_action_time DATETIME NOT NULL, visitor_returning TINYINT(1) NULL, visit_total_time INT UNSIGNED NOT NULL,
    location_ip VARBINARY(16) NOT NULL, location_latitude DECIMAL(9, 6) NULL, KEY (idsite, visit_last_action_time))";
const CONVERSIONS: &str = "CREATE TABLE log_conversion (
    idvisit BIGINT UNSIGNED NOT NULL, idgoal INT NOT NULL, buster INT UNSIGNED NOT NULL, idorder VARCHAR(100) NULL,
    revenue FLOAT NULL, revenue_shipping DOUBLE NULL, items SMALLINT UNSIGNED NULL, server_time DATETIME NOT NULL,
    PRIMARY KEY (idvisit, idgoal, buster), UNIQUE KEY (idorder))";

/// A visit without and with a login, an order (goal 0), the cart left before it (goal -1) and a goal of the site's.
async fn filled(name: &str) -> Arc<dyn Database> {
    let server = mariadb_server();
    let visits = "INSERT INTO log_visit VALUES
        (18446744073709551614, 1, x'0123456789abcdef', NULL, '2026-01-05 08:00:00', '2026-01-05 08:10:00', 0, 600,
            x'7f000001', 52.520008),
        (7, 1, x'ffffffffffffffff', 'c-17', '2026-01-05 09:00:00', '2026-01-05 09:05:30', 3, 330,
            x'20010db8000000000000000000000001', NULL)";
    let conversions = "INSERT INTO log_conversion VALUES
        (7, 0, 4711, 'A-1', 129.95, 4.9, 3, '2026-01-05 09:05:00'),
        (7, -1, 0, NULL, 129.95, NULL, 3, '2026-01-05 09:02:00'),
        (7, 2, 1, NULL, NULL, NULL, NULL, '2026-01-05 09:01:00'),
        (8, 0, 4712, 'A-2', 1234567.89, 0.1, 1, '2026-01-05 10:00:00')";
    database(server, name, &[VISITS, CONVERSIONS, visits, conversions]).await;
    reader(server, name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_keep_their_binary_ids_and_unsigned_keys() {
    let database = filled("matomo_visits").await;
    let mut last = column("ended_at", instant("UTC"));
    last.from = "visit_last_action_time".into();
    let columns = vec![
        column("idvisit", decimal(20, 0)),
        column("idvisitor", ValueType::Text),
        column("user_id", ValueType::Text),
        last,
        column("visitor_returning", ValueType::Integer),
        column("location_ip", ValueType::Text),
        column("location_latitude", decimal(9, 6)),
    ];
    let mut found = read(database.as_ref(), &relation("log_visit"), columns).await.unwrap().lines();
    found.sort();
    assert_eq!(
        found,
        [
            "18446744073709551614 | 0123456789abcdef | - | 2026-01-05T08:10:00Z | 0 | 7f000001 | 52.520008",
            "7 | ffffffffffffffff | c-17 | 2026-01-05T09:05:30Z | 3 | 20010db8000000000000000000000001 | -",
        ]
    );
    let found =
        read(database.as_ref(), &relation("log_visit"), vec![column("idvisit", ValueType::Integer)]).await.unwrap();
    assert_eq!(found.rejects.len(), 1);
    assert_eq!(found.rejects[0].1, "18446744073709551614");
    let cursor = ["visit_last_action_time".to_string()];
    let watermark = database.watermark(&relation("log_visit"), &cursor).await.unwrap();
    assert_eq!(watermark.as_deref(), Some("2026-01-05 09:05:30"));
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_kept_as_float_is_read_as_it_was_written_or_refused() {
    let database = filled("matomo_revenue").await;
    let columns = || {
        vec![
            column("idvisit", ValueType::Integer),
            column("idgoal", ValueType::Integer),
            column("revenue", decimal(18, 2)),
        ]
    };
    let orders = Relation { filter: Some("idgoal = 0".into()), ..relation("log_conversion") };
    let found = read(database.as_ref(), &orders, columns()).await.unwrap();
    // A single has about seven digits: 1234567.89 was gone when it was stored, and what is left is 1234567.9.
    assert_eq!(found.lines(), ["7 | 0 | 129.95", "8 | 0 | 1234567.9"]);
    assert!(found.rejects.is_empty());
    let all = read(database.as_ref(), &query("SELECT * FROM log_conversion ORDER BY idvisit, idgoal"), columns())
        .await
        .unwrap();
    assert_eq!(all.lines(), ["7 | -1 | 129.95", "7 | 0 | 129.95", "7 | 2 | -", "8 | 0 | 1234567.9"]);
    // A price computed in single precision has digits nobody wrote; it is refused by name, not bent.
    let computed = query("SELECT idvisit, idgoal, revenue / 3 AS revenue FROM log_conversion WHERE idorder = 'A-1'");
    let found = read(database.as_ref(), &computed, columns()).await.unwrap();
    assert_eq!(found.rejects.len(), 1, "{found:?}");
    assert!(found.rejects[0].2.contains("more than 2 decimal places, and numbers are never rounded"), "{found:?}");
    let rounded = query(
        "SELECT idvisit, idgoal, CAST(revenue / 3 AS DECIMAL(18,2)) AS revenue FROM log_conversion
        WHERE idorder = 'A-1'",
    );
    assert_eq!(read(database.as_ref(), &rounded, columns()).await.unwrap().lines(), ["7 | 0 | 43.32"]);
    let key = database.describe("log_conversion").await.unwrap().key;
    assert_eq!(key, ["idvisit", "idgoal", "buster"]);
}
