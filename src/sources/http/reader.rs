//! Rows of pages as JSON lines, asked for while they are read.

use super::client::Client;
use super::course::Course;
use crate::contract::Pages;
use crate::error::{Error, Result};
use crate::sources::bytes::FileBytes;
use crate::sources::json::JsonLinesReader;
use crate::sources::text::{TextReader, TextRows};
use ::bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Pages asked for before the one that is read is done.
const PAGES_AHEAD: usize = 1;

/// Reads rows while pages are asked for. Lines are counted over all pages: the line of a row is its place in the whole.
pub struct PagesReader {
    paths: Vec<String>,
    collect_new: bool,
    name: String,
    rows: Rows,
    ending: Ending,
}

/// Opened when the first row is wanted, which is on a thread that may wait.
enum Rows {
    Coming(Option<FileBytes>),
    Open(Box<JsonLinesReader>),
}

/// How the task that asks for pages ended: with a token for the next load or without one; nothing when it was stopped.
type Ending = Arc<Mutex<Option<Option<String>>>>;

impl PagesReader {
    pub(super) fn start(
        client: Arc<Client>,
        course: Course,
        pages: &Pages,
        paths: &[String],
        collect_new: bool,
    ) -> PagesReader {
        let (sender, pieces) = mpsc::channel(PAGES_AHEAD);
        let ending = Ending::default();
        let name = pages.path.split('?').next().unwrap_or_default().to_string();
        let asking = Asking { client, course, rows: pages.rows.clone(), most: pages.most_requests_per_second };
        tokio::spawn(asking.run(sender, ending.clone()));
        let bytes = FileBytes::from_pieces(&name, None, pieces);
        PagesReader { paths: paths.to_vec(), collect_new, name, rows: Rows::Coming(Some(bytes)), ending }
    }

    fn open(&mut self) -> Result<&mut JsonLinesReader> {
        if let Rows::Coming(bytes) = &mut self.rows {
            let again = || Error::bug("pages that could not be opened are read on");
            let bytes = bytes.take().ok_or_else(again)?;
            self.rows = Rows::Open(Box::new(JsonLinesReader::open(bytes, &self.paths, self.collect_new)?));
        }
        match &mut self.rows {
            Rows::Open(reader) => Ok(reader),
            Rows::Coming(_) => Err(Error::bug("pages were opened and are not")),
        }
    }
}

impl TextReader for PagesReader {
    fn fields(&self) -> &[String] {
        match &self.rows {
            Rows::Open(reader) => reader.fields(),
            Rows::Coming(_) => &self.paths,
        }
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.open()?.next_rows()
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.open()?.finish()?;
        match &*self.ending.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(token) => Ok(token.clone()),
            None => Err(Error::unreachable(format!("asking for the pages of `{}` was stopped", self.name))),
        }
    }

    fn bytes(&self) -> u64 {
        match &self.rows {
            Rows::Open(reader) => reader.bytes(),
            Rows::Coming(_) => 0,
        }
    }
}

/// The task that asks for pages.
struct Asking {
    client: Arc<Client>,
    course: Course,
    rows: Option<String>,
    most: Option<u32>,
}

impl Asking {
    async fn run(mut self, out: mpsc::Sender<Result<Bytes>>, ending: Ending) {
        loop {
            // A page is asked for when there is room for it.
            let Ok(room) = out.reserve().await else { return };
            match self.page().await {
                Ok((lines, goes_on)) => {
                    if !goes_on {
                        let token = self.course.kept_token().map(str::to_string);
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
        let answer = self.client.get(self.course.url(), self.most).await?;
        let rows = answer.rows(self.rows.as_deref())?;
        let goes_on = self.course.step(&answer, &rows)?.is_some();
        Ok((rows.lines, goes_on))
    }
}
