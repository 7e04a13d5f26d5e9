//! `perennial check`.

use super::output::{Format, count};
use super::{Context, Outcome, Output, Verb};
use crate::{flow, schedule};
use perennial_core::error::Problems;
use perennial_project::Project;

/// Find every problem of YAML, contracts, SQL and templates at once, without reading data
#[derive(clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Check {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let (project, mut problems) = Project::draft(&context.root()?, &context.load_options())?;
        context.print_notes(&project);
        schedule::notes(&project, context.now()).iter().for_each(|note| context.printer.say(format!("note: {note}")));
        let checked = match flow::check(&project, context.now()).await {
            Ok(checked) if problems.is_empty() => checked,
            Ok(_) => return Err(problems),
            Err(found) => {
                problems.extend(found);
                return Err(problems);
            }
        };
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "problems": [] }))?;
        } else {
            let tables = project.sources.iter().map(|s| s.tables.len() as u64).sum();
            context.printer.say(format!(
                "{}: no problems in {} of {}, {}, {}, {}",
                project.name,
                count(tables, "table", "tables"),
                count(project.sources.len() as u64, "source", "sources"),
                count(checked.steps.len() as u64, "step", "steps"),
                count(project.tests.len() as u64, "test", "tests"),
                count(project.reports.len() as u64, "report", "reports"),
            ));
        }
        Ok(Outcome::Done)
    }
}
