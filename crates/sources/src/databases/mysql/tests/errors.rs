//! Servers that refuse, end, hang or are not there, and mistakes in a contract.

use super::*;
use perennial_core::error::{Error, Kind};
use std::time::Instant;

/// A table that takes a while to read.
const MANY: &str = "INSERT INTO many SELECT seq, REPEAT('x', 200) FROM seq_1_to_200000";

async fn many(name: &str) -> Conn {
    let statements = ["CREATE TABLE many (id INT PRIMARY KEY, x TEXT) ENGINE = InnoDB", MANY];
    database(mariadb_server(), name, &statements).await
}

async fn refused(location: &str, access: &Access) -> Error {
    match open(location, access).await {
        Ok(_) => panic!("{location} was opened"),
        Err(error) => error,
    }
}

/// Kind, message and hint, in one line.
fn said(error: &Error) -> String {
    format!("{:?}: {} [{}]", error.kind(), error.message(), error.hint_text().unwrap_or(""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_account_or_database_is_said() {
    let server = mariadb_server();
    let location = server.location("information_schema");
    let error = refused(&location, &access(("reader", "s3cret"))).await;
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("Access denied for user 'reader'"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    let error = refused(&location, &access(("nobody", "x"))).await;
    assert!(error.message().contains("'nobody'"), "{error}");
    let error = refused(&server.location("nowhere"), &access(MariaDbServer::READER)).await;
    assert!(
        said(&error).starts_with("Project: connecting to database `nowhere`: Unknown database"),
        "{}",
        said(&error)
    );
    let missing =
        Access { password: Some(Secret::Environment("${PERENNIAL_NOT_SET}".into())), ..access(("reader", "")) };
    assert_eq!(refused(&location, &missing).await.kind(), Kind::Project);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_or_does_not_answer() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port();
    let patient = Access { connect_timeout_seconds: 1, ..access(MariaDbServer::READER) };
    // It listens and says nothing.
    let location = format!("mysql://127.0.0.1:{number}/x");
    let error = refused(&location, &patient).await;
    assert!(error.message().contains("did not respond within 1 s"), "{error}");
    drop(port);
    let error = refused(&location, &patient).await;
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains(&format!("127.0.0.1:{number}")), "{error}");
    let error = refused("mysql://localhost/x?socket=/nowhere/socket", &patient).await;
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("/nowhere/socket"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_certificates_looked_at() {
    let server = mariadb_server();
    let Some(ca_file) = server.ca_file.clone() else { return };
    database(server, "tls", &["CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)"]).await;
    let cipher = async |tls: Tls, ca_file: Option<std::path::PathBuf>, host: &str| {
        let access = Access { tls, ca_file, ..access(MariaDbServer::READER) };
        let database = open(&format!("mysql://{host}:{}/tls", server.port), &access).await?;
        let query = query(
            "SELECT VARIABLE_VALUE AS v FROM information_schema.SESSION_STATUS
            WHERE VARIABLE_NAME = 'Ssl_version'",
        );
        Ok::<_, Error>(read(database.as_ref(), &query, vec![column("v", ValueType::Text)]).await?.rows[0][0].clone())
    };
    assert_eq!(cipher(Tls::Off, None, "localhost").await.unwrap(), "");
    assert!(cipher(Tls::Encrypt, None, "127.0.0.1").await.unwrap().starts_with("TLSv1."));
    assert!(cipher(Tls::Verify, Some(ca_file.clone()), "localhost").await.unwrap().starts_with("TLSv1."));
    // Nobody the machine trusts has signed it, or it is another server's.
    let error = cipher(Tls::Verify, None, "localhost").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(said(&error).contains("cannot be encrypted") && said(&error).contains("ca_file"), "{}", said(&error));
    let error = cipher(Tls::Verify, Some(ca_file), "127.0.0.1").await.unwrap_err();
    assert!(said(&error).contains("cannot be encrypted"), "{}", said(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_this_machine_needs_no_encryption() {
    let server = mariadb_server();
    let access = Access { tls: Tls::Verify, ..access(MariaDbServer::READER) };
    let location = format!("mariadb://localhost/information_schema?socket={}", server.socket.display());
    assert!(open(&location, &access).await.unwrap().version().await.unwrap().starts_with("MariaDB "));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_exist_are_named_with_those_that_come_close() {
    let server = mariadb_server();
    let table = "CREATE TABLE customers (id INT PRIMARY KEY, `E-Mail` VARCHAR(50), name VARCHAR(50))";
    database(server, "names", &[table, "CREATE TABLE orders (id INT)", "INSERT INTO customers VALUES (1, 'a@b', 'x')"])
        .await;
    let database = reader(server, "names").await;
    let id = || vec![column("id", ValueType::Integer)];
    let failed = async |relation: Relation, columns: Vec<Column>| {
        said(&read(database.as_ref(), &relation, columns).await.unwrap_err())
    };
    assert_eq!(
        failed(relation("custmers"), id()).await,
        "Project: the database `names` has no table `custmers` [did you mean `customers`?]"
    );
    assert_eq!(
        failed(relation("customers"), vec![column("nmae", ValueType::Text)]).await,
        "Project: `customers` has no column `nmae` [did you mean `name`?]"
    );
    let error = database.describe("custmers").await.unwrap_err();
    assert!(said(&error).contains("did you mean `customers`?"), "{error}");
    let error = database.watermark(&relation("customers"), &["changed".into()]).await.unwrap_err();
    assert!(said(&error).starts_with("Project: `customers` has no column `changed`"), "{error}");
    let wrong = Relation { filter: Some("nmae = 'x'".into()), ..relation("customers") };
    assert!(failed(wrong, id()).await.starts_with("Project: reading `customers`: Unknown column 'nmae'"));
    let wrong = Relation { filter: Some("id IN (SELECT id FROM nowhere)".into()), ..relation("customers") };
    let said = failed(wrong, id()).await;
    assert!(said.starts_with("Project: reading `customers`: Table 'names.nowhere' doesn't exist"), "{said}");
    let wrong = Relation { filter: Some("id = = 1".into()), ..relation("customers") };
    assert!(
        failed(wrong, id()).await.starts_with("Project: reading `customers`: You have an error in your SQL syntax")
    );
    assert!(failed(query("SELECT * FROM nowhere"), id()).await.starts_with("Project: "));
    assert!(failed(query("SELECT id, id FROM customers"), id()).await.contains("Duplicate column name"));
    let asking = Relation { filter: Some("id = ?".into()), ..relation("customers") };
    assert!(failed(asking, id()).await.contains("a `?` outside a string"));
    let deleting = failed(query("DELETE FROM customers"), id()).await;
    assert!(deleting.starts_with("Project: "), "{deleting}");
    // Names are compared as the server does, and are called as the contract calls them.
    let found = read(database.as_ref(), &relation("customers"), vec![column("e-mail", ValueType::Text)]).await.unwrap();
    assert_eq!((found.fields, found.rows), (vec!["e-mail".to_string()], vec![vec!["a@b".to_string()]]));
    // After all these refusals the session is as good as before.
    assert_eq!(read(database.as_ref(), &relation("customers"), id()).await.unwrap().lines(), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_killed_in_the_middle_is_lost_and_not_the_end() {
    let mut owner = many("killed").await;
    let database = reader(mariadb_server(), "killed").await;
    let table = contract(vec![column("id", ValueType::Integer), column("x", ValueType::Text)]);
    let mut rows = readers(database.as_ref(), &relation("many"), &table, None).await.unwrap();
    let (first, rows) = tokio::task::spawn_blocking(move || (rows.next_rows(), rows)).await.unwrap();
    assert!(first.unwrap().is_some());
    let id: Option<u64> = owner
        .query_first("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = 'killed' AND USER = 'reader'")
        .await
        .unwrap();
    owner.query_drop(format!("KILL {}", id.unwrap())).await.unwrap();
    let error = drain(rows).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert!(error.message().starts_with("reading `many`: "), "{error}");
    let error = read(database.as_ref(), &relation("many"), vec![]).await.unwrap_err();
    assert!(error.message().contains("was lost"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_query_is_said_and_the_snapshot_stays() {
    let mut owner = many("stopped").await;
    let database = reader(mariadb_server(), "stopped").await;
    let slow =
        query("SELECT COUNT(*) AS a FROM many AS left_side, many AS right_side WHERE left_side.x <> right_side.x");
    let slow_table = contract(vec![column("a", ValueType::Integer)]);
    let reading = drain(readers(database.as_ref(), &slow, &slow_table, None).await.unwrap());
    let killing = async {
        loop {
            let running = "SELECT ID FROM information_schema.PROCESSLIST
                WHERE DB = 'stopped' AND USER = 'reader' AND INFO LIKE '%right_side%' AND TIME_MS > 100";
            if let Some(id) = owner.query_first::<u64, _>(running).await.unwrap() {
                return owner.query_drop(format!("KILL QUERY {id}")).await.unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (read_, ()) = tokio::join!(reading, killing);
    let error = read_.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().starts_with("reading `query`: the server cancelled the query"), "{error}");
    let count = query("SELECT COUNT(*) AS a FROM many");
    let found = read(database.as_ref(), &count, vec![column("a", ValueType::Integer)]).await.unwrap();
    assert_eq!(found.lines(), ["200000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_dropped_in_the_middle_leaves_the_snapshot_to_others() {
    many("dropped").await;
    let database = reader(mariadb_server(), "dropped").await;
    let table = contract(vec![column("id", ValueType::Integer), column("x", ValueType::Text)]);
    let mut rows = readers(database.as_ref(), &relation("many"), &table, None).await.unwrap();
    tokio::task::spawn_blocking(move || assert!(rows.next_rows().unwrap().is_some())).await.unwrap();
    let count = query("SELECT COUNT(*) AS a FROM many");
    let found = read(database.as_ref(), &count, vec![column("a", ValueType::Integer)]).await.unwrap();
    assert_eq!(found.lines(), ["200000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up() {
    let server = MariaDbServer::start();
    let statements = ["CREATE TABLE many (id INT PRIMARY KEY, x TEXT) ENGINE = InnoDB", MANY];
    database(&server, "hanging", &statements).await;
    let access = Access { read_timeout_seconds: 1, connect_timeout_seconds: 1, ..access(MariaDbServer::READER) };
    let opened = open(&server.location("hanging"), &access).await.unwrap();
    let table = contract(vec![column("id", ValueType::Integer), column("x", ValueType::Text)]);
    let mut rows = readers(opened.as_ref(), &relation("many"), &table, None).await.unwrap();
    let (first, rows) = tokio::task::spawn_blocking(move || (rows.next_rows(), rows)).await.unwrap();
    assert!(first.unwrap().is_some());
    server.signal("STOP");
    let began = Instant::now();
    let error = drain(rows).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    let place = format!("localhost:{}", server.port);
    assert_eq!(error.message(), format!("reading `many`: {place} sent no data for 1 second"));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    let error = refused(&server.location("hanging"), &access).await;
    assert!(error.message().contains("did not respond within 1 s"), "{error}");
    server.signal("CONT");
}
