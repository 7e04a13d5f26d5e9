//! One file's rows under the contract: batches of typed columns, and rejects.

use super::columns::{CellFault, ColumnReader, Faults, KeptColumn, Reading, TextColumn};
use super::feed::take_lines;
use super::plan::raw_schema;
use super::rejects::Reject;
use super::remarks::Remark;
use super::totals::{Batch, Total, Totals};
use super::typed;
use crate::contract::{ColumnPolicy, DELETED_COLUMN, Format, SourceTable, day_of, origin_fields};
use crate::error::{Error, Result, list};
use crate::sources::{RowFault, TextRows, TypedRows};
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, Schema, SchemaRef, TimestampMicrosecondType};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Where a file's rows come from, written beside every row.
pub(super) struct Origin {
    pub(super) source: String,
    pub(super) file: String,
    pub(super) run_id: String,
    pub(super) loaded_at: jiff::Timestamp,
}

/// A batch under the contract.
pub(super) struct Converted {
    /// Accepted rows.
    pub(super) batch: RecordBatch,
    /// Refused rows, by line.
    pub(super) rejects: Vec<Reject>,
    /// Those of the refused rows that could be taken apart, with the values that could be read.
    pub(super) refused: Option<RecordBatch>,
}

/// Applies a table's contract to the rows of one file.
pub(super) struct Converter {
    table: Arc<SourceTable>,
    origin: Origin,
    /// Promised columns, then accepted ones.
    columns: Vec<ColumnReader>,
    promised: usize,
    /// Of each column, its field in the file.
    fields: Vec<Option<usize>>,
    bound: usize,
    schema: SchemaRef,
    constants: Option<(usize, [ArrayRef; 3])>,
    time_column: Option<usize>,
    newest: Option<i64>,
    /// Fields that are new and left out.
    pub(super) ignored: Vec<String>,
    /// The place of the last row of text.
    last_line: i64,
    /// Rows of typed readers so far, counted by all that share the work.
    lines: Arc<AtomicU64>,
    /// The file is a workbook.
    sheet: bool,
    totals: Option<Totals>,
}

impl Converter {
    /// `accepted` are the columns accepted before.
    ///
    /// # Errors
    /// Of kind `Project` when the contract's formats or bounds make no sense.
    pub(super) fn new(
        table: Arc<SourceTable>,
        origin: Origin,
        accepted: &[String],
        lines: Arc<AtomicU64>,
    ) -> Result<Converter> {
        let typed = matches!(table.format(), None | Some(Format::Parquet));
        let sheet = matches!(table.format(), Some(Format::Excel(_)));
        let from_spreadsheet = matches!(table.format(), Some(Format::Excel(_) | Format::Csv(_)));
        let reading = Reading { typed, sheet, from_spreadsheet, now: origin.loaded_at };
        let promised = table.columns.iter().map(|column| ColumnReader::promised(&table, column, reading));
        let mut columns = promised.collect::<Result<Vec<_>>>()?;
        let count = columns.len();
        columns.extend(accepted.iter().map(|name| ColumnReader::accepted(name, name)));
        let time_column = table.time_column.as_ref().and_then(|name| columns.iter().position(|c| c.name == *name));
        let mut converter = Converter {
            totals: Totals::new(&table),
            table,
            origin,
            fields: vec![None; columns.len()],
            columns,
            promised: count,
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
        converter.shape();
        Ok(converter)
    }

    /// The names in a file that this contract reads.
    pub(super) fn promised_fields(table: &SourceTable) -> Vec<String> {
        table.columns.iter().map(|column| column.from.clone()).collect()
    }

    /// The columns accepted by now, by their names in the lake.
    pub(super) fn accepted(&self) -> Vec<String> {
        self.columns[self.promised..].iter().map(|column| column.name.clone()).collect()
    }

    /// Promised columns that no field of the file serves.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = (0..self.promised).filter(|i| self.fields[*i].is_none());
        missing.map(|i| self.columns[i].from.clone()).collect()
    }

    /// The greatest value of the time column so far, as a date or RFC 3339.
    pub(super) fn newest(&self) -> Option<String> {
        let newest = self.newest?;
        match self.columns[self.time_column?].data_type {
            DataType::Date32 => day_of(newest).map(|day| day.to_string()),
            _ => jiff::Timestamp::from_microsecond(newest).ok().map(|moment| moment.to_string()),
        }
    }

    /// After the last row: what a person should know of values in this file.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        self.columns.iter().flat_map(|column| column.remarks(&self.origin.file)).collect()
    }

    /// After the last row: what a person should know of its total rows.
    ///
    /// # Errors
    /// Of kind `Data` when there is none, and the contract says that this fails.
    pub(super) fn finish_totals(&mut self) -> Result<Vec<String>> {
        self.totals.as_mut().map_or(Ok(Vec::new()), |totals| totals.finish(&self.origin.file))
    }

    /// Finds the column of every field that was not known yet.
    ///
    /// # Errors
    /// Of kind `Data` when a field is new and the contract wants none, or its name cannot be kept.
    pub(super) fn bind(&mut self, fields: &[String]) -> Result<()> {
        let known = self.columns.len();
        for (i, field) in fields.iter().enumerate().skip(self.bound) {
            if let Some(column) = self.columns[..self.promised].iter().position(|column| column.from == *field) {
                self.fields[column] = Some(i);
                // One field may serve several columns.
                for also in column + 1..self.promised {
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
            self.shape();
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
                let error = Error::data(format!("`{file}` has a column `{field}` that the contract does not name"));
                return Err(error.suggest(field, known));
            }
            ColumnPolicy::Accept => {
                let name = lake_name(field);
                let taken = |column: &ColumnReader| column.name.eq_ignore_ascii_case(&name);
                let origin = origin_fields().iter().any(|own| own.name().eq_ignore_ascii_case(&name))
                    || name.eq_ignore_ascii_case(DELETED_COLUMN);
                if origin || self.columns[..self.promised].iter().any(taken) {
                    return Err(self.clash(field, &name));
                }
                match self.columns[self.promised..].iter().position(taken).map(|at| at + self.promised) {
                    Some(column) if self.fields[column].is_some() => return Err(self.clash(field, &name)),
                    Some(column) => self.fields[column] = Some(i),
                    None => {
                        self.columns.push(ColumnReader::accepted(&name, field));
                        self.fields.push(Some(i));
                    }
                }
            }
        }
        Ok(())
    }

    fn clash(&self, field: &str, name: &str) -> Error {
        let file = &self.origin.file;
        Error::data(format!("`{file}` has a new column `{field}`, and `{name}` is the name of another column already"))
            .hint(format!("name it in the contract (`from: {field}`), or say `on_new_column: ignore`"))
    }

    /// Fails when the file lacks promised columns and the contract wants all.
    pub(super) fn refuse_missing(&self, hint: impl Fn(&str) -> Option<String>, fields: &[String]) -> Result<()> {
        let missing = self.missing();
        if self.table.on_missing_column != ColumnPolicy::Fail || missing.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = missing.iter().map(String::as_str).collect();
        let found: Vec<&str> = fields.iter().map(String::as_str).collect();
        let error = Error::data(format!(
            "`{}` lacks the promised column{} {}",
            self.origin.file,
            if names.len() == 1 { "" } else { "s" },
            list(&names)
        ));
        Err(match hint(names[0]) {
            Some(hint) => error.hint(hint),
            None => error.hint(format!("the file has {}; `on_missing_column: accept` reads it as empty", list(&found))),
        })
    }

    /// The schema of the batches from now on.
    fn shape(&mut self) {
        self.schema = raw_schema(&self.table, &self.accepted());
    }

    /// Rows of text under the contract.
    pub(super) fn convert_text(&mut self, rows: &TextRows<'_>) -> Result<Converted> {
        // Several rows of a document may begin on one line; each has a place of its own, so they are counted on.
        let last = &mut self.last_line;
        let lines = rows.lines().iter().map(|line| {
            *last = (*line as i64).max(*last + 1);
            *last
        });
        let lines = Int64Array::from_iter_values(lines);
        let mut faults = Faults::new(rows.len());
        let marked = self.mark_totals(rows, &mut faults);
        let sheet = self.sheet;
        let column = |reader: &mut ColumnReader, field: usize, faults: &mut Faults| {
            let cells = TextColumn { rows, field };
            if sheet {
                reader.refuse_errors(&cells, faults);
            }
            reader.read(&cells, faults)
        };
        let row = |row: usize| {
            let cells = rows.fields().iter().enumerate();
            let value = |field| match rows.cell(row, field) {
                None => serde_json::Value::Null,
                // What is a number in a workbook stays one, whatever style its column is written in.
                Some(text) if rows.is_native(row, field) => number(text).unwrap_or_else(|| text.into()),
                Some(text) => text.into(),
            };
            as_json(cells.map(|(field, name)| (name.clone(), value(field))).collect())
        };
        self.convert(lines, Some((rows, marked)), faults, column, row)
    }

    /// A batch of a typed system under the contract; its rows are counted from 1.
    pub(super) fn convert_typed(&mut self, rows: &TypedRows) -> Result<Converted> {
        let lines = Int64Array::from_iter_values(take_lines(&self.lines, rows.batch.num_rows()));
        self.convert_batch(lines, rows, None)
    }

    /// Rows of texts whose lines are known; `native` says of every field which of its texts were numbers.
    pub(super) fn convert_rows(
        &mut self,
        lines: Vec<i64>,
        batch: RecordBatch,
        native: &[Vec<bool>],
    ) -> Result<Converted> {
        self.convert_batch(lines.into(), &TypedRows { batch, faults: Vec::new() }, Some(native))
    }

    fn convert_batch(
        &mut self,
        lines: Int64Array,
        rows: &TypedRows,
        native: Option<&[Vec<bool>]>,
    ) -> Result<Converted> {
        let batch = &rows.batch;
        let mut targets = vec![DataType::Utf8; batch.num_columns()];
        for (column, field) in self.columns.iter().zip(&self.fields) {
            if let Some(field) = field {
                targets[*field] = column.data_type.clone();
            }
        }
        let mut faults = Faults::new(batch.num_rows());
        for fault in &rows.faults {
            for column in (0..self.columns.len()).filter(|column| self.fields[*column] == Some(fault.field)) {
                faults.column = column;
                faults.push(fault.row, &fault.raw, fault.reason.clone().into());
            }
        }
        let column = |reader: &mut ColumnReader, field: usize, faults: &mut Faults| {
            let array = batch.column(field);
            match reader.read_exact(array, faults) {
                Some(array) => Ok(array),
                None => {
                    let texts = typed::text_of(array, &targets[field])?;
                    match native {
                        Some(native) => reader.read(&KeptColumn { texts, native: &native[field] }, faults),
                        None => reader.read(&texts, faults),
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
        self.convert(lines, None, faults, column, row)
    }

    /// `read` reads a field as a column, `whole` gives a row as JSON for those that are refused.
    fn convert(
        &mut self,
        lines: Int64Array,
        text: Option<(&TextRows<'_>, Vec<Option<Total>>)>,
        mut faults: Faults,
        read: impl Fn(&mut ColumnReader, usize, &mut Faults) -> Result<ArrayRef>,
        whole: impl Fn(usize) -> Option<String>,
    ) -> Result<Converted> {
        let rows = lines.len();
        let mut arrays = Vec::with_capacity(self.columns.len() + 4);
        for (i, column) in self.columns.iter_mut().enumerate() {
            faults.column = i;
            arrays.push(match self.fields[i] {
                Some(field) => read(column, field, &mut faults)?,
                None => column.read_none(rows, &mut faults)?,
            });
            column.locate(&lines);
        }
        let row_faults: &[RowFault] = text.as_ref().map_or(&[], |(rows, _)| rows.faults);
        if let Some((rows, marked)) = &text {
            self.count_totals(rows, marked, &faults, &arrays, &lines)?;
        }
        let rejects = self.rejects(row_faults, &faults.found, &lines, whole);
        let [file, loaded_at, run_id] = self.constants(rows);
        arrays.extend([file, Arc::new(lines) as ArrayRef, loaded_at, run_id]);
        if self.table.load.finds_deletes() {
            arrays.push(Arc::new(BooleanArray::from(vec![false; rows])));
        }
        let mut batch = RecordBatch::try_new(self.schema.clone(), arrays)?;
        let mut refused = None;
        if !faults.is_empty() {
            if self.table.load.compares() {
                refused = Some(filter_record_batch(&batch, &BooleanArray::from(faults.bad.clone()))?);
            }
            let good: BooleanArray = faults.bad.iter().map(|bad| Some(!bad)).collect();
            batch = filter_record_batch(&batch, &good)?;
        }
        self.note_newest(&batch);
        Ok(Converted { batch, rejects, refused })
    }

    /// Finds the rows that sum up others, which are no rows of the table.
    fn mark_totals(&self, rows: &TextRows<'_>, faults: &mut Faults) -> Vec<Option<Total>> {
        let Some(totals) = &self.totals else { return Vec::new() };
        let marked = match self.fields[totals.column] {
            Some(field) => totals.mark(&TextColumn { rows, field }),
            None => vec![None; rows.len()],
        };
        for (row, _) in marked.iter().enumerate().filter(|(_, total)| total.is_some()) {
            faults.leave_out(row);
        }
        marked
    }

    /// Adds the rows up and compares the totals among them.
    fn count_totals(
        &mut self,
        rows: &TextRows<'_>,
        marked: &[Option<Total>],
        faults: &Faults,
        arrays: &[ArrayRef],
        lines: &Int64Array,
    ) -> Result<()> {
        let Some(totals) = &mut self.totals else { return Ok(()) };
        let fields = &self.fields;
        let empty = |column: usize, row: usize| {
            let text = fields[column].and_then(|field| rows.cell(row, field));
            text.is_none_or(|text| text.trim().is_empty())
        };
        let unread_lines = rows.faults.iter().map(|fault| fault.line).collect();
        let file = &self.origin.file;
        totals.count(&Batch { marked, bad: &faults.bad, arrays, lines, unread_lines, empty: &empty, file })
    }

    fn note_newest(&mut self, batch: &RecordBatch) {
        use arrow::array::AsArray;
        let Some(column) = self.time_column else { return };
        let array = batch.column(column);
        let newest = match array.data_type() {
            DataType::Date32 => arrow::compute::max(array.as_primitive::<Date32Type>()).map(i64::from),
            DataType::Timestamp(_, _) => arrow::compute::max(array.as_primitive::<TimestampMicrosecondType>()),
            _ => None,
        };
        self.newest = self.newest.max(newest);
    }

    /// `_file`, `_loaded_at` and `_run_id` for so many rows; made once for the longest batch.
    fn constants(&mut self, rows: usize) -> [ArrayRef; 3] {
        match &self.constants {
            Some((length, arrays)) if *length >= rows => arrays.clone().map(|array| array.slice(0, rows)),
            _ => {
                let text = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)));
                let moment = self.origin.loaded_at.as_microsecond();
                let moments = TimestampMicrosecondArray::from_value(moment, rows).with_timezone("UTC");
                let arrays: [ArrayRef; 3] = [text(&self.origin.file), Arc::new(moments), text(&self.origin.run_id)];
                self.constants = Some((rows, arrays.clone()));
                arrays
            }
        }
    }

    fn rejects(
        &self,
        row_faults: &[RowFault],
        cell_faults: &[CellFault],
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
        let rows = row_faults.iter().map(|fault| reject(fault.line, None, &fault.raw, &fault.reason, None));
        let cells = cell_faults.iter().map(|fault| {
            let column = Some(self.columns[fault.column].name.clone());
            reject(lines.value(fault.row) as u64, column, &fault.value, &fault.reason, whole(fault.row))
        });
        let mut rejects: Vec<Reject> = rows.chain(cells).collect();
        rejects.sort_by_key(|reject| reject.line);
        rejects
    }
}

/// Bytes of a refused row that are kept for a replay, at most.
const MOST_ROW_BYTES: usize = 256 * 1024;

/// A row as a JSON object; nothing when it is too long to be kept.
fn as_json(cells: Vec<(String, serde_json::Value)>) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = cells.into_iter().collect();
    serde_json::to_string(&object).ok().filter(|text| text.len() <= MOST_ROW_BYTES)
}

/// A number that JSON writes digit by digit as it stands.
fn number(text: &str) -> Option<serde_json::Value> {
    let number: serde_json::Number = text.parse().ok()?;
    (number.to_string() == text).then_some(serde_json::Value::Number(number))
}

/// The name a field has in the lake: letters, digits and underscores, which every reader of the lake takes.
fn lake_name(field: &str) -> String {
    // Lists of JSON (`lines[].sku`) are told by the names alone.
    let field = field.replace("[]", "");
    let field = field.trim_start_matches('.');
    field.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect()
}
