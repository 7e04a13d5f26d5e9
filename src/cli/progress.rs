//! The progress of a run: bars on a terminal, plain lines in a log, nothing for programs.

use super::output::{Format, Printer, count};
use crate::flow::{Event, Observer};
use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shows the events of a run.
pub(super) struct Progress<'a> {
    printer: &'a Printer,
    bars: MultiProgress,
    /// One bar for each table, step or report in progress, by name.
    open: Mutex<HashMap<String, ProgressBar>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(printer: &'a Printer) -> Progress<'a> {
        let shown = printer.terminal && printer.format != Format::Json;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Progress { printer, bars: MultiProgress::with_draw_target(target), open: Mutex::default() }
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
}

impl Observer for Progress<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { pipeline, as_of } => self.done("", Some(format!("run      {pipeline} as of {as_of}"))),
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
        }
    }
}
