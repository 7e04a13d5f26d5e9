//! `perennial show`.

use super::output::Format;
use super::{Context, Outcome, Output, Verb};
use crate::flow;
use perennial_core::error::Problems;

/// Compute the first rows of a step from the newest release, without writing anything
#[derive(clap::Args)]
pub(super) struct Show {
    /// The step, as in `marts.rfm` or `rfm`
    #[arg(value_name = "STEP")]
    step: String,
    /// Number of rows
    #[arg(long, default_value_t = 10, value_name = "ROWS")]
    limit: usize,
    /// The business date to compute for
    #[arg(long, value_name = "DATE")]
    as_of: Option<jiff::civil::Date>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Show {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let rows = flow::show(&project, &self.step, self.limit, self.as_of, context.now()).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
