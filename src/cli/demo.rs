//! `perennial demo`.

use super::output::{Format, count};
use super::run::{execute, outcome_json, outcome_of};
use super::{Context, Outcome, Output, Verb};
use crate::flow::{RunOutcome, RunRequest};
use perennial_core::error::Problems;
use perennial_demo::{DemoOptions, Summary};
use perennial_project::shipped::{self, Shipped};
use std::path::PathBuf;

/// Create an example company, run two of its nights and write what the next ones bring
#[derive(clap::Args)]
pub(super) struct Demo {
    /// A new or empty folder
    #[arg(value_name = "DIR", default_value = "perennial-demo")]
    folder: PathBuf,
    /// Customers of the company
    #[arg(long, default_value_t = 2000)]
    customers: usize,
    /// Another seed makes another company; the same seed makes the same files, byte for byte
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Nights whose files are written: two to be run, the others into arrivals/<date> for `schedule run --simulate`
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(2..=1000))]
    nights: u16,
    /// Only write the files
    #[arg(long)]
    no_run: bool,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Demo {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let options = DemoOptions { seed: self.seed, customers: self.customers };
        let data = self.folder.join("data");
        shipped::write_to(&self.folder, &Shipped::Demo)?;
        let first = perennial_demo::generate(&data, &options)?;
        let accounts = count(first.customers as u64, "account", "accounts");
        self.say(context, format!("{}: a company of {accounts}", self.folder.display()));
        let to_come = perennial_demo::generate_arrivals(&self.folder.join("arrivals"), &options, self.nights)?;
        let nights = format!("{}..{}", first.as_of, to_come.last().map_or(first.as_of, |night| night.as_of));
        if self.no_run {
            perennial_demo::generate_night_two(&data, &options)?;
            if self.output.format == Format::Json {
                context.printer.json(&serde_json::json!({ "folder": self.folder, "runs": [] }))?;
            }
            return Ok(Outcome::Done);
        }
        self.say(context, "night one");
        let first = self.night(context, &first).await?;
        let second = perennial_demo::generate_night_two(&data, &options)?;
        self.say(context, "night two: a new column, late rows, corrections of closed months");
        let second = self.night(context, &second).await?;
        if self.output.format == Format::Json {
            let runs = [outcome_json(&first), outcome_json(&second)];
            context.printer.json(&serde_json::json!({ "folder": self.folder, "runs": runs }))?;
        }
        let folder = self.folder.display();
        self.say(context, format!("next: open {folder}/reports/index.html"));
        self.say(context, format!("then: perennial schedule run --simulate {nights} --project {folder}"));
        let (first, second) = (outcome_of(&first), outcome_of(&second));
        Ok(if first == Outcome::Done { second } else { first })
    }
}

impl Demo {
    async fn night(&self, context: &Context<'_>, night: &Summary) -> Result<RunOutcome, Problems> {
        let project = context.project_in(&self.folder)?;
        let request = RunRequest {
            as_of: Some(night.as_of),
            // The company is invented: its days may be still to come.
            allow_future: true,
            ..RunRequest::new(context.now(), context.invoker("demo"))
        };
        execute(&project, &request, context).await
    }

    fn say(&self, context: &Context<'_>, line: impl AsRef<str>) {
        if self.output.format != Format::Json {
            context.printer.say(line);
        }
    }
}
