//! What releases need: the objects and data files that their records name, directly or by way of other objects.

use super::damaged::Damaged;
use super::objects::object_path;
use super::open::Lake;
use super::release::record_path;
use super::verify::Part;
use super::{DataFile, earlier_record, record};
use futures::{StreamExt, TryStreamExt};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Objects read at a time.
const READS_AT_ONCE: usize = 32;
/// The first version of definitions whose SQL is kept as an object.
const FIRST_KEPT_DEFINITION: u32 = 3;

/// What some releases need.
#[derive(Default)]
pub(crate) struct Named {
    /// Objects, by hash.
    pub(crate) objects: BTreeMap<String, Use>,
    /// Data files, by path.
    pub(crate) data: BTreeMap<String, (DataFile, Use)>,
    /// Tables.
    pub(crate) tables: BTreeSet<TableName>,
}

/// What releases need a file for.
pub(crate) struct Use {
    pub(crate) part: Part,
    pub(crate) table: Option<TableName>,
    pub(crate) releases: Vec<u64>,
    /// Whether it can name nothing else.
    is_leaf: bool,
}

impl Use {
    fn new(part: Part, table: Option<TableName>, is_leaf: bool) -> Use {
        Use { part, table, releases: Vec::new(), is_leaf }
    }

    /// Of an object that nothing names.
    pub(crate) fn other() -> Use {
        Use::new(Part::Other, None, true)
    }

    fn by(&mut self, releases: &[u64]) {
        self.releases.extend(releases);
        self.releases.sort_unstable();
        self.releases.dedup();
    }
}

/// The part of a manifest that names files and the SQL.
#[derive(Deserialize)]
struct ManifestParts {
    files: Vec<DataFile>,
    #[serde(default)]
    definition: Option<String>,
}

/// The part of a stored query that names the SQL of its step.
#[derive(Deserialize)]
struct ViewParts {
    #[serde(default)]
    definition: Option<String>,
}

/// The part of a load state that names another object.
#[derive(Deserialize)]
struct StateParts {
    #[serde(default)]
    list: Option<String>,
}

impl Named {
    /// Adds what a record names; `false` when it is the record of another release than its name says.
    ///
    /// # Errors
    /// `Data` when it is not what was written, `Project` when a newer version of the program wrote it.
    pub(crate) fn add_record(&mut self, path: &str, number: u64, text: &[u8]) -> Result<bool> {
        let Some(record) = record::parse(path, text)? else {
            let release = earlier_record::read(path, text)?;
            for (name, table) in release.tables {
                table.files.into_iter().for_each(|file| self.add_data_file(file, &Some(name.clone()), &[number]));
                self.tables.insert(name);
            }
            return Ok(release.number == number);
        };
        if record.number != number {
            return Ok(false);
        }
        for (part, table, hash) in record.objects() {
            if part == Part::Manifest {
                self.tables.extend(table.cloned());
            }
            self.add_object(hash, part, table, &[number], matches!(part, Part::Tests));
        }
        Ok(true)
    }

    fn add_object(&mut self, hash: &str, part: Part, table: Option<&TableName>, releases: &[u64], is_leaf: bool) {
        let known = self.objects.entry(hash.to_string()).or_insert_with(|| Use::new(part, table.cloned(), is_leaf));
        known.is_leaf &= is_leaf;
        known.by(releases);
    }

    fn add_data_file(&mut self, file: DataFile, table: &Option<TableName>, releases: &[u64]) {
        let path = file.path.clone();
        let (_, known) = self.data.entry(path).or_insert_with(|| (file, Use::new(Part::Data, table.clone(), true)));
        known.by(releases);
    }

    /// Adds what an object names; `None` if it is not what it should be.
    pub(crate) fn follow(&mut self, hash: &str, content: &[u8]) -> Option<()> {
        let Some(known) = self.objects.get(hash).filter(|known| !known.is_leaf) else { return Some(()) };
        let (part, table, releases) = (known.part, known.table.clone(), known.releases.clone());
        match part {
            Part::Manifest => {
                let ManifestParts { files, definition } = serde_json::from_slice(content).ok()?;
                files.into_iter().for_each(|file| self.add_data_file(file, &table, &releases));
                self.add_definition(definition, table.as_ref(), &releases);
            }
            Part::View => {
                let ViewParts { definition } = serde_json::from_slice(content).ok()?;
                self.add_definition(definition, table.as_ref(), &releases);
            }
            Part::LoadState => {
                let StateParts { list } = serde_json::from_slice(content).ok()?;
                list.iter().for_each(|list| self.add_object(list, part, table.as_ref(), &releases, true));
            }
            Part::Project => {
                let files: BTreeMap<String, String> = serde_json::from_slice(content).ok()?;
                files.values().for_each(|hash| self.add_object(hash, part, None, &releases, true));
            }
            _ => {}
        }
        Some(())
    }

    /// The object of a definition, `<version>:<hash>`. Those of the first two versions are hashes of what is not kept.
    fn add_definition(&mut self, definition: Option<String>, table: Option<&TableName>, releases: &[u64]) {
        if let Some((version, hash)) = definition.as_deref().and_then(|definition| definition.split_once(':'))
            && version.parse::<u32>().is_ok_and(|version| version >= FIRST_KEPT_DEFINITION)
        {
            self.add_object(hash, Part::Definition, table, releases, true);
        }
    }

    /// Reads the objects that may name others, and adds what they name.
    ///
    /// # Errors
    /// `Data` when one is missing or damaged: then nobody knows what it names. `Unreachable` when the store fails.
    pub(crate) async fn follow_all(&mut self, lake: &Lake) -> Result<()> {
        // Leaves are all that following adds.
        let inner = self.objects.iter().filter(|(_, known)| !known.is_leaf);
        let hashes: Vec<String> = inner.map(|(hash, _)| hash.clone()).collect();
        let reads =
            hashes.into_iter().map(|hash| async move { Ok::<_, Error>((lake.read_object(&hash).await?, hash)) });
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        while let Some((content, hash)) = reads.try_next().await? {
            self.follow(&hash, &content).ok_or_else(|| Damaged::changed(&object_path(&hash)))?;
        }
        Ok(())
    }
}

/// What a record says of its release.
pub(crate) struct Published {
    pub(crate) number: u64,
    pub(crate) at: jiff::Timestamp,
    pub(crate) as_of: jiff::civil::Date,
    pub(crate) text: bytes::Bytes,
}

impl Lake {
    /// The records of all releases, by number.
    ///
    /// # Errors
    /// `Data` when one is damaged, `Unreachable` when the store fails.
    pub(crate) async fn records(&self) -> Result<Vec<Published>> {
        let numbers = self.release_numbers().await?;
        let reads = numbers.into_iter().map(|number| async move {
            let path = record_path(number);
            // It may have been removed since the listing.
            let Some(text) = self.read(&path).await? else { return Ok(None) };
            let (at, as_of) = match record::parse(&path, &text)? {
                Some(record) => record.times(),
                None => earlier_record::read(&path, &text).map(|release| (release.published_at, release.as_of))?,
            };
            Ok(Some(Published { number, at, as_of, text }))
        });
        let found: Vec<Option<Published>> = futures::stream::iter(reads)
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await
            .map_err(|error: Error| match error.kind() {
                Kind::Data => error
                    .hint("what a damaged release needs is not known: put its record back from a backup, or delete it"),
                _ => error,
            })?;
        Ok(found.into_iter().flatten().collect())
    }
}
