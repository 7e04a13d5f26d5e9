//! Releases: one object for each published state of all tables.

use super::lock::Lock;
use super::open::{Lake, RECORDS};
use super::shape::lake_schema;
use super::{LoadState, Release, TableVersion, TestCounts, durable, record};
use futures::{StreamExt, TryStreamExt};
use object_store::{PutMode, PutPayload};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// Records read at a time.
const READS_AT_ONCE: usize = 16;

/// What is to be published.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// The run that publishes.
    pub run_id: String,
    /// Now.
    pub published_at: jiff::Timestamp,
    /// The business date the figures describe.
    pub as_of: jiff::civil::Date,
    /// Every table. One that is as it was in the last release keeps the `changed_in` of that release, whatever is
    /// given here.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// What has been read of every source table.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// The results of its tests.
    pub tests: TestCounts,
    /// Relations that are stored queries, each after those it reads.
    pub views: Vec<(TableName, String)>,
    /// Hash of the definition of every step.
    pub definitions: BTreeMap<TableName, String>,
}

impl NewRelease {
    /// Tables and views that differ from the release before, including those that are no longer there. Without any,
    /// there is nothing to publish.
    ///
    /// # Errors
    /// `Project` for a column that cannot be stored in the lake.
    pub fn changes(&self, before: Option<&Release>) -> Result<BTreeSet<TableName>> {
        let Some(before) = before else {
            return Ok(self.tables.keys().chain(self.views.iter().map(|(name, _)| name)).cloned().collect());
        };
        let mut changed = BTreeSet::new();
        for (name, table) in &self.tables {
            let stored = TableVersion { schema: lake_schema(name, &table.schema)?, ..table.clone() };
            if !before.tables.get(name).is_some_and(|old| same_state(old, &stored)) {
                changed.insert(name.clone());
            }
        }
        changed.extend(before.tables.keys().filter(|name| !self.tables.contains_key(name)).cloned());
        let missing = |views: &[(TableName, String)], others: &[(TableName, String)]| {
            views.iter().filter(|view| !others.contains(view)).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        changed.extend(missing(&self.views, &before.views));
        changed.extend(missing(&before.views, &self.views));
        Ok(changed)
    }
}

/// A release that readers see from now on.
#[derive(Debug)]
pub struct Publication {
    /// The release.
    pub release: Release,
    /// Why Delta logs are behind, if they are. The release is complete; the next run's repair updates the logs.
    pub delta_behind: Option<Error>,
}

impl Lake {
    /// The newest release; `None` in a new lake.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Data` or `Project` when the record cannot be read.
    pub async fn latest(&self) -> Result<Option<Release>> {
        match self.release_numbers().await?.last() {
            Some(number) => Ok(Some(self.release(*number).await?)),
            None => Ok(None),
        }
    }

    /// One release by its number.
    ///
    /// # Errors
    /// `Project` when there is no release of that number; otherwise those of [`Lake::latest`].
    pub async fn release(&self, number: u64) -> Result<Release> {
        if let Some(release) = self.find_release(number).await? {
            return Ok(release);
        }
        let error = Error::project(format!("the lake {} has no release {number}", self.location()));
        Err(match self.release_numbers().await?.as_slice() {
            [] => error.hint("nothing has been published yet"),
            [only] => error.hint(format!("there is only release {only}")),
            [first, .., last] => error.hint(format!("there are releases {first} to {last}")),
        })
    }

    /// All releases, oldest first.
    ///
    /// # Errors
    /// Those of [`Lake::latest`].
    pub async fn releases(&self) -> Result<Vec<Release>> {
        let numbers = self.release_numbers().await?;
        futures::stream::iter(numbers).map(|n| self.release(n)).buffered(READS_AT_ONCE).try_collect().await
    }

    /// The numbers of all releases, ascending; one listing.
    pub async fn release_numbers(&self) -> Result<Vec<u64>> {
        let found = self.list(&format!("{RECORDS}/releases")).await?;
        let numbers = found.iter().filter_map(|(path, _)| {
            path.rsplit('/').next()?.strip_suffix(".json").and_then(|number| number.parse().ok())
        });
        Ok(numbers.collect::<BTreeSet<u64>>().into_iter().collect())
    }

    /// Publishes a release: readers see the old one before and the new one after, and nothing in between. Delta logs
    /// follow.
    ///
    /// # Errors
    /// `Unreachable` when the lock was lost, another process has published in between, or the store fails. Then the
    /// old release remains the newest, unless the message says that only the next run can tell.
    pub async fn publish(&self, lock: &Lock, new: NewRelease) -> Result<Publication> {
        self.publish_as(lock, new, None).await
    }

    /// Publishes the tables of an earlier release again, as a new release.
    ///
    /// # Errors
    /// `Project` when there is no such release or it is the newest; otherwise those of [`Lake::publish`].
    pub async fn rollback(&self, lock: &Lock, to: u64, run_id: &str, now: jiff::Timestamp) -> Result<Publication> {
        let old = self.release(to).await?;
        if self.release_numbers().await?.last() == Some(&to) {
            return Err(Error::project(format!("release {to} is already the newest")));
        }
        let new = NewRelease {
            run_id: run_id.to_string(),
            published_at: now,
            as_of: old.as_of,
            tables: old.tables,
            loaded: old.loaded,
            tests: old.tests,
            views: old.views,
            definitions: old.definitions,
        };
        self.publish_as(lock, new, Some(to)).await
    }

    async fn publish_as(&self, lock: &Lock, new: NewRelease, rollback_of: Option<u64>) -> Result<Publication> {
        let before = self.latest().await?;
        let release = number_release(before.as_ref(), new, rollback_of)?;
        let text = record::write(&release)?;
        let changed = release.tables.values().filter(|t| t.changed_in == release.number);
        let files = changed.flat_map(|t| t.files.iter().map(|f| f.path.clone())).collect();
        durable::sync(self, files).await?;
        lock.verify().await?;
        self.put_record(&release, text).await?;
        durable::sync(self, vec![record_path(release.number)]).await.ok();
        let delta_behind = self.update_delta_logs(&release).await.err();
        Ok(Publication { release, delta_behind })
    }

    /// Writes the record unless there is one. When the store's response is lost, checks whether the record is there.
    async fn put_record(&self, release: &Release, text: String) -> Result<()> {
        let path = record_path(release.number);
        let payload = PutPayload::from(text.clone().into_bytes());
        let Err(error) = self.store().put_opts(&self.path(&path), payload, PutMode::Create.into()).await else {
            return Ok(());
        };
        let number = release.number;
        match self.read(&path).await {
            Ok(Some(found)) if found == text.as_bytes() => Ok(()),
            Ok(Some(_)) => {
                Err(Error::unreachable(format!("another process has published release {number} in the meantime"))
                    .hint("this run published nothing; run it again"))
            }
            Ok(None) => {
                // It may still be on its way: nothing that it names may be deleted before the next run has checked.
                self.publication_unknown().store(true, Ordering::Release);
                Err(self.failed(&format!("write release {number} to"), error))
            }
            Err(_) => {
                self.publication_unknown().store(true, Ordering::Release);
                let error = self.failed(&format!("confirm that release {number} was written to"), error);
                Err(error.hint(
                    "the next run will find out which release is the newest; readers see a complete one either way",
                ))
            }
        }
    }

    pub(crate) async fn find_release(&self, number: u64) -> Result<Option<Release>> {
        let path = record_path(number);
        match self.read(&path).await? {
            Some(text) => Ok(Some(record::read(&path, &text)?)),
            None => Ok(None),
        }
    }
}

fn record_path(number: u64) -> String {
    format!("{RECORDS}/releases/{number:08}.json")
}

/// The next release; unchanged tables keep the number of the release in which they last changed.
fn number_release(before: Option<&Release>, new: NewRelease, rollback_of: Option<u64>) -> Result<Release> {
    let number = before.map_or(0, |r| r.number) + 1;
    let mut tables = new.tables;
    for (name, table) in &mut tables {
        table.schema = lake_schema(name, &table.schema)?;
        let old = before.and_then(|r| r.tables.get(name)).filter(|old| same_state(old, table));
        table.changed_in = old.map_or(number, |old| old.changed_in);
    }
    Ok(Release {
        number,
        run_id: new.run_id,
        published_at: new.published_at,
        as_of: new.as_of,
        rollback_of,
        tables,
        loaded: new.loaded,
        tests: new.tests,
        views: new.views,
        definitions: new.definitions,
    })
}

fn same_state(a: &TableVersion, b: &TableVersion) -> bool {
    a.files == b.files && a.schema == b.schema && a.fingerprint == b.fingerprint
}
