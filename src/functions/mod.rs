//! SQL functions of ours, over those that DataFusion brings. No input or output, no clock, no names of tables.
//!
//! [`SCALARS`] is the whole list; every function has a file of its own with its meaning, an example and tests.

mod months_between;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

/// Functions of one row.
pub const SCALARS: &[fn() -> ScalarUDF] = &[months_between::function];

/// Makes all of them known to a session.
pub fn register(context: &SessionContext) {
    for function in SCALARS {
        context.register_udf(function());
    }
}
