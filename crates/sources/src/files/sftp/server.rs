//! A server and the account on it.

use super::error::{Cause, SftpError};
use crate::address::{Address, AddressStyle, host_and_port};
use perennial_core::contract::Access;
use perennial_core::error::{Error, Result};
use russh_sftp::client::error::Error as ProtocolError;
use russh_sftp::protocol::StatusCode;

/// The port of SSH.
pub(super) const SSH_PORT: u16 = 22;

const STYLE: AddressStyle =
    AddressStyle { name: "an SFTP server", form: "`sftp://user@host/folder`", port: SSH_PORT, options: &[] };

/// The server to connect to, and the account.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) access: Access,
}

impl Server {
    /// Server and path of a location.
    ///
    /// # Errors
    /// Of kind `Project` when something is missing in it or it contains a password, which is not shown.
    pub(super) fn parse(location: &str, access: &Access) -> Result<(Server, String)> {
        let address = Address::parse(location, access, &STYLE)?;
        if address.host.is_empty() {
            return Err(STYLE.missing("a host"));
        }
        let server = Server { host: address.host, port: address.port, user: address.user, access: access.clone() };
        Ok((server, address.path))
    }

    /// `host`, or `host:port` where the port is not the usual one.
    pub(super) fn name(&self) -> String {
        if self.port == SSH_PORT { self.host.clone() } else { host_and_port(&self.host, self.port) }
    }

    fn hangs(&self) -> Error {
        let seconds = self.access.read_timeout_seconds;
        Error::unreachable(format!("{} sent no data for {seconds} seconds", self.name()))
            .hint("if the server is only slow, raise `read_timeout_seconds`")
    }

    /// What an error of a request means.
    pub(super) fn error(&self, error: SftpError) -> Error {
        let path = error.path;
        match error.cause {
            Cause::Own(error) => error,
            Cause::Protocol(ProtocolError::Timeout) => self.hangs(),
            Cause::Protocol(ProtocolError::Status(status)) => match status.status_code {
                StatusCode::NoSuchFile => Error::unreachable(format!("`{path}` does not exist on {}", self.name())),
                StatusCode::PermissionDenied => {
                    Error::unreachable(format!("the user `{}` may not read `{path}` on {}", self.user, self.name()))
                }
                code => Error::unreachable(format!(
                    "{} refuses to read `{path}`: {code} {}",
                    self.name(),
                    status.error_message
                )),
            },
            Cause::Protocol(error) => {
                Error::unreachable(format!("the connection to {} was lost: {error}", self.name()))
            }
        }
    }

    /// An error while the bytes of a file were read.
    pub(super) fn reading(&self, path: &str, error: std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::TimedOut {
            return self.hangs().context(format!("cannot read `{path}`"));
        }
        Error::unreachable(format!("cannot read `{path}` from {}: {error}", self.name())).because(error)
    }
}
