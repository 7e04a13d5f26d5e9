//! `perennial man`.

use super::output::{Format, count};
use super::{Cli, Context, Outcome, Output, Verb};
use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;
use perennial_core::error::{Error, Problems};
use std::io::Result;
use std::path::{Path, PathBuf};

/// Write a manual page of each verb into a folder
#[derive(clap::Args)]
#[command(after_help = "As in: perennial man ~/.local/share/man/man1, then: man perennial-run")]
pub(super) struct Man {
    /// The folder, which is made if need be
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Man {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> std::result::Result<Outcome, Problems> {
        let pages = write_all(&self.folder).map_err(|error| {
            Error::project(format!("cannot write manual pages to `{}`: {error}", self.folder.display())).because(error)
        })?;
        if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({ "folder": self.folder, "pages": pages }))?;
        } else {
            let written = count(pages as u64, "manual page", "manual pages");
            context.printer.say(format!("{}: {written} written", self.folder.display()));
        }
        Ok(Outcome::Done)
    }
}

/// Writes the pages. Says how many.
fn write_all(folder: &Path) -> Result<usize> {
    std::fs::create_dir_all(folder)?;
    let mut command = Cli::command();
    command.build();
    write(&command, folder)
}

fn write(command: &Command, folder: &Path) -> Result<usize> {
    let mut pages = 1;
    Page::new(command.clone()).manual("perennial").generate_to(folder)?;
    for verb in command.get_subcommands() {
        pages += write(verb, folder)?;
    }
    Ok(pages)
}
