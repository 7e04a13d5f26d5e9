//! Rows the contract refused: what is kept of them, and how many are too many.

use crate::contract::{BadRowPolicy, RejectLimit, SourceTable};
use crate::error::{Error, Place, Result};
use crate::lake::LoadCount;

/// Characters kept of a refused value or row.
pub(super) const RAW_CHARACTERS: usize = 1000;
/// Rejects shown when there are too many.
const EXAMPLES: usize = 3;

/// So many rejects are never compared with what is usual.
const FEW: u64 = 10;

/// The middle of some values; of an even count the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) / 2.0)
}

/// The runs whose rejects of a file are open after this one.
pub(super) fn reject_runs(still_open: &[String], run_id: &str, rejects: u64) -> Vec<String> {
    let mut runs = still_open.to_vec();
    if rejects > 0 && !runs.iter().any(|run| run == run_id) {
        runs.push(run_id.to_string());
    }
    runs
}

/// A row the contract refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The source's name.
    pub source: String,
    /// The table's name within the source.
    pub table: String,
    /// The file's path below the source's location.
    pub file: String,
    /// The physical line the row begins on, counted from 1 with the header; the row's number in a Parquet file.
    pub line: u64,
    /// The column that broke the promise, by its name in the lake; `None` when the row as a whole did.
    pub column: Option<String>,
    /// The cell as it stands, or the whole row; cut after 1000 characters.
    pub raw: String,
    /// Why it was refused.
    pub reason: String,
    /// All its fields as they were delivered, as a JSON object of texts; `None` where the row could not be taken apart.
    pub row: Option<String>,
}

/// Takes rejects as they are found, some at a time.
#[async_trait::async_trait]
pub trait RejectSink: Send + Sync {
    /// Keeps these.
    async fn keep(&self, rejects: Vec<Reject>) -> Result<()>;
}

/// Counts what one load accepts and refuses, and says when it is too much.
pub(super) struct Tally<'a> {
    source: &'a str,
    table: &'a SourceTable,
    accepted: u64,
    refused: u64,
    examples: Vec<String>,
    /// Only what changed is read.
    pub(super) partial: bool,
    /// The median share of rejects of earlier loads.
    usual_share: Option<f64>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(source: &'a str, table: &'a SourceTable, recent: &[LoadCount]) -> Tally<'a> {
        let shares = recent.iter().filter(|load| load.read > 0).map(|load| load.rejects as f64 / load.read as f64);
        let usual_share = median(shares.collect());
        Tally { source, table, accepted: 0, refused: 0, examples: Vec::new(), partial: false, usual_share }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Counts a batch. Fails at the first reject where the contract says so, and beyond the limit of rows.
    pub(super) fn count(&mut self, accepted: u64, rejects: &[Reject]) -> Result<()> {
        self.accepted += accepted;
        self.refused += rejects.len() as u64;
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(rejects.iter().take(room).map(describe));
        if let (BadRowPolicy::Fail, Some(first)) = (self.table.on_bad_row, rejects.first()) {
            let place = Place::Row { table: first.file.clone(), row: first.line };
            let what = format!("a row of {}.{} breaks the contract: {}", self.source, self.table.name, words(first));
            return Err(Error::data(what).at(place).hint("`on_bad_row: reject` keeps such rows apart and goes on"));
        }
        let RejectLimit { rows, .. } = self.table.max_rejects;
        if rows.is_some_and(|most| self.refused > most) {
            return Err(self.too_many(&format!("max_rejects allows {} rows", rows.unwrap_or_default())));
        }
        Ok(())
    }

    /// After the last row: fails when the share of rejects is too great.
    pub(super) fn finish(&self) -> Result<()> {
        let read = self.accepted + self.refused;
        let limit = self.table.max_rejects;
        // A few rows that changed since yesterday are no measure of a share.
        let counts = !self.partial || self.refused > FEW;
        if let Some(share) = limit.share.filter(|share| counts && self.refused as f64 > share * read as f64) {
            return Err(self.too_many(&format!("max_rejects allows a share of {share}")));
        }
        if let (Some(times), Some(usual)) = (limit.times_usual, self.usual_share)
            && self.refused > FEW
            && self.refused as f64 > times * usual * read as f64
        {
            let usual = 100.0 * usual;
            return Err(self.too_many(&format!("usually {usual:.1} % are, and max_rejects allows {times} times that")));
        }
        Ok(())
    }

    fn too_many(&self, limit: &str) -> Error {
        let read = self.accepted + self.refused;
        let share = 100.0 * self.refused as f64 / read as f64;
        Error::data(format!(
            "{} of {read} rows of {}.{} were refused ({share:.1} %); {limit}",
            self.refused, self.source, self.table.name
        ))
        .hint(format!("the first: {}", self.examples.join("; ")))
    }
}

pub(super) fn describe(reject: &Reject) -> String {
    format!("{} line {}: {}", reject.file, reject.line, words(reject))
}

fn words(reject: &Reject) -> String {
    let raw: String = reject.raw.chars().take(60).collect();
    match &reject.column {
        Some(column) => format!("column `{column}` is `{raw}`: {}", reject.reason),
        None => format!("`{raw}`: {}", reject.reason),
    }
}
