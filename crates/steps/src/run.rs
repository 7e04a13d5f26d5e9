//! Steps run in parallel where the graph lets them: reused when nothing they depend on has changed, tested as soon as
//! they are computed, and skipped when something they read failed.
//!
//! A step is reused when its SQL and the rows of what it reads are those it was made from, whatever files they are in. A
//! step that is computed to the same rows keeps its old files, so that a change ends there.

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
use perennial_lake::{DataFiles, TableVersion, ViewVersion};
use perennial_project::{ColumnRule, Materialize};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Is told of the progress of a run.
pub trait Progress: Send + Sync {
    /// A step has written this number of rows so far.
    fn rows(&self, _step: &TableName, _rows: u64) {}
    /// A table was computed and has passed its column rules.
    fn built(&self, _step: &TableName, _version: &TableVersion) {}
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
    /// The business date that the selected steps describe.
    pub as_of: jiff::civil::Date,
    /// Tables of the release before.
    pub previous: &'a BTreeMap<TableName, TableVersion>,
    /// Views of the release before.
    pub previous_views: &'a [(TableName, ViewVersion)],
    /// `raw.*` as this run found it or the release before has it, and other tables that no step makes.
    pub given: &'a BTreeMap<TableName, TableVersion>,
    /// Names the files.
    pub run_id: &'a str,
    /// Whether steps that have not changed are computed as well.
    pub full_refresh: bool,
    /// Steps that the run that is continued has computed, whose tables stand in `previous`: not even a full refresh
    /// computes them once more.
    pub resumed: &'a BTreeSet<TableName>,
    /// Steps computed at the same time, at least 1.
    pub parallel_steps: usize,
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct RunOutcome {
    /// Every table that steps keep in files: new versions, and those of the release before where nothing changed.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// Every view: those of the selected steps, and the others as the release before has them.
    pub views: BTreeMap<TableName, ViewVersion>,
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
    made: Option<Relation>,
    prints: Prints,
}

/// What a step has made.
enum Relation {
    Table(TableVersion),
    View(ViewVersion),
}

/// What is known of a relation that steps read.
#[derive(Clone, Debug, Default)]
pub(super) struct Prints {
    /// Names its rows.
    rows: String,
    /// The business dates that it describes, each with the table or view that does: none for what depends on none, and
    /// several for a view over tables that were made on different days.
    as_of: BTreeMap<jiff::civil::Date, TableName>,
}

impl Prints {
    fn of_table(name: &TableName, version: &TableVersion) -> Prints {
        Prints { rows: version.rows_id(), as_of: version.as_of.map(|date| (date, name.clone())).into_iter().collect() }
    }

    /// A view has the rows and the dates of what it reads, and its own date if its SQL names one.
    fn of_view(
        engine: &Engine,
        name: &TableName,
        view: &ViewVersion,
        reads: &BTreeSet<TableName>,
        prints: &AllPrints,
    ) -> Prints {
        let mut as_of: BTreeMap<_, _> = view.as_of.map(|date| (date, name.clone())).into_iter().collect();
        let mut rows = vec![view.sql.clone()];
        rows.extend(engine.calendars_behind(&view.sql));
        for table in reads {
            rows.push(table.to_string());
            let Some(read) = prints.get(table) else { continue };
            rows.push(read.rows.clone());
            as_of.extend(read.as_of.clone());
        }
        Prints { rows: digest(rows), as_of }
    }
}

pub(super) type AllPrints = BTreeMap<TableName, Prints>;

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
    // A source that no run has loaded has no rows to be judged.
    let never_loaded = input.checked.sources.iter().filter(|source| !input.given.contains_key(&source.raw));
    state.absent.extend(never_loaded.flat_map(|source| [source.raw.clone(), source.name.clone()]));
    let mut under_way: FuturesUnordered<Pin<Box<dyn Future<Output = EndedStep> + Send + '_>>> = FuturesUnordered::new();
    loop {
        while under_way.len() < input.parallel_steps.max(1)
            && let Some(step) = state.next()
        {
            if let Some(because) = state.failed_upstream(step) {
                state.fail(&step.name, because.clone());
                if input.selected.contains(&step.name) {
                    let skipped = skipped(step, because);
                    progress.finished(&skipped);
                    outcome.steps.push(skipped);
                }
                continue;
            }
            if !input.selected.contains(&step.name) {
                match keep(engine, step, input).await? {
                    Some(Relation::Table(version)) => {
                        prints.insert(step.name.clone(), Prints::of_table(&step.name, &version));
                        outcome.tables.insert(step.name.clone(), version);
                    }
                    Some(Relation::View(view)) => {
                        let known = Prints::of_view(engine, &step.name, &view, state.reads_of(step), &prints);
                        prints.insert(step.name.clone(), known);
                        outcome.views.insert(step.name.clone(), view);
                    }
                    None => {
                        state.absent.insert(step.name.clone());
                    }
                }
                state.done.insert(step.name.clone());
                continue;
            }
            let inputs = Inputs::of(engine, step, input, &prints);
            under_way.push(Box::pin(one_step(engine, step, input, inputs, lake, progress)));
        }
        let Some(ended) = under_way.next().await else {
            match state.waiting.first() {
                None => break,
                // Only a view of the release, which may read what its present SQL does not, closes a cycle here.
                Some(step) => return Err(does_not_fit(step, "what it reads follows from it now")),
            }
        };
        let name = ended.outcome.name.clone();
        let test_failed = ended.tests.iter().any(|t| t.status == TestStatus::Failed);
        if test_failed || ended.outcome.result.status() == StepStatus::Failed {
            state.fail(&name, name.clone());
        } else {
            state.done.insert(name.clone());
        }
        match ended.made {
            Some(Relation::Table(version)) => {
                if !test_failed && matches!(ended.outcome.result, StepResult::Built) {
                    progress.built(&name, &version);
                }
                outcome.tables.insert(name.clone(), version);
            }
            Some(Relation::View(view)) => {
                outcome.views.insert(name.clone(), view);
            }
            None => {}
        }
        prints.insert(name, ended.prints);
        ended.tests.iter().for_each(|t| progress.tested(t));
        progress.finished(&ended.outcome);
        outcome.tests.extend(ended.tests);
        outcome.steps.push(ended.outcome);
    }
    // What was not asked for and was never made cannot be judged, nor what describes another date than the query.
    let has_other_date =
        |table: &TableName| prints.get(table).is_some_and(|read| read.as_of.keys().any(|date| *date != input.as_of));
    for tested in test_against_others(engine, input, &state, &has_other_date).await? {
        progress.tested(&tested);
        outcome.tests.push(tested);
    }
    let judged =
        |test: &&TestQuery| !test.reads.iter().any(|table| state.absent.contains(table) || has_other_date(table));
    for test in input.checked.tests.iter().filter(judged) {
        let runnable = !test.reads.iter().any(|table| state.failed.contains_key(table));
        let tested = if runnable { test_query(engine, test).await? } else { skipped_query(test) };
        progress.tested(&tested);
        outcome.tests.push(tested);
    }
    Ok(outcome)
}

/// Rules that hold a step against one that it does not follow from, where this run has made one of them: once all stand.
/// Where a table could not be made the run fails anyway, and the rule is left out; so it is where one is in no release or
/// describes another date.
async fn test_against_others(
    engine: &Engine,
    input: &RunInput<'_>,
    state: &State<'_>,
    has_other_date: &(dyn Fn(&TableName) -> bool + Sync),
) -> Result<Vec<TestOutcome>> {
    let mut outcomes = Vec::new();
    let there = |table: &TableName| {
        !state.failed.contains_key(table)
            && !state.absent.contains(table)
            && engine.has(table)
            && !has_other_date(table)
    };
    for step in input.checked.steps.iter().filter(|step| there(&step.name)) {
        let is_made = input.selected.contains(&step.name);
        let stands = |rule: &ColumnRule| match rule {
            ColumnRule::Relationships { to, .. } => there(to) && (is_made || input.selected.contains(to)),
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
    /// What each step reads in this run: one that is kept reads what it read when it was released.
    reads: BTreeMap<&'a TableName, BTreeSet<TableName>>,
}

impl<'a> State<'a> {
    fn new(input: &RunInput<'a>) -> State<'a> {
        let checked: &'a CheckedSql = input.checked;
        let reads = |step: &Step| match (input.selected.contains(&step.name), input.previous.contains_key(&step.name)) {
            (true, _) => step.reads.clone(),
            (false, true) => BTreeSet::new(),
            (false, false) => {
                let kept =
                    input.previous_views.iter().find(|(name, view)| *name == step.name && !view.reads.is_empty());
                kept.map_or_else(|| step.reads.clone(), |(_, view)| view.reads.clone())
            }
        };
        State {
            reads: checked.steps.iter().map(|step| (&step.name, reads(step))).collect(),
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
        let index = self.waiting.iter().position(|step| self.reads_of(step).iter().all(ended))?;
        Some(self.waiting.remove(index))
    }

    fn failed_upstream(&self, step: &Step) -> Option<TableName> {
        self.reads_of(step).iter().find_map(|table| self.failed.get(table)).cloned()
    }

    fn reads_of<'s>(&'s self, step: &'s Step) -> &'s BTreeSet<TableName> {
        self.reads.get(&step.name).unwrap_or(&step.reads)
    }

    fn fail(&mut self, step: &TableName, because: TableName) {
        self.failed.insert(step.clone(), because);
    }
}

fn skipped(step: &Step, because: TableName) -> StepOutcome {
    StepOutcome { name: step.name.clone(), result: StepResult::Skipped { because }, rows: 0, took: Duration::ZERO }
}

/// What a step is computed from.
struct Inputs {
    /// Hash of everything that the rows follow from.
    fingerprint: String,
    /// Of every relation that it reads, the name of its rows.
    built_from: BTreeMap<TableName, String>,
    /// The business date that it describes; `None` when it depends on none.
    as_of: Option<jiff::civil::Date>,
    /// Why it cannot be computed from them.
    problem: Option<Error>,
    reads: AllPrints,
}

impl Inputs {
    fn of(engine: &Engine, step: &Step, input: &RunInput<'_>, prints: &AllPrints) -> Inputs {
        let reads: AllPrints =
            step.reads.iter().map(|table| (table.clone(), prints.get(table).cloned().unwrap_or_default())).collect();
        let built_from: BTreeMap<TableName, String> =
            reads.iter().map(|(table, read)| (table.clone(), read.rows.clone())).collect();
        let parts = built_from.iter().flat_map(|(table, rows)| [table.to_string(), rows.clone()]);
        let calendars = engine.calendars_behind(&step.rendered.sql);
        let is_dated = step.is_dated() || reads.values().any(|read| !read.as_of.is_empty());
        Inputs {
            fingerprint: digest(std::iter::once(step.definition.clone()).chain(calendars).chain(parts)),
            as_of: is_dated.then_some(input.as_of),
            problem: not_loaded(step, input).or_else(|| other_as_of(step, input.as_of, &reads)),
            built_from,
            reads,
        }
    }
}

/// The error for a step that reads a source of which no run has loaded anything.
fn not_loaded(step: &Step, input: &RunInput<'_>) -> Option<Error> {
    let read = |source: &&SourceRelation| step.reads.contains(&source.name) || step.reads.contains(&source.raw);
    let source = input.checked.sources.iter().filter(read).find(|source| !input.given.contains_key(&source.raw))?;
    let error = Error::project(format!("{} reads {}, which no run has loaded yet", step.name, source.name));
    Some(error.at(step.rendered.start()).hint("run the pipeline that has this source in its `sources` first"))
}

/// The error for a step that would put together what was made for different business dates.
fn other_as_of(step: &Step, as_of: jiff::civil::Date, reads: &AllPrints) -> Option<Error> {
    if step.header.mixed_as_of {
        return None;
    }
    let (date, table) = reads.values().flat_map(|read| &read.as_of).find(|(date, _)| **date != as_of)?;
    let error = format!("{} would describe {as_of}, but {table}, which it reads, describes {date}", step.name);
    Some(Error::project(error).at(step.rendered.start()).hint(format!(
        "run the pipeline that makes {table} for {as_of} first, select it as well with `+{}`, run with `--as-of {date}`, \
         or write `mixed_as_of: true` in the header of the step",
        step.name
    )))
}

async fn one_step(
    engine: &Engine,
    step: &Step,
    input: &RunInput<'_>,
    mut inputs: Inputs,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> EndedStep {
    let begun = std::time::Instant::now();
    let made = match inputs.problem.take() {
        Some(problem) => Err(problem),
        None => make(engine, step, input, &inputs, lake, progress).await,
    };
    let tested = match &made {
        Ok(_) => test_step(engine, step, &|rule| !looks_elsewhere(rule, step, input.checked)).await,
        Err(_) => Ok(Vec::new()),
    };
    let (result, made, tests) = match (made, tested) {
        (Ok((result, made)), Ok(tests)) => (result, Some(made), tests),
        (Err(error), _) | (Ok(_), Err(error)) => (StepResult::Failed(error), None, Vec::new()),
    };
    let (rows, prints) = match &made {
        Some(Relation::Table(version)) => (version.rows(), Prints::of_table(&step.name, version)),
        Some(Relation::View(view)) => (0, Prints::of_view(engine, &step.name, view, &step.reads, &inputs.reads)),
        None => (0, Prints::default()),
    };
    let outcome = StepOutcome { name: step.name.clone(), result, rows, took: begun.elapsed() };
    EndedStep { outcome, tests, made, prints }
}

async fn make(
    engine: &Engine,
    step: &Step,
    input: &RunInput<'_>,
    inputs: &Inputs,
    lake: &dyn DataFiles,
    progress: &dyn Progress,
) -> Result<(StepResult, Relation)> {
    if step.header.materialize == Materialize::View {
        let view = view(step, input.as_of);
        register_view(engine, step, &view).await?;
        return Ok((StepResult::View, Relation::View(view)));
    }
    let version = |schema, files| TableVersion {
        as_of: inputs.as_of,
        definition: Some(definition_id(&step.undated_sql)),
        built_from: inputs.built_from.clone(),
        ..TableVersion::new(schema, files, inputs.fingerprint.clone())
    };
    let before = input.previous.get(&step.name);
    let may_reuse = !input.full_refresh || input.resumed.contains(&step.name);
    let reusable = before.filter(|v| v.fingerprint == inputs.fingerprint && may_reuse);
    if let Some(before) = reusable {
        let version = version(before.schema.clone(), before.files.clone());
        engine.register_files(&step.name, &version)?;
        return Ok((StepResult::Unchanged, Relation::Table(version)));
    }
    let written = |rows| progress.rows(&step.name, rows);
    let (schema, files) = materialise(engine, step, input.run_id, lake, &written).await?;
    let mut made = version(schema, files);
    // The same rows as before: the old files stay, and with them everything that was made from them. A full refresh
    // writes anew, for the old ones may be damaged.
    if let Some(before) = before.filter(|before| !input.full_refresh && before.rows_id() == made.rows_id()) {
        made.files.clone_from(&before.files);
    }
    engine.register_files(&step.name, &made)?;
    Ok((StepResult::Built, Relation::Table(made)))
}

/// A view as this run defines it.
fn view(step: &Step, as_of: jiff::civil::Date) -> ViewVersion {
    ViewVersion {
        sql: step.rendered.sql.clone(),
        as_of: step.is_dated().then_some(as_of),
        definition: Some(definition_id(&step.undated_sql)),
        reads: step.reads.clone(),
    }
}

/// The version of how definitions are made, in front of the hash of the SQL. Earlier ones are `2:` and without any.
const DEFINITION_VERSION: &str = "3";

/// What a release remembers of a step's SQL: the object that holds it without the business date.
pub fn definition_id(undated_sql: &str) -> String {
    format!("{DEFINITION_VERSION}:{}", digest([undated_sql]))
}

async fn register_view(engine: &Engine, step: &Step, view: &ViewVersion) -> Result<()> {
    let plan = engine.plan(&view.sql).await.map_err(|e| engine_error(step, e))?;
    engine.register_plan(&step.name, plan, &view.sql)
}

/// A step that was not selected, as the release has it, whatever its header says now. A view of the release that no
/// longer fits what it reads is defined as the project has it.
async fn keep(engine: &Engine, step: &Step, input: &RunInput<'_>) -> Result<Option<Relation>> {
    if let Some(version) = input.previous.get(&step.name) {
        engine.register_files(&step.name, version)?;
        return Ok(Some(Relation::Table(version.clone())));
    }
    if let Some((_, kept)) = input.previous_views.iter().find(|(name, _)| *name == step.name) {
        let present = view(step, input.as_of);
        let view = match engine.plan(&kept.sql).await {
            Ok(_) => kept.clone(),
            Err(error) => match engine.plan(&present.sql).await {
                Ok(_) => present,
                Err(_) => return Err(does_not_fit(step, &error.to_string())),
            },
        };
        register_view(engine, step, &view).await?;
        return Ok(Some(Relation::View(view)));
    }
    let read_by =
        |reader: &&TableName| input.checked.step(reader).is_some_and(|other| other.reads.contains(&step.name));
    let downstream = input.checked.graph.downstream(&step.name);
    let needed: Vec<&TableName> = downstream.iter().filter(|table| input.selected.contains(*table)).collect();
    match needed.iter().copied().find(read_by).or(needed.first().copied()) {
        // What it reads may be in no release either, unless a step of this run reads it.
        Some(_) if step.header.materialize == Materialize::View => {
            let view = view(step, input.as_of);
            register_view(engine, step, &view).await?;
            Ok(Some(Relation::View(view)))
        }
        Some(reader) => Err(Error::project(format!("{reader} reads {}, which is not in any release yet", step.name))
            .hint(format!("run the pipeline that makes it first, or select it as well: `+{reader}`"))),
        None => {
            engine.register_schema(&step.name, step.schema.clone())?;
            Ok(None)
        }
    }
}

/// The error for a view that is in the way of a run although the run leaves it alone.
fn does_not_fit(step: &Step, why: &str) -> Error {
    let name = &step.name;
    Error::project(format!("{name}, which this run leaves as the release has it, does not fit what it reads: {why}"))
        .hint(format!("run it as well: `--select {name}` together with what this run makes"))
}

/// Makes raw tables and the relations over them known; the fingerprints of all of them.
pub(super) async fn register_given(
    engine: &Engine,
    sources: &[SourceRelation],
    given: &BTreeMap<TableName, TableVersion>,
) -> Result<AllPrints> {
    let mut prints = AllPrints::new();
    for (name, version) in given {
        engine.register_files(name, version)?;
        prints.insert(name.clone(), Prints::of_table(name, version));
    }
    for source in sources {
        if !given.contains_key(&source.raw) {
            engine.register_schema(&source.raw, source.raw_schema.clone())?;
        } else if let Some(version) = given.get(&source.raw) {
            // A column the contract has gained since is read as NULL.
            let schema = widened(version, source);
            engine.register_files(&source.raw, &TableVersion { schema, ..version.clone() })?;
        }
        engine.register_view(&source.name, &source.sql).await?;
        let raw = prints.get(&source.raw).map_or("none", |raw| raw.rows.as_str());
        let rows = digest([raw, source.sql.as_str()]);
        prints.insert(source.name.clone(), Prints { rows, as_of: BTreeMap::new() });
    }
    Ok(prints)
}

/// The columns of a raw table together with those that its contract has gained since it was read; they are NULL.
pub fn widened(version: &TableVersion, source: &SourceRelation) -> arrow::datatypes::SchemaRef {
    let mut fields: Vec<_> = version.schema.fields().iter().cloned().collect();
    for field in source.raw_schema.fields() {
        if version.schema.field_with_name(field.name()).is_err() {
            fields.push(field.clone());
        }
    }
    std::sync::Arc::new(arrow::datatypes::Schema::new(fields))
}
