//! Every type, with extremes and without value.

use super::*;

/// One column of a type with values in SQL, read as `data_type`: cells and rejects.
async fn cells(name: &str, sql_type: &str, values: &str, data_type: ValueType) -> (Vec<String>, Vec<String>) {
    let server = mariadb_server();
    let database_name = format!("types_{name}");
    let table = format!("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v {sql_type})");
    let insert = format!("INSERT INTO t (v) VALUES {values}");
    database(server, &database_name, &[&table, &insert]).await;
    let reader = reader(server, &database_name).await;
    let query = query("SELECT v FROM t ORDER BY id");
    let found = read(reader.as_ref(), &query, vec![column("v", data_type)]).await.unwrap();
    let rejects = found.rejects.iter().map(|(_, raw, reason)| format!("{raw}: {reason}")).collect();
    (found.rows.into_iter().flatten().collect(), rejects)
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_of_every_width() {
    let all = "(-128), (127), (NULL)";
    assert_eq!(cells("tiny", "TINYINT", all, ValueType::Integer).await.0, ["-128", "127", "-"]);
    let (found, rejects) =
        cells("big", "BIGINT", "(-9223372036854775808), (9223372036854775807)", ValueType::Integer).await;
    assert_eq!(found, ["-9223372036854775808", "9223372036854775807"]);
    assert!(rejects.is_empty());
    let (found, rejects) =
        cells("ubig", "BIGINT UNSIGNED", "(9223372036854775807), (9223372036854775808), (0)", ValueType::Integer).await;
    assert_eq!(found, ["9223372036854775807", "-", "0"]);
    assert_eq!(rejects, ["9223372036854775808: the number does not fit in 64 bits"]);
    let all = "(18446744073709551615)";
    assert_eq!(cells("ubigdec", "BIGINT UNSIGNED", all, decimal(20, 0)).await.0, ["18446744073709551615"]);
    assert_eq!(cells("medium", "MEDIUMINT UNSIGNED", "(16777215)", ValueType::Text).await.0, ["16777215"]);
    assert_eq!(cells("zerofill", "INT(5) ZEROFILL", "(1067), (123456)", ValueType::Text).await.0, ["01067", "123456"]);
    assert_eq!(cells("bool", "TINYINT(1)", "(0), (1), (2)", ValueType::Boolean).await.0, ["0", "1", "2"]);
    assert_eq!(cells("year", "YEAR", "(1901), (2155), (0)", ValueType::Integer).await.0, ["1901", "2155", "0"]);
    assert_eq!(cells("yeartext", "YEAR", "(2026), (0)", ValueType::Text).await.0, ["2026", "0000"]);
    let bits = "(b'0'), (b'1111111111111111111111111111111111111111111111111111111111111111')";
    assert_eq!(cells("bit", "BIT(64)", bits, decimal(20, 0)).await.0, ["0", "18446744073709551615"]);
    assert_eq!(cells("bit1", "BIT(1)", "(b'0'), (b'1'), (NULL)", ValueType::Boolean).await.0, ["0", "1", "-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_keep_every_digit() {
    let digits = "99999999999999999999999999999999999999999999999999999999999999.999";
    let found = cells("decimal", "DECIMAL(65,3)", &format!("({digits}), (-0.010), (NULL)"), ValueType::Text).await.0;
    assert_eq!(found, [digits, "-0.010", "-"]);
    assert_eq!(cells("decimal2", "DECIMAL(12,2)", "(1234.5)", decimal(12, 2)).await.0, ["1234.50"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn floats_are_read_as_their_shortest_digits() {
    // 12.3 is 12.300000190734863 in single precision; the server itself would print 16777216 as 16777200.
    let (found, rejects) = cells("float", "FLOAT", "(12.3), (0.1), (16777216), (-0.005), (NULL)", decimal(18, 2)).await;
    assert_eq!(found, ["12.3", "0.1", "16777216", "-", "-"]);
    assert_eq!(rejects, ["-0.005: the number has more than 2 decimal places, and numbers are never rounded"]);
    assert_eq!(cells("float2", "FLOAT", "(12.3), (3.4e38)", ValueType::Float).await.0[0], "12.3");
    let (found, rejects) =
        cells("double", "DOUBLE", "(0.1), (1.7976931348623157e308), (2.2250738585072014e-308)", ValueType::Float).await;
    assert_eq!(found, ["0.1", "1.7976931348623157e308", "2.2250738585072014e-308"]);
    assert!(rejects.is_empty());
    let (found, rejects) = cells("double2", "DOUBLE", "(29.99), (0.1 + 0.2e0)", decimal(18, 2)).await;
    assert_eq!(found, ["29.99", "-"]);
    assert!(rejects[0].starts_with("0.30000000000000004: the number has more than 2 decimal places"), "{rejects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_and_moments() {
    let days = "('1000-01-01'), ('9999-12-31'), ('2024-02-29'), (NULL)";
    assert_eq!(cells("date", "DATE", days, date()).await.0, ["1000-01-01", "9999-12-31", "2024-02-29", "-"]);
    assert_eq!(cells("date2", "DATE", "('2024-02-29')", instant("UTC")).await.0, ["2024-02-29 00:00:00"]);
    let moments = "('2026-01-05 10:00:00.123456'), ('9999-12-31 23:59:59.999999'), (NULL)";
    let found = cells("datetime", "DATETIME(6)", moments, instant("Europe/Berlin")).await.0;
    assert_eq!(found, ["2026-01-05 10:00:00.123456", "9999-12-31 23:59:59.999999", "-"]);
    // In UTC they are moments already, even the last of the calendar.
    let found = cells("datetime2", "DATETIME(6)", moments, instant("UTC")).await.0;
    assert_eq!(found, ["2026-01-05T10:00:00.123456Z", "9999-12-31T23:59:59.999999Z", "-"]);
    let found = cells("datetime3", "DATETIME(3)", "('2026-01-05 10:00:00.5')", ValueType::Text).await.0;
    assert_eq!(found, ["2026-01-05 10:00:00.500"]);
    // A day that is kept as midnight is a day; a time is none.
    let found = cells("datetime4", "DATETIME", "('2026-01-05'), ('2026-01-05 00:00:01')", date()).await.0;
    assert_eq!(found, ["2026-01-05", "2026-01-05 00:00:01"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_are_in_utc_whatever_the_zone_of_the_server() {
    let server = mariadb_server();
    let mut owner = database(
        server,
        "types_timestamp",
        &["SET time_zone = '+08:00'", "CREATE TABLE t (v TIMESTAMP(6) NULL, w TIMESTAMP NULL)"],
    )
    .await;
    owner.query_drop("INSERT INTO t VALUES ('2026-01-05 10:00:00.25', '1970-01-01 08:00:01')").await.unwrap();
    let database = reader(server, "types_timestamp").await;
    let columns = vec![column("v", instant("Asia/Shanghai")), column("w", instant("Asia/Shanghai"))];
    let found = read(database.as_ref(), &relation("t"), columns).await.unwrap();
    assert_eq!(found.rows, [["2026-01-05T02:00:00.250Z", "1970-01-01T00:00:01Z"]]);
    assert_eq!(found.types, ["timestamp(6)", "timestamp"]);
    // With words for no value they come as text, with the offset that says so; the word itself as it is.
    let mut v = column("w", instant("Asia/Shanghai"));
    v.null_values = vec!["1970-01-01 00:00:01".into()];
    let found = read(database.as_ref(), &relation("t"), vec![v.clone()]).await.unwrap();
    assert_eq!(found.rows, [["1970-01-01 00:00:01"]]);
    v.null_values = vec!["x".into()];
    let found = read(database.as_ref(), &relation("t"), vec![v]).await.unwrap();
    assert_eq!(found.rows, [["1970-01-01 00:00:01+00:00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_dates_are_refused_unless_the_contract_names_them() {
    let days = "('0000-00-00'), ('2026-00-00'), ('2026-01-05')";
    let (found, rejects) = cells("zero", "DATE", days, date()).await;
    assert_eq!(found, ["-", "-", "2026-01-05"]);
    assert!(rejects[0].contains("the month or day of the date is zero"), "{rejects:?}");
    assert!(rejects[1].starts_with("2026-00-00: "), "{rejects:?}");
    let (found, rejects) = cells("zero2", "DATETIME(3)", "('0000-00-00')", instant("UTC")).await;
    assert_eq!((found[0].as_str(), rejects.len()), ("-", 1));
    assert_eq!(cells("zero3", "DATETIME", "('0000-00-00')", ValueType::Text).await.0, ["0000-00-00 00:00:00"]);
    let server = mariadb_server();
    let database = reader(server, "types_zero2").await;
    for word in ["0000-00-00", "0000-00-00 00:00:00", "0000-00-00 00:00:00.000"] {
        let mut v = column("v", instant("UTC"));
        v.null_values = vec![word.into()];
        let found = read(database.as_ref(), &relation("t"), vec![v]).await.unwrap();
        assert_eq!((found.rows[0][0].as_str(), found.rejects.len()), ("-", 0), "{word}");
    }
    // A day that the server lets through and the calendar does not have.
    let allowed =
        ["SET sql_mode = 'ALLOW_INVALID_DATES'", "CREATE TABLE t (v DATETIME)", "INSERT INTO t VALUES ('2026-02-31')"];
    super::database(server, "types_invalid", &allowed).await;
    let database = reader(server, "types_invalid").await;
    let found = read(database.as_ref(), &relation("t"), vec![column("v", instant("UTC"))]).await.unwrap();
    assert_eq!(found.rejects[0].2, "the date does not exist in the calendar");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_go_beyond_a_day() {
    let times = "('838:59:59'), ('-838:59:59'), ('26:00:00'), ('00:00:01'), (NULL)";
    let found = cells("time", "TIME", times, ValueType::Text).await.0;
    assert_eq!(found, ["838:59:59", "-838:59:59", "26:00:00", "00:00:01", "-"]);
    assert_eq!(cells("time2", "TIME(2)", "('-00:00:00.5')", ValueType::Text).await.0, ["-00:00:00.50"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_every_kind() {
    let found = cells("text", "VARCHAR(30)", "('王芳 😀'), (''), (' a '), (NULL)", ValueType::Text).await.0;
    assert_eq!(found, ["王芳 😀", "", " a ", "-"]);
    let latin = "VARCHAR(30) CHARACTER SET latin1";
    assert_eq!(cells("latin", latin, "('Grüße')", ValueType::Text).await.0, ["Grüße"]);
    assert_eq!(cells("gbk", "TEXT CHARACTER SET gbk", "('订单号')", ValueType::Text).await.0, ["订单号"]);
    let words = ValueType::Enumeration(vec!["new".into(), "it's".into()]);
    assert_eq!(cells("enum", "ENUM('new','it''s')", "('it\\'s'), (NULL)", words).await.0, ["it's", "-"]);
    assert_eq!(cells("set", "SET('a','b','c')", "('a,c'), ('')", ValueType::Text).await.0, ["a,c", ""]);
    let json = r#"('{"a": [1, "ü"]}')"#;
    assert_eq!(cells("json", "JSON", json, ValueType::Text).await.0, [r#"{"a": [1, "ü"]}"#]);
    let long = cells("long", "LONGTEXT", "(REPEAT('x', 9000000)), ('y')", ValueType::Text).await.0;
    assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [9_000_000, 1]);
    let uuid = "('123e4567-e89b-12d3-a456-426655440000')";
    assert_eq!(cells("uuid", "UUID", uuid, ValueType::Text).await.0, ["123e4567-e89b-12d3-a456-426655440000"]);
    assert_eq!(cells("inet", "INET6", "('::1')", ValueType::Text).await.0, ["::1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_hexadecimal_digits_and_no_numbers() {
    let found = cells("binary", "BINARY(4)", "(x'00ff10'), (NULL)", ValueType::Text).await.0;
    assert_eq!(found, ["00ff1000", "-"]);
    assert_eq!(cells("blob", "BLOB", "(x'e78e8b'), ('')", ValueType::Text).await.0, ["e78e8b", ""]);
    assert_eq!(cells("point", "POINT", "(POINT(1, 2))", ValueType::Text).await.0[0].len(), 50);
    let database = reader(mariadb_server(), "types_binary").await;
    let error = read(database.as_ref(), &relation("t"), vec![column("v", ValueType::Integer)]).await.unwrap_err();
    assert!(error.message().contains("`v` has the type `binary(4)` in the database"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_named_and_tables_described() {
    let server = mariadb_server();
    let table = "CREATE TABLE orders (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, number VARCHAR(20) NOT NULL COMMENT 'as printed',
        amount DECIMAL(12,2) UNSIGNED, rate DOUBLE, share FLOAT, paid TINYINT(1), flag BIT(1), wide DECIMAL(65,2),
        state ENUM('new','it''s paid') NOT NULL, visitor BINARY(8), note LONGTEXT, photo LONGBLOB, ordered DATETIME(3),
        changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, due DATE, took TIME, made YEAR,
        UNIQUE KEY a_number (number), UNIQUE KEY b (amount), PRIMARY KEY (id)) COMMENT 'what was sold'";
    let statements = [
        table,
        "CREATE VIEW open_orders AS SELECT id, number FROM orders",
        "CREATE TABLE keyless (a INT NULL UNIQUE, b VARCHAR(300) NOT NULL, c INT NOT NULL, d INT NOT NULL,
            UNIQUE KEY prefix (b(10)), UNIQUE KEY whole (d, c))",
        "CREATE TABLE other (a INT)",
    ];
    database(server, "described", &statements).await;
    let database = reader(server, "described").await;
    assert!(database.version().await.unwrap().starts_with("MariaDB 1"), "{:?}", database.version().await);
    let tables = database.tables().await.unwrap();
    let own: Vec<_> = tables.iter().filter(|t| t.in_default_schema).map(|t| (t.name.as_str(), t.is_view)).collect();
    assert_eq!(own, [("keyless", false), ("open_orders", true), ("orders", false), ("other", false)]);
    let found = database.describe("orders").await.unwrap();
    assert_eq!(
        (found.key.as_slice(), found.comment.as_deref()),
        (["id".to_string()].as_slice(), Some("what was sold"))
    );
    let types: Vec<_> = found.columns.iter().map(|c| (c.name.as_str(), c.data_type.clone())).collect();
    let words = ValueType::Enumeration(vec!["new".into(), "it's paid".into()]);
    assert_eq!(
        types,
        [
            ("id", ValueType::Integer),
            ("number", ValueType::Text),
            ("amount", decimal(12, 2)),
            ("rate", ValueType::Float),
            ("share", ValueType::Float),
            ("paid", ValueType::Integer),
            ("flag", ValueType::Boolean),
            ("wide", ValueType::Text),
            ("state", words),
            ("visitor", ValueType::Text),
            ("note", ValueType::Text),
            ("photo", ValueType::Text),
            ("ordered", instant("UTC")),
            ("changed", instant("UTC")),
            ("due", date()),
            ("took", ValueType::Text),
            ("made", ValueType::Integer),
        ]
    );
    assert!(found.columns[0].required && !found.columns[2].required);
    assert_eq!(found.columns[1].comment.as_deref(), Some("as printed"));
    assert_eq!(database.describe("keyless").await.unwrap().key, ["d", "c"]);
    assert_eq!(database.describe("described.open_orders").await.unwrap().key, [""; 0]);
    let read = read(database.as_ref(), &relation("orders"), vec![]).await.unwrap();
    assert_eq!(
        read.types,
        [
            "bigint unsigned",
            "varchar(20)",
            "decimal(12,2) unsigned",
            "double",
            "float",
            "tinyint(1)",
            "bit(1)",
            "decimal(65,2)",
            "enum",
            "binary(8)",
            "text",
            "blob",
            "datetime(3)",
            "timestamp",
            "date",
            "time",
            "year"
        ]
    );
    assert_eq!(read.fields.len(), 17);
}
