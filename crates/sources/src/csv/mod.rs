//! Delimited text.

mod cutter;
mod reader;
#[cfg(test)]
mod tests;

pub(crate) use cutter::{Cut, Cutter};
pub(crate) use reader::{CsvReader, TEXT_AFTER_QUOTE};
