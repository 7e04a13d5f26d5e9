//! JSON over HTTP, page by page.
//!
//! A task asks for pages and cuts the rows out of them, one page ahead of the thread that reads them as JSON lines. Nothing
//! of a table is kept but these two pages.

mod answer;
mod client;
mod course;
mod reader;

#[cfg(test)]
mod tests;

use crate::contract::{Access, Pages};
use crate::error::Result;
use client::Client;
use course::Course;
use std::sync::Arc;

pub use reader::PagesReader;

/// A service that answers with JSON.
#[derive(Clone, Debug)]
pub struct Http {
    client: Arc<Client>,
}

impl Http {
    /// A service below a URL. Secrets are looked up; nothing is asked yet.
    ///
    /// # Errors
    /// Of kind `Project` when the URL holds a password, a secret is missing or a header cannot be sent.
    pub fn open(location: &str, access: &Access) -> Result<Http> {
        Ok(Http { client: Arc::new(Client::open(location, access)?) })
    }

    /// What answers the first request, for people.
    ///
    /// # Errors
    /// As [`Http::read`] gives them for its first page.
    pub async fn probe(&self, pages: &Pages) -> Result<String> {
        let mut course = Course::start(self.client.base(), pages, None)?;
        let answer = self.client.get(course.url(), pages.most_requests_per_second).await?;
        let rows = answer.rows(pages.rows.as_deref())?;
        let more = if course.step(&answer, &rows)?.is_some() { "and there are more" } else { "and that is all" };
        Ok(format!("{} answers with {} rows, {more}", self.client.name(), rows.count))
    }

    /// Reads the rows of all pages, asking for them while they are read. `since` is the watermark less the overlap, as
    /// RFC 3339 or a number, or the token kept by a cursor; `paths` and `collect_new` are those of
    /// [`super::JsonLinesReader`]. Needs a running Tokio; the reader blocks and belongs on a thread that may.
    ///
    /// # Errors
    /// Of kind `Project` when the path or `since` make no URL. What the service answers is said by the reader: `Project`
    /// when it refuses us or there is nothing at the path, `Unreachable` when it fails or hangs, `Data` when its answer is
    /// not what the contract says.
    pub async fn read(
        &self,
        pages: &Pages,
        since: Option<&str>,
        paths: &[String],
        collect_new: bool,
    ) -> Result<PagesReader> {
        let course = Course::start(self.client.base(), pages, since)?;
        Ok(PagesReader::start(self.client.clone(), course, pages, paths, collect_new))
    }

    /// The same service, waited for only this long before a request is tried again.
    #[cfg(test)]
    fn with_first_wait(self, first_wait: std::time::Duration) -> Http {
        let mut client = Arc::into_inner(self.client).unwrap();
        client.first_wait = first_wait;
        Http { client: Arc::new(client) }
    }
}
