//! Rows into Parquet files that no reader knows of until a release names them.

use super::DataFile;
use super::open::{Lake, scrub, table_folder};
use super::shape::{into_shape, lake_schema};
use crate::contract::TableName;
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::buffered::BufWriter;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use tokio::io::AsyncWriteExt;

/// Rows of a row group at most.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// A row group is closed early when its columns take more memory than this, in bytes.
const ROW_GROUP_MEMORY: usize = 64 << 20;
/// The next file is begun when one has about this many bytes.
const FILE_BYTES: usize = 128 << 20;
/// Bytes of one part of an upload, and how many parts are under way at most.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 3;

/// Writes rows of one table. Several may write one table side by side: their files have different names.
pub struct TableWriter {
    lake: Lake,
    table: TableName,
    folder: String,
    run_id: String,
    schema: SchemaRef,
    open: Option<OpenFile>,
    files: Vec<DataFile>,
    file_bytes: usize,
}

struct OpenFile {
    path: String,
    writer: AsyncArrowWriter<Counted>,
    rows: u64,
}

impl Lake {
    /// A writer of one table's rows. `schema` is the rows' own; what the files have is [`TableWriter::schema`].
    ///
    /// Errors (`Project`): a table or column that cannot be kept under its name or type.
    pub fn table_writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<TableWriter> {
        Ok(TableWriter {
            lake: self.clone(),
            table: table.clone(),
            folder: table_folder(table)?,
            run_id: run_id.to_string(),
            schema: lake_schema(table, &schema)?,
            open: None,
            files: Vec::new(),
            file_bytes: FILE_BYTES,
        })
    }
}

impl TableWriter {
    /// The columns as the files hold them: what the table's version is to name.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next file is begun when one has about this many bytes.
    #[cfg(test)]
    pub(super) fn with_file_bytes(mut self, bytes: usize) -> TableWriter {
        self.file_bytes = bytes;
        self
    }

    /// Writes rows; their columns are taken by position.
    ///
    /// Errors: `Data` when a value does not fit the lake's type, `Unreachable` when the store fails.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = into_shape(&self.table, &self.schema, batch)?;
        let mut file = match self.open.take() {
            Some(file) => file,
            None => self.begin_file()?,
        };
        let written = async {
            file.writer.write(&batch).await?;
            if file.writer.memory_size() > ROW_GROUP_MEMORY {
                file.writer.flush().await?;
            }
            Ok(())
        };
        if let Err(error) = written.await {
            return Err(self.give_up(file, error).await);
        }
        file.rows += batch.num_rows() as u64;
        if file.writer.bytes_written() + file.writer.in_progress_size() >= self.file_bytes {
            self.end_file(file).await
        } else {
            self.open = Some(file);
            Ok(())
        }
    }

    /// Ends the last file and names all of them; without rows there is none.
    pub async fn finish(mut self) -> Result<Vec<DataFile>> {
        if let Some(file) = self.open.take() {
            self.end_file(file).await?;
        }
        Ok(std::mem::take(&mut self.files))
    }

    fn begin_file(&mut self) -> Result<OpenFile> {
        let path = format!("{}/{}-{}.parquet", self.folder, self.run_id, self.lake.next_file());
        // Noted before it is there: a file whose upload ends without an answer is taken away as well.
        self.lake.written().insert(path.clone());
        let writer = parquet_writer(&self.lake, &path, self.schema.clone())
            .map_err(|e| Error::bug(format!("a Parquet file of {} cannot be begun: {e}", self.table)))?;
        Ok(OpenFile { path, writer, rows: 0 })
    }

    async fn end_file(&mut self, mut file: OpenFile) -> Result<()> {
        if let Err(error) = file.writer.finish().await {
            return Err(self.give_up(file, error).await);
        }
        self.files.push(DataFile { path: file.path, bytes: file.writer.into_inner().bytes, rows: file.rows });
        Ok(())
    }

    /// Ends an upload that failed, as well as the store allows; the next run's repair looks for what is left.
    async fn give_up(&mut self, file: OpenFile, error: ParquetError) -> Error {
        let mut counted = file.writer.into_inner();
        if !counted.shut {
            counted.upload.abort().await.ok();
        }
        Error::unreachable(format!(
            "the lake {} could not take {}: {}",
            self.lake.location(),
            file.path,
            scrub(&error.to_string())
        ))
    }
}

/// A writer of one Parquet file, compressed, with statistics.
fn parquet_writer(lake: &Lake, path: &str, schema: SchemaRef) -> ParquetResult<AsyncArrowWriter<Counted>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(format!("perennial {}", env!("CARGO_PKG_VERSION")))
        .build();
    let upload =
        BufWriter::with_capacity(lake.store(), lake.path(path), PART_BYTES).with_max_concurrency(PARTS_AT_ONCE);
    AsyncArrowWriter::try_new(Counted { upload, bytes: 0, shut: false }, schema, Some(properties))
}

/// One file of these rows, written whole under this path; the number of its bytes.
pub(super) async fn write_file(lake: &Lake, path: &str, batch: &RecordBatch) -> Result<u64> {
    let failed = |e: ParquetError| {
        Error::unreachable(format!("the lake {} could not take {path}: {}", lake.location(), scrub(&e.to_string())))
    };
    let mut writer = parquet_writer(lake, path, batch.schema()).map_err(failed)?;
    writer.write(batch).await.map_err(failed)?;
    writer.finish().await.map_err(failed)?;
    Ok(writer.into_inner().bytes)
}

/// Counts the bytes on their way to the store.
struct Counted {
    upload: BufWriter,
    bytes: u64,
    /// The upload was ended, well or not; it cannot be given up any more and cleans up after itself.
    shut: bool,
}

impl AsyncFileWriter for Counted {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        self.bytes += bytes.len() as u64;
        Box::pin(async { self.upload.put(bytes).await.map_err(|e| ParquetError::External(Box::new(e))) })
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        self.shut = true;
        Box::pin(async { self.upload.shutdown().await.map_err(|e| ParquetError::External(Box::new(e))) })
    }
}
