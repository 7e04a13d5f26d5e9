//! `perennial rejects`.

use super::{Context, Outcome, Output};
use crate::engine::literal;
use crate::error::Problems;
use crate::flow::Reader;

/// Rows that a contract refused: how many by reason (`list`), or each with its file, line, column and value (`show`).
/// Those of the files as they were last read; `--all` shows what every run refused.
#[derive(clap::Args)]
pub(super) struct Rejects {
    #[arg(value_enum, default_value_t = What::List)]
    what: What,
    /// Only of this source
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only of this table of the source
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// What every run refused, also of files that were read again since or whose source failed
    #[arg(long)]
    all: bool,
    /// At most so many rows
    #[arg(long, default_value_t = 50, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    List,
    Show,
}

impl Rejects {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let reader = Reader::open(&project, None).await?;
        let mut conditions = vec!["TRUE".to_string()];
        conditions.extend(self.source.iter().map(|s| format!("source = {}", literal(s))));
        conditions.extend(self.table.iter().map(|t| format!("table_name = {}", literal(t))));
        if !self.all {
            conditions.push(reader.open_rejects());
        }
        let filter = conditions.join(" AND ");
        let sql = match self.what {
            What::List => format!(
                "SELECT run_id, source, table_name, column_name, reason, count(*) AS rejects FROM system.rejects \
                 WHERE {filter} GROUP BY ALL \
                 ORDER BY run_id DESC, rejects DESC, source, table_name, column_name, reason"
            ),
            What::Show => format!(
                "SELECT run_id, source, table_name, file, line, column_name, value, reason FROM system.rejects \
                 WHERE {filter} ORDER BY run_id DESC, source, table_name, file, line"
            ),
        };
        let rows = reader.query(&sql, Some(self.limit)).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }
}
