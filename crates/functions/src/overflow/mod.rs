//! Whole numbers and decimals that do not wrap.
//!
//! The engine adds, subtracts, multiplies and negates them without looking whether the result fits, and so does its
//! `sum`. [`NoWrapping`] puts calls that look in the place of both once types are settled: a result that does not fit
//! is an [`Overflow`]. Texts joined with `||` are looked at on the same walk. A sum is judged when it is whole, so that neither the order of rows nor what cancels decides.

mod arithmetic;
mod distinct;
mod sum;
mod total;

use crate::large::Joined;
use arithmetic::Arithmetic;
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Span};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, ScalarUDF, WindowFunctionDefinition};
use datafusion::optimizer::AnalyzerRule;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use sum::Sum;

/// A result that its type cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// What was computed, with its values: `9223372036854775807 + 1`.
    pub computed: String,
    /// The type.
    pub data_type: DataType,
    /// A part of the expression, in the text of the query.
    pub span: Option<Span>,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not fit into {}", self.computed, self.data_type)
    }
}

impl Error for Overflow {}

impl From<Overflow> for DataFusionError {
    fn from(overflow: Overflow) -> DataFusionError {
        DataFusionError::External(Box::new(overflow))
    }
}

/// Whether a function is one that stands for operators.
pub fn is_arithmetic(function: &ScalarUDF) -> bool {
    function.inner().is::<Arithmetic>() || function.inner().is::<Joined>()
}

/// Lets whole numbers and decimals be computed by functions that refuse to wrap, and texts be joined with `||` by one that
/// refuses to make too much.
#[derive(Debug, Default)]
pub struct NoWrapping;

impl AnalyzerRule for NoWrapping {
    fn name(&self) -> &str {
        "no_wrapping"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewritten)?.data)
    }
}

fn rewritten(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        // Saving the name of a long expression costs as much as rewriting it.
        if !expr.exists(|e| Ok(wraps(e)))? {
            return Ok(Transformed::no(expr));
        }
        let name = names.save(&expr);
        Ok(expr.transform_down(|e| one(e, &schema))?.update_data(|e| name.restore(e)))
    })
}

/// Whether an expression is of a form that may wrap.
fn wraps(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => checked(binary.op) || binary.op == Operator::StringConcat,
        Expr::Negative(_) => true,
        Expr::AggregateFunction(call) => Sum::replaces(&call.func),
        Expr::WindowFunction(call) => {
            matches!(&call.fun, WindowFunctionDefinition::AggregateUDF(udf) if Sum::replaces(udf))
        }
        _ => false,
    }
}

fn checked(operator: Operator) -> bool {
    // Dividing is checked by the engine, but for decimals of more digits than there are.
    matches!(
        operator,
        Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::Divide
            | Operator::BitwiseShiftLeft
            | Operator::BitwiseShiftRight
    )
}

/// What stands in the place of one node; what it is made of comes next.
fn one(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let call = |function: ScalarUDF, operands| {
        Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), operands)))
    };
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => match Joined::of(&expr, schema) {
            Some((function, operands)) => call(function.into(), operands),
            None => Transformed::no(expr),
        },
        Expr::BinaryExpr(_) | Expr::Negative(_) => match Arithmetic::of(&expr, schema) {
            Some((function, operands)) => call(function.into(), operands),
            None => Transformed::no(expr),
        },
        Expr::AggregateFunction(mut aggregate) if Sum::replaces(&aggregate.func) => {
            let span = span_of(&aggregate.params.args.iter().collect::<Vec<_>>());
            aggregate.func = Arc::new(Sum::new(span).into());
            Transformed::yes(Expr::AggregateFunction(aggregate))
        }
        Expr::WindowFunction(mut window) => match &window.fun {
            WindowFunctionDefinition::AggregateUDF(udf) if Sum::replaces(udf) => {
                let span = span_of(&window.params.args.iter().collect::<Vec<_>>());
                window.fun = WindowFunctionDefinition::AggregateUDF(Arc::new(Sum::new(span).into()));
                Transformed::yes(Expr::WindowFunction(window))
            }
            _ => Transformed::no(Expr::WindowFunction(window)),
        },
        other => Transformed::no(other),
    })
}

/// Where the first column of these expressions stands.
fn span_of(exprs: &[&Expr]) -> Option<Span> {
    let mut span = None;
    for expr in exprs {
        let _ = expr.apply(|e| {
            if let Expr::Column(column) = e
                && let Some(first) = column.spans().first()
            {
                span = Some(first);
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        if span.is_some() {
            break;
        }
    }
    span
}
