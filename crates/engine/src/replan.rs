//! All mistakes of a statement that cannot be planned, not only the first.
//!
//! Planning stops at an unknown function, and at the first clause with unknown columns. Each is replaced by a function
//! that takes anything and gives NULL, and the statement is planned again, until nothing new is found. From the second
//! time on only unknown names count: other errors may follow from the replacement.

use super::diagnose::{QueryProblem, diagnose, diagnose_one};
use super::patterns;
use arrow::datatypes::DataType;
use datafusion::common::{Column, SchemaError};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentList, FunctionArguments, Ident, ObjectName, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// More unknown names than this are not looked for.
const MAX_ROUNDS: usize = 50;

/// Why a statement cannot be planned: everything that the first error tells of, and the unknown names behind it.
pub async fn problems_of_planning(
    state: &SessionState,
    mut statement: Statement,
    first: DataFusionError,
    sql: &str,
) -> Vec<QueryProblem> {
    let mut problems = diagnose(&first, sql);
    let mut state = state.clone();
    let mut error = first;
    for _ in 0..MAX_ROUNDS {
        if !replace_unknown(&error, &mut state, &mut statement) {
            break;
        }
        match state.statement_to_plan(statement.clone()).await {
            Ok(_) => break,
            Err(next) => error = next,
        }
        for one in error.iter().filter(|one| unknown_name(one).is_some()) {
            let found = diagnose_one(one, sql);
            if !problems.iter().any(|p| p.message == found.message && p.spot == found.spot) {
                problems.push(found);
            }
        }
    }
    problems.sort_by_key(|p| p.spot.map(|spot| (spot.line, spot.column)));
    problems
}

/// A name that planning does not know.
enum Unknown<'a> {
    Function(String),
    Column(&'a Column),
}

fn unknown_name(error: &DataFusionError) -> Option<Unknown<'_>> {
    match error.find_root() {
        DataFusionError::Plan(text) => {
            patterns::UNKNOWN_FUNCTION.captures(text).map(|parts| Unknown::Function(parts[1].to_string()))
        }
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } => Some(Unknown::Column(field)),
            _ => None,
        },
        _ => None,
    }
}

/// Puts something known in the place of every unknown name of an error; whether there was one.
fn replace_unknown(error: &DataFusionError, state: &mut SessionState, statement: &mut Statement) -> bool {
    let mut replaced = false;
    for unknown in error.iter().filter_map(unknown_name) {
        match unknown {
            Unknown::Function(name) => replaced |= add_function(state, name),
            Unknown::Column(column) => {
                let Statement::Statement(inner) = statement else { return false };
                let stand_in = format!("unknown_column_{}", column.flat_name().replace('.', "_"));
                let mut replacement = Replacement { column, stand_in: &stand_in, count: 0 };
                let _ = inner.visit(&mut replacement);
                if replacement.count > 0 {
                    add_function(state, stand_in);
                    replaced = true;
                }
            }
        }
    }
    replaced
}

/// Whether a function that stands for an unknown one could be added.
fn add_function(state: &mut SessionState, name: String) -> bool {
    if state.udf(&name).is_ok() {
        return false;
    }
    let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Volatile);
    state.register_udf(Arc::new(ScalarUDF::from(StandIn { name, signature }))).is_ok()
}

struct Replacement<'a> {
    column: &'a Column,
    stand_in: &'a str,
    count: usize,
}

impl VisitorMut for Replacement<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let (table, name) = match &*expr {
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, name] => (Some(table), name),
                _ => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        let given_table = self.column.relation.as_ref().map(|r| r.table());
        if normalised(name) == self.column.name && table.map(normalised).as_deref() == given_table {
            *expr = call(self.stand_in);
            self.count += 1;
        }
        ControlFlow::Continue(())
    }
}

fn normalised(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

fn call(name: &str) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: Vec::new(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A function that takes anything and gives NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct StandIn {
    name: String,
    signature: Signature,
}

impl ScalarUDFImpl for StandIn {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Null)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Null))
    }
}
