//! Everything that can be wrong in the SQL, found before any row is read.
//!
//! Steps are rendered and parsed, put in order by what they read, and planned one after the other against tables of
//! which only the columns are known: the sources' from their contracts, the steps' from their own plans. The plan is
//! then optimised, because types are settled only there. Each step is parsed and planned once.

use super::graph::{Cycle, Graph, Selectable};
use super::header;
use super::references::{Reference, parse, references};
use super::render::{Rendered, Renderer, RunContext, UNDATED, nearest, suggest_table};
use super::template::Template;
use arrow::datatypes::SchemaRef;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use minijinja::value::Value;
use perennial_core::contract::{SourceTable, TableName};
use perennial_core::digest::digest;
use perennial_core::error::{Error, Problems, Result};
use perennial_engine::{
    Engine, EngineSettings, Origin, QueryProblem, analysed, diagnose, failing_casts, history_schema, history_view_sql,
    mistaken_time_patterns, mistyped_comparisons, only_reads, origins, problems_of_planning, problems_of_run,
    source_schema, source_view_sql, spot_named, spot_of_type_error, uncomputable_subquery,
};
use perennial_lake::lake_schema;
use perennial_project::{Project, Severity, SqlFile, StepHeader, TextFile, Unread};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// To be raised when the same SQL makes other files: then every step is computed again.
const FORMAT_VERSION: &str = "perennial step 2";

/// What a project's SQL is checked against, besides its own contracts.
#[derive(Clone, Debug, Default)]
pub struct CheckInput {
    /// Columns of raw tables that were accepted beyond the contract, as the last release has them.
    pub accepted_columns: BTreeMap<TableName, Vec<String>>,
    /// Tables that no step makes and no source fills (`system.*`), and their columns.
    pub other_tables: BTreeMap<TableName, SchemaRef>,
}

/// A step without problems: a query whose rows become a table; dbt calls it a model.
#[derive(Clone, Debug)]
pub struct Step {
    /// The table it makes.
    pub name: TableName,
    /// Its file.
    pub file: TextFile,
    /// Its header.
    pub header: StepHeader,
    /// Its SQL, with the way back to the file.
    pub rendered: Rendered,
    /// The columns it gives, in the types the lake keeps.
    pub schema: SchemaRef,
    /// The tables it reads.
    pub reads: BTreeSet<TableName>,
    /// Hash of its SQL and of how it is kept; not of what it reads.
    pub definition: String,
    /// Its SQL with a placeholder for the business date, so that it changes only with the project.
    pub undated_sql: String,
    /// Those of its columns that are computed from personal ones; their values are not shown.
    pub personal: BTreeSet<String>,
}

impl Step {
    /// Whether its own SQL names the business date.
    pub fn is_dated(&self) -> bool {
        self.rendered.sql != self.undated_sql
    }
}

/// A query whose rows are failures, without problems.
#[derive(Clone, Debug)]
pub struct TestQuery {
    /// `tests.<name>`.
    pub name: TableName,
    /// What a failure does.
    pub severity: Severity,
    /// Its SQL, with the way back to the file.
    pub rendered: Rendered,
    /// The tables it reads.
    pub reads: BTreeSet<TableName>,
    /// Those of its columns that are computed from personal ones; their values are not shown.
    pub personal: BTreeSet<String>,
}

/// A table of a source as steps see it.
#[derive(Clone, Debug)]
pub struct SourceRelation {
    /// `raw.*`.
    pub raw: TableName,
    /// `source.*`.
    pub name: TableName,
    /// Columns of the raw table, origin columns included.
    pub raw_schema: SchemaRef,
    /// Columns of the relation.
    pub schema: SchemaRef,
    /// The query behind `source.*`.
    pub sql: String,
}

/// The SQL of a project, checked. Steps with a problem are not among its steps.
#[derive(Clone, Debug, Default)]
pub struct CheckedSql {
    /// Steps, each after those it reads.
    pub steps: Vec<Step>,
    /// Tests.
    pub tests: Vec<TestQuery>,
    /// Tables of sources.
    pub sources: Vec<SourceRelation>,
    /// Who reads whom; broken steps included.
    pub graph: Graph,
}

impl CheckedSql {
    /// A step by its name.
    pub fn step(&self, name: &TableName) -> Option<&Step> {
        self.steps.iter().find(|s| s.name == *name)
    }

    /// What selections are matched with.
    fn selectable(&self) -> Vec<Selectable> {
        let one = |s: &Step| Selectable {
            name: s.name.clone(),
            tags: s.header.tags.clone(),
            path: s.file.below_root().to_string(),
        };
        self.steps.iter().map(one).collect()
    }

    /// The steps that a selection names; see [`super::graph::select`].
    pub fn select(&self, words: &[String], exclude: &[String]) -> Result<BTreeSet<TableName>> {
        super::graph::select(words, exclude, &self.selectable(), &self.graph)
    }
}

/// A query outside of the steps, as reports have them, without problems.
#[derive(Clone, Debug)]
pub struct CheckedQuery {
    /// Its SQL, with the way back to the file.
    pub rendered: Rendered,
    /// The tables it reads.
    pub reads: BTreeSet<TableName>,
    /// Its columns.
    pub schema: SchemaRef,
    /// Those of its columns that are computed from personal ones.
    pub personal: BTreeSet<String>,
}

/// A query that was planned.
struct Planned {
    schema: SchemaRef,
    /// Those of its columns that are computed from personal ones.
    personal: BTreeSet<String>,
}

/// Plans queries against tables of which only the columns are known.
pub struct Checker {
    engine: Engine,
    state: SessionState,
    renderer: Renderer,
    /// Renders a placeholder for the business date.
    undated: Renderer,
    /// What files with problems of their own would have brought.
    unread: Unread,
    known: BTreeSet<TableName>,
    /// The columns of tables that hold personal data: by the contracts, and computed from such.
    personal: BTreeSet<Origin>,
    /// Steps with a problem; who reads them is not reported again.
    broken: BTreeSet<TableName>,
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker").field("known", &self.known).finish_non_exhaustive()
    }
}

/// Checks all SQL of a project. The checker returned goes on to check queries of reports.
///
/// # Errors
/// Only of the engine itself; everything wrong in the project is in the problems, which may be empty.
pub async fn check(
    project: &Project,
    context: &RunContext,
    input: &CheckInput,
) -> Result<(CheckedSql, Checker, Problems)> {
    let (renderer, mut problems) = Renderer::new(project, context);
    let undated = Renderer::undated(project, context);
    let settings = EngineSettings {
        time_zone: project.time_zone.clone(),
        calendars: project.calendars.clone(),
        threads: 1,
        ..EngineSettings::default()
    };
    let engine = Engine::for_check(settings)?;
    let state = engine.state();
    let unread = project.unread.clone();
    let mut checker = Checker {
        engine,
        state,
        renderer,
        undated,
        unread,
        known: BTreeSet::new(),
        personal: BTreeSet::new(),
        broken: BTreeSet::new(),
    };
    let mut checked = CheckedSql { sources: checker.add_sources(project, input)?, ..CheckedSql::default() };
    for (name, schema) in &input.other_tables {
        checker.add(name, schema.clone())?;
    }
    checker.steps(project, &mut checked, &mut problems).await?;
    for step in &checked.steps {
        header::check(&checker, step, &mut problems).await;
    }
    checker.tests(project, &mut checked, &mut problems).await;
    for test in &project.step_tests {
        super::step_tests::check(test, &checked, &|step| checker.is_broken(step), &mut problems);
    }
    Ok((checked, checker, distinct(problems)))
}

/// The same problem of a macro is found once for every caller.
fn distinct(problems: Problems) -> Problems {
    let mut kept: Vec<Error> = Vec::new();
    for problem in problems {
        if !kept.iter().any(|known| known.place().is_some() && known.to_string() == problem.to_string()) {
            kept.push(problem);
        }
    }
    let mut distinct = Problems::new();
    kept.into_iter().for_each(|problem| distinct.push(problem));
    distinct
}

struct Parsed<'a> {
    file: &'a SqlFile,
    rendered: Rendered,
    statement: Statement,
    references: Vec<Reference>,
}

impl Checker {
    fn add(&mut self, name: &TableName, schema: SchemaRef) -> Result<()> {
        self.known.insert(name.clone());
        self.engine.register_schema(name, schema)
    }

    fn add_sources(&mut self, project: &Project, input: &CheckInput) -> Result<Vec<SourceRelation>> {
        let mut relations = Vec::new();
        for source in &project.sources {
            for table in &source.tables {
                for relation in source_relations(&source.name, table, input) {
                    self.add(&relation.raw, relation.raw_schema.clone())?;
                    self.add(&relation.name, relation.schema.clone())?;
                    for column in table.columns.iter().filter(|column| column.personal) {
                        self.personal.insert((relation.raw.clone(), column.name.clone()));
                        self.personal.insert((relation.name.clone(), column.name.clone()));
                    }
                    relations.push(relation);
                }
            }
        }
        Ok(relations)
    }

    async fn steps(&mut self, project: &Project, checked: &mut CheckedSql, problems: &mut Problems) -> Result<()> {
        let makes: BTreeSet<TableName> = project.steps.iter().map(|s| s.name.clone()).collect();
        self.known.extend(makes.iter().cloned());
        let mut parsed = BTreeMap::new();
        for file in &project.steps {
            match self.parse(file) {
                Ok(one) => {
                    parsed.insert(file.name.clone(), one);
                }
                Err(errors) => {
                    self.broken.insert(file.name.clone());
                    errors.into_iter().for_each(|e| problems.push(e));
                }
            }
        }
        let mut reads: BTreeMap<TableName, BTreeSet<TableName>> =
            parsed.iter().map(|(name, one)| (name.clone(), tables_of(&one.references))).collect();
        for name in makes {
            reads.entry(name).or_default();
        }
        let (graph, cycles) = Graph::new(reads);
        for cycle in cycles {
            problems.push(cycle_error(&cycle, &parsed));
        }
        for name in &graph.order().to_vec() {
            let Some(one) = parsed.remove(name) else { continue };
            match self.step(one).await {
                Ok(Some(step)) => {
                    self.engine.register_schema(name, step.schema.clone())?;
                    self.personal.extend(step.personal.iter().map(|column| (name.clone(), column.clone())));
                    checked.steps.push(step);
                }
                Ok(None) => {
                    self.broken.insert(name.clone());
                }
                Err(errors) => {
                    self.broken.insert(name.clone());
                    errors.into_iter().for_each(|e| problems.push(e));
                }
            }
        }
        self.broken.extend(parsed.into_keys());
        checked.graph = graph;
        Ok(())
    }

    fn parse<'a>(&self, file: &'a SqlFile) -> Result<Parsed<'a>, Vec<Error>> {
        let template = Template::rest_of(&file.file, file.body);
        let rendered = self.renderer.render(template, Value::UNDEFINED)?;
        let statement = parse(&self.state, &rendered)?;
        let references = references(&self.state, &statement).map_err(|e| vec![e])?;
        Ok(Parsed { file, rendered, statement, references })
    }

    /// Plans a step; `None` when something it reads is broken.
    async fn step(&self, parsed: Parsed<'_>) -> Result<Option<Step>, Vec<Error>> {
        let Parsed { file, rendered, statement, references } = parsed;
        let Some(planned) = self.plan(&rendered, statement, &references).await? else { return Ok(None) };
        let schema = lake_schema(&file.name, &planned.schema).map_err(|e| {
            let spot = spot_named(e.message(), &rendered.sql);
            vec![e.at(spot.map_or_else(|| rendered.start(), |spot| rendered.place(spot)))]
        })?;
        let definition = definition(&rendered.sql, &file.header);
        // A template that needs a real date to be rendered is held to name it.
        let undated = self.undated.render(Template::rest_of(&file.file, file.body), Value::UNDEFINED);
        let undated_sql = undated.map_or_else(|_| format!("{UNDATED}: {}", rendered.sql), |undated| undated.sql);
        Ok(Some(Step {
            name: file.name.clone(),
            file: file.file.clone(),
            header: file.header.clone(),
            reads: tables_of(&references),
            rendered,
            schema,
            definition,
            undated_sql,
            personal: planned.personal,
        }))
    }

    async fn tests(&self, project: &Project, checked: &mut CheckedSql, problems: &mut Problems) {
        for file in &project.tests {
            let template = Template::rest_of(&file.file, file.body);
            match self.query(template, Value::UNDEFINED).await {
                Ok(Some(query)) => checked.tests.push(TestQuery {
                    name: file.name.clone(),
                    severity: file.header.severity,
                    rendered: query.rendered,
                    reads: query.reads,
                    personal: query.personal,
                }),
                Ok(None) => {}
                Err(found) => problems.extend(found),
            }
        }
    }

    /// Checks a query that stands in a file: a test's, or one of a report's header ([`Template::block`]). `more` are
    /// its own variables. `None` when something it reads has a problem of its own, which was reported already.
    ///
    /// # Errors
    /// Every problem found, at its place in the file.
    pub async fn query(&self, template: Template, more: Value) -> Result<Option<CheckedQuery>, Problems> {
        self.query_or_errors(template, more).await.map_err(|errors| {
            let mut problems = Problems::new();
            errors.into_iter().for_each(|e| problems.push(e));
            problems
        })
    }

    async fn query_or_errors(&self, template: Template, more: Value) -> Result<Option<CheckedQuery>, Vec<Error>> {
        let rendered = self.renderer.render(template, more)?;
        let statement = parse(&self.state, &rendered)?;
        let references = references(&self.state, &statement).map_err(|e| vec![e])?;
        let planned = self.plan(&rendered, statement, &references).await?;
        Ok(planned.map(|Planned { schema, personal }| CheckedQuery {
            reads: tables_of(&references),
            schema,
            personal,
            rendered,
        }))
    }

    async fn plan(
        &self,
        rendered: &Rendered,
        statement: Statement,
        references: &[Reference],
    ) -> Result<Option<Planned>, Vec<Error>> {
        let unknown: Vec<Error> = references.iter().filter_map(|r| self.unknown_table(r, rendered)).collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if references.iter().filter_map(|r| r.table.as_ref()).any(|t| self.is_broken(t)) {
            return Ok(None);
        }
        let sql = &rendered.sql;
        let errors = |mut problems: Vec<QueryProblem>| {
            problems.sort_by_key(|one| one.spot.map(|spot| (spot.line, spot.column)));
            problems.into_iter().map(|one| rendered.error(one)).collect::<Vec<_>>()
        };
        let plan = match self.state.statement_to_plan(statement.clone()).await {
            Ok(plan) => plan,
            Err(error) => return Err(errors(problems_of_planning(&self.state, statement, error, sql).await)),
        };
        if only_reads(&plan).is_err() {
            return Err(vec![
                Error::project("a step must be a query")
                    .at(rendered.start())
                    .hint("write a SELECT; its rows become the table"),
            ]);
        }
        let mut problems = mistyped_comparisons(&plan);
        let has_mistyped = !problems.is_empty();
        problems.extend(mistaken_time_patterns(&plan, sql));
        let optimised = match self.state.optimize(&plan) {
            Ok(optimised) => optimised,
            Err(error) => {
                // The optimiser stops at its first error; the analysed plan tells the others.
                let analysed = analysed(&self.state, &plan);
                let casts = analysed.iter().flat_map(|p| failing_casts(&self.state, p, sql)).collect::<Vec<_>>();
                let mut found = diagnose(&error, sql);
                // A cast is among those above, a comparison among the mistyped ones, in better words.
                found.retain(|one| casts.is_empty() && !(has_mistyped && one.of_a_comparison));
                for one in &mut found {
                    one.spot = one.spot.or_else(|| spot_of_type_error(&plan));
                }
                problems.extend(found);
                problems.extend(casts);
                problems.extend(analysed.iter().flat_map(|p| problems_of_run(&self.state, p, sql)));
                return Err(errors(problems));
            }
        };
        match uncomputable_subquery(&optimised, sql) {
            Some(found) => problems.push(found),
            None => problems.extend(problems_of_run(&self.state, &optimised, sql)),
        }
        if !problems.is_empty() {
            return Err(errors(problems));
        }
        // The types are those of the analysed plan: before it, `CASE WHEN x THEN 0 ELSE 0.5 END` is a whole number.
        let schema = optimised.schema().inner().clone();
        let is_personal = |origins: &BTreeSet<Origin>| !origins.is_disjoint(&self.personal);
        let columns = schema.fields().iter().zip(origins(&plan)).filter(|(_, origins)| is_personal(origins));
        let personal = columns.map(|(field, _)| field.name().clone()).collect();
        Ok(Some(Planned { schema, personal }))
    }

    fn unknown_table(&self, reference: &Reference, rendered: &Rendered) -> Option<Error> {
        match &reference.table {
            Some(table) if self.known.contains(table) || self.unread.may_hold(table) => return None,
            Some(table) if table.schema == "information_schema" => return None,
            _ => {}
        }
        let place = reference.spot.map_or_else(|| rendered.start(), |spot| rendered.place(spot));
        let error = Error::project(format!("unknown table `{}`", reference.written)).at(place);
        let names: Vec<String> = self.known.iter().map(TableName::to_string).collect();
        if reference.table.is_none() && nearest(&reference.written, &names).is_none() {
            return Some(error.hint("write tables as `schema.name`"));
        }
        Some(suggest_table(error, &reference.written, &names))
    }

    pub(super) fn is_broken(&self, table: &TableName) -> bool {
        self.broken.contains(table) || self.unread.may_hold(table)
    }

    pub(super) fn known(&self) -> &BTreeSet<TableName> {
        &self.known
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
}

fn tables_of(references: &[Reference]) -> BTreeSet<TableName> {
    references.iter().filter_map(|r| r.table.clone()).collect()
}

fn cycle_error(cycle: &Cycle, parsed: &BTreeMap<TableName, Parsed<'_>>) -> Error {
    let error = Error::project(format!("dependency cycle between steps: {cycle}"))
        .hint("move the common part to a step of its own");
    let next = cycle.0.get(1).or(cycle.0.first());
    let place = cycle.0.first().and_then(|first| parsed.get(first)).and_then(|one| {
        let reference = one.references.iter().find(|r| r.table.as_ref() == next)?;
        Some(reference.spot.map_or_else(|| one.rendered.start(), |spot| one.rendered.place(spot)))
    });
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

fn accepted_of<'a>(raw: &TableName, input: &'a CheckInput) -> &'a [String] {
    input.accepted_columns.get(raw).map_or(&[], Vec::as_slice)
}

/// The newest row of each key, and where the contract wants it every version of every row.
fn source_relations(source: &str, table: &SourceTable, input: &CheckInput) -> Vec<SourceRelation> {
    let raw = TableName::raw(source, &table.name);
    let accepted = accepted_of(&raw, input);
    let newest = SourceRelation {
        name: TableName::source(source, &table.name),
        raw_schema: source_schema(table, accepted, true),
        schema: source_schema(table, accepted, false),
        sql: source_view_sql(&raw, table, accepted),
        raw: raw.clone(),
    };
    let history = table.history.then(|| SourceRelation {
        name: TableName::history(source, &table.name),
        raw_schema: newest.raw_schema.clone(),
        schema: history_schema(table, accepted),
        sql: history_view_sql(&raw, table, accepted),
        raw,
    });
    std::iter::once(newest).chain(history).collect()
}

/// Hash of a step's SQL and of how its rows are kept. A new key of headers does not compile until somebody says here
/// whether the table follows from it.
fn definition(sql: &str, header: &StepHeader) -> String {
    let StepHeader { materialize, description: _, grain: _, tags: _, severity: _, columns: _, mixed_as_of: _ } = header;
    digest([FORMAT_VERSION, materialize.as_str(), sql])
}
