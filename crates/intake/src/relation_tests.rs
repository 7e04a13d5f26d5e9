//! Tables of databases whose names must be quoted.

use super::testing::*;
use super::*;
use mysql_async::prelude::Queryable;
use perennial_core::contract::{Access, Relation, RelationRows, Secret, Tls, ValueType};
use perennial_core::error::Error;
use perennial_testing::{MariaDbServer, mariadb_server, postgres_server, source, source_table};

/// Reads an optional table, and returns the number of its rows and the notes.
async fn loaded(location: &str, access: &Access, written: &str) -> Result<(u64, Vec<String>), Error> {
    let source = Source { access: access.clone(), ..source("shop", location, vec![]) };
    let system = System::open(&source).await?;
    let relation = Relation { rows: RelationRows::Table(written.into()), filter: None };
    let table = SourceTable {
        extraction: Extraction::Relation(relation),
        load: Load::Snapshot,
        optional: true,
        ..source_table(vec![column("id", ValueType::Integer)])
    };
    let (lake, rejects) = (MemoryLake::default(), Kept::default());
    let request = LoadRequest {
        system: &system,
        source: &source,
        table: &table,
        previous: None,
        lake: &lake,
        run_id: "run1",
        max_data_files: 0,
        now: jiff::Timestamp::UNIX_EPOCH,
        rejects: &rejects,
        progress: &|_, _| {},
    };
    load_table(request).await.map(|outcome| (outcome.rows, outcome.notes))
}

/// Optional tables that are there are read, however their names are quoted; one that is not there is noted.
async fn check(location: &str, access: &Access, names: &[&str], absent: &[&str]) {
    for name in names {
        let (rows, notes) = loaded(location, access, name).await.unwrap();
        assert_eq!((rows, notes), (1, vec![]), "{name}");
    }
    for name in absent {
        let (rows, notes) = loaded(location, access, name).await.unwrap();
        let note = format!("the database has no `{name}` that the account can read; the table is empty");
        assert_eq!((rows, notes), (0, vec![note]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_tables_of_sqlite_are_found_by_any_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let tables = "CREATE TABLE \"Order Lines\" (id INTEGER); INSERT INTO \"Order Lines\" VALUES (1);
        CREATE TABLE \"order.lines\" (id INTEGER); INSERT INTO \"order.lines\" VALUES (1);";
    database.execute_batch(tables).unwrap();
    let names = ["Order Lines", "\"Order Lines\"", "main.\"order lines\"", "\"order.lines\""];
    let location = format!("sqlite://{}", path.display());
    check(&location, &Access::default(), &names, &["Order", "crm.\"Order Lines\"", "order.lines"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_tables_of_mysql_are_found_by_any_spelling() {
    let server = mariadb_server();
    let (user, password) = MariaDbServer::OWNER;
    let options = mysql_async::OptsBuilder::default();
    let options = options.socket(server.socket.to_str()).user(Some(user)).pass(Some(password));
    let mut owner = mysql_async::Conn::new(options).await.unwrap();
    for statement in [
        "CREATE DATABASE spaces",
        "CREATE TABLE spaces.`Order Lines` (id INT)",
        "INSERT INTO spaces.`Order Lines` VALUES (1)",
        "CREATE TABLE spaces.`order.lines` (id INT)",
        "INSERT INTO spaces.`order.lines` VALUES (1)",
    ] {
        owner.query_drop(statement).await.unwrap();
    }
    let names = ["Order Lines", "`Order Lines`", "spaces.`Order Lines`", "spaces.`order.lines`"];
    let (user, password) = (Some(user.into()), Some(Secret::Environment(password.into())));
    let access = Access { user, password, tls: Tls::Off, ..Access::default() };
    check(&server.location("spaces"), &access, &names, &["Order", "crm.`Order Lines`", "order.lines"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn optional_tables_of_postgresql_are_found_by_any_spelling() {
    let Some(server) = postgres_server() else { return };
    server.database("spaces");
    server.sql(
        "spaces",
        "CREATE SCHEMA sales; CREATE TABLE \"Order Lines\" AS SELECT 1 AS id; \
         CREATE TABLE sales.\"order.lines\" AS SELECT 1 AS id",
    );
    let names = ["Order Lines", "\"Order Lines\"", "public.\"Order Lines\"", "sales.\"order.lines\""];
    let access = Access { user: Some("postgres".into()), tls: Tls::Off, ..Access::default() };
    let location = format!("postgresql://localhost:{}/spaces", server.port);
    check(&location, &access, &names, &["Order", "sales.\"Order Lines\"", "\"order.lines\""]).await;
}
