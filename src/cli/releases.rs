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
        // The rows of releases that were removed stay.
        let removed: Vec<String> = reader.removed_releases().await?;
        let removed = match removed.as_slice() {
            [] => "SELECT CAST(NULL AS BIGINT) AS number, CAST(NULL AS DATE) AS removed_on".to_string(),
            rows => format!("SELECT * FROM (VALUES {}) AS removed(number, removed_on)", rows.join(", ")),
        };
        let sql = format!(
            "SELECT r.*, removed_on FROM system.releases r LEFT JOIN ({removed}) g ON g.number = r.number \
             ORDER BY r.number DESC"
        );
        let rows = reader.query(&sql, None).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
