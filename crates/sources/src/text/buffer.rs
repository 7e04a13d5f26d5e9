//! A buffer over the bytes of one file: complete records are looked at in place, the rest moves to the front.

use super::encoding::{self, Transcoder, check_byte_order_mark};
use super::evidence::Evidence;
use crate::files::{FileBytes, TextInput};
use perennial_core::contract::TextEncoding;
use perennial_core::error::{Error, Result};
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Initial size.
const BUFFER_BYTES: usize = 1024 * 1024;
/// No record may be longer; a quote that is never closed is noticed here at the latest.
const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A part of a file in memory.
pub(crate) struct ReadBuffer {
    /// The file.
    pub(crate) input: TextInput,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// The line the next record begins on, counted from 1.
    pub(crate) line: u64,
    /// What to do about a record that is too long.
    long_hint: &'static str,
    /// The declared encoding, and what the bytes show, unless it is UTF-8.
    evidence: Option<(TextEncoding, Arc<Mutex<Evidence>>)>,
}

impl ReadBuffer {
    /// Opens a file of text in an encoding, without the byte-order mark it may begin with. `long_hint` says what to do
    /// about a record that is too long.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read, `Data` when it is in UTF-16.
    pub(crate) fn open(bytes: FileBytes, encoding: TextEncoding, long_hint: &'static str) -> Result<ReadBuffer> {
        ReadBuffer::open_with_head(bytes, encoding, UTF8_MARK.len(), long_hint).map(|(buffer, _)| buffer)
    }

    /// Opens a file and returns its first bytes as well, in the file's encoding.
    ///
    /// # Errors
    /// As [`ReadBuffer::open`].
    pub(crate) fn open_with_head(
        bytes: FileBytes,
        encoding: TextEncoding,
        head_bytes: usize,
        long_hint: &'static str,
    ) -> Result<(ReadBuffer, Vec<u8>)> {
        let mut input = bytes.into_text()?;
        let mut head = vec![0; head_bytes];
        let length = input.fill(&mut head, 0)?;
        head.truncate(length);
        check_byte_order_mark(&input.name, &head)?;
        if head.starts_with(UTF8_MARK) {
            head.drain(..UTF8_MARK.len());
        }
        let first = head.clone();
        let evidence = (encoding != TextEncoding::Utf8).then(|| (encoding, Arc::<Mutex<Evidence>>::default()));
        let input = input.layer(|rest| {
            let whole = Cursor::new(head).chain(rest);
            match &evidence {
                None => Box::new(whole) as Box<dyn Read + Send>,
                Some((other, evidence)) => Box::new(Transcoder::new(whole, *other, evidence.clone())),
            }
        });
        let buffer = vec![0; BUFFER_BYTES];
        let buffer = ReadBuffer { input, buffer, start: 0, end: 0, ended: false, line: 1, long_hint, evidence };
        Ok((buffer, first))
    }

    /// Whether the file has nothing beyond the buffer.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// What has not been taken yet.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The same, mutable.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// Marks the first bytes as taken. They stay in place until the next `refill`.
    pub(crate) fn take(&mut self, count: usize) {
        self.start += count;
    }

    /// The bytes taken last.
    pub(crate) fn taken(&self, count: usize) -> &[u8] {
        &self.buffer[self.start - count..self.start]
    }

    /// The same, mutable.
    pub(crate) fn taken_mut(&mut self, count: usize) -> &mut [u8] {
        &mut self.buffer[self.start - count..self.start]
    }

    /// Reads on when less than half of the initial size is left.
    pub(crate) fn refill(&mut self) -> Result<()> {
        if !self.ended && self.end - self.start < BUFFER_BYTES / 2 { self.read_on() } else { Ok(()) }
    }

    /// Reads on, growing the buffer when one record fills it.
    pub(crate) fn read_on(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.buffer.len() >= MAX_RECORD_BYTES {
                let max = MAX_RECORD_BYTES / 1024 / 1024;
                let (name, line) = (&self.input.name, self.line);
                return Err(Error::data(format!("`{name}`: the record at line {line} is longer than {max} MiB"))
                    .hint(self.long_hint));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let wanted = self.buffer.len() - self.end;
        let line = self.line.saturating_sub(1) + memchr::memchr_iter(b'\n', &self.buffer[..self.end]).count() as u64;
        let filled = self.input.fill(&mut self.buffer[self.end..], line)?;
        self.end += filled;
        self.ended = filled < wanted;
        self.check_encoding()
    }

    /// Fails as soon as it is certain that the text is UTF-8 where something else is declared.
    fn check_encoding(&self) -> Result<()> {
        match &self.evidence {
            Some((declared, evidence)) if lock(evidence).is_utf8() => {
                let error = encoding::is_utf8(&format!("`{}`", self.input.name), *declared);
                Err(error.hint("write `encoding: utf-8` in `format`"))
            }
            _ => Ok(()),
        }
    }

    /// After the end of the file: what a person should know of it.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let found = self.evidence.as_ref();
        found.and_then(|(declared, evidence)| lock(evidence).remark(&self.input.name, *declared)).into_iter().collect()
    }
}

fn lock(evidence: &Mutex<Evidence>) -> MutexGuard<'_, Evidence> {
    evidence.lock().unwrap_or_else(PoisonError::into_inner)
}
