//! `perennial rollback`.

use super::output::Format;
use super::progress::Progress;
use super::{Context, Outcome, Output, Verb};
use crate::flow;
use perennial_core::error::Problems;

/// Publish an earlier release again
///
/// Nothing is deleted; the next run reads again what has arrived since that release.
#[derive(clap::Args)]
pub(super) struct Rollback {
    /// Number of the release to return to
    #[arg(value_name = "N")]
    release: u64,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Rollback {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let progress = Progress::new(context.printer);
        let invoker = context.invoker("rollback");
        let release = flow::rollback(&project, self.release, invoker, context.now(), &progress).await?;
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "release": release.number, "rollback_of": self.release }))?;
        } else {
            let (new, old) = (release.number, self.release);
            context.printer.say(format!("release {new} published with the tables of release {old}"));
            context.printer.say("reports do not change; `perennial report NAME` issues one from this release");
        }
        Ok(Outcome::Done)
    }
}
