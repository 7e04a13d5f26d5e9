//! The command line: one file per verb. The only room that prints, and the only one that looks at the clock.
//!
//! Data go to stdout, talk goes to stderr. A verb returns whether all was well ([`Outcome`]) or the problems it met;
//! the exit code follows from their kind.

mod check;
mod demo;
mod formats;
mod functions;
mod init;
mod ls;
mod output;
mod progress;
mod query;
mod rejects;
mod releases;
mod report;
mod rollback;
mod run;
mod runs;
mod show;
mod sources;
mod test;
mod text;

use crate::error::{Error, Problems, Result};
use crate::flow::Who;
use crate::project::{LoadOptions, Project};
use clap::{Args, Parser, Subcommand};
use output::{Format, Printer};
use std::path::PathBuf;
use std::process::ExitCode;

/// The nightly customer-value pipeline: sources to Parquet, SQL steps, tests, one release, reports.
#[derive(Parser)]
#[command(name = "perennial", version, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done; 1 a test or check found bad data; 2 a mistake in the project or the \
arguments; 3 a source or store could not be reached, a later try may help; 70 a fault of the program itself.")]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Args)]
struct Common {
    /// The project's folder; without it the nearest folder above with a perennial.yml
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Variables for SQL and templates, over those of perennial.yml, as in '{rule: R2}'
    #[arg(long, global = true, value_name = "YAML")]
    vars: Option<String>,
}

/// How results are written; every verb takes it, save `report`, whose formats are those of pages.
#[derive(Args)]
struct Output {
    /// How results are written to stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a small company, run two nights of it and say where the reports lie
    Demo(demo::Demo),
    /// Begin a project: the shipped pipelines, SQL and templates, with the demo's data to be replaced
    Init(init::Init),
    /// Read everything, run nothing: every problem of YAML, contracts, SQL and templates at once
    Check(check::Check),
    /// Ingest, steps, tests, publish, reports
    Run(run::Run),
    /// Answer a query from a release
    Query(query::Query),
    /// The first rows of a step, computed now
    Show(show::Show),
    /// List steps, sources, tests or reports
    Ls(ls::Ls),
    /// Run the tests against the newest release, and the given/expected rows of steps
    Test(test::Test),
    /// Issue one report now
    Report(report::Report),
    /// What was published, newest first
    Releases(releases::Releases),
    /// Publish an earlier release again
    Rollback(rollback::Rollback),
    /// The runs, newest first, or one run in detail
    Runs(runs::Runs),
    /// Rows that a contract refused
    Rejects(rejects::Rejects),
    /// Test whether the sources can be read, or draft the contract of a new one
    Sources(sources::Sources),
    /// The manual of the SQL functions that perennial adds
    Functions(functions::Functions),
    /// The manual of the formats of known systems
    Formats(formats::Formats),
}

impl Verb {
    fn format(&self) -> Format {
        match self {
            Verb::Demo(v) => v.output.format,
            Verb::Init(v) => v.output.format,
            Verb::Check(v) => v.output.format,
            Verb::Run(v) => v.output.format,
            Verb::Query(v) => v.output.format,
            Verb::Show(v) => v.output.format,
            Verb::Ls(v) => v.output.format,
            Verb::Test(v) => v.output.format,
            Verb::Report(_) => Format::Text,
            Verb::Releases(v) => v.output.format,
            Verb::Rollback(v) => v.output.format,
            Verb::Runs(v) => v.output.format,
            Verb::Rejects(v) => v.output.format,
            Verb::Sources(v) => v.format(),
            Verb::Functions(v) => v.output.format,
            Verb::Formats(v) => v.output.format,
        }
    }
}

/// How a verb ended when nothing stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All was well.
    Done,
    /// It went to its end and found bad data.
    FoundFaults,
    /// It went to its end with problems that were told already; the exit code they call for.
    Told(u8),
}

/// Reads the arguments, runs the verb, prints what went wrong, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let printer = Printer::new(cli.verb.format());
    match run(&cli, &printer) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::FoundFaults) => ExitCode::from(1),
        Ok(Outcome::Told(code)) => ExitCode::from(code),
        Err(problems) => {
            printer.problems(&problems);
            ExitCode::from(problems.exit_code())
        }
    }
}

fn run(cli: &Cli, printer: &Printer) -> Result<Outcome, Problems> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Deep plans of long SQL need more than the default two megabytes.
        .thread_stack_size(8 << 20)
        .build()
        .map_err(|e| Error::bug("cannot start the runtime").because(e))?;
    let context = Context { common: &cli.common, printer };
    runtime.block_on(async {
        match &cli.verb {
            Verb::Demo(verb) => verb.run(&context).await,
            Verb::Init(verb) => verb.run(&context).await,
            Verb::Check(verb) => verb.run(&context).await,
            Verb::Run(verb) => verb.run(&context).await,
            Verb::Query(verb) => verb.run(&context).await,
            Verb::Show(verb) => verb.run(&context).await,
            Verb::Ls(verb) => verb.run(&context).await,
            Verb::Test(verb) => verb.run(&context).await,
            Verb::Report(verb) => verb.run(&context).await,
            Verb::Releases(verb) => verb.run(&context).await,
            Verb::Rollback(verb) => verb.run(&context).await,
            Verb::Runs(verb) => verb.run(&context).await,
            Verb::Rejects(verb) => verb.run(&context).await,
            Verb::Sources(verb) => verb.run(&context).await,
            Verb::Functions(verb) => verb.run(&context).await,
            Verb::Formats(verb) => verb.run(&context).await,
        }
    })
}

/// What a verb needs beside its own arguments.
struct Context<'a> {
    common: &'a Common,
    printer: &'a Printer,
}

impl Context<'_> {
    /// The project that `--project` names or that the current folder lies in.
    fn project(&self) -> Result<Project, Problems> {
        Project::load(&self.root()?, &self.load_options())
    }

    /// The folder of that project.
    fn root(&self) -> Result<PathBuf> {
        match &self.common.project {
            Some(folder) => Ok(folder.clone()),
            None => {
                let here = std::env::current_dir()
                    .map_err(|e| Error::project("the current folder cannot be read").because(e))?;
                Project::find(&here)
            }
        }
    }

    fn load_options(&self) -> LoadOptions<'_> {
        LoadOptions { vars: self.common.vars.as_deref(), ..LoadOptions::of_process() }
    }

    /// Who we are, for the lock and the record.
    fn who(&self, command: &str) -> Who {
        let variable = |names: &[&str]| names.iter().find_map(|n| std::env::var(n).ok()).unwrap_or_default();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").map(|h| h.trim().to_string());
        let user = variable(&["USER", "USERNAME", "LOGNAME"]);
        Who {
            host: host.unwrap_or_else(|_| variable(&["HOSTNAME", "COMPUTERNAME"])),
            user: if user.is_empty() { "unknown".to_string() } else { user },
            pid: std::process::id(),
            command: command.to_string(),
        }
    }

    /// The moment, for everything that is dated in this run.
    fn now(&self) -> jiff::Timestamp {
        now()
    }
}

#[allow(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
