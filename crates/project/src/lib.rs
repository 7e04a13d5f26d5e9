//! The project's files, as validated: nothing downstream sees YAML.
//!
//! Loading reads every file and reports every problem at once, each with file, line and column.

mod access;
mod addresses;
mod calendars;
mod columns;
mod contracts;
mod delivery;
mod document;
mod environment;
mod extraction;
mod fields;
mod folders;
mod format_contract;
mod format_pages;
mod formats;
mod keep;
mod keys;
mod languages;
mod load;
mod loads;
mod locale;
mod mail;
mod migrate;
mod names;
mod notify;
mod operations;
mod pages;
mod pipelines;
mod quantities;
mod ready_made;
mod renames;
mod reports;
mod schedule;
mod settings;
pub mod shipped;
mod step_tests;
mod steps;
mod tables;
mod variables;
mod webhooks;
#[cfg(test)]
mod tests;

pub use contracts::read_contract;
pub use format_pages::{FormatPage, format_pages, notes, type_words};
pub use languages::Language;
pub use load::PROJECT_FILE;
pub use migrate::{Change, Migration, migrations};
pub use names::identifier;
pub use operations::{
    Address, Attempts, CatchUp, DeliverWhen, Delivery, ForEach, IssueAfter, Keep, Mail, MailLogin, MailRecipient,
    MailSecurity, MailServer, Notify, NotifyOn, NotifyTo, Overlap, PipelineSchedule, Recipients, WaitFor, Webhook,
    WebhookKind,
};
pub use quantities::parse_seconds;
pub use step_tests::{ExpectedRows, GivenTable, Spanned, StepTest, TestCell, TestRow, read_step_test};
pub use variables::template_value;

use perennial_calendar::BusinessCalendar;
use perennial_core::contract::{Secret, Source, TableName};
use perennial_core::error::{Error, Place, Problems, Result};
use perennial_core::file_mode::FileMode;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A whole project.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder that holds `perennial.yml`.
    pub root: PathBuf,
    /// Name, for titles.
    pub name: String,
    /// Where the lake is: an absolute path or a URL (`s3://bucket/prefix`).
    pub lake: String,
    /// Where editions are written: an absolute path.
    pub reports_folder: PathBuf,
    /// IANA name; business dates are cut in it.
    pub time_zone: String,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Languages of reports, where a report does not say otherwise.
    pub languages: Vec<Language>,
    /// Permissions of what is written to the lake; left out, those of [`FileMode::GROUP_READS`] that the account allows.
    pub file_mode: Option<FileMode>,
    /// Permissions of pages, which a web server may read.
    pub page_mode: FileMode,
    /// What the program may use, in bytes.
    pub memory_limit_bytes: u64,
    /// When a table of `raw.*` has more files than this, small ones are merged; 0 means never.
    pub merge_raw_files: usize,
    /// The business date figures describe when the command line names none.
    pub as_of: AsOf,
    /// Calendars of working days, by name.
    pub calendars: BTreeMap<String, BusinessCalendar>,
    /// How mail is sent; `None` where it is not.
    pub mail: Option<Mail>,
    /// Who is told of the state of nights.
    pub notify: Vec<Notify>,
    /// A URL that is asked for at the start and end of each run, for dead-man's switches; a secret.
    pub ping: Option<Secret>,
    /// Which releases are kept.
    pub keep: Keep,
    /// Where readers find the reports' folder on the web, without a final `/`.
    pub reports_url: Option<String>,
    /// A file of metrics in Prometheus' text format, written after each run.
    pub metrics_file: Option<PathBuf>,
    /// Variables of SQL and templates, as `perennial.yml` sets them.
    pub vars: BTreeMap<String, serde_json::Value>,
    /// Three lines of company style.
    pub theme: Theme,
    /// Pipelines, by file name.
    pub pipelines: Vec<Pipeline>,
    /// Sources, by name.
    pub sources: Vec<Source>,
    /// Steps, by name.
    pub steps: Vec<SqlFile>,
    /// Queries whose rows are faults.
    pub tests: Vec<SqlFile>,
    /// Files of minijinja macros (`sql/macros/*.sql`): path and text.
    pub macros: Vec<TextFile>,
    /// Given and expected rows (`tests/steps/*.yml`).
    pub step_tests: Vec<StepTest>,
    /// Reports, by name.
    pub reports: Vec<ReportFile>,
    /// Pieces that any template can include (`report-templates/shared/*.md`): path and text.
    pub shared_templates: Vec<TextFile>,
    /// Phrases of every report (`report-templates/shared/phrases.yml`).
    pub phrases: Phrases,
    /// Every file that was read, `perennial.yml` first: what a release keeps, so that an edition can be made again.
    pub files: Vec<TextFile>,
    /// What files with problems of their own would have brought; empty in a project that was loaded without any.
    pub unread: Unread,
    /// What is accepted but should be changed.
    pub notes: Vec<Note>,
}

/// Something in the project that is accepted but should be changed.
#[derive(Clone, Debug)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// How to change it.
    pub hint: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.message, self.hint)
    }
}

/// What is missing from a project because its file could not be read. Who refers to it is not at fault.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// Sources.
    pub sources: BTreeSet<String>,
    /// Steps.
    pub steps: BTreeSet<TableName>,
    /// Whether `mail` of perennial.yml is one of them.
    pub mail: bool,
}

impl Unread {
    /// Whether a table may be one of those.
    pub fn may_hold(&self, table: &TableName) -> bool {
        let of_source = |source: &String| table.name.strip_prefix(source).is_some_and(|rest| rest.starts_with("__"));
        let is_layer = matches!(table.schema.as_str(), "raw" | "source");
        self.steps.contains(table) || (is_layer && self.sources.iter().any(of_source))
    }
}

/// What a project is read with besides its files.
pub struct LoadOptions<'a> {
    /// Variables of the command line, as YAML or JSON (`{rule: R2}`); they replace the project's one by one.
    pub vars: Option<&'a str>,
    /// How the environment is asked for a variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl LoadOptions<'static> {
    /// No variables of the command line, and the environment of this process.
    pub fn of_process() -> LoadOptions<'static> {
        LoadOptions { vars: None, env: &process_variable }
    }
}

fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Project {
    /// Reads the project in a folder. Fails with every problem of all its files, in the order of their places.
    pub fn load(root: &Path, options: &LoadOptions) -> Result<Project, Problems> {
        let (project, problems) = Project::draft(root, options)?;
        problems.or_ok(project)
    }

    /// The project that kept files made ([`Project::files`]), whatever its folder holds now.
    pub fn load_kept(root: &Path, files: Vec<TextFile>, options: &LoadOptions) -> Result<Project, Problems> {
        load::load_kept(root, files, options)
    }

    /// What could be read of the project in a folder, and every problem of its files: for a check that goes on with the
    /// rest. Fails only where there is no project.
    pub fn draft(root: &Path, options: &LoadOptions) -> Result<(Project, Problems), Problems> {
        load::load(root, options)
    }

    /// The nearest folder from `start` upwards that holds a `perennial.yml`.
    pub fn find(start: &Path) -> Result<PathBuf> {
        let start = std::path::absolute(start).unwrap_or_else(|_| start.to_path_buf());
        let found = start.ancestors().find(|folder| folder.join(load::PROJECT_FILE).is_file());
        found.map(Path::to_path_buf).ok_or_else(|| {
            let message = format!("there is no `{}` in `{}` or a parent folder", load::PROJECT_FILE, start.display());
            Error::project(message).hint("name the project with --project, or create one with `perennial init DIR`")
        })
    }
}

/// The business date a run describes. Only facts dated before it are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// Today in the project's time zone.
    Today,
    /// This day.
    Date(jiff::civil::Date),
}

/// A file of text and its path below the project's folder (`sql/marts/rfm.sql`).
#[derive(Clone, Debug)]
pub struct TextFile {
    /// Path below the project's folder, with `/`; `shipped:` stands in front of a file of the shipped project.
    pub path: String,
    /// Content.
    pub text: Arc<str>,
}

impl TextFile {
    /// The path below the project's folder, also of a shipped file.
    pub fn below_root(&self) -> &str {
        self.path.strip_prefix(shipped::PREFIX).unwrap_or(&self.path)
    }
}

/// Phrases: key, then language, then text.
pub type Phrases = BTreeMap<String, BTreeMap<Language, PhraseText>>;

/// A phrase in one language, and where it stands.
#[derive(Clone, Debug)]
pub struct PhraseText {
    /// The text, with minijinja.
    pub text: String,
    /// The file.
    pub file: TextFile,
    /// Bytes of the text in the file, with its quotes.
    pub span: std::ops::Range<usize>,
}

/// Company style in three lines; the rest is the theme's.
#[derive(Clone, Debug, Default)]
pub struct Theme {
    /// An SVG or PNG file in the project.
    pub logo: Option<PathBuf>,
    /// The one accent, `#rrggbb`.
    pub accent: Option<String>,
    /// A folder of font files in the project, and the family to take from it.
    pub font: Option<String>,
}

/// What runs together.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Name: the file's.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it runs by itself; a run by hand does not look at it.
    pub schedule: Option<PipelineSchedule>,
    /// How often a run is tried while something cannot be reached.
    pub attempts: Attempts,
    /// Whether what need not be kept is deleted after a run that succeeded.
    pub vacuum: bool,
    /// Names of its sources; `*` was expanded.
    pub sources: Vec<String>,
    /// Selection of its steps (`*`, `marts.*`, `+marts.rfm`).
    pub steps: Vec<String>,
    /// Names of its reports; `*` was expanded.
    pub reports: Vec<String>,
}

/// A step or test: a file of SQL with a header.
#[derive(Clone, Debug)]
pub struct SqlFile {
    /// The table it makes, from its path; for a test `tests.<name>`.
    pub name: TableName,
    /// Path and whole text, header included.
    pub file: TextFile,
    /// Byte at which the SQL begins, behind the header.
    pub body: usize,
    /// The header.
    pub header: StepHeader,
}

/// The `/* --- ... --- */` in front of a step.
#[derive(Clone, Debug, Default)]
pub struct StepHeader {
    /// What the table holds.
    pub description: String,
    /// Columns of which no two rows agree in all; tested.
    pub grain: Vec<String>,
    /// Files or a stored query.
    pub materialize: Materialize,
    /// Words to select by (`tag:nightly`).
    pub tags: Vec<String>,
    /// Whether it may read tables that describe different business dates.
    pub mixed_as_of: bool,
    /// For tests: whether faults stop the release.
    pub severity: Severity,
    /// What is known of its columns, in order.
    pub columns: Vec<ColumnHeader>,
}

/// How a step's rows are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Materialize {
    /// Parquet files.
    #[default]
    Table,
    /// A stored query, evaluated by its readers.
    View,
}

/// Whether faults stop the release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// They do.
    #[default]
    Error,
    /// They are reported.
    Warn,
}

/// What a header says of one column.
#[derive(Clone, Debug, Default)]
pub struct ColumnHeader {
    /// The column.
    pub name: String,
    /// Byte range of the name in the file, for errors.
    pub span: std::ops::Range<usize>,
    /// What it is.
    pub description: String,
    /// Its rules.
    pub tests: Vec<ColumnTest>,
}

/// A rule of one column and whether breaking it stops the release.
#[derive(Clone, Debug)]
pub struct ColumnTest {
    /// The rule.
    pub rule: ColumnRule,
    /// What a failure does.
    pub severity: Severity,
    /// Byte range of the rule in the file, for errors.
    pub span: std::ops::Range<usize>,
}

/// A rule of one column. NULL breaks only `NotNull`.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnRule {
    /// No NULL.
    NotNull,
    /// No value twice.
    Unique,
    /// Only these, compared as text.
    AcceptedValues(Vec<String>),
    /// Every value is one of another table's column.
    Relationships {
        /// The other table.
        to: TableName,
        /// Its column.
        column: String,
    },
    /// Between these, ends included; written as SQL literals.
    Range {
        /// Least.
        min: Option<String>,
        /// Greatest.
        max: Option<String>,
    },
}

impl std::fmt::Display for ColumnRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnRule::NotNull => f.write_str("not_null"),
            ColumnRule::Unique => f.write_str("unique"),
            ColumnRule::AcceptedValues(values) => write!(f, "one of {}", values.join(", ")),
            ColumnRule::Relationships { to, column } => write!(f, "in {to}.{column}"),
            ColumnRule::Range { min, max } => match (min, max) {
                (Some(min), Some(max)) => write!(f, "{min} to {max}"),
                (Some(min), None) => write!(f, "at least {min}"),
                (None, Some(max)) => write!(f, "at most {max}"),
                (None, None) => f.write_str("any"),
            },
        }
    }
}

/// A report: header, then Markdown and minijinja.
#[derive(Clone, Debug)]
pub struct ReportFile {
    /// Name: its folder's.
    pub name: String,
    /// Path and whole text of the template.
    pub file: TextFile,
    /// Byte at which the template begins.
    pub body: usize,
    /// Title per language.
    pub title: BTreeMap<Language, String>,
    /// What one edition is about.
    pub period: PeriodKind,
    /// The table that says for which periods there are rows.
    pub calendar: TableName,
    /// Where the header names it; nothing where it does not.
    pub calendar_place: Option<Place>,
    /// Languages it is issued in.
    pub languages: Vec<Language>,
    /// Who reads it, for the index.
    pub readers: String,
    /// What it waits for after its period has ended.
    pub issue_after: IssueAfter,
    /// Columns by which its rows are split into pages of their own, as `params.<name>` in the template.
    pub parameters: Vec<String>,
    /// Who gets it.
    pub deliveries: Vec<Delivery>,
    /// Named queries, in order; their rows are the template's variables.
    pub queries: Vec<ReportQuery>,
    /// Pieces of its own that the template includes (`pieces/*.md`).
    pub pieces: Vec<TextFile>,
    /// Its phrases, and those that all reports share under them.
    pub phrases: Phrases,
    /// Whether every file of these phrases could be read; a phrase that is missing otherwise is nobody's mistake.
    pub phrases_are_read: bool,
}

/// A query of a report.
#[derive(Clone, Debug)]
pub struct ReportQuery {
    /// Name in the template.
    pub name: String,
    /// The file it stands in: the template, or one of `queries/*.sql`.
    pub file: TextFile,
    /// SQL, with minijinja (`{{ period.start }}`, `{{ as_of }}`, `{{ var('x') }}`).
    pub sql: String,
    /// Byte at which the SQL's first line stands in the file, for errors; columns are exact when it is a block scalar.
    pub offset: usize,
}

/// What one edition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodKind {
    /// A calendar month, `2026-09`.
    Month,
    /// A day, `2026-09-30`.
    Day,
}
