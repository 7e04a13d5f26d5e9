//! `perennial query`.

use super::output::Format;
use super::{Context, Outcome, Output, Verb};
use crate::flow::Reader;
use perennial_core::error::{Error, Problems};

/// Query a release with SQL
#[derive(clap::Args)]
pub(super) struct Query {
    /// SQL; `-` reads it from stdin
    #[arg(value_name = "SQL")]
    sql: String,
    /// The release to query instead of the newest
    #[arg(long, value_name = "N")]
    release: Option<u64>,
    /// Maximum number of rows
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Query {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let sql = match self.sql.as_str() {
            "-" => std::io::read_to_string(std::io::stdin())
                .map_err(|e| Error::project("cannot read the query from stdin").because(e))?,
            sql => sql.to_string(),
        };
        let project = context.project()?;
        let reader = Reader::for_queries(&project, self.release).await?;
        context.printer.stream(reader.rows(&sql, self.limit).await?).await?;
        Ok(Outcome::Done)
    }
}
