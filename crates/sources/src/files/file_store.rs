//! What every place that holds files can do.

use super::bytes::FileBytes;
use super::file::{Listing, SourceFile};
use super::pattern::Pattern;
use super::random_access::RandomAccess;
use perennial_core::error::Result;

/// A place that holds files. A new one implements this and has an entry in [`crate::SOURCE_KINDS`].
#[async_trait::async_trait]
pub(crate) trait FileStore: std::fmt::Debug + Send + Sync {
    /// What matches a pattern, in any order.
    async fn list(&self, pattern: &Pattern) -> Result<Listing>;

    /// Opens a file for reading from its first byte.
    async fn read(&self, file: &SourceFile) -> Result<FileBytes>;

    /// How parts of a file are read.
    fn random_access<'a>(&'a self, file: &'a SourceFile) -> RandomAccess<'a>;
}
