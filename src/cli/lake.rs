//! `perennial lake`.

use super::output::{Format, count};
use super::{Context, Outcome, Output, Verb};
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use perennial_core::error::{Problems, Result};
use perennial_lake::{Damage, Finding, Verification};

/// Verify the files of the lake
#[derive(clap::Args)]
pub(super) struct Lake {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Verify(Verify),
}

/// Read every file of the lake and say which are damaged
///
/// Compares records, rows and system tables of all releases with the checksums that they were written with, and reads
/// the Delta logs. Says of each damaged or missing file which releases need it and what repairs it. Nothing is written,
/// and runs may go on meanwhile.
#[derive(clap::Args)]
struct Verify {
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Lake {
    fn format(&self) -> Format {
        let Action::Verify(verify) = &self.action;
        verify.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let lake = perennial_lake::Lake::open(&project.lake).await?;
        let printer = context.printer;
        let shown = printer.terminal && printer.format == Format::Text;
        let bar = if shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let found = lake
            .verify(&|files| {
                bar.set_position(files);
                bar.set_message(format!("{} files", HumanCount(files)));
            })
            .await;
        bar.finish_and_clear();
        let found = found?;
        match printer.format {
            Format::Json => printer.json(&json(&found))?,
            Format::Csv => printer.csv(&COLUMNS, &found.findings.iter().map(row).collect::<Vec<_>>())?,
            Format::Text => print(&found, context)?,
        }
        Ok(if found.findings.is_empty() { Outcome::Done } else { Outcome::BadData })
    }
}

const COLUMNS: [&str; 6] = ["path", "damage", "part", "table_name", "releases", "repair"];

fn print(found: &Verification, context: &Context<'_>) -> Result<()> {
    let printer = context.printer;
    for finding in &found.findings {
        let of = finding.table.as_ref().map(|table| format!(" of {table}")).unwrap_or_default();
        let releases = releases(finding);
        let needed = if releases.is_empty() { String::new() } else { format!(", needed by {releases}") };
        printer.line(format!("{}\n  {}{of}{needed}\n  help: {}", finding.damaged, finding.part, finding.repair))?;
    }
    let read = format!("{} read, {}", count(found.files, "file", "files"), HumanBytes(found.bytes));
    let damaged = match found.findings.len() as u64 {
        0 => "none is damaged".to_string(),
        damaged => format!("{} damaged or missing", HumanCount(damaged)),
    };
    printer.say(format!("{read}: {damaged}"));
    if found.without_checksum > 0 {
        let files = count(found.without_checksum, "file", "files");
        printer.say(format!("note: {files} of earlier versions without a checksum could only be decoded"));
    }
    for path in &found.foreign {
        printer.say(format!("note: {path} is not a file of this lake and is left out; move it elsewhere"));
    }
    Ok(())
}

/// The releases that need a file, for people.
fn releases(finding: &Finding) -> String {
    let newest = if finding.in_newest { " (the newest)" } else { "" };
    match finding.releases.as_slice() {
        [] => String::new(),
        [only] => format!("release {only}{newest}"),
        [first, .., last] => format!("releases {first} to {last}{newest}"),
    }
}

fn damage(finding: &Finding) -> String {
    match finding.damaged.damage {
        Damage::Missing => "missing".to_string(),
        Damage::Changed => "changed".to_string(),
        Damage::Differs => "differs".to_string(),
        Damage::Block(block) => format!("block {block}"),
    }
}

fn row(finding: &Finding) -> Vec<String> {
    let table = finding.table.as_ref().map(ToString::to_string).unwrap_or_default();
    let releases: Vec<String> = finding.releases.iter().map(ToString::to_string).collect();
    let part = finding.part.to_string();
    vec![finding.damaged.path.clone(), damage(finding), part, table, releases.join(" "), finding.repair.clone()]
}

fn json(found: &Verification) -> serde_json::Value {
    let findings = found.findings.iter().map(|finding| {
        serde_json::json!({
            "path": finding.damaged.path, "damage": damage(finding), "part": finding.part.to_string(),
            "table_name": finding.table.as_ref().map(ToString::to_string), "releases": finding.releases,
            "in_newest": finding.in_newest, "repair": finding.repair,
        })
    });
    serde_json::json!({
        "files": found.files, "bytes": found.bytes, "without_checksum": found.without_checksum,
        "damaged": findings.collect::<Vec<_>>(), "foreign": found.foreign,
    })
}
