//! A sliding window over the bytes of one file: whole records are looked at in place, the rest moves to the front.

use super::bytes::TextInput;
use crate::contract::bad_source;
use crate::error::Result;

/// Bytes looked at together.
pub(super) const WINDOW_BYTES: usize = 1024 * 1024;
/// No record may be longer; a quote that never closes is noticed here at the latest.
const MOST_RECORD_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Window {
    pub(super) input: TextInput,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// The line the next record begins on, counted from 1.
    pub(super) line: u64,
}

impl Window {
    pub(super) fn new(input: TextInput) -> Window {
        Window { input, buffer: vec![0; WINDOW_BYTES], start: 0, end: 0, ended: false, line: 1 }
    }

    /// Whether the file has nothing beyond the window.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// What has not been taken yet.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Marks the first bytes as taken. What was borrowed before stays where it is until the next `refill`.
    pub(super) fn take(&mut self, count: usize) {
        self.start += count;
    }

    /// The bytes taken last.
    pub(super) fn taken(&self, count: usize) -> &[u8] {
        &self.buffer[self.start - count..self.start]
    }

    /// The same, to blank out what is not text.
    pub(super) fn taken_mut(&mut self, count: usize) -> &mut [u8] {
        &mut self.buffer[self.start - count..self.start]
    }

    /// Reads on when less than half a window is left.
    pub(super) fn refill(&mut self) -> Result<()> {
        if !self.ended && self.end - self.start < WINDOW_BYTES / 2 { self.read_on() } else { Ok(()) }
    }

    /// Reads on, growing the window when one record fills it.
    pub(super) fn read_on(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.buffer.len() >= MOST_RECORD_BYTES {
                let most = MOST_RECORD_BYTES / 1024 / 1024;
                let (name, line) = (&self.input.name, self.line);
                return Err(bad_source(format!(
                    "`{name}`: the record that begins at line {line} is longer than {most} MiB"
                ))
                .hint("a quote that is never closed does this; `quote: none` reads quotes as ordinary letters"));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let asked = self.buffer.len() - self.end;
        let line = self.line.saturating_sub(1) + memchr::memchr_iter(b'\n', &self.buffer[..self.end]).count() as u64;
        let filled = self.input.fill(&mut self.buffer[self.end..], line)?;
        self.end += filled;
        self.ended = filled < asked;
        Ok(())
    }
}
