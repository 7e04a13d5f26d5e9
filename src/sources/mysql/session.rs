//! A session with a server: how it is opened, and what holds in it.
//!
//! All is read in one transaction that sees the database as it was at one moment. Its time zone is UTC, so that a
//! `TIMESTAMP` is what it is; its texts are UTF-8. The server is told to be patient, as rows are taken only as fast as
//! they are written to the lake.

use super::address::Address;
use super::errors::{explain, hangs, lost};
use crate::contract::{Access, Tls};
use crate::error::{Error, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, SslOpts, Value};
use std::time::Duration;
use tokio::time::timeout;

/// How long the server may find nobody who takes its rows, or nobody who asks.
const PATIENCE_SECONDS: u32 = 8 * 3600;

/// A session in which everything is seen as it was when it was opened.
pub(super) struct Session {
    address: Address,
    read_timeout: Duration,
    options: Opts,
    connect_timeout: Duration,
    /// None after it was lost, or closed in the middle of something.
    connection: Option<Conn>,
}

impl Session {
    /// Logs in and takes the snapshot.
    ///
    /// # Errors
    /// Of kind `Project` when location or access make no sense, `Unreachable` when the server does not let us in.
    pub(super) async fn open(address: Address, access: &Access) -> Result<Session> {
        let options = options(&address, access).await?;
        let connect_timeout = Duration::from_secs(access.connect_timeout_seconds);
        let read_timeout = Duration::from_secs(access.read_timeout_seconds);
        let connection = connect(&options, &address, connect_timeout).await?;
        let mut session = Session { address, read_timeout, options, connect_timeout, connection: Some(connection) };
        session.run("SET NAMES utf8mb4").await?;
        session
            .run(&format!(
                "SET SESSION time_zone = '+00:00', sql_select_limit = 18446744073709551615, \
                 net_write_timeout = {PATIENCE_SECONDS}, wait_timeout = {PATIENCE_SECONDS} \
                 /*M!100300 , idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */"
            ))
            .await?;
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        Ok(session)
    }

    /// Where it is.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Longest time without anything from the server.
    pub(super) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// The connection.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it was lost before.
    pub(super) fn connection(&mut self) -> Result<&mut Conn> {
        let Session { address, connection, .. } = self;
        connection.as_mut().ok_or_else(|| lost(&address.server(), "reading on"))
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        self.rows("opening the database", sql).await.map(|_| ())
    }

    /// All rows of a query of ours that has few. `doing` is said in errors.
    ///
    /// # Errors
    /// As [`explain`] has them.
    pub(super) async fn rows(&mut self, doing: &str, sql: &str) -> Result<Vec<Row>> {
        let (address, limit) = (self.address.clone(), self.read_timeout);
        let rows = timeout(limit, self.connection()?.query::<Row, _>(sql)).await;
        match rows {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                if error.is_fatal() {
                    self.close().await;
                }
                Err(explain(error, &address, doing))
            }
            Err(_) => {
                self.close().await;
                Err(hangs(&address.server(), doing, limit.as_secs()))
            }
        }
    }

    /// Ends the query that runs, from outside, without ending the session. Whether that was possible.
    pub(super) async fn stop_query(&mut self) -> bool {
        let Some(connection) = &self.connection else { return false };
        let kill = format!("KILL QUERY {}", connection.id());
        let Ok(mut other) = connect(&self.options, &self.address, self.connect_timeout).await else { return false };
        matches!(timeout(self.connect_timeout, other.query_drop(kill)).await, Ok(Ok(())))
    }

    /// Closes the connection at once, whatever is still to come over it.
    pub(super) async fn close(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // A connection that is dropped would first read, in the background, all that is still to come. One whose
        // command was left alone counts as broken and is closed by being dropped.
        let _ = timeout(Duration::ZERO, connection.ping()).await;
    }
}

async fn connect(options: &Opts, address: &Address, limit: Duration) -> Result<Conn> {
    let connecting = format!("connecting to database `{}`", address.database);
    match timeout(limit, Conn::new(options.clone())).await {
        Ok(connected) => connected.map_err(|e| explain(e, address, &connecting)),
        Err(_) => {
            let seconds = limit.as_secs();
            let message = format!("{connecting}: {} does not answer within {seconds} s", address.server());
            Err(Error::unreachable(message).hint("look at host and port, and whether a firewall stands between"))
        }
    }
}

async fn options(address: &Address, access: &Access) -> Result<Opts> {
    let password = access.password.as_ref().map(|secret| secret.reveal()).transpose()?;
    let encrypted = address.socket.is_none() && access.tls != Tls::Off;
    let options = OptsBuilder::default()
        .ip_or_hostname(address.host.clone())
        .tcp_port(address.port)
        .socket(address.socket.clone())
        // Else a server on this machine would be spoken to in the clear, over its socket.
        .prefer_socket(false)
        .user(Some(address.user.clone()))
        .pass(password)
        .db_name(Some(address.database.clone()))
        .stmt_cache_size(0)
        .tcp_keepalive(Some(Duration::from_secs(60)))
        .ssl_opts(if encrypted { Some(encryption(access).await?) } else { None });
    Ok(options.into())
}

async fn encryption(access: &Access) -> Result<SslOpts> {
    // The driver takes the process's own cryptography; where one is chosen already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if access.tls == Tls::Encrypt {
        let options = SslOpts::default().with_danger_accept_invalid_certs(true);
        return Ok(options.with_danger_skip_domain_validation(true));
    }
    // A certificate of the machine that cannot be read is left out; the driver would refuse them all.
    let readable =
        |cert: &rustls::pki_types::CertificateDer<'static>| rustls::RootCertStore::empty().add(cert.clone()).is_ok();
    let machine = rustls_native_certs::load_native_certs().certs;
    let mut trusted: Vec<Vec<u8>> = machine.into_iter().filter(readable).map(|cert| cert.to_vec()).collect();
    if let Some(path) = &access.ca_file {
        let file = tokio::fs::read(path).await;
        trusted.push(file.map_err(|e| Error::project(format!("the certificates in {}: {e}", path.display())))?);
    }
    Ok(SslOpts::default().with_root_certs(trusted.into_iter().map(Into::into).collect()))
}

/// The text of a cell of one of our own queries.
pub(super) fn text_of(row: &Row, field: usize) -> Option<String> {
    match row.as_ref(field)? {
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(value) => Some(value.to_string()),
        Value::UInt(value) => Some(value.to_string()),
        _ => None,
    }
}
