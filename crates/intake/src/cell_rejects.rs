//! The rows of a batch that violate the contract.

use super::rejects::MAX_RAW_CHARACTERS;
use arrow::array::BooleanArray;
use std::borrow::Cow;

/// A cell that violates the contract.
#[derive(Debug, PartialEq)]
pub(crate) struct CellReject {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) value: String,
    pub(crate) reason: String,
}

/// The rejected rows of a batch, each with the first cell that violates the contract.
pub(crate) struct CellRejects {
    /// Rows that are not accepted: rejected ones, and total rows.
    pub(crate) bad: Vec<bool>,
    pub(crate) found: Vec<CellReject>,
    /// The column that is being read.
    pub(crate) column: usize,
    skipped: bool,
}

impl CellRejects {
    pub(crate) fn new(rows: usize) -> CellRejects {
        CellRejects { bad: vec![false; rows], found: Vec::new(), column: 0, skipped: false }
    }

    /// Removes a row without rejecting it.
    pub(crate) fn skip(&mut self, row: usize) {
        self.bad[row] = true;
        self.skipped = true;
    }

    /// Whether all rows are accepted.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty() && !self.skipped
    }

    /// Which rows are rejected.
    pub(crate) fn rejected(&self) -> BooleanArray {
        let mut rejected = vec![false; self.bad.len()];
        self.found.iter().for_each(|cell| rejected[cell.row] = true);
        rejected.into()
    }

    #[cold]
    pub(crate) fn push(&mut self, row: usize, value: &str, reason: Cow<'static, str>) {
        if !std::mem::replace(&mut self.bad[row], true) {
            let value = value.chars().take(MAX_RAW_CHARACTERS).collect();
            self.found.push(CellReject { row, column: self.column, value, reason: reason.into_owned() });
        }
    }
}
