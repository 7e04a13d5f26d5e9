//! `perennial releases`.

use super::output::Format;
use super::{Context, Outcome, Output, Verb};
use crate::flow::Reader;
use perennial_core::error::Problems;

/// List what was published, newest first
#[derive(clap::Args)]
pub(super) struct Releases {
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Releases {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let reader = Reader::for_queries(&project, None).await?;
        let rows = reader.query("SELECT * FROM system.releases ORDER BY number DESC", None).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
