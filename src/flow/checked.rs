//! What a project asks for, checked before anything is touched.

use super::pull::Pulled;
use super::{NightRequest, as_of};
use crate::contract::{Source, TableName};
use crate::error::{Problems, Result};
use crate::history;
use crate::lake::{Lake, LoadState, NewRelease, Release, TableVersion, TestCounts};
use crate::project::{Materialize, Pipeline, Project, ReportFile};
use crate::reports::{self, Period};
use crate::steps::{self, Checked, Checker, RunContext, Surroundings, Template};
use minijinja::context;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Reads everything, runs nothing: the steps in order, or every problem of SQL, headers, tests, templates and report
/// queries. YAML was checked when the project was loaded.
pub async fn check(project: &Project, now: jiff::Timestamp) -> Result<Checked, Problems> {
    Ok(look(project, as_of(project, None, now)?, released_columns(project).await).await?.checked)
}

/// The columns that the newest release accepted beyond the contracts, where the lake is a folder: a check asks nothing of
/// a network, and without a lake the contracts are all there is to know.
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

/// A project that was checked.
pub(super) struct Looked {
    pub checked: Checked,
    /// For every report all tables that its figures follow from.
    pub feeds: BTreeMap<String, BTreeSet<TableName>>,
}

/// Checks against the columns that were accepted beyond the contracts.
pub(super) async fn look(
    project: &Project,
    as_of: jiff::civil::Date,
    accepted_columns: BTreeMap<TableName, Vec<String>>,
) -> Result<Looked, Problems> {
    let context = RunContext { as_of, vars: project.vars.clone() };
    let system = history::tables().into_iter().map(|(name, schema)| (TableName::new("system", name), schema));
    let around = Surroundings { accepted_columns, other_tables: system.collect() };
    let (checked, checker, mut problems) = steps::check(project, &context, &around).await?;
    let of_templates = reports::check(project);
    let templates_are_right = of_templates.is_empty();
    problems.extend(of_templates);
    let mut feeds = BTreeMap::new();
    if templates_are_right {
        for report in &project.reports {
            let reads = check_queries(report, as_of, &checker, &mut problems).await;
            feeds.insert(report.name.clone(), follows_from(&checked, reads));
        }
    }
    problems.or_ok(Looked { checked, feeds })
}

/// These tables and all that they are made of, sources included.
fn follows_from(checked: &Checked, tables: BTreeSet<TableName>) -> BTreeSet<TableName> {
    let upstream: Vec<TableName> = tables.iter().flat_map(|table| checked.graph.upstream(table)).collect();
    let steps: BTreeSet<TableName> = tables.into_iter().chain(upstream).collect();
    let reads = checked.steps.iter().filter(|step| steps.contains(&step.name)).flat_map(|step| &step.reads);
    reads.cloned().chain(steps.iter().cloned()).collect()
}

/// The queries of a report's header, planned like steps; the tables they read.
async fn check_queries(
    report: &ReportFile,
    as_of: jiff::civil::Date,
    checker: &Checker,
    problems: &mut Problems,
) -> BTreeSet<TableName> {
    let mut reads = BTreeSet::new();
    let period = Period::newest_closed(report.period, as_of);
    let (start, end) = (period.start.to_string(), period.end.to_string());
    for query in &report.queries {
        let template = Template::block(&report.file, query.offset, &query.sql);
        let (label, status) = (period.label(), period.status(as_of));
        let more = context! { period => context! { start => &start, end => &end, label, status } };
        match checker.query(template, more).await {
            Ok(query) => reads.extend(query.into_iter().flat_map(|q| q.reads)),
            Err(found) => problems.extend(found),
        }
    }
    reads
}

/// What one night will do.
pub(super) struct Plan<'a> {
    pub as_of: jiff::civil::Date,
    pub checked: Checked,
    pub selected: BTreeSet<TableName>,
    pub sources: Vec<&'a Source>,
    pub reports: Vec<&'a ReportFile>,
    pub feeds: BTreeMap<String, BTreeSet<TableName>>,
    accepted_columns: BTreeMap<TableName, Vec<String>>,
}

/// Checks the project against the columns of the last release and picks what the pipeline and the request name.
pub(super) async fn plan<'a>(
    project: &'a Project,
    pipeline: &'a Pipeline,
    request: &NightRequest,
    as_of: jiff::civil::Date,
    before: Option<&Release>,
) -> Result<Plan<'a>, Problems> {
    let accepted_columns = before.map(|r| accepted(&r.loaded)).unwrap_or_default();
    let Looked { checked, feeds } = look(project, as_of, accepted_columns.clone()).await?;
    let words = if request.select.is_empty() { &pipeline.steps } else { &request.select };
    let selected = checked.select(words, &request.exclude)?;
    Ok(Plan {
        as_of,
        checked,
        selected,
        sources: project.sources.iter().filter(|s| pipeline.sources.contains(&s.name)).collect(),
        reports: project.reports.iter().filter(|r| pipeline.reports.contains(&r.name)).collect(),
        feeds,
        accepted_columns,
    })
}

impl Plan<'_> {
    /// The plan with the columns that tonight's files brought; checked again only if there are any.
    pub async fn with_columns_of(
        self,
        project: &Project,
        loaded: &BTreeMap<TableName, LoadState>,
    ) -> Result<Self, Problems> {
        let accepted_columns = accepted(loaded);
        if accepted_columns == self.accepted_columns {
            return Ok(self);
        }
        let Looked { checked, feeds } = look(project, self.as_of, accepted_columns.clone()).await?;
        Ok(Plan { checked, feeds, accepted_columns, ..self })
    }

    /// What is to be published when all went well.
    pub fn release(
        &self,
        run_id: &str,
        now: jiff::Timestamp,
        pulled: &Pulled,
        built: BTreeMap<TableName, TableVersion>,
        tests: TestCounts,
    ) -> NewRelease {
        let mut tables = pulled.versions.clone();
        tables.extend(built);
        let sources = self.checked.sources.iter().filter(|s| tables.contains_key(&s.raw));
        let mut views: Vec<(TableName, String)> = sources.map(|s| (s.name.clone(), s.sql.clone())).collect();
        let of_steps = self.checked.steps.iter().filter(|s| s.header.materialize == Materialize::View);
        views.extend(of_steps.map(|s| (s.name.clone(), s.rendered.sql.clone())));
        NewRelease {
            run_id: run_id.to_string(),
            published_at: now,
            as_of: self.as_of,
            tables,
            loaded: pulled.loaded.clone(),
            tests,
            views,
            definitions: self
                .checked
                .steps
                .iter()
                .map(|s| (s.name.clone(), self.definition(&s.rendered.sql)))
                .collect(),
        }
    }

    /// Hash of a step's SQL apart from the business date, which is another every night.
    fn definition(&self, sql: &str) -> String {
        let text = sql.replace(&self.as_of.to_string(), "as_of");
        format!("{:x}", Sha256::digest(text))
    }
}

/// The columns that were accepted beyond the contracts.
pub(super) fn accepted(loaded: &BTreeMap<TableName, LoadState>) -> BTreeMap<TableName, Vec<String>> {
    let columns = loaded.iter().map(|(name, state)| (name.clone(), state.accepted_columns.clone()));
    columns.filter(|(_, columns)| !columns.is_empty()).collect()
}
