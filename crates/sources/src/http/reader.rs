//! Rows of pages as JSON lines, requested while they are read.

use super::client::Client;
use super::pagination::Pagination;
use crate::files::FileBytes;
use crate::json::JsonLinesReader;
use crate::text::{TextReader, TextRows};
use bytes::Bytes;
use perennial_core::contract::Pages;
use perennial_core::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Pages requested ahead of the one that is read.
const PAGES_AHEAD: usize = 1;

/// Reads rows while pages are requested. Lines are counted over all pages.
pub struct PagesReader {
    paths: Vec<String>,
    collect_new: bool,
    name: String,
    rows: Rows,
    ending: Ending,
}

/// Opened when the first row is wanted, on a thread that may block.
enum Rows {
    Pending(Option<FileBytes>),
    Open(Box<JsonLinesReader>),
}

/// How the task that requests pages ended: with a resume token for the next load or without one; `None` when it was stopped.
type Ending = Arc<Mutex<Option<Option<String>>>>;

impl PagesReader {
    pub(super) fn start(
        client: Arc<Client>,
        pagination: Pagination,
        pages: &Pages,
        paths: &[String],
        collect_new: bool,
    ) -> PagesReader {
        let (sender, pieces) = mpsc::channel(PAGES_AHEAD);
        let ending = Ending::default();
        let name = pages.path.split('?').next().unwrap_or_default().to_string();
        let requests =
            PageRequests { client, pagination, rows: pages.rows.clone(), most: pages.max_requests_per_second };
        tokio::spawn(requests.run(sender, ending.clone()));
        let bytes = FileBytes::from_pieces(&name, None, pieces);
        PagesReader { paths: paths.to_vec(), collect_new, name, rows: Rows::Pending(Some(bytes)), ending }
    }

    fn open(&mut self) -> Result<&mut JsonLinesReader> {
        if let Rows::Pending(bytes) = &mut self.rows {
            let again = || Error::bug("pages that could not be opened are read further");
            let bytes = bytes.take().ok_or_else(again)?;
            self.rows = Rows::Open(Box::new(JsonLinesReader::open(bytes, &self.paths, self.collect_new)?));
        }
        match &mut self.rows {
            Rows::Open(reader) => Ok(reader),
            Rows::Pending(_) => Err(Error::bug("pages are neither opened nor pending")),
        }
    }
}

impl TextReader for PagesReader {
    fn fields(&self) -> &[String] {
        match &self.rows {
            Rows::Open(reader) => reader.fields(),
            Rows::Pending(_) => &self.paths,
        }
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.open()?.next_rows()
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.open()?.finish()?;
        match &*self.ending.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(token) => Ok(token.clone()),
            None => Err(Error::unreachable(format!("requesting the pages of `{}` was stopped", self.name))),
        }
    }

    fn bytes(&self) -> u64 {
        match &self.rows {
            Rows::Open(reader) => reader.bytes(),
            Rows::Pending(_) => 0,
        }
    }
}

/// The task that requests pages.
struct PageRequests {
    client: Arc<Client>,
    pagination: Pagination,
    rows: Option<String>,
    most: Option<u32>,
}

impl PageRequests {
    async fn run(mut self, out: mpsc::Sender<Result<Bytes>>, ending: Ending) {
        loop {
            // A page is requested when there is room for it.
            let Ok(room) = out.reserve().await else { return };
            match self.page().await {
                Ok((lines, goes_on)) => {
                    if !goes_on {
                        let token = self.pagination.resume_token().map(str::to_string);
                        *ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
                    }
                    room.send(Ok(lines));
                    if !goes_on {
                        return;
                    }
                }
                Err(error) => return room.send(Err(error)),
            }
        }
    }

    /// The lines of the page, and whether there is another one.
    async fn page(&mut self) -> Result<(Bytes, bool)> {
        let answer = self.client.get(self.pagination.url(), self.most).await?;
        let rows = answer.rows(self.rows.as_deref())?;
        let goes_on = self.pagination.step(&answer, &rows)?.is_some();
        Ok((rows.lines, goes_on))
    }
}
