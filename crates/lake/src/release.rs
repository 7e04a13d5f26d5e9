//! Releases: one object for each published state of all tables.

use super::lock::Lock;
use super::objects::NewObjects;
use super::open::{Lake, RECORDS};
use super::shape::lake_schema;
use super::{LoadState, Release, TableVersion, TestCounts, TestResult, ViewVersion, durable, record};
use futures::{StreamExt, TryStreamExt};
use object_store::{PutMode, PutPayload};
use perennial_core::contract::TableName;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Kind, Result};
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
    /// The business date of the run.
    pub as_of: jiff::civil::Date,
    /// Every table. One that is as it was in the last release keeps the `changed_in` of that release, whatever is
    /// given here.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// What has been read of every source table.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// The latest result of every test.
    pub tests: BTreeMap<String, TestResult>,
    /// Relations that are stored queries, each after those it reads.
    pub views: Vec<(TableName, ViewVersion)>,
    /// The files of the project that can change what readers see, by their paths below its folder.
    pub project: BTreeMap<String, Vec<u8>>,
    /// The SQL of steps without the business date; definitions name it.
    pub sql: BTreeSet<String>,
}

impl NewRelease {
    /// Tables and views that show other rows than in the release before, including those that are no longer there.
    ///
    /// # Errors
    /// `Project` for a column that cannot be stored in the lake.
    pub fn changes(&self, before: Option<&Release>) -> Result<BTreeSet<TableName>> {
        let Some(before) = before else {
            return Ok(self.tables.keys().chain(self.views.iter().map(|(name, _)| name)).cloned().collect());
        };
        let mut changed = BTreeSet::new();
        for (name, table) in self.stored_tables()? {
            if !before.tables.get(&name).is_some_and(|old| has_same_rows(old, &table)) {
                changed.insert(name);
            }
        }
        changed.extend(before.tables.keys().filter(|name| !self.tables.contains_key(name)).cloned());
        let missing = |from: &[(TableName, ViewVersion)], of: &[(TableName, ViewVersion)]| -> Vec<TableName> {
            let there = |name: &TableName, sql: &str| from.iter().any(|(other, view)| other == name && view.sql == sql);
            of.iter().filter(|(name, view)| !there(name, &view.sql)).map(|(name, _)| name.clone()).collect()
        };
        changed.extend(missing(&self.views, &before.views));
        changed.extend(missing(&before.views, &self.views));
        Ok(changed)
    }

    /// Whether anything but rows and load states differs from the release before: what tables describe, how they are
    /// defined, how their tests ended.
    ///
    /// # Errors
    /// `Project` for a column that cannot be stored in the lake.
    pub fn differs(&self, before: &Release) -> Result<bool> {
        let same_but_number = |old: &TableVersion, new: &TableVersion| {
            // A new field of versions does not compile until somebody says here whether it is worth a release.
            let TableVersion { schema, files, fingerprint, changed_in: _, as_of, definition, built_from, notes: _ } =
                old;
            (schema, files, fingerprint, as_of, definition, built_from)
                == (&new.schema, &new.files, &new.fingerprint, &new.as_of, &new.definition, &new.built_from)
        };
        let tables = self.stored_tables()?;
        let same_tables = tables.len() == before.tables.len()
            && tables.iter().all(|(name, new)| before.tables.get(name).is_some_and(|old| same_but_number(old, new)));
        let same_project = self.project.is_empty() || self.project_list()?.1 == before.project;
        Ok(!same_tables || !same_project || self.views != before.views || self.tests != before.tests)
    }

    /// The list of the project's files with their hashes, and its own hash; `None` for the hash without files.
    fn project_list(&self) -> Result<(BTreeMap<String, String>, Option<String>)> {
        let hashes = self.project.iter().map(|(path, content)| (path.clone(), digest([content])));
        let list: BTreeMap<String, String> = hashes.collect();
        let text = serde_json::to_vec(&list)
            .map_err(|e| Error::bug(format!("the list of the project's files cannot be written as JSON: {e}")))?;
        let hash = (!list.is_empty()).then(|| digest([text]));
        Ok((list, hash))
    }

    /// The tables with their columns as the lake keeps them.
    fn stored_tables(&self) -> Result<BTreeMap<TableName, TableVersion>> {
        let stored = |(name, table): (&TableName, &TableVersion)| {
            let version = TableVersion { schema: lake_schema(name, &table.schema)?, ..table.clone() };
            Ok((name.clone(), version))
        };
        self.tables.iter().map(stored).collect()
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
        match self.latest_number().await? {
            Some(number) => Ok(Some(self.release(number).await?)),
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
        let error = match self.removed_releases().await?.get(&number) {
            Some(removed) => Error::project(format!("release {number} was removed on {} by `keep`", removed.on)),
            None => Error::project(format!("the lake {} has no release {number}", self.location())),
        };
        Err(match ranges(&self.release_numbers().await?).as_slice() {
            [] => error.hint("nothing has been published yet"),
            [only] if !only.contains(' ') => error.hint(format!("there is only release {only}")),
            all => error.hint(format!("there are releases {}", all.join(", "))),
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

    /// All releases that can be read, oldest first: a damaged one that nobody needs any more is left out.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn readable_releases(&self) -> Result<Vec<Release>> {
        let numbers = self.release_numbers().await?;
        let read = futures::stream::iter(numbers).map(|number| self.release(number)).buffered(READS_AT_ONCE);
        let readable = read.filter_map(|release| async {
            match release {
                Err(error) if error.kind() == Kind::Data => None,
                other => Some(other),
            }
        });
        readable.try_collect().await
    }

    /// Publishes a release: readers see the old one before and the new one after, and nothing in between. Delta logs
    /// follow.
    ///
    /// # Errors
    /// `Unreachable` when the lock was lost, another process has published in between, or the store fails. Then the
    /// old release remains the newest, unless the message says that only the next run can tell.
    pub async fn publish(&self, lock: &Lock, new: NewRelease) -> Result<Publication> {
        self.publish_as(lock, new, Repeated::default()).await
    }

    /// Publishes the tables of an earlier release again, as a new release.
    ///
    /// # Errors
    /// `Project` when there is no such release or it is the newest; otherwise those of [`Lake::publish`].
    pub async fn rollback(&self, lock: &Lock, to: u64, run_id: &str, now: jiff::Timestamp) -> Result<Publication> {
        let old = self.release(to).await?;
        if self.latest_number().await? == Some(to) {
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
            project: BTreeMap::new(),
            sql: BTreeSet::new(),
        };
        let repeated = Repeated { rollback_of: Some(to), project: old.project, earlier_counts: old.earlier_counts };
        self.publish_as(lock, new, repeated).await
    }

    async fn publish_as(&self, lock: &Lock, mut new: NewRelease, repeated: Repeated) -> Result<Publication> {
        let given = self.given_numbers().await?;
        let before = self.latest().await?;
        // A number whose record was lost is not given again: readers, reports and Delta logs have seen it.
        let number = given.greatest(before.as_ref().map_or(0, |before| before.number)) + 1;
        let mut objects = NewObjects::default();
        for sql in std::mem::take(&mut new.sql) {
            objects.add(sql);
        }
        let files: BTreeMap<String, String> =
            std::mem::take(&mut new.project).into_iter().map(|(path, content)| (path, objects.add(content))).collect();
        let project = match files.is_empty() {
            true => repeated.project.clone(),
            false => Some(objects.add_json("the list of the project's files", &files)?),
        };
        let release = number_release(number, before.as_ref(), new, repeated, project)?;
        let record_before = match &before {
            Some(before) => self.find_record(before.number).await?,
            None => None,
        };
        let (text, named) = record::write(self, &release, record_before.as_ref()).await?;
        let mut written = self.put_objects(objects).await?;
        written.extend(self.put_objects(named).await?);
        let changed = release.tables.values().filter(|t| t.changed_in == release.number);
        written.extend(changed.flat_map(|t| t.files.iter().map(|f| f.path.clone())));
        durable::sync(self, written).await?;
        lock.verify().await?;
        self.put_record(&release, text).await?;
        durable::sync(self, vec![record_path(release.number)]).await.ok();
        self.set_latest_number(release.number).await;
        let delta_behind = self.update_delta_logs(&release).await.err();
        Ok(Publication { release, delta_behind })
    }

    /// Writes the record unless there is one. When the store's response is lost, checks whether the record is there. While it
    /// is on its way, and when it may still be, nothing that it names may be deleted before the next run has checked: not
    /// even where nobody waits for this any more.
    async fn put_record(&self, release: &Release, text: String) -> Result<()> {
        let path = record_path(release.number);
        let payload = PutPayload::from(text.clone().into_bytes());
        let was_unknown = self.publication_unknown().swap(true, Ordering::AcqRel);
        let is_known = || self.publication_unknown().store(was_unknown, Ordering::Release);
        let Err(error) = self.store().put_opts(&self.path(&path), payload, PutMode::Create.into()).await else {
            is_known();
            return Ok(());
        };
        let number = release.number;
        match self.read(&path).await {
            Ok(Some(found)) if found == text.as_bytes() => {
                is_known();
                Ok(())
            }
            Ok(Some(_)) => {
                is_known();
                Err(Error::unreachable(format!("another process has published release {number} in the meantime"))
                    .hint("this run published nothing; run it again"))
            }
            Ok(None) => Err(self.failed(&format!("write release {number} to"), error)),
            Err(_) => {
                let error = self.failed(&format!("confirm that release {number} was written to"), error);
                Err(error.hint(
                    "the next run will find out which release is the newest; readers see a complete one either way",
                ))
            }
        }
    }

    /// One release by its number; `None` when there is none of that number.
    ///
    /// # Errors
    /// Those of [`Lake::latest`].
    pub async fn find_release(&self, number: u64) -> Result<Option<Release>> {
        let Some(text) = self.read(&record_path(number)).await? else { return Ok(None) };
        if let Some((last, known, release)) = &*self.last_read()
            && (*last, known) == (number, &text)
        {
            return Ok(Some(release.clone()));
        }
        let release = record::read(self, number, &text, LoadStates::Read).await?;
        *self.last_read() = Some((number, text, release.clone()));
        Ok(Some(release))
    }

    /// The newest release, or the one of a number, for queries: without what has been read of its sources, a list that
    /// grows with every file.
    ///
    /// # Errors
    /// Those of [`Lake::latest`] and [`Lake::release`].
    pub async fn release_for_queries(&self, number: Option<u64>) -> Result<Option<Release>> {
        let number = match number {
            Some(number) => number,
            None => match self.latest_number().await? {
                Some(number) => number,
                None => return Ok(None),
            },
        };
        match self.read(&record_path(number)).await? {
            Some(text) => record::read(self, number, &text, LoadStates::Skip).await.map(Some),
            None => self.release(number).await.map(Some),
        }
    }

    /// The record of a release without what it names; `None` when there is none, or one of an earlier format.
    async fn find_record(&self, number: u64) -> Result<Option<record::Record>> {
        let path = record_path(number);
        match self.read(&path).await? {
            Some(text) => record::parse(&path, &text),
            None => Ok(None),
        }
    }

    /// The project's files as a release keeps them, by their paths below its folder; none in releases of earlier
    /// versions.
    ///
    /// # Errors
    /// `Data` when one is missing or damaged, `Unreachable` when the store fails.
    pub async fn project_files(&self, release: &Release) -> Result<BTreeMap<String, bytes::Bytes>> {
        let Some(list) = &release.project else { return Ok(BTreeMap::new()) };
        let files: BTreeMap<String, String> = self.object_json(list).await?;
        let read = files.into_iter().map(|(path, hash)| async move { Ok((path, self.object(&hash).await?)) });
        futures::stream::iter(read).buffered(READS_AT_ONCE).try_collect().await
    }
}

/// Numbers as ranges, `3 to 5`; of many the last ones.
fn ranges(numbers: &[u64]) -> Vec<String> {
    const SHOWN: usize = 8;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut().filter(|(_, last)| last + 1 == *number) {
            Some((_, last)) => *last = *number,
            None => ranges.push((*number, *number)),
        }
    }
    let left_out = ranges.len().saturating_sub(SHOWN);
    let shown = ranges.into_iter().skip(left_out).map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    });
    (left_out > 0).then(|| "...".to_string()).into_iter().chain(shown).collect()
}

/// Whether load states are wanted with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadStates {
    Read,
    Skip,
}

/// What a release repeats of an earlier one.
#[derive(Default)]
struct Repeated {
    rollback_of: Option<u64>,
    project: Option<String>,
    earlier_counts: TestCounts,
}

pub(crate) fn record_path(number: u64) -> String {
    format!("{RECORDS}/releases/{number:08}.json")
}

/// The next release; tables with the same rows keep the number of the release in which they last changed.
fn number_release(
    number: u64,
    before: Option<&Release>,
    new: NewRelease,
    repeated: Repeated,
    project: Option<String>,
) -> Result<Release> {
    let mut tables = new.tables;
    for (name, table) in &mut tables {
        table.schema = lake_schema(name, &table.schema)?;
        let old = before.and_then(|r| r.tables.get(name)).filter(|old| has_same_rows(old, table));
        table.changed_in = old.map_or(number, |old| old.changed_in);
    }
    Ok(Release {
        number,
        run_id: new.run_id,
        published_at: new.published_at,
        as_of: new.as_of,
        rollback_of: repeated.rollback_of,
        tables,
        loaded: new.loaded,
        tests: new.tests,
        views: new.views,
        project,
        earlier_counts: repeated.earlier_counts,
    })
}

fn has_same_rows(a: &TableVersion, b: &TableVersion) -> bool {
    a.files == b.files && a.schema == b.schema
}
