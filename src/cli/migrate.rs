//! `perennial migrate`.

use super::output::{Format, count};
use super::{Context, Outcome, Output, Verb};
use perennial_core::error::{Error, Problems, Result};
use perennial_core::file;
use perennial_project::{Change, Migration, migrations};
use std::path::Path;

/// Replace old names of keys in the project's files, and keep comments and layout
#[derive(clap::Args)]
pub(super) struct Migrate {
    /// Show the changes without writing them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Migrate {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let root = context.root()?;
        // A file that cannot be migrated or written does not stop the others.
        let (found, mut problems) = migrations(&root);
        let mut write = |migration: &Migration| problems.keep(write(&root, migration)).is_some();
        let migrations: Vec<Migration> = match self.dry_run {
            true => found,
            false => found.into_iter().filter(&mut write).collect(),
        };
        let header = ["file", "line", "column", "old", "new"];
        let changes = || migrations.iter().flat_map(|migration| migration.changes.iter().map(move |c| (migration, c)));
        match context.printer.format {
            Format::Text => {
                for (migration, Change { line, column, old, new }) in changes() {
                    context.printer.line(format!("{}:{line}:{column}: `{old}` is now `{new}`", migration.path))?;
                }
                context.printer.say(self.summary(changes().count(), migrations.len()));
            }
            Format::Json => {
                let change = |(migration, c): (&Migration, &Change)| {
                    serde_json::json!({
                        "file": migration.path, "line": c.line, "column": c.column, "old": c.old, "new": c.new,
                    })
                };
                let changes: Vec<serde_json::Value> = changes().map(change).collect();
                let written = !self.dry_run && !changes.is_empty();
                context.printer.json(&serde_json::json!({ "changes": changes, "written": written }))?;
            }
            Format::Csv => {
                let row = |(migration, c): (&Migration, &Change)| {
                    vec![migration.path.clone(), c.line.to_string(), c.column.to_string(), c.old.into(), c.new.into()]
                };
                context.printer.csv(&header, &changes().map(row).collect::<Vec<_>>())?;
            }
        }
        problems.or_ok(Outcome::Done)
    }
}

impl Migrate {
    fn summary(&self, changes: usize, files: usize) -> String {
        let (names, files) = (count(changes as u64, "name", "names"), count(files as u64, "file", "files"));
        match (changes, self.dry_run) {
            (0, _) => "no old names found".to_string(),
            (_, true) => format!("would replace {names} in {files}"),
            (_, false) => format!("replaced {names} in {files}"),
        }
    }
}

fn write(root: &Path, migration: &Migration) -> Result<()> {
    let failed =
        |error: std::io::Error| Error::project(format!("cannot write `{}`: {error}", migration.path)).because(error);
    file::replace(&root.join(&migration.path), migration.text.as_bytes()).map_err(failed)
}
