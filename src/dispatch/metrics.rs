//! Figures of the last runs in Prometheus' text format. What is known of each pipeline is kept in the lake, so that a run
//! writes its own and reads a few bytes of the others', whatever the history.

use super::ended_run::EndedRun;
use jiff::Timestamp;
use perennial_core::error::{Error, Result};
use perennial_lake::{Lake, StateFolder};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The folder of what is known of the last runs.
const FOLDER: &str = "metrics/";

/// Figures of the last run of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct RunMetrics {
    format: u32,
    pipeline: String,
    ended_at: Timestamp,
    last_success_at: Option<Timestamp>,
    seconds: f64,
    exit_code: u8,
    release: Option<u64>,
    tests: BTreeMap<String, u64>,
    /// Accepted rows and rejects by source and table.
    sources: Vec<(String, String, u64, u64)>,
    new_editions: u64,
}

/// Messages of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct OutboxCounts {
    /// To be sent, or to be tried again.
    pub waiting: u64,
    /// Of which nobody knows whether they were sent.
    pub unknown: u64,
    /// Refused or given up in the last days.
    pub not_delivered: u64,
}

/// Remembers the figures of a run.
///
/// # Errors
/// `Unreachable` when the lake fails.
pub(super) async fn remember(lake: &Lake, ended: &EndedRun<'_>, now: Timestamp) -> Result<()> {
    let name = format!("{FOLDER}{}.json", ended.pipeline);
    let before = lake.read_state(StateFolder::Notices, &name).await?;
    let before: Option<RunMetrics> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let is_good = ended.exit_code() == 0;
    let last_success_at = if is_good { Some(now) } else { before.as_ref().and_then(|before| before.last_success_at) };
    let mut metrics = RunMetrics {
        format: 1,
        pipeline: ended.pipeline.to_string(),
        ended_at: now,
        last_success_at,
        seconds: now.duration_since(ended.started_at).as_secs_f64(),
        exit_code: ended.exit_code(),
        release: before.and_then(|before| before.release),
        ..RunMetrics::default()
    };
    if let Ok(outcome) = ended.result {
        use crate::flow::Ending;
        match outcome.ending {
            Ending::Published { release, .. } | Ending::NothingNew { release } => metrics.release = Some(release),
            Ending::Withheld { .. } | Ending::NotPublished => {}
        }
        let tests = outcome.tests;
        metrics.tests = [("passed", tests.passed), ("warned", tests.warned), ("failed", tests.failed)]
            .map(|(name, count)| (name.to_string(), count))
            .into();
        let source = |s: &perennial_lake::history::SourceRecord| (s.source.clone(), s.table.clone(), s.rows, s.rejects);
        metrics.sources = outcome.sources.iter().map(source).collect();
        metrics.new_editions = outcome.editions.iter().filter(|edition| edition.is_new).count() as u64;
    }
    let json = serde_json::to_vec(&metrics).map_err(|e| Error::bug(format!("metrics cannot be written: {e}")))?;
    lake.put_state(StateFolder::Notices, &name, json).await
}

/// The text of all metrics.
///
/// # Errors
/// `Unreachable` when the lake fails.
pub(super) async fn text(lake: &Lake, outbox: OutboxCounts) -> Result<String> {
    let mut all = Vec::new();
    for name in lake.state_names_below(StateFolder::Notices, FOLDER.trim_end_matches('/')).await? {
        let bytes = lake.read_state(StateFolder::Notices, &name).await?;
        all.extend(bytes.and_then(|bytes| serde_json::from_slice::<RunMetrics>(&bytes).ok()));
    }
    Ok(written(&all, outbox))
}

/// Writes metrics to a file, which appears whole.
///
/// # Errors
/// `Unreachable` when it cannot be written.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| {
        let error = Error::unreachable(format!("cannot write the metrics to {}: {e}", path.display()));
        error.hint("check that the folder can be written to and that the disk has space")
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    perennial_core::file::replace(path, text.as_bytes()).map_err(failed)
}

/// Labels of a sample.
type Labels<'a> = Vec<(&'a str, &'a str)>;

fn written(all: &[RunMetrics], outbox: OutboxCounts) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, help: &str, samples: Vec<(Labels<'_>, f64)>| {
        if samples.is_empty() {
            return;
        }
        let _ = write!(out, "# HELP perennial_{name} {help}\n# TYPE perennial_{name} gauge\n");
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "perennial_{name}{labels} {value}");
        }
    };
    let seconds = |time: Timestamp| time.as_second() as f64;
    let by_pipeline = |value: &dyn Fn(&RunMetrics) -> Option<f64>| -> Vec<(Labels<'_>, f64)> {
        all.iter().filter_map(|run| Some((vec![("pipeline", run.pipeline.as_str())], value(run)?))).collect()
    };
    metric(
        "last_success_timestamp_seconds",
        "When the last run that succeeded ended.",
        by_pipeline(&|run| run.last_success_at.map(seconds)),
    );
    metric("last_run_timestamp_seconds", "When the last run ended.", by_pipeline(&|run| Some(seconds(run.ended_at))));
    metric("last_run_duration_seconds", "How long the last run took.", by_pipeline(&|run| Some(run.seconds)));
    metric(
        "last_run_exit_code",
        "How the last run ended: 0 good, 1 data, 2 project, 3 not reached.",
        by_pipeline(&|run| Some(f64::from(run.exit_code))),
    );
    metric("release", "The newest release of the pipeline.", by_pipeline(&|run| run.release.map(|n| n as f64)));
    metric("last_run_editions", "New editions of the last run.", by_pipeline(&|run| Some(run.new_editions as f64)));
    let tests = all.iter().flat_map(|run| {
        run.tests.iter().map(|(result, count)| {
            (vec![("pipeline", run.pipeline.as_str()), ("result", result.as_str())], *count as f64)
        })
    });
    metric("last_run_tests", "Tests of the last run by result.", tests.collect());
    let source = |value: fn(&(String, String, u64, u64)) -> u64| -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for run in all {
            for s in &run.sources {
                let labels =
                    vec![("pipeline", run.pipeline.as_str()), ("source", s.0.as_str()), ("table", s.1.as_str())];
                samples.push((labels, value(s) as f64));
            }
        }
        samples
    };
    metric("last_run_source_rows", "Rows accepted by the last run.", source(|s| s.2));
    metric("last_run_source_rejects", "Rows rejected by the last run.", source(|s| s.3));
    let state = |state: &'static str, count: u64| (vec![("state", state)], count as f64);
    metric(
        "outbox_messages",
        "Messages that were not delivered.",
        vec![
            state("waiting", outbox.waiting),
            state("unknown", outbox.unknown),
            state("not_delivered", outbox.not_delivered),
        ],
    );
    out
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_exposition_format() {
        let run = RunMetrics {
            pipeline: "night\"ly\\".into(),
            ended_at: Timestamp::from_second(1_800_000_060).unwrap(),
            last_success_at: None,
            seconds: 12.5,
            exit_code: 1,
            release: Some(7),
            tests: BTreeMap::from([("failed".to_string(), 2)]),
            sources: vec![("erp".into(), "orders".into(), 120, 3)],
            ..RunMetrics::default()
        };
        let text = written(&[run], OutboxCounts { waiting: 2, unknown: 1, not_delivered: 0 });
        for line in [
            "perennial_last_run_timestamp_seconds{pipeline=\"night\\\"ly\\\\\"} 1800000060",
            "perennial_last_run_duration_seconds{pipeline=\"night\\\"ly\\\\\"} 12.5",
            "perennial_last_run_tests{pipeline=\"night\\\"ly\\\\\",result=\"failed\"} 2",
            "perennial_last_run_source_rejects{pipeline=\"night\\\"ly\\\\\",source=\"erp\",table=\"orders\"} 3",
            "perennial_outbox_messages{state=\"waiting\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        // A pipeline that has never succeeded has no time of its last success.
        assert!(!text.contains("last_success"), "{text}");
        // Each family is described once, before its samples.
        for family in ["last_run_exit_code", "release", "outbox_messages"] {
            assert_eq!(text.matches(&format!("# TYPE perennial_{family} gauge\n")).count(), 1);
        }
    }
}
