//! Character encodings: the bytes of a file are transcoded to UTF-8, piece by piece.

use super::evidence::Evidence;
use encoding_rs::{BIG5, Decoder, DecoderResult, Encoding, GB18030, UTF_8};
use perennial_core::contract::TextEncoding;
use perennial_core::error::{Error, Result};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Stands for bytes that are invalid in the encoding; never occurs in UTF-8, so the row it is in is rejected.
const INVALID: u8 = 0xff;
const PIECE_BYTES: usize = 64 * 1024;

/// The name of an encoding, as a contract writes it.
pub(crate) fn name(encoding: TextEncoding) -> &'static str {
    match encoding {
        TextEncoding::Utf8 => "utf-8",
        TextEncoding::Gb18030 => "gb18030",
        TextEncoding::Big5 => "big5",
    }
}

fn implementation(encoding: TextEncoding) -> &'static Encoding {
    match encoding {
        TextEncoding::Utf8 => UTF_8,
        TextEncoding::Gb18030 => GB18030,
        TextEncoding::Big5 => BIG5,
    }
}

/// The text of some bytes in an encoding; `None` when they are invalid in it.
pub(crate) fn decode(bytes: &[u8], encoding: TextEncoding) -> Option<String> {
    let text = implementation(encoding).decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

/// Refuses a file that begins with the byte-order mark of UTF-16.
///
/// # Errors
/// Of kind `Data`.
pub(crate) fn check_byte_order_mark(file: &str, head: &[u8]) -> Result<()> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(Error::data(format!("`{file}` is in UTF-16, which is not supported"))
            .hint("export it as UTF-8, GB18030 or Big5"));
    }
    Ok(())
}

/// That a text is UTF-8 where its contract declares another encoding.
pub(crate) fn is_utf8(what: &str, declared: TextEncoding) -> Error {
    let declared = name(declared);
    Error::data(format!("{what} is in utf-8, not in {declared}: all of its characters beyond ASCII are valid utf-8"))
}

/// Transcodes a stream to UTF-8.
pub(crate) struct Transcoder<R> {
    inner: R,
    /// What the bytes show, for the one who reads the text.
    evidence: Arc<Mutex<Evidence>>,
    decoder: Decoder,
    piece: Vec<u8>,
    taken: usize,
    filled: usize,
    input_ended: bool,
    done: bool,
    /// Decoded bytes, not yet given out from `ready_from` on.
    ready: Vec<u8>,
    ready_from: usize,
}

impl<R: Read> Transcoder<R> {
    pub(crate) fn new(inner: R, encoding: TextEncoding, evidence: Arc<Mutex<Evidence>>) -> Transcoder<R> {
        Transcoder {
            inner,
            evidence,
            decoder: implementation(encoding).new_decoder_without_bom_handling(),
            piece: vec![0; PIECE_BYTES],
            taken: 0,
            filled: 0,
            input_ended: false,
            done: false,
            ready: Vec::new(),
            ready_from: 0,
        }
    }

    /// Decodes the next bytes into `ready`; none at the end of the file.
    fn decode_more(&mut self) -> io::Result<()> {
        self.ready_from = 0;
        self.ready.resize(PIECE_BYTES * 2, 0);
        let mut written = 0;
        while written == 0 && !self.done {
            if self.taken == self.filled && !self.input_ended {
                self.filled = self.inner.read(&mut self.piece)?;
                self.taken = 0;
                self.input_ended = self.filled == 0;
                let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
                match self.input_ended {
                    true => evidence.end(),
                    false => evidence.take(&self.piece[..self.filled]),
                }
            }
            let (result, read, wrote) = self.decoder.decode_to_utf8_without_replacement(
                &self.piece[self.taken..self.filled],
                &mut self.ready[..PIECE_BYTES * 2 - 1],
                self.input_ended,
            );
            self.taken += read;
            written = wrote;
            match result {
                DecoderResult::Malformed(_, _) => {
                    self.ready[written] = INVALID;
                    written += 1;
                }
                // A decoder must not be used after it was told that the input ended.
                DecoderResult::InputEmpty => self.done = self.input_ended,
                DecoderResult::OutputFull => {}
            }
        }
        self.ready.truncate(written);
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.ready_from == self.ready.len() {
            self.decode_more()?;
        }
        let count = (self.ready.len() - self.ready_from).min(target.len());
        target[..count].copy_from_slice(&self.ready[self.ready_from..self.ready_from + count]);
        self.ready_from += count;
        Ok(count)
    }
}
