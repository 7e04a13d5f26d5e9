//! The rows of a relation, read on a separate thread.

use super::errors::explain;
use super::session::Session;
use super::values::FieldReader;
use crate::databases::batch::{BatchBuilder, Cells};
use crate::databases::channel::{ChannelReader, RowSender};
use perennial_core::error::Result;
use std::sync::Arc;

/// What is read.
pub(super) struct Task {
    /// The name of the relation, for people.
    pub(super) label: String,
    /// The query.
    pub(super) sql: String,
    /// Its columns, in order; at least one.
    pub(super) fields: Vec<FieldReader>,
}

/// A reader of the rows. It waits for the database as long as another one reads.
pub(super) fn reader(session: Arc<Session>, task: Task, names: Vec<String>, types: Vec<String>) -> ChannelReader {
    let of_fields = names.clone();
    ChannelReader::new(names, types, move |rows| {
        // Without a thread the channel closes, which the reader reports.
        let _ = std::thread::Builder::new().name("sqlite".into()).spawn(move || {
            let end = read(&session, task, &of_fields, &rows);
            // Nobody receives it when the reader was dropped.
            let _ = rows.blocking_send(end.map(|()| None));
        });
    })
}

fn read(session: &Session, mut task: Task, names: &[String], rows: &RowSender) -> Result<()> {
    let connection = session.connection();
    let doing = format!("reading `{}`", task.label);
    let failed = |error: rusqlite::Error| explain(&error, &session.path, &doing);
    let mut batch = BatchBuilder::new(names.iter().map(|name| (name.as_str(), Cells::Text)));
    let mut statement = connection.prepare(&task.sql).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    while let Some(row) = found.next().map_err(failed)? {
        for (i, field) in task.fields.iter_mut().enumerate() {
            field.put(row.get_ref(i).map_err(failed)?, &mut batch)?;
        }
        if batch.end_row()?
            && let Some(some) = batch.take()?
            && rows.blocking_send(Ok(Some(some))).is_err()
        {
            return Ok(());
        }
    }
    session.check_unchanged()?;
    if let Some(last) = batch.take()? {
        // When nobody takes them, nobody takes the end either.
        let _ = rows.blocking_send(Ok(Some(last)));
    }
    Ok(())
}
