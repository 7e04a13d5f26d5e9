//! What the tests of this crate share.

use crate::csv::CsvReader;
use crate::files::{FileBytes, Files, Store};
use crate::json::JsonLinesReader;
use crate::kinds::open_files;
use crate::text::{RowReject, TextReader};
use perennial_core::contract::{Access, CsvOptions, TextEncoding};
use perennial_core::error::{Error, Kind, Result};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

pub(crate) fn files_of(store: Arc<dyn object_store::ObjectStore>, prefix: &str) -> Files {
    Files::new("memory://test", Store::new(store, object_store::path::Path::from(prefix)))
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

pub(crate) fn files_in(location: &str) -> Result<Files> {
    wait(open_files(location, &Access::default()))
}

pub(crate) fn opened(bytes: &[u8]) -> (tempfile::TempDir, FileBytes) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "f", bytes);
    let files = files_in(folder.path().to_str().unwrap()).unwrap();
    let file = wait(async { files.read(&files.list("f").await.unwrap().files[0]).await.unwrap() });
    (folder, file)
}

pub(crate) const PLAIN: CsvOptions = CsvOptions {
    delimiter: b',',
    collapse: false,
    quote: Some(b'"'),
    header: true,
    header_row: None,
    skip_rows: Vec::new(),
    encoding: TextEncoding::Utf8,
};

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) fields: Vec<String>,
    /// Line and cells; a cell without value is `∅`.
    pub(crate) rows: Vec<(u64, Vec<String>)>,
    pub(crate) rejects: Vec<RowReject>,
}

pub(crate) fn drain(mut reader: impl TextReader) -> Result<Read> {
    drain_all(&mut reader)
}

pub(crate) fn drain_boxed(mut reader: Box<dyn TextReader>) -> Result<Read> {
    drain_all(&mut *reader)
}

pub(crate) fn drain_all(reader: &mut dyn TextReader) -> Result<Read> {
    let mut read = Read::default();
    while let Some(rows) = reader.next_rows()? {
        for row in 0..rows.len() {
            let cells = (0..rows.fields().len()).map(|field| rows.cell(row, field).unwrap_or("∅").to_string());
            read.rows.push((rows.lines()[row], cells.collect()));
        }
        read.rejects.extend_from_slice(rows.rejects);
    }
    reader.finish()?;
    read.fields = reader.fields().to_vec();
    Ok(read)
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

pub(crate) fn csv_with(bytes: &[u8], options: &CsvOptions, expected: &[&str]) -> Result<Read> {
    let (_folder, file) = opened(bytes);
    drain(CsvReader::open(file, options, &names(expected))?)
}

pub(crate) fn csv(bytes: &[u8]) -> Read {
    csv_with(bytes, &PLAIN, &["a", "b"]).unwrap()
}

pub(crate) fn json(bytes: &[u8], paths: &[&str], collect_new: bool) -> Read {
    let (_folder, file) = opened(bytes);
    drain(JsonLinesReader::open(file, &names(paths), collect_new).unwrap()).unwrap()
}

pub(crate) fn rows(rows: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
    rows.iter().map(|(line, cells)| (*line, names(cells))).collect()
}

pub(crate) fn data_error(result: Result<Read>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Data, "{error}");
    error
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A Parquet file of several blocks: numbers in order, and letters that do not compress.
pub(crate) fn long_parquet(rows: u64) -> Vec<u8> {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    let numbers = Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef;
    let letters =
        (0..rows).map(|i| format!("{:x}{:x}", i.wrapping_mul(0x9e3779b97f4a7c15), i.wrapping_mul(0xd1b54a32d192ed03)));
    let batch = RecordBatch::try_from_iter([
        ("number", numbers),
        ("letters", Arc::new(StringArray::from_iter_values(letters)) as ArrayRef),
    ])
    .unwrap();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}
