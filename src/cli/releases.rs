//! `perennial releases`.

use super::{Context, Outcome, Output};
use crate::error::Problems;
use crate::flow::Reader;

/// What was published, newest first.
#[derive(clap::Args)]
pub(super) struct Releases {
    #[command(flatten)]
    pub(super) output: Output,
}

impl Releases {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let reader = Reader::open(&project, None).await?;
        let rows = reader.query("SELECT * FROM system.releases ORDER BY number DESC", None).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
