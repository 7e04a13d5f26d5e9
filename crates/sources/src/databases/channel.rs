//! Typed rows that another task or thread reads, a few batches ahead.

use crate::typed::{TypedReader, TypedRows};
use perennial_core::error::{Error, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Batches read ahead.
const BATCHES_AHEAD: usize = 2;

/// Where the reading side puts its batches. It ends with `Ok(None)` or an error: a channel that closes without either means
/// that the reading side failed, and never that the rows are complete.
pub(super) type RowSender = Sender<Result<Option<TypedRows>>>;

/// Gives the rows of a reading side, which starts when rows are first asked for.
pub(super) struct ChannelReader {
    fields: Vec<String>,
    types: Vec<String>,
    start: Option<Box<dyn FnOnce(RowSender) + Send>>,
    rows: Option<Receiver<Result<Option<TypedRows>>>>,
}

impl ChannelReader {
    /// `start` starts the reading side and returns at once. `types` are those of the fields, or empty.
    pub(super) fn new(
        fields: Vec<String>,
        types: Vec<String>,
        start: impl FnOnce(RowSender) + Send + 'static,
    ) -> ChannelReader {
        ChannelReader { fields, types, start: Some(Box::new(start)), rows: None }
    }
}

impl TypedReader for ChannelReader {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn types(&self) -> &[String] {
        &self.types
    }

    fn next_rows(&mut self) -> Result<Option<TypedRows>> {
        if let Some(start) = self.start.take() {
            let (sender, receiver) = channel(BATCHES_AHEAD);
            self.rows = Some(receiver);
            start(sender);
        }
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let next = rows.blocking_recv().unwrap_or_else(|| Err(Error::bug("reading a database ended without a result")));
        if !matches!(next, Ok(Some(_))) {
            self.rows = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::databases::batch::{BatchBuilder, Cells};

    fn one_row() -> TypedRows {
        let mut batch = BatchBuilder::new([("a", Cells::Text)]);
        batch.text("x").unwrap();
        batch.end_row().unwrap();
        batch.take().unwrap().unwrap()
    }

    fn reader(start: impl FnOnce(RowSender) + Send + 'static) -> ChannelReader {
        ChannelReader::new(vec!["a".into()], vec![], move |rows| {
            std::thread::spawn(move || start(rows));
        })
    }

    #[test]
    fn rows_come_until_the_end_is_said() {
        let mut reader = reader(|rows| {
            rows.blocking_send(Ok(Some(one_row()))).unwrap();
            rows.blocking_send(Ok(None)).unwrap();
        });
        assert!(reader.next_rows().unwrap().is_some());
        assert!(reader.next_rows().unwrap().is_none());
        assert!(reader.next_rows().unwrap().is_none());
    }

    #[test]
    fn a_reading_side_that_breaks_is_no_end() {
        let mut reader = reader(|rows| rows.blocking_send(Ok(Some(one_row()))).unwrap());
        assert!(reader.next_rows().unwrap().is_some());
        assert!(reader.next_rows().is_err());
    }
}
