//! `perennial rollback`.

use super::output::Format;
use super::progress::Progress;
use super::{Context, Outcome, Output};
use crate::error::Problems;
use crate::flow;

/// Publish an earlier release again. Nothing is deleted; the next run reads what came since once more.
#[derive(clap::Args)]
pub(super) struct Rollback {
    /// Number of the release to return to
    #[arg(value_name = "N")]
    release: u64,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Rollback {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let progress = Progress::new(context.printer);
        let release = flow::rollback(&project, self.release, context.who("rollback"), context.now(), &progress).await?;
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "release": release.number, "rollback_of": self.release }))?;
        } else {
            context
                .printer
                .say(format!("release {} published: the tables of release {}", release.number, self.release));
            context.printer.say("pages say what they said; `perennial report NAME` issues one from this release");
        }
        Ok(Outcome::Done)
    }
}
