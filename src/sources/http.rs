//! JSON over HTTP, page by page.

use super::text::TextReader;
use crate::contract::{Access, Pages};
use crate::error::{Error, Result};

/// A service that answers with JSON.
#[derive(Clone, Debug)]
pub struct Http {}

impl Http {
    /// A service below a URL. Nothing is asked yet.
    pub fn open(_location: &str, _access: &Access) -> Result<Http> {
        Err(Error::bug("not there yet"))
    }

    /// What answers the first request, for people.
    pub async fn probe(&self, _pages: &Pages) -> Result<String> {
        Err(Error::bug("not there yet"))
    }

    /// Reads the rows of all pages, asking for them while they are read. `since` is the watermark less the overlap, as
    /// RFC 3339 or a number, or the token kept by a cursor; `paths` and `collect_new` are those of
    /// [`super::JsonLinesReader`].
    pub async fn read(
        &self,
        _pages: &Pages,
        _since: Option<&str>,
        _paths: &[String],
        _collect_new: bool,
    ) -> Result<PagesReader> {
        Err(Error::bug("not there yet"))
    }
}

/// Reads rows while pages are asked for.
pub struct PagesReader {}

impl PagesReader {
    /// After the last row: the token that the next load goes on with, where the paging keeps one.
    pub fn token(&self) -> Option<String> {
        None
    }
}

impl TextReader for PagesReader {
    fn fields(&self) -> &[String] {
        &[]
    }

    fn next_rows(&mut self) -> Result<Option<super::TextRows<'_>>> {
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn bytes(&self) -> u64 {
        0
    }
}
