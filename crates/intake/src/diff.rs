//! The difference between the rows of a read and those of the lake, by key.

use super::context::LoadContext;
use super::duplicates::{DuplicateRow, Duplicates};
use super::key_index::{Hasher, KeyIndex, RowStatus};
use super::output::Output;
use super::raw_schema;
use super::rejects::Reject;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use perennial_core::contract::{DELETED_COLUMN, DuplicateKeys, Load, SourceTable};
use perennial_core::error::Result;
use perennial_lake::DataFile;
use std::sync::Arc;

/// Passes on new and changed rows, and finds deleted and duplicate ones.
pub(super) struct Diff {
    hasher: Hasher,
    index: KeyIndex,
    passes: Passes,
    policy: DuplicateKeys,
    /// The number of keys that are remembered.
    max_keys: usize,
    /// Rows with a key that the lake did not have.
    new: u64,
    /// Rows with a key that the lake had with other values.
    changed: u64,
    /// Such rows that are not passed on.
    not_replaced: u64,
    /// Rows that the read did not bring.
    deleted: u64,
    /// Rejected rows whose key could not be read: any missing key may be theirs.
    pub(super) unreadable_keys: u64,
    /// Of a table without a key: the sum of the hashes of its rows and their number, regardless of their order.
    rows: Option<([u64; 2], u64)>,
    duplicates: Duplicates,
}

/// Keys of a file that are remembered where duplicates are only counted, which takes 140 MB.
const MAX_KEYS: usize = 3_500_000;

/// Which rows are passed on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passes {
    /// Those that differ from the lake.
    Differences,
    /// Those whose key the lake does not have.
    NewKeys,
    /// All, but for rejected duplicates.
    All,
}

impl Diff {
    /// The difference between a read and the lake.
    pub(super) fn new(table: &SourceTable, hasher: Hasher, index: KeyIndex) -> Diff {
        let passes = match table.load {
            Load::Append { .. } => Passes::NewKeys,
            _ => Passes::Differences,
        };
        let rows = table.key.is_empty().then_some(([0, 0], 0));
        Diff::with(table, hasher, index, passes, rows)
    }

    /// The duplicates of one file, whose rows are compared with nothing; `None` for a table without a key.
    pub(super) fn of_file(table: &SourceTable, accepted: &[String]) -> Result<Option<Diff>> {
        if table.key.is_empty() {
            return Ok(None);
        }
        let mut key = table.key.clone();
        if table.duplicate_keys == DuplicateKeys::Newest {
            // Versions of a row are what `newest_by` is for; of those that are equally new one would be arbitrary.
            key.extend(table.newest_by.iter().filter(|name| !table.key.contains(name)).cloned());
        }
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let hasher = Hasher::new(&raw_schema(table, accepted), &key, &columns)?;
        Ok(Some(Diff::with(table, hasher, KeyIndex::default(), Passes::All, None)))
    }

    /// With another number of keys that are remembered.
    #[cfg(test)]
    pub(super) fn with_max_keys(self, max_keys: usize) -> Diff {
        Diff { max_keys, ..self }
    }

    fn with(
        table: &SourceTable,
        hasher: Hasher,
        index: KeyIndex,
        passes: Passes,
        rows: Option<([u64; 2], u64)>,
    ) -> Diff {
        Diff {
            hasher,
            index,
            passes,
            policy: table.duplicate_keys,
            max_keys: match (passes, table.duplicate_keys) {
                (Passes::All, DuplicateKeys::Newest) => MAX_KEYS,
                _ => usize::MAX,
            },
            new: 0,
            changed: 0,
            not_replaced: 0,
            deleted: 0,
            unreadable_keys: 0,
            rows,
            duplicates: Duplicates::default(),
        }
    }

    /// The duplicates of the read.
    pub(super) fn take_duplicates(&mut self) -> Duplicates {
        std::mem::take(&mut self.duplicates)
    }

    /// Prepares for the next read of the whole table.
    pub(super) fn reset(&mut self) {
        self.index.reset_seen();
        self.unreadable_keys = 0;
    }

    /// Checksum of the rows of a table without a key; empty for one with a key.
    pub(super) fn checksum(&self) -> String {
        self.rows.map_or(String::new(), |([a, b], count)| format!("rows={count};sum={a:016x}{b:016x}"))
    }

    /// Summary of the differences; `None` when there are none.
    pub(super) fn summary(&self) -> Option<String> {
        let parts = [(self.new, "new"), (self.changed, "changed"), (self.deleted, "deleted")];
        let counts: Vec<String> =
            parts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, word)| format!("{rows} {word}")).collect();
        (!counts.is_empty()).then(|| format!("rows merged by key: {}", counts.join(", ")))
    }

    /// That an append left rows as they were although the source has other values by now.
    pub(super) fn not_replaced(&self) -> Option<String> {
        let rows = self.not_replaced;
        let (word, have) = if rows == 1 { ("row", "has") } else { ("rows", "have") };
        (rows > 0).then(|| {
            format!("{rows} {word} of the source {have} a key that was loaded before with other values; `append` keeps those")
        })
    }

    /// Rows of the lake that the read did not bring so far.
    pub(super) fn missing(&self) -> u64 {
        self.index.unseen()
    }

    /// The new and changed rows of a batch, and rejects for duplicate keys.
    pub(super) fn filter(
        &mut self,
        source: &str,
        table: &SourceTable,
        batch: &RecordBatch,
    ) -> Result<(RecordBatch, Vec<Reject>)> {
        let hashes = self.hasher.hash(batch)?;
        if let Some((sum, count)) = &mut self.rows {
            for (key, values) in hashes.keys.iter().zip(&hashes.values) {
                *sum = [sum[0].wrapping_add(key[0]), sum[1].wrapping_add(*values)];
            }
            *count += hashes.keys.len() as u64;
            return Ok((batch.clone(), Vec::new()));
        }
        let mut rejects = Vec::new();
        let mut passes = Vec::with_capacity(batch.num_rows());
        let replaces = self.policy == DuplicateKeys::Newest;
        for row in 0..batch.num_rows() {
            let (key, values) = (hashes.keys[row], hashes.values[row]);
            if self.index.len() >= self.max_keys && !self.index.contains(&key) {
                self.duplicates.not_compared += 1;
                passes.push(true);
                continue;
            }
            passes.push(match self.index.update(key, values, replaces) {
                RowStatus::New => {
                    self.new += 1;
                    true
                }
                RowStatus::Changed => {
                    let passes = self.passes != Passes::NewKeys;
                    self.changed += u64::from(passes);
                    self.not_replaced += u64::from(!passes);
                    passes
                }
                RowStatus::Unchanged => false,
                RowStatus::Duplicate { same } => {
                    let duplicate = DuplicateRow { batch, row, key: &self.hasher.key };
                    let earlier = || hashes.keys[..row].iter().position(|other| *other == key);
                    self.duplicates.add(&duplicate, same, earlier)?;
                    match self.policy {
                        _ if same => self.passes == Passes::All,
                        DuplicateKeys::Newest => true,
                        DuplicateKeys::Reject => {
                            rejects.push(reject(source, table, &duplicate)?);
                            false
                        }
                        DuplicateKeys::Fail => return Err(duplicate.error(table, earlier())?),
                    }
                }
            });
        }
        if passes.iter().all(|passes| *passes) {
            return Ok((batch.clone(), rejects));
        }
        Ok((filter_record_batch(batch, &BooleanArray::from(passes))?, rejects))
    }

    /// Marks the keys of rejected rows as seen: the rows exist in the system nevertheless. `rejected` are those of
    /// `count` rejects that could be parsed.
    pub(super) fn note_rejected(&mut self, rejected: Option<&RecordBatch>, count: usize) -> Result<()> {
        if self.rows.is_some() || self.passes != Passes::Differences {
            return Ok(());
        }
        let parsed = rejected.map_or(0, RecordBatch::num_rows);
        self.unreadable_keys += count.saturating_sub(parsed) as u64;
        let Some(rejected) = rejected else { return Ok(()) };
        let keys = self.hasher.keys(rejected)?;
        let columns: Vec<&ArrayRef> = self.hasher.key.iter().filter_map(|name| rejected.column_by_name(name)).collect();
        for (row, key) in keys.iter().enumerate() {
            match columns.iter().all(|column| column.is_valid(row)) {
                true => self.index.mark_seen(key),
                false => self.unreadable_keys += 1,
            }
        }
        Ok(())
    }

    /// Writes a tombstone for every key that a read of the whole table did not bring.
    pub(super) async fn tombstones(
        &mut self,
        context: &LoadContext<'_>,
        label: &str,
        files: &[DataFile],
        schema: &SchemaRef,
    ) -> Result<Vec<DataFile>> {
        if self.index.unseen() == 0 {
            return Ok(Vec::new());
        }
        let mut out = Output::new(context);
        let key = self.hasher.key.clone();
        for file in files {
            let mut rows = context.lake.rows(file, &key).await?;
            while let Some(batch) = rows.try_next().await? {
                let keys = self.hasher.keys(&batch)?;
                let deleted = self.index.take_deleted(&keys);
                if deleted.true_count() > 0 {
                    let deleted = filter_record_batch(&batch, &deleted)?;
                    self.deleted += deleted.num_rows() as u64;
                    out.write(tombstones(context, label, &deleted, schema)?).await?;
                }
            }
        }
        out.finish().await
    }
}

/// The reject of a duplicate.
fn reject(source: &str, table: &SourceTable, duplicate: &DuplicateRow<'_>) -> Result<Reject> {
    Ok(Reject {
        source: source.to_string(),
        table: table.name.clone(),
        file: duplicate.file(),
        line: duplicate.line() as u64,
        column: table.key.first().cloned(),
        raw: duplicate.values()?,
        reason: "duplicate key: an earlier row of the same read has it with different values".to_string(),
        row: None,
    })
}

/// Rows that mark keys as deleted, as of now.
fn tombstones(context: &LoadContext<'_>, label: &str, keys: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = keys.num_rows();
    let text = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) as ArrayRef;
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "_file" => text(label),
        "_line" => Arc::new(Int64Array::from_value(0, rows)),
        "_run_id" => text(context.run_id),
        "_loaded_at" => {
            Arc::new(TimestampMicrosecondArray::from_value(context.now.as_microsecond(), rows).with_timezone("UTC"))
        }
        DELETED_COLUMN => Arc::new(BooleanArray::from(vec![true; rows])),
        name => keys.column_by_name(name).cloned().unwrap_or_else(|| new_null_array(field.data_type(), rows)),
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}
