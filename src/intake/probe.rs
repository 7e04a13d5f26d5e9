//! The first rows of a table, under its contract or as they are: nothing is written and nothing kept.

use super::convert::{Converter, Origin};
use super::feed::{Input, Open};
use super::rejects::Reject;
use super::{file, typed};
use crate::contract::{ColumnPolicy, Delivery, Format, Source, SourceTable, ValueType};
use crate::error::{Error, Kind, Result};
use crate::sources::{Files, ParquetReader, RelationRequest, RowReader, SourceFile, System, TextRows, open_text};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// What the first rows of a table are under its contract.
#[derive(Debug, Default)]
pub struct Probed {
    /// Files that match, of a table that is delivered in files.
    pub files: u64,
    /// The newest of them, which was looked into.
    pub newest: Option<SourceFile>,
    /// The rows that keep the contract, as they would stand in the lake.
    pub batch: Option<RecordBatch>,
    /// Those that do not.
    pub rejects: Vec<Reject>,
    /// Fields that the contract does not name.
    pub new_columns: Vec<String>,
}

impl Probed {
    /// Rows that were looked at.
    pub fn rows(&self) -> u64 {
        self.batch.as_ref().map_or(0, |batch| batch.num_rows() as u64) + self.rejects.len() as u64
    }
}

/// Reads the first rows of a table under its contract: of files those of the newest, of a relation the first batch, of
/// a service the first page.
///
/// # Errors
/// Of kind `Project` when the contract and the system do not fit (a promised column or relation that is not there),
/// `Data` when what is there cannot be read, `Unreachable` when the system is lost.
pub async fn probe_table(system: &System, source: &Source, table: &SourceTable) -> Result<Probed> {
    let shared = Arc::new(table.clone());
    let mut probed = Probed::default();
    let input = match (system, &table.delivery) {
        (System::Files(files), Delivery::Files { pattern, .. }) => {
            let listed = files.list(pattern).await?;
            probed.files = listed.len() as u64;
            probed.newest = listed.into_iter().max_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
            let Some(newest) = &probed.newest else { return Ok(probed) };
            file::input(files, newest, &shared).await?
        }
        (System::Database(database), Delivery::Relation(relation)) => {
            let all_columns = table.on_new_column != ColumnPolicy::Ignore;
            let request = RelationRequest { relation, table, all_columns, since: None };
            let first = database.read(&request).await?.into_iter().next();
            let Some(reader) = first else { return Ok(probed) };
            let open: Open = Box::new(move || Ok(RowReader::Typed(reader)));
            Input { label: relation.label().to_string(), readers: vec![open], has_header: true, bytes: 0 }
        }
        (System::Http(http), Delivery::Pages(pages)) => {
            let takes_new = table.on_new_column != ColumnPolicy::Ignore;
            let reader = http.read(pages, None, &Converter::promised_fields(table), takes_new).await?;
            let open: Open = Box::new(move || Ok(RowReader::Text(Box::new(reader))));
            Input { label: pages.path.clone(), readers: vec![open], has_header: false, bytes: 0 }
        }
        _ => return Err(Error::bug("a table is delivered otherwise than its source")),
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
            Err(blamed(error, files, newest, table).await)
        }
        (first, ..) => {
            let first = first?;
            Ok(Probed { files: probed.files, newest: probed.newest, ..first })
        }
    }
}

/// A file that is read well without the contract's columns shows that the contract is the mistake.
async fn blamed(error: Error, files: &Files, file: &SourceFile, table: &SourceTable) -> Error {
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

fn first_rows(input: Input, mut converter: Converter) -> Result<Probed> {
    let Some(open) = input.readers.into_iter().next() else { return Ok(Probed::default()) };
    let converted = match open()? {
        RowReader::Text(mut reader) => {
            converter.bind(reader.fields())?;
            if input.has_header {
                let hint = |name: &str| reader.hint_for_missing(name);
                converter.refuse_missing(hint, reader.fields()).map_err(|e| with_kind(e, Kind::Project))?;
            }
            match reader.next_rows()? {
                Some(rows) => {
                    converter.bind(rows.fields())?;
                    Some(converter.convert_text(&rows)?)
                }
                None => None,
            }
        }
        RowReader::Typed(mut reader) => {
            converter.bind(reader.fields())?;
            let fields = reader.fields().to_vec();
            converter.refuse_missing(|_| None, &fields).map_err(|e| with_kind(e, Kind::Project))?;
            match reader.next_rows()? {
                Some(rows) => Some(converter.convert_typed(&rows)?),
                None => None,
            }
        }
    };
    let mut new_columns = converter.accepted();
    new_columns.extend(converter.ignored.iter().cloned());
    let (batch, rejects) = converted.map_or((None, Vec::new()), |c| (Some(c.batch), c.rejects));
    Ok(Probed { batch, rejects, new_columns, ..Probed::default() })
}

/// Rows of files as they are delivered, without a contract.
#[derive(Debug, Default)]
pub struct Sample {
    /// Fields, in the order they were met.
    pub columns: Vec<SampleColumn>,
    /// Of each row the file it came from, counted from 0.
    pub files: Vec<u32>,
    /// How many files were read.
    pub files_read: u32,
    /// Rows that could not be taken apart.
    pub faults: u64,
    /// Why, of the first of them.
    pub fault: Option<String>,
}

/// One field of a sample.
#[derive(Debug)]
pub struct SampleColumn {
    /// Its name in the files.
    pub name: String,
    /// Its values, one for every row.
    pub values: Vec<Option<String>>,
    /// What a typed file says it is.
    pub declared: Option<ValueType>,
    /// Files that have it.
    pub files: u32,
}

impl Sample {
    /// Reads the first rows of a file. `names` are those of the fields of a file without header.
    ///
    /// # Errors
    /// As the reader of the format says them.
    pub async fn add_file(
        &mut self,
        files: &Files,
        file: &SourceFile,
        format: &Format,
        names: &[String],
        most_rows: usize,
    ) -> Result<()> {
        let open: Open = if *format == Format::Parquet {
            let (files, file) = (files.clone(), file.clone());
            Box::new(move || Ok(RowReader::Typed(Box::new(ParquetReader::open(&files, &file, None, |_| true)?))))
        } else {
            let bytes = files.read(file).await?;
            let (format, names) = (format.clone(), names.to_vec());
            Box::new(move || Ok(RowReader::Text(open_text(bytes, &format, &names, true)?)))
        };
        self.add(open, most_rows).await
    }

    /// Reads the first rows that a reader gives.
    ///
    /// # Errors
    /// As the reader says them.
    pub async fn add_rows(&mut self, reader: RowReader, most_rows: usize) -> Result<()> {
        self.add(Box::new(move || Ok(reader)), most_rows).await
    }

    async fn add(&mut self, open: Open, most_rows: usize) -> Result<()> {
        let mut sample = std::mem::take(self);
        let (sample, outcome) = blocking(move || {
            let outcome = sample.take(open, most_rows);
            Ok((sample, outcome))
        })
        .await?;
        *self = sample;
        outcome
    }

    /// Count of rows.
    pub fn rows(&self) -> usize {
        self.files.len()
    }

    fn take(&mut self, open: Open, most_rows: usize) -> Result<()> {
        let (file, until) = (self.files_read, self.rows() + most_rows);
        let mut known = 0;
        match open()? {
            RowReader::Text(mut reader) => {
                self.fields(reader.fields(), &mut known);
                while self.rows() < until {
                    let Some(rows) = reader.next_rows()? else { break };
                    self.fields(rows.fields(), &mut known);
                    self.take_text(&rows, file, until);
                }
            }
            RowReader::Typed(mut reader) => {
                self.fields(reader.fields(), &mut known);
                while self.rows() < until {
                    let Some(rows) = reader.next_rows()? else { break };
                    self.take_batch(&rows.batch, file, until)?;
                }
            }
        }
        self.files_read += 1;
        Ok(())
    }

    /// Makes the fields of a file known, those behind the first `known`.
    fn fields(&mut self, fields: &[String], known: &mut usize) {
        for field in fields.iter().skip(*known) {
            match self.columns.iter_mut().find(|column| column.name == *field) {
                Some(column) => column.files += 1,
                None => {
                    let values = vec![None; self.files.len()];
                    self.columns.push(SampleColumn { name: field.clone(), values, declared: None, files: 1 });
                }
            }
        }
        *known = fields.len();
    }

    fn take_text(&mut self, rows: &TextRows<'_>, file: u32, until: usize) {
        self.faults += rows.faults.len() as u64;
        self.fault = self.fault.take().or_else(|| rows.faults.first().map(|fault| fault.reason.clone()));
        let taken = rows.len().min(until - self.rows());
        for column in &mut self.columns {
            let field = rows.fields().iter().position(|name| *name == column.name);
            let cell = |row: usize| field.and_then(|field| rows.cell(row, field)).map(str::to_string);
            column.values.extend((0..taken).map(cell));
        }
        self.files.extend(std::iter::repeat_n(file, taken));
    }

    fn take_batch(&mut self, batch: &RecordBatch, file: u32, until: usize) -> Result<()> {
        let taken = batch.num_rows().min(until - self.rows());
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
        self.files.extend(std::iter::repeat_n(file, taken));
        Ok(())
    }
}

/// The contract's type that holds the values of an Arrow type; nothing where the values must be looked at.
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
