//! What files hold uncompressed, so that a log is the same whatever it is called and however it is compressed.

use super::{FileBytes, Files, SourceFile};
use perennial_core::error::{Error, Result};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// The hashes of a file's uncompressed content, made while it is read.
#[derive(Clone, Debug, Default)]
pub struct HeldHashes {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    start_bytes: u64,
    bytes: u64,
    hasher: blake3::Hasher,
    start: Option<String>,
    has_unfinished_line: bool,
}

impl HeldHashes {
    /// Hashes of the first `start_bytes` bytes, or of all when there are fewer, and of everything.
    pub(crate) fn new(start_bytes: u64) -> HeldHashes {
        let state = State { start_bytes, ..State::default() };
        HeldHashes { state: Arc::new(Mutex::new(state)) }
    }

    /// The bytes read so far, the hash of the first of them, and that of all.
    pub fn read(&self) -> (u64, String, String) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let all = short(&state.hasher);
        (state.bytes, state.start.clone().unwrap_or_else(|| all.clone()), all)
    }

    /// Whether a last line without line end was left out.
    pub fn has_unfinished_line(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).has_unfinished_line
    }

    pub(super) fn note_unfinished_line(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).has_unfinished_line = true;
    }

    fn add(&self, mut bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.start.is_none() {
            let missing = usize::try_from(state.start_bytes - state.bytes).unwrap_or(usize::MAX);
            let (start, rest) = bytes.split_at(missing.min(bytes.len()));
            state.hasher.update(start);
            state.bytes += start.len() as u64;
            if state.bytes == state.start_bytes {
                state.start = Some(short(&state.hasher));
            }
            bytes = rest;
        }
        state.hasher.update(bytes);
        state.bytes += bytes.len() as u64;
    }

    /// A reader that hashes what is read from it.
    pub(crate) fn of(self, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        Box::new(Hashing { reader, hashes: self })
    }
}

struct Hashing {
    reader: Box<dyn Read + Send>,
    hashes: HeldHashes,
}

impl Read for Hashing {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(target)?;
        self.hashes.add(&target[..count]);
        Ok(count)
    }
}

/// 128 bits of the BLAKE3 hash, in hexadecimal.
fn short(hasher: &blake3::Hasher) -> String {
    let mut text = hasher.finalize().to_hex().to_string();
    text.truncate(32);
    text
}

impl Files {
    /// The hashes of the first bytes of a file's uncompressed content, for each of some lengths in ascending order; those
    /// of lengths that it does not have are left out. They equal those of [`HeldHashes`].
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read, `Data` when it is damaged.
    pub async fn beginnings(&self, file: &SourceFile, lengths: Vec<u64>) -> Result<Vec<String>> {
        let bytes = self.read(file).await?;
        let hashed = tokio::task::spawn_blocking(move || beginnings(bytes, &lengths)).await;
        hashed.map_err(|e| Error::bug(format!("hashing a file stopped: {e}")))?
    }
}

fn beginnings(bytes: FileBytes, lengths: &[u64]) -> Result<Vec<String>> {
    let mut input = bytes.into_text()?;
    let (mut hasher, mut read) = (blake3::Hasher::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut hashes = Vec::new();
    for length in lengths {
        while read < *length {
            let wanted = usize::try_from(length - read).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            let count = input.fill(&mut buffer[..wanted], 0)?;
            if count == 0 {
                return Ok(hashes);
            }
            hasher.update(&buffer[..count]);
            read += count as u64;
        }
        hashes.push(short(&hasher));
    }
    Ok(hashes)
}
