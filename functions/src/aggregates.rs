//! What all aggregates have in common.

use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::AccumulatorArgs;

/// The engine says when it wants values counted once; an aggregate that does not do that must not give another answer.
pub(crate) fn refuse_distinct(name: &str, arguments: &AccumulatorArgs<'_>) -> Result<()> {
    if arguments.is_distinct {
        return exec_err!("{name}: DISTINCT is not taken; a subquery with SELECT DISTINCT says what is meant");
    }
    Ok(())
}

/// A count as SQL has them.
pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
