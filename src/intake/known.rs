//! What the lake holds of a table, by key: enough to tell what a read brings that is new, changed or gone.
//!
//! Of every key two numbers of 128 and 64 bits are held, about 40 bytes a row, however wide the row is: a hash of the key
//! and a hash of the values. (Two keys that differ and hash alike are less likely than a broken disk.)

use crate::contract::{DELETED_COLUMN, origin_fields};
use crate::error::{Error, Result};
use crate::lake::{DataFiles, TableVersion};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Date32Type, Int64Type, Schema, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use futures::TryStreamExt;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// The hash of a row's key.
pub(super) type Key = [u64; 2];

/// Hashes keys and values of batches of one table. A row hashes the same whether a column nobody promised is not there
/// yet or has no value in it.
pub(super) struct Hasher {
    /// Names of the columns that a row is known by, and of the promised ones.
    pub(super) key: Vec<String>,
    values: Vec<String>,
    types: Schema,
    key_rows: RowConverter,
    value_rows: RowConverter,
}

/// The hashes of the rows of a batch.
pub(super) struct Hashes {
    pub(super) keys: Vec<Key>,
    pub(super) values: Vec<u64>,
}

impl Hasher {
    /// `values` are the promised columns.
    pub(super) fn new(schema: &Schema, key: &[String], values: &[String]) -> Result<Hasher> {
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
        })
    }

    /// Hashes the keys of a batch.
    pub(super) fn keys(&mut self, batch: &RecordBatch) -> Result<Vec<Key>> {
        let keys = columns(batch, &self.key, &self.types)?;
        Ok(self.key_rows.convert_columns(&keys)?.iter().map(|row| key_hash(row.data())).collect())
    }

    /// Hashes a batch; columns that it lacks are NULL in all its rows.
    pub(super) fn hash(&mut self, batch: &RecordBatch) -> Result<Hashes> {
        let keys = self.keys(batch)?;
        let promised = columns(batch, &self.values, &self.types)?;
        let promised = self.value_rows.convert_columns(&promised)?;
        let mut values: Vec<u64> = promised.iter().map(|row| key_hash(row.data())[0]).collect();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let accepted = !is_own(field.name()) && !self.values.contains(field.name());
            let Some(texts) = column.as_string_opt::<i32>().filter(|_| accepted) else { continue };
            for (row, text) in texts.iter().enumerate() {
                let Some(text) = text else { continue };
                let bytes = [field.name().as_bytes(), &[0], text.as_bytes()].concat();
                values[row] = values[row].wrapping_add(key_hash(&bytes)[0]);
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

fn key_hash(bytes: &[u8]) -> Key {
    let hash = blake3::hash(bytes);
    let (first, rest) = hash.as_bytes().split_at(8);
    let number = |bytes: &[u8]| bytes[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    [number(first), number(rest)]
}

/// What is known of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownRow {
    /// Hash of the values, its two lowest bits given to the flags.
    packed: u64,
}

const DELETED: u64 = 1;
const SEEN: u64 = 2;

impl KnownRow {
    fn new(values: u64) -> KnownRow {
        KnownRow { packed: values & !(DELETED | SEEN) }
    }

    pub(super) fn is_deleted(self) -> bool {
        self.packed & DELETED != 0
    }

    pub(super) fn is_seen(self) -> bool {
        self.packed & SEEN != 0
    }
}

/// The keys the lake holds.
#[derive(Default)]
pub(super) struct Known {
    rows: HashMap<Key, KnownRow, BuildHasherDefault<PlacedByKey>>,
}

/// A key is a hash already: its last number places it in the table.
#[derive(Default)]
struct PlacedByKey(u64);

impl std::hash::Hasher for PlacedByKey {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.last_chunk().map_or(0, |last| u64::from_ne_bytes(*last));
    }
}

/// What a read row is, compared with what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The key was not known, or its row was gone.
    New,
    /// The key was known with other values.
    Changed,
    /// It is known as it is.
    Same,
    /// The key stood in this read before, with the same values or with others.
    Again {
        /// With the same values.
        same: bool,
    },
}

/// Which rows of the lake matter for a comparison.
pub(super) struct Window {
    /// The columns whose greatest value counts.
    pub(super) cursor: Vec<String>,
    /// Rows with a greater or equal cursor, and those without any, matter.
    pub(super) from: i64,
}

impl Known {
    /// Reads the keys of a table's rows, the newest version of each counting. Files are in the order they were loaded.
    pub(super) async fn read(
        lake: &dyn DataFiles,
        version: &TableVersion,
        hasher: &mut Hasher,
        window: Option<&Window>,
    ) -> Result<Known> {
        let names = version.schema.fields().iter().map(|field| field.name().clone());
        let wanted: Vec<String> = names.filter(|name| name == DELETED_COLUMN || !is_own(name)).collect();
        let mut known = Known::default();
        for file in &version.files {
            let mut rows = lake.rows(file, &wanted).await?;
            while let Some(batch) = rows.try_next().await? {
                let matters = window.map(|window| window.rows(&batch));
                let deleted = batch.column_by_name(DELETED_COLUMN);
                let deleted = deleted.and_then(|column| column.as_boolean_opt().cloned());
                let hashes = hasher.hash(&batch)?;
                for row in 0..batch.num_rows() {
                    if matters.as_ref().is_some_and(|matters| !matters.value(row)) {
                        // A version that cannot be met again hides those before it.
                        known.rows.remove(&hashes.keys[row]);
                        continue;
                    }
                    let gone = deleted.as_ref().is_some_and(|d| d.is_valid(row) && d.value(row));
                    let mut newest = KnownRow::new(hashes.values[row]);
                    newest.packed |= if gone { DELETED } else { 0 };
                    known.rows.insert(hashes.keys[row], newest);
                }
            }
        }
        Ok(known)
    }

    /// What is known of a key.
    pub(super) fn get(&self, key: &Key) -> Option<KnownRow> {
        self.rows.get(key).copied()
    }

    /// Notes that the row of a key stands in the system, whatever its values are.
    pub(super) fn see(&mut self, key: &Key) {
        if let Some(row) = self.rows.get_mut(key) {
            row.packed |= SEEN;
        }
    }

    /// Compares a row that was read, and knows it from now on; one whose key was read before only with `replaces`.
    pub(super) fn find(&mut self, key: Key, values: u64, replaces: bool) -> Finding {
        let mut now = KnownRow::new(values);
        now.packed |= SEEN;
        let Some(before) = self.rows.insert(key, now) else { return Finding::New };
        let same = before.packed | SEEN | DELETED == now.packed | DELETED;
        if before.is_seen() && !replaces {
            self.rows.insert(key, before);
        }
        match (before.is_seen(), before.is_deleted(), same) {
            (true, _, same) => Finding::Again { same },
            (false, true, _) => Finding::New,
            (false, false, true) => Finding::Same,
            (false, false, false) => Finding::Changed,
        }
    }

    /// Of the rows of a batch of the lake those whose keys were not seen: the first of each, which is then known as
    /// deleted.
    pub(super) fn take_gone(&mut self, keys: &[Key]) -> BooleanArray {
        let gone = |key: &Key| match self.rows.get_mut(key) {
            Some(row) if !row.is_seen() && !row.is_deleted() => {
                row.packed |= DELETED;
                Some(true)
            }
            _ => Some(false),
        };
        keys.iter().map(gone).collect()
    }

    /// Rows that stand and were not seen.
    pub(super) fn unseen(&self) -> u64 {
        self.rows.values().filter(|row| !row.is_deleted() && !row.is_seen()).count() as u64
    }

    /// Forgets what was seen, for the next read of the whole table.
    pub(super) fn begin_again(&mut self) {
        self.rows.values_mut().for_each(|row| row.packed &= !SEEN);
    }
}

impl Window {
    /// Which rows of a batch matter.
    fn rows(&self, batch: &RecordBatch) -> BooleanArray {
        let cursors: Vec<Vec<Option<i64>>> =
            self.cursor.iter().filter_map(|name| batch.column_by_name(name)).map(numbers).collect();
        let wanted = |row: usize| {
            let greatest = cursors.iter().filter_map(|column| column[row]).max();
            Some(greatest.is_none_or(|cursor| cursor >= self.from))
        };
        (0..batch.num_rows()).map(wanted).collect()
    }
}

/// Values of a cursor as numbers that have its order: days, microseconds or the numbers themselves.
pub(super) fn numbers(column: &ArrayRef) -> Vec<Option<i64>> {
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().collect(),
        DataType::Date32 => column.as_primitive::<Date32Type>().iter().map(|v| v.map(i64::from)).collect(),
        DataType::Timestamp(_, _) => column.as_primitive::<TimestampMicrosecondType>().iter().collect(),
        _ => vec![None; column.len()],
    }
}

/// Whether a column of a raw table is the lake's own.
fn is_own(name: &str) -> bool {
    name == DELETED_COLUMN || origin_fields().iter().any(|field| field.name() == name)
}
