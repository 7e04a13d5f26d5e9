//! One file's rows under the contract: batches of typed columns, and rejects.

use super::columns::{CellFault, Cells, ColumnReader, Faults, Reading, TextColumn};
use super::plan::raw_schema;
use super::rejects::Reject;
use super::remarks::Remark;
use super::totals::{Batch, Totals};
use super::typed;
use crate::contract::{ColumnPolicy, Format, SourceTable, day_of, origin_fields};
use crate::error::{Error, Result, list};
use crate::sources::{RowFault, TextRows};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, Schema, SchemaRef, TimestampMicrosecondType};
use std::sync::Arc;

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
    rows_before: u64,
    /// The file is a workbook.
    sheet: bool,
    totals: Option<Totals>,
}

impl Converter {
    /// `accepted` are the columns accepted before.
    ///
    /// # Errors
    /// Of kind `Project` when the contract's formats or bounds make no sense.
    pub(super) fn new(table: Arc<SourceTable>, origin: Origin, accepted: &[String]) -> Result<Converter> {
        let typed = matches!(table.format(), None | Some(Format::Parquet));
        let sheet = matches!(table.format(), Some(Format::Excel(_)));
        let reading = Reading { typed, sheet, now: origin.loaded_at };
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
            rows_before: 0,
            sheet,
        };
        converter.shape();
        Ok(converter)
    }

    /// The names in a file that this contract reads.
    pub(super) fn promised_fields(table: &SourceTable) -> Vec<String> {
        table.columns.iter().map(|column| column.from.clone()).collect()
    }

    /// Whether a field of the file is read at all.
    pub(super) fn wants(&self, field: &str) -> bool {
        self.table.on_new_column != ColumnPolicy::Ignore || self.table.columns.iter().any(|column| column.from == field)
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
                let origin = origin_fields().iter().any(|own| own.name().eq_ignore_ascii_case(&name));
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
        let lines = Int64Array::from_iter_values(rows.lines().iter().map(|line| *line as i64));
        self.convert(lines, rows.faults, |field| Ok(TextColumn { rows, field }))
    }

    /// A batch of a typed file under the contract; its rows are counted from 1.
    pub(super) fn convert_typed(&mut self, batch: &RecordBatch) -> Result<Converted> {
        let first = self.rows_before + 1;
        self.rows_before += batch.num_rows() as u64;
        let lines = Int64Array::from_iter_values(first as i64..=self.rows_before as i64);
        let mut targets = vec![DataType::Utf8; batch.num_columns()];
        for (column, field) in self.columns.iter().zip(&self.fields) {
            if let Some(field) = field {
                targets[*field] = column.data_type.clone();
            }
        }
        self.convert(lines, &[], |field| typed::text_of(batch.column(field), &targets[field]))
    }

    fn convert<C: Cells>(
        &mut self,
        lines: Int64Array,
        row_faults: &[RowFault],
        cells: impl Fn(usize) -> Result<C>,
    ) -> Result<Converted> {
        let rows = lines.len();
        let mut faults = Faults::new(rows);
        let marked = match &self.totals {
            Some(totals) => match self.fields[totals.column] {
                Some(field) => totals.mark(&cells(field)?),
                None => vec![None; rows],
            },
            None => Vec::new(),
        };
        for (row, _) in marked.iter().enumerate().filter(|(_, total)| total.is_some()) {
            faults.leave_out(row);
        }
        let mut arrays = Vec::with_capacity(self.columns.len() + 4);
        for (i, column) in self.columns.iter_mut().enumerate() {
            faults.column = i;
            arrays.push(match self.fields[i] {
                Some(field) => {
                    let cells = cells(field)?;
                    if self.sheet {
                        column.refuse_errors(&cells, &mut faults);
                    }
                    column.read(&cells, &mut faults)?
                }
                None => column.read_none(rows, &mut faults)?,
            });
            column.locate(&lines);
        }
        if let Some(totals) = &mut self.totals {
            let fields = &self.fields;
            let empty = |column: usize, row: usize| {
                let text = |field| cells(field).is_ok_and(|cells| cells.get(row).is_some_and(|t| !t.trim().is_empty()));
                !fields[column].is_some_and(text)
            };
            totals.count(&Batch {
                marked: &marked,
                bad: &faults.bad,
                arrays: &arrays,
                lines: &lines,
                unread_lines: row_faults.iter().map(|fault| fault.line).collect(),
                empty: &empty,
                file: &self.origin.file,
            })?;
        }
        let rejects = self.rejects(row_faults, &faults.found, &lines);
        let [file, loaded_at, run_id] = self.constants(rows);
        arrays.extend([file, Arc::new(lines) as ArrayRef, loaded_at, run_id]);
        let mut batch = RecordBatch::try_new(self.schema.clone(), arrays)?;
        if !faults.is_empty() {
            let good: BooleanArray = faults.bad.iter().map(|bad| Some(!bad)).collect();
            batch = filter_record_batch(&batch, &good)?;
        }
        self.note_newest(&batch);
        Ok(Converted { batch, rejects })
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

    fn rejects(&self, row_faults: &[RowFault], cell_faults: &[CellFault], lines: &Int64Array) -> Vec<Reject> {
        let reject = |line: u64, column: Option<String>, raw: &str, reason: &str| Reject {
            source: self.origin.source.clone(),
            table: self.table.name.clone(),
            file: self.origin.file.clone(),
            line,
            column,
            raw: raw.to_string(),
            reason: reason.to_string(),
        };
        let whole = row_faults.iter().map(|fault| reject(fault.line, None, &fault.raw, &fault.reason));
        let cells = cell_faults.iter().map(|fault| {
            let column = Some(self.columns[fault.column].name.clone());
            reject(lines.value(fault.row) as u64, column, &fault.value, &fault.reason)
        });
        let mut rejects: Vec<Reject> = whole.chain(cells).collect();
        rejects.sort_by_key(|reject| reject.line);
        rejects
    }
}

/// The name a field has in the lake: letters, digits and underscores, which every reader of the lake takes.
fn lake_name(field: &str) -> String {
    field.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect()
}
