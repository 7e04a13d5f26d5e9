//! The other things one does with a project: show a step, issue a report, roll back.

use super::issue::Issue;
use super::plan::{accepted, check_against};
use super::reader::{Reader, nothing_published, open_engine};
use super::record::{self, Record, RunFacts};
use super::request::as_of;
use super::test::obstacle_error;
use super::{Invoker, Observer, clock};
use arrow::array::RecordBatch;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::{Lake, Release, new_run_id};
use perennial_project::{Language, LoadOptions, Project, TextFile};
use perennial_reports::{Edition, Output, Period};
use perennial_steps::CheckedSql;

/// The first rows of a step, computed now over the newest release; nothing is written.
pub(crate) async fn show(
    project: &Project,
    step: &str,
    limit: usize,
    asked: Option<jiff::civil::Date>,
    now: jiff::Timestamp,
) -> Result<Vec<RecordBatch>, Problems> {
    let lake = Lake::open(&project.lake).await?;
    let release = lake.latest().await?;
    let columns = release.as_ref().map(|r| accepted(&r.loaded)).unwrap_or_default();
    let checked = check_against(project, as_of(project, asked, now)?, columns).await?.checked;
    let selected =
        checked.select(&[step.to_string()], &[]).map_err(|error| of_source(&checked, step).unwrap_or(error))?;
    let mut steps = checked.steps.iter().filter(|s| selected.contains(&s.name));
    let step = match (steps.next(), steps.next()) {
        (Some(step), None) => step,
        _ => {
            return Err(Error::project(format!("`{step}` selects more than one step"))
                .hint("name one step, as in `marts.rfm`")
                .into());
        }
    };
    let release = release.ok_or_else(nothing_published)?;
    let engine = open_engine(project, Some(&lake))?;
    let obstacles = perennial_steps::register(&engine, &checked, &release.tables).await?;
    if let Some(obstacle) = step.reads.iter().find_map(|table| obstacles.get(table)) {
        return Err(obstacle_error(project, &release, obstacle, &format!("{} cannot be shown", step.name)).into());
    }
    Ok(perennial_steps::show(&engine, step, limit).await?)
}

/// The error for a table of a source, which is not a step, by its own name or by those of the source and its table.
fn of_source(checked: &CheckedSql, given: &str) -> Option<Error> {
    let by_names = given.split_once('.').map(|(source, table)| TableName::source(source, table));
    let by_name = TableName::try_from(given.to_string()).ok();
    let is_source = |name: &TableName| checked.sources.iter().any(|source| source.name == *name || source.raw == *name);
    let table = by_name.into_iter().chain(by_names).find(is_source)?;
    let error = Error::project(format!("`{given}` is a table of a source, not a step"));
    Some(error.hint(format!("perennial query \"SELECT * FROM {table}\" --limit 10 shows its rows")))
}

/// One report, named.
#[derive(Clone, Debug)]
pub(crate) struct ReportRequest {
    /// The report.
    pub report: String,
    /// The period as a reader writes it; `None` for the newest closed one.
    pub period: Option<String>,
    /// Languages; empty for the report's own.
    pub languages: Vec<Language>,
    /// HTML, PDF or both.
    pub outputs: Vec<Output>,
    /// The release; `None` for the newest.
    pub release: Option<u64>,
    /// Now.
    pub now: jiff::Timestamp,
}

/// The project as a release was published with it, in the present lake; pages go to the given folder.
///
/// # Errors
/// `Project` when the release has not kept its files.
pub(crate) async fn as_published(
    project: &Project,
    release: u64,
    folder: std::path::PathBuf,
    options: &LoadOptions<'_>,
) -> Result<Project, Problems> {
    let lake = Lake::open(&project.lake).await?;
    let found = lake.release(release).await?;
    let kept = lake.project_files(&found).await?;
    if kept.is_empty() {
        let error = Error::project(format!("release {release} was published before releases kept the project's files"));
        return Err(error.hint("leave out `--as-published` to use the present templates").into());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
    let files = kept.into_iter().map(|(path, bytes)| TextFile { path, text: text(&bytes) }).collect();
    let then = Project::load_kept(&project.root, files, options)?;
    Ok(Project { lake: project.lake.clone(), reports_folder: folder, ..then })
}

/// Issues one report now. The problems are outputs that could not be made, such as a PDF without a font.
pub(crate) async fn report(project: &Project, request: &ReportRequest) -> Result<(Edition, Problems), Problems> {
    let known = project.reports.iter().map(|r| r.name.as_str());
    let unknown = || Error::project(format!("unknown report `{}`", request.report)).suggest(&request.report, known);
    let report = project.reports.iter().find(|r| r.name == request.report).ok_or_else(unknown)?;
    let reader = Reader::open(project, request.release).await?;
    let release = reader.published()?;
    let inputs = check_against(project, release.as_of, accepted(&release.loaded)).await?.report_inputs;
    if let Some(other) = request.languages.iter().find(|language| !report.languages.contains(language)) {
        let tags: Vec<&str> = report.languages.iter().map(|language| language.tag()).collect();
        let error = Error::project(format!("the report `{}` is not issued in {}", report.name, other.tag()));
        let hint = format!("it is issued in {}; `languages` in its header says so", tags.join(", "));
        return Err(error.hint(hint).into());
    }
    let languages = if request.languages.is_empty() { &report.languages } else { &request.languages };
    let issue = Issue { project, reader: &reader, release, sources: &[], inputs: &inputs, now: request.now };
    let period = match &request.period {
        Some(text) => Period::parse(report.period, text)?,
        None => Period::newest_due(report, issue.as_of(report)?),
    };
    let mut edition = issue.report(report, period, languages, &request.outputs).await?;
    perennial_reports::write_index(project, &project.reports_folder)?;
    let mut problems = Problems::new();
    std::mem::take(&mut edition.refused).into_iter().for_each(|error| problems.push(error));
    Ok((edition, problems))
}

/// Publishes an earlier release again, as a run of its own.
pub(crate) async fn rollback(
    project: &Project,
    to: u64,
    invoker: Invoker,
    now: jiff::Timestamp,
    observer: &dyn Observer,
) -> Result<Release> {
    let lake = Lake::open(&project.lake).await?;
    let latest = lake.latest().await?;
    let last_run_id = lake.last_run_id(latest.as_ref().map(|release| release.run_id.as_str())).await?;
    let run_id = new_run_id(now, last_run_id.as_deref());
    let lock = lake.lock(invoker.holder(&run_id), now).await?;
    record::repair(project, &lake, &lock, now, observer).await?;
    let now = clock::not_before(lake.latest().await?.as_ref(), &run_id, now, observer)?;
    let facts = RunFacts { attempt: Some(1), ..RunFacts::default() };
    lake.begin_run(&lock, now, &facts.to_json()?).await?;
    let mut record = Record::new(&lake, &run_id, &invoker, facts, now);
    let published = lake.rollback(&lock, to, &run_id, now).await;
    match &published {
        Ok(published) => record.rolled_back(&published.release, to),
        Err(error) => record.failed(error),
    }
    record.write(&lock).await?;
    record::compact(&lake, &lock, observer).await;
    lock.release().await?;
    Ok(published?.release)
}
