//! A connection to an SFTP server: reached, known by its key, logged in.

use super::account::{self, Account};
use super::host_key::{HostKeys, Known};
use super::{Fault, Server};
use crate::error::{Error, Result};
use russh::ChannelMsg;
use russh::client::{self, Handle};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use russh_sftp::client::SftpSession;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// A connection on which nothing happens is asked for a sign of life this often, so that nothing between us and the server
/// takes it for forgotten.
const KEEP_ALIVE_SECONDS: u64 = 15;
/// Parts of a file asked for at once.
const READS_AHEAD: usize = 8;

/// A connection, logged in.
pub(super) struct Connection {
    pub(super) sftp: SftpSession,
    handle: Handle<Guard>,
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

/// Looks at the server's key while the connection is made.
pub(super) struct Guard {
    server: String,
    keys: HostKeys,
}

/// Why a connection was not made: the library's reason or ours.
#[derive(Debug)]
pub(super) enum Refusal {
    Library(russh::Error),
    Ours(Error),
}

impl From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Refusal {
        Refusal::Library(error)
    }
}

impl client::Handler for Guard {
    type Error = Refusal;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        self.keys.check(&self.server, &shown.public_key()).map(|()| true).map_err(Refusal::Ours)
    }
}

/// Connects and logs in.
///
/// # Errors
/// Of kind `Project` when secrets are missing, the server's key is not known or the account is refused; `Unreachable` when
/// the server does not answer.
pub(super) async fn connect(server: &Server) -> Result<Connection> {
    let account = Account::of(server)?;
    let keys = HostKeys::read(server)?;
    let config = Arc::new(config(server, keys.known()));
    let stream = reach(server).await?;
    let guard = Guard { server: server.name(), keys };
    let mut handle =
        in_time(server, client::connect_stream(config, stream, guard)).await?.map_err(|refusal| match refusal {
            Refusal::Ours(error) => error,
            Refusal::Library(error) => no_ssh(server, error),
        })?;
    in_time(server, account::log_in(&mut handle, server, account)).await??;
    let sftp = in_time(server, subsystem(&handle, server)).await??;
    Ok(Connection { sftp, handle })
}

/// A step of the connection, which may not take longer than the contract allows.
async fn in_time<T>(server: &Server, step: impl Future<Output = T>) -> Result<T> {
    let seconds = server.access.connect_timeout_seconds;
    tokio::time::timeout(Duration::from_secs(seconds), step).await.map_err(|_| {
        Error::unreachable(format!("{} does not answer within {seconds} seconds", server.name()))
            .hint("look whether the server runs; `connect_timeout_seconds` says how long it is waited for")
    })
}

async fn reach(server: &Server) -> Result<TcpStream> {
    let stream = in_time(server, TcpStream::connect((server.host.as_str(), server.port))).await?;
    let stream =
        stream.map_err(|e| Error::unreachable(format!("{} cannot be reached: {e}", server.name())).because(e))?;
    // Small requests are not held back; a system that cannot do this is only slower.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn no_ssh(server: &Server, error: russh::Error) -> Error {
    let name = server.name();
    let message = match &error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            format!("{name} and this program have no algorithm in common ({kind:?}): it offers {}", theirs.join(", "))
        }
        russh::Error::Version => format!("what answers at {name} is no SSH server"),
        error => format!("{name} ended the connection before it stood: {error}"),
    };
    Error::unreachable(message).because(error)
}

/// Signs of life must not end a connection sooner than the time-out that the contract gives.
fn config(server: &Server, known: &[Known]) -> client::Config {
    let patience = server.access.read_timeout_seconds.max(1);
    let interval = KEEP_ALIVE_SECONDS.min(patience);
    let mut config = client::Config {
        keepalive_interval: Some(Duration::from_secs(interval)),
        keepalive_max: patience.div_ceil(interval) as usize + 1,
        nodelay: true,
        ..client::Config::default()
    };
    // A server with several keys is asked for the one that is known.
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
async fn subsystem(handle: &Handle<Guard>, server: &Server) -> Result<SftpSession> {
    let refused = |error: russh::Error| {
        Error::unreachable(format!("{} lets us in but starts no SFTP: {error}", server.name())).because(error)
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
    sftp.map_err(|error| server.error(Fault::at("SFTP")(error)))
}
