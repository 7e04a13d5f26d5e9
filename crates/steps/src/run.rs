//! Steps run in parallel where the graph lets them: reused when nothing they depend on has changed, tested as soon as
//! they are computed, and skipped when something they read failed.

use super::check::{CheckedSql, SourceRelation, Step, TestQuery};
use super::column_tests::{TestOutcome, looks_elsewhere, skipped_query, test_query, test_step};
use super::materialise::{engine_error, materialise};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use perennial_core::contract::TableName;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use perennial_engine::Engine;
use perennial_lake::history::{StepStatus, TestStatus};
use perennial_lake::{DataFiles, TableVersion};
use perennial_project::{ColumnRule, Materialize};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Is told of the progress of a run.
pub trait Progress: Send + Sync {
    /// A step has written this number of rows so far.
    fn rows(&self, _step: &TableName, _rows: u64) {}
    /// A step ended.
    fn finished(&self, _outcome: &StepOutcome) {}
    /// A test ended.
    fn tested(&self, _outcome: &TestOutcome) {}
}

/// What is to be run, and on what.
pub struct RunInput<'a> {
    /// The steps, tests and sources.
    pub checked: &'a CheckedSql,
    /// The steps to bring up to date; the others are as the release has them.
    pub selected: &'a BTreeSet<TableName>,
    /// Tables of the release before.
    pub previous: &'a BTreeMap<TableName, TableVersion>,
    /// `raw.*` as this run found it, and other tables that no step makes.
    pub given: &'a BTreeMap<TableName, TableVersion>,
    /// Names the files.
    pub run_id: &'a str,
    /// Whether steps that have not changed are computed as well.
    pub full_refresh: bool,
    /// Steps computed at the same time, at least 1.
    pub parallel_steps: usize,
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct RunOutcome {
    /// Every table that steps keep in files: new versions, and those of the release before where nothing changed.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// Every selected step, in the order they ended.
    pub steps: Vec<StepOutcome>,
    /// Every test, in the order they ended.
    pub tests: Vec<TestOutcome>,
}

impl RunOutcome {
    /// Whether the tables may be published: no step failed and no test of severity `error`.
    pub fn may_be_published(&self) -> bool {
        let fails = |step: &StepOutcome| matches!(step.result.status(), StepStatus::Failed | StepStatus::Skipped);
        let passes = |test: &TestOutcome| matches!(test.status, TestStatus::Passed | TestStatus::Warned);
        !self.steps.iter().any(fails) && self.tests.iter().all(passes)
    }
}

/// One step of one run.
#[derive(Debug)]
pub struct StepOutcome {
    /// The step.
    pub name: TableName,
    /// Its result.
    pub result: StepResult,
    /// Rows of its table; 0 for views.
    pub rows: u64,
    /// How long it took, tests included.
    pub took: Duration,
}

/// The result of a step, with the reason.
#[derive(Debug)]
pub enum StepResult {
    /// Computed and written.
    Built,
    /// Nothing it depends on has changed since the release.
    Unchanged,
    /// A stored query, registered.
    View,
    /// It could not be computed.
    Failed(Error),
    /// Not run, because this step failed or one of its tests did.
    Skipped {
        /// The step upstream.
        because: TableName,
    },
}

impl StepResult {
    /// The status that history records.
    pub fn status(&self) -> StepStatus {
        match self {
            StepResult::Built | StepResult::View => StepStatus::Done,
            StepResult::Unchanged => StepStatus::Unchanged,
            StepResult::Failed(_) => StepStatus::Failed,
            StepResult::Skipped { .. } => StepStatus::Skipped,
        }
    }

    /// Why it was run, or why not.
    pub fn reason(&self) -> String {
        match self {
            StepResult::Built => "its SQL or its inputs changed".to_string(),
            StepResult::View => "a view".to_string(),
            StepResult::Unchanged => "its SQL and inputs are unchanged".to_string(),
            StepResult::Failed(error) => error.to_string(),
            StepResult::Skipped { because } => format!("{because} failed"),
        }
    }
}

/// A step that has ended, with what the run keeps of it.
struct EndedStep {
    outcome: StepOutcome,
    tests: Vec<TestOutcome>,
    version: Option<TableVersion>,
    fingerprint: String,
}

/// Brings the selected steps up to date, runs their tests and then the queries of `sql/tests` that can be run.
///
/// # Errors
/// Only what keeps the run from beginning; failures of steps and tests are in the outcome.
pub async fn run(
    engine: &Engine,
    input: &RunInput<'_>,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> Result<RunOutcome> {
    let mut prints = register_given(engine, &input.checked.sources, input.given).await?;
    let mut outcome = RunOutcome::default();
    let mut state = State::new(input);
    let mut under_way: FuturesUnordered<Pin<Box<dyn Future<Output = EndedStep> + Send + '_>>> = FuturesUnordered::new();
    loop {
        while under_way.len() < input.parallel_steps.max(1)
            && let Some(step) = state.next()
        {
            if let Some(because) = state.failed_upstream(step) {
                state.fail(&step.name, because.clone());
                let skipped = skipped(step, because);
                progress.finished(&skipped);
                outcome.steps.push(skipped);
                continue;
            }
            let fingerprint = fingerprint(step, &prints);
            if !input.selected.contains(&step.name) {
                let version = keep(engine, step, input).await?;
                prints.insert(step.name.clone(), version.as_ref().map_or(fingerprint, |v| v.fingerprint.clone()));
                if version.is_none() && step.header.materialize == Materialize::Table {
                    state.absent.insert(step.name.clone());
                }
                outcome.tables.extend(version.map(|v| (step.name.clone(), v)));
                state.done.insert(step.name.clone());
                continue;
            }
            under_way.push(Box::pin(one_step(engine, step, input, fingerprint, lake, progress)));
        }
        let Some(ended) = under_way.next().await else { if state.is_empty() { break } else { continue } };
        let name = ended.outcome.name.clone();
        let test_failed = ended.tests.iter().any(|t| t.status == TestStatus::Failed);
        if test_failed || ended.outcome.result.status() == StepStatus::Failed {
            state.fail(&name, name.clone());
        } else {
            state.done.insert(name.clone());
        }
        prints.insert(name.clone(), ended.fingerprint);
        outcome.tables.extend(ended.version.map(|v| (name, v)));
        ended.tests.iter().for_each(|t| progress.tested(t));
        progress.finished(&ended.outcome);
        outcome.tests.extend(ended.tests);
        outcome.steps.push(ended.outcome);
    }
    for tested in test_against_others(engine, input, &state).await? {
        progress.tested(&tested);
        outcome.tests.push(tested);
    }
    // What was not asked for and was never made cannot be judged.
    let judged = |test: &&TestQuery| !test.reads.iter().any(|table| state.absent.contains(table));
    for test in input.checked.tests.iter().filter(judged) {
        let runnable = !test.reads.iter().any(|table| state.failed.contains_key(table));
        let tested = if runnable { test_query(engine, test).await? } else { skipped_query(test) };
        progress.tested(&tested);
        outcome.tests.push(tested);
    }
    Ok(outcome)
}

/// Rules of the selected steps that hold them against steps they do not follow from: once all stand. Where the other
/// table could not be made the run fails anyway, and the rule is left out.
async fn test_against_others(engine: &Engine, input: &RunInput<'_>, state: &State<'_>) -> Result<Vec<TestOutcome>> {
    let mut outcomes = Vec::new();
    for step in input.checked.steps.iter().filter(|s| input.selected.contains(&s.name)) {
        if state.failed.contains_key(&step.name) {
            continue;
        }
        let stands = |rule: &ColumnRule| match rule {
            ColumnRule::Relationships { to, .. } => !state.failed.contains_key(to) && engine.has(to),
            _ => false,
        };
        let which = |rule: &ColumnRule| looks_elsewhere(rule, step, input.checked) && stands(rule);
        outcomes.extend(test_step(engine, step, &which).await?);
    }
    Ok(outcomes)
}

/// Which steps are waiting, done and failed.
struct State<'a> {
    waiting: Vec<&'a Step>,
    done: BTreeSet<TableName>,
    /// Failed or skipped, and the step that caused it.
    failed: BTreeMap<TableName, TableName>,
    /// Not selected, and in no release.
    absent: BTreeSet<TableName>,
    steps: BTreeSet<&'a TableName>,
}

impl<'a> State<'a> {
    fn new(input: &RunInput<'a>) -> State<'a> {
        let checked: &'a CheckedSql = input.checked;
        State {
            waiting: checked.steps.iter().collect(),
            done: BTreeSet::new(),
            failed: BTreeMap::new(),
            absent: BTreeSet::new(),
            steps: checked.steps.iter().map(|s| &s.name).collect(),
        }
    }

    /// The first step in order whose every read step has ended.
    fn next(&mut self) -> Option<&'a Step> {
        let ended = |table: &TableName| {
            !self.steps.contains(table) || self.done.contains(table) || self.failed.contains_key(table)
        };
        let index = self.waiting.iter().position(|step| step.reads.iter().all(ended))?;
        Some(self.waiting.remove(index))
    }

    fn failed_upstream(&self, step: &Step) -> Option<TableName> {
        step.reads.iter().find_map(|table| self.failed.get(table)).cloned()
    }

    fn fail(&mut self, step: &TableName, because: TableName) {
        self.failed.insert(step.clone(), because);
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn skipped(step: &Step, because: TableName) -> StepOutcome {
    StepOutcome { name: step.name.clone(), result: StepResult::Skipped { because }, rows: 0, took: Duration::ZERO }
}

async fn one_step(
    engine: &Engine,
    step: &Step,
    input: &RunInput<'_>,
    fingerprint: String,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> EndedStep {
    let begun = std::time::Instant::now();
    let made = make(engine, step, input, &fingerprint, lake, progress).await;
    let tested = match &made {
        Ok(_) => test_step(engine, step, &|rule| !looks_elsewhere(rule, step, input.checked)).await,
        Err(_) => Ok(Vec::new()),
    };
    let (result, version, tests) = match (made, tested) {
        (Ok((result, version)), Ok(tests)) => (result, version, tests),
        (Err(error), _) | (Ok(_), Err(error)) => (StepResult::Failed(error), None, Vec::new()),
    };
    let rows = version.as_ref().map_or(0, TableVersion::rows);
    let outcome = StepOutcome { name: step.name.clone(), result, rows, took: begun.elapsed() };
    EndedStep { outcome, tests, version, fingerprint }
}

async fn make(
    engine: &Engine,
    step: &Step,
    input: &RunInput<'_>,
    fingerprint: &str,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> Result<(StepResult, Option<TableVersion>)> {
    if step.header.materialize == Materialize::View {
        register_view(engine, step).await?;
        return Ok((StepResult::View, None));
    }
    let before = input.previous.get(&step.name).filter(|v| v.fingerprint == fingerprint && !input.full_refresh);
    if let Some(version) = before {
        engine.register_files(&step.name, version)?;
        return Ok((StepResult::Unchanged, Some(version.clone())));
    }
    let written = |rows| progress.rows(&step.name, rows);
    let (schema, files) = materialise(engine, step, input.run_id, lake, &written).await?;
    let version = TableVersion { schema, files, fingerprint: fingerprint.to_string(), changed_in: 0 };
    engine.register_files(&step.name, &version)?;
    Ok((StepResult::Built, Some(version)))
}

async fn register_view(engine: &Engine, step: &Step) -> Result<()> {
    let plan = engine.plan(&step.rendered.sql).await.map_err(|e| engine_error(step, e))?;
    engine.register_plan(&step.name, plan, &step.rendered.sql)
}

/// A step that was not selected, as the release has it.
async fn keep(engine: &Engine, step: &Step, input: &RunInput<'_>) -> Result<Option<TableVersion>> {
    if step.header.materialize == Materialize::View {
        register_view(engine, step).await?;
        return Ok(None);
    }
    match input.previous.get(&step.name) {
        Some(version) => {
            engine.register_files(&step.name, version)?;
            Ok(Some(version.clone()))
        }
        None => {
            let needed = input.checked.graph.downstream(&step.name).into_iter().find(|d| input.selected.contains(d));
            match needed {
                Some(reader) => {
                    Err(Error::project(format!("{reader} reads {}, which is not in any release yet", step.name))
                        .hint(format!("select it as well: `+{reader}`")))
                }
                None => {
                    engine.register_schema(&step.name, step.schema.clone())?;
                    Ok(None)
                }
            }
        }
    }
}

/// Makes raw tables and the relations over them known; the fingerprints of all of them.
async fn register_given(
    engine: &Engine,
    sources: &[SourceRelation],
    given: &BTreeMap<TableName, TableVersion>,
) -> Result<BTreeMap<TableName, String>> {
    let mut prints = BTreeMap::new();
    for (name, version) in given {
        engine.register_files(name, version)?;
        prints.insert(name.clone(), fingerprint_of_files(version));
    }
    for source in sources {
        if !given.contains_key(&source.raw) {
            engine.register_schema(&source.raw, source.raw_schema.clone())?;
        } else if let Some(version) = given.get(&source.raw) {
            // A column the contract has gained since is read as NULL.
            let schema = widened(version, source)?;
            engine.register_files(&source.raw, &TableVersion { schema, ..version.clone() })?;
        }
        engine.register_view(&source.name, &source.sql).await?;
        let raw = prints.get(&source.raw).map_or("none", String::as_str).to_string();
        prints.insert(source.name.clone(), digest([raw.as_str(), source.sql.as_str()]));
    }
    Ok(prints)
}

fn widened(version: &TableVersion, source: &SourceRelation) -> Result<arrow::datatypes::SchemaRef> {
    let mut fields: Vec<_> = version.schema.fields().iter().cloned().collect();
    for field in source.raw_schema.fields() {
        if version.schema.field_with_name(field.name()).is_err() {
            fields.push(field.clone());
        }
    }
    Ok(std::sync::Arc::new(arrow::datatypes::Schema::new(fields)))
}

/// Hash of what a table's rows follow from. A new field of versions does not compile until somebody says here
/// whether the rows follow from it.
fn fingerprint_of_files(version: &TableVersion) -> String {
    let TableVersion { fingerprint, files, schema: _, changed_in: _ } = version;
    digest(std::iter::once(fingerprint.as_str()).chain(files.iter().map(|file| file.path.as_str())))
}

/// Hash of everything a step's rows follow from.
fn fingerprint(step: &Step, prints: &BTreeMap<TableName, String>) -> String {
    let mut parts = vec![step.definition.clone()];
    for table in &step.reads {
        parts.push(table.to_string());
        parts.push(prints.get(table).cloned().unwrap_or_default());
    }
    digest(parts)
}

/// Makes everything of a release known to an engine, for queries and reports: raw tables, relations of sources, tables
/// and views. A step whose table the release lacks is known with its columns and no rows.
pub async fn register(engine: &Engine, checked: &CheckedSql, tables: &BTreeMap<TableName, TableVersion>) -> Result<()> {
    let made: BTreeSet<&TableName> = checked.steps.iter().map(|s| &s.name).collect();
    let given = tables.iter().filter(|(name, _)| !made.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    register_given(engine, &checked.sources, &given).await?;
    for step in &checked.steps {
        match (step.header.materialize, tables.get(&step.name)) {
            (Materialize::View, _) => register_view(engine, step).await?,
            (Materialize::Table, Some(version)) => engine.register_files(&step.name, version)?,
            (Materialize::Table, None) => engine.register_schema(&step.name, step.schema.clone())?,
        }
    }
    Ok(())
}
