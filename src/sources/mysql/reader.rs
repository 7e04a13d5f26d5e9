//! Rows of a relation, streamed.

use super::errors::{explain, hangs};
use super::session::Session;
use super::values::FieldReader;
use crate::error::{Error, Result};
use crate::sources::batch::BatchBuilder;
use crate::sources::channel::{ChannelReader, RowSender};
use crate::sources::typed::TypedRows;
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, QueryResult, Row};
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
                // Nobody listens any more when the reader was dropped.
                let _ = rows.send(end.map(|()| None)).await;
            }
        });
    })
}

/// Sends all rows; `None` when nobody wants them any more.
async fn read(session: &mut Session, mut task: Task, names: &[String], rows: &RowSender) -> Result<Option<()>> {
    let doing = format!("reading `{}`", task.label);
    let ended = stream(session, &mut task, names, rows, &doing).await;
    if matches!(ended, Err(Ended::Broken(_)) | Err(Ended::Unwanted)) {
        session.close().await;
    }
    match ended {
        Ok(()) => Ok(Some(())),
        Err(Ended::Refused(error) | Ended::Broken(error)) => Err(error),
        Err(Ended::Left | Ended::Unwanted) => Ok(None),
    }
}

/// Why a stream ended before its last row.
enum Ended {
    /// The server refused; the session is good for more.
    Refused(Error),
    /// The session is not good for more.
    Broken(Error),
    /// Nobody wants the rows any more and the query was ended.
    Left,
    /// Nobody wants the rows any more and the server goes on sending them.
    Unwanted,
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Broken(error)
    }
}

async fn stream(
    session: &mut Session,
    task: &mut Task,
    names: &[String],
    rows: &RowSender,
    doing: &str,
) -> Result<(), Ended> {
    let (address, limit) = (session.address().clone(), session.read_timeout());
    let refused = |error: mysql_async::Error| {
        let broken = error.is_fatal();
        let error = explain(error, &address, doing);
        if broken { Ended::Broken(error) } else { Ended::Refused(error) }
    };
    let silent = |_| Ended::Broken(hangs(&address.server(), doing, limit.as_secs()));
    let fields = names.iter().map(String::as_str).zip(task.fields.iter().map(|field| field.cells));
    let mut batch = BatchBuilder::new(fields);
    let connection = session.connection()?;
    let statement = timeout(limit, connection.prep(&task.sql)).await.map_err(silent)?.map_err(refused)?;
    let mut wanted = true;
    {
        let executed = timeout(limit, connection.exec_iter(&statement, ())).await.map_err(silent)?;
        let mut result: QueryResult<'_, '_, BinaryProtocol> = executed.map_err(refused)?;
        while let Some(row) = timeout(limit, result.next()).await.map_err(silent)?.map_err(refused)? {
            if put(row, &mut task.fields, &mut batch)? {
                wanted = give(rows, batch.take()?).await;
                if !wanted {
                    break;
                }
            }
        }
    }
    if !wanted {
        return Err(leave(session).await);
    }
    if let Some(last) = batch.take()? {
        // The end that is sent behind it is not heard either.
        give(rows, Some(last)).await;
    }
    timeout(limit, session.connection()?.close(statement)).await.map_err(silent)?.map_err(refused)
}

fn put(row: Row, fields: &mut [FieldReader], batch: &mut BatchBuilder) -> Result<bool> {
    let values = row.unwrap();
    if values.len() != fields.len() {
        return Err(Error::bug(format!("{} values came for {} fields", values.len(), fields.len())));
    }
    for (value, field) in values.into_iter().zip(fields) {
        field.put(value, batch)?;
    }
    batch.end_row()
}

/// Whether somebody took them.
async fn give(rows: &RowSender, some: Option<TypedRows>) -> bool {
    match some {
        Some(some) => rows.send(Ok(Some(some))).await.is_ok(),
        None => true,
    }
}

/// Ends a query whose rows nobody wants, so that the session can be used further.
async fn leave(session: &mut Session) -> Ended {
    if !session.stop_query().await {
        return Ended::Unwanted;
    }
    let limit = session.read_timeout();
    let Ok(connection) = session.connection() else { return Ended::Unwanted };
    // What was sent before the end came is read over; that the query was ended is no error here.
    match timeout(limit, connection.query_drop("DO 0")).await {
        Ok(Ok(())) | Ok(Err(mysql_async::Error::Server(_))) => Ended::Left,
        _ => Ended::Unwanted,
    }
}
