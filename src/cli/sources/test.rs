//! `perennial sources test`.

use super::super::output::{Format, Printer, count};
use super::super::{Context, Outcome, Output, Verb};
use super::{project_with, unknown};
use crate::flow::{self, ProbeStatus, SourceTest, TableTest};
use indicatif::HumanCount;
use perennial_core::contract::Source;
use perennial_core::error::{Error, Problems, Result};
use perennial_core::visible::on_one_line;
use perennial_intake::Reject;
use perennial_project::Project;

/// Open every source as a run would and check the first rows of its tables, without writing anything
///
/// Exit codes: 0 all can be read; 1 first rows are rejected, or a table has none; 2 a mistake in a contract, such as a
/// column or table that does not exist; 3 a source cannot be reached. All sources are tried, even if some fail.
#[derive(clap::Args)]
pub(super) struct Test {
    /// Only these sources; by default all
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Test {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let (project, problems) = project_with(&self.sources, context)?;
        let chosen = self.chosen(&project, &problems)?;
        let tests = flow::test_sources(&chosen).await;
        print(&tests, context.printer)?;
        let code = tests.iter().map(SourceTest::exit_code).fold(problems.exit_code(), u8::max);
        if !problems.is_empty() && context.printer.format != Format::Json {
            context.printer.problems(&problems);
        }
        Ok(if code == 0 { Outcome::Done } else { Outcome::ExitCode(code) })
    }
}

impl Test {
    fn chosen<'p>(&self, project: &'p Project, problems: &Problems) -> Result<Vec<&'p Source>> {
        if self.sources.is_empty() {
            return Ok(project.sources.iter().collect());
        }
        let mut chosen = Vec::new();
        for name in &self.sources {
            match project.sources.iter().find(|source| source.name == *name) {
                Some(source) => chosen.push(source),
                // If its contract could not be read, its problems are printed.
                None if project.unread.sources.contains(name) && !problems.is_empty() => {}
                None => return Err(unknown(name, project)),
            }
        }
        Ok(chosen)
    }
}

fn print(tests: &[SourceTest], printer: &Printer) -> Result<()> {
    match printer.format {
        Format::Json => printer.json(&serde_json::Value::Array(tests.iter().map(test_json).collect())),
        Format::Csv => {
            let row = |test: &SourceTest, table: &str, status, message: &str| {
                vec![test.source.clone(), table.to_string(), machine_label(status), message.to_string()]
            };
            let mut rows = Vec::new();
            for test in tests {
                rows.extend(test.error.iter().map(|error| row(test, "", ProbeStatus::Failed, error.message())));
                rows.extend(
                    test.tables.iter().map(|t| row(test, &t.table, t.status(), &problem(t).unwrap_or_default())),
                );
            }
            printer.csv(&["source", "table", "status", "message"], &rows)
        }
        Format::Text => {
            let width = tests.iter().map(|test| test.source.len()).max().unwrap_or(0);
            for test in tests {
                let summary = summary(test);
                let (status, summary) = (label(test.status()), on_one_line(&summary));
                printer.line(format!("{:width$}  {status:8}  {summary}", test.source))?;
                for detail in details(test) {
                    printer.line(format!("{:width$}            {}", "", on_one_line(&detail)))?;
                }
            }
            Ok(())
        }
    }
}

fn label(status: ProbeStatus) -> &'static str {
    match status {
        ProbeStatus::Ok => "ok",
        ProbeStatus::BadData => "bad data",
        ProbeStatus::Failed => "failed",
    }
}

/// The same for programs.
fn machine_label(status: ProbeStatus) -> String {
    label(status).replace(' ', "_")
}

/// A source in one line.
fn summary(test: &SourceTest) -> String {
    if let Some(error) = &test.error {
        return error.message().to_string();
    }
    let files: u64 = test.tables.iter().filter_map(|t| t.found.as_ref().ok()).map(|found| found.files).sum();
    let tables = test.tables.len() as u64;
    let what = match test.tables.iter().any(|table| table.of_files) {
        true => {
            let newest = test.tables.iter().filter_map(|t| t.found.as_ref().ok()?.newest.as_ref());
            let newest = newest.map(|file| file.modified).max();
            let newest = newest.map(|time| format!(", newest of {}", time.strftime("%Y-%m-%d"))).unwrap_or_default();
            format!("{} of {}{newest}", count(files, "file", "files"), count(tables, "table", "tables"))
        }
        false => format!("{}, {}", test.system, count(tables, "table", "tables")),
    };
    let failed = test.tables.iter().filter(|table| table.found.is_err()).count() as u64;
    let empty =
        test.tables.iter().filter(|table| matches!(&table.found, Ok(found) if found.rows() == 0)).count() as u64;
    let mut problems = Vec::new();
    if failed > 0 {
        problems.push(format!("{} cannot be read", count(failed, "table", "tables")));
    }
    if empty > 0 {
        problems.push(format!("{} without rows", count(empty, "table", "tables")));
    }
    if test.rejected() > 0 {
        problems.push(rejected(test.rejected(), test.rows()));
    }
    match problems.is_empty() {
        true => format!("{what}, the first rows satisfy the contract"),
        false => format!("{what}; {}", problems.join(", ")),
    }
}

/// The lines below the summary: hints, and the problems of tables. A problem of several tables is printed once.
fn details(test: &SourceTest) -> Vec<String> {
    let mut lines: Vec<String> = test.error.iter().filter_map(hint).collect();
    let mut found: Vec<(String, Vec<&str>, Option<String>)> = Vec::new();
    for table in &test.tables {
        let Some(problem) = problem(table) else { continue };
        let hint = table.found.as_ref().err().and_then(hint);
        match found.iter_mut().find(|(known, ..)| *known == problem) {
            Some((_, tables, _)) => tables.push(&table.table),
            None => found.push((problem, vec![&table.table], hint)),
        }
    }
    for (problem, tables, hint) in found {
        lines.push(format!("{}: {problem}", tables.join(", ")));
        lines.extend(hint);
    }
    let notes = |table: &TableTest| table.found.as_ref().map(|found| found.notes.clone()).unwrap_or_default();
    let notes = test.tables.iter().flat_map(|table| notes(table).into_iter().map(|note| (&table.table, note)));
    lines.extend(notes.map(|(table, note)| format!("{table}: {note}")));
    lines
}

fn hint(error: &Error) -> Option<String> {
    error.hint_text().map(|hint| format!("hint: {hint}"))
}

/// The problem of a table, if it has one.
fn problem(table: &TableTest) -> Option<String> {
    let found = match &table.found {
        Ok(found) => found,
        Err(error) => return Some(error.message().to_string()),
    };
    if let Some(first) = found.rejects.first() {
        return Some(format!("{}: {}", rejected(found.rejects.len() as u64, found.rows()), described(first)));
    }
    if found.rows() > 0 {
        return None;
    }
    Some(match (table.of_files, &found.newest) {
        (true, None) => "no file matches".to_string(),
        (true, Some(newest)) => format!("{} has no rows", newest.path),
        _ => "it has no rows".to_string(),
    })
}

fn rejected(rejects: u64, rows: u64) -> String {
    format!("{} of the first {} rejected", HumanCount(rejects), count(rows, "row", "rows"))
}

fn described(reject: &Reject) -> String {
    let raw: String = reject.raw.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let place = format!("{} line {}", reject.file, reject.line);
    match &reject.column {
        Some(column) => format!("{place}, column `{column}` is `{raw}`: {}", reject.reason),
        None => format!("{place}, `{raw}`: {}", reject.reason),
    }
}

fn test_json(test: &SourceTest) -> serde_json::Value {
    serde_json::json!({
        "source": test.source,
        "status": machine_label(test.status()),
        "system": test.system,
        "summary": summary(test),
        "error": test.error.as_ref().map(error_json),
        "exit_code": test.exit_code(),
        "tables": test.tables.iter().map(table_json).collect::<Vec<_>>(),
    })
}

fn table_json(table: &TableTest) -> serde_json::Value {
    let found = table.found.as_ref().ok();
    serde_json::json!({
        "table": table.table,
        "status": machine_label(table.status()),
        "files": found.filter(|_| table.of_files).map(|found| found.files),
        "newest_file": found.and_then(|found| found.newest.as_ref()).map(|file| file.path.clone()),
        "newest_file_at": found.and_then(|found| found.newest.as_ref()).map(|file| file.modified.to_string()),
        "first_rows": found.map(|found| found.rows()),
        "rejected": found.map(|found| found.rejects.len()),
        "new_columns": found.map(|found| found.new_columns.clone()),
        "notes": found.map(|found| found.notes.clone()),
        "problem": problem(table),
        "error": table.found.as_ref().err().map(error_json),
    })
}

fn error_json(error: &Error) -> serde_json::Value {
    serde_json::json!({
        "message": error.message(), "hint": error.hint_text(), "exit_code": error.kind().exit_code(),
    })
}
