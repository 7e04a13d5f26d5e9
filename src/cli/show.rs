//! `perennial show`.

use super::{Context, Outcome, Output};
use crate::error::Problems;
use crate::flow;

/// The first rows of a step, computed now from the newest release; nothing is written.
#[derive(clap::Args)]
pub(super) struct Show {
    /// The step, as in `marts.rfm` or `rfm`
    #[arg(value_name = "STEP")]
    step: String,
    /// How many rows
    #[arg(long, default_value_t = 10, value_name = "ROWS")]
    limit: usize,
    /// The business date to compute for
    #[arg(long, value_name = "DATE")]
    as_of: Option<jiff::civil::Date>,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Show {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let rows = flow::show(&project, &self.step, self.limit, self.as_of, context.now()).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
