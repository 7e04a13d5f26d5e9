//! The contract of a source: its tables, columns, types and policies.
//!
//! Only validated data types are defined here. YAML is read in `project`, files in `sources`, and the contract is
//! applied to rows in `intake`.

mod access;
mod extraction;
mod load;
mod locale;

pub use access::{Access, Secret, Tls};
pub use extraction::{
    CsvOptions, ExcelOptions, Extraction, Format, Pages, Paging, Relation, RelationRows, SinceFormat, TextEncoding,
};
pub use load::{Expectations, Load, Overlap};
pub use locale::{Grouping, NUMBER_LOCALES, NumberLocale, Percent, TotalRows, UNITS, ValueLocale};

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

    /// Whether it holds the rows of a source as they arrived.
    pub fn is_raw(&self) -> bool {
        self.schema == "raw"
    }

    /// `source.<source>__<table>`: of each key its newest row; what `{{ source('erp', 'orders') }}` names.
    pub fn source(source: &str, table: &str) -> TableName {
        TableName::new("source", format!("{source}__{table}"))
    }

    /// `source.<source>__<table>_history`: every version of every row; what `{{ source('erp', 'orders_history') }}`
    /// names.
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
    /// Credentials and connection settings.
    pub access: Access,
    /// Its tables, in the order of the file.
    pub tables: Vec<SourceTable>,
}

/// One table of a source: where its rows come from and what they must look like.
#[derive(Clone, Debug)]
pub struct SourceTable {
    /// Name, as in `orders`.
    pub name: String,
    /// What one row is, for readers.
    pub description: String,
    /// Where its rows are extracted from.
    pub extraction: Extraction,
    /// How it is kept up to date.
    pub load: Load,
    /// Its relation may be missing, as that of a module that a company has not installed: the table is empty then.
    pub optional: bool,
    /// Earlier versions of rows are kept in a relation of their own (a slowly changing dimension of type 2).
    pub history: bool,
    /// The columns of the contract, in order.
    pub columns: Vec<Column>,
    /// Columns that identify a row; empty when every row counts on its own.
    pub key: Vec<String>,
    /// Of the rows with one key, the one with the greatest value in this column wins; later files and lines win ties.
    pub newest_by: Option<String>,
    /// What happens to rows of one read that have the same key and different values.
    pub duplicate_keys: DuplicateKeys,
    /// Its files are logs that are appended to, renamed, compressed and in the end deleted: they are known by what they
    /// hold.
    pub rotated: bool,
    /// What happens to a column that the contract does not name.
    pub on_new_column: ColumnPolicy,
    /// What happens when the file lacks a column of the contract.
    pub on_missing_column: ColumnPolicy,
    /// What happens to a column whose type in the system differs from the last load.
    pub on_changed_type: ColumnPolicy,
    /// What happens to a row that violates the contract.
    pub on_bad_row: BadRowPolicy,
    /// The number of rejects above which the source fails.
    pub max_rejects: RejectLimit,
    /// Column that says when a row happened, for freshness in reports.
    pub time_column: Option<String>,
    /// Rows that contain totals of others.
    pub total_rows: Option<TotalRows>,
    /// What is expected of every load.
    pub expectations: Expectations,
    /// Where the project declares the table, for errors.
    pub place: Option<Place>,
}

/// One column of a contract.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name in the lake.
    pub name: String,
    /// Name in the file: a header, or a dotted path into a JSON object (`props.device`).
    pub from: String,
    /// Type of the values.
    pub data_type: ValueType,
    /// A row without a value is rejected.
    pub required: bool,
    /// Minimum value, as text of the type.
    pub min: Option<String>,
    /// Maximum value, as text of the type.
    pub max: Option<String>,
    /// Texts that mean "no value"; the empty text always does.
    pub null_values: Vec<String>,
    /// Locale of its numbers or dates.
    pub locale: ValueLocale,
    /// Whether its texts are identifiers, of which what a spreadsheet damaged is rejected. When left out, text columns
    /// of the key are in files that may have been in a spreadsheet.
    pub identifier: Option<bool>,
    /// The number of digits that each of its texts must have.
    pub digits: Option<u32>,
    /// Personal data.
    pub personal: bool,
    /// What it is, for readers.
    pub description: String,
}

/// The type of a column of the contract.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueType {
    /// Text as it is (leading and trailing spaces kept).
    Text,
    /// 64-bit whole number.
    Integer,
    /// Exact decimal; a value with more digits than declared is rejected, never rounded.
    Decimal {
        /// Total number of digits.
        precision: u8,
        /// Decimal places.
        scale: i8,
    },
    /// Double-precision number (never money).
    Float,
    /// `true`/`false`, `1`/`0`, `yes`/`no`, `t`/`f`, `y`/`n`, case-insensitive.
    Boolean,
    /// Calendar day in one of the named formats (strftime).
    Date {
        /// Formats, tried in order; ISO (`%Y-%m-%d`) when the contract names none.
        formats: Vec<String>,
    },
    /// A timestamp. Formats without an offset are read in `zone`.
    Instant {
        /// Formats (strftime, or one of [`EPOCH_FORMATS`]), tried in order; RFC 3339 and `%Y-%m-%d %H:%M:%S` when the
        /// contract names none.
        formats: Vec<String>,
        /// IANA time zone of timestamps without an offset.
        zone: String,
    },
    /// One of these texts.
    Enumeration(Vec<String>),
}

/// Formats of instants that count units since 1970-01-01 in UTC, and the microseconds of one unit. A count may have a
/// fraction; it is truncated to microseconds.
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
    /// What happens to rows with the same key where the contract says nothing: what loads by file accept stays in
    /// `raw.*` and the newest row is shown; services return a row again when pages shift. Of a merge the other rows would
    /// be nowhere, so they are rejected.
    pub fn default_duplicate_keys(&self) -> DuplicateKeys {
        match (&self.load, &self.extraction) {
            (Load::ByFile, _) => DuplicateKeys::Newest,
            (Load::Snapshot | Load::Incremental { .. }, Extraction::Pages(_)) => DuplicateKeys::Newest,
            _ => DuplicateKeys::Reject,
        }
    }

    /// The format of its files, if it is read from files.
    pub fn format(&self) -> Option<&Format> {
        match &self.extraction {
            Extraction::Files { format, .. } => Some(format),
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
    /// A new column is kept as text, a missing one is NULL; the run reports it.
    Accept,
    /// A new column is dropped, a missing one is NULL; it is not reported.
    Ignore,
    /// The source fails.
    Fail,
}

/// What happens to a row that violates the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRowPolicy {
    /// It is added to `system.rejects`, and loading continues.
    Reject,
    /// The source fails at the first such row.
    Fail,
}

/// What happens to rows of one file or read that have the same key and different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// The first counts; the others are rejected.
    Reject,
    /// The newest is shown.
    Newest,
    /// The source fails.
    Fail,
}

/// How many rejects of one table in one run are too many. Exceeding any of the limits fails the source.
///
/// The two relative limits count from the eleventh reject on (see [`RejectLimit::MIN_ROWS_OF_SHARE`]): one bad row of
/// ten does not fail a source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RejectLimit {
    /// Maximum number of rows.
    pub rows: Option<u64>,
    /// Maximum share of the rows read (0 to 1); 0 allows no reject at all.
    pub share: Option<f64>,
    /// Maximum ratio of the share to the usual share (the median of the last loads).
    pub times_usual: Option<f64>,
}

impl RejectLimit {
    /// The relative limits do not apply to fewer rejects than this.
    pub const MIN_ROWS_OF_SHARE: u64 = 11;

    /// The limit that a load exceeds, if any; `usual_share` is the median share of earlier loads.
    pub fn exceeded(&self, rejects: u64, read: u64, usual_share: Option<f64>) -> Option<ExceededLimit> {
        let above = |share: f64| rejects as f64 > share * read as f64;
        let is_measure = rejects >= RejectLimit::MIN_ROWS_OF_SHARE;
        if let Some(rows) = self.rows.filter(|rows| rejects > *rows) {
            return Some(ExceededLimit::Rows(rows));
        }
        if let Some(share) = self.share.filter(|share| above(*share) && (is_measure || *share == 0.0)) {
            return Some(ExceededLimit::Share(share));
        }
        let (times, usual) = (self.times_usual?, usual_share?);
        (is_measure && above(times * usual)).then_some(ExceededLimit::TimesUsual { times, usual })
    }
}

/// The limit of rejects that a load exceeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExceededLimit {
    /// [`RejectLimit::rows`].
    Rows(u64),
    /// [`RejectLimit::share`].
    Share(f64),
    /// [`RejectLimit::times_usual`].
    TimesUsual {
        /// The limit.
        times: f64,
        /// The usual share.
        usual: f64,
    },
}

/// Column of `raw.*` that marks the row of a key as deleted; only in tables whose loads find deleted rows.
pub const DELETED_COLUMN: &str = "_deleted";

/// Columns that intake adds to every row of `raw.*`, after those of the contract and the accepted ones.
pub fn origin_fields() -> Vec<Arc<Field>> {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![
        Arc::new(Field::new("_file", DataType::Utf8, false)),
        Arc::new(Field::new("_line", DataType::Int64, false)),
        Arc::new(Field::new("_loaded_at", instant, false)),
        Arc::new(Field::new("_run_id", DataType::Utf8, false)),
    ]
}

/// The date of a `Date32`, which counts days from 1970-01-01; none outside the years -9999 to 9999.
pub fn day_of(days_since_1970: i64) -> Option<jiff::civil::Date> {
    let days = jiff::Span::new().try_days(days_since_1970).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(days).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_limits_count_from_the_eleventh_reject() {
        let share = |share| RejectLimit { share: Some(share), ..RejectLimit::default() };
        assert_eq!(share(0.05).exceeded(1, 10, None), None);
        assert_eq!(share(0.05).exceeded(10, 10, None), None);
        assert_eq!(share(0.05).exceeded(11, 219, None), Some(ExceededLimit::Share(0.05)));
        // 11 of 220 are exactly a twentieth.
        assert_eq!(share(0.05).exceeded(11, 220, None), None);
        assert_eq!(share(0.0).exceeded(1, 1000, None), Some(ExceededLimit::Share(0.0)));
        assert_eq!(share(0.0).exceeded(0, 1000, None), None);
        let rows = RejectLimit { rows: Some(2), ..RejectLimit::default() };
        assert_eq!((rows.exceeded(2, 9, None), rows.exceeded(3, 9, None)), (None, Some(ExceededLimit::Rows(2))));
        let times = RejectLimit { times_usual: Some(3.0), ..RejectLimit::default() };
        assert_eq!(times.exceeded(11, 100, None), None);
        assert_eq!(times.exceeded(10, 100, Some(0.01)), None);
        let exceeded = ExceededLimit::TimesUsual { times: 3.0, usual: 0.01 };
        assert_eq!(times.exceeded(11, 100, Some(0.01)), Some(exceeded));
        assert_eq!(times.exceeded(11, 100, Some(0.04)), None);
    }

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
