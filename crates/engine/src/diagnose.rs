//! DataFusion's errors as an analyst reads them, with the place in the query.
//!
//! Most name a span. Syntax errors carry it in their text; for those that have neither (types of arguments, casts of
//! literals, aggregates in `WHERE`), the words of the message are looked for among the tokens of the query.

use super::display_type;
use super::other_engines::{instead_of_function, instead_of_syntax, instead_of_type};
use super::patterns;
use super::spots::{Spot, last_spot, names, second_statement, spot_named, spot_of, spots_of_value, tokens_of};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{Column, Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};
use perennial_core::error::{Error, Kind, Place, closest, suggestion};
use perennial_functions::{FUNCTIONS, Overflow, TooLarge};
use std::fmt::Display;

/// One problem of a query.
#[derive(Clone, Debug)]
pub struct QueryProblem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where, if that could be found out.
    pub spot: Option<Spot>,
    /// The mistake is in the query's text, not in the data, the store or the engine.
    pub of_the_query: bool,
    /// Two types cannot be compared, as [`super::mistyped_comparisons`] says in better words.
    pub of_a_comparison: bool,
    /// The hint is a name much like the one that is unknown.
    pub(super) near: bool,
}

impl QueryProblem {
    pub(super) fn new(message: impl Into<String>) -> QueryProblem {
        QueryProblem {
            message: message.into(),
            hint: None,
            spot: None,
            of_the_query: true,
            of_a_comparison: false,
            near: false,
        }
    }

    /// As an error without a place. `doing` is what the query is for.
    pub(crate) fn error(&self, kind: Kind, doing: Option<&dyn Display>) -> Error {
        let message = match doing {
            Some(doing) => format!("{doing}: {}", self.message),
            None => self.message.clone(),
        };
        match &self.hint {
            Some(hint) => Error::new(kind, message).hint(hint.clone()),
            None => Error::new(kind, message),
        }
    }

    /// As an error of a query that stands in no file.
    pub(crate) fn error_in(self, kind: Kind, name: &str, sql: &str) -> Error {
        let error = self.error(kind, None);
        match self.spot {
            Some(spot) => error.at(Place::at(name, sql, spot.line, spot.column).with_width(spot.width)),
            None => error,
        }
    }
}

/// All problems that an error of planning tells of, in their order.
pub fn diagnose(error: &DataFusionError, sql: &str) -> Vec<QueryProblem> {
    error.iter().map(|one| diagnose_one(one, sql)).collect()
}

/// One error of those that an error may hold.
pub(super) fn diagnose_one(error: &DataFusionError, sql: &str) -> QueryProblem {
    let diagnostic = error.diagnostic();
    let mut found = match error.find_root() {
        DataFusionError::SchemaError(schema, _) => schema_problem(schema, diagnostic),
        DataFusionError::SQL(parser, _) => syntax_problem(parser, sql),
        DataFusionError::Plan(text) => plan_problem(text),
        DataFusionError::NotImplemented(text) => {
            let better = unknown_type(text).or_else(|| unsupported_statement(text, sql));
            better.unwrap_or_else(|| QueryProblem::new(unsupported(text)))
        }
        DataFusionError::ArrowError(text, _) => {
            let mut found = QueryProblem::new(plain(&text.to_string()));
            let cast = matches!(text.as_ref(), ArrowError::CastError(_));
            found.hint = cast.then(|| "TRY_CAST returns NULL where a value does not fit".into());
            found
        }
        DataFusionError::Execution(text) if patterns::AVERAGE_TOO_LONG.is_match(text) => QueryProblem {
            hint: Some(FEWER_DIGITS.into()),
            ..QueryProblem::new("`avg`: the average has more digits than its DECIMAL type holds".to_string())
        },
        DataFusionError::Execution(text) => refused_by_function(text).unwrap_or_else(|| QueryProblem::new(plain(text))),
        DataFusionError::Internal(text) => internal(text),
        DataFusionError::External(failed) if failed.is::<Overflow>() || failed.is::<TooLarge>() => {
            too_large(failed.as_ref(), sql)
        }
        other => QueryProblem { of_the_query: false, ..QueryProblem::new(plain(&other.strip_backtrace())) },
    };
    if let Some(span) = diagnostic.and_then(|d| d.span) {
        found.spot = Some(span.into());
    }
    if found.spot.is_none() {
        found.spot = spot_named(&found.message, sql);
    }
    if let DataFusionError::SchemaError(schema, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, .. } = schema.as_ref()
        && field.relation.is_none()
        && is_alias(&field.name, sql)
    {
        found.hint =
            Some("a name given with AS is not known in the same SELECT; compute it in a WITH query first".into());
    }
    // In SQL a word in double quotes is a name, which those who come from other languages forget.
    if let DataFusionError::SchemaError(..) = error.find_root()
        && let Some(word) = found.spot.and_then(|spot| double_quoted(spot, sql))
        && !found.near
    {
        found.hint = Some(format!("text is written in single quotes: '{word}'"));
    }
    found
}

const FEWER_DIGITS: &str = "cast the values to fewer decimal places first, or to DOUBLE";

/// A result that does not fit into its type, or into memory.
fn too_large(error: &(dyn std::error::Error + Send + Sync + 'static), sql: &str) -> QueryProblem {
    let Some(Overflow { computed, data_type, span }) = error.downcast_ref::<Overflow>() else {
        return QueryProblem::new(error.to_string());
    };
    let mut found = QueryProblem::new(format!("{computed} does not fit into {}", display_type(data_type)));
    found.hint = Some(match data_type {
        DataType::Decimal128(..) => FEWER_DIGITS.into(),
        _ => "cast the values first, as in CAST(x AS DECIMAL(38, 0))".into(),
    });
    // Constants have no span.
    let constant = || computed.split(' ').next().and_then(|value| spots_of_value(value, sql).first().copied());
    found.spot = span.map(Spot::from).or_else(constant);
    found
}

/// Whether a query names something so with AS.
fn is_alias(name: &str, sql: &str) -> bool {
    tokens_of(sql).windows(2).any(|pair| names(&pair[0].token, "as") && names(&pair[1].token, name))
}

/// The name in double quotes at a place.
fn double_quoted(spot: Spot, sql: &str) -> Option<String> {
    let at = |t: &&TokenWithSpan| t.span.start == Location { line: spot.line as u64, column: spot.column as u64 };
    match &tokens_of(sql).iter().find(at)?.token {
        Token::Word(word) if word.quote_style == Some('"') => Some(word.value.clone()),
        _ => None,
    }
}

/// A subquery that reads columns of the query around it and that the optimiser could not turn into a join: it would
/// fail only when run.
pub fn uncomputable_subquery(optimised: &LogicalPlan, sql: &str) -> Option<QueryProblem> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut found = None;
    let _ = optimised.apply_with_subqueries(|node| {
        for expr in node.expressions() {
            let _ = expr.apply(|e| {
                let correlated = matches!(e, Expr::ScalarSubquery(s) if !s.outer_ref_columns.is_empty())
                    || matches!(e, Expr::OuterReferenceColumn(..));
                if correlated && found.is_none() {
                    let what =
                        outer_column(e).map(|c| format!(" (it refers to the outer column `{c}`)")).unwrap_or_default();
                    let mut made = QueryProblem::new(format!("this correlated subquery is not supported{what}"));
                    made.hint = Some("write it as a join, or with a window function".into());
                    found = Some(made);
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found.map(|found| QueryProblem { spot: spot_named(&found.message, sql), ..found })
}

fn outer_column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::OuterReferenceColumn(_, column) => Some(column.flat_name()),
        Expr::ScalarSubquery(subquery) => subquery.outer_ref_columns.iter().find_map(outer_column),
        _ => None,
    }
}

/// Types that do not go together are found after planning: the innermost expression that has no type, and a column in
/// it.
pub fn spot_of_type_error(plan: &LogicalPlan) -> Option<Spot> {
    use datafusion::common::tree_node::TreeNodeRecursion;
    let mut spot = None;
    let _ = plan.apply_with_subqueries(|node| {
        let mut schema = datafusion::common::DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        for expr in node.expressions() {
            let failing = innermost_without_type(&expr, &schema);
            if let Some(found) = failing.and_then(|e| first_spot(&e)) {
                spot = Some(found);
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    spot
}

fn innermost_without_type(expr: &Expr, schema: &datafusion::common::DFSchema) -> Option<Expr> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut innermost = None;
    let _ = expr.apply(|e| {
        if e.get_type(schema).is_err() {
            innermost = Some(e.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    innermost
}

/// The place of the first column in an expression.
pub(super) fn first_spot(expr: &Expr) -> Option<Spot> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut spot = None;
    let _ = expr.apply(|e| {
        if let Expr::Column(column) = e
            && let Some(span) = column.spans().first()
        {
            spot = Some(span.into());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    spot
}

fn schema_problem(error: &SchemaError, diagnostic: Option<&Diagnostic>) -> QueryProblem {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            let tables: Vec<String> = diagnostic
                .map(|d| d.notes.iter().map(|n| n.message.replace("possible column ", "")).collect())
                .unwrap_or_default();
            let mut found = QueryProblem::new(format!("column `{}` is ambiguous", field.name));
            found.hint = (!tables.is_empty()).then(|| format!("expected one of {}", tables.join(", ")));
            found
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            let mut found = QueryProblem::new(format!("duplicate column `{name}`"));
            found.hint = Some("rename one of them with AS".into());
            found
        }
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> QueryProblem {
    let in_scope = |table| valid.iter().any(|c| c.relation.as_ref() == Some(table));
    let mut found = match &field.relation {
        Some(table) if !in_scope(table) => QueryProblem::new(format!("unknown table `{table}` in this query")),
        Some(table) => QueryProblem::new(format!("unknown column `{}` of `{table}`", field.name)),
        None => QueryProblem::new(format!("unknown column `{}`", field.name)),
    };
    let of_table: Vec<&Column> = match &field.relation {
        Some(table) => valid.iter().filter(|c| c.relation.as_ref() == Some(table)).collect(),
        None => valid.iter().collect(),
    };
    if field.relation.is_some() && of_table.is_empty() {
        let tables: Vec<String> = valid.iter().filter_map(|c| c.relation.as_ref().map(|t| t.to_string())).collect();
        let given = field.relation.as_ref().map(|t| t.table()).unwrap_or_default();
        found.hint = suggestion(given, tables.iter().map(String::as_str));
        return found;
    }
    if let Some(other) = of_table.iter().find(|c| c.name.eq_ignore_ascii_case(&field.name)) {
        found.hint = Some(format!("write it in double quotes, as names with capitals are: \"{}\"", other.name));
        return found;
    }
    if field.relation.is_none() && UNITS.contains(&field.name.as_str()) {
        found.hint = Some(format!("a unit of time is written in single quotes: '{}'", field.name));
        return found;
    }
    let names: Vec<&str> = of_table.iter().map(|c| c.name.as_str()).collect();
    found.near = closest(&field.name, &names).is_some();
    found.hint = suggestion(&field.name, names);
    found
}

fn syntax_problem(error: &ParserError, sql: &str) -> QueryProblem {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "the query is nested too deeply".into(),
    };
    let at_end = format!("{text} at Line: 0, Column: 0");
    let Some(parts) = patterns::AT_LINE.captures(&text).or_else(|| patterns::AT_LINE.captures(&at_end)) else {
        return QueryProblem::new(format!("syntax error: {}", plain(&text)));
    };
    let mut width = 1;
    let message = match patterns::EXPECTED_FOUND.captures(&parts[1]) {
        Some(pair) if &pair[2] == "EOF" => format!("syntax error: expected {} at the end of the query", &pair[1]),
        Some(pair) => {
            width = pair[2].chars().count();
            format!("syntax error: expected {}, found `{}`", &pair[1], &pair[2])
        }
        None => format!("syntax error: {}", plain(&parts[1])),
    };
    let mut found = QueryProblem::new(message);
    found.hint = patterns::EXPECTED_FOUND.captures(&parts[1]).and_then(|pair| instead_of_syntax(&pair[2], sql));
    let number = |i: usize| parts[i].parse::<usize>().unwrap_or(0);
    found.spot = Some(match number(2) {
        0 => last_spot(sql),
        line => Spot { line, column: number(3).max(1), width: width.max(1) },
    });
    found
}

fn plan_problem(text: &str) -> QueryProblem {
    if let Some(parts) = patterns::UNKNOWN_FUNCTION.captures(text) {
        let name = parts[1].to_string();
        let mut found = QueryProblem::new(format!("unknown function `{name}`"));
        // The engine suggests one name by its own measure, which prefers short ones.
        let known = function_names();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let near = closest(&name, &known).map(str::to_string);
        found.hint = instead_of_function(&name).map(str::to_string).or(near.map(|n| format!("did you mean `{n}`?")));
        return found;
    }
    if let Some(parts) = patterns::NOT_GROUPED.captures(text) {
        let mut found = QueryProblem::new(format!("column `{}` is neither grouped by nor aggregated", &parts[1]));
        found.hint = Some("add it to GROUP BY, or write GROUP BY ALL".into());
        return found;
    }
    if let Some(found) = refused_by_function(text).or_else(|| wrong_argument(text)).or_else(|| same_name_twice(text)) {
        return found;
    }
    if let Some(parts) = patterns::NOT_COMPARABLE.captures(text) {
        let (left, right) = (with_sql_types(&parts[1]), with_sql_types(&parts[2]));
        let mut found = QueryProblem::new(format!("{left} cannot be compared with {right}"));
        found.hint = Some("cast one of them to the type of the other".into());
        found.of_a_comparison = true;
        return found;
    }
    if patterns::ONE_COLUMN.is_match(text) {
        let mut found = QueryProblem::new("this subquery has more than one column");
        found.hint = Some("select one column in it".into());
        return found;
    }
    if patterns::NO_QUERY.is_match(text) {
        return only_queries(None);
    }
    let (text, hint) = match text.split_once(". Consider ") {
        Some((text, hint)) => (text, Some(format!("consider {hint}"))),
        None => (text, None),
    };
    let mut found = QueryProblem::new(plain(text.split(": Invalid argument error").next().unwrap_or(text)));
    found.hint = hint;
    if patterns::INTERVAL_TIMES.is_match(text) {
        found.hint = Some("write `day + (n || ' months')::INTERVAL`".into());
    }
    found
}

/// The names of all functions, those of the engine and ours.
fn function_names() -> Vec<String> {
    let scalar = SessionStateDefaults::default_scalar_functions();
    let aggregate = SessionStateDefaults::default_aggregate_functions();
    let window = SessionStateDefaults::default_window_functions();
    let engines = scalar.iter().map(|function| function.name());
    let engines = engines.chain(aggregate.iter().map(|function| function.name()));
    let engines = engines.chain(window.iter().map(|function| function.name()));
    engines.chain(FUNCTIONS.iter().map(|function| function.name)).map(str::to_string).collect()
}

/// Statements that change something.
const CHANGES: [&str; 16] = [
    "alter", "analyze", "call", "copy", "create", "delete", "drop", "grant", "insert", "merge", "replace", "revoke",
    "set", "truncate", "update", "vacuum",
];

/// A text that is not one query: a statement that changes something, or several statements.
pub(super) fn not_one_query(sql: &str) -> Option<QueryProblem> {
    let tokens = tokens_of(sql);
    let first = tokens.first()?;
    if let Some(verb) = CHANGES.iter().find(|verb| names(&first.token, verb)) {
        return Some(QueryProblem { spot: Some(spot_of(first)), ..only_queries(Some(verb)) });
    }
    let second = second_statement(sql)?;
    let mut found = QueryProblem::new("only one query is allowed at a time");
    found.hint = Some("run the second one by itself, or write WITH for intermediate results".into());
    found.spot = Some(second);
    Some(found)
}

fn only_queries(verb: Option<&str>) -> QueryProblem {
    let found = verb.map_or(String::new(), |verb| format!(", found {}", verb.to_uppercase()));
    let mut found = QueryProblem::new(format!("only queries are allowed{found}"));
    found.hint = Some("write a SELECT; tables change only through the steps of a run".into());
    found
}

fn wrong_argument(text: &str) -> Option<QueryProblem> {
    let parts = patterns::SIGNATURE.captures(text)?;
    let mut found = QueryProblem::new(format!("function `{}` does not accept {}", &parts[1], plain(&parts[2])));
    let engine_knows = || {
        format!("see its signatures: SELECT * FROM information_schema.routines WHERE routine_name = '{}'", &parts[1])
    };
    found.hint = Some(call_of(&parts[1]).unwrap_or_else(engine_knows));
    Some(found)
}

fn refused_by_function(text: &str) -> Option<QueryProblem> {
    let parts = patterns::OWN_REFUSAL.captures(text)?;
    let said = plain(&parts[2]);
    // The name in quotes, so that its place in the query is found.
    let said = match said.strip_prefix(&format!("{}: ", &parts[1])) {
        Some(reason) => format!("`{}`: {reason}", &parts[1]),
        None => format!("`{}`: {said}", &parts[1]),
    };
    Some(QueryProblem { hint: call_of(&parts[1]), ..QueryProblem::new(said) })
}

/// How a function of ours is called.
fn call_of(name: &str) -> Option<String> {
    let ours = FUNCTIONS.iter().find(|function| function.name == name)?;
    let syntax = ours.page().syntax.lines().next()?;
    Some(format!("call it as {syntax}; see `perennial functions {name}`"))
}

fn same_name_twice(text: &str) -> Option<QueryProblem> {
    let parts = patterns::SAME_NAME.captures(text)?;
    let mut found = QueryProblem::new(format!("duplicate column `{}`", &parts[1]));
    found.hint = Some("rename one of them with AS".into());
    Some(found)
}

fn internal(text: &str) -> QueryProblem {
    if let Some(found) = wrong_argument(text) {
        return found;
    }
    QueryProblem { of_the_query: false, ..QueryProblem::new(plain(text)) }
}

/// `SELECT TOP n`, and statements after WITH that change something.
fn unsupported_statement(text: &str, sql: &str) -> Option<QueryProblem> {
    if text == "TOP" {
        let tokens = tokens_of(sql);
        let top = tokens.windows(2).find(|pair| names(&pair[0].token, "select") && names(&pair[1].token, "top"));
        let mut found = QueryProblem::new("`TOP` is not supported");
        found.hint = Some("write LIMIT and the number at the end of the query".into());
        found.spot = top.map(|pair| spot_of(&pair[1]));
        return Some(found);
    }
    let verb = &patterns::QUERY_THAT_CHANGES.captures(text)?[1];
    CHANGES.contains(&verb.to_lowercase().as_str()).then(|| only_queries(Some(verb)))
}

fn unsupported(text: &str) -> String {
    if patterns::CORRELATED.is_match(text) {
        return "this correlated subquery is not supported; write it as a join".into();
    }
    if let Some(parts) = patterns::NODE.captures(text) {
        let what = if &parts[1] == "AsOf" { "ASOF JOIN".to_string() } else { parts[1].to_uppercase() };
        return format!("{what} is not supported; write `sum(x) FILTER (WHERE ...)`, UNION ALL or a join");
    }
    let text = plain(text);
    let cut = text.char_indices().nth(160).map_or(text.as_str(), |(i, _)| &text[..i]);
    format!("not supported: {cut}")
}

/// Units of dates and times that the engine's own functions take.
pub(super) const UNITS: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

/// A type of another engine.
fn unknown_type(text: &str) -> Option<QueryProblem> {
    let (_, name) = text.split_once("Unsupported SQL type ")?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    let name = &name[..end];
    let mut found = QueryProblem::new(format!("unknown type `{name}`"));
    found.hint = instead_of_type(name).map(|ours| format!("write {ours}"));
    Some(found)
}

/// A message of the engine's as ours: without its prefixes, in lower case at the start, types in words of SQL.
pub(super) fn plain(text: &str) -> String {
    let text = first_line(&patterns::PREFIX.replace_all(text, ""));
    let text = with_sql_types(&text);
    let text = text.trim().trim_end_matches(['.', ' ']);
    let second_is_lower = text.chars().nth(1).is_none_or(|c| c.is_lowercase() || c == ' ');
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if second_is_lower => first.to_lowercase().collect::<String>() + letters.as_str(),
        _ => text.to_string(),
    }
}

/// A text with the types of Arrow in words of SQL.
fn with_sql_types(text: &str) -> String {
    let text = patterns::ARROW_TYPES.replace_all(text, |parts: &regex::Captures<'_>| type_name(&parts[1]));
    patterns::DECIMAL.replace_all(&text, "DECIMAL($1,$2)").into_owned()
}

fn type_name(arrow: &str) -> String {
    use arrow::datatypes::DataType::*;
    display_type(&match arrow {
        "Utf8" | "Utf8View" | "LargeUtf8" => Utf8,
        "Int64" => Int64,
        "Int32" => Int32,
        "Float64" => Float64,
        "Date32" => Date32,
        "Boolean" => Boolean,
        other if other.starts_with("Timestamp") => {
            let zone = other.split('"').nth(1).map(Into::into);
            Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone)
        }
        _ => Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
    })
}

fn first_line(text: &str) -> String {
    let text = text.split("\n\nbacktrace").next().unwrap_or(text);
    text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_the_engine_are_left_out() {
        for (text, expected) in [
            ("Arrow error: Compute error: Execution error: Invalid pattern.", "invalid pattern"),
            ("External error: Error during planning: Invalid argument error: No rows", "no rows"),
            (
                "Cast error: Cannot cast string 'x' to value of Int64 type",
                "cannot cast string 'x' to value of BIGINT type",
            ),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
