//! JSON over HTTP, page by page.
//!
//! A task requests pages and cuts the rows out of them, one page ahead of the thread that reads them as JSON lines. Only
//! these two pages are in memory.

mod answer;
mod client;
mod pagination;
mod reader;

#[cfg(test)]
mod tests;

use client::Client;
use pagination::Pagination;
use perennial_core::contract::{Access, Pages};
use perennial_core::error::Result;
use std::sync::Arc;

pub use reader::PagesReader;

/// A service that answers with JSON.
#[derive(Clone, Debug)]
pub struct Http {
    client: Arc<Client>,
}

impl Http {
    /// A service below a URL. Secrets are looked up; nothing is requested yet.
    ///
    /// # Errors
    /// Of kind `Project` when the URL contains an account, a secret is missing or a header cannot be sent.
    pub fn open(location: &str, access: &Access) -> Result<Http> {
        Ok(Http { client: Arc::new(Client::open(location, access)?) })
    }

    /// Describes the answer to the first request, for people.
    ///
    /// # Errors
    /// As [`Http::read`] has them for its first page.
    pub async fn probe(&self, pages: &Pages) -> Result<String> {
        let mut pagination = Pagination::start(self.client.base(), pages, None)?;
        let answer = self.client.get(pagination.url(), pages.max_requests_per_second).await?;
        let rows = answer.rows(pages.rows.as_deref())?;
        let more = if pagination.step(&answer, &rows)?.is_some() { "and there are more" } else { "and no more" };
        Ok(format!("{} returned {} rows, {more}", self.client.name(), rows.count))
    }

    /// Reads the rows of all pages, which are requested while they are read. `since` is the watermark minus the overlap, as
    /// RFC 3339 or a number, or a resume token; `paths` and `collect_new` are those of
    /// JSON lines. Needs a running Tokio; the reader blocks and belongs on a thread that may.
    ///
    /// # Errors
    /// Of kind `Project` when the path or `since` cannot be part of a URL. Later errors come from the reader: `Project`
    /// when the service refuses the request or has nothing at the path, `Unreachable` when it fails or hangs, `Data` when its answer is
    /// not what the contract says.
    pub async fn read(
        &self,
        pages: &Pages,
        since: Option<&str>,
        paths: &[String],
        collect_new: bool,
    ) -> Result<PagesReader> {
        let pagination = Pagination::start(self.client.base(), pages, since)?;
        Ok(PagesReader::start(self.client.clone(), pagination, pages, paths, collect_new))
    }

    /// The same service with a shorter wait before the second attempt.
    #[cfg(test)]
    fn with_first_wait(self, first_wait: std::time::Duration) -> Http {
        let mut client = Arc::into_inner(self.client).unwrap();
        client.first_wait = first_wait;
        Http { client: Arc::new(client) }
    }
}
