//! `perennial sources discover`.

use super::super::output::{Format, Printer, count};
use super::super::{Context, Outcome, Output, Verb, current_folder};
use super::{project_with, unknown};
use crate::discover::{self, Additions, ContractDraft, DiscoverRequest};
use perennial_core::contract::{Access, Secret, Tls};
use perennial_core::error::{Error, Problems, Result};
use perennial_project::Project;
use std::path::{Path, PathBuf};

/// Draft the contract of a new source, or list what a source has that its contract lacks
///
/// The source is a folder, file, database or service; the draft is to be edited.
#[derive(clap::Args)]
pub(super) struct Discover {
    /// A folder, a file, or a URL of one of the kinds of sources
    ///
    /// A relative path counts from the project's folder, as in a contract.
    #[arg(
        value_name = "LOCATION",
        required_unless_present = "source",
        conflicts_with = "source",
        help = format!("A folder, a file, or one of {}", perennial_sources::scheme_list())
    )]
    location: Option<String>,
    /// List what this source of the project has that its contract lacks
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["name", "user", "password_env", "password_file", "tls", "write"])]
    source: Option<String>,
    /// Name of the source; by default derived from the location
    #[arg(long)]
    name: Option<String>,
    /// User name
    #[arg(long)]
    user: Option<String>,
    /// Environment variable with the password
    #[arg(long, value_name = "VARIABLE", conflicts_with = "password_file")]
    password_env: Option<String>,
    /// File with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Protection of the connection
    #[arg(long, value_enum, default_value_t = TlsMode::Verify)]
    tls: TlsMode,
    /// Only tables with these names, as in 'sale_*'
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    tables: Vec<String>,
    /// Rows that are read of each table
    #[arg(long, default_value_t = 10_000, value_name = "ROWS")]
    sample_rows: usize,
    /// Write pipelines/sources/NAME.yml of the project, unless it exists
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TlsMode {
    Verify,
    Encrypt,
    Off,
}

#[async_trait::async_trait(?Send)]
impl Verb for Discover {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        match (&self.source, &self.location) {
            (Some(source), _) => self.additions(source, context).await,
            (None, Some(location)) => self.draft(location, context).await,
            (None, None) => Err(Error::bug("discover without location and source").into()),
        }
    }
}

impl Discover {
    async fn draft(&self, location: &str, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = match context.root() {
            Ok(root) => Some(Project::draft(&root, &context.load_options())?.0),
            Err(_) if !self.write => None,
            Err(error) => return Err(error.into()),
        };
        let request = self.request(location, project.as_ref())?;
        let draft = discover::discover(&request).await?;
        if self.write {
            write(&request.root, &draft, context.printer)?;
        } else if context.printer.format == Format::Json {
            context.printer.json(&serde_json::json!({
                "source": draft.name, "contract": draft.yaml, "tables": draft.tables, "left_out": draft.left_out,
            }))?;
        } else {
            context.printer.text(&draft.yaml)?;
        }
        Ok(Outcome::Done)
    }

    fn request(&self, location: &str, project: Option<&Project>) -> Result<DiscoverRequest> {
        let password = match (&self.password_env, &self.password_file) {
            (Some(variable), _) => Some(Secret::Environment(format!("${{{variable}}}"))),
            (None, Some(file)) => Some(Secret::File(std::path::absolute(file).unwrap_or_else(|_| file.clone()))),
            (None, None) => None,
        };
        let tls = match self.tls {
            TlsMode::Verify => Tls::Verify,
            TlsMode::Encrypt => Tls::Encrypt,
            TlsMode::Off => Tls::Off,
        };
        let root = project.map_or_else(current_folder, |project| Ok(project.root.clone()))?;
        Ok(DiscoverRequest {
            location: located(location, &root),
            access: Access { user: self.user.clone(), password, tls, ..Access::default() },
            name: self.name.clone(),
            tables: self.tables.clone(),
            sample_rows: self.sample_rows,
            root,
            time_zone: project.map_or("UTC", |project| project.time_zone.as_str()).to_string(),
        })
    }

    async fn additions(&self, name: &str, context: &Context<'_>) -> Result<Outcome, Problems> {
        let (project, problems) = project_with(&[name.to_string()], context)?;
        let Some(source) = project.sources.iter().find(|source| source.name == name) else {
            return Err(if problems.is_empty() { unknown(name, &project).into() } else { problems });
        };
        let new =
            discover::discover_new(source, &project.root, &project.time_zone, &self.tables, self.sample_rows).await?;
        print_additions(name, &new, context.printer)?;
        Ok(Outcome::Done)
    }
}

/// A location with its relative path counted from the project's folder, as a run does; or from the current folder if it
/// exists only there, so that the shell's completion of file names is of use.
fn located(location: &str, root: &Path) -> String {
    let (scheme, path) = match perennial_sources::local_path(location) {
        Some((scheme, path)) => (format!("{scheme}://"), path),
        None if location.contains("://") => return location.to_string(),
        None => (String::new(), location),
    };
    let in_project = root.join(path);
    let chosen = match in_project.exists() || !Path::new(path).exists() {
        true => in_project,
        false => PathBuf::from(path),
    };
    format!("{scheme}{}", std::path::absolute(&chosen).unwrap_or(chosen).display())
}

fn print_additions(source: &str, new: &Additions, printer: &Printer) -> Result<()> {
    if printer.format == Format::Json {
        return printer.json(&serde_json::json!({
            "source": source, "tables": new.tables, "columns": new.columns, "left_out": new.left_out, "contract": new.yaml,
        }));
    }
    let (tables, columns) = (new.tables.len() as u64, new.columns.len() as u64);
    match new.yaml.is_empty() {
        true if !new.left_out.is_empty() => printer.say(format!(
            "{source}: the contract has every table and column that could be looked at, but not all could"
        )),
        true => printer.say(format!("{source}: the contract has every table and column")),
        false => printer.say(format!(
            "{source}: {} and {} that the contract lacks",
            count(tables, "table", "tables"),
            count(columns, "column", "columns")
        )),
    }
    new.left_out.iter().for_each(|reason| printer.say(format!("left out: {reason}")));
    printer.text(&new.yaml)
}

/// Writes a contract that does not exist yet.
fn write(root: &Path, draft: &ContractDraft, printer: &Printer) -> Result<()> {
    let relative = format!("pipelines/sources/{}.yml", draft.name);
    let path = root.join(&relative);
    let failed = |e: std::io::Error| Error::project(format!("cannot write `{relative}`: {e}")).because(e);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match std::fs::File::create_new(&path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, draft.yaml.as_bytes()).map_err(failed)?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::project(format!("`{relative}` exists already"))
                .hint("choose another name with `--name`, or list what is new with `--source`"));
        }
        Err(e) => return Err(failed(e)),
    }
    printer.say(format!(
        "{relative}: {}; read its comments, then run `perennial check` and `perennial sources test {}`",
        count(draft.tables.len() as u64, "table", "tables"),
        draft.name
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_counts_from_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::path::absolute(folder.path()).unwrap();
        std::fs::write(root.join("shop.db"), "").unwrap();
        let path = root.join("shop.db").display().to_string();
        assert_eq!(located("shop.db", &root), path);
        assert_eq!(located("sqlite://shop.db", &root), format!("sqlite://{path}"));
        assert_eq!(located(&format!("sqlite://{path}"), Path::new("/elsewhere")), format!("sqlite://{path}"));
        assert_eq!(located("s3://bucket/data", &root), "s3://bucket/data");
        // Of this package's own folder, in which tests run.
        let here = std::env::current_dir().unwrap();
        assert_eq!(located("Cargo.toml", &root), here.join("Cargo.toml").display().to_string());
        assert_eq!(located("nowhere.db", &root), root.join("nowhere.db").display().to_string());
    }
}
