//! Shared by the tests of this crate: a folder of files, a contract for them and a lake in memory.

use super::*;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::contract::{Column, CsvOptions, Extraction, Format, TextEncoding, ValueType};
use perennial_core::error::{Error, Kind};
use perennial_lake::{DataFile, DataFileRows, DataFileWriter};
pub(super) use perennial_testing::column;
use perennial_testing::{source, source_table};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

/// A lake in memory.
#[derive(Default)]
pub(super) struct MemoryLake {
    /// Rows after which a writer begins a new file; 0 means never.
    pub(super) file_rows: usize,
    pub(super) files: Arc<Mutex<BTreeMap<String, Vec<RecordBatch>>>>,
}

pub(super) struct MemoryWriter {
    pub(super) files: Arc<Mutex<BTreeMap<String, Vec<RecordBatch>>>>,
    pub(super) path: String,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) file_rows: usize,
}

#[async_trait::async_trait]
impl DataFiles for MemoryLake {
    fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>> {
        let mut files = self.files.lock().unwrap();
        let path = format!("{table}/{run_id}-{}.parquet", files.len());
        files.insert(path.clone(), vec![RecordBatch::new_empty(schema)]);
        Ok(Box::new(MemoryWriter { files: self.files.clone(), path, batches: Vec::new(), file_rows: self.file_rows }))
    }

    async fn rows(&self, file: &DataFile, wanted: &[String]) -> Result<DataFileRows> {
        let batches = self.files.lock().unwrap()[&file.path].clone();
        let chosen = |batch: &RecordBatch| {
            let schema = batch.schema();
            let columns: Vec<usize> =
                (0..batch.num_columns()).filter(|i| wanted.contains(schema.field(*i).name())).collect();
            batch.project(&columns).map_err(Error::from)
        };
        let batches: Vec<Result<RecordBatch>> = batches.iter().map(chosen).collect();
        Ok(Box::pin(futures::stream::iter(batches)))
    }

    async fn schema(&self, file: &DataFile) -> Result<SchemaRef> {
        Ok(self.files.lock().unwrap()[&file.path][0].schema())
    }
}

#[async_trait::async_trait]
impl DataFileWriter for MemoryWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.batches.push(batch.clone());
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Vec<DataFile>> {
        let Some(first) = self.batches.first() else { return Ok(Vec::new()) };
        let all = arrow::compute::concat_batches(&first.schema(), &self.batches)?;
        let step = if self.file_rows == 0 { all.num_rows() } else { self.file_rows };
        let mut written = Vec::new();
        for from in (0..all.num_rows()).step_by(step) {
            let part = all.slice(from, step.min(all.num_rows() - from));
            let path = if from == 0 { self.path.clone() } else { format!("{}+{from}", self.path) };
            let rows = part.num_rows() as u64;
            self.files.lock().unwrap().insert(path.clone(), vec![part]);
            written.push(DataFile { path, bytes: 1, rows, content: None, blocks: None });
        }
        Ok(written)
    }
}

#[derive(Default)]
pub(super) struct Kept(pub(super) Mutex<Vec<Reject>>);

#[async_trait::async_trait]
impl RejectSink for Kept {
    async fn keep(&self, rejects: Vec<Reject>) -> Result<()> {
        self.0.lock().unwrap().extend(rejects);
        Ok(())
    }
}

/// A folder of files, a contract for them, a lake, and the last load.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) table: SourceTable,
    pub(super) lake: MemoryLake,
    pub(super) rejects: Kept,
    pub(super) last: Option<(TableVersion, LoadState)>,
    pub(super) runs: u32,
    pub(super) now: jiff::Timestamp,
    pub(super) max_data_files: usize,
}

impl World {
    pub(super) fn new(columns: Vec<Column>) -> World {
        let table = SourceTable { extraction: files("*", csv(true)), ..source_table(columns) };
        let folder = tempfile::tempdir().unwrap();
        World {
            folder,
            table,
            lake: MemoryLake::default(),
            rejects: Kept::default(),
            last: None,
            runs: 0,
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            max_data_files: 0,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes a file that was modified at a time of its own, in seconds.
    pub(super) fn write_at(&self, name: &str, bytes: impl AsRef<[u8]>, modified: u64) {
        self.write(name, bytes);
        let file = std::fs::File::options().append(true).open(self.path(name)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 + modified);
        file.set_modified(time).unwrap();
    }

    pub(super) fn load(&mut self) -> Result<LoadOutcome> {
        self.runs += 1;
        let source = source("erp", self.folder.path().to_str().unwrap(), vec![]);
        let run_id = format!("run{}", self.runs);
        let runtime = runtime();
        let system = runtime.block_on(System::open(&source)).unwrap();
        let previous = self.last.as_ref().map(|(version, state)| (version, state));
        let request = self.request(&system, &source, &run_id, previous);
        let loaded = runtime.block_on(load_table(request))?;
        self.last = Some((loaded.version.clone(), loaded.state.clone()));
        Ok(loaded)
    }

    /// Replays rejects, in a run of its own.
    pub(super) fn replay(
        &self,
        version: &TableVersion,
        state: &LoadState,
        rows: &[RejectedRow],
    ) -> Result<ReplayOutcome> {
        let source = source("erp", self.folder.path().to_str().unwrap(), vec![]);
        let request = self.request(&System::Nothing, &source, "replay", Some((version, state)));
        runtime().block_on(replay_table(&request, rows))
    }

    fn request<'a>(
        &'a self,
        system: &'a System,
        source: &'a perennial_core::contract::Source,
        run_id: &'a str,
        previous: Option<(&'a TableVersion, &'a LoadState)>,
    ) -> LoadRequest<'a> {
        LoadRequest {
            system,
            source,
            table: &self.table,
            previous,
            lake: &self.lake,
            run_id,
            now: self.now,
            max_data_files: self.max_data_files,
            rejects: &self.rejects,
            progress: &|_, _| {},
        }
    }

    /// All rows of the table as text, sorted; columns joined by `|`, no value as `∅`.
    pub(super) fn rows(&self, columns: &[&str]) -> Vec<String> {
        let files = self.lake.files.lock().unwrap();
        let mut rows = Vec::new();
        for file in &self.last.as_ref().unwrap().0.files {
            for batch in &files[&file.path] {
                for row in 0..batch.num_rows() {
                    let cells = columns.iter().map(|name| match batch.column_by_name(name) {
                        Some(array) if array.is_valid(row) => {
                            let options = FormatOptions::default();
                            ArrayFormatter::try_new(array, &options).unwrap().value(row).to_string()
                        }
                        _ => "∅".to_string(),
                    });
                    rows.push(cells.collect::<Vec<_>>().join("|"));
                }
            }
        }
        rows.sort();
        rows
    }

    pub(super) fn rejects(&self) -> Vec<(String, u64, String, String)> {
        let rejects = self.rejects.0.lock().unwrap();
        let place = |r: &Reject| (r.file.clone(), r.line, r.column.clone().unwrap_or_default(), r.raw.clone());
        rejects.iter().map(place).collect()
    }

    pub(super) fn reasons(&self) -> Vec<String> {
        self.rejects.0.lock().unwrap().iter().map(|r| r.reason.clone()).collect()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(super) fn files(pattern: &str, format: Format) -> Extraction {
    Extraction::Files { pattern: pattern.into(), format }
}

pub(super) fn csv(header: bool) -> Format {
    let encoding = TextEncoding::Utf8;
    Format::Csv(CsvOptions {
        delimiter: b',',
        collapse: false,
        quote: Some(b'"'),
        header,
        header_row: None,
        skip_rows: vec![],
        encoding,
    })
}

pub(super) fn money() -> ValueType {
    ValueType::Decimal { precision: 18, scale: 2 }
}

pub(super) fn day(format: &str) -> ValueType {
    ValueType::Date { formats: vec![format.into()] }
}

pub(super) fn two() -> Vec<Column> {
    vec![column("id", ValueType::Text), column("amount", money())]
}

pub(super) fn data_error(result: Result<LoadOutcome>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Data, "{error}");
    error
}

/// Bytes as gzip, not compressed.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let length = u16::try_from(bytes.len()).unwrap();
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(bytes);
    file.extend((!crc).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

/// Makes a file look newer, whatever the clock's resolution.
pub(super) fn touch(path: PathBuf) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified + std::time::Duration::from_secs(10)).unwrap();
}
