//! Releases that `keep` no longer covers: which they were and when they went, so that nobody takes them for lost.
//!
//! The record of a removed release is put aside for a while: whoever opened the release before goes on reading files that
//! only it names.

use super::damaged::Damaged;
use super::durable;
use super::open::{Lake, RECORDS};
use object_store::PutMode;
use perennial_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When a release was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The day in the project's time zone.
    pub on: jiff::civil::Date,
    /// The moment.
    pub at: jiff::Timestamp,
}

/// The content of the list.
#[derive(Serialize, Deserialize)]
struct List {
    format: u32,
    removed: Vec<Range>,
}

/// Consecutive releases that were removed together.
#[derive(Serialize, Deserialize)]
struct Range {
    first: u64,
    last: u64,
    #[serde(flatten)]
    removed: Removed,
}

impl Lake {
    /// The releases that were removed, by their numbers.
    ///
    /// # Errors
    /// `Data` when the list of them is damaged, `Unreachable` when the store fails.
    pub async fn removed_releases(&self) -> Result<BTreeMap<u64, Removed>> {
        let Some(text) = self.read(&list_path()).await? else { return Ok(BTreeMap::new()) };
        let list: List = serde_json::from_slice(&text).map_err(|_| Damaged::changed(&list_path()))?;
        let numbers = |range: Range| (range.first..=range.last).map(move |number| (number, range.removed));
        Ok(list.removed.into_iter().flat_map(numbers).collect())
    }

    /// Writes the list of removed releases.
    pub(crate) async fn set_removed_releases(&self, removed: &BTreeMap<u64, Removed>) -> Result<()> {
        let mut ranges: Vec<Range> = Vec::new();
        for (number, removed) in removed {
            match ranges.last_mut().filter(|range| range.last + 1 == *number && range.removed == *removed) {
                Some(range) => range.last = *number,
                None => ranges.push(Range { first: *number, last: *number, removed: *removed }),
            }
        }
        let text = serde_json::to_vec(&List { format: 1, removed: ranges })
            .map_err(|e| Error::bug(format!("the list of removed releases cannot be written as JSON: {e}")))?;
        durable::write(self, &list_path(), text, PutMode::Overwrite).await.map(drop)
    }
}

/// The list of removed releases.
pub(crate) fn list_path() -> String {
    format!("{RECORDS}/removed.json")
}

/// The folder of the records that are put aside.
pub(crate) fn aside_folder() -> String {
    format!("{RECORDS}/removed")
}

/// Where the record of a removed release is put aside.
pub(crate) fn aside_path(number: u64) -> String {
    format!("{}/{number:08}.json", aside_folder())
}
