//! `perennial rejects`.

use super::run::run_night;
use super::{Context, Outcome, Output};
use crate::engine::literal;
use crate::error::{Error, Problems, Result};
use crate::flow::{Correction, NightRequest, Reader, ReplayRequest};
use std::path::{Path, PathBuf};

/// Rows that a contract refused: how many by reason (`list`), or each with its file, line, column and value (`show`).
/// Those of the files as they were last read; `--all` shows what every run refused.
///
/// `replay` tries them again under the contract as it is now, in a run that reads nothing else: steps, tests, release and
/// reports follow. With `--corrections` the values that `show --format json` prints may be put right first.
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
    /// For `replay`: what `show --format json` printed, with values put right
    #[arg(long, value_name = "FILE")]
    corrections: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    List,
    Show,
    Replay,
}

impl Rejects {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        match self.what {
            What::Replay => self.replay(context).await,
            _ if self.corrections.is_some() => {
                Err(Error::project("`--corrections` belongs to `perennial rejects replay`").into())
            }
            _ => self.print(context).await,
        }
    }

    async fn print(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
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
            _ => format!(
                "SELECT run_id, source, table_name, file, line, column_name, value, reason FROM system.rejects \
                 WHERE {filter} ORDER BY run_id DESC, source, table_name, file, line"
            ),
        };
        let rows = reader.query(&sql, Some(self.limit)).await?;
        context.printer.rows(&rows)?;
        Ok(Outcome::Done)
    }

    async fn replay(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        if self.table.is_some() && self.source.is_none() {
            return Err(Error::project("`--table` needs `--source`").into());
        }
        let project = context.project()?;
        let corrections = match &self.corrections {
            Some(path) => read_corrections(path)?,
            None => Vec::new(),
        };
        let replay = ReplayRequest { source: self.source.clone(), table: self.table.clone(), corrections };
        let request = NightRequest {
            pipeline: None,
            select: Vec::new(),
            exclude: Vec::new(),
            as_of: None,
            full_refresh: false,
            replay: Some(replay),
            now: context.now(),
            who: context.who("rejects replay"),
        };
        run_night(&project, &request, context).await
    }
}

/// One entry of what `show --format json` prints; keys that it prints beside these are not looked at.
#[derive(serde::Deserialize)]
struct Entry {
    run_id: String,
    source: String,
    table_name: String,
    file: String,
    line: u64,
    value: Option<String>,
}

fn read_corrections(path: &Path) -> Result<Vec<Correction>> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::project(format!("the corrections in {} cannot be read: {e}", path.display())))?;
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|e| {
        Error::project(format!("{}: {e}", path.display()))
            .hint("it is what `perennial rejects show --format json` prints, with `value` put right")
    })?;
    let correction = |e: Entry| Correction {
        run_id: e.run_id,
        source: e.source,
        table: e.table_name,
        file: e.file,
        line: e.line,
        value: e.value,
    };
    Ok(entries.into_iter().map(correction).collect())
}
