//! The lines of a text without what follows the last line end: of a log that is being written the last line may be half.

use super::held::HeldHashes;
use std::io::{self, Read};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// A line that is longer is passed on as it is, for its reader to refuse.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// Passes on bytes up to a line end.
pub(super) struct WholeLines {
    reader: Box<dyn Read + Send>,
    hashes: HeldHashes,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were passed on, and those that may be.
    passed: usize,
    whole: usize,
}

impl WholeLines {
    /// The lines of a reader; the hashes are told when one is left out.
    pub(super) fn of(reader: Box<dyn Read + Send>, hashes: HeldHashes) -> WholeLines {
        WholeLines { reader, hashes, buffer: Vec::new(), passed: 0, whole: 0 }
    }
}

impl Read for WholeLines {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        while self.passed == self.whole {
            self.buffer.drain(..self.whole);
            (self.passed, self.whole) = (0, 0);
            let begins = self.buffer.len();
            self.buffer.resize(begins + BUFFER_BYTES, 0);
            let read = self.reader.read(&mut self.buffer[begins..]);
            self.buffer.truncate(begins + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                if !self.buffer.is_empty() {
                    self.hashes.note_unfinished_line();
                }
                return Ok(0);
            }
            self.whole = match memchr::memrchr(b'\n', &self.buffer[begins..]) {
                Some(end) => begins + end + 1,
                None if self.buffer.len() > MAX_LINE_BYTES => self.buffer.len(),
                None => 0,
            };
        }
        let count = target.len().min(self.whole - self.passed);
        target[..count].copy_from_slice(&self.buffer[self.passed..self.passed + count]);
        self.passed += count;
        Ok(count)
    }
}
