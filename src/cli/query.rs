//! `perennial query`.

use super::{Context, Outcome, Output};
use crate::error::{Error, Problems};
use crate::flow::Reader;

/// Answer a query from a release.
#[derive(clap::Args)]
pub(super) struct Query {
    /// SQL; `-` reads it from stdin
    #[arg(value_name = "SQL")]
    sql: String,
    /// Of this release instead of the newest
    #[arg(long, value_name = "N")]
    release: Option<u64>,
    /// At most so many rows
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Query {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let sql = match self.sql.as_str() {
            "-" => std::io::read_to_string(std::io::stdin())
                .map_err(|e| Error::project("cannot read the query from stdin").because(e))?,
            sql => sql.to_string(),
        };
        let project = context.project()?;
        let reader = Reader::open(&project, self.release).await?;
        let rows = reader.query(&sql, self.limit).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
