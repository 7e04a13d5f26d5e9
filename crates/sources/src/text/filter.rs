//! Rows that the contract leaves out (`skip_rows`).

use perennial_core::error::{Error, Result};
use regex::bytes::RegexSet;

/// Says which rows are left out.
pub(crate) struct RowFilter(Option<RegexSet>);

impl RowFilter {
    /// Leaves out the rows that match one of the regular expressions.
    ///
    /// # Errors
    /// Of kind `Project` when one is malformed.
    pub(crate) fn new(patterns: &[String]) -> Result<RowFilter> {
        if patterns.is_empty() {
            return Ok(RowFilter(None));
        }
        let set = RegexSet::new(patterns);
        set.map(|set| RowFilter(Some(set)))
            .map_err(|e| Error::project(format!("`skip_rows` is not a regular expression: {e}")).because(e))
    }

    /// Whether a row, with or without its line end, is left out.
    #[inline]
    pub(crate) fn skips(&self, row: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|set| {
            let row = row.strip_suffix(b"\n").unwrap_or(row);
            set.is_match(row.strip_suffix(b"\r").unwrap_or(row))
        })
    }
}
