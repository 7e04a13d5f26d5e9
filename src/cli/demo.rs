//! `perennial demo`.

use super::output::{Format, count};
use super::run::run_night;
use super::{Context, Outcome, Output};
use crate::demo::{self, DemoOptions, Summary};
use crate::error::Problems;
use crate::flow::NightRequest;
use crate::project::{Project, shipped};
use std::path::PathBuf;

/// Make a small company and run two nights of it.
#[derive(clap::Args)]
pub(super) struct Demo {
    /// A new or empty folder
    #[arg(value_name = "DIR", default_value = "perennial-demo")]
    folder: PathBuf,
    /// Customers of the company
    #[arg(long, default_value_t = 2000)]
    customers: usize,
    /// Another seed makes another company; the same one the same, byte for byte
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Only make the files of both nights
    #[arg(long)]
    no_run: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Demo {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let options = DemoOptions { seed: self.seed, customers: self.customers };
        shipped::write_to(&self.folder, None)?;
        let made = demo::generate(&self.data(), &options)?;
        self.say(
            context,
            format!("{}: a company of {}", self.folder.display(), count(made.customers as u64, "account", "accounts")),
        );
        if self.no_run {
            demo::generate_night_two(&self.data(), &options)?;
            return Ok(Outcome::Done);
        }
        self.say(context, "night one");
        let first = self.night(context, &made).await?;
        let second = demo::generate_night_two(&self.data(), &options)?;
        self.say(context, "night two: a new column, late rows, corrections of closed months");
        let second = self.night(context, &second).await?;
        self.say(context, format!("next: open {}", self.folder.join("reports/index.html").display()));
        Ok(if first == Outcome::Done { second } else { first })
    }

    async fn night(&self, context: &Context<'_>, night: &Summary) -> Result<Outcome, Problems> {
        let project = Project::load(&self.folder, &context.load_options())?;
        let request = NightRequest {
            pipeline: None,
            select: vec![],
            exclude: vec![],
            as_of: Some(night.as_of),
            full_refresh: false,
            replay: None,
            now: context.now(),
            who: context.who("demo"),
        };
        run_night(&project, &request, context).await
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn say(&self, context: &Context<'_>, line: impl AsRef<str>) {
        if context.printer.format != Format::Json {
            context.printer.say(line);
        }
    }
}
