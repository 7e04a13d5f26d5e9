//! Applies a contract to the rows of one file: batches of typed columns, and rejects.

use super::cell_rejects::{CellReject, CellRejects};
use super::cells::{StoredColumn, TextColumn};
use super::columns::{ColumnReader, ReadOptions};
use super::context::LoadContext;
use super::control_totals::{ControlTotals, TotalKind, TotalsBatch};
use super::plan::raw_schema;
use super::rejects::Reject;
use super::typed;
use super::warnings::ValueWarning;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, Schema, SchemaRef, TimestampMicrosecondType};
use perennial_core::contract::{ColumnPolicy, DELETED_COLUMN, Format, SourceTable, day_of, origin_fields};
use perennial_core::error::{Error, Result, list};
use perennial_sources::{MAX_NEW_FIELDS, RowReject, TextRows, TypedRows};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// New columns that a load takes of one CSV file or workbook: more are a file that is read wrongly.
const MAX_NEW_COLUMNS: usize = 2_000;

/// Origin of the rows of a file, stored with every row.
pub(super) struct Origin {
    pub(super) source: String,
    pub(super) file: String,
    pub(super) run_id: String,
    pub(super) loaded_at: jiff::Timestamp,
}

impl Origin {
    /// The origin of what a load reads from an input with this label.
    pub(super) fn of(context: &LoadContext<'_>, label: &str) -> Origin {
        Origin {
            source: context.source.to_string(),
            file: label.to_string(),
            run_id: context.run_id.to_string(),
            loaded_at: context.now,
        }
    }
}

/// A batch after the contract was applied.
pub(super) struct ConvertedBatch {
    /// Accepted rows.
    pub(super) batch: RecordBatch,
    /// Rejected rows, by line.
    pub(super) rejects: Vec<Reject>,
    /// The rejected rows that could be parsed, with the values that could be read.
    pub(super) rejected: Option<RecordBatch>,
}

/// Applies a table's contract to the rows of one file.
pub(super) struct Converter {
    table: Arc<SourceTable>,
    origin: Origin,
    /// The columns of the contract, then accepted ones.
    columns: Vec<ColumnReader>,
    /// Number of columns of the contract.
    named: usize,
    /// Number of columns of the contract and of those accepted earlier.
    known: usize,
    /// How many more a file may bring.
    max_new: usize,
    /// The field of each column in the file.
    fields: Vec<Option<usize>>,
    bound: usize,
    schema: SchemaRef,
    constants: Option<(usize, [ArrayRef; 3])>,
    time_column: Option<usize>,
    newest: Option<i64>,
    /// New fields that are not loaded.
    pub(super) ignored: Vec<String>,
    /// The line of the last row of text.
    last_line: i64,
    /// Number of rows of typed readers so far, shared by parallel readers.
    lines: Arc<AtomicU64>,
    /// The file is a workbook.
    sheet: bool,
    totals: Option<ControlTotals>,
}

impl Converter {
    /// `accepted` are the columns accepted by earlier loads.
    ///
    /// # Errors
    /// Of kind `Project` when formats or bounds of the contract are invalid.
    pub(super) fn new(
        table: Arc<SourceTable>,
        origin: Origin,
        accepted: &[String],
        lines: Arc<AtomicU64>,
    ) -> Result<Converter> {
        let typed = matches!(table.format(), None | Some(Format::Parquet));
        let sheet = matches!(table.format(), Some(Format::Excel(_)));
        let from_spreadsheet = matches!(table.format(), Some(Format::Excel(_) | Format::Csv(_)));
        let options = ReadOptions { typed, sheet, from_spreadsheet, now: origin.loaded_at };
        let named = table.columns.iter().map(|column| ColumnReader::of_contract(&table, column, options));
        let mut columns = named.collect::<Result<Vec<_>>>()?;
        let count = columns.len();
        columns.extend(accepted.iter().map(|name| ColumnReader::accepted(name, name)));
        let max_new = match table.format() {
            None | Some(Format::Parquet) => usize::MAX,
            Some(Format::Excel(_) | Format::Csv(_)) => MAX_NEW_COLUMNS,
            Some(_) => MAX_NEW_FIELDS,
        };
        let time_column = table.time_column.as_ref().and_then(|name| columns.iter().position(|c| c.name == *name));
        let mut converter = Converter {
            totals: ControlTotals::new(&table),
            table,
            origin,
            fields: vec![None; columns.len()],
            known: columns.len(),
            max_new,
            columns,
            named: count,
            bound: 0,
            schema: Arc::new(Schema::empty()),
            constants: None,
            time_column,
            newest: None,
            ignored: Vec::new(),
            last_line: 0,
            lines,
            sheet,
        };
        converter.update_schema();
        Ok(converter)
    }

    /// The names of the fields that a contract reads.
    pub(super) fn contract_fields(table: &SourceTable) -> Vec<String> {
        table.columns.iter().map(|column| column.from.clone()).collect()
    }

    /// The columns accepted so far, by their names in the lake.
    pub(super) fn accepted(&self) -> Vec<String> {
        self.columns[self.named..].iter().map(|column| column.name.clone()).collect()
    }

    /// Columns of the contract that the file lacks.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = (0..self.named).filter(|i| self.fields[*i].is_none());
        missing.map(|i| self.columns[i].from.clone()).collect()
    }

    /// The greatest value of the time column so far, as a date or RFC 3339.
    pub(super) fn newest(&self) -> Option<String> {
        let newest = self.newest?;
        match self.columns[self.time_column?].data_type {
            DataType::Date32 => day_of(newest).map(|day| day.to_string()),
            _ => jiff::Timestamp::from_microsecond(newest).ok().map(|timestamp| timestamp.to_string()),
        }
    }

    /// After the last row: warnings about suspicious values in this file.
    pub(super) fn warnings(&self) -> Vec<ValueWarning> {
        self.columns.iter().flat_map(|column| column.warnings(&self.origin.file)).collect()
    }

    /// After the last row: differences of its total rows.
    ///
    /// # Errors
    /// Of kind `Data` when there is none, and the contract says that this fails the source.
    pub(super) fn finish_totals(&mut self) -> Result<Vec<String>> {
        self.totals.as_mut().map_or(Ok(Vec::new()), |totals| totals.finish(&self.origin.file))
    }

    /// Assigns new fields to columns.
    ///
    /// # Errors
    /// Of kind `Data` when the contract does not name a field and accepts none, or its name cannot be used.
    pub(super) fn bind(&mut self, fields: &[String]) -> Result<()> {
        let known = self.columns.len();
        for (i, field) in fields.iter().enumerate().skip(self.bound) {
            if let Some(column) = self.columns[..self.named].iter().position(|column| column.from == *field) {
                self.fields[column] = Some(i);
                // Several columns can be read from one field.
                for also in column + 1..self.named {
                    if self.columns[also].from == *field {
                        self.fields[also] = Some(i);
                    }
                }
            } else {
                self.bind_new(field, i)?;
            }
        }
        self.bound = fields.len();
        if self.columns.len() != known {
            self.update_schema();
        }
        Ok(())
    }

    fn bind_new(&mut self, field: &str, i: usize) -> Result<()> {
        let file = &self.origin.file;
        if field.is_empty() {
            self.ignored.push("(without a name)".to_string());
            return Ok(());
        }
        match self.table.on_new_column {
            ColumnPolicy::Ignore => self.ignored.push(field.to_string()),
            ColumnPolicy::Fail => {
                let known: Vec<&str> = self.table.columns.iter().map(|column| column.from.as_str()).collect();
                let error = Error::data(format!("`{file}` has a column `{field}` that is not in the contract"));
                return Err(error.suggest(field, known));
            }
            ColumnPolicy::Accept => {
                let name = lake_name(field);
                let taken = |column: &ColumnReader| column.name.eq_ignore_ascii_case(&name);
                let origin = origin_fields().iter().any(|own| own.name().eq_ignore_ascii_case(&name))
                    || name.eq_ignore_ascii_case(DELETED_COLUMN);
                if origin || self.columns[..self.named].iter().any(taken) {
                    return Err(self.clash(field, &name));
                }
                match self.columns[self.named..].iter().position(taken).map(|at| at + self.named) {
                    Some(column) if self.fields[column].is_some() => return Err(self.clash(field, &name)),
                    Some(column) => self.fields[column] = Some(i),
                    None => {
                        self.columns.push(ColumnReader::accepted(&name, field));
                        self.fields.push(Some(i));
                    }
                }
                self.check_count()?;
            }
        }
        Ok(())
    }

    /// Fails when a file of text has more new columns than a load takes. Typed systems know how many they have.
    fn check_count(&self) -> Result<()> {
        if self.columns.len() - self.known <= self.max_new {
            return Ok(());
        }
        let (file, max) = (&self.origin.file, self.max_new);
        Err(Error::data(format!("`{file}` has more than {max} new columns that are not in the contract"))
            .hint("write `on_new_column: ignore`, or name the columns that are needed"))
    }

    fn clash(&self, field: &str, name: &str) -> Error {
        let file = &self.origin.file;
        Error::data(format!("`{file}` has a new column `{field}`, but another column is already called `{name}`"))
            .hint(format!("add it to the contract (`from: {field}`), or write `on_new_column: ignore`"))
    }

    /// Fails when the file lacks columns of the contract and the contract requires all.
    pub(super) fn check_missing(&self, hint: impl Fn(&str) -> Option<String>, fields: &[String]) -> Result<()> {
        let missing = self.missing();
        if self.table.on_missing_column != ColumnPolicy::Fail || missing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = missing.iter().map(String::as_str).collect();
        let found: Vec<&str> = fields.iter().map(String::as_str).collect();
        let error = Error::data(format!(
            "`{}` lacks {}, {} of the contract",
            self.origin.file,
            list(&names),
            if names.len() == 1 { "a column" } else { "columns" }
        ));
        Err(match hint(names[0]) {
            Some(hint) => error.hint(hint),
            None => {
                let shown = &found[..found.len().min(MAX_SHOWN)];
                let more = if shown.len() < found.len() { ", ..." } else { "" };
                error.hint(format!("the file has {}{more}; `on_missing_column: accept` reads it as NULL", list(shown)))
            }
        })
    }

    /// Sets the schema of the following batches.
    fn update_schema(&mut self) {
        self.schema = raw_schema(&self.table, &self.accepted());
    }

    /// Converts rows of text.
    pub(super) fn convert_text(&mut self, rows: &TextRows<'_>) -> Result<ConvertedBatch> {
        // Several rows of a document can begin on one line; each gets a number of its own.
        let last = &mut self.last_line;
        let lines = rows.lines().iter().map(|line| {
            *last = (*line as i64).max(*last + 1);
            *last
        });
        let lines = Int64Array::from_iter_values(lines);
        let mut rejects = CellRejects::new(rows.len());
        let marked = self.mark_totals(rows, &mut rejects);
        let sheet = self.sheet;
        let column = |reader: &mut ColumnReader, field: usize, rejects: &mut CellRejects| {
            let cells = TextColumn { rows, field };
            if sheet {
                reader.reject_errors(&cells, rejects);
            }
            reader.read(&cells, rejects)
        };
        let row = |row: usize| {
            let cells = rows.fields().iter().enumerate();
            let value = |field| match rows.cell(row, field) {
                None => serde_json::Value::Null,
                // A number of a workbook stays a number, whatever the locale of its column is.
                Some(text) if rows.is_native(row, field) => number(text).unwrap_or_else(|| text.into()),
                Some(text) => text.into(),
            };
            as_json(cells.map(|(field, name)| (name.clone(), value(field))).collect())
        };
        self.convert(lines, Some((rows, marked)), rejects, column, row)
    }

    /// Converts a batch of a typed system; its rows are numbered from 1.
    pub(super) fn convert_typed(&mut self, rows: &TypedRows) -> Result<ConvertedBatch> {
        let lines = Int64Array::from_iter_values(take_lines(&self.lines, rows.batch.num_rows()));
        self.convert_batch(lines, rows, None)
    }

    /// Converts rows of texts with known lines; `native` tells for every field which of its texts were numbers.
    pub(super) fn convert_rows(
        &mut self,
        lines: Vec<i64>,
        batch: RecordBatch,
        native: &[Vec<bool>],
    ) -> Result<ConvertedBatch> {
        self.convert_batch(lines.into(), &TypedRows { batch, rejects: Vec::new() }, Some(native))
    }

    fn convert_batch(
        &mut self,
        lines: Int64Array,
        rows: &TypedRows,
        native: Option<&[Vec<bool>]>,
    ) -> Result<ConvertedBatch> {
        let batch = &rows.batch;
        let mut targets = vec![DataType::Utf8; batch.num_columns()];
        for (column, field) in self.columns.iter().zip(&self.fields) {
            if let Some(field) = field {
                targets[*field] = column.data_type.clone();
            }
        }
        let mut rejects = CellRejects::new(batch.num_rows());
        for cell in &rows.rejects {
            for column in (0..self.columns.len()).filter(|column| self.fields[*column] == Some(cell.field)) {
                rejects.column = column;
                rejects.push(cell.row, &cell.raw, cell.reason.clone().into());
            }
        }
        let column = |reader: &mut ColumnReader, field: usize, rejects: &mut CellRejects| {
            let array = batch.column(field);
            match reader.read_exact(array, rejects) {
                Some(array) => Ok(array),
                None => {
                    let texts = typed::text_of(array, &targets[field])?;
                    match native {
                        Some(native) => reader.read(&StoredColumn { texts, native: &native[field] }, rejects),
                        None => reader.read(&texts, rejects),
                    }
                }
            }
        };
        let row = |row: usize| {
            let texts = (0..batch.num_columns()).map(|field| typed::text_of(batch.column(field), &DataType::Utf8));
            let names = batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
            let cells = names.into_iter().zip(texts);
            let cells = cells.map(|(name, texts)| {
                let texts = texts.ok()?;
                let value = texts.is_valid(row).then(|| texts.value(row));
                Some((name, value.map_or(serde_json::Value::Null, Into::into)))
            });
            as_json(cells.collect::<Option<Vec<_>>>()?)
        };
        self.convert(lines, None, rejects, column, row)
    }

    /// `read` reads a field as a column, `whole` returns a rejected row as JSON.
    fn convert(
        &mut self,
        lines: Int64Array,
        text: Option<(&TextRows<'_>, Vec<Option<TotalKind>>)>,
        mut cell_rejects: CellRejects,
        read: impl Fn(&mut ColumnReader, usize, &mut CellRejects) -> Result<ArrayRef>,
        whole: impl Fn(usize) -> Option<String>,
    ) -> Result<ConvertedBatch> {
        let rows = lines.len();
        let mut arrays = Vec::with_capacity(self.columns.len() + 4);
        for (i, column) in self.columns.iter_mut().enumerate() {
            cell_rejects.column = i;
            arrays.push(match self.fields[i] {
                Some(field) => read(column, field, &mut cell_rejects)?,
                None => column.read_missing(rows, &mut cell_rejects)?,
            });
            column.locate(&lines);
        }
        let row_rejects: &[RowReject] = text.as_ref().map_or(&[], |(rows, _)| rows.rejects);
        if let Some((rows, marked)) = &text {
            self.count_totals(rows, marked, &cell_rejects, &arrays, &lines)?;
        }
        let rejects = self.rejects(row_rejects, &cell_rejects.found, &lines, whole);
        let [file, loaded_at, run_id] = self.constants(rows);
        arrays.extend([file, Arc::new(lines) as ArrayRef, loaded_at, run_id]);
        if self.table.load.finds_deletes() {
            arrays.push(Arc::new(BooleanArray::from(vec![false; rows])));
        }
        let mut batch = RecordBatch::try_new(self.schema.clone(), arrays)?;
        let mut rejected = None;
        if !cell_rejects.is_empty() {
            if self.table.load.merges() {
                rejected = Some(filter_record_batch(&batch, &cell_rejects.rejected())?);
            }
            let good: BooleanArray = cell_rejects.bad.iter().map(|bad| Some(!bad)).collect();
            batch = filter_record_batch(&batch, &good)?;
        }
        self.note_newest(&batch);
        Ok(ConvertedBatch { batch, rejects, rejected })
    }

    /// Marks the total rows, which are not rows of the table.
    fn mark_totals(&self, rows: &TextRows<'_>, rejects: &mut CellRejects) -> Vec<Option<TotalKind>> {
        let Some(totals) = &self.totals else { return Vec::new() };
        let marked = match self.fields[totals.column] {
            Some(field) => totals.mark(&TextColumn { rows, field }),
            None => vec![None; rows.len()],
        };
        for (row, _) in marked.iter().enumerate().filter(|(_, total)| total.is_some()) {
            rejects.skip(row);
        }
        marked
    }

    /// Adds the rows up and compares the totals among them.
    fn count_totals(
        &mut self,
        rows: &TextRows<'_>,
        marked: &[Option<TotalKind>],
        rejects: &CellRejects,
        arrays: &[ArrayRef],
        lines: &Int64Array,
    ) -> Result<()> {
        let Some(totals) = &mut self.totals else { return Ok(()) };
        let fields = &self.fields;
        let empty = |column: usize, row: usize| {
            let text = fields[column].and_then(|field| rows.cell(row, field));
            text.is_none_or(|text| text.trim().is_empty())
        };
        let unread_lines = rows.rejects.iter().map(|reject| reject.line).collect();
        let file = &self.origin.file;
        totals.count(&TotalsBatch { marked, bad: &rejects.bad, arrays, lines, unread_lines, empty: &empty, file })
    }

    fn note_newest(&mut self, batch: &RecordBatch) {
        let Some(column) = self.time_column else { return };
        let array = batch.column(column);
        let newest = match array.data_type() {
            DataType::Date32 => arrow::compute::max(array.as_primitive::<Date32Type>()).map(i64::from),
            DataType::Timestamp(_, _) => arrow::compute::max(array.as_primitive::<TimestampMicrosecondType>()),
            _ => None,
        };
        self.newest = self.newest.max(newest);
    }

    /// `_file`, `_loaded_at` and `_run_id` of a batch; created once for the longest batch.
    fn constants(&mut self, rows: usize) -> [ArrayRef; 3] {
        match &self.constants {
            Some((length, arrays)) if *length >= rows => arrays.clone().map(|array| array.slice(0, rows)),
            _ => {
                let text = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)));
                let loaded_at = self.origin.loaded_at.as_microsecond();
                let loaded_at = TimestampMicrosecondArray::from_value(loaded_at, rows).with_timezone("UTC");
                let arrays: [ArrayRef; 3] = [text(&self.origin.file), Arc::new(loaded_at), text(&self.origin.run_id)];
                self.constants = Some((rows, arrays.clone()));
                arrays
            }
        }
    }

    fn rejects(
        &self,
        row_rejects: &[RowReject],
        cell_rejects: &[CellReject],
        lines: &Int64Array,
        whole: impl Fn(usize) -> Option<String>,
    ) -> Vec<Reject> {
        let reject = |line: u64, column: Option<String>, raw: &str, reason: &str, row: Option<String>| Reject {
            row,
            source: self.origin.source.clone(),
            table: self.table.name.clone(),
            file: self.origin.file.clone(),
            line,
            column,
            raw: raw.to_string(),
            reason: reason.to_string(),
        };
        let rows = row_rejects.iter().map(|row| reject(row.line, None, &row.raw, &row.reason, None));
        let cells = cell_rejects.iter().map(|cell| {
            let column = Some(self.columns[cell.column].name.clone());
            reject(lines.value(cell.row) as u64, column, &cell.value, &cell.reason, whole(cell.row))
        });
        let mut rejects: Vec<Reject> = rows.chain(cells).collect();
        rejects.sort_by_key(|reject| reject.line);
        rejects
    }
}

/// Names of a file's columns that an error shows.
const MAX_SHOWN: usize = 50;

/// Maximum size in bytes of a rejected row that is stored for a replay.
const MAX_ROW_BYTES: usize = 256 * 1024;

/// A row as a JSON object; `None` when it is too long to be stored.
fn as_json(cells: Vec<(String, serde_json::Value)>) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = cells.into_iter().collect();
    serde_json::to_string(&object).ok().filter(|text| text.len() <= MAX_ROW_BYTES)
}

/// A number that JSON preserves digit by digit.
fn number(text: &str) -> Option<serde_json::Value> {
    let number: serde_json::Number = text.parse().ok()?;
    (number.to_string() == text).then_some(serde_json::Value::Number(number))
}

/// The name of a field in the lake: letters, digits and underscores, which every reader of the lake supports.
fn lake_name(field: &str) -> String {
    // The names of JSON lists (`lines[].sku`) are enough.
    let field = field.replace("[]", "");
    let field = field.trim_start_matches('.');
    field.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

/// The numbers of the next rows of a load, counted over all its readers.
fn take_lines(lines: &AtomicU64, rows: usize) -> std::ops::Range<i64> {
    let first = lines.fetch_add(rows as u64, Ordering::Relaxed) as i64 + 1;
    first..first + rows as i64
}
