//! The plan of a run: the project, checked before anything is touched, and what of it the run is to do.

use super::RunRequest;
use super::request::{as_of, past_as_of};
use perennial_core::contract::{Source, TableName};
use perennial_core::error::{Error, Place, Problems, Result};
use perennial_lake::{Lake, LoadState, Release, history};
use perennial_project::{Delivery, ForEach, Materialize, Pipeline, Project, Recipients, ReportFile, ReportQuery};
use perennial_reports::{Period, check_columns, query_context, query_sql};
use perennial_steps::{CheckInput, CheckedSql, Checker, RunContext, Template};
use std::collections::{BTreeMap, BTreeSet};

/// Reads everything, runs nothing: the steps in order, or every problem of SQL, headers, tests, templates and report
/// queries. YAML was checked when the project was loaded.
pub(crate) async fn check(project: &Project, now: jiff::Timestamp) -> Result<CheckedSql, Problems> {
    let columns = released_columns(project).await;
    let checked = check_against(project, as_of(project, None, now)?, columns).await?.checked;
    past_as_of(project, None, now)?;
    Ok(checked)
}

/// The columns that the newest release accepted beyond the contracts if the lake is a folder: a check does not use the
/// network, and without a release the contracts say all there is to know.
async fn released_columns(project: &Project) -> BTreeMap<TableName, Vec<String>> {
    if project.lake.contains("://") {
        return BTreeMap::new();
    }
    let release = match Lake::open(&project.lake).await {
        Ok(lake) => lake.latest().await.ok().flatten(),
        Err(_) => None,
    };
    release.map(|release| accepted(&release.loaded)).unwrap_or_default()
}

/// A project without problems.
pub(super) struct CheckOutcome {
    pub checked: CheckedSql,
    /// Of every report what its figures are computed from.
    pub report_inputs: ReportInputs,
}

/// Of every report, by name, what its figures are computed from.
pub(super) type ReportInputs = BTreeMap<String, Inputs>;

/// What the figures of a report are computed from.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    /// The tables and views that its queries read, and those that these views read: what the page shows is in them.
    pub read: BTreeSet<TableName>,
    /// These and everything upstream of them, sources included.
    pub all: BTreeSet<TableName>,
}

/// Checks a project whose sources have these columns beyond their contracts.
pub(super) async fn check_against(
    project: &Project,
    as_of: jiff::civil::Date,
    accepted_columns: BTreeMap<TableName, Vec<String>>,
) -> Result<CheckOutcome, Problems> {
    let context = RunContext { as_of, vars: project.vars.clone() };
    let system = history::tables().into_iter().map(|(name, schema)| (TableName::new("system", name), schema));
    let input = CheckInput { accepted_columns, other_tables: system.collect() };
    let (checked, checker, mut problems) = perennial_steps::check(project, &context, &input).await?;
    problems.extend(perennial_reports::check(project));
    let mut report_inputs = BTreeMap::new();
    for report in &project.reports {
        let reads = check_queries(project, report, as_of, &checker, &mut problems).await;
        report_inputs.insert(report.name.clone(), inputs_of(&checked, reads));
    }
    problems.or_ok(CheckOutcome { checked, report_inputs })
}

/// What is computed from these tables.
fn inputs_of(checked: &CheckedSql, tables: BTreeSet<TableName>) -> Inputs {
    let mut read = BTreeSet::new();
    let mut next: Vec<TableName> = tables.iter().cloned().collect();
    while let Some(table) = next.pop() {
        let step = checked.step(&table).filter(|step| step.header.materialize == Materialize::View);
        next.extend(step.iter().flat_map(|step| &step.reads).filter(|table| !read.contains(*table)).cloned());
        read.insert(table);
    }
    let upstream: Vec<TableName> = tables.iter().flat_map(|table| checked.graph.upstream(table)).collect();
    let steps: BTreeSet<TableName> = tables.into_iter().chain(upstream).collect();
    let reads = checked.steps.iter().filter(|step| steps.contains(&step.name)).flat_map(|step| &step.reads);
    Inputs { read, all: reads.cloned().chain(steps.iter().cloned()).collect() }
}

/// Plans the queries of a report's header as if they were steps, and gives the tables they read.
async fn check_queries(
    project: &Project,
    report: &ReportFile,
    as_of: jiff::civil::Date,
    checker: &Checker,
    problems: &mut Problems,
) -> BTreeSet<TableName> {
    let mut reads = BTreeSet::new();
    let mut columns = BTreeMap::new();
    let period = Period::newest_closed(report.period, as_of);
    for query in &report.queries {
        // A mistake in a tag of the SQL was found with those of the templates.
        if query_sql(project, query, period, as_of).is_err() {
            continue;
        }
        let template = Template::block(&query.file, query.offset, &query.sql);
        match checker.query(template, query_context(project, period, as_of)).await {
            Ok(Some(checked)) => {
                columns.insert(query.name.clone(), checked.schema);
                reads.extend(checked.reads);
            }
            Ok(None) => {}
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(check_columns(report, &columns));
    for delivery in &report.deliveries {
        if let Some(for_each) = &delivery.for_each {
            check_rows(project, report, delivery, for_each, as_of, checker, problems).await;
        }
    }
    reads
}

/// Plans the query that gives a delivery its rows, and looks for the columns that they must have.
async fn check_rows(
    project: &Project,
    report: &ReportFile,
    delivery: &Delivery,
    for_each: &ForEach,
    as_of: jiff::civil::Date,
    checker: &Checker,
    problems: &mut Problems,
) {
    let period = Period::newest_closed(report.period, as_of);
    let ForEach { query: sql, file, offset, parameters } = for_each;
    let query = ReportQuery { name: "for_each".to_string(), file: file.clone(), sql: sql.clone(), offset: *offset };
    if let Err(error) = query_sql(project, &query, period, as_of) {
        return problems.push(error);
    }
    let schema = match checker.query(Template::block(file, *offset, sql), query_context(project, period, as_of)).await {
        Ok(Some(checked)) => checked.schema,
        Ok(None) => return,
        Err(found) => return problems.extend(found),
    };
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let of_rows = match &delivery.to {
        Recipients::OfRows { address_column, language_column } => {
            [Some(address_column), language_column.as_ref()].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    };
    for column in parameters.iter().chain(of_rows).filter(|column| !known.contains(&column.as_str())) {
        let error = Error::project(format!("the query `for_each` has no column `{column}`"));
        let place = Place::span(file.path.clone(), file.text.clone(), *offset..*offset + 1);
        problems.push(error.suggest(column, known.iter().copied()).at(place));
    }
}

/// What a run will do.
pub(super) struct Plan<'a> {
    pub as_of: jiff::civil::Date,
    pub checked: CheckedSql,
    pub selected: BTreeSet<TableName>,
    pub sources: Vec<&'a Source>,
    pub reports: Vec<&'a ReportFile>,
    /// Of every report what its figures are computed from.
    pub report_inputs: ReportInputs,
    accepted_columns: BTreeMap<TableName, Vec<String>>,
}

/// Checks the project against the columns of the previous release and selects what the pipeline and the request name.
pub(super) async fn plan<'a>(
    project: &'a Project,
    pipeline: &'a Pipeline,
    request: &RunRequest,
    as_of: jiff::civil::Date,
    previous: Option<&Release>,
) -> Result<Plan<'a>, Problems> {
    let accepted_columns = previous.map(|r| accepted(&r.loaded)).unwrap_or_default();
    let CheckOutcome { checked, report_inputs } = check_against(project, as_of, accepted_columns.clone()).await?;
    let selection = if request.select.is_empty() { &pipeline.steps } else { &request.select };
    let selected = checked.select(selection, &request.exclude)?;
    Ok(Plan {
        as_of,
        checked,
        selected,
        sources: project.sources.iter().filter(|s| pipeline.sources.contains(&s.name)).collect(),
        reports: project.reports.iter().filter(|r| pipeline.reports.contains(&r.name)).collect(),
        report_inputs,
        accepted_columns,
    })
}

impl Plan<'_> {
    /// The plan with the columns that this run's files brought; checked again only if there are any.
    pub async fn with_columns_of(
        self,
        project: &Project,
        loaded: &BTreeMap<TableName, LoadState>,
    ) -> Result<Self, Problems> {
        let accepted_columns = accepted(loaded);
        if accepted_columns == self.accepted_columns {
            return Ok(self);
        }
        let CheckOutcome { checked, report_inputs } =
            check_against(project, self.as_of, accepted_columns.clone()).await?;
        Ok(Plan { checked, report_inputs, accepted_columns, ..self })
    }
}

/// The columns that were accepted beyond the contracts.
pub(super) fn accepted(loaded: &BTreeMap<TableName, LoadState>) -> BTreeMap<TableName, Vec<String>> {
    let columns = loaded.iter().map(|(name, state)| (name.clone(), state.accepted_columns.clone()));
    columns.filter(|(_, columns)| !columns.is_empty()).collect()
}
