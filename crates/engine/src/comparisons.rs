//! Values of types that do not go together and that DataFusion would make go together: a number among dates counts
//! days since 1970, a text among numbers is cast to one and fails at the first row that is none, a date beside a
//! timestamp with a zone begins at midnight of UTC.
//!
//! Refused is what PostgreSQL refuses (numbers with dates, columns of text with anything else), and where PostgreSQL
//! takes the session's zone and DataFusion takes UTC. A constant text is read as whatever stands beside it.

use super::diagnose::{QueryProblem, first_spot};
use super::display_type;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

/// Every such pair in a plan whose types have not been coerced yet.
pub fn mistyped_comparisons(plan: &LogicalPlan) -> Vec<QueryProblem> {
    let mut found = Found { schema: DFSchema::empty(), problems: Vec::new() };
    let _ = plan.apply_with_subqueries(|node| {
        found.schema = merge_schema(&node.inputs());
        match node {
            LogicalPlan::Join(join) => join.on.iter().for_each(|(left, right)| found.pair(left, right, Use::Compared)),
            LogicalPlan::Union(union) => found.columns(&union.inputs.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
            LogicalPlan::RecursiveQuery(query) => found.columns(&[&*query.static_term, &*query.recursive_term]),
            _ => {}
        }
        for expr in node.expressions() {
            let _ = expr.apply(|e| {
                found.within(e);
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found.problems
}

/// What happens to two values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Compared,
    /// Results that become one column.
    OneColumn,
    /// Arguments of which one is given.
    Chosen,
    Subtracted,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Date,
    Timestamp,
    /// A timestamp with a zone.
    Instant,
    TimeOfDay,
    /// A constant text, which may be a number or a date, and all that is not judged here.
    Any,
}

fn kind(expr: &Expr, data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_literal(expr) => Kind::Any,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::Instant,
        DataType::Time32(_) | DataType::Time64(_) => Kind::TimeOfDay,
        other if other.is_numeric() => Kind::Number,
        _ => Kind::Any,
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_literal(&alias.expr),
        Expr::Negative(inner) => is_literal(inner),
        _ => false,
    }
}

/// Functions that give one of their arguments, or compare them.
const OF_ARGUMENTS: [&str; 5] = ["coalesce", "greatest", "least", "nvl", "nullif"];

struct Found {
    schema: DFSchema,
    problems: Vec<QueryProblem>,
}

impl Found {
    fn within(&mut self, expr: &Expr) {
        match expr {
            Expr::BinaryExpr(binary) if is_comparison(binary.op) => {
                self.pair(&binary.left, &binary.right, Use::Compared);
            }
            Expr::BinaryExpr(binary) if binary.op == Operator::Minus => {
                self.pair(&binary.left, &binary.right, Use::Subtracted);
            }
            Expr::Between(between) => {
                self.pair(&between.expr, &between.low, Use::Compared);
                self.pair(&between.expr, &between.high, Use::Compared);
            }
            Expr::InList(list) => list.list.iter().for_each(|one| self.pair(&list.expr, one, Use::Compared)),
            Expr::Case(case) => {
                if let Some(of) = &case.expr {
                    case.when_then_expr.iter().for_each(|(when, _)| self.pair(of, when, Use::Compared));
                }
                let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
                self.mixed(&results.chain(case.else_expr.as_deref()).collect::<Vec<_>>(), Use::OneColumn);
            }
            Expr::InSubquery(query) => self.with_subquery(&query.expr, &query.subquery.subquery),
            Expr::SetComparison(query) => self.with_subquery(&query.expr, &query.subquery.subquery),
            Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
                (name, args) if OF_ARGUMENTS.contains(&name) => {
                    self.mixed(&args.iter().collect::<Vec<_>>(), Use::Chosen);
                }
                ("nvl2", [_, first, second]) => self.pair(first, second, Use::Chosen),
                _ => {}
            },
            Expr::WindowFunction(window) => {
                let WindowFunction { fun, params } = window.as_ref();
                if let ("lag" | "lead", [value, _, default]) = (fun.name(), params.args.as_slice()) {
                    self.pair(value, default, Use::Chosen);
                }
            }
            _ => {}
        }
    }

    /// Each with the first that has a type of its own.
    fn mixed(&mut self, exprs: &[&Expr], what: Use) {
        let has_kind = |expr: &&&Expr| expr.get_type(&self.schema).is_ok_and(|t| kind(expr, &t) != Kind::Any);
        let Some(first) = exprs.iter().find(has_kind).copied() else { return };
        exprs.iter().for_each(|other| self.pair(first, other, what));
    }

    fn columns(&mut self, queries: &[&LogicalPlan]) {
        let Some((first, others)) = queries.split_first() else { return };
        for other in others {
            for (index, left) in first.schema().fields().iter().enumerate() {
                let Some(right) = other.schema().fields().get(index) else { continue };
                let (a, b) = (output(first, index), output(other, index));
                self.report((&a, left.data_type()), (&b, right.data_type()), Use::OneColumn);
            }
        }
    }

    fn with_subquery(&mut self, expr: &Expr, subquery: &LogicalPlan) {
        if let (Ok(left), Some(given)) = (expr.get_type(&self.schema), subquery.schema().fields().first()) {
            let column = output(subquery, 0);
            self.report((expr, &left), (&column, given.data_type()), Use::Compared);
        }
    }

    fn pair(&mut self, left: &Expr, right: &Expr, what: Use) {
        if let (Ok(left_type), Ok(right_type)) = (left.get_type(&self.schema), right.get_type(&self.schema)) {
            self.report((left, &left_type), (right, &right_type), what);
        }
    }

    fn report(&mut self, left: (&Expr, &DataType), right: (&Expr, &DataType), what: Use) {
        let ((left, left_type), (right, right_type)) = (left, right);
        let hint = match (kind(left, left_type), kind(right, right_type)) {
            (Kind::Text, Kind::Text) | (Kind::Any, _) | (_, Kind::Any) => return,
            (Kind::Date | Kind::Timestamp, Kind::Instant) | (Kind::Instant, Kind::Date | Kind::Timestamp) => {
                // A timestamp without a zone is read in the project's zone when it is compared, as it should be.
                let is_date = [left_type, right_type].iter().any(|t| matches!(t, DataType::Date32 | DataType::Date64));
                if !is_date && what != Use::Subtracted {
                    return;
                }
                "the one has a zone, the other has none: write CAST(x AT TIME ZONE 'Europe/Berlin' AS DATE)".to_string()
            }
            // What else is subtracted the engine either refuses or counts in days, as others do.
            _ if what == Use::Subtracted => return,
            // A column of both becomes text, and no figure another.
            (Kind::Text, Kind::Number) | (Kind::Number, Kind::Text) if what == Use::OneColumn => return,
            (Kind::Text, Kind::Number) => number_with_text(right),
            (Kind::Number, Kind::Text) => number_with_text(left),
            (Kind::Text, _) => cast_text(right_type),
            (_, Kind::Text) => cast_text(left_type),
            (Kind::Number, Kind::Number) => return,
            (Kind::Number, _) | (_, Kind::Number) => {
                "write a date, as in DATE '2026-01-31', or compare date_part('year', ...)".to_string()
            }
            _ => return,
        };
        let (left_type, right_type) = (display_type(left_type), display_type(right_type));
        let message = match what {
            Use::Compared => format!("{left_type} cannot be compared with {right_type}"),
            Use::OneColumn | Use::Chosen => format!("{left_type} and {right_type} cannot be one column"),
            Use::Subtracted => format!("{right_type} cannot be subtracted from {left_type}"),
        };
        let spot = first_spot(left).or_else(|| first_spot(right));
        // Columns of USING and of INTERSECT stand nowhere by themselves.
        let message = match (left, right, spot) {
            (Expr::Column(left), Expr::Column(right), None) => {
                format!("{message} (`{}` with `{}`)", left.flat_name(), right.flat_name())
            }
            _ => message,
        };
        let mut problem = QueryProblem::new(message);
        problem.hint = Some(hint);
        problem.spot = spot;
        let same = |p: &QueryProblem| p.message == problem.message && p.spot == problem.spot;
        if !self.problems.iter().any(same) {
            self.problems.push(problem);
        }
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::*;
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// A column that a query gives: what it is computed from, where that can be seen.
fn output(query: &LogicalPlan, index: usize) -> Expr {
    match query {
        LogicalPlan::Projection(projection) => projection.expr.get(index).cloned(),
        LogicalPlan::SubqueryAlias(alias) => return output(&alias.input, index),
        _ => None,
    }
    .unwrap_or_else(|| Expr::Column(Column::from(query.schema().qualified_field(index))))
}

fn cast_text(to: &DataType) -> String {
    format!("cast the text: TRY_CAST(x AS {})", display_type(to))
}

fn number_with_text(number: &Expr) -> String {
    match number {
        Expr::Literal(value, _) => {
            format!("write the number as text, '{value}', or cast the text: TRY_CAST(x AS BIGINT)")
        }
        _ => "cast one of them: CAST(number AS VARCHAR), or TRY_CAST(text AS BIGINT)".to_string(),
    }
}
