//! A session with a server.
//!
//! Everything is read in one transaction that sees the database as of one point in time. The session's time zone is UTC,
//! so that a `TIMESTAMP` is not shifted; its texts are UTF-8. The server's timeouts are raised, because rows are taken only
//! as fast as they are written to the lake.

use super::errors::{explain, hangs, lost};
use super::location::Location;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, SslOpts, Value};
use perennial_core::contract::{Access, Tls};
use perennial_core::error::{Error, Result};
use perennial_core::regular_file;
use std::time::Duration;
use tokio::time::timeout;

/// How long the server waits for rows to be taken, or for the next query.
const IDLE_SECONDS: u32 = 8 * 3600;

/// A session that sees the database as of its beginning.
pub(super) struct Session {
    location: Location,
    read_timeout: Duration,
    options: Opts,
    connect_timeout: Duration,
    /// `None` after it was lost, or closed in the middle of a query.
    connection: Option<Conn>,
}

impl Session {
    /// Logs in and takes the snapshot.
    ///
    /// # Errors
    /// Of kind `Project` when location or access make no sense, `Unreachable` when the server cannot be reached or
    /// refuses the login.
    pub(super) async fn open(location: Location, access: &Access) -> Result<Session> {
        let options = options(&location, access).await?;
        let connect_timeout = Duration::from_secs(access.connect_timeout_seconds);
        let read_timeout = Duration::from_secs(access.read_timeout_seconds);
        let connection = connect(&options, &location, connect_timeout).await?;
        let mut session = Session { location, read_timeout, options, connect_timeout, connection: Some(connection) };
        session.run("SET NAMES utf8mb4").await?;
        session
            .run(&format!(
                "SET SESSION time_zone = '+00:00', sql_select_limit = 18446744073709551615, \
                 net_write_timeout = {IDLE_SECONDS}, wait_timeout = {IDLE_SECONDS} \
                 /*M!100300 , idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */"
            ))
            .await?;
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        Ok(session)
    }

    /// Where the server is.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// Maximum time without data from the server.
    pub(super) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// The connection.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it was lost before.
    pub(super) fn connection(&mut self) -> Result<&mut Conn> {
        let Session { location, connection, .. } = self;
        connection.as_mut().ok_or_else(|| lost(&location.server(), "reading on"))
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        self.rows("opening the database", sql).await.map(|_| ())
    }

    /// All rows of a query that returns few. `doing` is shown in errors.
    ///
    /// # Errors
    /// As [`explain`] returns them.
    pub(super) async fn rows(&mut self, doing: &str, sql: &str) -> Result<Vec<Row>> {
        let (location, limit) = (self.location.clone(), self.read_timeout);
        let rows = timeout(limit, self.connection()?.query::<Row, _>(sql)).await;
        match rows {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                if error.is_fatal() {
                    self.close().await;
                }
                Err(explain(error, &location, doing))
            }
            Err(_) => {
                self.close().await;
                Err(hangs(&location.server(), doing, limit.as_secs()))
            }
        }
    }

    /// Cancels the running query over another connection, without ending the session. Returns whether that succeeded.
    pub(super) async fn stop_query(&mut self) -> bool {
        let Some(connection) = &self.connection else { return false };
        let kill = format!("KILL QUERY {}", connection.id());
        let Ok(mut other) = connect(&self.options, &self.location, self.connect_timeout).await else { return false };
        matches!(timeout(self.connect_timeout, other.query_drop(kill)).await, Ok(Ok(())))
    }

    /// Closes the connection at once, without reading what the server still sends.
    pub(super) async fn close(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // A dropped connection would first read, in the background, all that the server still sends. One whose command was
        // abandoned counts as broken and is closed when it is dropped.
        let _ = timeout(Duration::ZERO, connection.ping()).await;
    }
}

async fn connect(options: &Opts, location: &Location, limit: Duration) -> Result<Conn> {
    let connecting = format!("connecting to database `{}`", location.database);
    match timeout(limit, Conn::new(options.clone())).await {
        Ok(connected) => connected.map_err(|e| explain(e, location, &connecting)),
        Err(_) => {
            let seconds = limit.as_secs();
            let message = format!("{connecting}: {} did not respond within {seconds} s", location.server());
            Err(Error::unreachable(message).hint("check host and port, and whether a firewall blocks the connection"))
        }
    }
}

async fn options(location: &Location, access: &Access) -> Result<Opts> {
    let password = access.password.as_ref().map(|secret| secret.reveal()).transpose()?;
    let encrypted = location.socket.is_none() && access.tls != Tls::Off;
    let options = OptsBuilder::default()
        .ip_or_hostname(location.host.clone())
        .tcp_port(location.port)
        .socket(location.socket.clone())
        // Otherwise a server on this machine would be used over its socket, without encryption.
        .prefer_socket(false)
        .user(Some(location.user.clone()))
        .pass(password)
        .db_name(Some(location.database.clone()))
        .stmt_cache_size(0)
        .tcp_keepalive(Some(Duration::from_secs(60)))
        .ssl_opts(if encrypted { Some(encryption(access).await?) } else { None });
    Ok(options.into())
}

async fn encryption(access: &Access) -> Result<SslOpts> {
    // The driver uses the process's default cryptography; one that is already set stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if access.tls == Tls::Encrypt {
        let options = SslOpts::default().with_danger_accept_invalid_certs(true);
        return Ok(options.with_danger_skip_domain_validation(true));
    }
    // A certificate of the machine that cannot be parsed is left out, since the driver would refuse them all.
    let readable =
        |cert: &rustls::pki_types::CertificateDer<'static>| rustls::RootCertStore::empty().add(cert.clone()).is_ok();
    let machine = rustls_native_certs::load_native_certs().certs;
    let mut trusted: Vec<Vec<u8>> = machine.into_iter().filter(readable).map(|cert| cert.to_vec()).collect();
    if let Some(path) = &access.ca_file {
        let file = regular_file::read(path);
        trusted.push(
            file.map_err(|e| Error::project(format!("cannot read the certificates in `{}`: {e}", path.display())))?,
        );
    }
    Ok(SslOpts::default().with_root_certs(trusted.into_iter().map(Into::into).collect()))
}

/// The text of a cell of an internal query.
pub(super) fn text_of(row: &Row, field: usize) -> Option<String> {
    match row.as_ref(field)? {
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(value) => Some(value.to_string()),
        Value::UInt(value) => Some(value.to_string()),
        _ => None,
    }
}
