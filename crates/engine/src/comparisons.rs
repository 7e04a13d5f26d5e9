//! Comparisons of types that do not go together and that DataFusion would make go together: a date with a number counts
//! days since 1970, a text with a number is cast to one and fails at the first row that is none.

use super::diagnose::{QueryProblem, first_spot};
use super::display_type;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

/// Every such comparison of a plan whose types have not been coerced yet.
pub fn mistyped_comparisons(plan: &LogicalPlan) -> Vec<QueryProblem> {
    let mut problems = Vec::new();
    let _ = plan.apply_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        if let LogicalPlan::Join(join) = node {
            join.on.iter().for_each(|(left, right)| compare(left, right, &schema, &mut problems));
        }
        for expr in node.expressions() {
            let _ = expr.apply(|e| {
                compare_within(e, &schema, &mut problems);
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    problems
}

fn compare_within(expr: &Expr, schema: &DFSchema, problems: &mut Vec<QueryProblem>) {
    match expr {
        Expr::BinaryExpr(binary) if is_comparison(binary.op) => {
            compare(&binary.left, &binary.right, schema, problems);
        }
        Expr::Between(between) => {
            compare(&between.expr, &between.low, schema, problems);
            compare(&between.expr, &between.high, schema, problems);
        }
        Expr::InList(list) => list.list.iter().for_each(|one| compare(&list.expr, one, schema, problems)),
        Expr::Case(case) => {
            let Some(of) = &case.expr else { return };
            case.when_then_expr.iter().for_each(|(when, _)| compare(of, when, schema, problems));
        }
        Expr::InSubquery(query) => {
            let column = query.subquery.subquery.schema().columns().into_iter().next().map(Expr::Column);
            let given = query.subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
            if let (Ok(left), Some(column), Some(given)) = (query.expr.get_type(schema), column, given) {
                report(&query.expr, &left, &column, &given, problems);
            }
        }
        _ => {}
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::*;
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn compare(left: &Expr, right: &Expr, schema: &DFSchema, problems: &mut Vec<QueryProblem>) {
    let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema)) else { return };
    report(left, &left_type, right, &right_type, problems);
}

/// What a value is compared as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Time,
    /// A constant text, which may be a number or a date, and all that is not judged here.
    Any,
}

fn kind(expr: &Expr, data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_literal(expr) => Kind::Any,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Kind::Time,
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

fn report(left: &Expr, left_type: &DataType, right: &Expr, right_type: &DataType, problems: &mut Vec<QueryProblem>) {
    let hint = match (kind(left, left_type), kind(right, right_type)) {
        (Kind::Text, Kind::Number) => number_with_text(right),
        (Kind::Number, Kind::Text) => number_with_text(left),
        (Kind::Time, Kind::Number) | (Kind::Number, Kind::Time) => {
            "write a date, as in DATE '2026-01-31', or compare date_part('year', ...)".to_string()
        }
        _ => return,
    };
    let message = format!("{} cannot be compared with {}", display_type(left_type), display_type(right_type));
    let mut problem = QueryProblem::new(message);
    problem.hint = Some(hint);
    problem.spot = first_spot(left).or_else(|| first_spot(right));
    let same = |p: &QueryProblem| p.message == problem.message && p.spot == problem.spot;
    if !problems.iter().any(same) {
        problems.push(problem);
    }
}

fn number_with_text(number: &Expr) -> String {
    match number {
        Expr::Literal(value, _) => {
            format!("write the number as text, '{value}', or cast the text: TRY_CAST(x AS BIGINT)")
        }
        _ => "cast one of them: CAST(number AS VARCHAR), or TRY_CAST(text AS BIGINT)".to_string(),
    }
}
