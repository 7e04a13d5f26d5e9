//! `FROM t, UNNEST(t.list) AS u(x)`: the `duckdb` parser takes it for a table function; this gives it its meaning back.

use datafusion::error::Result;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::sql::sqlparser::ast::{FunctionArg, FunctionArgExpr, TableFactor};

#[derive(Debug)]
pub(super) struct UnnestInFrom;

impl RelationPlanner for UnnestInFrom {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Table { name, alias, args: Some(args), .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        if !name.to_string().eq_ignore_ascii_case("unnest") {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let array_exprs = args.args.iter().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        });
        let unnest = TableFactor::UNNEST {
            alias: alias.clone(),
            array_exprs: array_exprs.collect(),
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(context.plan(unnest)?, None))))
    }
}
