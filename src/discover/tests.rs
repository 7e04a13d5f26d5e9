//! Drafts of databases that stand: SQLite, and Northwind in PostgreSQL.

use super::*;
use crate::flow::{ProbeStatus, test_sources};
use perennial_testing::postgres_server;

fn request(location: &str, root: &Path) -> DiscoverRequest {
    DiscoverRequest {
        location: location.to_string(),
        access: Access::default(),
        name: None,
        tables: vec![],
        sample_rows: 1000,
        root: root.to_path_buf(),
        time_zone: "UTC".into(),
    }
}

/// The line of a column in a draft.
fn line<'t>(yaml: &'t str, table: &str, column: &str) -> &'t str {
    let (head, below) = (format!("  {table}:"), format!("      {column}:"));
    let mut lines = yaml.lines().skip_while(|line| *line != head);
    lines.find(|line| line.starts_with(&below)).unwrap_or_else(|| panic!("no {table}.{column} in\n{yaml}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_drafted_with_the_types_of_its_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            "CREATE TABLE orders (OrderID INTEGER PRIMARY KEY, customer TEXT NOT NULL, amount NUMERIC(12,2), \
                 updated_at TEXT, \"状态\" TEXT);
             INSERT INTO orders VALUES (1, 'li@example.cn', 12.5, '2026-01-05 10:00:00', 'open'), \
                 (2, 'wang@example.cn', 8, '2026-01-06 11:30:00', NULL);
             CREATE TABLE notes (text TEXT);
             CREATE VIEW sums AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer;",
        )
        .unwrap();
    drop(database);
    let location = format!("sqlite://{}", path.display());
    let found = discover(&request(&location, folder.path())).await.unwrap();
    assert_eq!((found.name.as_str(), found.tables.len()), ("shop", 3));
    let yaml = &found.yaml;
    assert!(line(yaml, "orders", "order_id").contains("{type: integer, from: OrderID, required: true}"), "{yaml}");
    assert!(line(yaml, "orders", "customer").contains("personal: true"), "{yaml}");
    assert!(line(yaml, "orders", "updated_at").contains("type: instant"), "{yaml}");
    assert!(line(yaml, "orders", "status").contains("from: \"状态\""), "{yaml}");
    assert!(yaml.contains("load: {incremental: {cursor: [updated_at]}}\n    key: [order_id]"), "{yaml}");
    let source = perennial_project::read_contract("shop", yaml, folder.path(), "UTC").unwrap();
    let tests = test_sources(&[&source]).await;
    assert!(tests[0].system.contains("SQLite"), "{}", tests[0].system);
    // The table without rows is a fault, and the only one.
    let status: Vec<ProbeStatus> = tests[0].tables.iter().map(|table| table.status()).collect();
    assert_eq!(status.iter().filter(|s| **s == ProbeStatus::Ok).count(), 2, "{tests:?}");
    assert_eq!(tests[0].exit_code(), 1);

    let only = DiscoverRequest { tables: vec!["ord*".into()], ..request(&location, folder.path()) };
    assert_eq!(discover(&only).await.unwrap().tables, ["orders"]);
    let with_schema = DiscoverRequest { tables: vec!["main.ord*".into()], ..request(&location, folder.path()) };
    assert_eq!(discover(&with_schema).await.unwrap().tables, ["orders"]);
    let none = DiscoverRequest { tables: vec!["x*".into()], ..request(&location, folder.path()) };
    assert_eq!(discover(&none).await.unwrap_err().exit_code(), 1);

    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("ALTER TABLE orders ADD COLUMN channel TEXT; CREATE TABLE returns (id INTEGER)").unwrap();
    let new = discover_new(&source, folder.path(), "UTC", &[], 1000).await.unwrap();
    assert_eq!((new.tables, new.columns), (vec!["returns".to_string()], vec!["orders.channel".to_string()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_spaces_and_dots_in_their_names_are_drafted_and_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let tables = "CREATE TABLE \"Order Lines\" (id INTEGER PRIMARY KEY); INSERT INTO \"Order Lines\" VALUES (1);
        CREATE TABLE \"order.notes\" (id INTEGER PRIMARY KEY); CREATE TABLE notes (id INTEGER PRIMARY KEY)";
    database.execute_batch(tables).unwrap();
    drop(database);
    let location = format!("sqlite://{}", path.display());
    for pattern in ["Order Lines", "*\"Order Lines\"*", "main.Order*", "* Lines"] {
        let only = DiscoverRequest { tables: vec![pattern.into()], ..request(&location, folder.path()) };
        assert_eq!(discover(&only).await.unwrap().tables, ["order_lines"], "{pattern}");
    }
    let only = DiscoverRequest { tables: vec!["order*".into(), "Order*".into()], ..request(&location, folder.path()) };
    let found = discover(&only).await.unwrap();
    assert_eq!(found.tables, ["order_lines", "order_notes"]);
    let source = perennial_project::read_contract("shop", &found.yaml, folder.path(), "UTC").unwrap();
    assert_eq!(source.tables[1].extraction.label(), "\"order.notes\"");
    // `notes` is not the table `order.notes`, which the contract has.
    let new = discover_new(&source, folder.path(), "UTC", &[], 1000).await.unwrap();
    assert_eq!((new.tables, new.columns), (vec!["notes".to_string()], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_locale_are_drafted_with_it_and_none_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let orders = folder.path().join("orders");
    std::fs::create_dir(&orders).unwrap();
    let rows = "number;amount;share\nA-1;1.234,50;1,234\nA-2;12,00;5,678\nA-3;-7;9,012\n";
    std::fs::write(orders.join("orders.csv"), rows).unwrap();
    let found = discover(&request(orders.to_str().unwrap(), folder.path())).await.unwrap();
    let amount = "{type: decimal, precision: 18, scale: 2, locale: european, required: true}";
    assert!(line(&found.yaml, "orders", "amount").contains(amount), "{}", found.yaml);
    // Thousands or fractions: both notations read them, so a person decides.
    assert!(line(&found.yaml, "orders", "share").contains("{type: text"), "{}", found.yaml);
    let source = perennial_project::read_contract(&found.name, &found.yaml, folder.path(), "UTC").unwrap();
    let tests = test_sources(&[&source]).await;
    assert_eq!((tests[0].rejected(), tests[0].exit_code()), (0, 0), "{tests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn northwind_is_drafted_with_keys_types_and_persons_and_refuses_nothing() {
    let Some(server) = postgres_server() else { return };
    let Some(data) = std::env::var_os("PERENNIAL_REAL_DATA") else { return };
    let dump = Path::new(&data).join("northwind/northwind.sql");
    if !dump.exists() {
        return;
    }
    server.database("northwind_drafted");
    let done = server.program("psql").args(["-X", "-q", "-d", "northwind_drafted", "-f"]).arg(dump).output().unwrap();
    assert!(done.status.success());
    server.sql("northwind_drafted", "ALTER TABLE orders ADD write_date timestamp DEFAULT now() NOT NULL");
    server.sql("northwind_drafted", "COMMENT ON TABLE orders IS 'Orders: one row each'");
    let folder = tempfile::tempdir().unwrap();
    let location = format!("postgresql://localhost:{}/northwind_drafted", server.port);
    let request = DiscoverRequest {
        access: Access { user: Some("postgres".into()), tls: Tls::Off, ..Access::default() },
        ..request(&location, folder.path())
    };
    let found = discover(&request).await.unwrap();
    let yaml = &found.yaml;
    let count =
        server.sql("northwind_drafted", "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'");
    assert_eq!(found.tables.len().to_string(), count);
    assert!(yaml.contains("tls: \"off\"") && yaml.contains("user: postgres"), "{yaml}");
    assert!(yaml.contains("description: \"Orders: one row each\""), "{yaml}");
    assert!(yaml.contains("load: {incremental: {cursor: [write_date]}}\n    key: [order_id]"), "{yaml}");
    assert!(yaml.contains("key: [order_id, product_id]"), "{yaml}");
    assert!(line(yaml, "orders", "order_id").contains("{type: integer, required: true}"), "{yaml}");
    assert!(line(yaml, "orders", "order_date").contains("type: date"), "{yaml}");
    assert!(line(yaml, "orders", "write_date").contains("has no time zone"), "{yaml}");
    assert!(line(yaml, "customers", "contact_name").contains("personal: true"), "{yaml}");
    assert!(line(yaml, "customers", "phone").contains("personal: true"), "{yaml}");
    assert!(!line(yaml, "products", "product_name").contains("personal"), "{yaml}");
    let source = perennial_project::read_contract(&found.name, yaml, folder.path(), "UTC").unwrap();
    let tests = test_sources(&[&source]).await;
    assert!(tests[0].error.is_none(), "{tests:?}");
    assert!(tests[0].system.starts_with("PostgreSQL"), "{}", tests[0].system);
    assert_eq!(tests[0].rejected(), 0, "{tests:?}");
    for table in &tests[0].tables {
        let rows = server.sql("northwind_drafted", &format!("SELECT count(*) FROM {}", table.table));
        assert_eq!(table.found.as_ref().unwrap().rows().to_string(), rows, "{}", table.table);
    }
}

#[tokio::test]
async fn a_service_and_an_account_that_are_not_there_are_told_and_no_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "s3cretword").unwrap();
    let access = Access { user: Some("reader".into()), password: Some(Secret::File(secret)), ..Access::default() };
    let location = "postgresql://localhost:1/erp";
    let request = DiscoverRequest { access: access.clone(), ..request(location, folder.path()) };
    let problems = discover(&request).await.unwrap_err();
    assert_eq!(problems.exit_code(), 3);
    assert!(!format!("{problems:?}").contains("s3cretword"));
    let keys = super::access(&access, "erp");
    assert!(keys.iter().all(|(_, value)| !value.contains("s3cretword")), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_not_said_to_be_known() {
    let folder = tempfile::tempdir().unwrap();
    let orders = folder.path().join("orders");
    std::fs::create_dir(&orders).unwrap();
    std::fs::write(orders.join("orders-1.csv"), "id,name\n1,a\n2,b\n").unwrap();
    let location = orders.to_str().unwrap();
    let found = discover(&request(location, folder.path())).await.unwrap();
    let source = perennial_project::read_contract(&found.name, &found.yaml, folder.path(), "UTC").unwrap();
    // A newer file has another column, and bytes of no encoding.
    std::fs::write(orders.join("orders-2.csv"), b"id,name,Rabatt\n1,a\xff\xff,5\n").unwrap();
    let new = discover_new(&source, folder.path(), "UTC", &[], 1000).await.unwrap();
    assert_eq!((new.columns.len(), new.left_out.len()), (0, 1));
    assert!(new.left_out[0].contains("its encoding is neither UTF-8, GB18030 nor Big5"), "{:?}", new.left_out);
}
