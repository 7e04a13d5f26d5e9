//! Rejected rows: what is stored of them, and how many are too many.

use perennial_core::contract::{BadRowPolicy, ExceededLimit, SourceTable};
use perennial_core::error::{Error, Place, Result};
use perennial_lake::LoadCount;

/// Maximum number of characters stored of a rejected value or row.
pub(super) const MAX_RAW_CHARACTERS: usize = 1000;
/// Rejects shown when there are too many.
const MAX_EXAMPLES: usize = 3;
/// Characters shown of a rejected value.
const MAX_SHOWN_CHARACTERS: usize = 60;

/// The median of some values.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) / 2.0)
}

/// The runs whose rejects of a file are open after this run.
pub(super) fn reject_runs(still_open: &[String], run_id: &str, rejects: u64) -> Vec<String> {
    let mut runs = still_open.to_vec();
    if rejects > 0 && !runs.iter().any(|run| run == run_id) {
        runs.push(run_id.to_string());
    }
    runs
}

/// A rejected row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The source's name.
    pub source: String,
    /// The table's name within the source.
    pub table: String,
    /// The file's path below the source's location.
    pub file: String,
    /// The physical line on which the row begins, counted from 1 with the header; the row's number in a Parquet file. Of
    /// a damaged JSON document, the line of what `raw` shows.
    pub line: u64,
    /// The column that violates the contract, by its name in the lake; `None` when the row as a whole does.
    pub column: Option<String>,
    /// The cell as it is, or the whole row; truncated after 1000 characters.
    pub raw: String,
    /// Why it was rejected. The same violation gives the same text: it contains no position.
    pub reason: String,
    /// All its original fields, as a JSON object of texts; `None` when the row could not be parsed.
    pub row: Option<String>,
}

/// Stores rejects as they are found, in batches.
#[async_trait::async_trait]
pub trait RejectSink: Send + Sync {
    /// Stores these rejects.
    async fn keep(&self, rejects: Vec<Reject>) -> Result<()>;
}

/// Counts accepted and rejected rows of one load, and fails when there are too many rejects.
pub(super) struct Tally<'a> {
    source: &'a str,
    table: &'a SourceTable,
    accepted: u64,
    rejected: u64,
    examples: Vec<String>,
    /// The median share of rejects of earlier loads.
    usual_share: Option<f64>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(source: &'a str, table: &'a SourceTable, recent: &[LoadCount]) -> Tally<'a> {
        let shares = recent.iter().filter(|load| load.read > 0).map(|load| load.rejects as f64 / load.read as f64);
        let usual_share = median(shares.collect());
        Tally { source, table, accepted: 0, rejected: 0, examples: Vec::new(), usual_share }
    }

    pub(super) fn rejected(&self) -> u64 {
        self.rejected
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Counts a batch. Fails at the first reject if the contract says so, and above the limit of rows.
    pub(super) fn count(&mut self, accepted: u64, rejects: &[Reject]) -> Result<()> {
        self.accepted += accepted;
        self.rejected += rejects.len() as u64;
        let room = MAX_EXAMPLES - self.examples.len();
        self.examples.extend(rejects.iter().take(room).map(describe));
        if let (BadRowPolicy::Fail, Some(first)) = (self.table.on_bad_row, rejects.first()) {
            let place = Place::Row { table: first.file.clone(), row: first.line };
            let what =
                format!("a row of {}.{} violates the contract: {}", self.source, self.table.name, violation(first));
            return Err(Error::data(what).at(place).hint("`on_bad_row: reject` sets such rows aside and continues"));
        }
        // Shares are known only at the end.
        if self.table.max_rejects.rows.is_some_and(|max| self.rejected > max) {
            return self.finish();
        }
        Ok(())
    }

    /// After the last row: fails when there are too many rejects.
    pub(super) fn finish(&self) -> Result<()> {
        let read = self.accepted + self.rejected;
        let Some(limit) = self.table.max_rejects.exceeded(self.rejected, read, self.usual_share) else { return Ok(()) };
        let limit = match limit {
            ExceededLimit::Rows(rows) => format!("max_rejects allows {rows} rows"),
            ExceededLimit::Share(share) => format!("max_rejects allows a share of {share}"),
            ExceededLimit::TimesUsual { times, usual } => {
                format!("the usual share is {:.1} %, and max_rejects allows {times} times that", 100.0 * usual)
            }
        };
        let share = 100.0 * self.rejected as f64 / read as f64;
        let (rejected, source, table) = (self.rejected, self.source, &self.table.name);
        let message = format!("{rejected} of {read} rows of {source}.{table} were rejected ({share:.1} %); {limit}");
        Err(Error::data(message).hint(format!("the first: {}", self.examples.join("; "))))
    }
}

/// A reject with its place.
pub(super) fn describe(reject: &Reject) -> String {
    format!("{} line {}: {}", reject.file, reject.line, violation(reject))
}

fn violation(reject: &Reject) -> String {
    let raw: String = reject.raw.chars().take(MAX_SHOWN_CHARACTERS).collect();
    match &reject.column {
        Some(column) => format!("column `{column}` is `{raw}`: {}", reject.reason),
        None => format!("`{raw}`: {}", reject.reason),
    }
}
