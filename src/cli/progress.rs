//! The progress of a run: bars on a terminal, plain lines or JSON in a log, nothing for programs.

use super::output::{Format, Level, LogFormat, Printer, count};
use crate::flow::{Event, Observer};
use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shows the events of a run.
pub(super) struct Progress<'a> {
    printer: &'a Printer,
    bars: MultiProgress,
    /// One bar for each table, step or report in progress, by name.
    open: Mutex<HashMap<String, ProgressBar>>,
    /// The run, for lines of a log.
    run_id: Mutex<Option<String>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(printer: &'a Printer) -> Progress<'a> {
        let shown = printer.terminal && printer.format != Format::Json;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Progress {
            printer,
            bars: MultiProgress::with_draw_target(target),
            open: Mutex::default(),
            run_id: Mutex::default(),
        }
    }

    /// Removes the bars.
    pub(super) fn clear(&self) {
        // Without a terminal there is nothing to clear.
        let _ = self.bars.clear();
    }

    fn bar(&self, name: &str, message: String) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = open.entry(name.to_string()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(message);
    }

    fn done(&self, name: &str, line: Option<String>) {
        let bar = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if let Some(line) = line.filter(|_| self.printer.format != Format::Json) {
            self.bars.suspend(|| self.printer.say(line));
        }
    }

    /// The event as a line of a log in JSON, with the run it belongs to.
    fn log(&self, event: Event<'_>) {
        let mut run_id = self.run_id.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::Started { run_id: started, .. } = event {
            *run_id = Some(started.to_string());
        }
        let Some((level, name, mut fields)) = logged(event) else { return };
        fields["run_id"] = run_id.clone().into();
        self.printer.log(level, name, fields);
    }
}

/// What a log says of an event; nothing of those that only move a bar.
fn logged(event: Event<'_>) -> Option<(Level, &'static str, Value)> {
    Some(match event {
        Event::Started { pipeline, as_of, .. } => {
            (Level::Info, "run_started", json!({ "pipeline": pipeline, "as_of": as_of.to_string() }))
        }
        Event::Note(text) => (Level::Warn, "note", json!({ "message": text })),
        Event::SourceDone { table, rows, rejects, files, relation, seconds } => {
            let fields = json!({
                "table": table, "rows": rows, "rejects": rejects, "files": files, "relation": relation,
                "seconds": seconds,
            });
            (Level::Info, "source_done", fields)
        }
        Event::StepDone { step, rows, seconds } => {
            (Level::Info, "step_done", json!({ "step": step, "rows": rows, "seconds": seconds }))
        }
        Event::StepUnchanged { step } => (Level::Info, "step_unchanged", json!({ "step": step })),
        Event::StepSkipped { step, because } => {
            (Level::Warn, "step_skipped", json!({ "step": step, "because": because }))
        }
        Event::StepFailed { step } => (Level::Error, "step_failed", json!({ "step": step })),
        // An example is a value of a row, and a log is read by more people than the lake.
        Event::TestNotPassed { test, failures, blocks, .. } => {
            let (level, name) = if blocks { (Level::Error, "test_failed") } else { (Level::Warn, "test_warned") };
            (level, name, json!({ "test": test, "failures": failures }))
        }
        Event::ReportDone { report } => (Level::Info, "report_done", json!({ "report": report })),
        Event::Vacuumed { releases, files, bytes } => {
            (Level::Info, "vacuumed", json!({ "releases": releases, "files": files, "bytes": bytes }))
        }
        Event::SourceProgress { .. } | Event::StepProgress { .. } | Event::ReportStarted { .. } => return None,
    })
}

impl Observer for Progress<'_> {
    fn event(&self, event: Event<'_>) {
        if self.printer.log_format == LogFormat::Json {
            return self.log(event);
        }
        match event {
            Event::Started { pipeline, as_of, .. } => self.done("", Some(format!("run      {pipeline} as of {as_of}"))),
            Event::Note(text) => self.done("", Some(format!("note     {text}"))),
            Event::SourceProgress { table, rows } => {
                self.bar(table, format!("source   {table}  {} rows", HumanCount(rows)));
            }
            Event::SourceDone { table, rows, rejects, files, relation, seconds } => {
                let rejected = if rejects > 0 { format!(", {} rejected", HumanCount(rejects)) } else { String::new() };
                let line = (files > 0).then(|| {
                    let from = relation.map_or_else(|| count(files, "file", "files"), str::to_string);
                    format!("source   {table}  {}{rejected} from {from}  {seconds:.1} s", count(rows, "row", "rows"))
                });
                self.done(table, line);
            }
            Event::StepProgress { step, rows } => self.bar(step, format!("step     {step}  {} rows", HumanCount(rows))),
            Event::StepDone { step, rows, seconds } => {
                self.done(step, Some(format!("step     {step}  {}  {seconds:.1} s", count(rows, "row", "rows"))));
            }
            Event::StepUnchanged { step } => self.done(step, None),
            Event::StepSkipped { step, because } => {
                self.done(step, Some(format!("step     {step}  skipped: {because} failed")));
            }
            Event::StepFailed { step } => self.done(step, Some(format!("step     {step}  failed"))),
            Event::TestNotPassed { test, failures, blocks, example } => {
                let status = if blocks { "failed" } else { "warned" };
                let example = example.map(|e| format!(", such as {e}")).unwrap_or_default();
                let failures = count(failures, "failure", "failures");
                self.done("", Some(format!("test     {test}  {status}: {failures}{example}")));
            }
            Event::ReportStarted { report } => self.bar(report, format!("report   {report}")),
            Event::ReportDone { report } => self.done(report, None),
            Event::Vacuumed { releases, files, bytes } => {
                let (releases, files) = (count(releases, "release", "releases"), count(files, "file", "files"));
                self.done("", Some(format!("vacuum   {releases} removed, {files} deleted, {}", HumanBytes(bytes))));
            }
        }
    }
}
