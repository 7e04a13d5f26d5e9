//! Which release is the newest: a hint says where to begin to look, so that one short listing answers it however many
//! releases there are. The hint decides nothing: where it is missing, torn, old or ahead, the listing still does.

use super::open::{Lake, RECORDS};
use super::release::record_path;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use perennial_core::error::Result;
use std::collections::BTreeSet;

/// How far the numbers of lost releases may be from those of records. What is further ahead is not a number that was
/// given, but damage.
pub(crate) const MAX_LOST: u64 = 1000;

impl Lake {
    /// The number of the newest release.
    pub(crate) async fn latest_number(&self) -> Result<Option<u64>> {
        let hint = self.hint().await.ok().flatten();
        // The listing begins with the release of the hint itself: if that is not there, the hint is ahead.
        if let Some(before) = hint.and_then(|hint| hint.checked_sub(1)) {
            let numbers = self.release_numbers_after(before).await?;
            if let Some(newest) = numbers.last() {
                return Ok(Some(*newest));
            }
        }
        Ok(self.release_numbers().await?.last().copied())
    }

    /// What the hint says; `None` where it is missing or torn.
    async fn hint(&self) -> Result<Option<u64>> {
        let text = self.read(&hint_path()).await?;
        Ok(text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok()))
    }

    /// The numbers that were given to releases besides those that records have: by the hint and by the Delta logs.
    ///
    /// To be asked before the records are listed: a number that another process gives meanwhile is not a lost one.
    pub(crate) async fn given_numbers(&self) -> Result<GivenNumbers> {
        Ok(GivenNumbers([self.hint().await?.unwrap_or(0), self.delta_progress().await?.release]))
    }

    /// Notes the number of the newest release where readers look first. If that fails, they only look longer.
    pub(crate) async fn set_latest_number(&self, number: u64) {
        self.store().put(&self.path(&hint_path()), PutPayload::from(format!("{number}\n"))).await.ok();
    }

    /// The numbers of all releases, ascending; one listing of all of them.
    pub(crate) async fn release_numbers(&self) -> Result<Vec<u64>> {
        let found = self.list(&releases_folder()).await?;
        Ok(numbers(found.iter().filter_map(|(path, _)| path.rsplit('/').next())))
    }

    /// The numbers of the releases after one, ascending.
    async fn release_numbers_after(&self, number: u64) -> Result<Vec<u64>> {
        let folder = self.path(&releases_folder());
        let found = self.store().list_with_offset(Some(&folder), &self.path(&record_path(number)));
        let found: Vec<ObjectMeta> = match found.try_collect().await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.failed(&format!("list {} in", releases_folder()), error)),
        };
        let paths: Vec<Path> = found.into_iter().map(|meta| meta.location).collect();
        Ok(numbers(paths.iter().filter_map(Path::filename)))
    }
}

/// Numbers that were given to releases; 0 where nothing says one.
pub(crate) struct GivenNumbers([u64; 2]);

impl GivenNumbers {
    /// The greatest number that was given. `newest` is that of the newest record, 0 where there is none.
    pub(crate) fn greatest(&self, newest: u64) -> u64 {
        let plausible = self.0.iter().filter(|number| number.saturating_sub(newest) <= MAX_LOST);
        plausible.copied().max().unwrap_or(0).max(newest)
    }
}

fn releases_folder() -> String {
    format!("{RECORDS}/releases")
}

fn hint_path() -> String {
    format!("{RECORDS}/latest")
}

/// The numbers of releases, by the names of their records.
fn numbers<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u64> {
    let numbers = names.filter_map(|name| name.strip_suffix(".json").and_then(|number| number.parse().ok()));
    numbers.collect::<BTreeSet<u64>>().into_iter().collect()
}
