//! The first rows of a table, with or without its contract; nothing is written.

use super::convert::{Converter, Origin};
use super::ingest::{Input, Open};
use super::rejects::Reject;
use super::{file_input, typed};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use perennial_core::contract::{ColumnPolicy, Extraction, Format, Source, SourceTable, ValueType};
use perennial_core::error::{Error, Kind, Result};
use perennial_sources::{Files, ParquetReader, RelationRequest, RowReader, SourceFile, System, TextRows, open_text};
use std::sync::Arc;

/// The first rows of a table after its contract was applied.
#[derive(Debug, Default)]
pub struct ProbeOutcome {
    /// Number of files that match, of a table that is read from files.
    pub files: u64,
    /// The newest of them, which was read.
    pub newest: Option<SourceFile>,
    /// The rows that conform to the contract, as they would be in the lake.
    pub batch: Option<RecordBatch>,
    /// Rows that do not.
    pub rejects: Vec<Reject>,
    /// Fields that the contract does not name.
    pub new_columns: Vec<String>,
    /// What else a person should know of the files.
    pub notes: Vec<String>,
}

impl ProbeOutcome {
    /// Number of rows that were read.
    pub fn rows(&self) -> u64 {
        self.batch.as_ref().map_or(0, |batch| batch.num_rows() as u64) + self.rejects.len() as u64
    }
}

/// Reads the first rows of a table and applies its contract: of files those of the newest, of a relation the first
/// batch, of a service the first page.
///
/// # Errors
/// Of kind `Project` when the contract does not match the system (a missing column or relation), `Data` when the data
/// cannot be read, `Unreachable` when the system cannot be reached.
pub async fn probe_table(system: &System, source: &Source, table: &SourceTable) -> Result<ProbeOutcome> {
    let shared = Arc::new(table.clone());
    let mut probed = ProbeOutcome::default();
    let input = match (system, &table.extraction) {
        (System::Files(files), Extraction::Files { pattern, .. }) => {
            let mut listed = files.list(pattern).await?;
            listed.files.iter_mut().for_each(|file| file.grows = table.rotated);
            probed.files = listed.files.len() as u64;
            probed.notes = listed.left_out;
            probed.newest = listed.files.into_iter().max_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
            let Some(newest) = &probed.newest else { return Ok(probed) };
            file_input::input(files, newest, &shared).await?
        }
        (System::Database(database), Extraction::Relation(relation)) => {
            let all_columns = table.on_new_column != ColumnPolicy::Ignore;
            let request = RelationRequest { relation, table, all_columns, since: None };
            let first = database.read(&request).await?.into_iter().next();
            let Some(reader) = first else { return Ok(probed) };
            let open: Open = Box::new(move || Ok(RowReader::Typed(reader)));
            Input { label: relation.label().to_string(), readers: vec![open], has_header: true, bytes: 0 }
        }
        (System::Http(http), Extraction::Pages(pages)) => {
            let takes_new = table.on_new_column != ColumnPolicy::Ignore;
            let reader = http.read(pages, None, &Converter::contract_fields(table), takes_new).await?;
            let open: Open = Box::new(move || Ok(RowReader::Text(Box::new(reader))));
            Input { label: pages.path.clone(), readers: vec![open], has_header: false, bytes: 0 }
        }
        _ => return Err(Error::bug("the extraction of a table does not match its source")),
    };
    let origin = Origin {
        source: source.name.clone(),
        file: input.label.clone(),
        run_id: String::new(),
        loaded_at: jiff::Timestamp::UNIX_EPOCH,
    };
    let converter = Converter::new(shared, origin, &[], Arc::default())?;
    let first = blocking(move || first_rows(input, converter)).await;
    match (first, system, &probed.newest) {
        (Err(error), System::Files(files), Some(newest)) if error.kind() == Kind::Data => {
            Err(attributed(error, files, newest, table).await)
        }
        (first, ..) => {
            let first = first?;
            probed.notes.extend(first.notes);
            Ok(ProbeOutcome { files: probed.files, newest: probed.newest, notes: probed.notes, ..first })
        }
    }
}

/// If a file can be read without the columns of the contract, the contract is the mistake.
async fn attributed(error: Error, files: &Files, file: &SourceFile, table: &SourceTable) -> Error {
    let format = table.format().cloned().unwrap_or(Format::JsonLines);
    let mut sample = Sample::default();
    match sample.add_file(files, file, &format, &[], 1).await {
        Ok(()) if !sample.columns.is_empty() => with_kind(error, Kind::Project),
        _ => error,
    }
}

fn with_kind(error: Error, kind: Kind) -> Error {
    let other = Error::new(kind, error.message());
    match error.hint_text() {
        Some(hint) => other.hint(hint),
        None => other,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::bug(format!("reading the first rows stopped: {e}")))?
}

fn first_rows(input: Input, mut converter: Converter) -> Result<ProbeOutcome> {
    let Some(open) = input.readers.into_iter().next() else { return Ok(ProbeOutcome::default()) };
    let mut notes = Vec::new();
    let converted = match open()? {
        RowReader::Text(mut reader) => {
            converter.bind(reader.fields())?;
            if input.has_header {
                let hint = |name: &str| reader.hint_for_missing(name);
                converter.check_missing(hint, reader.fields()).map_err(|e| with_kind(e, Kind::Project))?;
            }
            let converted = match reader.next_rows()? {
                Some(rows) => {
                    converter.bind(rows.fields())?;
                    Some(converter.convert_text(&rows)?)
                }
                None => None,
            };
            notes = reader.remarks();
            converted
        }
        RowReader::Typed(mut reader) => {
            converter.bind(reader.fields())?;
            let fields = reader.fields().to_vec();
            converter.check_missing(|_| None, &fields).map_err(|e| with_kind(e, Kind::Project))?;
            match reader.next_rows()? {
                Some(rows) => Some(converter.convert_typed(&rows)?),
                None => None,
            }
        }
    };
    let mut new_columns = converter.accepted();
    new_columns.extend(converter.ignored.iter().cloned());
    let (batch, rejects) = converted.map_or((None, Vec::new()), |c| (Some(c.batch), c.rejects));
    Ok(ProbeOutcome { batch, rejects, new_columns, notes, ..ProbeOutcome::default() })
}

/// Rows of files as they are, without a contract.
#[derive(Debug, Default)]
pub struct Sample {
    /// Fields, in the order in which they were found.
    pub columns: Vec<SampleColumn>,
    /// The file of each row, counted from 0.
    pub files: Vec<u32>,
    /// Number of files that were read.
    pub files_read: u32,
    /// Number of rows that could not be parsed.
    pub rejects: u64,
    /// Reason for the first of them.
    pub first_reject: Option<String>,
    /// Bytes of the values.
    bytes: usize,
}

/// Bytes of a sample, half of which one file may take at most; with a row of each file it may be more.
const MAX_SAMPLE_BYTES: usize = 128 * 1024 * 1024;
/// Columns of a sample; nobody would read a contract with more.
const MAX_SAMPLE_COLUMNS: usize = 2000;

/// One field of a sample.
#[derive(Debug)]
pub struct SampleColumn {
    /// Its name in the files.
    pub name: String,
    /// Its values, one per row.
    pub values: Vec<Option<String>>,
    /// Its type in a typed file.
    pub declared: Option<ValueType>,
    /// Number of files that have it.
    pub files: u32,
}

impl Sample {
    /// Reads the first rows of a file. `names` are the fields of a file without a header.
    ///
    /// # Errors
    /// Those of the format's reader.
    pub async fn add_file(
        &mut self,
        files: &Files,
        file: &SourceFile,
        format: &Format,
        names: &[String],
        max_rows: usize,
    ) -> Result<()> {
        let open: Open = if *format == Format::Parquet {
            let (files, file) = (files.clone(), file.clone());
            Box::new(move || Ok(RowReader::Typed(Box::new(ParquetReader::open(&files, &file, None, |_| true)?))))
        } else {
            let bytes = files.read(file).await?;
            let (format, names) = (format.clone(), names.to_vec());
            Box::new(move || Ok(RowReader::Text(open_text(bytes, &format, &names, true)?)))
        };
        self.add(open, max_rows).await
    }

    /// Reads the first rows of a reader.
    ///
    /// # Errors
    /// Those of the reader.
    pub async fn add_rows(&mut self, reader: RowReader, max_rows: usize) -> Result<()> {
        self.add(Box::new(move || Ok(reader)), max_rows).await
    }

    async fn add(&mut self, open: Open, max_rows: usize) -> Result<()> {
        let mut sample = std::mem::take(self);
        let (sample, outcome) = blocking(move || {
            let outcome = sample.take(open, max_rows);
            Ok((sample, outcome))
        })
        .await?;
        *self = sample;
        outcome
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.files.len()
    }

    fn take(&mut self, open: Open, max_rows: usize) -> Result<()> {
        let max_bytes = (self.bytes + MAX_SAMPLE_BYTES) / 2;
        let until = Until { file: self.files_read, rows: self.rows() + max_rows, bytes: max_bytes };
        let mut known = 0;
        match open()? {
            RowReader::Text(mut reader) => {
                self.fields(reader.fields(), &mut known)?;
                while self.wants_more(&until) {
                    let Some(rows) = reader.next_rows()? else { break };
                    self.fields(rows.fields(), &mut known)?;
                    self.take_text(&rows, &until);
                }
            }
            RowReader::Typed(mut reader) => {
                self.fields(reader.fields(), &mut known)?;
                while self.wants_more(&until) {
                    let Some(rows) = reader.next_rows()? else { break };
                    self.take_batch(&rows.batch, &until)?;
                }
            }
        }
        self.files_read += 1;
        Ok(())
    }

    fn wants_more(&self, until: &Until) -> bool {
        self.rows() < until.rows && self.bytes < until.bytes
    }

    /// Adds the fields of a file after the first `known` ones.
    fn fields(&mut self, fields: &[String], known: &mut usize) -> Result<()> {
        for field in fields.iter().skip(*known) {
            let is_full = self.columns.len() == MAX_SAMPLE_COLUMNS;
            match self.columns.iter_mut().find(|column| column.name == *field) {
                Some(column) => column.files += 1,
                None if is_full => {
                    return Err(Error::data(format!("there are more than {MAX_SAMPLE_COLUMNS} columns")));
                }
                None => {
                    let values = vec![None; self.files.len()];
                    self.bytes += values.len() * size_of::<Option<String>>();
                    self.columns.push(SampleColumn { name: field.clone(), values, declared: None, files: 1 });
                }
            }
        }
        *known = fields.len();
        Ok(())
    }

    /// How many of the next rows fit; `bytes` are those of the values of one. The first one fits in any case.
    fn fitting(&mut self, rows: usize, until: &Until, bytes: impl Fn(usize) -> usize) -> usize {
        let of_row = self.columns.len() * size_of::<Option<String>>();
        let mut taken = 0;
        while taken < rows.min(until.rows - self.rows()) && (taken == 0 || self.bytes < until.bytes) {
            self.bytes += of_row + bytes(taken);
            taken += 1;
        }
        self.files.extend(std::iter::repeat_n(until.file, taken));
        taken
    }

    fn take_text(&mut self, rows: &TextRows<'_>, until: &Until) {
        self.rejects += rows.rejects.len() as u64;
        self.first_reject = self.first_reject.take().or_else(|| rows.rejects.first().map(|row| row.reason.clone()));
        let fields = rows.fields().len();
        let bytes = |row: usize| (0..fields).filter_map(|field| rows.cell(row, field)).map(str::len).sum();
        let taken = self.fitting(rows.len(), until, bytes);
        for column in &mut self.columns {
            let field = rows.fields().iter().position(|name| *name == column.name);
            let cell = |row: usize| field.and_then(|field| rows.cell(row, field)).map(str::to_string);
            column.values.extend((0..taken).map(cell));
        }
    }

    fn take_batch(&mut self, batch: &RecordBatch, until: &Until) -> Result<()> {
        let of_row = batch.get_array_memory_size() / batch.num_rows().max(1);
        let taken = self.fitting(batch.num_rows(), until, |_| of_row);
        for column in &mut self.columns {
            match batch.column_by_name(&column.name) {
                None => column.values.extend(std::iter::repeat_n(None, taken)),
                Some(array) => {
                    column.declared = declared(array.data_type());
                    let texts = typed::text_of(array, &DataType::Utf8)?;
                    let text = |row: usize| texts.is_valid(row).then(|| texts.value(row).to_string());
                    column.values.extend((0..taken).map(text));
                }
            }
        }
        Ok(())
    }
}

/// Where the sample of one file ends.
struct Until {
    /// The file, counted from 0.
    file: u32,
    /// Rows of the whole sample.
    rows: usize,
    /// Bytes of the whole sample.
    bytes: usize,
}

/// The contract type for the values of an Arrow type; `None` when it depends on the values.
fn declared(data_type: &DataType) -> Option<ValueType> {
    Some(match data_type {
        DataType::Boolean => ValueType::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ValueType::Float,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            ValueType::Decimal { precision: *precision, scale: *scale }
        }
        DataType::UInt64 => ValueType::Decimal { precision: 20, scale: 0 },
        integer if integer.is_integer() => ValueType::Integer,
        DataType::Date32 => ValueType::Date { formats: Vec::new() },
        DataType::Timestamp(_, _) | DataType::Date64 => {
            ValueType::Instant { formats: Vec::new(), zone: "UTC".to_string() }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::contract::{Access, CsvOptions, TextEncoding};

    const PLAIN: CsvOptions = CsvOptions {
        delimiter: b',',
        collapse: false,
        quote: Some(b'"'),
        header: true,
        header_row: None,
        skip_rows: Vec::new(),
        encoding: TextEncoding::Utf8,
    };

    /// A sample of these files, one after the other.
    fn sample(files: &[&str]) -> Result<Sample> {
        let folder = tempfile::tempdir().unwrap();
        for (i, text) in files.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{i}.csv")), text).unwrap();
        }
        let location = folder.path().display().to_string();
        let source = perennial_testing::source("shop", &location, vec![]);
        let source = Source { access: Access::default(), ..source };
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let System::Files(found) = System::open(&source).await? else { panic!("no files") };
            let mut sample = Sample::default();
            for file in &found.list("*.csv").await?.files {
                sample.add_file(&found, file, &Format::Csv(PLAIN), &[], 10_000).await?;
            }
            Ok(sample)
        })
    }

    #[test]
    fn a_sample_is_bounded_by_bytes_and_has_rows_of_every_file() {
        let long = "a,b\n".to_string() + &format!("1,{}\n", "x".repeat(1024 * 1024)).repeat(200);
        let sample = sample(&[&long, &long, "a,b\n1,2\n"]).unwrap();
        // A half of 128 MiB, then a half of what is left; a row is a little more than 1 MiB.
        assert_eq!((sample.rows(), sample.files.iter().filter(|file| **file == 0).count()), (64 + 32 + 1, 64));
        assert!(sample.columns.iter().all(|column| column.values.len() == sample.rows()));
    }

    #[test]
    fn a_file_with_more_columns_than_anybody_reads_gives_no_sample() {
        let header: Vec<String> = (0..100_000).map(|i| format!("c{i}")).collect();
        let error = sample(&[&(header.join(",") + "\n")]).unwrap_err();
        assert_eq!(error.message(), "there are more than 2000 columns");
        let few = header[..2000].join(",");
        assert_eq!(sample(&[&format!("{few}\n{few}\n")]).unwrap().rows(), 1);
    }
}
