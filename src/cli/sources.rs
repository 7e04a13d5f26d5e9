//! `perennial sources`.

use super::output::{self, Format, Printer, count};
use super::{Context, Outcome, Output};
use crate::contract::{Access, Secret, Source, Tls};
use crate::error::{Error, Place, Problems, Result};
use crate::flow::{self, Additions, DiscoverRequest, Discovered, SourceTest, Standing, TableTest};
use crate::intake::Reject;
use crate::project::Project;
use std::path::{Path, PathBuf};

/// The systems that are read from: whether they can be reached, and drafts of contracts for new ones.
#[derive(clap::Args)]
pub(super) struct Sources {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Open every source as a night would and hold the first rows of its tables against the contract; writes nothing
    Test(Test),
    /// Draft the contract of a folder, file, database or service, to be edited; or say what a source has that its contract
    /// does not name
    Discover(Discover),
}

/// Exit codes: 0 all can be read; 1 first rows are refused, or a table has none; 2 a mistake in a contract (a column or
/// table that is not there); 3 a source cannot be reached. All sources are tried, whatever fails.
#[derive(clap::Args)]
struct Test {
    /// Only these; all when none is named
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Discover {
    /// A folder, a file, s3://, gs://, az://, sftp://, postgresql://, mysql://, sqlite:// or https://
    #[arg(value_name = "LOCATION", required_unless_present = "source", conflicts_with = "source")]
    location: Option<String>,
    /// Say what this source of the project has that its contract does not name
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["name", "user", "password_env", "password_file", "tls", "write"])]
    source: Option<String>,
    /// Name of the source; told from the location when left out
    #[arg(long)]
    name: Option<String>,
    /// The account
    #[arg(long)]
    user: Option<String>,
    /// Environment variable that holds its password
    #[arg(long, value_name = "VARIABLE", conflicts_with = "password_file")]
    password_env: Option<String>,
    /// File that holds its password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How the connection is protected
    #[arg(long, value_enum, default_value_t = TlsWord::Verify)]
    tls: TlsWord,
    /// Only tables of these names, as in 'sale_*'
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    tables: Vec<String>,
    /// Rows looked at of each table
    #[arg(long, default_value_t = 10_000, value_name = "ROWS")]
    sample_rows: usize,
    /// Write pipelines/sources/NAME.yml of the project, unless it is there
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TlsWord {
    Verify,
    Encrypt,
    Off,
}

impl Sources {
    pub(super) fn format(&self) -> Format {
        match &self.action {
            Action::Test(test) => test.output.format,
            Action::Discover(discover) => discover.output.format,
        }
    }

    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        match &self.action {
            Action::Test(test) => test.run(context).await,
            Action::Discover(discover) => discover.run(context).await,
        }
    }
}

impl Test {
    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        // Contracts are looked at by themselves: a mistake in a step does not keep a source from being tried.
        let (project, problems) = Project::draft(&context.root()?, &context.load_options())?;
        let problems = of_contracts(problems, &self.sources);
        let chosen = chosen(&project, &self.sources, &problems)?;
        let tests = flow::test_sources(&chosen).await;
        print_tests(&tests, context.printer)?;
        let code = tests.iter().map(SourceTest::exit_code).fold(problems.exit_code(), u8::max);
        if !problems.is_empty() && context.printer.format != Format::Json {
            context.printer.problems(&problems);
        }
        Ok(if code == 0 { Outcome::Done } else { Outcome::Told(code) })
    }
}

/// The problems of the contracts of some sources, or of all.
fn of_contracts(problems: Problems, sources: &[String]) -> Problems {
    let mut kept = Problems::new();
    for problem in problems {
        let file = match problem.place() {
            Some(Place::File { file, .. } | Place::Whole(file)) => file.clone(),
            _ => continue,
        };
        let Some(name) = file.strip_prefix("pipelines/sources/").and_then(|name| name.strip_suffix(".yml")) else {
            continue;
        };
        if sources.is_empty() || sources.iter().any(|source| source == name) {
            kept.push(problem);
        }
    }
    kept
}

fn chosen<'p>(project: &'p Project, names: &[String], problems: &Problems) -> Result<Vec<&'p Source>> {
    if names.is_empty() {
        return Ok(project.sources.iter().collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        match project.sources.iter().find(|source| source.name == *name) {
            Some(source) => chosen.push(source),
            // One whose contract could not be read is told with its problems.
            None if project.unread.sources.contains(name) && !problems.is_empty() => {}
            None => {
                let known = project.sources.iter().map(|source| source.name.as_str());
                return Err(Error::project(format!("no source `{name}`")).suggest(name, known));
            }
        }
    }
    Ok(chosen)
}

fn print_tests(tests: &[SourceTest], printer: &Printer) -> Result<()> {
    match printer.format {
        Format::Json => printer.json(&serde_json::Value::Array(tests.iter().map(test_json).collect())),
        Format::Csv => {
            let row = |test: &SourceTest, table: &str, standing, message: &str| {
                vec![test.source.clone(), table.to_string(), word(standing).to_string(), message.to_string()]
            };
            let mut rows = Vec::new();
            for test in tests {
                rows.extend(test.error.iter().map(|error| row(test, "", Standing::Fails, error.message())));
                rows.extend(
                    test.tables.iter().map(|t| row(test, &t.table, t.standing(), &fault(t).unwrap_or_default())),
                );
            }
            printer.csv(&["source", "table", "standing", "message"], &rows)
        }
        Format::Text => {
            let width = tests.iter().map(|test| test.source.len()).max().unwrap_or(0);
            for test in tests {
                printer.line(format!("{:width$}  {:6}  {}", test.source, word(test.standing()), words(test)))?;
                for detail in details(test) {
                    printer.line(format!("{:width$}          {detail}", ""))?;
                }
            }
            Ok(())
        }
    }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Good => "ok",
        Standing::Faults => "faults",
        Standing::Fails => "fails",
    }
}

/// A source in one line.
fn words(test: &SourceTest) -> String {
    if let Some(error) = &test.error {
        return error.message().to_string();
    }
    let files: u64 = test.tables.iter().filter_map(|t| t.found.as_ref().ok()).map(|found| found.files).sum();
    let tables = test.tables.len() as u64;
    let what = match test.tables.iter().any(|table| table.of_files) {
        true => {
            let days = test.tables.iter().filter_map(|t| t.found.as_ref().ok()?.newest.as_ref());
            let newest = days.map(|file| file.modified).max();
            let newest =
                newest.map(|moment| format!(", newest of {}", moment.strftime("%Y-%m-%d"))).unwrap_or_default();
            format!("{} of {}{newest}", count(files, "file", "files"), count(tables, "table", "tables"))
        }
        false => format!("{}, {}", test.system, count(tables, "table", "tables")),
    };
    let failed = test.tables.iter().filter(|table| table.found.is_err()).count() as u64;
    let empty =
        test.tables.iter().filter(|table| matches!(&table.found, Ok(found) if found.rows() == 0)).count() as u64;
    let mut faults = Vec::new();
    if failed > 0 {
        faults.push(format!("{} cannot be read", count(failed, "table", "tables")));
    }
    if empty > 0 {
        faults.push(format!("{} without rows", count(empty, "table", "tables")));
    }
    if test.refused() > 0 {
        let (refused, rows) = (output::thousands(test.refused()), output::thousands(test.rows()));
        faults.push(format!("{refused} of {rows} first rows are refused"));
    }
    match faults.is_empty() {
        true => format!("{what}, first rows keep the contract"),
        false => format!("{what}; {}", faults.join(", ")),
    }
}

/// What stands below that line: hints, and what is wrong with tables. What several tables fail of is said once.
fn details(test: &SourceTest) -> Vec<String> {
    let mut lines: Vec<String> = test.error.iter().filter_map(hint).collect();
    let mut said: Vec<(String, Vec<&str>, Option<String>)> = Vec::new();
    for table in &test.tables {
        let Some(fault) = fault(table) else { continue };
        let hint = table.found.as_ref().err().and_then(hint);
        match said.iter_mut().find(|(known, ..)| *known == fault) {
            Some((_, tables, _)) => tables.push(&table.table),
            None => said.push((fault, vec![&table.table], hint)),
        }
    }
    for (fault, tables, hint) in said {
        lines.push(format!("{}: {fault}", tables.join(", ")));
        lines.extend(hint);
    }
    lines
}

fn hint(error: &Error) -> Option<String> {
    error.hint_text().map(|hint| format!("hint: {hint}"))
}

/// What is wrong with a table, if anything is.
fn fault(table: &TableTest) -> Option<String> {
    let found = match &table.found {
        Err(error) => return Some(error.message().to_string()),
        Ok(found) => found,
    };
    if let Some(first) = found.rejects.first() {
        let (refused, rows) = (output::thousands(found.rejects.len() as u64), output::thousands(found.rows()));
        return Some(format!("{refused} of {rows} first rows are refused: {}", described(first)));
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

fn described(reject: &Reject) -> String {
    let raw: String = reject.raw.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let place = format!("{} line {}", reject.file, reject.line);
    match &reject.column {
        Some(column) => format!("{place}, column `{column}` is `{raw}`: {}", reject.reason),
        None => format!("{place}, `{raw}`: {}", reject.reason),
    }
}

fn test_json(test: &SourceTest) -> serde_json::Value {
    let error_json = |error: &Error| {
        serde_json::json!({
            "message": error.message(), "hint": error.hint_text(), "exit_code": error.kind().exit_code(),
        })
    };
    let table = |table: &TableTest| {
        let found = table.found.as_ref().ok();
        serde_json::json!({
            "table": table.table,
            "standing": word(table.standing()),
            "files": found.filter(|_| table.of_files).map(|found| found.files),
            "newest_file": found.and_then(|found| found.newest.as_ref()).map(|file| file.path.clone()),
            "newest_file_at": found.and_then(|found| found.newest.as_ref()).map(|file| file.modified.to_string()),
            "first_rows": found.map(|found| found.rows()),
            "refused": found.map(|found| found.rejects.len()),
            "new_columns": found.map(|found| found.new_columns.clone()),
            "fault": fault(table),
            "error": table.found.as_ref().err().map(error_json),
        })
    };
    serde_json::json!({
        "source": test.source,
        "standing": word(test.standing()),
        "system": test.system,
        "summary": words(test),
        "error": test.error.as_ref().map(error_json),
        "exit_code": test.exit_code(),
        "tables": test.tables.iter().map(table).collect::<Vec<_>>(),
    })
}

impl Discover {
    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        if let Some(source) = &self.source {
            return self.run_for(source, context).await;
        }
        let project = match context.root() {
            Ok(root) => Some(Project::draft(&root, &context.load_options())?.0),
            Err(_) if !self.write => None,
            Err(error) => return Err(error.into()),
        };
        let request = self.request(project.as_ref())?;
        let found = flow::discover(&request).await?;
        if self.write {
            write(&request.root, &found, context.printer)?;
        } else if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({
                "source": found.name, "contract": found.yaml, "tables": found.tables, "left_out": found.left_out,
            }))?;
        } else {
            context.printer.text(&found.yaml)?;
        }
        Ok(Outcome::Done)
    }

    fn request(&self, project: Option<&Project>) -> Result<DiscoverRequest> {
        let here =
            || std::env::current_dir().map_err(|e| Error::project("the current folder cannot be read").because(e));
        let password = match (&self.password_env, &self.password_file) {
            (Some(variable), _) => Some(Secret::Environment(format!("${{{variable}}}"))),
            (None, Some(file)) => Some(Secret::File(std::path::absolute(file).unwrap_or_else(|_| file.clone()))),
            (None, None) => None,
        };
        let tls = match self.tls {
            TlsWord::Verify => Tls::Verify,
            TlsWord::Encrypt => Tls::Encrypt,
            TlsWord::Off => Tls::Off,
        };
        Ok(DiscoverRequest {
            location: self.location.clone().unwrap_or_default(),
            access: Access { user: self.user.clone(), password, tls, ..Access::default() },
            name: self.name.clone(),
            tables: self.tables.clone(),
            sample_rows: self.sample_rows,
            root: project.map_or_else(here, |project| Ok(project.root.clone()))?,
            time_zone: project.map_or("UTC", |project| project.time_zone.as_str()).to_string(),
        })
    }

    async fn run_for(&self, name: &str, context: &Context<'_>) -> Result<Outcome, Problems> {
        let (project, problems) = Project::draft(&context.root()?, &context.load_options())?;
        let problems = of_contracts(problems, &[name.to_string()]);
        let Some(source) = chosen(&project, &[name.to_string()], &problems)?.into_iter().next() else {
            return Err(problems);
        };
        let new = flow::discover_new(source, &project.root, &project.time_zone, &self.tables, self.sample_rows).await?;
        print_additions(name, &new, context.printer)?;
        Ok(Outcome::Done)
    }
}

fn print_additions(source: &str, new: &Additions, printer: &Printer) -> Result<()> {
    if printer.format == Format::Json {
        return printer.json(&serde_json::json!({
            "source": source, "tables": new.tables, "columns": new.columns, "contract": new.yaml,
        }));
    }
    let (tables, columns) = (new.tables.len() as u64, new.columns.len() as u64);
    match new.yaml.is_empty() {
        true => printer.say(format!("{source}: the contract names every table and column there is")),
        false => printer.say(format!(
            "{source}: {} and {} that the contract does not name",
            count(tables, "table", "tables"),
            count(columns, "column", "columns")
        )),
    }
    printer.text(&new.yaml)
}

/// Writes a contract that is not there yet.
fn write(root: &Path, found: &Discovered, printer: &Printer) -> Result<()> {
    let relative = format!("pipelines/sources/{}.yml", found.name);
    let path = root.join(&relative);
    let failed = |e: std::io::Error| Error::project(format!("`{relative}` cannot be written: {e}")).because(e);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match std::fs::File::create_new(&path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, found.yaml.as_bytes()).map_err(failed)?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::project(format!("`{relative}` is there already"))
                .hint("name the source otherwise with `--name`, or look for what is new with `--source`"));
        }
        Err(e) => return Err(failed(e)),
    }
    printer.say(format!(
        "{relative}: {}; read its comments, then run `perennial check` and `perennial sources test {}`",
        count(found.tables.len() as u64, "table", "tables"),
        found.name
    ));
    Ok(())
}
