//! Databases: what each of them can do, one folder per system, and what they share.

mod batch;
mod channel;
pub(crate) mod mysql;
pub(crate) mod postgresql;
mod relation;
pub(crate) mod sqlite;

use crate::local_time::is_utc;
use crate::typed::TypedReader;
use perennial_core::contract::{EPOCH_FORMATS, Overlap, Relation, SourceTable, ValueType};
use perennial_core::error::Result;
use perennial_core::sql::Dialect;

/// A connected database as of one point in time: everything read through one value of this type is consistent.
#[async_trait::async_trait]
pub trait Database: Send + Sync {
    /// Name and version of the system, for people: `PostgreSQL 15.18`.
    async fn version(&self) -> Result<String>;

    /// Readers that together give every row of a relation once. Several share the work where the relation is large; each
    /// may run on a thread of its own.
    ///
    /// # Errors
    /// Of kind `Project` when the relation or one of its columns does not exist (naming similar ones) or its condition is
    /// not SQL, `Unreachable` when the server is lost, hangs or refuses the account.
    async fn read(&self, request: &RelationRequest<'_>) -> Result<Vec<Box<dyn TypedReader>>>;

    /// The greatest cursor of all rows of a relation, as the database writes it, for [`Since::watermark`] of a later read;
    /// `None` when no row has one.
    async fn watermark(&self, relation: &Relation, cursor: &[String]) -> Result<Option<String>>;

    /// The tables and views that the account may read, by name, those of the default schema first.
    async fn tables(&self) -> Result<Vec<FoundTable>>;

    /// The columns of one of them, whose name is written as in a contract.
    async fn describe(&self, table: &str) -> Result<FoundRelation>;
}

/// What is to be read of a relation.
pub struct RelationRequest<'a> {
    /// The relation.
    pub relation: &'a Relation,
    /// The contract: which columns are wanted (`Column::from`) and what type they are to have.
    pub table: &'a SourceTable,
    /// Columns that are not in the contract are wanted as well, as text.
    pub all_columns: bool,
    /// Only rows changed since, or all.
    pub since: Option<Since<'a>>,
}

/// Which rows are read: those whose cursor is at least `watermark - overlap`, and those that have none.
#[derive(Clone, Debug)]
pub struct Since<'a> {
    /// The columns, by their names in the database; the greatest that has a value counts.
    pub cursor: Vec<String>,
    /// Their type by the contract.
    pub data_type: &'a ValueType,
    /// As [`Database::watermark`] gave it.
    pub watermark: &'a str,
    /// How far before the watermark reading starts.
    pub overlap: Overlap,
}

impl Since<'_> {
    /// How far before the watermark reading starts, for a cursor whose values are numbers: a count, or seconds in the unit
    /// in which the contract's formats count the time since 1970.
    fn numbers_back(&self) -> i64 {
        let formats: &[String] = match self.data_type {
            ValueType::Instant { formats, .. } | ValueType::Date { formats } => formats,
            _ => &[],
        };
        let units = EPOCH_FORMATS.iter().filter(|(name, _)| formats.iter().any(|format| format == name));
        let in_a_second = units.map(|(_, microseconds)| 1_000_000 / microseconds).max().unwrap_or(1);
        match self.overlap {
            Overlap::Count(count) => count,
            Overlap::Seconds(seconds) => seconds.saturating_mul(in_a_second),
        }
    }

    /// How far before the watermark reading starts, in seconds, for a cursor in local time: an hour more where clocks may be
    /// set back, because that hour occurs twice.
    fn clock_seconds_back(&self) -> i64 {
        let (Overlap::Seconds(seconds) | Overlap::Count(seconds)) = self.overlap;
        let shifts = matches!(self.data_type, ValueType::Instant { zone, .. } if !is_utc(zone));
        if shifts { seconds.saturating_add(3600) } else { seconds }
    }
}

/// A table or view of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTable {
    /// Its schema.
    pub schema: String,
    /// Names without a schema are looked up in that schema.
    pub in_default_schema: bool,
    /// Its name, without quotes.
    pub name: String,
    /// Approximate number of rows, where the database knows it.
    pub about_rows: Option<u64>,
    /// Whether it is a view.
    pub is_view: bool,
}

impl FoundTable {
    /// Its name as a contract writes it: with its schema where it needs one, and quoted where it must be.
    pub fn written(&self, dialect: &Dialect) -> String {
        dialect.written_table((!self.in_default_schema).then_some(self.schema.as_str()), &self.name)
    }

    /// Whether a contract that names this schema, or none, and this name means it. Capital letters do not distinguish
    /// two names.
    pub fn has_name(&self, schema: Option<&str>, name: &str) -> bool {
        let same_schema = schema.map_or(self.in_default_schema, |schema| schema.eq_ignore_ascii_case(&self.schema));
        same_schema && name.eq_ignore_ascii_case(&self.name)
    }
}

/// The columns of a relation, for the draft of a contract.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundRelation {
    /// In order.
    pub columns: Vec<FoundColumn>,
    /// Columns of the primary key, or of the first unique key without NULL.
    pub key: Vec<String>,
    /// The comment on the table.
    pub comment: Option<String>,
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// The system's own name of its type.
    pub type_name: String,
    /// The contract's type that holds its values exactly.
    pub data_type: ValueType,
    /// It cannot be NULL.
    pub required: bool,
    /// The comment on the column.
    pub comment: Option<String>,
}
