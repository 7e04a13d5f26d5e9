//! The command line: one file per verb. The only layer that prints, and the only one that reads the clock.
//!
//! Data go to stdout, messages go to stderr. A verb returns how it ended ([`Outcome`]) or the problems it met; the exit
//! code follows from their kind.

mod check;
mod completions;
mod deliver;
mod demo;
mod formats;
mod functions;
mod init;
mod lake;
mod ls;
mod man;
mod migrate;
mod output;
mod progress;
mod query;
mod rejects;
mod releases;
mod report;
mod retry;
mod rollback;
mod run;
mod runs;
mod schedule;
mod show;
mod sources;
mod status;
mod table;
mod templates;
mod test;
mod text;

use crate::flow::Invoker;
use clap::{Args, Parser, Subcommand};
use output::{Format, LogFormat, Printer};
use perennial_core::error::{Error, Problems, Result};
use perennial_core::file_mode::FileMode;
use perennial_project::{LoadOptions, Project};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The nightly customer-value pipeline: sources to Parquet, SQL steps, tests, one release, reports.
#[derive(Parser)]
#[command(name = "perennial", version = env!("PERENNIAL_VERSION"), max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done; 1 a test or check found bad data; 2 a mistake in the project or the \
arguments; 3 a source or store could not be reached, a later try may help; 70 an internal error.")]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: AnyVerb,
}

/// Lets this process give what it writes no other permissions than those of the project's files.
#[cfg(unix)]
fn mask_permissions(project: &Project) {
    use nix::sys::stat::{Mode, mode_t, umask};
    // The account's own mask is known by setting another one.
    let own = umask(Mode::from_bits_truncate(0o077)).bits();
    let mask = project.file_mode.map_or(own | FileMode::GROUP_READS.umask() as mode_t, |mode| mode.umask() as mode_t);
    umask(Mode::from_bits_truncate(mask));
}

#[cfg(not(unix))]
fn mask_permissions(_project: &Project) {}

/// What every verb accepts.
#[derive(Args)]
struct Common {
    /// The project's folder; by default the current folder or the nearest parent with a perennial.yml
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// How messages and the progress of runs are written to stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Variables for SQL and templates, over those of perennial.yml, as in '{rule: R2}'
    #[arg(long, global = true, value_name = "YAML")]
    vars: Option<String>,
}

/// How results are written; every verb accepts it, except `report`, whose formats are those of pages, and
/// `completions`.
#[derive(Args)]
struct Output {
    /// How results are written to stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A verb with its arguments.
#[async_trait::async_trait(?Send)]
trait Verb {
    /// How its results are written.
    fn format(&self) -> Format;

    /// Runs it.
    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems>;
}

/// The verbs in the order of the help: `module::Verb`, whose doc comment is the verb's help.
macro_rules! verbs {
    ($($module:ident::$verb:ident,)*) => {
        #[derive(Subcommand)]
        enum AnyVerb {
            $($verb($module::$verb),)*
        }

        impl AnyVerb {
            fn get(&self) -> &dyn Verb {
                match self {
                    $(AnyVerb::$verb(verb) => verb,)*
                }
            }
        }
    };
}

verbs! {
    demo::Demo,
    init::Init,
    check::Check,
    run::Run,
    retry::Retry,
    query::Query,
    show::Show,
    ls::Ls,
    test::Test,
    report::Report,
    releases::Releases,
    rollback::Rollback,
    runs::Runs,
    schedule::Schedule,
    deliver::Deliver,
    status::Status,
    rejects::Rejects,
    lake::Lake,
    sources::Sources,
    functions::Functions,
    templates::Templates,
    formats::Formats,
    migrate::Migrate,
    completions::Completions,
    man::Man,
}

/// How a verb ended if nothing stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is well.
    Done,
    /// It finished and found bad data.
    BadData,
    /// It finished with problems that were printed already; the exit code they call for.
    ExitCode(u8),
}

impl Outcome {
    /// The exit code.
    fn code(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::BadData => 1,
            Outcome::ExitCode(code) => code,
        }
    }
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
    let printer = Printer::new(cli.verb.get().format(), cli.common.log_format);
    match run(&cli, &printer) {
        Ok(outcome) => ExitCode::from(outcome.code()),
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
        .thread_stack_size(32 << 20)
        .build()
        .map_err(|e| Error::bug("cannot start the runtime").because(e))?;
    let context = Context { common: &cli.common, printer };
    runtime.block_on(cli.verb.get().run(&context))
}

/// What a verb needs besides its own arguments.
struct Context<'a> {
    common: &'a Common,
    printer: &'a Printer,
}

impl Context<'_> {
    /// The project that `--project` names or that contains the current folder.
    fn project(&self) -> Result<Project, Problems> {
        self.project_in(&self.root()?)
    }

    /// The project in a folder.
    fn project_in(&self, root: &Path) -> Result<Project, Problems> {
        let project = Project::load(root, &self.load_options())?;
        mask_permissions(&project);
        self.print_notes(&project);
        Ok(project)
    }

    /// What the project should change.
    fn print_notes(&self, project: &Project) {
        project.notes.iter().for_each(|note| self.printer.say(format!("note: {note}")));
    }

    /// The folder of that project.
    fn root(&self) -> Result<PathBuf> {
        match &self.common.project {
            Some(folder) => Ok(folder.clone()),
            None => Project::find(&current_folder()?),
        }
    }

    fn load_options(&self) -> LoadOptions<'_> {
        LoadOptions { vars: self.common.vars.as_deref(), ..LoadOptions::of_process() }
    }

    /// Who runs a command, for the lock and the record.
    fn invoker(&self, command: &str) -> Invoker {
        let variable = |names: &[&str]| names.iter().find_map(|n| std::env::var(n).ok()).unwrap_or_default();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").map(|h| h.trim().to_string());
        let user = variable(&["USER", "USERNAME", "LOGNAME"]);
        Invoker {
            host: host.unwrap_or_else(|_| variable(&["HOSTNAME", "COMPUTERNAME"])),
            user: if user.is_empty() { "unknown".to_string() } else { user },
            pid: std::process::id(),
            command: command.to_string(),
        }
    }

    /// The current time, for everything that is dated in this run.
    #[allow(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

fn current_folder() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| Error::project("cannot read the current folder").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent_and_every_verb_has_help_of_one_line() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for verb in command.get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!((10..110).contains(&about.len()), "{}: {about}", verb.get_name());
        }
    }

    #[test]
    fn a_mistyped_verb_or_option_is_suggested() {
        for (line, suggestion) in [
            ("perennial chek", "check"),
            ("perennial run --ful-refresh", "--full-refresh"),
            ("perennial run --format jsn", "json"),
            ("perennial ls reprots", "reports"),
            ("perennial sources discver", "discover"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(&format!("'{suggestion}'")), "{line}: {error}");
        }
    }
}
