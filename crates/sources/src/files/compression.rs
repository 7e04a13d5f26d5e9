//! How the bytes of a file are compressed, told from its first bytes.

use perennial_core::error::{Error, Result};
use std::io::{BufRead, BufReader, Read};

/// Compressed bytes read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// A compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Bytes that tell the format.
    pub(super) const MAGIC_BYTES: u64 = 4;

    /// The format of a file that begins with these bytes.
    pub(super) fn of(magic: &[u8]) -> Compression {
        match magic {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// What people call a file of the format.
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::None => "file",
            Compression::Gzip => "gzip stream",
            Compression::Zstd => "zstd stream",
        }
    }

    /// Decompresses a stream.
    ///
    /// # Errors
    /// Of kind `Bug` when the decoder does not start.
    pub(super) fn decompress(self, raw: impl Read + Send + 'static) -> Result<Box<dyn Read + Send>> {
        let buffered = |raw| BufReader::with_capacity(BUFFER_BYTES, raw);
        Ok(match self {
            Compression::None => Box::new(raw),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(raw))),
            Compression::Zstd => Box::new(zstd_decoder(buffered(raw))?),
        })
    }
}

fn zstd_decoder<R: BufRead>(raw: R) -> Result<zstd::stream::read::Decoder<'static, R>> {
    zstd::stream::read::Decoder::with_buffer(raw)
        .map_err(|e| Error::bug(format!("the zstd decoder does not start: {e}")))
}
