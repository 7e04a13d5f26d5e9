//! Merging the files of system tables, of which every run writes a few: readers open a number of files that grows with
//! the logarithm of the number of runs.
//!
//! A merged file names the first and the last run that it holds, and readers leave out the files of runs in between
//! ([`super::system`]). So whatever a reader finds in a listing, every row is there once: before, while and after the
//! merged file appears. The files that it replaces are deleted by a later run, when nobody has them in an old listing
//! any more, and only if the merged file is what was written. A run that is killed in the middle leaves nothing else.

use super::history;
use super::lock::Lock;
use super::open::Lake;
use super::system::{SystemFile, SystemFiles, SystemName};
use super::writer::file_bytes;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Files of single runs that a table may have before they are merged.
const LOOSE_FILES: usize = 32;
/// Files of one level that a table may have before they are merged into one of the next.
const FILES_OF_A_LEVEL: usize = 8;
/// How often a row may be merged.
const LEVELS: u64 = 6;
/// About the most bytes of a merged file; its bytes are held in memory while it is written.
const MERGED_BYTES: u64 = 32 << 20;
/// Rows that are merged at a time: rejects may be long.
const BATCH_ROWS: usize = 256;

impl Lake {
    /// Merges the files of system tables that have many, and deletes those that an earlier run has merged. To be called
    /// by the run that holds the lock when its rows, and those of killed runs, are written.
    ///
    /// Returns files in the tables' folders that other programs have put there, which readers leave out.
    ///
    /// # Errors
    /// `Unreachable` when the lock was lost or the store fails, `Data` when a file that would be merged is damaged.
    pub async fn compact_system(&self, lock: &Lock) -> Result<Vec<String>> {
        let files = self.system_files().await?;
        if self.publication_unknown().load(Ordering::Acquire) {
            // This process may delete nothing: the row of its run may be written again.
            return Ok(files.foreign);
        }
        let has_replaced = |name: &str| files.visible(name).count() < files.all(name).len();
        let is_due = |name: &str| files.all(name).len() > LOOSE_FILES || has_replaced(name);
        if history::tables().iter().any(|(name, _)| is_due(name)) {
            lock.verify().await?;
        }
        for (name, _) in history::tables().into_iter().filter(|(name, _)| is_due(name)) {
            if self.delete_replaced(&files, name).await? {
                self.merge(&files, name).await?;
            }
        }
        Ok(files.foreign)
    }

    /// Deletes the files that a merged one replaces. A merged file that is damaged is deleted instead: its rows are
    /// still in the others. Returns whether the visible files are still there.
    async fn delete_replaced(&self, files: &SystemFiles, name: &str) -> Result<bool> {
        let mut all_there = true;
        for merged in files.visible(name).filter(|file| file.name.is_merged) {
            let replaced: Vec<&SystemFile> = files.all(name).iter().filter(|other| merged.replaces(other)).collect();
            if replaced.is_empty() {
                continue;
            }
            let unwanted = match self.open_system(merged).await {
                Ok(_) => replaced,
                Err(error) if error.kind() == Kind::Data && holds_all(&replaced, merged) => {
                    all_there = false;
                    vec![merged]
                }
                Err(error) => return Err(error),
            };
            for file in unwanted {
                self.delete(&file.file.path).await?;
            }
        }
        Ok(all_there)
    }

    /// Merges files of the lowest level that has too many.
    async fn merge(&self, files: &SystemFiles, name: &str) -> Result<()> {
        let units = units(files.visible(name));
        for level in 0..LEVELS {
            let due = due(&units, level);
            if due.is_empty() {
                continue;
            }
            for group in due {
                self.merge_group(name, group, level + 1).await?;
            }
            return Ok(());
        }
        Ok(())
    }

    async fn merge_group(&self, name: &str, group: &[Unit<'_>], level: u64) -> Result<()> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        let mut opened = Vec::new();
        for file in group.iter().flat_map(|unit| &unit.files) {
            opened.push((&file.file.path, self.open_system(file).await?));
        }
        let schemas = opened.iter().map(|(_, reader)| reader.schema().as_ref().clone());
        // A later version may have added columns, which earlier files lack. Where it gave one another type, the engine
        // reads each file as it is.
        let Ok(schema) = Schema::try_merge(schemas) else { return Ok(()) };
        let schema = Arc::new(schema);
        let merged = SystemName {
            first: first.first().to_string(),
            last: last.last().to_string(),
            is_merged: true,
            part: level,
            rows: group.iter().flat_map(|unit| &unit.files).map(|file| file.name.rows).sum(),
            hash: None,
        };
        let batches = opened.into_iter().flat_map(|(path, reader)| {
            let (batches, failed) = match reader.with_batch_size(BATCH_ROWS).build() {
                Ok(batches) => (Some(batches), None),
                Err(error) => (None, Some(Err(unreadable(path, &error)))),
            };
            let batches = batches.into_iter().flatten().map(|batch| batch.map_err(|error| unreadable(path, &error)));
            failed.into_iter().chain(batches)
        });
        let bytes = file_bytes(schema.clone(), batches.map(|batch| widened(&schema, &batch?)))?;
        self.put_system(&TableName::new("system", name), merged, bytes).await
    }

    /// A file of a system table, whose bytes have been verified and are held in memory.
    pub(crate) async fn open_system(&self, file: &SystemFile) -> Result<ParquetRecordBatchReaderBuilder<Bytes>> {
        let path = &file.file.path;
        let failed = |error| self.failed(&format!("read {path} from"), error);
        let bytes = self.store().get(&self.path(path)).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| unreadable(path, &error))?;
        match u64::try_from(reader.metadata().file_metadata().num_rows()) {
            Ok(rows) if rows == file.name.rows => Ok(reader),
            _ => Err(unreadable(path, &"it has another number of rows than its name says")),
        }
    }
}

fn unreadable(path: &str, error: &dyn fmt::Display) -> Error {
    Error::data(format!("{path} cannot be read: {error}"))
}

/// Whether the files hold all rows of the one that replaces them.
fn holds_all(replaced: &[&SystemFile], merged: &SystemFile) -> bool {
    let kept = replaced.iter().filter(|file| !replaced.iter().any(|other| other.replaces(file)));
    kept.map(|file| file.name.rows).sum::<u64>() == merged.name.rows
}

/// What cannot be divided among merged files: the files of one run, or one merged file.
struct Unit<'a> {
    files: Vec<&'a SystemFile>,
    level: u64,
}

impl Unit<'_> {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.file.bytes).sum()
    }

    fn first(&self) -> &str {
        self.files.first().map_or("", |file| &file.name.first)
    }

    fn last(&self) -> &str {
        self.files.last().map_or("", |file| &file.name.last)
    }
}

fn units<'a>(files: impl Iterator<Item = &'a SystemFile>) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit<'_>> = Vec::new();
    for file in files {
        match units.last_mut() {
            Some(unit) if unit.level == 0 && !file.name.is_merged && unit.first() == file.name.first => {
                unit.files.push(file);
            }
            _ => units.push(Unit { files: vec![file], level: if file.name.is_merged { file.name.part } else { 0 } }),
        }
    }
    units
}

/// The groups of consecutive units that are to be merged because there are too many files of a level. Units of a higher
/// level, and large ones, stay as they are.
fn due<'u, 'a>(units: &'u [Unit<'a>], level: u64) -> Vec<&'u [Unit<'a>]> {
    let limit = if level == 0 { LOOSE_FILES } else { FILES_OF_A_LEVEL };
    let stays = |unit: &Unit<'_>| unit.level > level || unit.bytes() >= MERGED_BYTES / 2;
    let mut groups = Vec::new();
    for stretch in units.split(stays) {
        let files = stretch.iter().filter(|unit| unit.level == level).map(|unit| unit.files.len()).sum::<usize>();
        if files <= limit {
            continue;
        }
        let mut rest = stretch;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |unit: &&Unit<'_>| {
                bytes += unit.bytes();
                bytes <= MERGED_BYTES
            };
            let (group, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            if group.iter().map(|unit| unit.files.len()).sum::<usize>() > 1 {
                groups.push(group);
            }
            rest = after;
        }
    }
    groups
}

/// A batch with all columns of a schema.
fn widened(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => new_null_array(field.data_type(), batch.num_rows()),
    });
    let columns: Vec<ArrayRef> = columns.collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
