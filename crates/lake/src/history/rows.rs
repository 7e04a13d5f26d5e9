//! The rows of the system tables.

use super::Row;
use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use perennial_core::error::Result;
use std::sync::Arc;

/// An enumeration that is stored as text.
macro_rules! text_enum {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// The text that is stored.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }
        }
    };
}

text_enum! {
    /// How a run ended.
    RunStatus {
        /// It succeeded; a release was published if anything had changed.
        Done = "done",
        /// It stopped at an error; the last release remains the newest.
        Failed = "failed",
        /// The process ended without recording it; the next run found out.
        Killed = "killed",
        /// No table had changed, so that there is no new release.
        NothingNew = "nothing_new",
    }
}

text_enum! {
    /// The outcome of a step in a run.
    StepStatus {
        /// It was executed.
        Done = "done",
        /// Nothing that it depends on had changed; the rows of the last release were kept.
        Unchanged = "unchanged",
        /// It stopped at an error.
        Failed = "failed",
        /// It was not executed because a step that it depends on had failed.
        Skipped = "skipped",
    }
}

text_enum! {
    /// The outcome of a source's table in a run.
    SourceStatus {
        /// New rows were read.
        Done = "done",
        /// There was nothing new.
        Unchanged = "unchanged",
        /// It stopped at an error.
        Failed = "failed",
        /// Another table of its source failed, so that it keeps the rows of the last release.
        Stale = "stale",
    }
}

text_enum! {
    /// The result of a test.
    TestStatus {
        /// No row failed.
        Passed = "passed",
        /// Rows failed in a test of severity `warn`.
        Warned = "warned",
        /// Rows failed in a test of severity `error`: nothing was published.
        Failed = "failed",
        /// It was not run because a table that it reads could not be built.
        Skipped = "skipped",
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The run.
    pub run_id: String,
    /// Its command, as in `run nightly`.
    pub command: String,
    /// Its pipeline; none for a rollback, or where the run was killed before it was known.
    pub pipeline: Option<String>,
    /// The business date that it described; unknown if it was killed early.
    pub as_of: Option<Date>,
    /// The time it was planned for; none for a run by hand.
    pub scheduled_for: Option<Timestamp>,
    /// Counted from 1 for the same planned time; unknown where the run was killed before it was known.
    pub attempt: Option<u64>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; for a killed run, when that was found out.
    pub ended_at: Timestamp,
    /// How it ended.
    pub status: RunStatus,
    /// The release it published.
    pub release: Option<u64>,
    /// What went wrong, or a note.
    pub message: Option<String>,
    /// Machine.
    pub host: String,
    /// User.
    pub user: String,
    /// Hash of the project's files.
    pub project: Option<String>,
    /// The commit that was checked out in the project's folder, with `-dirty` where its files differ from it.
    pub git_commit: Option<String>,
}

/// One step of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// The run.
    pub run_id: String,
    /// The step, as in `marts.rfm`.
    pub step: String,
    /// Its outcome.
    pub status: StepStatus,
    /// Rows of its table.
    pub rows: Option<u64>,
    /// How long it took.
    pub elapsed_seconds: f64,
    /// Why it was executed, or why not.
    pub reason: String,
}

/// One table of a source in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRecord {
    /// The run.
    pub run_id: String,
    /// The source, as in `erp`.
    pub source: String,
    /// Its table, as in `orders`.
    pub table: String,
    /// Files read in this run.
    pub files_read: u64,
    /// Files that have not changed since they were read.
    pub files_unchanged: u64,
    /// Rows accepted in this run.
    pub rows: u64,
    /// Rows rejected in this run.
    pub rejects: u64,
    /// The newest value of its time column in all of its rows, as RFC 3339 or a date.
    pub newest: Option<String>,
    /// Its outcome.
    pub status: SourceStatus,
    /// What went wrong, or a note (new columns, replaced files).
    pub message: Option<String>,
}

impl SourceRecord {
    /// The record of a table of which nothing was read in a run.
    pub fn unread(run_id: &str, source: &str, table: &str) -> SourceRecord {
        SourceRecord {
            run_id: run_id.to_string(),
            source: source.to_string(),
            table: table.to_string(),
            files_read: 0,
            files_unchanged: 0,
            rows: 0,
            rejects: 0,
            newest: None,
            status: SourceStatus::Unchanged,
            message: None,
        }
    }
}

/// One value for which the contract rejected a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectRecord {
    /// The run.
    pub run_id: String,
    /// The source.
    pub source: String,
    /// Its table.
    pub table: String,
    /// The file, below the source's location.
    pub file: String,
    /// The line or row in it, from 1.
    pub line: u64,
    /// The column; none when the whole row was rejected.
    pub column: Option<String>,
    /// The value as it is written in the file.
    pub value: Option<String>,
    /// Why it was rejected.
    pub reason: String,
    /// The whole row as it is in the file, as a JSON object of texts, if its fields could be separated.
    pub row: Option<String>,
}

/// One test of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRecord {
    /// The run.
    pub run_id: String,
    /// The test, as in `not_null` or `tests.bridge_adds_up`.
    pub test: String,
    /// The table it is about.
    pub table: Option<String>,
    /// The column it is about.
    pub column: Option<String>,
    /// `error` or `warn`.
    pub severity: String,
    /// Its result.
    pub status: TestStatus,
    /// Rows that failed.
    pub failures: u64,
    /// One of them, as text.
    pub example: Option<String>,
}

/// One release, as in its record.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseRecord {
    /// Its number.
    pub number: u64,
    /// The run that published it.
    pub run_id: String,
    /// When.
    pub published_at: Timestamp,
    /// The business date its figures describe.
    pub as_of: Date,
    /// The release it repeats.
    pub rollback_of: Option<u64>,
    /// Tables in it.
    pub tables: u64,
    /// Rows in all of them.
    pub rows: u64,
    /// Tests that passed.
    pub tests_passed: u64,
    /// Tests of severity `warn` that failed.
    pub tests_warned: u64,
}

/// A message that has ended: it was sent, refused, given up, or nobody knows.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRecord {
    /// Its id in the outbox.
    pub id: String,
    /// When it ended.
    pub at: Timestamp,
    /// `edition`, or `not_issued` for a line that there is none.
    pub kind: String,
    /// The report.
    pub report: String,
    /// The period's label.
    pub period: String,
    /// Parameters of a page for a row, as JSON.
    pub parameters: Option<String>,
    /// The edition.
    pub edition: u64,
    /// The release it was made from.
    pub release: u64,
    /// The run that published that release.
    pub run_id: String,
    /// The delivery that is declared for the report.
    pub delivery: String,
    /// `mail`, `folder`, `store` or `webhook`.
    pub channel: String,
    /// An address, a folder, a store; of a webhook its kind and where its URL is kept.
    pub recipient: String,
    /// The language; none where all were delivered.
    pub language: Option<String>,
    /// The Message-ID of a mail.
    pub message_id: Option<String>,
    /// `sent`, `refused`, `given_up` or `unknown`.
    pub state: String,
    /// The receiver's code.
    pub code: Option<String>,
    /// What the receiver answered, or what happened.
    pub answer: String,
    /// Attempts, if it is known how many.
    pub attempts: Option<u64>,
}

/// Implements [`Row`] from one line per column: name, type of column, and value of a row.
macro_rules! rows {
    ($record:ident in $table:literal { $($column:literal: $kind:ident, $row:ident => $value:expr;)+ }) => {
        impl Row for $record {
            const TABLE: &'static str = $table;

            fn schema() -> SchemaRef {
                Arc::new(Schema::new(vec![$(Field::new($column, $kind::data_type(), true)),+]))
            }

            fn batch(rows: &[Self]) -> Result<RecordBatch> {
                let columns: Vec<ArrayRef> = vec![$($kind::column(rows.iter().map(|$row| $value)),)+];
                Ok(RecordBatch::try_new(Self::schema(), columns)?)
            }
        }
    };
}

rows!(RunRecord in "runs" {
    "run_id": Text, r => &r.run_id;
    "command": Text, r => &r.command;
    "pipeline": MaybeText, r => r.pipeline.as_ref();
    "as_of": Day, r => r.as_of;
    "scheduled_for": MaybeInstant, r => r.scheduled_for;
    "attempt": Number, r => r.attempt;
    "started_at": Instant, r => r.started_at;
    "ended_at": Instant, r => r.ended_at;
    "status": Text, r => r.status.as_str();
    "release": Number, r => r.release;
    "message": MaybeText, r => r.message.as_ref();
    "host": Text, r => &r.host;
    "user_name": Text, r => &r.user;
    "project_hash": MaybeText, r => r.project.as_ref();
    "git_commit": MaybeText, r => r.git_commit.as_ref();
});

rows!(StepRecord in "steps" {
    "run_id": Text, r => &r.run_id;
    "step": Text, r => &r.step;
    "status": Text, r => r.status.as_str();
    "rows": Number, r => r.rows;
    "elapsed_seconds": Real, r => r.elapsed_seconds;
    "reason": Text, r => &r.reason;
});

rows!(SourceRecord in "sources" {
    "run_id": Text, r => &r.run_id;
    "source": Text, r => &r.source;
    "table_name": Text, r => &r.table;
    "files_read": Number, r => r.files_read;
    "files_unchanged": Number, r => r.files_unchanged;
    "rows": Number, r => r.rows;
    "rejects": Number, r => r.rejects;
    "newest": MaybeText, r => r.newest.as_ref();
    "status": Text, r => r.status.as_str();
    "message": MaybeText, r => r.message.as_ref();
});

rows!(RejectRecord in "rejects" {
    "run_id": Text, r => &r.run_id;
    "source": Text, r => &r.source;
    "table_name": Text, r => &r.table;
    "file": Text, r => &r.file;
    "line": Number, r => r.line;
    "column_name": MaybeText, r => r.column.as_ref();
    "value": MaybeText, r => r.value.as_ref();
    "reason": Text, r => &r.reason;
    "row": MaybeText, r => r.row.as_ref();
});

rows!(TestRecord in "tests" {
    "run_id": Text, r => &r.run_id;
    "test": Text, r => &r.test;
    "table_name": MaybeText, r => r.table.as_ref();
    "column_name": MaybeText, r => r.column.as_ref();
    "severity": Text, r => &r.severity;
    "status": Text, r => r.status.as_str();
    "failures": Number, r => r.failures;
    "example": MaybeText, r => r.example.as_ref();
});

rows!(ReleaseRecord in "releases" {
    "number": Number, r => r.number;
    "run_id": Text, r => &r.run_id;
    "published_at": Instant, r => r.published_at;
    "as_of": Day, r => r.as_of;
    "rollback_of": Number, r => r.rollback_of;
    "tables": Number, r => r.tables;
    "rows": Number, r => r.rows;
    "tests_passed": Number, r => r.tests_passed;
    "tests_warned": Number, r => r.tests_warned;
});

rows!(DeliveryRecord in "deliveries" {
    "id": Text, r => &r.id;
    "at": Instant, r => r.at;
    "kind": Text, r => &r.kind;
    "report": Text, r => &r.report;
    "period": Text, r => &r.period;
    "parameters": MaybeText, r => r.parameters.as_ref();
    "edition": Number, r => r.edition;
    "release": Number, r => r.release;
    "run_id": Text, r => &r.run_id;
    "delivery": Text, r => &r.delivery;
    "channel": Text, r => &r.channel;
    "recipient": Text, r => &r.recipient;
    "language": MaybeText, r => r.language.as_ref();
    "message_id": MaybeText, r => r.message_id.as_ref();
    "state": Text, r => &r.state;
    "code": MaybeText, r => r.code.as_ref();
    "answer": Text, r => &r.answer;
    "attempts": Number, r => r.attempts;
});

struct Text;
struct MaybeText;
struct Number;
struct Real;
struct Day;
struct Instant;
struct MaybeInstant;

impl Text {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn column<T: AsRef<str>>(values: impl Iterator<Item = T>) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(values))
    }
}

impl MaybeText {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn column<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }
}

impl Number {
    fn data_type() -> DataType {
        DataType::Int64
    }

    /// A count that does not fit a signed number becomes the greatest one.
    fn column<V: Into<Option<u64>>>(values: impl Iterator<Item = V>) -> ArrayRef {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Arc::new(values.map(|v| v.into().map(signed)).collect::<Int64Array>())
    }
}

impl Real {
    fn data_type() -> DataType {
        DataType::Float64
    }

    fn column(values: impl Iterator<Item = f64>) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(values))
    }
}

impl Day {
    fn data_type() -> DataType {
        DataType::Date32
    }

    fn column<V: Into<Option<Date>>>(values: impl Iterator<Item = V>) -> ArrayRef {
        let days = |day: Date| day.duration_since(date(1970, 1, 1)).as_hours() / 24;
        Arc::new(values.map(|v| v.into().map(|day| days(day) as i32)).collect::<Date32Array>())
    }
}

impl Instant {
    fn data_type() -> DataType {
        MaybeInstant::data_type()
    }

    fn column(values: impl Iterator<Item = Timestamp>) -> ArrayRef {
        MaybeInstant::column(values.map(Some))
    }
}

impl MaybeInstant {
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    fn column(values: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
        let column: TimestampMicrosecondArray = values.map(|time| time.map(|t| t.as_microsecond())).collect();
        Arc::new(column.with_timezone("UTC"))
    }
}
