//! A session: connecting, logging in, and running queries.

use super::errors::{explain, hangs, lost, tls_failed};
use super::location::{Location, Server};
use super::wire::{TlsUpgrade, Wire};
use crate::tls::client_config;
use perennial_core::contract::{Access, Tls};
use perennial_core::error::{Error, Result};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row, Statement};

/// Settings of the session, where the server has them: text that does not depend on the account's settings, and no
/// timeout that ends a transaction which waits for the others of its snapshot. A database without an encoding returns
/// bytes as they are, so that one invalid character rejects a row and not the table.
const SETTINGS: &str = "SELECT set_config(wanted.name, wanted.setting, false) \
    FROM (VALUES ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), \
    ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('default_transaction_read_only', 'on'), \
    ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), \
    ('transaction_timeout', '0'), ('client_encoding', 'SQL_ASCII')) AS wanted (name, setting) \
    JOIN pg_catalog.pg_settings AS known ON lower(known.name) = lower(wanted.name) \
    WHERE known.name <> 'client_encoding' OR pg_catalog.getdatabaseencoding() = 'SQL_ASCII'";

/// What is needed to connect.
pub(super) struct Connector {
    pub(super) location: Location,
    pub(super) access: Access,
    /// What people call the server, for errors.
    pub(super) label: String,
}

impl Connector {
    fn is_encrypted(&self) -> bool {
        // PostgreSQL does not encrypt connections over a socket, which do not leave the machine.
        self.access.tls != Tls::Off && matches!(self.location.server, Server::Host { .. })
    }

    fn config(&self) -> Result<Config> {
        let mut config = Config::new();
        config.user(&self.location.user).dbname(&self.location.database).application_name("perennial");
        if let Some(password) = &self.access.password {
            config.password(password.reveal()?);
        }
        config.ssl_mode(if self.is_encrypted() { SslMode::Require } else { SslMode::Disable });
        Ok(config)
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// Of kind `Unreachable` when the server cannot be reached or refuses the login, `Project` when the password or
    /// `ca_file` is missing.
    pub(super) async fn connect(&self) -> Result<Session> {
        let seconds = self.access.connect_timeout_seconds;
        let (client, connection, wire) = tokio::time::timeout(Duration::from_secs(seconds), self.log_in())
            .await
            .map_err(|_| Error::unreachable(format!("{} did not respond within {seconds} seconds", self.label)))??;
        let mut session = Session {
            client,
            connection: Some(connection),
            wire,
            label: self.label.clone(),
            read_timeout_seconds: self.access.read_timeout_seconds,
        };
        session.query(SETTINGS, &[]).await?;
        // A little less than the read timeout, so that the server can report a lock before the timeout.
        let milliseconds = (self.access.read_timeout_seconds * 900).clamp(1, 2_000_000_000);
        session.execute(&format!("SET lock_timeout = {milliseconds}")).await?;
        Ok(session)
    }

    async fn log_in(&self) -> Result<(Client, Driver, Wire)> {
        let plain = self.dial().await?;
        let made = Arc::new(Mutex::new(None));
        let host = match &self.location.server {
            Server::Host { name, .. } => name.clone(),
            Server::Socket(_) => String::new(),
        };
        let tls = TlsUpgrade { config: client_config(&self.access)?, host, made: made.clone() };
        let (client, connection) = self.config()?.connect_raw(plain.clone(), tls).await.map_err(|e| {
            if is_tls_error(&e) { tls_failed(&causes(&e), &self.label) } else { explain(e, &self.label) }
        })?;
        let encrypted = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((client, Box::pin(connection), encrypted.unwrap_or(plain)))
    }

    async fn dial(&self) -> Result<Wire> {
        let unreachable =
            |e: std::io::Error| Error::unreachable(format!("{} cannot be reached: {e}", self.label)).because(e);
        match &self.location.server {
            Server::Host { name, port } => {
                let stream = tokio::net::TcpStream::connect((name.as_str(), *port)).await.map_err(unreachable)?;
                stream.set_nodelay(true).map_err(unreachable)?;
                Ok(Wire::plain(stream))
            }
            Server::Socket(path) => Ok(Wire::plain(tokio::net::UnixStream::connect(path).await.map_err(unreachable)?)),
        }
    }
}

fn is_tls_error(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("TLS")
}

fn causes(error: &tokio_postgres::Error) -> String {
    let mut said = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        said = if said.is_empty() { cause.to_string() } else { format!("{said}: {cause}") };
        next = cause.source();
    }
    said
}

type Driver = Pin<Box<dyn Future<Output = std::result::Result<(), tokio_postgres::Error>> + Send>>;

/// A session that is logged in. Its connection is driven only while a query runs.
pub(super) struct Session {
    client: Client,
    connection: Option<Driver>,
    /// The same stream that the connection uses; only used while no query runs.
    pub(super) wire: Wire,
    pub(super) label: String,
    /// Maximum time without data from the server.
    pub(super) read_timeout_seconds: u64,
}

impl Session {
    /// Runs a query.
    pub(super) async fn query(&mut self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let Session { client, connection, label, read_timeout_seconds, .. } = self;
        drive(connection, client.query(sql, values), label, *read_timeout_seconds).await
    }

    /// Prepares a statement, which the server checks without running it.
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Statement> {
        let Session { client, connection, label, read_timeout_seconds, .. } = self;
        drive(connection, client.prepare(sql), label, *read_timeout_seconds).await
    }

    /// Runs statements without rows.
    pub(super) async fn execute(&mut self, sql: &str) -> Result<()> {
        let Session { client, connection, label, read_timeout_seconds, .. } = self;
        drive(connection, client.batch_execute(sql), label, *read_timeout_seconds).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.wire.say_goodbye();
    }
}

/// Drives a connection until its client has the answer.
async fn drive<T>(
    connection: &mut Option<Driver>,
    answer: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    label: &str,
    read_timeout_seconds: u64,
) -> Result<T> {
    let mut answer = pin!(answer);
    let both = poll_fn(|cx| {
        let mut ended = None;
        loop {
            // The query is sent when the connection is polled after the client.
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(|e| explain(e, label)));
            }
            if let Some(ended) = ended {
                return Poll::Ready(Err(ended));
            }
            let Some(driver) = connection else { return Poll::Ready(Err(lost(label))) };
            match driver.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => ended = Some(lost(label)),
                Poll::Ready(Err(e)) => ended = Some(explain(e, label)),
            }
            *connection = None;
        }
    });
    let limit = Duration::from_secs(read_timeout_seconds);
    tokio::time::timeout(limit, both).await.map_err(|_| hangs(label, read_timeout_seconds))?
}
