//! Steps run side by side where the graph lets them: reused when nothing they follow from has changed, tested as soon
//! as they stand, and not begun when something they read failed.

use super::check::{Checked, SourceRelation, Step, TestQuery, hash};
use super::column_tests::{TestOutcome, TestStatus, looks_elsewhere, skipped_query, test_query, test_step};
use super::materialise::{engine_error, materialise};
use crate::contract::TableName;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lake::{DataFiles, TableVersion};
use crate::project::{ColumnRule, Materialize};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Hears how a run gets on.
pub trait Progress: Send + Sync {
    /// A step began to be computed.
    fn started(&self, _step: &TableName) {}
    /// It has written so many rows.
    fn rows(&self, _step: &TableName, _rows: u64) {}
    /// It ended, one way or another.
    fn finished(&self, _outcome: &StepOutcome) {}
    /// A test ended.
    fn tested(&self, _outcome: &TestOutcome) {}
}

/// What a run goes by.
pub struct RunInput<'a> {
    /// The steps, tests and sources.
    pub checked: &'a Checked,
    /// The steps to bring up to date; the others are as the release has them.
    pub selected: &'a BTreeSet<TableName>,
    /// Tables of the release before.
    pub previous: &'a BTreeMap<TableName, TableVersion>,
    /// `raw.*` as this run found it, and other tables that no step makes.
    pub given: &'a BTreeMap<TableName, TableVersion>,
    /// Names the files.
    pub run_id: &'a str,
    /// Computes what has not changed as well.
    pub full_refresh: bool,
    /// Steps under way at once, at least 1.
    pub side_by_side: usize,
}

/// What a run made.
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
    /// No step failed and no test of severity `error` found a fault, so the tables may be published.
    pub fn may_be_published(&self) -> bool {
        let steps = self.steps.iter().all(|s| !matches!(s.status, StepStatus::Failed(_) | StepStatus::Skipped { .. }));
        steps && self.tests.iter().all(|t| matches!(t.status, TestStatus::Passed | TestStatus::Warned))
    }
}

/// One step of one run.
#[derive(Debug)]
pub struct StepOutcome {
    /// The step.
    pub name: TableName,
    /// What became of it.
    pub status: StepStatus,
    /// Rows of its table; 0 for views.
    pub rows: u64,
    /// How long it took, tests included.
    pub took: Duration,
}

/// What became of a step.
#[derive(Debug)]
pub enum StepStatus {
    /// Computed and written.
    Built,
    /// Nothing it follows from has changed since the release.
    Unchanged,
    /// A stored query, made known.
    View,
    /// It could not be computed.
    Failed(Error),
    /// Not begun, because this one failed or found faults.
    Skipped {
        /// The step upstream.
        because: TableName,
    },
}

/// What one step came to.
struct Done {
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
    let mut under_way: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send + '_>>> = FuturesUnordered::new();
    loop {
        while under_way.len() < input.side_by_side.max(1)
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
        let Some(done) = under_way.next().await else { if state.is_empty() { break } else { continue } };
        let name = done.outcome.name.clone();
        let faults = done.tests.iter().any(|t| t.status == TestStatus::Failed);
        if faults || matches!(done.outcome.status, StepStatus::Failed(_)) {
            state.fail(&name, name.clone());
        } else {
            state.done.insert(name.clone());
        }
        prints.insert(name.clone(), done.fingerprint);
        outcome.tables.extend(done.version.map(|v| (name, v)));
        done.tests.iter().for_each(|t| progress.tested(t));
        progress.finished(&done.outcome);
        outcome.tests.extend(done.tests);
        outcome.steps.push(done.outcome);
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
    /// Failed or skipped, and the step whose fault it is.
    failed: BTreeMap<TableName, TableName>,
    /// Not selected, and in no release.
    absent: BTreeSet<TableName>,
    steps: BTreeSet<&'a TableName>,
}

impl<'a> State<'a> {
    fn new(input: &RunInput<'a>) -> State<'a> {
        let checked: &'a Checked = input.checked;
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
    StepOutcome { name: step.name.clone(), status: StepStatus::Skipped { because }, rows: 0, took: Duration::ZERO }
}

async fn one_step(
    engine: &Engine,
    step: &Step,
    input: &RunInput<'_>,
    fingerprint: String,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> Done {
    let begun = std::time::Instant::now();
    progress.started(&step.name);
    let made = make(engine, step, input, &fingerprint, lake, progress).await;
    let tested = match &made {
        Ok(_) => test_step(engine, step, &|rule| !looks_elsewhere(rule, step, input.checked)).await,
        Err(_) => Ok(Vec::new()),
    };
    let (status, version, tests) = match (made, tested) {
        (Ok((status, version)), Ok(tests)) => (status, version, tests),
        (Err(error), _) | (Ok(_), Err(error)) => (StepStatus::Failed(error), None, Vec::new()),
    };
    let rows = version.as_ref().map_or(0, TableVersion::rows);
    let outcome = StepOutcome { name: step.name.clone(), status, rows, took: begun.elapsed() };
    Done { outcome, tests, version, fingerprint }
}

async fn make(
    engine: &Engine,
    step: &Step,
    input: &RunInput<'_>,
    fingerprint: &str,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> Result<(StepStatus, Option<TableVersion>)> {
    if step.header.materialize == Materialize::View {
        register_view(engine, step).await?;
        return Ok((StepStatus::View, None));
    }
    let before = input.previous.get(&step.name).filter(|v| v.fingerprint == fingerprint && !input.full_refresh);
    if let Some(version) = before {
        engine.register_files(&step.name, version)?;
        return Ok((StepStatus::Unchanged, Some(version.clone())));
    }
    let written = |rows| progress.rows(&step.name, rows);
    let (schema, files) = materialise(engine, step, input.run_id, lake, &written).await?;
    let version = TableVersion { schema, files, fingerprint: fingerprint.to_string(), changed_in: 0 };
    engine.register_files(&step.name, &version)?;
    Ok((StepStatus::Built, Some(version)))
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
                    Err(Error::project(format!("{reader} reads {}, which no release holds yet", step.name))
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
        prints.insert(source.name.clone(), hash([raw.as_str(), source.sql.as_str()]));
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

fn fingerprint_of_files(version: &TableVersion) -> String {
    let files = version.files.iter().map(|f| f.path.as_str());
    hash(std::iter::once(version.fingerprint.as_str()).chain(files))
}

/// Hash of everything a step's rows follow from.
fn fingerprint(step: &Step, prints: &BTreeMap<TableName, String>) -> String {
    let mut parts = vec![step.definition.clone()];
    for table in &step.reads {
        parts.push(table.to_string());
        parts.push(prints.get(table).cloned().unwrap_or_default());
    }
    hash(parts.iter().map(String::as_str))
}

/// Makes everything of a release known to an engine, for queries and reports: raw tables, relations of sources, tables
/// and views. A step whose table the release lacks is known with its columns and no rows.
pub async fn register(engine: &Engine, checked: &Checked, tables: &BTreeMap<TableName, TableVersion>) -> Result<()> {
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
