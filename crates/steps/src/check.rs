//! Everything that can be wrong in the SQL, found before any row is read.
//!
//! Steps are rendered and parsed, put in order by what they read, and planned one after the other against tables of
//! which only the columns are known: the sources' from their contracts, the steps' from their own plans. The plan is
//! then optimised, because types are settled only there. Each step is parsed and planned once.

use super::graph::{Cycle, Graph, Selectable};
use super::header;
use super::references::{Reference, parse, references};
use super::render::{Rendered, Renderer, RunContext, nearest, suggest_table};
use super::template::Template;
use crate::contract::{SourceTable, TableName};
use crate::engine::{
    self, Engine, EngineSettings, diagnose, history_schema, history_view_sql, source_schema, source_view_sql,
    spot_of_type_error,
};
use crate::error::{Error, Problems, Result};
use crate::lake::lake_schema;
use crate::project::{Materialize, Project, Severity, SqlFile, StepHeader, TextFile, Unread};
use arrow::datatypes::SchemaRef;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use minijinja::value::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Changes when what a step's files look like changes without its SQL: then every step is computed again.
const FORMAT_VERSION: &str = "perennial step 1";

/// What a project is checked against.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Columns of raw tables that were accepted beyond the contract, as the last release has them.
    pub accepted_columns: BTreeMap<TableName, Vec<String>>,
    /// Tables that no step makes and no source fills (`system.*`), and their columns.
    pub other_tables: BTreeMap<TableName, SchemaRef>,
}

/// A step that is right.
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
}

/// A query whose rows are faults, and that is right.
#[derive(Clone, Debug)]
pub struct TestQuery {
    /// `tests.<name>`.
    pub name: TableName,
    /// What a fault does.
    pub severity: Severity,
    /// Its SQL, with the way back to the file.
    pub rendered: Rendered,
    /// The tables it reads.
    pub reads: BTreeSet<TableName>,
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

/// A project whose SQL was looked at. Steps with a problem are not among its steps.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Steps, each after those it reads.
    pub steps: Vec<Step>,
    /// Tests.
    pub tests: Vec<TestQuery>,
    /// Tables of sources.
    pub sources: Vec<SourceRelation>,
    /// Who reads whom; broken steps included.
    pub graph: Graph,
}

impl Checked {
    /// A step by its name.
    pub fn step(&self, name: &TableName) -> Option<&Step> {
        self.steps.iter().find(|s| s.name == *name)
    }

    /// What selections go by.
    pub fn selectable(&self) -> Vec<Selectable> {
        let one = |s: &Step| Selectable {
            name: s.name.clone(),
            tags: s.header.tags.clone(),
            path: s.file.below_root().to_string(),
        };
        self.steps.iter().map(one).collect()
    }

    /// The steps that words select; see [`super::select`].
    pub fn select(&self, words: &[String], exclude: &[String]) -> Result<BTreeSet<TableName>> {
        super::select(words, exclude, &self.selectable(), &self.graph)
    }
}

/// A query outside of the steps that is right, as reports have them.
#[derive(Clone, Debug)]
pub struct CheckedQuery {
    /// Its SQL, with the way back to the file.
    pub rendered: Rendered,
    /// The tables it reads.
    pub reads: BTreeSet<TableName>,
}

/// Plans queries against tables of which only the columns are known.
pub struct Checker {
    engine: Engine,
    state: SessionState,
    renderer: Renderer,
    /// What files with problems of their own would have brought.
    unread: Unread,
    known: BTreeSet<TableName>,
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
    around: &Surroundings,
) -> Result<(Checked, Checker, Problems)> {
    let (renderer, mut problems) = Renderer::new(project, context);
    let settings = EngineSettings { time_zone: project.time_zone.clone(), threads: 1, ..EngineSettings::default() };
    let engine = Engine::for_check(settings)?;
    let state = engine.state();
    let unread = project.unread.clone();
    let mut checker = Checker { engine, state, renderer, unread, known: BTreeSet::new(), broken: BTreeSet::new() };
    let mut checked = Checked { sources: checker.add_sources(project, around)?, ..Checked::default() };
    for (name, schema) in &around.other_tables {
        checker.add(name, schema.clone())?;
    }
    checker.steps(project, &mut checked, &mut problems).await?;
    for step in &checked.steps {
        header::check(&checker, step, &mut problems).await;
    }
    checker.tests(project, &mut checked, &mut problems).await;
    for file in &project.step_tests {
        super::step_tests::check(file, &checked, &checker.broken, &mut problems);
    }
    Ok((checked, checker, problems))
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

    fn add_sources(&mut self, project: &Project, around: &Surroundings) -> Result<Vec<SourceRelation>> {
        let mut relations = Vec::new();
        for source in &project.sources {
            for table in &source.tables {
                for relation in source_relations(&source.name, table, around) {
                    self.add(&relation.raw, relation.raw_schema.clone())?;
                    self.add(&relation.name, relation.schema.clone())?;
                    relations.push(relation);
                }
            }
        }
        Ok(relations)
    }

    async fn steps(&mut self, project: &Project, checked: &mut Checked, problems: &mut Problems) -> Result<()> {
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
        let rendered = self.renderer.render(template, Value::UNDEFINED).map_err(|e| vec![e])?;
        let statement = parse(&self.state, &rendered)?;
        let references = references(&self.state, &statement).map_err(|e| vec![e])?;
        Ok(Parsed { file, rendered, statement, references })
    }

    /// Plans a step; `None` when something it reads is broken.
    async fn step(&self, parsed: Parsed<'_>) -> Result<Option<Step>, Vec<Error>> {
        let Parsed { file, rendered, statement, references } = parsed;
        let Some(schema) = self.plan(&rendered, statement, &references).await? else { return Ok(None) };
        let schema = lake_schema(&file.name, &schema).map_err(|e| {
            let spot = engine::spot_named(e.message(), &rendered.sql);
            vec![e.at(spot.map_or_else(|| rendered.start(), |spot| rendered.place(spot)))]
        })?;
        let definition = definition(&rendered.sql, file.header.materialize);
        Ok(Some(Step {
            name: file.name.clone(),
            file: file.file.clone(),
            header: file.header.clone(),
            reads: tables_of(&references),
            rendered,
            schema,
            definition,
        }))
    }

    async fn tests(&self, project: &Project, checked: &mut Checked, problems: &mut Problems) {
        for file in &project.tests {
            let template = Template::rest_of(&file.file, file.body);
            match self.query(template, Value::UNDEFINED).await {
                Ok(Some(query)) => checked.tests.push(TestQuery {
                    name: file.name.clone(),
                    severity: file.header.severity,
                    rendered: query.rendered,
                    reads: query.reads,
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
        let rendered = self.renderer.render(template, more).map_err(|e| vec![e])?;
        let statement = parse(&self.state, &rendered)?;
        let references = references(&self.state, &statement).map_err(|e| vec![e])?;
        let planned = self.plan(&rendered, statement, &references).await?;
        Ok(planned.map(|_| CheckedQuery { reads: tables_of(&references), rendered }))
    }

    async fn plan(
        &self,
        rendered: &Rendered,
        statement: Statement,
        references: &[Reference],
    ) -> Result<Option<SchemaRef>, Vec<Error>> {
        let unknown: Vec<Error> = references.iter().filter_map(|r| self.unknown_table(r, rendered)).collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if references.iter().filter_map(|r| r.table.as_ref()).any(|t| self.is_broken(t)) {
            return Ok(None);
        }
        let sql = &rendered.sql;
        let place_all =
            |error| diagnose(&error, sql).into_iter().map(|found| rendered.error(found)).collect::<Vec<_>>();
        let plan = self.state.statement_to_plan(statement).await.map_err(place_all)?;
        if engine::only_reads(&plan).is_err() {
            return Err(vec![
                Error::project("a step is a query and changes nothing itself")
                    .at(rendered.start())
                    .hint("write a SELECT; its rows become the table"),
            ]);
        }
        let optimised = self.state.optimize(&plan).map_err(|error| {
            let mut found = diagnose(&error, sql);
            for one in &mut found {
                one.spot = one.spot.or_else(|| spot_of_type_error(&plan));
            }
            found.into_iter().map(|one| rendered.error(one)).collect::<Vec<_>>()
        })?;
        if let Some(found) = engine::uncomputable_subquery(&optimised, sql) {
            return Err(vec![rendered.error(found)]);
        }
        // The types are those of the analysed plan: before it, `CASE WHEN x THEN 0 ELSE 0.5 END` counts as a whole number.
        Ok(Some(optimised.schema().inner().clone()))
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
    let error = Error::project(format!("steps read one another in a circle: {cycle}"))
        .hint("take the common part out into a step of its own");
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

fn accepted_of<'a>(raw: &TableName, around: &'a Surroundings) -> &'a [String] {
    around.accepted_columns.get(raw).map_or(&[], Vec::as_slice)
}

/// The newest row of each key, and where the contract wants it every version of every row.
fn source_relations(source: &str, table: &SourceTable, around: &Surroundings) -> Vec<SourceRelation> {
    let raw = TableName::raw(source, &table.name);
    let accepted = accepted_of(&raw, around);
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

fn definition(sql: &str, materialize: Materialize) -> String {
    hash([FORMAT_VERSION, &format!("{materialize:?}"), sql])
}

/// SHA-256 over parts, each with its length, in hexadecimal.
pub(super) fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    format!("{:x}", digest.finalize())
}
