//! `perennial sources`.

mod discover;
mod test;

use super::output::Format;
use super::{Context, Outcome, Verb};
use perennial_core::error::{Error, Place, Problems, Result};
use perennial_project::Project;

/// Test whether the sources can be read, or draft the contract of a new one
#[derive(clap::Args)]
pub(super) struct Sources {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Test(test::Test),
    Discover(discover::Discover),
}

impl Action {
    fn get(&self) -> &dyn Verb {
        match self {
            Action::Test(test) => test,
            Action::Discover(discover) => discover,
        }
    }
}

#[async_trait::async_trait(?Send)]
impl Verb for Sources {
    fn format(&self) -> Format {
        self.action.get().format()
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        self.action.get().run(context).await
    }
}

/// A project whose steps and reports may have problems, and the problems of the contracts of some sources, or of all if
/// none is named: a mistake in a step does not keep a source from being read.
fn project_with(sources: &[String], context: &Context<'_>) -> Result<(Project, Problems), Problems> {
    let (project, problems) = Project::draft(&context.root()?, &context.load_options())?;
    let mut kept = Problems::new();
    for problem in problems {
        let file = match problem.place() {
            Some(Place::File { file, .. } | Place::Whole(file)) => file.clone(),
            _ => continue,
        };
        let name = file.strip_prefix("pipelines/sources/").and_then(|name| name.strip_suffix(".yml"));
        if name.is_some_and(|name| sources.is_empty() || sources.iter().any(|source| source == name)) {
            kept.push(problem);
        }
    }
    Ok((project, kept))
}

/// The error of a source that the project does not have.
fn unknown(name: &str, project: &Project) -> Error {
    let names = project.sources.iter().map(|source| source.name.as_str());
    Error::project(format!("unknown source `{name}`")).suggest(name, names)
}
