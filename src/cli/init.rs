//! `perennial init`.

use super::output::{Format, count};
use super::{Context, Outcome, Output};
use crate::demo::{self, DemoOptions};
use crate::error::Problems;
use crate::project::shipped;
use std::path::PathBuf;

/// Begin a project.
#[derive(clap::Args)]
pub(super) struct Init {
    /// A new or empty folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Leave the demo company's data out
    #[arg(long)]
    no_data: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Init {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let files = shipped::write_to(&self.folder)?;
        if !self.no_data {
            demo::generate(&self.folder.join("data"), &DemoOptions::default())?;
        }
        let folder = self.folder.display();
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "folder": folder.to_string(), "files": files }))?;
        } else {
            context.printer.say(format!("{folder}: {} written", count(files as u64, "file", "files")));
            context
                .printer
                .say(format!("next: cd {folder}, look at perennial.yml and pipelines/sources/, then perennial run"));
        }
        Ok(Outcome::Done)
    }
}
