//! Files on an SFTP server.
//!
//! One connection serves a whole run and is made when files are first listed. Between two files it is made once more when
//! it was lost; while a file is read, its loss is an error.

mod account;
mod connection;
mod host_key;
mod walk;

#[cfg(test)]
mod tests;

use super::bytes::{FileBytes, PIECES_AHEAD, changed};
use super::files::SourceFile;
use super::pattern::Pattern;
use crate::contract::Access;
use crate::error::{Error, Result};
use ::bytes::{Bytes, BytesMut};
use connection::Connection;
use russh_sftp::client::fs::{File, Metadata};
use russh_sftp::protocol::StatusCode;
use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{Mutex, mpsc};

/// Bytes read at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// The port of SSH.
const SSH_PORT: u16 = 22;

/// A folder on an SFTP server.
#[derive(Debug)]
pub(super) struct Sftp {
    server: Server,
    /// As asked of the server: absolute without its last slash, or `.` and below for the account's home.
    folder: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// Who is connected to, and as whom.
#[derive(Clone, Debug)]
struct Server {
    host: String,
    port: u16,
    user: String,
    access: Access,
}

/// What went wrong below a path.
struct Fault {
    path: String,
    cause: Cause,
}

enum Cause {
    Protocol(russh_sftp::client::error::Error),
    Ours(Error),
}

impl Fault {
    fn at(path: &str) -> impl FnOnce(russh_sftp::client::error::Error) -> Fault {
        move |error| Fault { path: path.to_string(), cause: Cause::Protocol(error) }
    }

    fn ours(error: Error) -> Fault {
        Fault { path: String::new(), cause: Cause::Ours(error) }
    }

    /// Whether the connection is gone, so that another one may help.
    fn is_lost(&self) -> bool {
        use russh_sftp::client::error::Error as Protocol;
        matches!(&self.cause, Cause::Protocol(Protocol::IO(_) | Protocol::UnexpectedBehavior(_)))
    }

    fn is_missing(&self) -> bool {
        use russh_sftp::client::error::Error as Protocol;
        matches!(&self.cause, Cause::Protocol(Protocol::Status(s)) if s.status_code == StatusCode::NoSuchFile)
    }
}

impl Server {
    /// `host`, or `host:port` where the port is another than SSH's.
    fn name(&self) -> String {
        match self.port {
            SSH_PORT => self.host.clone(),
            port if self.host.contains(':') => format!("[{}]:{port}", self.host),
            port => format!("{}:{port}", self.host),
        }
    }

    fn hangs(&self) -> Error {
        let seconds = self.access.read_timeout_seconds;
        Error::unreachable(format!("nothing came from {} for {seconds} seconds", self.name()))
            .hint("a server that is only slow is waited for longer with `read_timeout_seconds`")
    }

    fn error(&self, fault: Fault) -> Error {
        use russh_sftp::client::error::Error as Protocol;
        let path = fault.path;
        match fault.cause {
            Cause::Ours(error) => error,
            Cause::Protocol(Protocol::Timeout) => self.hangs(),
            Cause::Protocol(Protocol::Status(status)) => match status.status_code {
                StatusCode::NoSuchFile => Error::unreachable(format!("there is no `{path}` on {}", self.name())),
                StatusCode::PermissionDenied => {
                    Error::unreachable(format!("the account `{}` may not read `{path}` on {}", self.user, self.name()))
                }
                code => {
                    Error::unreachable(format!("{} says of `{path}`: {code} {}", self.name(), status.error_message))
                }
            },
            Cause::Protocol(error) => {
                Error::unreachable(format!("the connection to {} was lost: {error}", self.name()))
            }
        }
    }

    /// An error met while bytes of a file were read.
    fn reading(&self, path: &str, error: std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::TimedOut {
            return self.hangs().context(format!("cannot read `{path}`"));
        }
        Error::unreachable(format!("cannot read `{path}` from {}: {error}", self.name())).because(error)
    }
}

impl Sftp {
    /// The folder at a URL `sftp://[user@]host[:port]/folder`; `/~/folder` counts from the account's home. Nothing is
    /// connected yet.
    ///
    /// # Errors
    /// Of kind `Project` when the URL has no host or holds a password, or when no account is named.
    pub(super) fn open(url: &url::Url, access: &Access) -> Result<Sftp> {
        if url.password().is_some() {
            return Err(Error::project("the location of an SFTP server holds a password")
                .hint("write `password: ${SFTP_PASSWORD}` beside `location`, and the location without it"));
        }
        let host = match url.host() {
            Some(url::Host::Ipv6(address)) => address.to_string(),
            Some(host) => decoded(&host.to_string())?,
            None => return Err(Error::project(format!("`{url}` names no host")).hint("write `sftp://host/folder`")),
        };
        let named = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        let Some(user) = named.or_else(|| access.user.clone()) else {
            return Err(Error::project(format!("`{url}` does not say as whom to log in"))
                .hint("write `user: ...` beside `location`, or `sftp://user@host/folder`"));
        };
        let path = decoded(url.path())?;
        let folder = match path.strip_prefix("/~") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!(".{rest}"),
            _ => path,
        };
        let folder = folder.trim_end_matches('/').to_string();
        let server = Server { host, port: url.port().unwrap_or(SSH_PORT), user, access: access.clone() };
        Ok(Sftp { server, folder, connection: Mutex::new(None) })
    }

    /// The files that match.
    pub(super) async fn list(&self, pattern: &Pattern) -> Result<Vec<SourceFile>> {
        let connection = self.connection().await?;
        let found = match walk::walk(&connection.sftp, &self.folder, pattern).await {
            Err(fault) if fault.is_lost() => {
                let connection = self.reconnect(&connection).await?;
                walk::walk(&connection.sftp, &self.folder, pattern).await
            }
            found => found,
        };
        found.map_err(|fault| self.server.error(fault))
    }

    /// Opens a file and begins to fetch it.
    pub(super) async fn read(&self, file: &SourceFile) -> Result<FileBytes> {
        let (connection, opened) = self.open_file(file).await?;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let (server, listed) = (self.server.clone(), file.clone());
        tokio::spawn(async move {
            fetch(&server, &listed, opened, &sender).await;
            drop(connection);
        });
        Ok(FileBytes::from_pieces(&file.path, Some(file.bytes), pieces))
    }

    /// Opens a file of which parts are wanted.
    pub(super) async fn ranges(&self, file: &SourceFile) -> Result<RangeFile> {
        let (connection, opened) = self.open_file(file).await?;
        let (server, path) = (self.server.clone(), file.path.clone());
        Ok(RangeFile { server, path, opened: Mutex::new((opened, 0)), _connection: connection })
    }

    async fn open_file(&self, file: &SourceFile) -> Result<(Arc<Connection>, File)> {
        let path = walk::below(&self.folder, &file.path);
        let mut connection = self.connection().await?;
        let mut opened = connection.sftp.open(&path).await.map_err(Fault::at(&file.path));
        if opened.as_ref().is_err_and(Fault::is_lost) {
            connection = self.reconnect(&connection).await?;
            opened = connection.sftp.open(&path).await.map_err(Fault::at(&file.path));
        }
        let opened = opened.map_err(|fault| self.server.error(fault))?;
        Ok((connection, opened))
    }

    /// The connection, made when there is none.
    async fn connection(&self) -> Result<Arc<Connection>> {
        let mut held = self.connection.lock().await;
        match &*held {
            Some(connection) if !connection.is_closed() => Ok(connection.clone()),
            _ => Ok(held.insert(Arc::new(connection::connect(&self.server).await?)).clone()),
        }
    }

    /// A connection in place of a lost one, unless somebody made it meanwhile.
    async fn reconnect(&self, lost: &Arc<Connection>) -> Result<Arc<Connection>> {
        let mut held = self.connection.lock().await;
        if held.as_ref().is_some_and(|known| Arc::ptr_eq(known, lost)) {
            *held = None;
        }
        drop(held);
        self.connection().await
    }
}

/// Sends a file piece by piece to whom reads it.
async fn fetch(server: &Server, file: &SourceFile, mut opened: File, out: &mpsc::Sender<Result<Bytes>>) {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let sent = match opened.read_buf(&mut piece).await {
            Ok(0) => {
                if let Some(error) = unlike(&opened, file).await {
                    let _ = out.send(Err(error)).await;
                }
                break;
            }
            Ok(_) => out.send(Ok(piece.freeze())).await,
            Err(error) => {
                let _ = out.send(Err(server.reading(&file.path, error))).await;
                break;
            }
        };
        if sent.is_err() {
            break;
        }
    }
}

/// Whether a file that was read is another now than it was when it was listed. A server that does not say is believed; the
/// size is compared in any case.
async fn unlike(opened: &File, file: &SourceFile) -> Option<Error> {
    let now = opened.metadata().await.ok()?;
    let modified = modified(&now)?;
    (modified != file.modified)
        .then(|| changed(&file.path, &format!("last changed {} when listed, {modified} when read", file.modified)))
}

/// When a file was last changed, in whole seconds, which is all that the protocol tells.
fn modified(data: &Metadata) -> Option<jiff::Timestamp> {
    data.mtime.and_then(|seconds| jiff::Timestamp::from_second(i64::from(seconds)).ok())
}

/// An opened file of which parts are read.
pub(super) struct RangeFile {
    server: Server,
    path: String,
    /// The file and where its next byte is read from.
    opened: Mutex<(File, u64)>,
    _connection: Arc<Connection>,
}

impl RangeFile {
    /// The bytes of a range, all of them.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let mut opened = self.opened.lock().await;
        let (file, position) = &mut *opened;
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let read = async {
            if *position != range.start {
                file.seek(SeekFrom::Start(range.start)).await?;
            }
            file.read_exact(&mut bytes).await
        };
        if let Err(error) = read.await {
            *position = u64::MAX;
            return Err(match error.kind() {
                std::io::ErrorKind::UnexpectedEof => changed(&self.path, "it became shorter"),
                _ => self.server.reading(&self.path, error),
            });
        }
        *position = range.end;
        Ok(bytes.into())
    }
}

/// A part of a URL with `%20` and its like as letters.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::project(format!("`{text}` stands for letters that are not UTF-8")))
}
