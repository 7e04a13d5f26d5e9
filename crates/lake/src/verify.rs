//! Reading a whole lake to find what is damaged, which releases need it, and what repairs it.

use super::damaged::{Damage, Damaged, damage_in};
use super::delta::{DeltaLog, is_log_of};
use super::latest::{GivenNumbers, MAX_LOST};
use super::named::{Named, Use};
use super::objects::{object_hash, object_path, objects_folder};
use super::open::{Lake, table_folder};
use super::release::record_path;
use super::verified::READ_BYTES;
use super::{DataFile, DataFiles, history, removed};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use perennial_core::contract::TableName;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Kind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files read at a time.
const READS_AT_ONCE: usize = 8;

/// What a file of the lake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The record of a release.
    Record,
    /// The list of the releases that were removed.
    Removed,
    /// The version of a table: its columns and files.
    Manifest,
    /// What has been read of a source table.
    LoadState,
    /// A stored query.
    View,
    /// Results of tests.
    Tests,
    /// Files of the project as a release keeps them.
    Project,
    /// The SQL of a step.
    Definition,
    /// An object that nothing needs in order to read a release.
    Other,
    /// Rows of a table.
    Data,
    /// Rows of a system table.
    System,
    /// A Delta log, for readers from outside.
    Delta,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Record => "release record",
            Part::Removed => "list of removed releases",
            Part::Manifest => "manifest",
            Part::LoadState => "load state",
            Part::View => "view",
            Part::Tests => "results of tests",
            Part::Project => "project files",
            Part::Definition => "SQL of a step",
            Part::Other => "object",
            Part::Data => "rows",
            Part::System => "system rows",
            Part::Delta => "Delta log",
        })
    }
}

/// A damaged file, and what to do.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The file and what is wrong with it.
    pub damaged: Damaged,
    /// What it is.
    pub part: Part,
    /// Whose it is; `None` for what is of no table.
    pub table: Option<TableName>,
    /// The releases that need it, ascending.
    pub releases: Vec<u64>,
    /// Whether the newest release is among them.
    pub in_newest: bool,
    /// What repairs it, or why nothing has to.
    pub repair: String,
}

/// What was found in a lake.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of earlier versions that have no checksum: only whether their rows can be read was verified.
    pub without_checksum: u64,
    /// What is damaged, that of the newest release first.
    pub findings: Vec<Finding>,
    /// Files of other programs in the folders of system tables.
    pub foreign: Vec<String>,
}

/// What has been found so far.
struct Check<'a> {
    lake: &'a Lake,
    progress: &'a (dyn Fn(u64) + Sync),
    files: AtomicU64,
    bytes: AtomicU64,
    without_checksum: AtomicU64,
    findings: Vec<Finding>,
    named: Named,
}

impl Lake {
    /// Reads every file of the lake. `progress` is told after each how many have been read.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Project` when a newer version of the program wrote a release. Damage is a
    /// [`Finding`], not an error.
    pub async fn verify(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Verification> {
        let mut check = Check {
            lake: self,
            progress,
            files: AtomicU64::default(),
            bytes: AtomicU64::default(),
            without_checksum: AtomicU64::default(),
            findings: Vec::new(),
            named: Named::default(),
        };
        let given = self.given_numbers().await?;
        let numbers = self.release_numbers().await?;
        check.lost_records(&numbers, &given).await?;
        check.records(&numbers).await?;
        check.objects().await?;
        check.data_files().await?;
        let foreign = check.system_files().await?;
        check.delta_logs(numbers.last().copied()).await?;
        let mut findings = check.findings;
        advise(&mut findings, &numbers);
        findings.sort_by(|a, b| (b.in_newest, &a.damaged.path).cmp(&(a.in_newest, &b.damaged.path)));
        Ok(Verification {
            files: check.files.into_inner(),
            bytes: check.bytes.into_inner(),
            without_checksum: check.without_checksum.into_inner(),
            findings,
            foreign,
        })
    }
}

impl Check<'_> {
    /// Counts a file that has been read.
    fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.progress)(self.files.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn found(&mut self, damaged: Damaged, part: Part, table: Option<TableName>, releases: Vec<u64>) {
        self.findings.push(Finding { damaged, part, table, releases, in_newest: false, repair: String::new() });
    }

    /// Finds the releases that were published and have no record: numbers are given without a gap.
    async fn lost_records(&mut self, numbers: &[u64], given: &GivenNumbers) -> Result<()> {
        let newest = numbers.last().copied().unwrap_or(0);
        let greatest = given.greatest(newest);
        // The number of the last release may be all that is left of those after the newest record.
        let last = (greatest > newest).then_some(greatest);
        let known: Vec<u64> = numbers.iter().copied().chain(last).collect();
        let gaps = known.iter().zip(known.iter().skip(1)).filter(|(before, after)| *after - *before <= MAX_LOST);
        let lost = gaps.flat_map(|(before, after)| before + 1..*after).chain(last);
        // After the listing of records: what is removed meanwhile is on the list first.
        let removed = self.removed_releases().await?;
        for number in lost.filter(|number| !removed.contains_key(number)) {
            let path = record_path(number);
            // It may have been written since the listing.
            if self.lake.read(&path).await?.is_none() {
                self.found(Damaged::missing(&path), Part::Record, None, vec![number]);
            }
        }
        Ok(())
    }

    /// The releases that were removed on purpose.
    async fn removed_releases(&mut self) -> Result<BTreeMap<u64, removed::Removed>> {
        match self.lake.removed_releases().await {
            Err(error) if error.kind() == Kind::Data => {
                self.found(Damaged::changed(&removed::list_path()), Part::Removed, None, Vec::new());
                Ok(BTreeMap::new())
            }
            found => found,
        }
    }

    /// Reads the records of all releases and collects what they name.
    async fn records(&mut self, numbers: &[u64]) -> Result<()> {
        let lake = self.lake;
        let reads = numbers
            .iter()
            .map(|number| async move { Ok::<_, Error>((*number, lake.read(&record_path(*number)).await?)) });
        let mut reads = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some((number, text)) = reads.try_next().await? {
            // It may have been deleted since the listing.
            let Some(text) = text else { continue };
            let path = record_path(number);
            self.read(text.len() as u64);
            match self.named.add_record(&path, number, &text) {
                Ok(true) => {}
                Ok(false) => self.found(Damaged::changed(&path), Part::Record, None, vec![number]),
                Err(error) if error.kind() == Kind::Data => {
                    self.found(Damaged::changed(&path), Part::Record, None, vec![number]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the objects that records name, those that these name, and all others.
    async fn objects(&mut self) -> Result<()> {
        let listed = self.lake.list(&objects_folder()).await?;
        let mut left: BTreeSet<String> = listed.iter().filter_map(|(path, _)| object_hash(path)).collect();
        let mut next: Vec<String> = self.named.objects.keys().cloned().collect();
        while !next.is_empty() {
            let known: BTreeSet<String> = self.named.objects.keys().cloned().collect();
            for hash in &next {
                left.remove(hash);
            }
            self.read_objects(next).await?;
            next = self.named.objects.keys().filter(|hash| !known.contains(*hash)).cloned().collect();
        }
        // What no record names may be of a run in progress. If it was changed, the next run may take it for what it is.
        for hash in &left {
            self.named.objects.insert(hash.clone(), Use::other());
        }
        self.read_objects(left.into_iter().collect()).await
    }

    async fn read_objects(&mut self, hashes: Vec<String>) -> Result<()> {
        let lake = self.lake;
        let reads = hashes.into_iter().map(|hash| async move {
            let content = lake.read(&object_path(&hash)).await?;
            Ok::<_, Error>((hash, content))
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        while let Some((hash, content)) = reads.try_next().await? {
            let Some(known) = self.named.objects.get(&hash) else { continue };
            let (part, table, releases) = (known.part, known.table.clone(), known.releases.clone());
            let path = object_path(&hash);
            let Some(content) = content else {
                self.found(Damaged::missing(&path), part, table, releases);
                continue;
            };
            self.read(content.len() as u64);
            let is_whole = digest([&content]) == hash && self.named.follow(&hash, &content).is_some();
            if !is_whole {
                self.found(Damaged::changed(&path), part, table, releases);
            }
        }
        Ok(())
    }

    async fn data_files(&mut self) -> Result<()> {
        let data = std::mem::take(&mut self.named.data);
        let this = &*self;
        let reads = data.into_values().map(|(file, known)| async move {
            let damage = this.data_file(&file).await?;
            this.read(file.bytes);
            Ok::<_, Error>((file, known, damage))
        });
        let found: Vec<_> = futures::stream::iter(reads)
            .buffer_unordered(READS_AT_ONCE)
            .try_filter_map(|(file, known, damage)| async move { Ok(damage.map(|damage| (file, known, damage))) })
            .try_collect()
            .await?;
        for (file, known, damage) in found {
            self.found(Damaged { path: file.path, damage }, known.part, known.table, known.releases);
        }
        Ok(())
    }

    async fn data_file(&self, file: &DataFile) -> Result<Option<Damage>> {
        let (lake, path) = (self.lake, self.lake.path(&file.path));
        let failed = |error| lake.failed(&format!("read {} from", file.path), error);
        if file.blocks.is_none() {
            self.without_checksum.fetch_add(1, Ordering::Relaxed);
            return match lake.store().head(&path).await {
                Ok(meta) if meta.size != file.bytes => Ok(Some(Damage::Changed)),
                Ok(_) => self.rows_of(file).await,
                Err(object_store::Error::NotFound { .. }) => Ok(Some(Damage::Missing)),
                Err(error) => Err(failed(error)),
            };
        }
        lake.register_blocks(file);
        let mut start = 0;
        while start < file.bytes {
            let end = file.bytes.min(start + READ_BYTES);
            if let Err(error) = lake.store().get_range(&path, start..end).await {
                return damage_in(&error).map(|damaged| Some(damaged.damage)).ok_or_else(|| failed(error));
            }
            start = end;
        }
        Ok(None)
    }

    /// Whether all rows of a file without a checksum can be read.
    async fn rows_of(&self, file: &DataFile) -> Result<Option<Damage>> {
        let read = async {
            let columns = DataFiles::schema(self.lake, file).await?;
            let wanted: Vec<String> = columns.fields().iter().map(|field| field.name().clone()).collect();
            let mut rows = self.lake.rows(file, &wanted).await?;
            let mut count = 0;
            while let Some(batch) = rows.try_next().await? {
                count += batch.num_rows() as u64;
            }
            Ok(count)
        };
        match read.await {
            Ok(count) => Ok((count != file.rows).then_some(Damage::Changed)),
            Err(error) => damage_of(error).map(Some),
        }
    }

    async fn system_files(&mut self) -> Result<Vec<String>> {
        let files = self.lake.system_files().await?;
        for (name, _) in history::tables() {
            for file in files.visible(name) {
                let damage = match self.lake.open_system(file).await {
                    Ok(_) => None,
                    // A run may have merged files since the listing.
                    Err(_) if !self.lake.system_files().await?.visible(name).any(|other| other == file) => continue,
                    Err(error) => Some(damage_of(error)?),
                };
                if file.name.hash.is_none() {
                    self.without_checksum.fetch_add(1, Ordering::Relaxed);
                }
                self.read(file.file.bytes);
                if let Some(damage) = damage {
                    let table = TableName::new("system", name);
                    let path = file.file.path.clone();
                    self.found(Damaged { path, damage }, Part::System, Some(table), Vec::new());
                }
            }
        }
        Ok(files.foreign)
    }

    /// Reads the Delta logs of the newest release, as far as it can be read, and compares them with it.
    async fn delta_logs(&mut self, newest: Option<u64>) -> Result<()> {
        let Some(newest) = newest else { return Ok(()) };
        let tables = match self.lake.release(newest).await {
            Ok(release) => release.tables,
            // What is damaged of it has been found already.
            Err(error) if error.kind() == Kind::Data => return Ok(()),
            Err(error) => return Err(error),
        };
        // The run that published it may have been killed before they followed; the next run brings them there.
        let have_followed = self.lake.delta_logs_have_reached(newest).await?;
        for (name, version) in tables {
            let log = DeltaLog::new(self.lake, &name)?;
            let damage = match log.read().await {
                Ok(Some(snapshot)) if !have_followed || is_log_of(&log, &snapshot, &version)? => None,
                Ok(None) if !have_followed => None,
                // A run may have published since the listing.
                Ok(_) if self.lake.latest_number().await? != Some(newest) => None,
                Ok(Some(_)) => Some(Damage::Differs),
                Ok(None) => Some(Damage::Missing),
                Err(error) if matches!(error.kind(), Kind::Data | Kind::Project) => Some(Damage::Changed),
                Err(error) => return Err(error),
            };
            self.read(0);
            if let Some(damage) = damage {
                let path = format!("{}/_delta_log", table_folder(&name)?);
                self.found(Damaged { path, damage }, Part::Delta, Some(name), Vec::new());
            }
        }
        Ok(())
    }
}

/// What an error says is wrong with a file; the error itself where it is about something else.
fn damage_of(error: Error) -> Result<Damage> {
    match damage_in(&error) {
        Some(damaged) => Ok(damaged.damage),
        None if error.kind() == Kind::Data => Ok(Damage::Changed),
        None => Err(error),
    }
}

/// Says of each finding what repairs it.
fn advise(findings: &mut [Finding], numbers: &[u64]) {
    let newest = numbers.last().copied();
    let needed = |finding: &&Finding| {
        !matches!(
            finding.part,
            Part::Project | Part::Definition | Part::Other | Part::Delta | Part::System | Part::Removed
        )
    };
    let damaged: BTreeSet<u64> =
        findings.iter().filter(needed).flat_map(|finding| finding.releases.iter().copied()).collect();
    let whole = numbers.iter().rev().copied().find(|number| !damaged.contains(number));
    for finding in findings {
        // One that was published after it has lost its record.
        finding.in_newest =
            finding.releases.last().is_some_and(|release| newest.is_none_or(|newest| *release >= newest));
        finding.repair = repair(finding, newest, whole);
    }
}

/// What repairs a damaged file. `whole` is the newest release that needs none of the damaged files.
fn repair(finding: &Finding, newest: Option<u64>, whole: Option<u64>) -> String {
    let path = &finding.damaged.path;
    let table = finding.table.as_ref().map(ToString::to_string).unwrap_or_default();
    let backup = "put the file back from a backup";
    if let (Part::Record, Damage::Missing, true, [number, ..]) =
        (finding.part, finding.damaged.damage, finding.in_newest, finding.releases.as_slice())
    {
        let seen = newest.map_or_else(|| "none".to_string(), |newest| format!("release {newest}"));
        return format!("release {number} was published, but readers see {seen} now: {backup}, or run again");
    }
    match (finding.part, finding.in_newest) {
        (Part::Removed, _) => {
            format!("{backup}, or delete it: then releases that were removed count as lost")
        }
        (Part::Other, _) => "delete it: no release needs it, and a run that does writes it again".to_string(),
        (Part::Project, _) => format!(
            "{backup}; without it only `perennial report --as-published` fails, and the next release writes anew what it keeps"
        ),
        (Part::Definition, _) => {
            "nothing: no figure depends on it, and the next release of the step writes it again".to_string()
        }
        (Part::System, _) => format!("{backup}, or delete it: then what its runs recorded in {table} is lost"),
        (Part::Delta, _) => {
            let folder = match finding.damaged.damage {
                Damage::Missing => String::new(),
                _ => format!("the folder {path} and "),
            };
            format!("delete {folder}_perennial/delta.json: the next run writes the log anew")
        }
        (Part::Data, true) if finding.table.as_ref().is_some_and(TableName::is_raw) => {
            let back = match whole {
                Some(whole) => format!("`perennial rollback {whole}` returns to the newest undamaged release"),
                None => backup.to_string(),
            };
            format!(
                "{back}; or `perennial run [PIPELINE] --full-refresh` reads the source again, but rows of source files \
                 that are gone cannot be read again"
            )
        }
        (Part::Data, true) => {
            let again = format!("`perennial run [PIPELINE] --full-refresh --select {table}` makes the table again");
            match whole {
                Some(whole) => format!("{again}; `perennial rollback {whole}` returns to the newest undamaged release"),
                None => format!("{again}; or {backup}"),
            }
        }
        (_, true) => match whole {
            Some(whole) => {
                let (first, newest) = (whole + 1, newest.unwrap_or(whole));
                let records = match first == newest {
                    true => format!("the record {}", record_path(newest)),
                    false => format!("the records of releases {first} to {newest} in _perennial/releases"),
                };
                format!(
                    "{backup}, or delete {records}: then release {whole} is the newest, and the next run reads on from it"
                )
            }
            None => backup.to_string(),
        },
        (_, false) => "nothing: the newest release does not need it; those that do can no longer be read".to_string(),
    }
}
