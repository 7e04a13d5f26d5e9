//! `perennial lake`.

use super::output::{Format, Printer, count};
use super::progress::Progress;
use super::table::Table;
use super::{Context, Outcome, Output, Verb};
use crate::flow;
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use jiff::SignedDuration;
use perennial_core::error::{Problems, Result};
use perennial_lake::{Damage, Finding, TableWaste, Vacuum, Verification};

/// Verify the files of the lake, and delete what is not kept
#[derive(clap::Args)]
pub(super) struct Lake {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Verify(Verify),
    Vacuum(VacuumArgs),
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

/// Say which releases `keep` does not cover, or remove them and what no release needs
///
/// `keep` in perennial.yml says how long releases stay: every one of 14 days and the last of each of 36 months, if it says
/// nothing else. The newest stays always, and so does every release that an edition in the folder of the reports stands
/// on. Without `--delete` nothing is removed.
///
/// A release is removed at once, the files that only it needs after the grace period: whoever reads it goes on. The rows
/// of system.* are history and stay.
#[derive(clap::Args)]
struct VacuumArgs {
    /// Remove it
    #[arg(long)]
    delete: bool,
    /// How long files stay that a reader may still need, as in 12h; 0s only where nothing else uses the lake
    #[arg(long, value_name = "TIME", value_parser = grace, default_value = "24h")]
    grace: SignedDuration,
    #[command(flatten)]
    output: Output,
}

fn grace(text: &str) -> Result<SignedDuration, String> {
    let seconds = perennial_project::parse_seconds(text).ok_or("write it such as `90m`, `12h` or `3d`")?;
    Ok(SignedDuration::from_secs(seconds))
}

#[async_trait::async_trait(?Send)]
impl Verb for Lake {
    fn format(&self) -> Format {
        match &self.action {
            Action::Verify(verify) => verify.output.format,
            Action::Vacuum(vacuum) => vacuum.output.format,
        }
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        match &self.action {
            Action::Verify(_) => verify(context).await,
            Action::Vacuum(arguments) => vacuum(arguments, context).await,
        }
    }
}

async fn vacuum(arguments: &VacuumArgs, context: &Context<'_>) -> Result<Outcome, Problems> {
    let project = context.project()?;
    let (printer, now, grace) = (context.printer, context.now(), arguments.grace);
    let done = if arguments.delete {
        let progress = Progress::new(printer);
        flow::vacuum(&project, grace, &context.invoker("lake vacuum"), now, &progress).await?
    } else {
        flow::plan_vacuum(&project, grace, now).await?
    };
    match printer.format {
        Format::Json => printer.json(&vacuum_json(&done, arguments.delete))?,
        Format::Csv => printer.csv(&VACUUM_COLUMNS, &rows_of(&done, |bytes| bytes.to_string()))?,
        Format::Text => print_vacuum(&done, arguments.delete, printer)?,
    }
    Ok(Outcome::Done)
}

const VACUUM_COLUMNS: [&str; 5] = ["table_name", "files", "bytes", "files_later", "bytes_later"];

/// What goes of the lake's own records stands in the place of a table.
const RECORDS: &str = "_perennial";

/// A row for each table, the lake's own records last.
fn rows_of(vacuum: &Vacuum, bytes: impl Fn(u64) -> String) -> Vec<Vec<String>> {
    let row = |name: String, TableWaste { now, later }: &TableWaste| {
        vec![name, now.files.to_string(), bytes(now.bytes), later.files.to_string(), bytes(later.bytes)]
    };
    let tables = vacuum.tables.iter().map(|(table, waste)| row(table.to_string(), waste));
    let records = Some(&vacuum.records).filter(|waste| **waste != TableWaste::default());
    tables.chain(records.map(|waste| row(RECORDS.to_string(), waste))).collect()
}

fn print_vacuum(vacuum: &Vacuum, deleted: bool, printer: &Printer) -> Result<()> {
    let rows = rows_of(vacuum, |bytes| HumanBytes(bytes).to_string());
    if !rows.is_empty() {
        let right = VACUUM_COLUMNS.iter().map(|column| *column != "table_name").collect();
        printer.text(&Table::new(&VACUUM_COLUMNS, rows).aligned(right).text(printer.width))?;
    }
    let removed = count(vacuum.releases.len() as u64, "release", "releases");
    let which = match vacuum.releases.as_slice() {
        [] => String::new(),
        [only] => format!(" ({}, published {:.0})", only.number, only.published_at),
        [first, .., last] => format!(
            " ({} to {}, published {:.0} to {:.0})",
            first.number, last.number, first.published_at, last.published_at
        ),
    };
    let (now, later, kept) = (vacuum.total().now, vacuum.total().later, vacuum.kept.len());
    let would = if deleted { "" } else { "would be " };
    let files = count(now.files, "file", "files");
    printer.say(format!(
        "{removed}{which} {would}removed, {kept} kept; {files} {would}deleted, {}",
        HumanBytes(now.bytes)
    ));
    if let (Some(from), 1..) = (vacuum.later_from, later.files) {
        let (files, bytes) = (count(later.files, "file", "files"), HumanBytes(later.bytes));
        printer.say(format!(
            "{files} of removed releases, {bytes}, can go from {from:.0} on: readers may still need them"
        ));
    }
    if !deleted && (now.files > 0 || !vacuum.releases.is_empty()) {
        printer.say("nothing was removed; `perennial lake vacuum --delete` does it");
    }
    Ok(())
}

fn vacuum_json(vacuum: &Vacuum, deleted: bool) -> serde_json::Value {
    let waste = |TableWaste { now, later }: &TableWaste| {
        serde_json::json!({
            "files": now.files, "bytes": now.bytes, "files_later": later.files, "bytes_later": later.bytes,
        })
    };
    let tables = vacuum.tables.iter().map(|(table, of_table)| {
        let mut row = waste(of_table);
        row["table_name"] = table.to_string().into();
        row
    });
    let releases = vacuum.releases.iter().map(|release| {
        serde_json::json!({
            "number": release.number, "published_at": release.published_at.to_string(), "as_of": release.as_of.to_string(),
        })
    });
    serde_json::json!({
        "deleted": deleted, "releases": releases.collect::<Vec<_>>(), "kept": vacuum.kept,
        "tables": tables.collect::<Vec<_>>(), "records": waste(&vacuum.records), "total": waste(&vacuum.total()),
        "later_from": vacuum.later_from.map(|from| from.to_string()),
    })
}

async fn verify(context: &Context<'_>) -> Result<Outcome, Problems> {
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
