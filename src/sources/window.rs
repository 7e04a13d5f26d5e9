//! A sliding window over the bytes of one file: whole records are looked at in place, the rest moves to the front.

use super::bytes::{FileBytes, TextInput};
use super::csv::check_mark;
use super::encoding::Transcoder;
use crate::contract::TextEncoding;
use crate::error::{Error, Result};
use std::io::{Cursor, Read};

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
    /// What to do about a record that is too long.
    long_hint: &'static str,
}

impl Window {
    pub(super) fn new(input: TextInput) -> Window {
        let long_hint = "a quote that is never closed does this; `quote: none` reads quotes as ordinary letters";
        Window { input, buffer: vec![0; WINDOW_BYTES], start: 0, end: 0, ended: false, line: 1, long_hint }
    }

    /// A file of text in an encoding, without the byte-order mark it may begin with.
    pub(super) fn open(bytes: FileBytes, encoding: TextEncoding) -> Result<Window> {
        let mut input = bytes.into_text()?;
        let mut mark = vec![0; 3];
        let length = input.fill(&mut mark, 0)?;
        mark.truncate(length);
        check_mark(&input.name, &mark)?;
        if mark == b"\xef\xbb\xbf" {
            mark.clear();
        }
        let input = input.layer(|rest| {
            let whole = Cursor::new(mark).chain(rest);
            match encoding {
                TextEncoding::Utf8 => Box::new(whole) as Box<dyn Read + Send>,
                other => Box::new(Transcoder::new(whole, other)),
            }
        });
        Ok(Window { long_hint: "a file without line ends, or of another format, does this", ..Window::new(input) })
    }

    /// Says what to do about a record that is too long.
    pub(super) fn with_long_hint(self, long_hint: &'static str) -> Window {
        Window { long_hint, ..self }
    }

    /// Whether the file has nothing beyond the window.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// What has not been taken yet.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The same, to blank out what is not text.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
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
                return Err(Error::data(format!(
                    "`{name}`: the record that begins at line {line} is longer than {most} MiB"
                ))
                .hint(self.long_hint));
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
