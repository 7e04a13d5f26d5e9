//! Why a request to a server did not succeed.

use perennial_core::error::Error;
use russh_sftp::client::error::Error as ProtocolError;
use russh_sftp::protocol::StatusCode;

/// An error, with the path it is about.
pub(super) struct SftpError {
    pub(super) path: String,
    pub(super) cause: Cause,
}

/// Who noticed it.
pub(super) enum Cause {
    Protocol(ProtocolError),
    Own(Error),
}

impl SftpError {
    /// An error of the protocol at a path.
    pub(super) fn at(path: &str) -> impl FnOnce(ProtocolError) -> SftpError {
        move |error| SftpError { path: path.to_string(), cause: Cause::Protocol(error) }
    }

    /// An error that says everything itself.
    pub(super) fn own(error: Error) -> SftpError {
        SftpError { path: String::new(), cause: Cause::Own(error) }
    }

    /// Whether the connection is lost, so that another one may help.
    pub(super) fn is_lost(&self) -> bool {
        matches!(&self.cause, Cause::Protocol(ProtocolError::IO(_) | ProtocolError::UnexpectedBehavior(_)))
    }

    /// Whether the path does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(&self.cause, Cause::Protocol(ProtocolError::Status(s)) if s.status_code == StatusCode::NoSuchFile)
    }
}
