//! A connection to an SFTP server: opened, verified by the host key, logged in.

use super::credentials::{self, Credentials};
use super::error::SftpError;
use super::host_key::{ConnectError, HostKeys, KeyVerifier, KnownKey};
use super::server::Server;
use perennial_core::error::{Error, Result};
use russh::ChannelMsg;
use russh::client::{self, Handle};
use russh::keys::Algorithm;
use russh_sftp::client::SftpSession;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Interval of keep-alive messages on an idle connection, so that no firewall in between drops it.
const KEEP_ALIVE_SECONDS: u64 = 15;
/// Parts of a file requested at the same time.
const READS_AHEAD: usize = 8;

/// A connection, logged in.
pub(super) struct Connection {
    pub(super) sftp: SftpSession,
    handle: Handle<KeyVerifier>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }
}

/// Connects and logs in.
///
/// # Errors
/// Of kind `Project` when secrets are missing, the host key is not known or the login is refused; `Unreachable` when the
/// server does not answer.
pub(super) async fn connect(server: &Server) -> Result<Connection> {
    let credentials = Credentials::of(server)?;
    let keys = HostKeys::read(server)?;
    let config = Arc::new(config(server, keys.known()));
    let stream = reach(server).await?;
    let verifier = KeyVerifier::new(server.name(), keys);
    let mut handle =
        in_time(server, client::connect_stream(config, stream, verifier)).await?.map_err(|error| match error {
            ConnectError::Own(error) => error,
            ConnectError::Library(error) => handshake_failed(server, error),
        })?;
    in_time(server, credentials::log_in(&mut handle, server, credentials)).await??;
    let sftp = in_time(server, subsystem(&handle, server)).await??;
    Ok(Connection { sftp, handle })
}

/// Limits a step of the connection to the time that the contract allows.
async fn in_time<T>(server: &Server, step: impl Future<Output = T>) -> Result<T> {
    let seconds = server.access.connect_timeout_seconds;
    tokio::time::timeout(Duration::from_secs(seconds), step).await.map_err(|_| {
        Error::unreachable(format!("{} did not respond within {seconds} seconds", server.name()))
            .hint("check that the server is running; `connect_timeout_seconds` limits the wait")
    })
}

async fn reach(server: &Server) -> Result<TcpStream> {
    let stream = in_time(server, TcpStream::connect((server.host.as_str(), server.port))).await?;
    let stream =
        stream.map_err(|e| Error::unreachable(format!("{} cannot be reached: {e}", server.name())).because(e))?;
    // Small requests are sent at once; a system that cannot do this is only slower.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn handshake_failed(server: &Server, error: russh::Error) -> Error {
    let name = server.name();
    let message = match &error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            format!("{name} has no algorithm in common with this program ({kind:?}); it offers {}", theirs.join(", "))
        }
        russh::Error::Version => format!("{name} is not an SSH server"),
        error => format!("{name} closed the connection during the handshake: {error}"),
    };
    Error::unreachable(message).because(error)
}

/// Keep-alive messages must not end a connection sooner than the timeout of the contract.
fn config(server: &Server, known: &[KnownKey]) -> client::Config {
    let patience = server.access.read_timeout_seconds.max(1);
    let interval = KEEP_ALIVE_SECONDS.min(patience);
    let mut config = client::Config {
        keepalive_interval: Some(Duration::from_secs(interval)),
        keepalive_max: patience.div_ceil(interval) as usize + 1,
        nodelay: true,
        ..client::Config::default()
    };
    // From a server with several keys, request the one that is known here.
    let is_known = |algorithm: &Algorithm| known.iter().any(|key| same_kind(&key.key.algorithm(), algorithm));
    let mut order = config.preferred.key.to_vec();
    order.sort_by_key(|algorithm| !is_known(algorithm));
    config.preferred.key = Cow::Owned(order);
    config
}

fn same_kind(a: &Algorithm, b: &Algorithm) -> bool {
    a == b || matches!((a, b), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

/// Starts SFTP on a connection that is logged in.
async fn subsystem(handle: &Handle<KeyVerifier>, server: &Server) -> Result<SftpSession> {
    let refused = |error: russh::Error| {
        Error::unreachable(format!("{} accepts the login but does not offer SFTP: {error}", server.name()))
            .because(error)
    };
    let mut channel = handle.channel_open_session().await.map_err(refused)?;
    channel.request_subsystem(true, "sftp").await.map_err(refused)?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) | None => return Err(refused(russh::Error::RequestDenied)),
            Some(_) => {}
        }
    }
    let config = russh_sftp::client::Config {
        request_timeout_secs: server.access.read_timeout_seconds,
        max_concurrent_reads: READS_AHEAD,
        ..russh_sftp::client::Config::default()
    };
    let sftp = SftpSession::new_with_config(channel.into_stream(), config).await;
    sftp.map_err(|error| server.error(SftpError::at("SFTP")(error)))
}
