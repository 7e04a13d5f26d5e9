//! Rows in bulk: `COPY ... TO STDOUT (FORMAT BINARY)`, cut between rows and no further.

use super::errors::{ServerError, hangs, lost};
use super::session::Session;
use bytes::{BufMut, Bytes, BytesMut};
use perennial_core::error::{Error, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::Sender;

/// Size limits of a chunk.
const CHUNK_ROWS: usize = 32_768;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;
/// Room for one read from the socket.
const READ_BYTES: usize = 256 * 1024;
/// The header of binary rows: the signature, flags and the length of an extension.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const SIGNATURE_HEADER: usize = SIGNATURE.len() + 8;
/// Type and length before a message.
pub(super) const MESSAGE_HEADER: usize = 5;

/// Some rows: one message of type `d` for each.
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) rows: usize,
}

/// Sends the rows of a query, chunk by chunk. `None` when nobody takes them any more; the session cannot be used then, nor
/// after an error.
///
/// # Errors
/// As the server reports them, and of kind `Unreachable` when it is lost or hangs.
pub(super) async fn copy(session: &mut Session, select: &str, to: &Sender<Result<Chunk>>) -> Result<Option<()>> {
    let request = request(&format!("COPY ({select}) TO STDOUT (FORMAT BINARY)"));
    session.wire.write_all(&request).await.map_err(|_| lost(&session.label))?;
    session.wire.flush().await.map_err(|_| lost(&session.label))?;
    let mut cutter = Cutter::new();
    loop {
        let limit = Duration::from_secs(session.read_timeout_seconds);
        match tokio::time::timeout(limit, session.wire.read_buf(&mut cutter.buffer)).await {
            Err(_) => return Err(hangs(&session.label, session.read_timeout_seconds)),
            Ok(Err(e)) => return Err(lost(&session.label).because(e)),
            Ok(Ok(0)) => return Err(lost(&session.label)),
            Ok(Ok(_)) => {}
        }
        loop {
            let event = cutter.advance(&session.label)?;
            let full = cutter.is_full() || matches!(event, Event::End);
            if full
                && let Some(chunk) = cutter.take()
                && to.send(Ok(chunk)).await.is_err()
            {
                return Ok(None);
            }
            match event {
                Event::End => return Ok(Some(())),
                Event::More => break,
                Event::Full => {}
            }
        }
        cutter.make_room();
    }
}

/// The messages that request the rows of one statement: `Parse`, `Bind`, `Execute`, `Sync`.
fn request(sql: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut message = |kind: u8, parts: &[&[u8]]| {
        let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
        out.put_u8(kind);
        out.put_i32(length as i32);
        parts.iter().for_each(|part| out.put_slice(part));
    };
    message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"]);
    message(b'B', &[b"\0\0", &[0; 6]]);
    message(b'E', &[b"\0", &[0; 4]]);
    message(b'S', &[]);
    out
}

enum Event {
    /// More bytes are needed.
    More,
    /// The rows found so far are enough for a chunk.
    Full,
    /// The server is ready for the next query.
    End,
}

/// Finds the ends of messages.
struct Cutter {
    /// Complete rows, then bytes that were not parsed yet.
    buffer: BytesMut,
    whole: usize,
    rows: usize,
    begun: bool,
}

impl Cutter {
    fn new() -> Cutter {
        Cutter { buffer: BytesMut::with_capacity(READ_BYTES * 2), whole: 0, rows: 0, begun: false }
    }

    fn is_full(&self) -> bool {
        self.rows >= CHUNK_ROWS || self.whole >= CHUNK_BYTES
    }

    /// Type and total length of the next message, if it is complete.
    fn message(&self) -> Option<(u8, usize)> {
        let header = self.buffer.get(self.whole..self.whole + MESSAGE_HEADER)?;
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize + 1;
        (self.buffer.len() - self.whole >= length).then_some((header[0], length))
    }

    /// Parses messages until the chunk is full, or the bytes or rows end.
    fn advance(&mut self, label: &str) -> Result<Event> {
        while let Some((kind, length)) = self.message() {
            if kind == b'd' {
                if !self.begun {
                    self.drop_signature(label)?;
                    continue;
                }
                // After the last row comes one of -1 fields.
                let end = length == MESSAGE_HEADER + 2 && self.buffer[self.whole + MESSAGE_HEADER] == 0xff;
                if end {
                    self.cut_out(length);
                    continue;
                }
                self.whole += length;
                self.rows += 1;
                if self.is_full() {
                    return Ok(Event::Full);
                }
                continue;
            }
            let message = self.cut_out(length);
            match kind {
                b'E' => return Err(ServerError::parse(&message[MESSAGE_HEADER..]).explain(label)),
                b'Z' => return Ok(Event::End),
                // Parse and bind complete; the answer begins or ends; notices and settings.
                b'1' | b'2' | b'H' | b'c' | b'C' | b'N' | b'S' | b'A' => {}
                _ => return Err(unknown_format(label)),
            }
        }
        Ok(Event::More)
    }

    /// Removes the message after the complete rows.
    fn cut_out(&mut self, length: usize) -> BytesMut {
        let mut message = self.buffer.split_off(self.whole);
        let rest = message.split_off(length);
        self.buffer.unsplit(rest);
        message
    }

    /// Removes the signature from the first message, so that all have the same form.
    fn drop_signature(&mut self, label: &str) -> Result<()> {
        let mut message = self.buffer.split_off(self.whole);
        let payload = message.get(MESSAGE_HEADER..).unwrap_or_default();
        if !payload.starts_with(SIGNATURE) || payload.len() < SIGNATURE_HEADER {
            return Err(unknown_format(label));
        }
        let at = |i: usize| usize::from(payload[SIGNATURE.len() + 4 + i]);
        let extension = at(0) << 24 | at(1) << 16 | at(2) << 8 | at(3);
        let skipped = SIGNATURE_HEADER + extension;
        let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
        if skipped + 4 > length {
            return Err(unknown_format(label));
        }
        let mut rest = message.split_off(skipped);
        rest[0] = b'd';
        rest[1..MESSAGE_HEADER].copy_from_slice(&((length - skipped) as u32).to_be_bytes());
        self.buffer.unsplit(rest);
        self.begun = true;
        Ok(())
    }

    /// The complete rows, if there are any.
    fn take(&mut self) -> Option<Chunk> {
        if self.rows == 0 {
            return None;
        }
        let rest = self.buffer.split_off(self.whole);
        let next = BytesMut::with_capacity(self.whole + rest.len() + READ_BYTES);
        let bytes = std::mem::replace(&mut self.buffer, next).freeze();
        self.buffer.extend_from_slice(&rest);
        let rows = std::mem::take(&mut self.rows);
        self.whole = 0;
        Some(Chunk { bytes, rows })
    }

    /// Makes room for the next read, and for the rest of an incomplete message.
    fn make_room(&mut self) {
        let begun = self.buffer.get(self.whole + 1..self.whole + MESSAGE_HEADER);
        let length = begun.map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize + 1);
        let missing = length.saturating_sub(self.buffer.len() - self.whole);
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 4 {
            self.buffer.reserve(missing.max(READ_BYTES));
        }
    }
}

fn unknown_format(label: &str) -> Error {
    Error::data(format!("{label} sends rows in an unknown format"))
        .hint("only PostgreSQL itself is supported, not other databases that speak its protocol")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend_from_slice(&(payload.len() as u32 + 4).to_be_bytes());
        out.extend_from_slice(payload);
        out
    }

    /// What a server sends for two rows of one field.
    fn answer() -> Vec<u8> {
        let row = |value: u8| vec![0, 1, 0, 0, 0, 1, value];
        let mut first = SIGNATURE.to_vec();
        first.extend_from_slice(&[0; 8]);
        first.extend_from_slice(&row(7));
        let notice = message(b'N', b"SNOTICE\0\0");
        let parts = [
            message(b'1', b""),
            message(b'2', b""),
            message(b'H', &[1, 0, 1, 0, 1]),
            message(b'd', &first),
            notice,
            message(b'd', &row(8)),
            message(b'd', &[0xff, 0xff]),
            message(b'c', b""),
            message(b'C', b"COPY 2\0"),
            message(b'Z', b"T"),
        ];
        parts.concat()
    }

    #[test]
    fn rows_are_found_wherever_the_stream_is_cut() {
        let answer = answer();
        let expected = [message(b'd', &[0, 1, 0, 0, 0, 1, 7]), message(b'd', &[0, 1, 0, 0, 0, 1, 8])].concat();
        for piece in 1..answer.len() {
            let mut cutter = Cutter::new();
            let mut ended = false;
            for part in answer.chunks(piece) {
                cutter.buffer.extend_from_slice(part);
                ended |= matches!(cutter.advance("x").unwrap(), Event::End);
                cutter.make_room();
            }
            let chunk = cutter.take().unwrap();
            assert!(ended);
            assert_eq!((chunk.rows, &chunk.bytes[..]), (2, &expected[..]));
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let mut cutter = Cutter::new();
        cutter.buffer.extend_from_slice(&message(b'd', b"something else entirely"));
        assert!(cutter.advance("x").is_err());
        let mut cutter = Cutter::new();
        cutter.buffer.extend_from_slice(&message(b'E', b"C22012\0Mdivision by zero\0\0"));
        assert_eq!(cutter.advance("x").err().unwrap().message(), "x: division by zero");
    }
}
