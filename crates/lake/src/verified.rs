//! The lake's store as every layer sees it: what is read of a file whose checksums are known is verified before it is
//! handed on, so that a damaged file is an error and never another figure.

use super::blocks::{BLOCK_BYTES, Blocks};
use super::damaged::{Damage, Damaged};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use xxhash_rust::xxh3::Xxh3;

/// Bytes of a block, as a file counts them.
const BLOCK: u64 = BLOCK_BYTES as u64;
/// Bytes read at a time of a file that is verified as a whole.
pub(crate) const READ_BYTES: u64 = 8 << 20;

/// What a file was written with.
#[derive(Debug)]
pub(crate) enum Checksums {
    /// One for every block.
    Blocks(Blocks),
    /// One (XXH3, 64 bits) for all of it, which a process verifies when it first reads the file.
    Whole {
        /// The checksum.
        hash: u64,
        /// It has been verified.
        verified: AtomicBool,
    },
}

/// A file whose checksums are known.
#[derive(Debug)]
struct KnownFile {
    /// Its path below the lake's root.
    path: String,
    bytes: u64,
    checksums: Checksums,
}

/// A store that verifies what it reads.
#[derive(Debug)]
pub(crate) struct VerifiedStore {
    inner: Arc<dyn ObjectStore>,
    known: RwLock<HashMap<Path, Arc<KnownFile>>>,
}

impl VerifiedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> VerifiedStore {
        VerifiedStore { inner, known: RwLock::default() }
    }

    /// From now on what is read of a file is verified. `path` is the one below the lake's root, for messages.
    pub(crate) fn register(&self, at: Path, path: &str, bytes: u64, checksums: impl FnOnce() -> Checksums) {
        if self.known(&at).is_none() {
            let file = KnownFile { path: path.to_string(), bytes, checksums: checksums() };
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(at, Arc::new(file));
        }
    }

    fn known(&self, at: &Path) -> Option<Arc<KnownFile>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(at).cloned()
    }

    /// Verifies a file that has one checksum, unless that has been done.
    async fn verify_whole(&self, at: &Path, file: &KnownFile) -> Result<()> {
        let Checksums::Whole { hash, verified } = &file.checksums else { return Ok(()) };
        if verified.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut hasher = Xxh3::new();
        let mut start = 0;
        while start < file.bytes {
            let end = file.bytes.min(start + READ_BYTES);
            let bytes = match self.inner.get_range(at, start..end).await {
                Ok(bytes) if bytes.len() as u64 == end - start => bytes,
                Ok(_) => return Err(file.damaged(Damage::Changed)),
                Err(error) => return Err(self.explain(at, file, error).await),
            };
            hasher.update(&bytes);
            start = end;
        }
        if hasher.digest() != *hash {
            return Err(file.damaged(Damage::Changed));
        }
        verified.store(true, Ordering::Release);
        Ok(())
    }

    /// The error of a read. A file that is missing, or is no longer as long as it was written, is damaged.
    async fn explain(&self, at: &Path, file: &KnownFile, error: object_store::Error) -> object_store::Error {
        match error {
            object_store::Error::NotFound { .. } => file.damaged(Damage::Missing),
            // Stores and disks say in several ways that a file ends before what was asked for.
            error if error.to_string().to_lowercase().contains("range") => match self.inner.head(at).await {
                Ok(meta) if meta.size != file.bytes => file.damaged(Damage::Changed),
                _ => error,
            },
            error => error,
        }
    }
}

impl KnownFile {
    fn damaged(&self, damage: Damage) -> object_store::Error {
        let damaged = Damaged { path: self.path.clone(), damage };
        object_store::Error::Generic { store: "lake", source: Box::new(damaged) }
    }

    /// The part of the file that has to be read so that a range can be verified.
    fn to_read(&self, range: &Range<u64>) -> Range<u64> {
        match &self.checksums {
            Checksums::Blocks(_) => {
                range.start / BLOCK * BLOCK..range.end.div_ceil(BLOCK).saturating_mul(BLOCK).min(self.bytes)
            }
            Checksums::Whole { .. } => range.clone(),
        }
    }

    /// Verifies the bytes of a part that [`KnownFile::to_read`] named.
    fn verify(&self, part: &Range<u64>, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 != part.end - part.start {
            return Err(self.damaged(Damage::Changed));
        }
        let Checksums::Blocks(blocks) = &self.checksums else { return Ok(()) };
        for (number, block) in (part.start / BLOCK..).zip(bytes.chunks(BLOCK_BYTES)) {
            if !blocks.matches(number, block) {
                return Err(self.damaged(Damage::Block(number)));
            }
        }
        Ok(())
    }
}

/// The bytes of `range` in those of `part`, which contains it.
fn slice(part: &Range<u64>, bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place.saturating_sub(part.start)).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start)..at(range.end).max(at(range.start)))
}

impl fmt::Display for VerifiedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for VerifiedStore {
    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(file) = self.known(at).filter(|_| !options.head) else {
            return self.inner.get_opts(at, options).await;
        };
        let range = match options.range.as_ref().map_or(Ok(0..file.bytes), |range| range.as_range(file.bytes)) {
            Ok(range) if range.start < range.end => range,
            // The store says what is wrong with it.
            _ => return self.inner.get_opts(at, options).await,
        };
        self.verify_whole(at, &file).await?;
        let part = file.to_read(&range);
        let options = GetOptions { range: Some(GetRange::Bounded(part.clone())), ..options };
        let found = match self.inner.get_opts(at, options).await {
            Ok(found) => found,
            Err(error) => return Err(self.explain(at, &file, error).await),
        };
        let (meta, attributes) = (found.meta.clone(), found.attributes.clone());
        if meta.size != file.bytes {
            return Err(file.damaged(Damage::Changed));
        }
        let bytes = found.bytes().await?;
        file.verify(&part, &bytes)?;
        let bytes = slice(&part, &bytes, &range);
        let payload = GetResultPayload::Stream(futures::stream::once(async { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let Some(file) = self.known(at) else { return self.inner.get_ranges(at, ranges).await };
        self.verify_whole(at, &file).await?;
        let mut parts: Vec<Range<u64>> = ranges.iter().map(|range| file.to_read(range)).collect();
        parts.sort_by_key(|part| part.start);
        // Ranges within one block would read it several times.
        parts.dedup_by(|next, part| {
            let touches = next.start <= part.end;
            if touches {
                part.end = part.end.max(next.end);
            }
            touches
        });
        let found = match self.inner.get_ranges(at, &parts).await {
            Ok(found) => found,
            Err(error) => return Err(self.explain(at, &file, error).await),
        };
        for (part, bytes) in parts.iter().zip(&found) {
            file.verify(part, bytes)?;
        }
        let read = |range: &Range<u64>| {
            let holds = |(part, _): &(&Range<u64>, &Bytes)| part.start <= range.start && range.end <= part.end;
            let found = parts.iter().zip(&found).find(holds);
            found.map(|(part, bytes)| slice(part, bytes, range)).ok_or_else(|| file.damaged(Damage::Changed))
        };
        ranges.iter().map(read).collect()
    }

    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
