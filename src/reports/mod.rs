//! Reports: queries and templates become pages, pages become editions.
//!
//! A report's queries give rows (`data`), its template and the words of the language turn them into document blocks
//! (`template`, `components`, `pictures`, `charts`), and two writers set the blocks: `html` as one file that
//! asks nothing of anybody, `pdf` as tagged A4 pages. `editions` keeps what was issued and its index.
//!
//! There is no SQL engine and no clock here: rows come through [`Queries`], the time is an argument.

mod blocks;
mod charts;
mod check;
mod components;
mod data;
mod editions;
mod foot;
mod html;
mod index;
mod latin;
mod number;
mod pdf;
mod period;
mod phrases;
mod pictures;
mod template;
mod theme;
mod typst;
mod words;

#[cfg(test)]
mod tests;

pub use check::check;
pub use editions::{Edition, Record as EditionRecord, newest_edition, record_not_issued, write_index};
pub use foot::{Cause, CauseKind, Foot, SourceFact};
pub use period::Period;

use crate::error::{Error, Place, Result};
use crate::project::{Language, Project, ReportFile, ReportQuery, template_value};
use arrow::record_batch::RecordBatch;
use jiff::civil::Date;
use minijinja::value::Value;
use std::path::Path;

/// Where rows come from: the caller's session over one release.
#[async_trait::async_trait]
pub trait Queries: Sync {
    /// The rows of a query.
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>>;
}

/// An output of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// One self-contained file for screens.
    Html,
    /// A4 pages.
    Pdf,
}

impl Output {
    /// Both.
    pub const ALL: [Output; 2] = [Output::Html, Output::Pdf];

    /// The extension of its files, which is also its name on the command line.
    pub fn extension(self) -> &'static str {
        match self {
            Output::Html => "html",
            Output::Pdf => "pdf",
        }
    }

    /// The output of a name.
    pub fn from_name(name: &str) -> Option<Output> {
        Output::ALL.into_iter().find(|o| o.extension() == name)
    }
}

/// What is to be issued.
pub struct IssueRequest<'a> {
    /// The project: words, theme, currency, time zone, variables.
    pub project: &'a Project,
    /// The report.
    pub report: &'a ReportFile,
    /// What it is about.
    pub period: Period,
    /// The business date of the release's rows.
    pub as_of: Date,
    /// Languages to issue it in.
    pub languages: &'a [Language],
    /// Outputs to write.
    pub outputs: &'a [Output],
    /// The rows.
    pub queries: &'a dyn Queries,
    /// The account of the page.
    pub foot: &'a Foot,
    /// Now.
    pub issued_at: jiff::Timestamp,
    /// The folder of all reports.
    pub folder: &'a Path,
}

/// Issues a report: runs its queries once, renders every language, and writes an edition unless the newest one already
/// says the same. Returns the edition and, apart, the outputs that could not be made (a PDF without a font); the others
/// are written all the same.
pub async fn issue(request: IssueRequest<'_>) -> Result<Edition> {
    must_be_within(&request).await?;
    let mut rows = Vec::new();
    for (name, sql) in queries_for(request.project, request.report, request.period, request.as_of)? {
        let batches = request.queries.rows(&sql).await.map_err(|error| {
            let place = query_place(request.report, &name);
            if error.place().is_some() { error } else { error.at(place) }.context(format!("query `{name}`"))
        })?;
        rows.push((name, data::rows(&batches)?));
    }
    if !rows.is_empty() && rows.iter().all(|(_, rows)| rows.len() == Some(0)) {
        return Err(no_data(&request));
    }
    editions::issue(&request, &rows)
}

const NO_DATA: &str = "there is no data for";

/// Whether an edition was refused because its period has no data, which is nobody's mistake when a night asks for it.
pub fn is_without_data(error: &Error) -> bool {
    error.message().starts_with(NO_DATA)
}

fn no_data(request: &IssueRequest<'_>) -> Error {
    Error::project(format!("{NO_DATA} {} of the report {}", request.period.label(), request.report.name))
}

/// Refuses a period before the first or after the last month of the calendar (`core.periods`): its page would be empty.
/// A project without that table is judged by its rows alone.
async fn must_be_within(request: &IssueRequest<'_>) -> Result<()> {
    let sql = "SELECT min(period) AS first, max(period) AS last FROM core.periods";
    let Ok(batches) = request.queries.rows(sql).await else { return Ok(()) };
    let rows = data::rows(&batches)?;
    let Ok(row) = rows.get_item_by_index(0) else { return Ok(()) };
    let month = |key: &str| {
        let day = row.get_attr(key).ok()?.as_str()?.parse::<Date>().ok()?;
        Some(Period::containing(crate::project::PeriodKind::Month, day))
    };
    let (Some(first), Some(last)) = (month("first"), month("last")) else { return Err(no_data(request)) };
    if request.period.start >= first.start && request.period.start < last.end {
        return Ok(());
    }
    Err(no_data(request).hint(format!("there is data from {} to {}", first.label(), last.label())))
}

fn query_place(report: &ReportFile, name: &str) -> Place {
    match report.queries.iter().find(|q| q.name == name) {
        Some(query) => Place::span(report.file.path.clone(), report.file.text.clone(), query.offset..query.offset + 1),
        None => Place::Whole(report.file.path.clone()),
    }
}

/// The queries of a report with period, dates and variables put in, by name and in order.
pub fn queries_for(
    project: &Project,
    report: &ReportFile,
    period: Period,
    as_of: Date,
) -> Result<Vec<(String, String)>> {
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let vars: Vec<(String, Value)> = project.vars.iter().map(|(k, v)| (k.clone(), template_value(v))).collect();
    env.add_function("var", move |name: &str, default: Option<Value>| {
        let found = vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
        found.or(default).ok_or_else(|| {
            let known: Vec<&str> = vars.iter().map(|(k, _)| k.as_str()).collect();
            let message = format!("there is no variable `{name}`; there are {}", crate::error::list(&known));
            minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message)
        })
    });
    let context = Value::from_pairs([
        ("period", query_period(period, as_of)),
        ("as_of", Value::from(as_of.to_string())),
        ("time_zone", Value::from(project.time_zone.as_str())),
        ("currency", Value::from(project.currency.as_str())),
    ]);
    let render = |query: &ReportQuery| {
        env.render_named_str(&query.name, &query.sql, &context)
            .map(|sql| (query.name.clone(), sql))
            .map_err(|error| query_error(&error, report, query))
    };
    report.queries.iter().map(render).collect()
}

/// A mistake in a query's template at its place; columns are those of the query, lines those of the file.
pub(crate) fn query_error(error: &minijinja::Error, report: &ReportFile, query: &ReportQuery) -> Error {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
    let before = report.file.text[..query.offset.min(report.file.text.len())].matches('\n').count();
    let line = before + error.line().unwrap_or(1);
    let place = Place::at(report.file.path.clone(), report.file.text.clone(), line, 1);
    Error::project(message).context(format!("query `{}`", query.name)).at(place)
}

fn query_period(period: Period, as_of: Date) -> Value {
    Value::from_pairs([
        ("start", period.start.to_string()),
        ("end", period.end.to_string()),
        ("label", period.label()),
        ("status", period.status(as_of).to_string()),
    ])
}
