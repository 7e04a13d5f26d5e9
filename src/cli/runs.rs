//! `perennial runs`.

use super::output::{Format, rows_json, table};
use super::{Context, Outcome, Output, Verb};
use crate::flow::Reader;
use perennial_core::error::{Error, Problems};
use perennial_engine::literal;

/// Ids shown where several are meant.
const MAX_SHOWN: usize = 5;

/// List the runs, newest first, or show one in detail
#[derive(clap::Args)]
pub(super) struct Runs {
    /// A run's id, or its beginning: what that run read, built and tested
    #[arg(value_name = "RUN")]
    run_id: Option<String>,
    /// Maximum number of runs
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    limit: usize,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Runs {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let reader = Reader::for_queries(&project, None).await?;
        match &self.run_id {
            Some(run_id) => one(run_id, &reader, context).await?,
            None => {
                let columns = match self.output.format {
                    Format::Text => columns_for_people(&project.time_zone),
                    Format::Json | Format::Csv => "*".to_string(),
                };
                // Identifiers ascend with time.
                let sql = format!("SELECT {columns} FROM system.runs ORDER BY run_id DESC");
                context.printer.rows(&reader.query(&sql, Some(self.limit)).await?)?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// The columns of a list that people read: times in the project's zone to the second, and no hashes.
fn columns_for_people(time_zone: &str) -> String {
    let local = |column: &str| format!("arrow_cast({column}, 'Timestamp(Second, Some(\"{time_zone}\"))') AS {column}");
    format!(
        "run_id, coalesce(pipeline, command) AS pipeline, as_of, {}, {}, \
         CAST(date_diff('second', started_at, ended_at) AS BIGINT) AS seconds, attempt, status, release, message",
        local("scheduled_for"),
        local("started_at")
    )
}

/// One run: its own row, and what it read, built and tested.
async fn one(run_id: &str, reader: &Reader, context: &Context<'_>) -> Result<(), Problems> {
    let run_id = &whole_id(run_id, reader).await?;
    let of_run = |name: &str| format!("SELECT * FROM system.{name} WHERE run_id = {}", literal(run_id));
    let run = reader.query(&of_run("runs"), None).await?;
    if context.printer.format == Format::Csv {
        let error = Error::project("a run in detail has several tables, and CSV holds one");
        return Err(error.hint("use `--format json`, or query `system.steps` and its like").into());
    }
    let mut document = serde_json::Map::new();
    let first = rows_json(&run)?.as_array_mut().and_then(Vec::pop).unwrap_or_default();
    document.insert("run".to_string(), first);
    let mut text = table(&run)?.text(context.printer.width);
    for name in ["sources", "steps", "tests"] {
        let rows = reader.query(&of_run(name), None).await?;
        document.insert(name.to_string(), rows_json(&rows)?);
        if rows.iter().any(|batch| batch.num_rows() > 0) {
            text.push_str(&format!("\n{}", table(&rows)?.text(context.printer.width)));
        }
    }
    match context.printer.format {
        Format::Json => context.printer.json(&serde_json::Value::Object(document))?,
        _ => context.printer.text(&text)?,
    }
    Ok(())
}

/// The id of the only run that begins like this, or that is it.
async fn whole_id(given: &str, reader: &Reader) -> Result<String, Problems> {
    let sql =
        format!("SELECT DISTINCT run_id FROM system.runs WHERE starts_with(run_id, {}) ORDER BY 1", literal(given));
    let found = rows_json(&reader.query(&sql, None).await?)?;
    let ids: Vec<&str> = found.as_array().into_iter().flatten().filter_map(|row| row["run_id"].as_str()).collect();
    match ids.as_slice() {
        [] => Err(Error::project(format!("unknown run `{given}`")).hint("`perennial runs` lists the runs").into()),
        [one] => Ok((*one).to_string()),
        ids if ids.contains(&given) => Ok(given.to_string()),
        ids => {
            let error = Error::project(format!("{} runs begin with `{given}`", ids.len()));
            let shown = ids.iter().rev().take(MAX_SHOWN).copied().collect::<Vec<_>>().join("`, `");
            let more = if ids.len() > MAX_SHOWN { " and others" } else { "" };
            Err(error.hint(format!("they are `{shown}`{more}; add characters")).into())
        }
    }
}
