//! Rows of a relation, read by a thread of its own.

use super::Opened;
use super::errors::explain;
use crate::contract::{Column, ValueType};
use crate::error::{Error, Result};
use crate::sources::batch::{BatchBuilder, Cells, hex};
use crate::sources::channel::{ChannelReader, RowSender};
use rusqlite::types::ValueRef;
use std::fmt::Write;
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
pub(super) fn reader(opened: Arc<Opened>, task: Task, names: Vec<String>, types: Vec<String>) -> ChannelReader {
    let of_fields = names.clone();
    ChannelReader::new(names, types, move |rows| {
        // Without a thread the channel closes unasked, which the reader reports.
        let _ = std::thread::Builder::new().name("sqlite".into()).spawn(move || {
            let end = read(&opened, task, &of_fields, &rows);
            // Nobody listens any more when the reader was dropped.
            let _ = rows.blocking_send(end.map(|()| None));
        });
    })
}

fn read(opened: &Opened, mut task: Task, names: &[String], rows: &RowSender) -> Result<()> {
    let connection = opened.connection();
    let doing = format!("reading `{}`", task.label);
    let failed = |error: rusqlite::Error| explain(&error, &opened.path, &doing);
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
    opened.check_unchanged()?;
    if let Some(last) = batch.take()? {
        // The end that is sent behind it is not heard either.
        let _ = rows.blocking_send(Ok(Some(last)));
    }
    Ok(())
}

/// Makes text of the values of one column, each as its own type has it.
pub(super) struct FieldReader {
    /// Only text is wanted, so that bytes can be shown as digits.
    text_only: bool,
    /// Digits behind the point that the contract keeps, where it wants decimals.
    scale: Option<usize>,
    null_values: Vec<String>,
    text: String,
}

impl FieldReader {
    /// For the columns of the contract that are read from this one; none where nobody promised it.
    pub(super) fn new(wanted: &[&Column]) -> FieldReader {
        let scale = wanted.iter().find_map(|column| match column.data_type {
            ValueType::Decimal { scale, .. } => Some(scale.max(0) as usize),
            _ => None,
        });
        FieldReader {
            text_only: wanted.iter().all(|column| column.data_type == ValueType::Text),
            scale,
            null_values: wanted.iter().flat_map(|column| column.null_values.iter().cloned()).collect(),
            text: String::new(),
        }
    }

    fn put(&mut self, value: ValueRef<'_>, batch: &mut BatchBuilder) -> Result<()> {
        self.text.clear();
        match value {
            ValueRef::Null => batch.null(),
            ValueRef::Integer(value) => {
                write!(self.text, "{value}").map_err(unwritten)?;
                batch.text(&self.text)?;
            }
            ValueRef::Real(value) => self.real(value, batch)?,
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => batch.text(text)?,
                Err(_) => batch.fault(&String::from_utf8_lossy(bytes), "the text is not UTF-8"),
            },
            ValueRef::Blob(bytes) => {
                hex(bytes, &mut self.text);
                if self.text_only {
                    batch.text(&self.text)?;
                } else {
                    batch.fault(&self.text, "the value is a blob, which only `text` takes, as hexadecimal digits");
                }
            }
        }
        Ok(())
    }

    /// A double by its shortest digits.
    fn real(&mut self, value: f64, batch: &mut BatchBuilder) -> Result<()> {
        write!(self.text, "{value}").map_err(unwritten)?;
        let behind = self.text.split_once('.').map_or(0, |(_, behind)| behind.len());
        match self.scale {
            Some(scale) if behind > scale && !self.null_values.contains(&self.text) => batch.fault(
                &self.text,
                format!(
                    "a `real` with more than {scale} digits behind the point is refused, not rounded; \
                     declare the column as `float`, or round it in a `query`"
                ),
            ),
            _ => batch.text(&self.text)?,
        }
        Ok(())
    }
}

fn unwritten(_: std::fmt::Error) -> Error {
    Error::bug("a text could not be written into memory")
}
