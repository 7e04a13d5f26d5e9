//! What goes wrong: accounts, names, locks, servers that end or hang. Each must end in the right error, and in time.

use super::*;
use perennial_core::contract::Secret;
use perennial_core::error::{Error, Kind};
use perennial_testing::postgres_server;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MANY: &str = "SELECT i AS id, repeat('x', 100) AS word FROM generate_series(1, 20000000) AS i";

async fn refused(location: &str, access: &Access) -> Error {
    open(location, access).await.err().unwrap()
}

fn password(text: &str) -> Option<Secret> {
    // Without a variable in it the text stands for itself.
    Some(Secret::Environment(text.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_databases_that_do_not_exist_are_named() {
    let Some(server) = postgres_server() else { return };
    let as_reader = format!("postgresql://reader@localhost:{}/postgres", server.port);
    let good = Access { password: password("s3cret"), ..access() };
    assert!(open(&as_reader, &good).await.is_ok());
    let wrong = refused(&as_reader, &Access { password: password("wr0ng"), ..access() }).await;
    assert_eq!(wrong.kind(), Kind::Unreachable);
    assert!(wrong.message().contains("password authentication failed for user \"reader\""), "{wrong}");
    assert!(!format!("{wrong:?}").contains("wr0ng"));
    let none = refused(&as_reader, &access()).await;
    assert_eq!(none.kind(), Kind::Project);
    assert!(none.message().contains("requires a password"), "{none}");
    let unknown = refused(&location(server, "nowhere"), &access()).await;
    assert_eq!(unknown.kind(), Kind::Project);
    assert!(unknown.message().contains("database \"nowhere\" does not exist"), "{unknown}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = refused(&format!("postgresql://u@localhost:{closed}/x"), &access()).await;
    assert_eq!(closed.kind(), Kind::Unreachable);
    assert!(closed.message().contains("cannot be reached"), "{closed}");
    let socket = format!("postgresql://postgres@/postgres?host={}", server.folder.display());
    let with_port = socket.replace("@/", &format!("@:{}/", server.port));
    assert_eq!(refused(&socket, &access()).await.kind(), Kind::Unreachable);
    assert!(open(&with_port, &access()).await.is_ok());
    let folder = server.folder.display().to_string().replace('/', "%2F");
    let encoded = format!("postgresql://postgres@{folder}:{}/postgres", server.port);
    assert!(open(&encoded, &Access { tls: Tls::Verify, ..access() }).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_exist_are_met_with_close_ones() {
    let Some(server) = postgres_server() else { return };
    server.database("names");
    server.sql("names", "CREATE TABLE orders (id int, amount int); CREATE SCHEMA s; CREATE TABLE s.hidden (id int)");
    let database = connected(server, "names").await;
    let wanted = columns(&[("id", ValueType::Integer)]);
    let error = try_read(&database, &table("ordres"), &wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (Kind::Project, Some("did you mean `orders`?")));
    let error = try_read(&database, &table("public.order"), &wanted).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Project);
    let error = database.describe("hidden").await.unwrap_err();
    assert_eq!(error.hint_text(), Some("did you mean `s.hidden`?"));
    // What the contract promises and the table lacks is only left out; the contract's policy decides.
    let read = read(&database, &table("orders"), &[("id", ValueType::Integer), ("gone", ValueType::Text)]).await;
    assert_eq!(read.fields, ["id"]);
    let filter = Relation { filter: Some("amout > 3".into()), ..table("orders") };
    let error = try_read(&database, &filter, &wanted).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Project);
    assert!(error.message().contains("amout"), "{error}");
    server.sql("names", "CREATE ROLE nobody_there LOGIN PASSWORD 'p'; REVOKE ALL ON SCHEMA public FROM PUBLIC");
    let stranger = format!("postgresql://nobody_there@localhost:{}/names", server.port);
    let stranger = open(&stranger, &Access { password: password("p"), ..access() }).await.unwrap();
    let error = try_read(&stranger, &table("public.orders"), &wanted).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Project);
    assert!(error.hint_text().unwrap().contains("grant USAGE"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_never_given_up_silently() {
    let Some(server) = postgres_server() else { return };
    let with = |tls, ca_file| Access { tls, ca_file, ..access() };
    let place = location(server, "postgres");
    if server.tls {
        let verified = with(Tls::Verify, Some(server.folder.join("certificate.pem")));
        let database = open(&place, &verified).await.unwrap();
        let relation = query("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        let read = read(&database, &relation, &[("ssl", ValueType::Boolean), ("version", ValueType::Text)]).await;
        assert_eq!((read.column("ssl"), read.column("version")), (vec!["true".into()], vec!["TLSv1.3".into()]));
        let wrong_name = place.replace("localhost", "127.0.0.2");
        assert!(refused(&wrong_name, &verified).await.kind() == Kind::Unreachable);
        let unknown = refused(&place, &with(Tls::Verify, None)).await;
        assert_eq!(unknown.kind(), Kind::Unreachable);
        assert!(unknown.message().contains("cannot encrypt the connection"), "{unknown}");
        assert!(unknown.hint_text().unwrap().contains("ca_file"), "{unknown}");
        let many = read_many(&open(&place, &with(Tls::Encrypt, None)).await.unwrap(), 300_000).await.unwrap();
        assert_eq!(many, 300_000);
    }
    let error = refused(&place, &with(Tls::Verify, Some("/nowhere.pem".into()))).await;
    assert_eq!(error.kind(), Kind::Project);
    // A server that knows no TLS, and one whose TLS is too old: it sends the alert `protocol_version`.
    for (answer, said) in
        [(&b"N"[..], "does not support TLS"), (&b"S\x15\x03\x01\x00\x02\x02\x46"[..], "ProtocolVersion")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 8];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
            let _ = stream.read(&mut [0; 1024]);
        });
        let error = refused(&format!("postgresql://u@127.0.0.1:{port}/x"), &with(Tls::Encrypt, None)).await;
        assert_eq!(error.kind(), Kind::Unreachable);
        assert!(error.message().contains(said), "{error}");
        assert!(error.hint_text().unwrap().contains("tls: off"), "{error}");
    }
}

/// Reads so many rows of a query and returns how many came.
async fn read_many(database: &Arc<dyn Database>, rows: usize) -> Result<usize> {
    let sql = MANY.replace("20000000", &rows.to_string());
    Ok(try_read(database, &query(&sql), &columns(&[("id", ValueType::Integer), ("word", ValueType::Text)]))
        .await?
        .rows())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_ended_in_mid_table_is_an_error() {
    let Some(server) = postgres_server() else { return };
    server.database("ended");
    let database = connected(server, "ended").await;
    let contract = columns(&[("id", ValueType::Integer), ("word", ValueType::Text)]);
    let relation = query(MANY);
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: false, since: None };
    let mut reader = database.read(&request).await.unwrap().remove(0);
    let (reader, first) = tokio::task::spawn_blocking(move || {
        let first = reader.next_rows().unwrap().unwrap().batch.num_rows();
        (reader, first)
    })
    .await
    .unwrap();
    assert!(first > 0);
    let others =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ended' AND pid <> pg_backend_pid()";
    server.sql("postgres", others);
    let mut reader = reader;
    let error = tokio::task::spawn_blocking(move || {
        loop {
            match reader.next_rows() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was not reached"),
                Err(error) => return error,
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("terminating connection") || error.message().contains("ended"), "{error}");
    // The snapshot went with the others; whatever is read next says so instead of reading another moment.
    let error = read_many(&database, 3).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_ended_with_a_word() {
    let Some(server) = postgres_server() else { return };
    server.database("goodbye");
    let database = connected(server, "goodbye").await;
    assert_eq!(read_many(&database, 3).await.unwrap(), 3);
    drop(database);
    // The statistics know sessions that ended without a word.
    let asked = "SELECT sessions, sessions_abandoned FROM pg_stat_database WHERE datname = 'goodbye'";
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.sql("postgres", asked) != "2|0" {
        assert!(Instant::now() < deadline, "{}", server.sql("postgres", asked));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_waited_for_only_so_long() {
    let Some(server) = postgres_server() else { return };
    server.database("locked");
    server.sql("locked", "CREATE TABLE t (id int)");
    let mut other = server.session("locked");
    other.run("BEGIN; LOCK TABLE t");
    let impatient = Access { read_timeout_seconds: 2, ..access() };
    let database = open(&location(server, "locked"), &impatient).await.unwrap();
    let began = Instant::now();
    let error = try_read(&database, &table("t"), &columns(&[("id", ValueType::Integer)])).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("lock timeout") && error.hint_text().unwrap().contains("holds a lock"), "{error}");
    // A query that takes longer than that before its first row is taken for a server that hangs.
    let error =
        try_read(&database, &query("SELECT 1 AS id FROM pg_sleep(60)"), &columns(&[("id", ValueType::Integer)])).await;
    let error = error.unwrap_err();
    assert!(error.message().contains("sent no data for 2 seconds"), "{error}");
}

/// Passes bytes on in both directions until it is told to stop, and then keeps the connections open without a word.
fn proxy(to: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stopped = Arc::new(AtomicBool::new(false));
    let told = stopped.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (client, server) = (stream.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
            let ways = [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)];
            for (mut from, mut to) in ways {
                let told = told.clone();
                std::thread::spawn(move || {
                    let mut buffer = vec![0; 65_536];
                    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
                        while told.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(50));
                        }
                        if to.write_all(&buffer[..bytes]).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    (port, stopped)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_goes_silent_in_mid_table_is_noticed() {
    let Some(server) = postgres_server() else { return };
    let (port, stopped) = proxy(server.port);
    let impatient = Access { read_timeout_seconds: 2, connect_timeout_seconds: 3, ..access() };
    let place = format!("postgresql://postgres@127.0.0.1:{port}/postgres");
    let database = open(&place, &impatient).await.unwrap();
    let contract = columns(&[("id", ValueType::Integer), ("word", ValueType::Text)]);
    let relation = query(MANY);
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: false, since: None };
    let mut reader = database.read(&request).await.unwrap().remove(0);
    let began = Instant::now();
    let told = stopped.clone();
    let error = tokio::task::spawn_blocking(move || {
        reader.next_rows().unwrap().unwrap();
        told.store(true, Ordering::Relaxed);
        loop {
            match reader.next_rows() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was not reached"),
                Err(error) => return error,
            }
        }
    })
    .await
    .unwrap();
    assert!(error.message().contains("sent no data for"), "{error}");
    let error = refused(&place, &impatient).await;
    assert!(error.message().contains("did not respond within 3 seconds"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_or_is_stopped_is_noticed() {
    let Some(server) = PostgresServer::start() else { return };
    let impatient = Access { read_timeout_seconds: 2, connect_timeout_seconds: 2, ..access() };
    let place = location(&server, "postgres");
    let database = open(&place, &impatient).await.unwrap();
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args([name, &server.process_id.to_string()]).status().unwrap();
        assert!(sent.success());
    };
    // The process that accepts connections stands still: no new one comes about.
    signal("-STOP");
    let error = refused(&place, &impatient).await;
    assert!(error.message().contains("did not respond within 2 seconds"), "{error}");
    assert_eq!(read_many(&database, 3).await.unwrap_err().kind(), Kind::Unreachable);
    signal("-CONT");
    assert_eq!(read_many(&open(&place, &impatient).await.unwrap(), 3).await.unwrap(), 3);
    // An immediate shutdown ends all connections.
    let relation = query(MANY);
    let contract = columns(&[("id", ValueType::Integer)]);
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: false, since: None };
    let mut reader = database.read(&request).await.unwrap().remove(0);
    let process_id = server.process_id.to_string();
    let error = tokio::task::spawn_blocking(move || {
        reader.next_rows().unwrap().unwrap();
        assert!(std::process::Command::new("kill").args(["-QUIT", &process_id]).status().unwrap().success());
        loop {
            match reader.next_rows() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was not reached"),
                Err(error) => return error,
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
}
