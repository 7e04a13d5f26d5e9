//! Which tables a statement reads, and where it names them.

use super::render::Rendered;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Spanned, TableFactor, Visit, Visitor};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use perennial_engine::{CATALOG, Spot, diagnose, is_blank, second_statement, too_deep};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A table's name as it stands in a query.
#[derive(Clone, Debug)]
pub struct Reference {
    /// As written.
    pub written: String,
    /// Schema and name, where both are given.
    pub table: Option<TableName>,
    /// Where.
    pub spot: Option<Spot>,
}

/// Parses rendered SQL: one statement.
pub fn parse(state: &SessionState, rendered: &Rendered) -> Result<Statement, Vec<Error>> {
    if is_blank(&rendered.sql) {
        return Err(vec![Error::project("the file has no SQL").at(rendered.start())]);
    }
    if let Some(second) = second_statement(&rendered.sql) {
        return Err(vec![
            Error::project("only one statement is allowed per file")
                .at(rendered.place(second))
                .hint("a file holds one query; use WITH for intermediate results"),
        ]);
    }
    if let Some(found) = too_deep(&rendered.sql) {
        return Err(vec![rendered.error(found)]);
    }
    let dialect = state.config().options().sql_parser.dialect;
    let parsed = state.sql_to_statement(&rendered.sql, &dialect);
    parsed.map_err(|e| diagnose(&e, &rendered.sql).into_iter().map(|found| rendered.error(found)).collect())
}

/// The tables a statement reads, in the order of their names, each at its first place. Names of CTEs and table
/// functions are not among them.
pub fn references(state: &SessionState, statement: &Statement) -> Result<Vec<Reference>> {
    let outside =
        state.resolve_table_references(statement).map_err(|e| perennial_engine::failure(e, "cannot read names"))?;
    let outside: BTreeSet<Vec<String>> = outside.iter().map(|r| r.to_vec()).collect();
    let mut names = Names::default();
    if let Statement::Statement(statement) = statement {
        let _ = statement.visit(&mut names);
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for name in names.relations {
        let parts = parts_of(&name);
        if outside.contains(&parts) && !names.functions.contains(&parts) && seen.insert(parts.clone()) {
            found.push(Reference { written: name.to_string(), table: table_name(&parts), spot: spot_of(&name) });
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Names {
    relations: Vec<ObjectName>,
    functions: BTreeSet<Vec<String>>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.relations.push(relation.clone());
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            self.functions.insert(parts_of(name));
        }
        ControlFlow::Continue(())
    }
}

fn parts_of(name: &ObjectName) -> Vec<String> {
    let plain =
        |ident: &Ident| if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() };
    name.0.iter().filter_map(|part| part.as_ident()).map(plain).collect()
}

fn table_name(parts: &[String]) -> Option<TableName> {
    match parts {
        [schema, name] => Some(TableName::new(schema, name)),
        [catalog, schema, name] if catalog == CATALOG => Some(TableName::new(schema, name)),
        _ => None,
    }
}

fn spot_of(name: &ObjectName) -> Option<Spot> {
    let span = name.span();
    let width = (span.end.column.saturating_sub(span.start.column) as usize).max(1);
    (span.start.line > 0).then_some(Spot { line: span.start.line as usize, column: span.start.column as usize, width })
}
