//! `perennial ls`.

use super::output::{Format, columns};
use super::{Context, Outcome, Output};
use crate::error::{Place, Problems};
use crate::flow;
use crate::project::{Materialize, Project};

/// List steps, sources, tests or reports.
#[derive(clap::Args)]
pub(super) struct Ls {
    /// What to list
    #[arg(value_enum, default_value_t = What::Steps)]
    what: What,
    /// Steps to list: `marts.rfm`, `marts.*`, `+rfm`, `rfm+`, `tag:nightly`, `path:sql/marts`
    #[arg(long, short, value_name = "SELECTION", num_args = 1..)]
    select: Vec<String>,
    /// Steps to leave out
    #[arg(long, value_name = "SELECTION", num_args = 1..)]
    exclude: Vec<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Steps,
    Sources,
    Tests,
    Reports,
}

impl Ls {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let (header, rows) = match self.what {
            What::Steps => self.steps(&project, context).await?,
            What::Sources => sources(&project),
            What::Tests => tests(&project),
            What::Reports => reports(&project),
        };
        match context.printer.format {
            Format::Text => {
                let header: Vec<String> = header.iter().map(|h| h.to_string()).collect();
                context.printer.line(columns(&header, &vec![false; header.len()], &rows).trim_end())?;
            }
            Format::Json => {
                let objects = rows.iter().map(|row| {
                    let pairs = header.iter().zip(row).map(|(k, v)| (k.to_string(), serde_json::json!(v)));
                    serde_json::Value::Object(pairs.collect())
                });
                context.printer.json(&serde_json::Value::Array(objects.collect()))?;
            }
            Format::Csv => context.printer.csv(header, &rows)?,
        }
        Ok(Outcome::Done)
    }

    async fn steps(&self, project: &Project, context: &Context<'_>) -> Result<Listing, Problems> {
        let checked = flow::check(project, context.now()).await?;
        let selected = checked.select(&self.select, &self.exclude)?;
        let rows = checked.steps.iter().filter(|s| selected.contains(&s.name)).map(|step| {
            let kind = match step.header.materialize {
                Materialize::Table => "table",
                Materialize::View => "view",
            };
            vec![step.name.to_string(), kind.to_string(), step.header.description.clone()]
        });
        Ok((&["step", "kind", "description"], rows.collect()))
    }
}

type Listing = (&'static [&'static str], Vec<Vec<String>>);

fn sources(project: &Project) -> Listing {
    let tables = project.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t)));
    let rows = tables.map(|(s, t)| {
        let contract = match &t.place {
            Some(Place::File { file, .. }) => file.clone(),
            _ => String::new(),
        };
        vec![format!("{}.{}", s.name, t.name), t.delivery.words().to_string(), contract, t.description.clone()]
    });
    (&["table", "rows_from", "contract", "description"], rows.collect())
}

fn tests(project: &Project) -> Listing {
    let of_columns = project.steps.iter().flat_map(|step| {
        step.header.columns.iter().flat_map(move |column| {
            column.tests.iter().map(move |test| {
                vec![format!("{}.{}", step.name, column.name), format!("{}", test.rule), step.file.path.clone()]
            })
        })
    });
    let of_files =
        project.tests.iter().map(|t| vec![t.name.to_string(), "rows are faults".into(), t.file.path.clone()]);
    (&["test", "rule", "file"], of_columns.chain(of_files).collect())
}

fn reports(project: &Project) -> Listing {
    let rows = project.reports.iter().map(|report| {
        let languages: Vec<&str> = report.languages.iter().map(|l| l.tag()).collect();
        vec![report.name.clone(), languages.join(" "), report.readers.clone()]
    });
    (&["report", "languages", "readers"], rows.collect())
}
