//! What planning accepts and a run would refuse, found without a row.
//!
//! DataFusion settles much only when a plan is made physical or first evaluated: a unit that no calendar has, an
//! aggregate over a sliding frame, a window in `WHERE`. So every call with a constant argument is evaluated on no rows
//! at all, and every aggregate and window function is prepared as it would be for a run.

use super::diagnose::{QueryProblem, UNITS, diagnose_one};
use super::patterns;
use super::spots::{Spot, spot_of_placeholder, spots_of_call, spots_of_value};
use super::types::{ValueExample, display_type, example_of};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFunctionDefinition};
use datafusion::physical_expr::aggregate::LoweredAggregateBuilder;
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_planner::create_window_expr;
use perennial_core::error::suggestion;
use perennial_functions::{check_constants, is_arithmetic, names_function_of_calendars};

/// Everything in an optimised or analysed plan that a run would refuse whatever the rows are.
pub fn problems_of_run(state: &SessionState, plan: &LogicalPlan, sql: &str) -> Vec<QueryProblem> {
    let mut trial = Trial { state, context: PhysicalPlanningContext::default(), sql, problems: Vec::new() };
    let _ = plan.apply_with_subqueries(|node| {
        trial.node(node);
        Ok(TreeNodeRecursion::Continue)
    });
    trial.problems
}

/// A plan with its types settled and nothing optimised; nothing where they do not go together.
pub fn analysed(state: &SessionState, plan: &LogicalPlan) -> Option<LogicalPlan> {
    state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {}).ok()
}

/// Casts of constants that fail in an analysed plan, each at its constant: optimising stops at the first of them.
pub fn failing_casts(state: &SessionState, analysed: &LogicalPlan, sql: &str) -> Vec<QueryProblem> {
    let mut trial = Trial { state, context: PhysicalPlanningContext::default(), sql, problems: Vec::new() };
    let nothing = DFSchema::empty();
    let _ = analysed.apply_with_subqueries(|node| {
        for expr in node.expressions() {
            let _ = expr.apply(|e| {
                if let Expr::Cast(cast) = e
                    && matches!(*cast.expr, Expr::Literal(..))
                    && let Err(error) = trial.evaluate(e, &nothing)
                {
                    let mut problem = diagnose_one(&error, sql);
                    // The engine names the type that it casts over, not always the one that is written.
                    if let Expr::Literal(value, _) = &*cast.expr {
                        problem.message = format!("cannot cast '{value}' to {}", display_type(cast.field.data_type()));
                    }
                    problem.hint = example_of(cast.field.data_type()).map(hint_of);
                    problem.spot = trial.unused(&problem.message, &literal_spots(&cast.expr, sql)).or(problem.spot);
                    trial.add(problem);
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    trial.problems
}

fn hint_of(ValueExample { what, text }: ValueExample) -> String {
    format!("write {what} such as '{text}'")
}

fn literal_spots(expr: &Expr, sql: &str) -> Vec<Spot> {
    match expr {
        Expr::Literal(value, _) => spots_of_value(&value.to_string(), sql),
        _ => Vec::new(),
    }
}

struct Trial<'a> {
    state: &'a SessionState,
    context: PhysicalPlanningContext,
    sql: &'a str,
    problems: Vec<QueryProblem>,
}

impl Trial<'_> {
    fn node(&mut self, node: &LogicalPlan) {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        match node {
            LogicalPlan::Window(window) => window.window_expr.iter().for_each(|e| self.window(e, &schema)),
            LogicalPlan::Aggregate(aggregate) => aggregate.aggr_expr.iter().for_each(|e| self.aggregate(e, &schema)),
            _ => {}
        }
        for expr in node.expressions() {
            let own_window = matches!(node, LogicalPlan::Window(_)).then(|| without_alias(&expr));
            let _ = expr.apply(|e| {
                match e {
                    Expr::WindowFunction(function) if own_window.is_none_or(|own| !std::ptr::eq(own, e)) => {
                        self.misplaced(function, node);
                    }
                    Expr::Placeholder(placeholder) => self.placeholder(&placeholder.id),
                    Expr::ScalarFunction(function) => self.call(e, function, &schema),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
    }

    fn misplaced(&mut self, function: &WindowFunction, node: &LogicalPlan) {
        let name = function.fun.name();
        let (clause, hint) = match node {
            LogicalPlan::Filter(filter) if matches!(*filter.input, LogicalPlan::Aggregate(_)) => ("HAVING", QUALIFY),
            LogicalPlan::Filter(_) => ("WHERE", QUALIFY),
            LogicalPlan::Join(_) => ("the condition of a join", BEFORE),
            LogicalPlan::Aggregate(_) => ("GROUP BY or in an aggregate", BEFORE),
            LogicalPlan::Window(_) => ("another window function", BEFORE),
            _ => ("this place", BEFORE),
        };
        let mut problem = QueryProblem::new(format!("the window function `{name}` cannot be used in {clause}"));
        problem.hint = Some(hint.into());
        problem.spot = self.spot(&[name], None, &problem.message);
        self.add(problem);
    }

    fn placeholder(&mut self, id: &str) {
        let mut problem = QueryProblem::new(format!("no value is given for `{id}`"));
        problem.hint = Some("write `{{ var('name') }}` and set the variable under `vars` in perennial.yml".into());
        problem.spot = spot_of_placeholder(id, self.sql);
        self.add(problem);
    }

    /// A scalar function: its constants by its own rule, then the call itself.
    fn call(&mut self, expr: &Expr, function: &ScalarFunction, schema: &DFSchema) {
        let udf = &function.func;
        let names: Vec<&str> = std::iter::once(udf.name()).chain(udf.aliases().iter().map(String::as_str)).collect();
        // What stands for an operator has been evaluated if it is constant, and inside each other they are many.
        if is_arithmetic(udf) {
            return;
        }
        // Which calendar is meant may be unclear whatever the arguments are.
        let may_be_refused =
            names_function_of_calendars(names[0]) || function.args.iter().any(|a| constant(a).is_some());
        if self.constants(&names, &function.args) || !may_be_refused {
            return;
        }
        if let Err(error) = self.evaluate(expr, schema) {
            self.failed(&names, &function.args, error);
        }
    }

    fn aggregate(&mut self, expr: &Expr, schema: &DFSchema) {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = without_alias(expr) else { return };
        let names: Vec<&str> = std::iter::once(func.name()).chain(func.aliases().iter().map(String::as_str)).collect();
        if self.constants(&names, &params.args) || !is_self_contained(expr) {
            return;
        }
        let lowered =
            LoweredAggregateBuilder::new(expr, schema, schema.as_arrow(), self.state.execution_props(), &self.context);
        let prepared = lowered.build().and_then(|lowered| lowered.aggregate.create_accumulator().map(drop));
        // Of one distinct argument the optimiser makes a grouping, which needs no such accumulator.
        let rewritten = params.distinct && params.args.len() == 1;
        if let Err(error) = prepared
            && !(rewritten && matches!(error.find_root(), DataFusionError::NotImplemented(_)))
        {
            self.failed(&names, &params.args, error);
        }
    }

    fn window(&mut self, expr: &Expr, schema: &DFSchema) {
        let Expr::WindowFunction(function) = without_alias(expr) else { return };
        let aliases = match &function.fun {
            WindowFunctionDefinition::AggregateUDF(udf) => udf.aliases(),
            WindowFunctionDefinition::WindowUDF(udf) => udf.aliases(),
        };
        let names: Vec<&str> = std::iter::once(function.fun.name()).chain(aliases.iter().map(String::as_str)).collect();
        if self.constants(&names, &function.params.args) || !is_self_contained(expr) {
            return;
        }
        let prepared = create_window_expr(expr, schema, self.state.execution_props(), &self.context)
            .and_then(|window| window.create_window_fn().map(drop));
        if let Err(error) = prepared {
            self.failed(&names, &function.params.args, error);
        }
    }

    /// Whether a function's own rule refuses one of its constant arguments, which is then noted.
    fn constants(&mut self, names: &[&str], args: &[Expr]) -> bool {
        let constants: Vec<Option<ScalarValue>> = args.iter().map(|a| constant(a).cloned()).collect();
        if constants.iter().all(Option::is_none) {
            return false;
        }
        let Err(found) = check_constants(names[0], &constants) else { return false };
        let mut problem = QueryProblem::new(format!("`{}`: {}", names[0], found.message));
        problem.hint = found.hint;
        let given = constants.get(found.argument).and_then(Option::as_ref).map(ToString::to_string);
        problem.spot = self.spot(names, given.as_deref(), &problem.message);
        self.add(problem);
        true
    }

    /// A call that the engine refuses. Its internal errors are not the analyst's.
    fn failed(&mut self, names: &[&str], args: &[Expr], error: DataFusionError) {
        let name = names[0];
        let text = error.find_root().strip_backtrace();
        let mut problem = match error.find_root() {
            DataFusionError::Plan(_) | DataFusionError::Execution(_) | DataFusionError::NotImplemented(_)
                if matches!(name, "date_trunc" | "date_part") && args.first().and_then(constant).is_some() =>
            {
                let unit = args.first().and_then(constant).map(ToString::to_string).unwrap_or_default();
                let mut problem = QueryProblem::new(format!("`{name}`: unknown unit '{unit}'"));
                problem.hint = suggestion(&unit.to_lowercase(), UNITS);
                problem
            }
            DataFusionError::Plan(_) | DataFusionError::Execution(_) | DataFusionError::ArrowError(..) => {
                let found = diagnose_one(&error, self.sql);
                let named = found.message.contains(name);
                QueryProblem {
                    message: if named { found.message } else { format!("`{name}`: {}", found.message) },
                    ..found
                }
            }
            DataFusionError::NotImplemented(_) if patterns::DISTINCT_OF_MANY.is_match(&text) => {
                let mut problem = QueryProblem::new("`count(DISTINCT ...)` takes one argument");
                let list: Vec<String> = args.iter().map(shown).collect();
                problem.hint = Some(format!(
                    "write count(DISTINCT ({})), which also counts combinations that contain NULL",
                    list.join(", ")
                ));
                problem
            }
            DataFusionError::NotImplemented(_) if patterns::NOT_SLIDING.is_match(&text) => {
                let mut problem = QueryProblem::new(format!("`{name}` cannot be computed over a sliding window frame"));
                problem.hint = Some(match name {
                    "string_agg" => "write array_to_string(array_agg(x) OVER (...), ',')".into(),
                    _ => "begin the frame at UNBOUNDED PRECEDING, or join the table with itself".into(),
                });
                problem
            }
            DataFusionError::NotImplemented(_) => diagnose_one(&error, self.sql),
            _ => return,
        };
        // The constant that the engine names, unless it is a comma or the like, which any message may hold.
        let named = |value: &String| value.contains(char::is_alphanumeric) && text.contains(value.as_str());
        let given = args.iter().filter_map(constant).map(ToString::to_string).find(named);
        problem.spot = self.spot(names, given.as_deref(), &problem.message).or(problem.spot);
        self.add(problem);
    }

    /// An expression on no rows: what fails then fails whatever the rows are.
    fn evaluate(&self, expr: &Expr, schema: &DFSchema) -> Result<(), DataFusionError> {
        if !is_self_contained(expr) {
            return Ok(());
        }
        let Ok(physical) = create_physical_expr(expr, schema, self.state.execution_props(), &self.context) else {
            return Ok(());
        };
        physical.evaluate(&RecordBatch::new_empty(schema.inner().clone())).map(drop)
    }

    /// The first place of such a call that no problem of these words has been given yet.
    fn spot(&self, names: &[&str], argument: Option<&str>, message: &str) -> Option<Spot> {
        let spots = spots_of_call(names, argument, self.sql);
        self.unused(message, &spots)
    }

    fn unused(&self, message: &str, spots: &[Spot]) -> Option<Spot> {
        let used = |spot: &Spot| self.problems.iter().any(|p| p.message == message && p.spot == Some(*spot));
        spots.iter().find(|spot| !used(spot)).or(spots.first()).copied()
    }

    fn add(&mut self, problem: QueryProblem) {
        let same = |p: &QueryProblem| p.message == problem.message && p.spot == problem.spot;
        if !self.problems.iter().any(same) {
            self.problems.push(problem);
        }
    }
}

const QUALIFY: &str = "filter with QUALIFY, as in `QUALIFY row_number() OVER (...) = 1`";
const BEFORE: &str = "compute it in a WITH query first";

fn without_alias(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => without_alias(&alias.expr),
        other => other,
    }
}

fn constant(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => constant(&alias.expr),
        _ => None,
    }
}

/// An argument as it may stand in a hint.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.name.clone(),
        other => other.to_string(),
    }
}

/// Whether an expression can be evaluated by itself: it holds no subquery, no column of a query around it and nothing
/// of a lambda.
fn is_self_contained(expr: &Expr) -> bool {
    let depends = expr.exists(|e| {
        Ok(matches!(
            e,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::HigherOrderFunction(_)
                | Expr::Lambda(_)
                | Expr::LambdaVariable(_)
                | Expr::Placeholder(_)
        ))
    });
    !depends.unwrap_or(true)
}
