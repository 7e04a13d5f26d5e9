//! `perennial rejects`.

use super::output::Format;
use super::run::run_and_print;
use super::{Context, Outcome, Output, Verb};
use crate::flow::{Correction, Reader, ReplayRequest, RunRequest};
use perennial_core::error::{Error, Problems, Result};
use perennial_core::regular_file;
use perennial_engine::literal;
use std::path::{Path, PathBuf};

/// List the rows that a contract rejected, or try them again
///
/// `list` counts them by reason, `show` shows each with its file, line, column and value. Both show the rejects of the
/// files as they were last read; `--all` shows what every run rejected.
///
/// `replay` tries them again with the current contract, in a run that reads nothing else: steps, tests, release and
/// reports follow. With `--corrections`, values that `show --format json` printed can be corrected first.
#[derive(clap::Args)]
pub(super) struct Rejects {
    /// What to do
    #[arg(value_enum, default_value_t = What::List)]
    what: What,
    /// Only rejects of this source
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only rejects of this table of the source
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Everything that any run rejected, also in files that were read again since or whose source failed
    #[arg(long)]
    all: bool,
    /// Maximum number of rows
    #[arg(long, default_value_t = 50, value_name = "ROWS")]
    limit: usize,
    /// For `replay`: the pipeline whose steps follow; needed where several read the source
    #[arg(long, value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// For `replay`: the output of `show --format json` with corrected values
    #[arg(long, value_name = "FILE")]
    corrections: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    List,
    Show,
    Replay,
}

#[async_trait::async_trait(?Send)]
impl Verb for Rejects {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        match self.what {
            What::Replay => self.replay(context).await,
            _ if self.corrections.is_some() => {
                Err(Error::project("`--corrections` is for `perennial rejects replay`").into())
            }
            _ if self.pipeline.is_some() => {
                Err(Error::project("`--pipeline` is for `perennial rejects replay`").into())
            }
            _ => self.print(context).await,
        }
    }
}

impl Rejects {
    async fn print(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let reader = Reader::open(&project, None).await?;
        let mut conditions = vec!["TRUE".to_string()];
        conditions.extend(self.source.iter().map(|s| format!("source = {}", literal(s))));
        conditions.extend(self.table.iter().map(|t| format!("table_name = {}", literal(t))));
        let everything = conditions.join(" AND ");
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
        if !self.all && context.printer.format == Format::Text && rows.iter().all(|batch| batch.num_rows() == 0) {
            let others = format!("SELECT 1 FROM system.rejects WHERE {everything}");
            if reader.query(&others, Some(1)).await?.iter().any(|batch| batch.num_rows() > 0) {
                context.printer.say(
                    "note: there are rejects in files that were read again since, or of sources that failed; `--all` \
                     shows them",
                );
            }
        }
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
        let invoker = context.invoker("rejects replay");
        let pipeline = self.pipeline.clone();
        let request = RunRequest { pipeline, replay: Some(replay), ..RunRequest::new(context.now(), invoker) };
        run_and_print(&project, &request, false, context).await
    }
}

/// An entry of `show --format json`; its other keys are ignored.
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
    let text = regular_file::read_to_string(path)
        .map_err(|e| Error::project(format!("cannot read the corrections in {}: {e}", path.display())))?;
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|e| {
        Error::project(format!("{}: {e}", path.display()))
            .hint("it must be the output of `perennial rejects show --format json` with corrected `value`s")
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
