//! Workbooks: one sheet of a file made by a spreadsheet program.

mod archive;
mod book;
mod cells;
mod errors;
mod reader;
mod sheet;

pub(crate) use reader::open;
