//! Delimited text.

mod cutter;
mod reader;

pub(crate) use cutter::{Cut, Cutter};
pub(crate) use reader::{CsvReader, TEXT_AFTER_QUOTE};
