//! Which columns of tables each column of a query is computed from, read off its plan.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use perennial_core::contract::TableName;
use std::collections::BTreeSet;

/// A column of a table.
pub type Origin = (TableName, String);

/// For every column of a plan the columns of tables that its values are computed from, directly or not. What only
/// decides which rows there are (conditions, keys of joins) is not among them. Of operators that are not known each
/// column counts as computed from everything below.
pub fn origins(plan: &LogicalPlan) -> Vec<BTreeSet<Origin>> {
    let width = plan.schema().fields().len();
    let found = match plan {
        LogicalPlan::TableScan(scan) => {
            let (schema, name) = (scan.table_name.schema().unwrap_or_default(), scan.table_name.table());
            let table = TableName::new(schema, name);
            scan.projected_schema.fields().iter().map(|field| [(table.clone(), field.name().clone())].into()).collect()
        }
        LogicalPlan::Projection(projection) => computed(&projection.expr, &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            computed(aggregate.group_expr.iter().chain(&aggregate.aggr_expr), &aggregate.input)
        }
        LogicalPlan::Window(window) => {
            let mut all = origins(&window.input);
            all.extend(computed(&window.window_expr, &window.input));
            all
        }
        LogicalPlan::Union(union) => {
            let inputs: Vec<_> = union.inputs.iter().map(|input| origins(input)).collect();
            let of_column =
                |index: usize| inputs.iter().filter_map(|input| input.get(index)).flatten().cloned().collect();
            (0..width).map(of_column).collect()
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti => origins(&join.right),
            JoinType::LeftSemi | JoinType::LeftAnti => origins(&join.left),
            _ => origins(&join.left).into_iter().chain(origins(&join.right)).collect(),
        },
        other => other.inputs().into_iter().flat_map(origins).collect(),
    };
    if found.len() == width {
        return found;
    }
    let everything: BTreeSet<Origin> = found.into_iter().flatten().collect();
    vec![everything; width]
}

/// The origins of expressions over a plan.
fn computed<'a>(expressions: impl IntoIterator<Item = &'a Expr>, input: &LogicalPlan) -> Vec<BTreeSet<Origin>> {
    let below = origins(input);
    expressions.into_iter().map(|expression| of_expression(expression, input.schema(), &below)).collect()
}

fn of_expression(expression: &Expr, schema: &DFSchema, below: &[BTreeSet<Origin>]) -> BTreeSet<Origin> {
    let mut found = BTreeSet::new();
    let mut add = |column: &Column| match schema.index_of_column(column).ok().and_then(|index| below.get(index)) {
        Some(origins) => found.extend(origins.iter().cloned()),
        // A column of an outer query: any of those below may be meant.
        None => found.extend(below.iter().flatten().cloned()),
    };
    expression.column_refs().into_iter().for_each(&mut add);
    let visited = expression.apply(|part| {
        if let Expr::ScalarSubquery(subquery) = part {
            found.extend(origins(&subquery.subquery).into_iter().flatten());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // The visitor above never fails.
    debug_assert!(visited.is_ok());
    found
}
