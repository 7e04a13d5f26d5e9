//! Writing rows to Parquet files, which no reader knows of until a release names them.

use super::DataFile;
use super::blocks::BlockSums;
use super::content::ContentSum;
use super::open::{Lake, table_folder};
use super::shape::{conform, lake_schema};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::buffered::BufWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::arrow::{ArrowWriter, AsyncArrowWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use perennial_core::location::scrub;
use tokio::io::AsyncWriteExt;

/// The maximum number of rows in a row group.
const MAX_ROW_GROUP_ROWS: usize = 1 << 20;
/// A row group is completed early when its columns take more memory than this, in bytes.
const MAX_ROW_GROUP_MEMORY: usize = 64 << 20;
/// A new file is begun when one has reached about this many bytes.
const FILE_BYTES: usize = 128 << 20;
/// Bytes of one part of an upload, and how many parts are uploaded at a time.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 3;

/// Writes rows of one table. Several writers may write to one table at a time: their files have different names.
pub struct TableWriter {
    lake: Lake,
    table: TableName,
    folder: String,
    run_id: String,
    schema: SchemaRef,
    content: ContentSum,
    open: Option<OpenFile>,
    files: Vec<DataFile>,
    file_bytes: usize,
}

struct OpenFile {
    path: String,
    writer: AsyncArrowWriter<CountingUpload>,
    rows: u64,
}

impl Lake {
    /// A writer of one table's rows. `schema` is that of the rows; that of the files is [`TableWriter::schema`].
    ///
    /// # Errors
    /// `Project` for a table or column that cannot be stored under its name or with its type.
    pub fn table_writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<TableWriter> {
        let schema = lake_schema(table, &schema)?;
        Ok(TableWriter {
            lake: self.clone(),
            table: table.clone(),
            folder: table_folder(table)?,
            run_id: run_id.to_string(),
            content: ContentSum::new(&schema)?,
            schema,
            open: None,
            files: Vec::new(),
            file_bytes: FILE_BYTES,
        })
    }
}

impl TableWriter {
    /// The columns of the files, which are those of the table's version.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Sets after about how many bytes a new file is begun.
    #[cfg(test)]
    pub(crate) fn with_file_bytes(mut self, bytes: usize) -> TableWriter {
        self.file_bytes = bytes;
        self
    }

    /// Writes rows; columns are matched by position.
    ///
    /// # Errors
    /// `Data` when a value does not fit the type in the lake, `Unreachable` when the store fails.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = conform(&self.table, &self.schema, batch)?;
        self.content.add(&batch)?;
        let mut file = match self.open.take() {
            Some(file) => file,
            None => self.begin_file()?,
        };
        let written = async {
            file.writer.write(&batch).await?;
            if file.writer.memory_size() > MAX_ROW_GROUP_MEMORY {
                file.writer.flush().await?;
            }
            Ok(())
        };
        if let Err(error) = written.await {
            return Err(self.abort(file, error).await);
        }
        file.rows += batch.num_rows() as u64;
        if file.writer.bytes_written() + file.writer.in_progress_size() >= self.file_bytes {
            self.complete_file(file).await
        } else {
            self.open = Some(file);
            Ok(())
        }
    }

    /// Completes the last file and returns all of them; without rows there is none.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn finish(mut self) -> Result<Vec<DataFile>> {
        if let Some(file) = self.open.take() {
            self.complete_file(file).await?;
        }
        Ok(std::mem::take(&mut self.files))
    }

    fn begin_file(&mut self) -> Result<OpenFile> {
        let path = format!("{}/{}-{}.parquet", self.folder, self.run_id, self.lake.next_file());
        // Recorded before it exists, so that a file whose upload ends without a response is deleted as well.
        self.lake.written().insert(path.clone());
        let writer = parquet_writer(&self.lake, &path, self.schema.clone())
            .map_err(|e| Error::bug(format!("cannot begin a Parquet file of {}: {e}", self.table)))?;
        Ok(OpenFile { path, writer, rows: 0 })
    }

    async fn complete_file(&mut self, mut file: OpenFile) -> Result<()> {
        if let Err(error) = file.writer.finish().await {
            return Err(self.abort(file, error).await);
        }
        let upload = file.writer.into_inner();
        let file = DataFile {
            path: file.path,
            bytes: upload.bytes,
            rows: file.rows,
            content: Some(self.content.take()),
            blocks: Some(upload.blocks.finish()),
        };
        self.lake.register_blocks(&file);
        self.files.push(file);
        Ok(())
    }

    /// Aborts an upload that failed, if the store allows it; the next run's repair deletes what is left.
    async fn abort(&mut self, file: OpenFile, error: ParquetError) -> Error {
        let mut upload = file.writer.into_inner();
        if !upload.is_shut_down {
            upload.upload.abort().await.ok();
        }
        write_error(&self.lake, &file.path, &error)
    }
}

/// A writer of one Parquet file to the store.
fn parquet_writer(lake: &Lake, path: &str, schema: SchemaRef) -> ParquetResult<AsyncArrowWriter<CountingUpload>> {
    let upload =
        BufWriter::with_capacity(lake.store(), lake.path(path), PART_BYTES).with_max_concurrency(PARTS_AT_ONCE);
    AsyncArrowWriter::try_new(
        CountingUpload { upload, bytes: 0, blocks: BlockSums::default(), is_shut_down: false },
        schema,
        Some(properties()?),
    )
}

/// Files are compressed and have statistics.
fn properties() -> ParquetResult<WriterProperties> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(MAX_ROW_GROUP_ROWS))
        .set_created_by(format!("perennial {}", env!("CARGO_PKG_VERSION")))
        .build())
}

/// The bytes of a Parquet file of some batches.
pub(crate) fn file_bytes(schema: SchemaRef, batches: impl IntoIterator<Item = Result<RecordBatch>>) -> Result<Vec<u8>> {
    let failed = |error: ParquetError| Error::bug(format!("cannot write a Parquet file: {error}"));
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties().map_err(failed)?)).map_err(failed)?;
    for batch in batches {
        writer.write(&batch?).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(bytes)
}

fn write_error(lake: &Lake, path: &str, error: &ParquetError) -> Error {
    let text = scrub(&error.to_string());
    Error::unreachable(format!("cannot write {path} to the lake {}: {text}", lake.location()))
}

/// An upload to the store that counts its bytes and makes the checksums of its blocks.
struct CountingUpload {
    upload: BufWriter,
    bytes: u64,
    blocks: BlockSums,
    /// It has been shut down, successfully or not: it can no longer be aborted and cleans up after itself.
    is_shut_down: bool,
}

impl AsyncFileWriter for CountingUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        self.bytes += bytes.len() as u64;
        self.blocks.add(&bytes);
        Box::pin(async { self.upload.put(bytes).await.map_err(|e| ParquetError::External(Box::new(e))) })
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        self.is_shut_down = true;
        Box::pin(async { self.upload.shutdown().await.map_err(|e| ParquetError::External(Box::new(e))) })
    }
}
