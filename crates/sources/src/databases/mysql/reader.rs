//! Rows of a relation, streamed.

use super::errors::{explain, hangs};
use super::session::Session;
use super::values::FieldReader;
use crate::databases::batch::BatchBuilder;
use crate::databases::channel::{ChannelReader, RowSender};
use crate::typed::TypedRows;
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, QueryResult, Row};
use perennial_core::error::{Error, Result};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// What is read, and how.
pub(super) struct Task {
    /// The name of the relation, for people.
    pub(super) label: String,
    /// The query.
    pub(super) sql: String,
    /// Readers of its columns, in order; at least one.
    pub(super) fields: Vec<FieldReader>,
}

/// A reader of the rows. It waits for the session as long as another one reads.
pub(super) fn reader(
    session: Arc<Mutex<Session>>,
    task: Task,
    names: Vec<String>,
    types: Vec<String>,
) -> ChannelReader {
    let runtime = tokio::runtime::Handle::current();
    let of_fields = names.clone();
    ChannelReader::new(names, types, move |rows| {
        runtime.spawn(async move {
            let mut session = session.lock_owned().await;
            let end = read(&mut session, task, &of_fields, &rows).await;
            drop(session);
            if let Some(end) = end.transpose() {
                // Nobody receives it when the reader was dropped.
                let _ = rows.send(end.map(|()| None)).await;
            }
        });
    })
}

/// Sends all rows; `None` when nobody wants them any more.
async fn read(session: &mut Session, mut task: Task, names: &[String], rows: &RowSender) -> Result<Option<()>> {
    let doing = format!("reading `{}`", task.label);
    let ended = stream(session, &mut task, names, rows, &doing).await;
    if matches!(ended, Err(StreamEnd::Broken(_)) | Err(StreamEnd::Abandoned)) {
        session.close().await;
    }
    match ended {
        Ok(()) => Ok(Some(())),
        Err(StreamEnd::Failed(error) | StreamEnd::Broken(error)) => Err(error),
        Err(StreamEnd::Cancelled | StreamEnd::Abandoned) => Ok(None),
    }
}

/// Why a stream ended before its last row.
enum StreamEnd {
    /// The server reported an error; the session can still be used.
    Failed(Error),
    /// The session cannot be used any more.
    Broken(Error),
    /// Nobody wants the rows any more, and the query was cancelled.
    Cancelled,
    /// Nobody wants the rows any more, and the server still sends them.
    Abandoned,
}

impl From<Error> for StreamEnd {
    fn from(error: Error) -> StreamEnd {
        StreamEnd::Broken(error)
    }
}

async fn stream(
    session: &mut Session,
    task: &mut Task,
    names: &[String],
    rows: &RowSender,
    doing: &str,
) -> Result<(), StreamEnd> {
    let (location, limit) = (session.location().clone(), session.read_timeout());
    let failed = |error: mysql_async::Error| {
        let broken = error.is_fatal();
        let error = explain(error, &location, doing);
        if broken { StreamEnd::Broken(error) } else { StreamEnd::Failed(error) }
    };
    let silent = |_| StreamEnd::Broken(hangs(&location.server(), doing, limit.as_secs()));
    let fields = names.iter().map(String::as_str).zip(task.fields.iter().map(|field| field.cells));
    let mut batch = BatchBuilder::new(fields);
    let connection = session.connection()?;
    let statement = timeout(limit, connection.prep(&task.sql)).await.map_err(silent)?.map_err(failed)?;
    let mut wanted = true;
    {
        let executed = timeout(limit, connection.exec_iter(&statement, ())).await.map_err(silent)?;
        let mut result: QueryResult<'_, '_, BinaryProtocol> = executed.map_err(failed)?;
        while let Some(row) = timeout(limit, result.next()).await.map_err(silent)?.map_err(failed)? {
            if put(row, &mut task.fields, &mut batch)? {
                wanted = give(rows, batch.take()?).await;
                if !wanted {
                    break;
                }
            }
        }
    }
    if !wanted {
        return Err(cancel(session).await);
    }
    if let Some(last) = batch.take()? {
        // When nobody takes them, nobody takes the end either.
        give(rows, Some(last)).await;
    }
    timeout(limit, session.connection()?.close(statement)).await.map_err(silent)?.map_err(failed)
}

fn put(row: Row, fields: &mut [FieldReader], batch: &mut BatchBuilder) -> Result<bool> {
    let values = row.unwrap();
    if values.len() != fields.len() {
        return Err(Error::bug(format!("got {} values for {} fields", values.len(), fields.len())));
    }
    for (value, field) in values.into_iter().zip(fields) {
        field.put(value, batch)?;
    }
    batch.end_row()
}

/// Sends rows; returns whether somebody took them.
async fn give(rows: &RowSender, some: Option<TypedRows>) -> bool {
    match some {
        Some(some) => rows.send(Ok(Some(some))).await.is_ok(),
        None => true,
    }
}

/// Cancels a query whose rows nobody wants, so that the session can still be used.
async fn cancel(session: &mut Session) -> StreamEnd {
    if !session.stop_query().await {
        return StreamEnd::Abandoned;
    }
    let limit = session.read_timeout();
    let Ok(connection) = session.connection() else { return StreamEnd::Abandoned };
    // Rows sent before the cancellation are skipped; that the query was cancelled is not an error here.
    match timeout(limit, connection.query_drop("DO 0")).await {
        Ok(Ok(())) | Ok(Err(mysql_async::Error::Server(_))) => StreamEnd::Cancelled,
        _ => StreamEnd::Abandoned,
    }
}
