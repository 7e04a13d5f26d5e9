//! Checkpoints: the state of a table at one version in a Parquet file, so that readers need not open every commit.
//!
//! Each row is an action, in a column of its kind that has the same fields as the JSON of a commit.

use super::actions::Action;
use super::log::{DeltaLog, LogFile, Snapshot};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use perennial_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A checkpoint is written after this many commits.
pub(crate) const CHECKPOINT_INTERVAL: u64 = 10;
/// How long commits are kept that are not needed to read the newest version, unless another program has set the table
/// property for it: then they are kept.
const LOG_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long checkpoints list files that were removed, likewise.
const TOMBSTONE_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Deletions under way at a time.
const DELETES_AT_ONCE: usize = 16;
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// The content of `_last_checkpoint`, which tells readers where to begin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastCheckpoint {
    pub version: u64,
    /// The number of its actions.
    size: u64,
    #[serde(default)]
    size_in_bytes: Option<u64>,
    #[serde(default)]
    num_of_add_files: Option<u64>,
}

/// Writes a checkpoint, and then deletes expired commits and checkpoints.
pub(crate) async fn write(log: &DeltaLog<'_>, snapshot: &Snapshot, now: Timestamp) -> Result<()> {
    let properties = &snapshot.metadata.configuration;
    let tombstones_from = match properties.contains_key("delta.deletedFileRetentionDuration") {
        true => i64::MIN,
        false => milliseconds_before(now, TOMBSTONE_RETENTION),
    };
    let actions = actions_of(snapshot, tombstones_from);
    let bytes = encode(&actions)?;
    let last = LastCheckpoint {
        version: snapshot.version,
        size: actions.len() as u64,
        size_in_bytes: Some(bytes.len() as u64),
        num_of_add_files: Some(snapshot.contents.files.len() as u64),
    };
    log.put(&format!("{:020}.checkpoint.parquet", snapshot.version), bytes).await?;
    log.set_last_checkpoint(&last).await?;
    let is_kept = properties.contains_key("delta.logRetentionDuration")
        || properties.get("delta.enableExpiredLogCleanup").is_some_and(|value| value == "false");
    if is_kept { Ok(()) } else { delete_expired(log, now).await }
}

fn milliseconds_before(now: Timestamp, time: SignedDuration) -> i64 {
    now.as_millisecond().saturating_sub(time.as_millis() as i64)
}

/// The actions of a checkpoint; files that were removed before a time (in milliseconds since 1970) are left out.
fn actions_of(snapshot: &Snapshot, tombstones_from: i64) -> Vec<Action> {
    let contents = &snapshot.contents;
    let mut actions = vec![Action::from(snapshot.protocol.clone()), Action::from(snapshot.metadata.clone())];
    actions.extend(contents.transactions.values().cloned().map(Action::from));
    let kept = contents.tombstones.values().filter(|t| t.deletion_timestamp.unwrap_or(0) >= tombstones_from);
    actions.extend(kept.cloned().map(|mut remove| {
        remove.data_change = false;
        Action::from(remove)
    }));
    actions.extend(contents.files.values().cloned().map(|mut add| {
        add.data_change = false;
        Action::from(add)
    }));
    actions
}

fn encode(actions: &[Action]) -> Result<Vec<u8>> {
    let rows = rows_of(actions)?;
    let written = || {
        let compression = Compression::ZSTD(ZstdLevel::try_new(1)?);
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))?;
        writer.write(&rows)?;
        writer.into_inner()
    };
    written().map_err(|e| Error::bug(format!("a checkpoint cannot be written as Parquet: {e}")))
}

fn rows_of(actions: &[Action]) -> Result<RecordBatch> {
    let mut decoder = ReaderBuilder::new(schema()).build_decoder()?;
    decoder.serialize(actions)?;
    decoder.flush()?.ok_or_else(|| Error::bug("a checkpoint has no actions"))
}

/// The actions of a file of a checkpoint.
pub(crate) fn read(bytes: Bytes) -> Result<Vec<Action>> {
    let broken = |e: &dyn std::fmt::Display| Error::data(e.to_string());
    // Other programs store Arrow types of their own, such as dictionaries.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).map_err(|e| broken(&e))?;
    // Other programs add columns with parsed statistics and partition values.
    let (parquet, known) = (builder.parquet_schema(), leaf_paths());
    let leaves = (0..parquet.num_columns()).filter(|i| {
        let parts = parquet.column(*i).path().parts().to_vec();
        known.iter().any(|known| parts.starts_with(known))
    });
    let mask = ProjectionMask::leaves(parquet, leaves);
    let mut writer = LineDelimitedWriter::new(Vec::new());
    for batch in builder.with_projection(mask).build().map_err(|e| broken(&e))? {
        writer.write(&batch.map_err(|e| broken(&e))?).map_err(|e| broken(&e))?;
    }
    writer.finish().map_err(|e| broken(&e))?;
    let lines = writer.into_inner();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|e| broken(&e))).collect()
}

/// The columns that are read from a checkpoint: kind of action and field.
fn leaf_paths() -> Vec<[String; 2]> {
    let mut paths = vec![["add".to_string(), "deletionVector".to_string()]];
    for action in schema().fields() {
        if let DataType::Struct(fields) = action.data_type() {
            paths.extend(fields.iter().map(|field| [action.name().clone(), field.name().clone()]));
        }
    }
    paths
}

/// The columns of a checkpoint.
fn schema() -> SchemaRef {
    use DataType::{Boolean, Int32, Int64, Utf8};
    let format = DataType::Struct(vec![field("provider", Utf8), field("options", text_map())].into());
    Arc::new(Schema::new(vec![
        action("txn", vec![field("appId", Utf8), field("version", Int64), field("lastUpdated", Int64)]),
        action(
            "add",
            vec![
                field("path", Utf8),
                field("partitionValues", text_map()),
                field("size", Int64),
                field("modificationTime", Int64),
                field("dataChange", Boolean),
                field("stats", Utf8),
                field("tags", text_map()),
            ],
        ),
        action(
            "remove",
            vec![
                field("path", Utf8),
                field("deletionTimestamp", Int64),
                field("dataChange", Boolean),
                field("extendedFileMetadata", Boolean),
                field("partitionValues", text_map()),
                field("size", Int64),
            ],
        ),
        action(
            "metaData",
            vec![
                field("id", Utf8),
                field("name", Utf8),
                field("description", Utf8),
                field("format", format),
                field("schemaString", Utf8),
                field("partitionColumns", text_list()),
                field("configuration", text_map()),
                field("createdTime", Int64),
            ],
        ),
        action(
            "protocol",
            vec![
                field("minReaderVersion", Int32),
                field("minWriterVersion", Int32),
                field("readerFeatures", text_list()),
                field("writerFeatures", text_list()),
            ],
        ),
    ]))
}

fn action(name: &str, fields: Vec<Field>) -> Field {
    field(name, DataType::Struct(fields.into()))
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn text_list() -> DataType {
    DataType::List(Arc::new(field("element", DataType::Utf8)))
}

fn text_map() -> DataType {
    let fields = vec![Field::new("key", DataType::Utf8, false), field("value", DataType::Utf8)];
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(fields.into()), false)), false)
}

/// Deletes the files of the log that are older than the retention time and not needed to read any newer version.
async fn delete_expired(log: &DeltaLog<'_>, now: Timestamp) -> Result<()> {
    let cutoff = milliseconds_before(now, LOG_RETENTION);
    let cutoff = cutoff - cutoff.rem_euclid(DAY_MILLISECONDS);
    let mut expired = log.list_files(None).await?;
    let mut parts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for (file, _) in &expired {
        if let LogFile::Checkpoint { version, parts: of } = file {
            *parts.entry((*version, *of)).or_default() += 1;
        }
    }
    expired.retain(|(_, meta)| meta.last_modified.timestamp_millis() <= cutoff);
    // All versions from this commit on must remain readable, beginning with the checkpoint before it.
    let newest_commit = expired.iter().filter(|(file, _)| matches!(file, LogFile::Commit(_))).map(|(f, _)| f.version());
    let Some(newest_commit) = newest_commit.max() else { return Ok(()) };
    let whole = parts.iter().filter(|((version, of), found)| *version <= newest_commit && of == *found);
    let Some(first_kept) = whole.map(|((version, _), _)| *version).max() else { return Ok(()) };
    let expired = expired.iter().filter(|(file, _)| file.version() < first_kept);
    let paths: Vec<String> =
        expired.filter_map(|(_, meta)| meta.location.filename()).map(|name| log.path(name)).collect();
    let deletes = paths.iter().map(|path| log.lake.delete(path));
    futures::stream::iter(deletes).buffered(DELETES_AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}
