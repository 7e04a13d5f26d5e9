//! The bytes of one file: counted, hashed where that tells versions apart, and decompressed.

use super::compression::Compression;
use super::file::{SourceFile, changed, unreadable};
use super::held::HeldHashes;
use super::local_file::LocalFile;
use super::whole_lines::WholeLines;
use bytes::Bytes;
use perennial_core::error::{Error, Result};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Bytes read at a time when a whole file is hashed.
const BUFFER_BYTES: usize = 256 * 1024;
/// Pieces of a remote file fetched ahead of the reader.
pub(crate) const PIECES_AHEAD: usize = 16;

/// One opened file.
pub struct FileBytes {
    name: String,
    /// As listed; unknown for content that is produced while it is read.
    expected_bytes: Option<u64>,
    origin: Origin,
    state: Arc<ReadState>,
    /// What follows the last line end is left out.
    whole_lines: bool,
    /// Where hashes of its uncompressed content are wanted.
    held: Option<HeldHashes>,
}

enum Origin {
    Local(Arc<LocalFile>),
    Remote { pieces: mpsc::Receiver<Result<Bytes>>, current: Bytes },
}

/// What is known of a file while it is read.
#[derive(Default)]
struct ReadState {
    bytes: AtomicU64,
    hash: Mutex<Option<blake3::Hasher>>,
    failure: Mutex<Option<Error>>,
}

impl ReadState {
    /// Bytes of the file read so far, before decompression.
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn fail(&self, error: Error) -> io::Error {
        let text = error.to_string();
        *lock(&self.failure) = Some(error);
        io::Error::other(text)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileBytes {
    pub(crate) fn open_local(path: &Path, file: &SourceFile) -> Result<FileBytes> {
        let opened = Arc::new(LocalFile::open(path, file)?);
        let state = ReadState { hash: Mutex::new(Some(blake3::Hasher::new())), ..ReadState::default() };
        Ok(FileBytes {
            name: file.path.clone(),
            expected_bytes: Some(file.bytes),
            origin: Origin::Local(opened),
            state: Arc::new(state),
            whole_lines: false,
            held: None,
        })
    }

    /// A file whose pieces another task fetches, at most [`PIECES_AHEAD`] before they are read. Fewer or more bytes than
    /// expected are an error at the end of the file.
    pub(crate) fn from_pieces(
        name: &str,
        expected_bytes: Option<u64>,
        pieces: mpsc::Receiver<Result<Bytes>>,
    ) -> FileBytes {
        let origin = Origin::Remote { pieces, current: Bytes::new() };
        let name = name.to_string();
        FileBytes { name, expected_bytes, origin, state: Arc::default(), whole_lines: false, held: None }
    }

    /// Leaves out a last line that has no line end yet; [`HeldHashes`] tell whether there is one.
    pub fn only_whole_lines(&mut self) {
        self.whole_lines = true;
    }

    /// Hashes of its uncompressed content, of the first bytes and of all, which are known when it has been read.
    pub fn hash_held(&mut self, start_bytes: u64) -> HeldHashes {
        self.held.insert(HeldHashes::new(start_bytes)).clone()
    }

    /// The text in it, decompressed when its first bytes are those of gzip or zstd. Blocks.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read.
    pub(crate) fn into_text(mut self) -> Result<TextInput> {
        let mut magic = Vec::new();
        let name = self.name.clone();
        let (state, expected_bytes, local) = (self.state.clone(), self.expected_bytes, self.local());
        let head = self.by_ref().take(Compression::MAGIC_BYTES).read_to_end(&mut magic);
        head.map_err(|e| failure(&state, &name, &e))?;
        let compression = Compression::of(&magic);
        let (held, whole_lines) = (self.held.take(), self.whole_lines);
        let reader = compression.decompress(Cursor::new(magic).chain(self))?;
        let reader = match held {
            Some(hashes) if whole_lines => Box::new(WholeLines::of(hashes.clone().of(reader), hashes)),
            Some(hashes) => hashes.of(reader),
            None => reader,
        };
        Ok(TextInput { name, expected_bytes, local, reader, state, compression })
    }

    fn local(&self) -> Option<Arc<LocalFile>> {
        match &self.origin {
            Origin::Local(local) => Some(local.clone()),
            Origin::Remote { .. } => None,
        }
    }

    /// The BLAKE3 hash of the whole content. Blocks.
    pub(crate) fn hash_all(mut self) -> Result<String> {
        let state = self.state.clone();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => return Err(failure(&state, &self.name, &e)),
            }
        }
        self.local().map_or(Ok(()), |local| local.check_unchanged())?;
        Ok(finish_hash(&state).unwrap_or_default())
    }
}

/// The hash of what was read, where one is kept.
fn finish_hash(state: &ReadState) -> Option<String> {
    lock(&state.hash).take().map(|hash| hash.finalize().to_hex().to_string())
}

fn failure(state: &ReadState, name: &str, error: &io::Error) -> Error {
    let known = lock(&state.failure).take();
    known.unwrap_or_else(|| Error::unreachable(format!("cannot read `{name}`: {error}")))
}

impl Read for FileBytes {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.origin {
            Origin::Local(local) => loop {
                let target = local.limit(target, self.state.bytes());
                match (&local.file).read(target) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => {
                        let error = unreadable(&self.name, e);
                        return Err(self.state.fail(error));
                    }
                    Ok(count) => break count,
                }
            },
            Origin::Remote { pieces, current } => {
                while current.is_empty() {
                    match pieces.blocking_recv() {
                        None => return Ok(0),
                        Some(Ok(piece)) => *current = piece,
                        Some(Err(error)) => return Err(self.state.fail(error)),
                    }
                }
                let count = current.len().min(target.len());
                target[..count].copy_from_slice(&current.split_to(count));
                count
            }
        };
        self.state.bytes.fetch_add(count as u64, Ordering::Relaxed);
        if let Some(hash) = lock(&self.state.hash).as_mut() {
            hash.update(&target[..count]);
        }
        Ok(count)
    }
}

/// The decompressed bytes of one file, still in the file's encoding.
pub(crate) struct TextInput {
    /// Path of the file, for errors.
    pub(crate) name: String,
    expected_bytes: Option<u64>,
    /// The file, if it is on this machine.
    local: Option<Arc<LocalFile>>,
    reader: Box<dyn Read + Send>,
    state: Arc<ReadState>,
    compression: Compression,
}

impl TextInput {
    /// Wraps the bytes in another reader (a character decoder, or one that puts back bytes already read).
    pub(crate) fn layer(mut self, over: impl FnOnce(Box<dyn Read + Send>) -> Box<dyn Read + Send>) -> TextInput {
        self.reader = over(self.reader);
        self
    }

    /// Fills as much of the target as possible; fewer bytes than asked for mean the end of the file. `line` is the last
    /// known line, for errors.
    pub(crate) fn fill(&mut self, target: &mut [u8], line: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < target.len() {
            match self.reader.read(&mut target[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.broken(&e, line + count_lines(&target[..filled]))),
            }
        }
        Ok(filled)
    }

    fn broken(&self, error: &io::Error, line: u64) -> Error {
        if let Some(known) = lock(&self.state.failure).take() {
            return known;
        }
        let what = self.compression.name();
        let how = if error.kind() == io::ErrorKind::UnexpectedEof { "is truncated" } else { "is damaged" };
        let bytes = self.state.bytes();
        Error::data(format!("`{}`: the {what} {how} at byte {bytes}, after line {line}: {error}", self.name))
            .hint("replace the file and run again; none of its rows were loaded")
    }

    /// Ends reading; returns the content's hash where one is kept.
    ///
    /// # Errors
    /// When the file changed while it was read.
    pub(crate) fn finish(&mut self) -> Result<Option<String>> {
        let read = self.state.bytes();
        if let Some(expected) = self.expected_bytes.filter(|expected| *expected != read) {
            return Err(changed(&self.name, &format!("{expected} bytes listed, {read} read")));
        }
        self.local.as_ref().map_or(Ok(()), |local| local.check_unchanged())?;
        Ok(finish_hash(&self.state))
    }

    /// Bytes of the file read so far, before decompression.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.bytes()
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
