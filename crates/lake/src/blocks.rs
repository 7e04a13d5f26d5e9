//! Checksums of the blocks of a file, made while it is written and verified whenever a part of it is read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a block; the last one of a file may be shorter.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;
/// Characters of a checksum.
const DIGITS: usize = 16;

/// The XXH3 hash (64 bits) of every block of 256 KiB of a file. Written as one text of 16 hexadecimal digits each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks(Arc<[u64]>);

impl Blocks {
    /// Whether these bytes are those of a block, counted from 0.
    pub(crate) fn matches(&self, block: u64, bytes: &[u8]) -> bool {
        let checksum = usize::try_from(block).ok().and_then(|block| self.0.get(block));
        checksum.is_some_and(|checksum| *checksum == xxh3_64(bytes))
    }
}

impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.iter().map(|checksum| format!("{checksum:016x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blocks, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("checksums of blocks have 16 hexadecimal digits each");
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || text.len() % DIGITS != 0 {
            return Err(wrong());
        }
        let checksum = |start: usize| u64::from_str_radix(&text[start..start + DIGITS], 16).map_err(|_| wrong());
        (0..text.len()).step_by(DIGITS).map(checksum).collect::<Result<_, _>>().map(Blocks)
    }
}

/// Makes the checksums of a file whose bytes come one after the other.
#[derive(Default)]
pub(crate) struct BlockSums {
    blocks: Vec<u64>,
    /// The beginning of a block that is not full yet.
    open: Vec<u8>,
}

impl BlockSums {
    /// Adds the next bytes of the file.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.open.is_empty() && bytes.len() >= BLOCK_BYTES {
                let (block, rest) = bytes.split_at(BLOCK_BYTES);
                self.blocks.push(xxh3_64(block));
                bytes = rest;
                continue;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.open.len()));
            self.open.extend_from_slice(part);
            bytes = rest;
            if self.open.len() == BLOCK_BYTES {
                self.blocks.push(xxh3_64(&self.open));
                self.open.clear();
            }
        }
    }

    /// The checksums of the whole file.
    pub(crate) fn finish(mut self) -> Blocks {
        if !self.open.is_empty() {
            self.blocks.push(xxh3_64(&self.open));
        }
        Blocks(self.blocks.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two whole blocks and ten bytes; the checksums were made with Python's xxhash 3.6.
    #[test]
    fn checksums_do_not_depend_on_how_the_bytes_come() {
        let bytes: Vec<u8> = (0..2 * BLOCK_BYTES + 10).map(|i| ((i * 7 + i / 256) % 251) as u8).collect();
        for piece in [1000, 4096, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, bytes.len()] {
            let mut sums = BlockSums::default();
            bytes.chunks(piece).for_each(|piece| sums.add(piece));
            let blocks = sums.finish();
            let text = serde_json::to_string(&blocks).unwrap();
            assert_eq!(text, "\"f48627a537fab6c5cb1e3d3cbfc2d4dc55f90da6ea63e59d\"", "pieces of {piece}");
            assert_eq!(serde_json::from_str::<Blocks>(&text).unwrap(), blocks);
            assert!(blocks.matches(2, &bytes[2 * BLOCK_BYTES..]));
            assert!(!blocks.matches(1, &bytes[..BLOCK_BYTES]) && !blocks.matches(3, b""));
        }
        for wrong in ["\"f48627a537fab6c\"", "\"f48627a537fab6cg\"", "\"é8627a537fab6c5\"", "\"+48627a537fab6c5\""] {
            assert!(serde_json::from_str::<Blocks>(wrong).is_err(), "{wrong}");
        }
    }
}
