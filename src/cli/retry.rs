//! `perennial retry`.

use super::output::Format;
use super::run::run_and_print;
use super::{Context, Outcome, Output, Verb};
use crate::flow;
use perennial_core::error::Problems;

/// Go on where a failed run stopped: what it had read and built is used again
#[derive(clap::Args)]
pub(super) struct Retry {
    /// The run, as `perennial runs` lists it; the last that failed when left out
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Send what is due afterwards, and tell those who watch how the run ended
    #[arg(long)]
    deliver: bool,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Retry {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let request = flow::retry(&project, self.run.as_deref(), context.invoker("retry"), context.now()).await?;
        run_and_print(&project, &request, self.deliver, context).await
    }
}
