//! Files on an SFTP server.
//!
//! One connection serves a whole run and is opened when files are first listed. When it is lost between two files it is
//! opened once more; while a file is read, its loss is an error.

mod connection;
mod credentials;
mod error;
mod host_key;
mod server;
mod walk;

#[cfg(test)]
mod tests;

use super::bytes::{FileBytes, PIECES_AHEAD};
use super::file::{Listing, SourceFile, changed};
use super::file_store::FileStore;
use super::pattern::Pattern;
use super::random_access::{RandomAccess, RangeReader};
use bytes::{Bytes, BytesMut};
use connection::Connection;
use error::SftpError;
use perennial_core::contract::Access;
use perennial_core::error::{Error, Result};
use russh_sftp::client::fs::File;
use server::Server;
use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{Mutex, mpsc};

/// Bytes read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// A folder on an SFTP server.
#[derive(Debug)]
pub(crate) struct Sftp {
    server: Server,
    /// As the server is asked for it: absolute without its last slash, or `.` and below for the account's home.
    folder: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Sftp {
    /// The folder at a URL `sftp://[user@]host[:port]/folder`; `/~/folder` counts from the account's home. Nothing is
    /// connected yet.
    ///
    /// # Errors
    /// Of kind `Project` when the URL has no host or contains a password, or when no user is named.
    pub(crate) fn open(location: &str, access: &Access) -> Result<Sftp> {
        let (server, path) = Server::parse(location, access)?;
        let folder = match path.strip_prefix("/~") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!(".{rest}"),
            _ => path,
        };
        Ok(Sftp { server, folder: folder.trim_end_matches('/').to_string(), connection: Mutex::new(None) })
    }

    async fn open_file(&self, file: &SourceFile) -> Result<(Arc<Connection>, File)> {
        let path = walk::below(&self.folder, &file.path);
        let mut connection = self.connection().await?;
        let mut opened = connection.sftp.open(&path).await.map_err(SftpError::at(&file.path));
        if opened.as_ref().is_err_and(SftpError::is_lost) {
            connection = self.reconnect(&connection).await?;
            opened = connection.sftp.open(&path).await.map_err(SftpError::at(&file.path));
        }
        let opened = opened.map_err(|error| self.server.error(error))?;
        Ok((connection, opened))
    }

    /// The connection, opened when there is none.
    async fn connection(&self) -> Result<Arc<Connection>> {
        let mut held = self.connection.lock().await;
        match &*held {
            Some(connection) if !connection.is_closed() => Ok(connection.clone()),
            _ => Ok(held.insert(Arc::new(connection::connect(&self.server).await?)).clone()),
        }
    }

    /// A connection in place of a lost one, unless it was replaced meanwhile.
    async fn reconnect(&self, lost: &Arc<Connection>) -> Result<Arc<Connection>> {
        let mut held = self.connection.lock().await;
        if held.as_ref().is_some_and(|known| Arc::ptr_eq(known, lost)) {
            *held = None;
        }
        drop(held);
        self.connection().await
    }
}

#[async_trait::async_trait]
impl FileStore for Sftp {
    async fn list(&self, pattern: &Pattern) -> Result<Listing> {
        let connection = self.connection().await?;
        let found = match walk::walk(&connection.sftp, &self.folder, pattern).await {
            Err(error) if error.is_lost() => {
                let connection = self.reconnect(&connection).await?;
                walk::walk(&connection.sftp, &self.folder, pattern).await
            }
            found => found,
        };
        found.map_err(|error| self.server.error(error))
    }

    async fn read(&self, file: &SourceFile) -> Result<FileBytes> {
        let (connection, opened) = self.open_file(file).await?;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let (server, listed) = (self.server.clone(), file.clone());
        tokio::spawn(async move {
            fetch(&server, &listed, opened, &sender).await;
            drop(connection);
        });
        Ok(FileBytes::from_pieces(&file.path, Some(file.bytes), pieces))
    }

    fn random_access<'a>(&'a self, file: &'a SourceFile) -> RandomAccess<'a> {
        RandomAccess::Remote(Box::pin(async move {
            let (connection, opened) = self.open_file(file).await?;
            let (server, listed, opened) = (self.server.clone(), file.clone(), Mutex::new((opened, 0)));
            Ok(Box::new(RemoteFile { server, listed, opened, _connection: connection }) as Box<dyn RangeReader>)
        }))
    }
}

/// Sends a file piece by piece to its reader.
async fn fetch(server: &Server, file: &SourceFile, mut opened: File, out: &mpsc::Sender<Result<Bytes>>) {
    let mut left = if file.grows { file.bytes } else { u64::MAX };
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let read = if left == 0 { Ok(0) } else { opened.read_buf(&mut piece).await };
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= piece.len() as u64;
        let sent = match read {
            Ok(0) => {
                if let Some(error) = modification(&opened, file).await {
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

/// An error when a file was modified between being listed and being read. A server that does not say so is believed; of
/// what is read as a stream the size is compared in any case.
async fn modification(opened: &File, file: &SourceFile) -> Option<Error> {
    let now = opened.metadata().await.ok()?;
    let is_listed = |bytes: u64| bytes == file.bytes || file.grows && bytes > file.bytes;
    if let Some(bytes) = now.size.filter(|bytes| !is_listed(*bytes)) {
        return Some(changed(&file.path, &format!("{} bytes when listed, {bytes} when read", file.bytes)));
    }
    let modified = walk::modified(&now).filter(|_| !file.grows)?;
    (modified != file.modified)
        .then(|| changed(&file.path, &format!("last modified {} when listed, {modified} when read", file.modified)))
}

/// An opened file of which parts are read.
struct RemoteFile {
    server: Server,
    listed: SourceFile,
    /// The file and the position of its next byte.
    opened: Mutex<(File, u64)>,
    _connection: Arc<Connection>,
}

#[async_trait::async_trait]
impl RangeReader for RemoteFile {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
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
                std::io::ErrorKind::UnexpectedEof => changed(&self.listed.path, "it became shorter"),
                _ => self.server.reading(&self.listed.path, error),
            });
        }
        *position = range.end;
        Ok(bytes.into())
    }

    async fn check_unchanged(&self) -> Result<()> {
        let opened = self.opened.lock().await;
        modification(&opened.0, &self.listed).await.map_or(Ok(()), Err)
    }
}
