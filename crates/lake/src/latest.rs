//! Which release is the newest: a hint says where to begin to look, so that one short listing answers it however many
//! releases there are. The hint decides nothing: where it is missing, torn, old or ahead, the listing still does.

use super::open::{Lake, RECORDS};
use super::release::record_path;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use perennial_core::error::Result;
use std::collections::BTreeSet;

impl Lake {
    /// The number of the newest release.
    pub(crate) async fn latest_number(&self) -> Result<Option<u64>> {
        let hint = self.read(&hint_path()).await.ok().flatten();
        let hint = hint.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse::<u64>().ok());
        // The listing begins with the release of the hint itself: if that is not there, the hint is ahead.
        if let Some(before) = hint.and_then(|hint| hint.checked_sub(1)) {
            let numbers = self.release_numbers_after(before).await?;
            if let Some(newest) = numbers.last() {
                return Ok(Some(*newest));
            }
        }
        Ok(self.release_numbers().await?.last().copied())
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
