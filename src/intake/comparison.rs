//! What a read brings, compared by key with what the lake holds.

use super::feed::{Feed, Output};
use super::known::{Finding, Hasher, Known};
use super::rejects::Reject;
use crate::contract::{DELETED_COLUMN, Delivery, Load, SourceTable};
use crate::error::Result;
use crate::lake::DataFile;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use std::sync::Arc;

/// Lets rows pass that are new or changed.
pub(super) struct Comparison {
    hasher: Hasher,
    known: Known,
    /// Rows whose key is known never pass.
    keeps_first: bool,
    /// A key that stands twice in one read is no fault: services deliver a row again when pages shift, the later counts.
    delivers_again: bool,
    /// Rows that passed and whose key was not known.
    pub(super) new: u64,
    /// Rows that passed and whose key was known with other values.
    pub(super) changed: u64,
    /// Rows found to be gone.
    pub(super) gone: u64,
    /// Refused rows whose key could not be read: any key that was not seen may be theirs.
    pub(super) nameless: u64,
    /// Of a table without key: the sum of the hashes of its rows and their count, whatever their order.
    rows: Option<([u64; 2], u64)>,
}

impl Comparison {
    pub(super) fn new(table: &SourceTable, hasher: Hasher, known: Known) -> Comparison {
        Comparison {
            hasher,
            known,
            keeps_first: matches!(table.load, Load::Append { .. }),
            delivers_again: matches!(table.delivery, Delivery::Pages(_)),
            new: 0,
            changed: 0,
            gone: 0,
            nameless: 0,
            rows: table.key.is_empty().then_some(([0, 0], 0)),
        }
    }

    /// Before the next read of the whole table.
    pub(super) fn begin(&mut self) {
        self.known.begin_again();
        self.nameless = 0;
    }

    /// What tells the rows of a table without key from others; empty for one with a key.
    pub(super) fn sum(&self) -> String {
        self.rows.map_or(String::new(), |([a, b], count)| format!("rows={count};sum={a:016x}{b:016x}"))
    }

    /// What was found, in words; nothing when all was as before.
    pub(super) fn words(&self) -> Option<String> {
        let parts = [(self.new, "new"), (self.changed, "changed"), (self.gone, "gone")];
        let told: Vec<String> =
            parts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, word)| format!("{rows} {word}")).collect();
        (!told.is_empty()).then(|| format!("rows compared by key: {}", told.join(", ")))
    }

    /// The known keys.
    pub(super) fn known(&mut self) -> &mut Known {
        &mut self.known
    }

    /// The rows of a batch that pass, and those refused because their key stood in this read before.
    pub(super) fn sieve(
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
        let mut refused = Vec::new();
        let mut passes = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let (key, values) = (hashes.keys[row], hashes.values[row]);
            if self.keeps_first && self.known.get(&key).is_some() {
                passes.push(false);
                continue;
            }
            passes.push(match self.known.find(key, values, self.delivers_again) {
                Finding::New => {
                    self.new += 1;
                    true
                }
                Finding::Changed => {
                    self.changed += 1;
                    true
                }
                Finding::Same | Finding::Again { same: true } => false,
                Finding::Again { same: false } => {
                    if !self.delivers_again {
                        refused.push(self.repeated(source, table, batch, row)?);
                    }
                    self.delivers_again
                }
            });
        }
        if passes.iter().all(|passes| *passes) {
            return Ok((batch.clone(), refused));
        }
        Ok((filter_record_batch(batch, &BooleanArray::from(passes))?, refused))
    }

    /// Rows that were refused stand in the system nevertheless: their keys are not gone.
    pub(super) fn note_refused(&mut self, refused: &RecordBatch) -> Result<()> {
        if self.rows.is_some() {
            return Ok(());
        }
        let keys = self.hasher.keys(refused)?;
        let columns: Vec<&ArrayRef> = self.hasher.key.iter().filter_map(|name| refused.column_by_name(name)).collect();
        for (row, key) in keys.iter().enumerate() {
            match columns.iter().all(|column| column.is_valid(row)) {
                true => self.known.see(key),
                false => self.nameless += 1,
            }
        }
        Ok(())
    }

    fn repeated(&self, source: &str, table: &SourceTable, batch: &RecordBatch, row: usize) -> Result<Reject> {
        let text = |name: &String| {
            let column = batch.column_by_name(name).filter(|column| column.is_valid(row));
            let options = FormatOptions::default();
            column.map_or(Ok("NULL".to_string()), |column| {
                Ok::<_, crate::error::Error>(ArrayFormatter::try_new(column, &options)?.value(row).to_string())
            })
        };
        let key = table.key.iter().map(text).collect::<Result<Vec<_>>>()?;
        let file = batch.column_by_name("_file").map(|c| c.as_string::<i32>().value(row).to_string());
        let line = batch.column_by_name("_line").map(|c| c.as_primitive::<Int64Type>().value(row) as u64);
        Ok(Reject {
            source: source.to_string(),
            table: table.name.clone(),
            file: file.unwrap_or_default(),
            line: line.unwrap_or_default(),
            column: table.key.first().cloned(),
            raw: key.join(", "),
            reason: "the key stands twice in one read, with other values".to_string(),
            row: None,
        })
    }

    /// Writes a row for every key that was not seen in a read of the whole table: from now on it counts as deleted.
    pub(super) async fn bury(
        &mut self,
        feed: &Feed<'_>,
        label: &str,
        files: &[DataFile],
        schema: &SchemaRef,
    ) -> Result<Vec<DataFile>> {
        if self.known.unseen() == 0 {
            return Ok(Vec::new());
        }
        let mut out = Output::new(feed);
        let key = self.hasher.key.clone();
        for file in files {
            let mut rows = feed.lake.rows(file, &key).await?;
            while let Some(batch) = rows.try_next().await? {
                let keys = self.hasher.keys(&batch)?;
                let gone = self.known.take_gone(&keys);
                if gone.true_count() > 0 {
                    let gone = filter_record_batch(&batch, &gone)?;
                    self.gone += gone.num_rows() as u64;
                    out.write(tombstones(feed, label, &gone, schema)?).await?;
                }
            }
        }
        out.finish().await
    }
}

/// Rows that say of keys that they are gone, seen now.
fn tombstones(feed: &Feed<'_>, label: &str, keys: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = keys.num_rows();
    let text = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) as ArrayRef;
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "_file" => text(label),
        "_line" => Arc::new(Int64Array::from_value(0, rows)),
        "_run_id" => text(feed.run_id),
        "_loaded_at" => {
            Arc::new(TimestampMicrosecondArray::from_value(feed.now.as_microsecond(), rows).with_timezone("UTC"))
        }
        DELETED_COLUMN => Arc::new(BooleanArray::from(vec![true; rows])),
        name => keys.column_by_name(name).cloned().unwrap_or_else(|| new_null_array(field.data_type(), rows)),
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}
