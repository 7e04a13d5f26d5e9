//! What a source promises: the words in which tables, columns, types and policies are declared.
//!
//! Only data types live here, already validated. YAML is read in `project`, files in `sources`, and the promise is
//! applied to rows in `intake`.

mod access;
mod delivery;
mod load;
mod written;

pub use access::{Access, Secret, Tls};
pub use delivery::{
    CsvOptions, Delivery, ExcelOptions, Format, Pages, Paging, Relation, RelationRows, SinceFormat, TextEncoding,
};
pub use load::{Expectations, Load, Overlap};
pub use written::{Grouping, NUMBER_STYLES, NumberStyle, Percent, TotalRows, UNITS, Written};

use crate::error::Place;
use arrow::datatypes::{DataType, Field, TimeUnit};
use std::fmt;
use std::sync::Arc;

/// A table's name: schema and name, as in `marts.rfm`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TableName {
    /// The layer: `raw`, `source`, `staging`, `core`, `marts`, `system` or one of the analysts' own.
    pub schema: String,
    /// The name within the layer.
    pub name: String,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> TableName {
        TableName { schema: schema.into(), name: name.into() }
    }

    /// `raw.<source>__<table>`: every accepted version of every row, as it arrived.
    pub fn raw(source: &str, table: &str) -> TableName {
        TableName::new("raw", format!("{source}__{table}"))
    }

    /// `source.<source>__<table>`: of each key its newest row; what `{{ source('erp', 'orders') }}` names.
    pub fn source(source: &str, table: &str) -> TableName {
        TableName::new("source", format!("{source}__{table}"))
    }

    /// `source.<source>__<table>_history`: every version of every row; what `{{ source('erp', 'orders_history') }}` names.
    pub fn history(source: &str, table: &str) -> TableName {
        TableName::source(source, &format!("{table}_history"))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for TableName {
    type Error = String;
    fn try_from(text: String) -> Result<TableName, String> {
        match text.split_once('.') {
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains('.') => {
                Ok(TableName::new(schema, name))
            }
            _ => Err(format!("`{text}` is not a table name; write it as `schema.name`")),
        }
    }
}

/// A system that is read from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name, as in `erp`.
    pub name: String,
    /// What it is, for readers.
    pub description: String,
    /// Where it is: a folder (absolute, or made absolute against the project's folder) or a URL whose scheme says what
    /// kind of system it is (`s3://bucket/prefix`, `postgresql://host/database`, `sftp://host/folder`).
    pub location: String,
    /// How it lets us in.
    pub access: Access,
    /// Its tables, in the order of the file.
    pub tables: Vec<SourceTable>,
}

/// One table of a source: where its rows are and what they promise.
#[derive(Clone, Debug)]
pub struct SourceTable {
    /// Name, as in `orders`.
    pub name: String,
    /// What a row is, for readers.
    pub description: String,
    /// How its rows are delivered.
    pub delivery: Delivery,
    /// How it is kept up to date.
    pub load: Load,
    /// Its relation may be absent, as that of a module that a company has not installed: the table is empty then.
    pub optional: bool,
    /// Earlier versions of rows are shown as well, in a relation of their own (a slowly changing dimension of type 2).
    pub history: bool,
    /// The promised columns, in order.
    pub columns: Vec<Column>,
    /// Columns that identify a row; none when every row stands for itself.
    pub key: Vec<String>,
    /// Of rows with one key the one with the greatest value here wins; later files and lines win ties.
    pub newest_by: Option<String>,
    /// What a column does that the contract does not name.
    pub on_new_column: ColumnPolicy,
    /// What a promised column does that the file lacks.
    pub on_missing_column: ColumnPolicy,
    /// What a column does whose type in the system is another than at the last load.
    pub on_changed_type: ColumnPolicy,
    /// What a row does that breaks the promise.
    pub on_bad_row: BadRowPolicy,
    /// When rejects are too many, the source fails.
    pub max_rejects: RejectLimit,
    /// Column that says when a row happened, for freshness in reports.
    pub time_column: Option<String>,
    /// Rows that sum up others.
    pub total_rows: Option<TotalRows>,
    /// What is expected of every load.
    pub expectations: Expectations,
    /// Where in the project the table is declared, for errors.
    pub place: Option<Place>,
}

/// One promised column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name in the lake.
    pub name: String,
    /// Name in the file: a header, or a dotted path into a JSON object (`props.device`).
    pub from: String,
    /// Type of the values.
    pub data_type: ValueType,
    /// An empty value is a reject.
    pub required: bool,
    /// Least allowed value, as text of the type.
    pub min: Option<String>,
    /// Greatest allowed value, as text of the type.
    pub max: Option<String>,
    /// Texts that mean "no value"; the empty text always does.
    pub null_values: Vec<String>,
    /// How its numbers or dates are written.
    pub written: Written,
    /// Its texts are identifiers, and what spreadsheets make of identifiers is refused. Columns of the key always are.
    pub identifier: bool,
    /// Its texts have exactly so many digits.
    pub digits: Option<u32>,
    /// Says something about a person.
    pub personal: bool,
    /// What it is, for readers.
    pub description: String,
}

/// The type of a promised column.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueType {
    /// Text as it is (spaces at the ends kept).
    Text,
    /// 64-bit whole number.
    Integer,
    /// Exact decimal; more digits than declared are a reject, never a rounding.
    Decimal {
        /// All digits.
        precision: u8,
        /// Digits behind the point.
        scale: i8,
    },
    /// Double-precision number (never money).
    Float,
    /// `true`/`false`, `1`/`0`, `yes`/`no`, `t`/`f`, `y`/`n`, without regard to case.
    Boolean,
    /// Calendar day in one of the named formats (strftime).
    Date {
        /// Formats, tried in order; ISO (`%Y-%m-%d`) when the contract names none.
        formats: Vec<String>,
    },
    /// A moment. Formats without an offset are read in `zone`.
    Instant {
        /// Formats (strftime, or one of [`EPOCH_FORMATS`]), tried in order; RFC 3339 and `%Y-%m-%d %H:%M:%S` when the
        /// contract names none.
        formats: Vec<String>,
        /// IANA zone of moments written without offset.
        zone: String,
    },
    /// One of these texts.
    Enumeration(Vec<String>),
}

/// Formats of instants that are counts since 1970-01-01 in UTC, and the microseconds of one. A count may have a
/// fraction; it is cut to microseconds.
pub const EPOCH_FORMATS: [(&str, i64); 3] =
    [("epoch_seconds", 1_000_000), ("epoch_milliseconds", 1000), ("epoch_microseconds", 1)];

impl ValueType {
    /// The Arrow type of the column in the lake. Instants are microseconds in UTC.
    pub fn arrow(&self) -> DataType {
        match self {
            ValueType::Text | ValueType::Enumeration(_) => DataType::Utf8,
            ValueType::Integer => DataType::Int64,
            ValueType::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            ValueType::Float => DataType::Float64,
            ValueType::Boolean => DataType::Boolean,
            ValueType::Date { .. } => DataType::Date32,
            ValueType::Instant { .. } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

impl SourceTable {
    /// How its files are written, if it is delivered in files.
    pub fn format(&self) -> Option<&Format> {
        match &self.delivery {
            Delivery::Files { format, .. } => Some(format),
            _ => None,
        }
    }
}

impl Column {
    /// Its Arrow field. Always nullable, so that a relaxed contract needs no rewritten files.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.data_type.arrow(), true)
    }
}

/// What happens when the columns of a file and the contract differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnPolicy {
    /// A new column is kept as text; a missing one is NULL; the run says so.
    Accept,
    /// A new column is dropped; a missing one is NULL; only the record says so.
    Ignore,
    /// The source fails.
    Fail,
}

/// What happens to a row that breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRowPolicy {
    /// It goes to `system.rejects`, the others go on.
    Reject,
    /// The source fails at the first.
    Fail,
}

/// How many rejects of one table in one run are too many. Both may stand; either fails the source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RejectLimit {
    /// More rows than this.
    pub rows: Option<u64>,
    /// A greater share of the rows read than this (0 to 1).
    pub share: Option<f64>,
    /// More than so many times the usual share (the median of the last loads), and more than ten rows.
    pub times_usual: Option<f64>,
}

/// A row of `raw.*` that says that the row of its key is gone; only in tables whose loads find that out.
pub const DELETED_COLUMN: &str = "_deleted";

/// Columns that intake adds to every row of `raw.*`, after the promised and accepted ones.
pub fn origin_fields() -> Vec<Arc<Field>> {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![
        Arc::new(Field::new("_file", DataType::Utf8, false)),
        Arc::new(Field::new("_line", DataType::Int64, false)),
        Arc::new(Field::new("_loaded_at", instant, false)),
        Arc::new(Field::new("_run_id", DataType::Utf8, false)),
    ]
}

/// The day that a `Date32` of the lake is, which counts from 1970-01-01; none outside of the years -9999 to 9999.
pub fn day_of(days_since_1970: i64) -> Option<jiff::civil::Date> {
    let days = jiff::Span::new().try_days(days_since_1970).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(days).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_1970_as_far_as_the_calendar_goes() {
        let written = |days: i64| day_of(days).map(|day| day.to_string());
        assert_eq!(written(0).as_deref(), Some("1970-01-01"));
        assert_eq!(written(-1).as_deref(), Some("1969-12-31"));
        // Thirty years with seven leap days.
        assert_eq!(written(30 * 365 + 7).as_deref(), Some("2000-01-01"));
        assert_eq!(written(i64::from(i32::MAX)), None);
        assert_eq!(written(i64::MIN), None);
    }
}
