//! Values of SQLite, each of which has its own type, as text.

use crate::databases::batch::{BatchBuilder, hex};
use perennial_core::contract::{Column, ValueType};
use perennial_core::error::{Error, Result};
use perennial_core::reasons;
use rusqlite::types::ValueRef;
use std::fmt::Write;

/// Converts the values of one column to text, each by its own type.
pub(super) struct FieldReader {
    /// Only text is wanted, so that bytes can be given as digits.
    text_only: bool,
    /// Decimal places that the contract keeps, where it wants decimals.
    scale: Option<usize>,
    null_values: Vec<String>,
    text: String,
}

impl FieldReader {
    /// For the columns of the contract that are read from this one; none where the contract does not have it.
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

    /// Puts a value into its cell.
    pub(super) fn put(&mut self, value: ValueRef<'_>, batch: &mut BatchBuilder) -> Result<()> {
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
                Err(_) => batch.reject(&String::from_utf8_lossy(bytes), reasons::NOT_UTF8),
            },
            ValueRef::Blob(bytes) => {
                hex(bytes, &mut self.text);
                if self.text_only {
                    batch.text(&self.text)?;
                } else {
                    batch.reject(
                        &self.text,
                        "the value is a blob, which can only be read as `text`, in hexadecimal digits",
                    );
                }
            }
        }
        Ok(())
    }

    /// A double by its shortest digits.
    fn real(&mut self, value: f64, batch: &mut BatchBuilder) -> Result<()> {
        write!(self.text, "{value}").map_err(unwritten)?;
        let places = self.text.split_once('.').map_or(0, |(_, places)| places.len());
        match self.scale {
            Some(scale) if places > scale && !self.null_values.contains(&self.text) => {
                batch.reject(&self.text, reasons::decimal_places(scale));
            }
            _ => batch.text(&self.text)?,
        }
        Ok(())
    }
}

fn unwritten(_: std::fmt::Error) -> Error {
    Error::bug("text could not be written to memory")
}
