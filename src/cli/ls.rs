//! `perennial ls`.

use super::output::Format;
use super::table::Table;
use super::{Context, Outcome, Output, Verb};
use crate::flow;
use perennial_core::error::{Place, Problems};
use perennial_project::{Materialize, Project};

/// List steps, sources, tests or reports
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
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Steps,
    Sources,
    Tests,
    Reports,
}

#[async_trait::async_trait(?Send)]
impl Verb for Ls {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let listing = match self.what {
            What::Steps => self.steps(&project, context).await?,
            What::Sources => sources(&project),
            What::Tests => tests(&project),
            What::Reports => reports(&project),
        };
        match context.printer.format {
            Format::Text => context.printer.text(&listing.text(context.printer.width))?,
            Format::Json => context.printer.json(&listing.json())?,
            Format::Csv => context.printer.csv(listing.header, &listing.rows)?,
        }
        Ok(Outcome::Done)
    }
}

impl Ls {
    async fn steps(&self, project: &Project, context: &Context<'_>) -> Result<Listing, Problems> {
        let checked = flow::check(project, context.now()).await?;
        let selected = checked.select(&self.select, &self.exclude)?;
        let steps: Vec<_> = checked.steps.iter().filter(|s| selected.contains(&s.name)).collect();
        // Layers in the order in which data flow, the steps of a layer by name.
        let layer = |name: &str| steps.iter().position(|step| step.name.schema == name);
        let mut sorted = steps.clone();
        sorted.sort_by_key(|step| (layer(&step.name.schema), step.name.name.clone()));
        let rows = sorted.iter().map(|step| {
            let kind = match step.header.materialize {
                Materialize::Table => "table",
                Materialize::View => "view",
            };
            vec![step.name.to_string(), kind.to_string(), step.header.description.clone()]
        });
        Ok(Listing { header: &["step", "kind", "description"], rows: rows.collect(), grouped: true })
    }
}

/// What is listed.
struct Listing {
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// Whether the first column is `group.name`, so that a person sees each group below its title.
    grouped: bool,
}

impl Listing {
    /// For people: of a description its first sentence.
    fn text(&self, width: Option<usize>) -> String {
        let is_description = |i: usize| self.header.get(i) == Some(&"description");
        let shown = |(i, cell): (usize, &String)| match cell.split_once(". ") {
            Some((first, _)) if is_description(i) => first.to_string(),
            _ => cell.trim_end_matches('.').to_string(),
        };
        let rows = self.rows.iter().map(|row| row.iter().enumerate().map(shown).collect::<Vec<String>>());
        if !self.grouped {
            return Table::new(self.header, rows.collect()).text(width);
        }
        let parts = |row: Vec<String>| {
            let (group, name) = row[0].split_once('.').unwrap_or(("", &row[0]));
            (group.to_string(), [&[name.to_string()], &row[1..]].concat())
        };
        let (groups, rows): (Vec<String>, Vec<Vec<String>>) = rows.map(parts).unzip();
        Table::new(self.header, rows).grouped(&groups, width)
    }

    fn json(&self) -> serde_json::Value {
        let objects = self.rows.iter().map(|row| {
            let pairs = self.header.iter().zip(row).map(|(k, v)| (k.to_string(), serde_json::json!(v)));
            serde_json::Value::Object(pairs.collect())
        });
        serde_json::Value::Array(objects.collect())
    }
}

fn sources(project: &Project) -> Listing {
    let tables = project.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t)));
    let rows = tables.map(|(s, t)| {
        let contract = match &t.place {
            Some(Place::File { file, .. }) => file.clone(),
            _ => String::new(),
        };
        vec![format!("{}.{}", s.name, t.name), t.extraction.label().to_string(), contract, t.description.clone()]
    });
    Listing { header: &["table", "rows_from", "contract", "description"], rows: rows.collect(), grouped: true }
}

fn tests(project: &Project) -> Listing {
    let on_columns = project.steps.iter().flat_map(|step| {
        step.header.columns.iter().flat_map(move |column| {
            column.tests.iter().map(move |test| {
                vec![format!("{}.{}", step.name, column.name), format!("{}", test.rule), step.file.path.clone()]
            })
        })
    });
    let queries = project.tests.iter().map(|t| vec![t.name.to_string(), "returns no rows".into(), t.file.path.clone()]);
    Listing { header: &["test", "rule", "file"], rows: on_columns.chain(queries).collect(), grouped: true }
}

fn reports(project: &Project) -> Listing {
    let rows = project.reports.iter().map(|report| {
        let languages: Vec<&str> = report.languages.iter().map(|l| l.tag()).collect();
        vec![report.name.clone(), languages.join(" "), report.readers.clone()]
    });
    Listing { header: &["report", "languages", "readers"], rows: rows.collect(), grouped: false }
}
