//! `perennial init`.

use super::output::{Format, count};
use super::{Context, Outcome, Output};
use crate::demo::{self, DemoOptions};
use crate::error::{Error, Problems};
use crate::project::shipped::{self, Company};
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
    /// The company's own ERP instead of the demo's: `tryton` or `odoo`. No data of the demo are written then
    #[arg(long, value_name = "NAME")]
    erp: Option<String>,
    /// Currency in which the ERP keeps its books, by ISO 4217
    #[arg(long, value_name = "CODE", default_value = "EUR", requires = "erp")]
    currency: String,
    /// Zone in which the company's days are cut, as the IANA database calls it
    #[arg(long, value_name = "ZONE", default_value = "Europe/Berlin", requires = "erp")]
    time_zone: String,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Init {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let company = self.erp.as_ref().map(|erp| Company {
            erp: erp.clone(),
            currency: self.currency.clone(),
            time_zone: self.time_zone.clone(),
        });
        let files = shipped::write_to(&self.folder, company.as_ref())?;
        if company.is_some() {
            self.make_empty_folders()?;
        } else if !self.no_data {
            demo::generate(&self.folder.join("data"), &DemoOptions::default())?;
        }
        let folder = self.folder.display();
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "folder": folder.to_string(), "files": files }))?;
        } else {
            context.printer.say(format!("{folder}: {} written", count(files as u64, "file", "files")));
            context.printer.say(format!("next: cd {folder}, {}", self.next()));
        }
        Ok(Outcome::Done)
    }

    fn next(&self) -> &'static str {
        match self.erp {
            Some(_) => "say in pipelines/sources/erp.yml where the ERP's database is, then perennial run",
            None => "look at perennial.yml and pipelines/sources/, then perennial run",
        }
    }

    /// The folders of sources whose files are still to come: an empty one stops no night, a missing one does.
    fn make_empty_folders(&self) -> Result<(), Problems> {
        for name in ["call-centre", "web"] {
            let folder = self.folder.join("data").join(name);
            std::fs::create_dir_all(&folder).map_err(|error| {
                Error::project(format!("cannot make `{}`: {error}", folder.display())).because(error)
            })?;
        }
        Ok(())
    }
}
