//! `perennial init`.

use super::output::{Format, count};
use super::{Context, Outcome, Output, Verb};
use perennial_core::error::{Error, Problems};
use perennial_demo::DemoOptions;
use perennial_project::shipped::{self, Company, Shipped};
use std::path::PathBuf;

/// Create a project from the shipped pipelines, SQL and templates
#[derive(clap::Args)]
pub(super) struct Init {
    /// A new or empty folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Without the data of the demo company
    #[arg(long)]
    no_data: bool,
    /// The company's own ERP instead of the demo's: `tryton` or `odoo`; no demo data are written then
    #[arg(long, value_name = "NAME")]
    erp: Option<String>,
    /// Currency of the ERP's books, as an ISO 4217 code
    #[arg(long, value_name = "CODE", default_value = "EUR", requires = "erp")]
    currency: String,
    /// Time zone of the company's business days, as an IANA name
    #[arg(long, value_name = "ZONE", default_value = "Europe/Berlin", requires = "erp")]
    time_zone: String,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Init {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = match &self.erp {
            Some(erp) => Shipped::WithErp(Company {
                erp: erp.clone(),
                currency: self.currency.clone(),
                time_zone: self.time_zone.clone(),
            }),
            None => Shipped::Own,
        };
        let files = shipped::write_to(&self.folder, &project)?;
        let demo = match project {
            Shipped::WithErp(_) => {
                self.make_empty_folders()?;
                None
            }
            _ if self.no_data => None,
            _ => Some(perennial_demo::generate(&self.folder.join("data"), &DemoOptions::default())?),
        };
        let folder = self.folder.display();
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "folder": folder.to_string(), "files": files }))?;
        } else {
            context.printer.say(format!("{folder}: {} written", count(files as u64, "file", "files")));
            context.printer.say(format!("next: cd {folder}, {}", self.next()));
            if let Some(demo) = demo {
                let as_of = demo.as_of;
                context.printer.say(format!(
                    "note: its data are those of the demo, which end before {as_of}: `perennial run --as-of {as_of}` shows them"
                ));
            }
        }
        Ok(Outcome::Done)
    }
}

impl Init {
    fn next(&self) -> &'static str {
        match self.erp {
            Some(_) => "set the location of the ERP's database in pipelines/sources/erp.yml, then perennial run",
            None => "edit perennial.yml and pipelines/sources/, then perennial run",
        }
    }

    /// The folders of sources whose files are still to come: a run accepts an empty folder, but not a missing one.
    fn make_empty_folders(&self) -> Result<(), Problems> {
        for name in ["call-centre", "web"] {
            let folder = self.folder.join("data").join(name);
            std::fs::create_dir_all(&folder).map_err(|error| {
                Error::project(format!("cannot create `{}`: {error}", folder.display())).because(error)
            })?;
        }
        Ok(())
    }
}
