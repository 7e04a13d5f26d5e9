//! The tables `system.*`, the lake's records of its runs. Rows are appended run by run and belong to no release, because
//! failed runs are recorded as well.
//!
//! What a reader needs to know of a file is in its name, so that one listing answers for all tables: the run, the number
//! of rows, a checksum. A file that replaces those of many runs ([`super::compaction`]) names the first and the last.

use super::DataFile;
use super::durable;
use super::history;
use super::open::{Lake, table_folder};
use super::shape::{conform, lake_schema};
use super::writer::file_bytes;
use arrow::array::RecordBatch;
use object_store::{ObjectStoreExt, PutPayload};
use perennial_core::contract::TableName;
use perennial_core::error::Result;
use std::collections::BTreeMap;
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// The folder of the system tables below the lake's root.
const FOLDER: &str = "system";
/// What is between the first and the last run of a file that replaces others.
const TO: &str = "_to_";
/// Characters of a checksum.
const HASH_DIGITS: usize = 16;

/// The files of all system tables.
#[derive(Debug, Default)]
pub struct SystemFiles {
    /// By table; oldest run first.
    tables: BTreeMap<String, Vec<SystemFile>>,
    /// Files of other programs in the folders of the tables, which are left out.
    pub foreign: Vec<String>,
}

impl SystemFiles {
    /// The files that hold the rows of `system.<name>`, oldest run first.
    pub fn of(&self, name: &str) -> Vec<DataFile> {
        self.visible(name).map(|file| file.file.clone()).collect()
    }

    /// All files of a table, those that others replace among them.
    pub(crate) fn all(&self, name: &str) -> &[SystemFile] {
        self.tables.get(name).map_or(&[], Vec::as_slice)
    }

    /// The files of a table that no other replaces.
    pub(crate) fn visible(&self, name: &str) -> impl Iterator<Item = &SystemFile> {
        let all = self.all(name);
        all.iter().filter(|file| !all.iter().any(|other| other.replaces(file)))
    }
}

/// A file of a system table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SystemFile {
    pub(crate) file: DataFile,
    pub(crate) name: SystemName,
}

impl SystemFile {
    /// Whether it holds the rows of another file as well, so that readers leave the other one out.
    pub(crate) fn replaces(&self, other: &SystemFile) -> bool {
        let (name, of) = (&self.name, &other.name);
        let covers = name.is_merged && name.first <= of.first && of.last <= name.last;
        let is_same_range = name.first == of.first && name.last == of.last;
        // Of two that replace the same runs, readers agree on one.
        covers && (!is_same_range || !of.is_merged || name > of)
    }
}

/// The name of a file: `<run>-<part>-<n>rows-<checksum>.parquet` or, for one that replaces others,
/// `<first run>_to_<last run>-<level>-<n>rows-<checksum>.parquet`. Earlier versions wrote no checksum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SystemName {
    pub(crate) first: String,
    pub(crate) last: String,
    /// Whether it replaces files of the runs from the first to the last.
    pub(crate) is_merged: bool,
    /// The number of the part among those of a run; how often rows were merged for one that replaces others.
    pub(crate) part: u64,
    pub(crate) rows: u64,
    pub(crate) hash: Option<u64>,
}

impl SystemName {
    fn parse(name: &str) -> Option<SystemName> {
        let name = name.strip_suffix(".parquet")?;
        let (name, hash) = match name.rsplit_once('-')? {
            (rest, hash) if hash.len() == HASH_DIGITS => (rest, Some(u64::from_str_radix(hash, 16).ok()?)),
            _ => (name, None),
        };
        let (name, rows) = name.rsplit_once('-')?;
        let rows = rows.strip_suffix("rows")?.parse().ok()?;
        let (runs, part) = name.rsplit_once('-')?;
        let (part, is_merged) = (part.parse().ok()?, runs.contains(TO));
        let (first, last) = runs.split_once(TO).unwrap_or((runs, runs));
        Some(SystemName { first: first.to_string(), last: last.to_string(), is_merged, part, rows, hash })
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SystemName { first, last, is_merged, part, rows, hash } = self;
        let runs = if *is_merged { format!("{first}{TO}{last}") } else { first.clone() };
        let hash = hash.map(|hash| format!("-{hash:016x}")).unwrap_or_default();
        write!(f, "{runs}-{part}-{rows}rows{hash}.parquet")
    }
}

impl Lake {
    /// Appends rows of one run to `system.<name>`. A run may append several times; without rows no file is written. When
    /// this returns, the rows survive a power failure.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn append_system(&self, name: &str, run_id: &str, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let table = TableName::new(FOLDER, name);
        let batch = conform(&table, &lake_schema(&table, &rows.schema())?, rows)?;
        let name = SystemName {
            first: run_id.to_string(),
            last: run_id.to_string(),
            is_merged: false,
            part: self.next_part(name, run_id),
            rows: batch.num_rows() as u64,
            hash: None,
        };
        self.put_system(&table, name, file_bytes(batch.schema(), [Ok(batch)])?).await
    }

    /// Writes a file of a system table. The name is completed by the checksum.
    pub(crate) async fn put_system(&self, table: &TableName, name: SystemName, bytes: Vec<u8>) -> Result<()> {
        let name = SystemName { hash: Some(xxh3_64(&bytes)), ..name };
        let path = format!("{}/{name}", table_folder(table)?);
        let put = self.store().put(&self.path(&path), PutPayload::from(bytes)).await;
        put.map_err(|error| self.failed(&format!("write {path} to"), error))?;
        durable::sync(self, vec![path]).await
    }

    /// The files of all system tables; one listing.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn system_files(&self) -> Result<SystemFiles> {
        let tables: Vec<&str> = history::tables().into_iter().map(|(name, _)| name).collect();
        let mut files = SystemFiles::default();
        for (path, bytes) in self.list(FOLDER).await? {
            let mut parts = path.rsplit('/');
            let (Some(name), Some(table), Some(FOLDER)) = (parts.next(), parts.next(), parts.next()) else { continue };
            if !tables.contains(&table) || !name.ends_with(".parquet") {
                continue;
            }
            let Some(name) = SystemName::parse(name) else {
                files.foreign.push(path);
                continue;
            };
            if let Some(hash) = name.hash {
                self.register_whole(&path, bytes, hash);
            }
            let table = table.to_string();
            let file = DataFile { path, bytes, rows: name.rows, content: None, blocks: None };
            files.tables.entry(table).or_default().push(SystemFile { file, name });
        }
        files.tables.values_mut().for_each(|files| files.sort_by(|a, b| a.name.cmp(&b.name)));
        Ok(files)
    }

    /// The number of a run's next file of a system table. Names differ by their checksums as well, so that what another
    /// process has written of the same run stays.
    fn next_part(&self, name: &str, run_id: &str) -> u64 {
        let mut parts = self.system_parts();
        let last = parts.entry((name.to_string(), run_id.to_string())).or_default();
        *last += 1;
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_holds() {
        let run = "20261122T041500Z-3f9a";
        let loose = SystemName::parse("20261122T041500Z-3f9a-12-5rows-00000000000000ff.parquet").unwrap();
        assert_eq!((&*loose.first, loose.part, loose.rows, loose.hash), (run, 12, 5, Some(255)));
        let old = SystemName::parse("20261122T041500Z-3f9a-1-70rows.parquet").unwrap();
        assert_eq!((&*old.last, old.is_merged, old.part, old.rows, old.hash), (run, false, 1, 70, None));
        let merged = "20261122T041500Z-3f9a_to_20261123T041500Z-0001-2-9rows-0123456789abcdef.parquet";
        let name = SystemName::parse(merged).unwrap();
        assert!(name.is_merged && name.part == 2 && name.last == "20261123T041500Z-0001");
        for name in [&loose, &old, &name] {
            assert_eq!(SystemName::parse(&name.to_string()).as_ref(), Some(name));
        }
        for foreign in ["x.parquet", "r1-1-rows.parquet", "r1-1-5rows-zz.parquet", "r1-1-5rows", "5rows.parquet"] {
            assert_eq!(SystemName::parse(foreign), None, "{foreign}");
        }
    }
}
