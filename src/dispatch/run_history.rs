//! How the pipelines stand, from the history of their runs.

use crate::flow::Reader;
use jiff::Timestamp;
use perennial_core::error::Result;
use perennial_reports::{TextRow, text_rows};
use std::collections::BTreeMap;

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct PastRun {
    /// Its id.
    pub run_id: String,
    /// How it ended: `done`, `failed`, `killed`, `nothing_new`.
    pub status: String,
    /// The time it was planned for.
    pub scheduled_for: Option<Timestamp>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The release it published.
    pub release: Option<u64>,
    /// What went wrong.
    pub message: Option<String>,
}

/// How a pipeline stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The last run.
    pub last: Option<PastRun>,
    /// The last one that succeeded.
    pub last_good: Option<PastRun>,
    /// When the first run after that began, if it failed as all since.
    pub failing_since: Option<Timestamp>,
    /// How many these are.
    pub failed: u64,
}

/// Runs with the name of their pipeline; earlier versions recorded it in the command only.
fn named(only: Option<&str>) -> String {
    let only = only.map_or("NULL".to_string(), perennial_engine::literal);
    format!(
        "SELECT *, status IN ('done', 'nothing_new') AS is_good, coalesce(pipeline, \
         CASE WHEN regexp_like(command, '^(schedule )?run:? ') THEN regexp_replace(command, '^(schedule )?run:? ', '') \
         WHEN command = 'run' THEN {only} END) AS name FROM system.runs"
    )
}

/// How every pipeline of a history stands, by name. `only` is the pipeline of a project that has one.
///
/// # Errors
/// Those of the queries.
pub(crate) async fn by_pipeline(reader: &Reader, only: Option<&str>) -> Result<BTreeMap<String, History>> {
    let newest = format!(
        "SELECT name, run_id, status, CASE WHEN is_good THEN 'good' END AS good, CAST(nth AS VARCHAR) AS nth, \
         CAST(arrow_cast(scheduled_for, 'Int64') AS VARCHAR) AS scheduled_for, \
         CAST(arrow_cast(started_at, 'Int64') AS VARCHAR) AS started_at, \
         CAST(arrow_cast(ended_at, 'Int64') AS VARCHAR) AS ended_at, CAST(release AS VARCHAR) AS release, message \
         FROM (SELECT *, row_number() OVER (PARTITION BY name ORDER BY run_id DESC) AS nth, \
         row_number() OVER (PARTITION BY name, is_good ORDER BY run_id DESC) AS nth_of_kind FROM ({}) WHERE name IS NOT NULL) \
         WHERE nth = 1 OR (nth_of_kind = 1 AND is_good)",
        named(only)
    );
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    for row in text_rows(&reader.query(&newest, None).await?)? {
        let Some(name) = text(&row, "name") else { continue };
        let history = histories.entry(name).or_default();
        let run = PastRun {
            run_id: text(&row, "run_id").unwrap_or_default(),
            status: text(&row, "status").unwrap_or_default(),
            scheduled_for: time(&row, "scheduled_for"),
            started_at: time(&row, "started_at").unwrap_or_default(),
            ended_at: time(&row, "ended_at").unwrap_or_default(),
            release: text(&row, "release").and_then(|text| text.parse().ok()),
            message: text(&row, "message"),
        };
        if text(&row, "good").is_some() {
            history.last_good = Some(run.clone());
        }
        if text(&row, "nth").as_deref() == Some("1") {
            history.last = Some(run);
        }
    }
    let failing = format!(
        "SELECT name, CAST(count(*) AS VARCHAR) AS failed, CAST(arrow_cast(min(started_at), 'Int64') AS VARCHAR) AS since \
         FROM (SELECT *, max(CASE WHEN is_good THEN run_id END) OVER (PARTITION BY name) AS good FROM ({})) \
         WHERE name IS NOT NULL AND (good IS NULL OR run_id > good) GROUP BY name",
        named(only)
    );
    for row in text_rows(&reader.query(&failing, None).await?)? {
        let Some(history) = text(&row, "name").and_then(|name| histories.get_mut(&name)) else { continue };
        history.failing_since = time(&row, "since");
        history.failed = text(&row, "failed").and_then(|text| text.parse().ok()).unwrap_or(0);
    }
    Ok(histories)
}

pub(super) fn text(row: &TextRow, column: &str) -> Option<String> {
    row.get(column).cloned().flatten()
}

fn time(row: &TextRow, column: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(text(row, column)?.parse().ok()?).ok()
}
