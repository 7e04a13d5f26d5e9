//! Files of which parts are read, in any order.

use bytes::Bytes;
use futures::future::BoxFuture;
use perennial_core::error::Result;
use std::ops::Range;
use std::path::PathBuf;

/// How parts of a file are read.
pub(crate) enum RandomAccess<'a> {
    /// From a file of this machine.
    Local(PathBuf),
    /// From elsewhere, by a reader that has to be opened first.
    Remote(BoxFuture<'a, Result<Box<dyn RangeReader>>>),
}

/// Reads parts of a file that is not on this machine.
#[async_trait::async_trait]
pub(crate) trait RangeReader: Send + Sync {
    /// The bytes of a range, all of them.
    ///
    /// # Errors
    /// Of kind `Unreachable` when they cannot be read.
    async fn read(&self, range: Range<u64>) -> Result<Bytes>;

    /// After the last part was read: whether all of them were of the version that was listed, as far as the place of the
    /// file tells.
    ///
    /// # Errors
    /// When the file changed.
    async fn check_unchanged(&self) -> Result<()>;
}
