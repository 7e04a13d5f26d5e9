//! Reports: queries and templates become pages, pages become editions.
//!
//! A report's queries give rows (`data`), its template and the phrases of the language turn them into document blocks
//! (`template`, `charts`, `components`), and three writers set the blocks: `html` as one file that asks nothing of anybody,
//! `pdf` as tagged A4 pages, `mail` as a summary for a mail client. `editions` keeps what was issued and its index.
//!
//! Whatever a template may name has a page of the manual (`manual`, `contents`), by which templates are checked. A chart is
//! one file of `charts` and a line in its list; a language is one file of `languages` and a line in the list of
//! `perennial_project`.
//!
//! There is no SQL engine and no clock here: rows come through [`Queries`], the time is an argument.

mod blocks;
mod call;
mod canvas;
mod charts;
mod check;
mod columns;
mod components;
mod contents;
mod data;
mod decimal;
mod editions;
mod filters;
mod fingerprint;
mod fonts;
mod footer;
mod formats;
mod functions;
mod html;
mod index;
mod language;
mod late;
mod latin;
mod mail;
pub mod manual;
mod number;
mod parameters;
mod pdf;
mod period;
mod phrases;
mod picture;
mod pixels;
mod records;
mod setting;
mod template;
mod theme;
mod tokens;
mod typst;
mod variables;

#[cfg(test)]
mod tests;

pub use check::check;
pub use columns::check_columns;
pub use contents::{index, pages};
pub use editions::{Edition, index_of, page_link, record_not_issued, write_index};
pub use footer::{Cause, CauseKind, Footer, NamedFigure, SourceFact};
pub use late::{LateNotice, late_notice};
pub use parameters::{Parameters, TextRow, text_rows};
pub use period::Period;
pub use records::{
    MailParts, MailPicture, MailRecord, NotIssued, Record as EditionRecord, WrittenFigure, edition_folder, edition_in,
    newest_in, not_issued, releases_of_editions,
};

use arrow::record_batch::RecordBatch;
use jiff::civil::Date;
use minijinja::value::Value;
use parameters::Split;
use perennial_core::error::{Error, Place, Result};
use perennial_project::{Language, PeriodKind, Project, ReportFile, ReportQuery, template_value};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// The query whose rows say whether an edition has anything to say.
const NOT_EMPTY: &str = "not_empty";

/// What is to be issued.
#[derive(Clone, Copy)]
pub struct IssueRequest<'a> {
    /// The project: phrases, theme, currency, time zone, variables.
    pub project: &'a Project,
    /// The report.
    pub report: &'a ReportFile,
    /// What it is about.
    pub period: Period,
    /// The row of parameters that it is about; empty for the page as a whole.
    pub parameters: &'a Parameters,
    /// The business date of the release's rows.
    pub as_of: Date,
    /// Languages to issue it in.
    pub languages: &'a [Language],
    /// Outputs to write.
    pub outputs: &'a [Output],
    /// The rows.
    pub queries: &'a dyn Queries,
    /// What the page is based on.
    pub footer: &'a Footer,
    /// Now.
    pub issued_at: jiff::Timestamp,
    /// The folder of all reports.
    pub folder: &'a Path,
}

/// Issues a report: runs its queries once, renders every language, and writes an edition unless the newest one already
/// says the same. Returns the edition and, apart, the outputs that could not be made (a PDF without a font); the others
/// are written all the same.
pub async fn issue(request: IssueRequest<'_>) -> Result<Edition> {
    let names = if request.parameters.is_empty() { &[] } else { request.report.parameters.as_slice() };
    page(&request, &results(&request, names).await?)
}

/// One of the pages that a report is split into.
pub struct PageRequest<'a> {
    /// Its row of parameters.
    pub parameters: Parameters,
    /// The languages that its readers want.
    pub languages: &'a [Language],
    /// What it is based on.
    pub footer: &'a Footer,
}

/// Issues a page for each row of parameters. The report's queries run once; rows of results with the parameters as columns
/// go to the page that has their values, other results to every page. Parameters, languages and footer are those of the
/// pages; one that cannot be issued does not stop the others. A row that comes twice is one page.
///
/// # Errors
/// What keeps all pages from being issued: a query that fails, a period without data.
pub async fn issue_pages(
    request: IssueRequest<'_>,
    pages: &[PageRequest<'_>],
) -> Result<Vec<(Parameters, Result<Edition>)>> {
    let results = results(&request, &request.report.parameters).await?;
    let mut known = BTreeSet::new();
    let pages: Vec<&PageRequest<'_>> = pages.iter().filter(|page| known.insert(&page.parameters)).collect();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(pages.len());
    let work = || {
        let mut done = Vec::new();
        while let Some(one) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
            let PageRequest { parameters, languages, footer } = one;
            done.push((parameters.clone(), page(&IssueRequest { parameters, languages, footer, ..request }, &results)));
        }
        done
    };
    // Queries are asynchronous and done by now; what is left is computing.
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut all = Vec::new();
    for pages in done {
        all.extend(pages.map_err(|_| Error::bug("a page could not be made: its thread ended"))?);
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}

/// The results of a report's queries, split by these parameters.
async fn results(request: &IssueRequest<'_>, parameters: &[String]) -> Result<Split> {
    must_be_within(request).await?;
    let mut results = Vec::new();
    for (name, sql) in queries_for(request.project, request.report, request.period, request.as_of)? {
        let batches = request.queries.rows(&sql).await.map_err(|error| {
            let place = query_place(request.report, &name);
            if error.place().is_some() { error } else { error.at(place) }.context(format!("query `{name}`"))
        })?;
        results.push((name, batches));
    }
    Split::of(&results, parameters).map_err(|error| match error.place() {
        Some(_) => error,
        None => error.at(Place::Whole(request.report.file.path.clone())),
    })
}

/// One page from the results of all. A report that asks itself whether there is anything to say may have nothing.
fn page(request: &IssueRequest<'_>, results: &Split) -> Result<Edition> {
    let (rows, has_rows) = results.page(request.parameters);
    if !has_rows && !rows.iter().any(|(name, _)| name == NOT_EMPTY) {
        return Err(no_data(request));
    }
    editions::issue(request, &rows)
}

/// Marks an error that says that a period has no data.
#[derive(Debug)]
struct NoData;

impl std::fmt::Display for NoData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no data")
    }
}

impl std::error::Error for NoData {}

/// Whether an edition was refused because its period has no data, which is nobody's mistake when a run asks for it.
pub fn is_without_data(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<NoData>())
}

fn no_data(request: &IssueRequest<'_>) -> Error {
    let (period, report) = (request.period.label(), &request.report.name);
    Error::project(format!("there is no data for {period} of the report {report}")).because(NoData)
}

/// Refuses a period before the first or after the last of the report's calendar: its page would be empty. A report whose
/// header names no calendar, in a project without the usual one, is judged by its rows alone.
async fn must_be_within(request: &IssueRequest<'_>) -> Result<()> {
    let calendar = &request.report.calendar;
    let sql = format!("SELECT min(period) AS first, max(period) AS last FROM {}.{}", calendar.schema, calendar.name);
    let batches = match (request.queries.rows(&sql).await, &request.report.calendar_place) {
        (Ok(batches), _) => batches,
        (Err(_), None) => return Ok(()),
        (Err(error), Some(place)) => {
            let error = if error.place().is_some() { error } else { error.at(place.clone()) };
            return Err(error.context(format!("calendar `{calendar}`")));
        }
    };
    let rows = data::rows(&batches)?;
    let Ok(row) = rows.get_item_by_index(0) else { return Ok(()) };
    let month = |key: &str| {
        let day = row.get_attr(key).ok()?.as_str()?.get(..10)?.parse::<Date>().ok()?;
        Some(Period::containing(PeriodKind::Month, day))
    };
    let (Some(first), Some(last)) = (month("first"), month("last")) else { return Err(no_data(request)) };
    if request.period.start >= first.start && request.period.start < last.end {
        return Ok(());
    }
    Err(no_data(request).hint(format!("there is data from {} to {}", first.label(), last.label())))
}

fn query_place(report: &ReportFile, name: &str) -> Place {
    match report.queries.iter().find(|q| q.name == name) {
        Some(query) => Place::span(query.file.path.clone(), query.file.text.clone(), query.offset..query.offset + 1),
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
    let sql = |query: &ReportQuery| Ok((query.name.clone(), query_sql(project, query, period, as_of)?));
    report.queries.iter().map(sql).collect()
}

/// The SQL of a query with period, dates and variables put in.
pub fn query_sql(project: &Project, query: &ReportQuery, period: Period, as_of: Date) -> Result<String> {
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let vars: Vec<(String, Value)> = project.vars.iter().map(|(k, v)| (k.clone(), template_value(v))).collect();
    env.add_function("var", move |name: &str, default: Option<Value>| {
        let found = vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
        found.or(default).ok_or_else(|| {
            let known = vars.iter().map(|(k, _)| k.as_str());
            let hint = data::near_or(name, known, "add it to `vars` in perennial.yml");
            data::invalid(format!("unknown variable `{name}`; {hint}"))
        })
    });
    let rendered = env.render_named_str(&query.name, &query.sql, query_context(project, period, as_of));
    rendered.map_err(|error| query_error(&error, query))
}

/// Names that the tags of a query have.
const OF_QUERIES: &[&str] = &["period", "as_of", "time_zone", "currency", "var"];

/// A mistake in a query's template at its place.
pub(crate) fn query_error(error: &minijinja::Error, query: &ReportQuery) -> Error {
    let range = error.range().unwrap_or(0..0);
    let named = query.sql.get(range.clone()).unwrap_or_default();
    let name = named.split(['.', '[', '(', ' ']).next().unwrap_or_default();
    let place = place_in_query(query, error.line().unwrap_or(1), &range);
    let with = |error: Error| error.context(format!("query `{}`", query.name)).at(place);
    let is_unknown =
        matches!(error.kind(), minijinja::ErrorKind::UndefinedError | minijinja::ErrorKind::UnknownFunction);
    if is_unknown && !name.is_empty() && !OF_QUERIES.contains(&name) {
        let error = with(Error::project(format!("unknown name `{name}`")));
        return error.suggest(name, OF_QUERIES.iter().copied());
    }
    let attribute = named.strip_prefix("period.").filter(|_| is_unknown);
    if let Some(attribute) = attribute {
        let error = with(Error::project(format!("`period` has no `{attribute}`")));
        let known = variables::OF_PERIOD.iter().map(|attribute| attribute.name).filter(|name| *name != "title");
        return error.suggest(attribute, known);
    }
    with(Error::project(error.detail().map_or_else(|| error.kind().to_string(), str::to_string)))
}

/// A piece of a query in its file: the text of a header is indented there, so its line is looked for.
fn place_in_query(query: &ReportQuery, line: usize, range: &std::ops::Range<usize>) -> Place {
    let (file, sql) = (&query.file, &query.sql);
    let before = file.text[..query.offset.min(file.text.len())].matches('\n').count();
    let begin = sql[..range.start.min(sql.len())].rfind('\n').map_or(0, |i| i + 1);
    let written = sql[begin..].lines().next().unwrap_or_default();
    let in_file = file.text.lines().nth(before + line - 1).unwrap_or_default();
    match in_file.find(written).filter(|_| !range.is_empty() && sql[..begin].matches('\n').count() + 1 == line) {
        Some(indent) => {
            let characters = |text: &str| text.chars().count();
            let column = characters(&in_file[..indent]) + characters(&sql[begin..range.start]) + 1;
            let place = Place::at(file.path.clone(), file.text.clone(), before + line, column);
            place.with_width(characters(sql.get(range.clone()).unwrap_or_default()).max(1))
        }
        None => Place::at(file.path.clone(), file.text.clone(), before + line, 1),
    }
}

/// What the queries of a report can name: `period`, `as_of`, `time_zone` and `currency`.
pub fn query_context(project: &Project, period: Period, as_of: Date) -> Value {
    let of_period = Value::from_pairs([
        ("start", period.start.to_string()),
        ("end", period.end.to_string()),
        ("before", period.before().start.to_string()),
        ("year_ago", period.year_ago().start.to_string()),
        ("label", period.label()),
        ("status", period.status(as_of).to_string()),
    ]);
    Value::from_pairs([
        ("period", of_period),
        ("as_of", Value::from(as_of.to_string())),
        ("time_zone", Value::from(project.time_zone.as_str())),
        ("currency", Value::from(project.currency.as_str())),
    ])
}
