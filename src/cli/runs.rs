//! `perennial runs`.

use super::{Context, Outcome, Output};
use crate::error::{Error, Problems};
use crate::flow::Reader;

/// The runs, newest first, or one run in detail.
#[derive(clap::Args)]
pub(super) struct Runs {
    /// A run's id: what it read, made and tested
    #[arg(value_name = "RUN")]
    run_id: Option<String>,
    /// At most so many runs
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Runs {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let reader = Reader::open(&project, None).await?;
        let Some(run_id) = &self.run_id else {
            let rows = reader.query("SELECT * FROM system.runs ORDER BY started_at DESC", Some(self.limit)).await?;
            context.printer.rows(&rows)?;
            return Ok(Outcome::Done);
        };
        if !run_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(Error::project(format!("`{run_id}` is not a run's id"))
                .hint("`perennial runs` lists them")
                .into());
        }
        let run = reader.query(&format!("SELECT * FROM system.runs WHERE run_id = '{run_id}'"), None).await?;
        if run.iter().all(|b| b.num_rows() == 0) {
            return Err(Error::project(format!("no run `{run_id}`")).hint("`perennial runs` lists them").into());
        }
        context.printer.rows(&run)?;
        for table in ["sources", "steps", "tests"] {
            let sql = format!("SELECT * FROM system.{table} WHERE run_id = '{run_id}'");
            let rows = reader.query(&sql, None).await?;
            if rows.iter().any(|b| b.num_rows() > 0) {
                context.printer.line("")?;
                context.printer.rows(&rows)?;
            }
        }
        Ok(Outcome::Done)
    }
}
