//! Index of the rows of a table in the lake by key: enough to tell which rows of a read are new, changed or deleted.
//!
//! An entry is two numbers of 128 and 64 bits, about 40 bytes a row however wide the row is: a hash of the key and a
//! hash of the values. (A collision of keys is less likely than a broken disk.)

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Date32Type, Int64Type, Schema, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use futures::TryStreamExt;
use perennial_core::contract::{DELETED_COLUMN, origin_fields};
use perennial_core::error::{Error, Result};
use perennial_lake::{DataFiles, TableVersion};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use xxhash_rust::xxh3::xxh3_128;

/// The hash of a row's key.
pub(super) type Key = [u64; 2];

/// Hashes keys and values of batches of one table. A row has the same hash whether a column that the contract does not
/// name is missing or NULL.
pub(super) struct Hasher {
    /// Names of the key columns.
    pub(super) key: Vec<String>,
    /// Names of the columns of the contract.
    values: Vec<String>,
    types: Schema,
    key_rows: RowConverter,
    value_rows: RowConverter,
    of_bytes: fn(&[u8]) -> Key,
}

/// The hashes of the rows of a batch.
pub(super) struct Hashes {
    pub(super) keys: Vec<Key>,
    pub(super) values: Vec<u64>,
}

impl Hasher {
    /// `values` are the columns of the contract. The hashes are for comparisons within a run.
    pub(super) fn new(schema: &Schema, key: &[String], values: &[String]) -> Result<Hasher> {
        Hasher::with(schema, key, values, quick_hash)
    }

    /// With hashes that are kept from run to run.
    pub(super) fn lasting(schema: &Schema, key: &[String], values: &[String]) -> Result<Hasher> {
        Hasher::with(schema, key, values, lasting_hash)
    }

    fn with(schema: &Schema, key: &[String], values: &[String], of_bytes: fn(&[u8]) -> Key) -> Result<Hasher> {
        let converter = |names: &[String]| {
            let fields = names.iter().map(|name| Ok(SortField::new(schema.field_with_name(name)?.data_type().clone())));
            Ok::<_, Error>(RowConverter::new(fields.collect::<Result<Vec<_>>>()?)?)
        };
        Ok(Hasher {
            key_rows: converter(key)?,
            value_rows: converter(values)?,
            key: key.to_vec(),
            values: values.to_vec(),
            types: schema.clone(),
            of_bytes,
        })
    }

    /// Hashes the keys of a batch.
    pub(super) fn keys(&mut self, batch: &RecordBatch) -> Result<Vec<Key>> {
        let keys = columns(batch, &self.key, &self.types)?;
        Ok(self.key_rows.convert_columns(&keys)?.iter().map(|row| (self.of_bytes)(row.data())).collect())
    }

    /// Hashes a batch; columns that it lacks are NULL in all its rows.
    pub(super) fn hash(&mut self, batch: &RecordBatch) -> Result<Hashes> {
        let keys = self.keys(batch)?;
        let columns = columns(batch, &self.values, &self.types)?;
        let rows = self.value_rows.convert_columns(&columns)?;
        let mut values: Vec<u64> = rows.iter().map(|row| (self.of_bytes)(row.data())[0]).collect();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let accepted = !is_own(field.name()) && !self.values.contains(field.name());
            let Some(texts) = column.as_string_opt::<i32>().filter(|_| accepted) else { continue };
            for (row, text) in texts.iter().enumerate() {
                let Some(text) = text else { continue };
                let bytes = [field.name().as_bytes(), &[0], text.as_bytes()].concat();
                values[row] = values[row].wrapping_add((self.of_bytes)(&bytes)[0]);
            }
        }
        Ok(Hashes { keys, values })
    }
}

fn columns(batch: &RecordBatch, names: &[String], types: &Schema) -> Result<Vec<ArrayRef>> {
    let column = |name: &String| match batch.column_by_name(name) {
        Some(column) => Ok(column.clone()),
        None => Ok(new_null_array(types.field_with_name(name)?.data_type(), batch.num_rows())),
    };
    names.iter().map(column).collect()
}

fn quick_hash(bytes: &[u8]) -> Key {
    let hash = xxh3_128(bytes);
    [hash as u64, (hash >> 64) as u64]
}

fn lasting_hash(bytes: &[u8]) -> Key {
    let hash = blake3::hash(bytes);
    let (first, rest) = hash.as_bytes().split_at(8);
    let number = |bytes: &[u8]| bytes[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    [number(first), number(rest)]
}

/// The entry of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyEntry {
    /// Hash of the values, with the flags in its two lowest bits.
    packed: u64,
}

const DELETED: u64 = 1;
const SEEN: u64 = 2;

impl KeyEntry {
    fn new(values: u64) -> KeyEntry {
        KeyEntry { packed: values & !(DELETED | SEEN) }
    }

    fn is_deleted(self) -> bool {
        self.packed & DELETED != 0
    }

    fn is_seen(self) -> bool {
        self.packed & SEEN != 0
    }
}

/// The keys in the lake.
#[derive(Default)]
pub(super) struct KeyIndex {
    rows: HashMap<Key, KeyEntry, BuildHasherDefault<KeyHasher>>,
}

/// A key is a hash already; its last number is used as it is.
#[derive(Default)]
struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.last_chunk().map_or(0, |last| u64::from_ne_bytes(*last));
    }
}

/// How a row of a read differs from the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowStatus {
    /// The lake has no such key, or its row was deleted.
    New,
    /// The lake has the key with other values.
    Changed,
    /// The lake has the same row.
    Unchanged,
    /// The read has had the key before.
    Duplicate {
        /// With the same values.
        same: bool,
    },
}

/// The rows of the lake that a read can bring again.
pub(super) struct CursorRange {
    /// The columns of the cursor; of a row the greatest value counts.
    pub(super) cursor: Vec<String>,
    /// The lower bound, inclusive; rows without any cursor are in the range, too.
    pub(super) from: i64,
}

impl KeyIndex {
    /// Reads the keys of a table; of each key the newest version counts. Files are in the order in which they were
    /// loaded.
    pub(super) async fn read(
        lake: &dyn DataFiles,
        version: &TableVersion,
        hasher: &mut Hasher,
        range: Option<&CursorRange>,
    ) -> Result<KeyIndex> {
        let names = version.schema.fields().iter().map(|field| field.name().clone());
        let wanted: Vec<String> = names.filter(|name| name == DELETED_COLUMN || !is_own(name)).collect();
        let mut index = KeyIndex::default();
        for file in &version.files {
            let mut rows = lake.rows(file, &wanted).await?;
            while let Some(batch) = rows.try_next().await? {
                let in_range = range.map(|range| range.rows(&batch));
                let deleted = batch.column_by_name(DELETED_COLUMN);
                let deleted = deleted.and_then(|column| column.as_boolean_opt().cloned());
                let hashes = hasher.hash(&batch)?;
                for row in 0..batch.num_rows() {
                    if in_range.as_ref().is_some_and(|in_range| !in_range.value(row)) {
                        // A version outside the range supersedes those before it.
                        index.rows.remove(&hashes.keys[row]);
                        continue;
                    }
                    let is_deleted = deleted.as_ref().is_some_and(|d| d.is_valid(row) && d.value(row));
                    let mut newest = KeyEntry::new(hashes.values[row]);
                    newest.packed |= if is_deleted { DELETED } else { 0 };
                    index.rows.insert(hashes.keys[row], newest);
                }
            }
        }
        Ok(index)
    }

    /// Whether it has a key.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.rows.contains_key(key)
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Notes that the system has a row with this key, whatever its values are.
    pub(super) fn mark_seen(&mut self, key: &Key) {
        if let Some(row) = self.rows.get_mut(key) {
            row.packed |= SEEN;
        }
    }

    /// Compares a row of a read with the index and updates its entry; that of a duplicate only with `replaces`.
    pub(super) fn update(&mut self, key: Key, values: u64, replaces: bool) -> RowStatus {
        let mut now = KeyEntry::new(values);
        now.packed |= SEEN;
        let Some(before) = self.rows.insert(key, now) else { return RowStatus::New };
        let same = before.packed | SEEN | DELETED == now.packed | DELETED;
        if before.is_seen() && !replaces {
            self.rows.insert(key, before);
        }
        match (before.is_seen(), before.is_deleted(), same) {
            (true, _, same) => RowStatus::Duplicate { same },
            (false, true, _) => RowStatus::New,
            (false, false, true) => RowStatus::Unchanged,
            (false, false, false) => RowStatus::Changed,
        }
    }

    /// Selects the rows of a batch of the lake whose keys were not seen, the first of each, and marks the keys as
    /// deleted.
    pub(super) fn take_deleted(&mut self, keys: &[Key]) -> BooleanArray {
        let is_missing = |key: &Key| match self.rows.get_mut(key) {
            Some(row) if !row.is_seen() && !row.is_deleted() => {
                row.packed |= DELETED;
                Some(true)
            }
            _ => Some(false),
        };
        keys.iter().map(is_missing).collect()
    }

    /// Number of rows of the lake that were not seen.
    pub(super) fn unseen(&self) -> u64 {
        self.rows.values().filter(|row| !row.is_deleted() && !row.is_seen()).count() as u64
    }

    /// Marks all keys as not seen, for the next read of the whole table.
    pub(super) fn reset_seen(&mut self) {
        self.rows.values_mut().for_each(|row| row.packed &= !SEEN);
    }
}

impl CursorRange {
    /// The rows of a batch that are in the range.
    fn rows(&self, batch: &RecordBatch) -> BooleanArray {
        let cursors: Vec<Vec<Option<i64>>> =
            self.cursor.iter().filter_map(|name| batch.column_by_name(name)).map(cursor_values).collect();
        let in_range = |row: usize| {
            let greatest = cursors.iter().filter_map(|column| column[row]).max();
            Some(greatest.is_none_or(|cursor| cursor >= self.from))
        };
        (0..batch.num_rows()).map(in_range).collect()
    }
}

/// Values of a cursor as numbers in the same order: days, microseconds or the numbers themselves.
pub(super) fn cursor_values(column: &ArrayRef) -> Vec<Option<i64>> {
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().collect(),
        DataType::Date32 => column.as_primitive::<Date32Type>().iter().map(|v| v.map(i64::from)).collect(),
        DataType::Timestamp(_, _) => column.as_primitive::<TimestampMicrosecondType>().iter().collect(),
        _ => vec![None; column.len()],
    }
}

/// Whether intake adds a column to raw tables.
fn is_own(name: &str) -> bool {
    name == DELETED_COLUMN || origin_fields().iter().any(|field| field.name() == name)
}
