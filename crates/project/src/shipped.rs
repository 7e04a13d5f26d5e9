//! The project that ships: the repository's own folders, embedded in the program.

use super::TextFile;
use include_dir::{Dir, include_dir};
use perennial_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Put in front of the path of a file that comes from here.
pub const PREFIX: &str = "shipped:";

static FOLDERS: [(&str, Dir<'static>); 4] = [
    ("pipelines", include_dir!("$CARGO_MANIFEST_DIR/../../pipelines")),
    ("report-templates", include_dir!("$CARGO_MANIFEST_DIR/../../report-templates")),
    ("sql", include_dir!("$CARGO_MANIFEST_DIR/../../sql")),
    ("tests/steps", include_dir!("$CARGO_MANIFEST_DIR/../../tests/steps")),
];
const PROJECT_FILE: &str = include_str!("../../../perennial.yml");
/// One folder for each known system: its contract `source.yml` and, for an ERP, files that take the place of those that
/// read the demo's ERP.
static READY_MADE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../ready-made");
/// Files of the shipped project that read the demo's ERP, and whose place those of a ready-made one take.
const OF_DEMO_ERP: [&str; 3] = ["pipelines/sources/erp.yml", "sql/staging/stg_erp__", "tests/steps/stg_erp__"];

/// A file of the shipped project.
#[derive(Clone, Copy, Debug)]
pub struct ShippedFile {
    /// Its content.
    pub content: &'static [u8],
    folder: &'static str,
    below: &'static Path,
}

impl ShippedFile {
    /// Its path below the project's folder, with `/`.
    pub fn path(&self) -> String {
        match self.folder {
            "" => self.below.to_string_lossy().into_owned(),
            folder => format!("{folder}/{}", self.below.to_string_lossy().replace('\\', "/")),
        }
    }

    /// Its text; nothing for a file that is none, such as an image.
    pub fn text(&self) -> Option<TextFile> {
        let text = std::str::from_utf8(self.content).ok()?;
        Some(TextFile { path: format!("{PREFIX}{}", self.path()), text: text.into() })
    }
}

/// All files of the shipped project, in the order of their paths.
pub fn files() -> Vec<ShippedFile> {
    let project = ShippedFile { content: PROJECT_FILE.as_bytes(), folder: "", below: Path::new("perennial.yml") };
    let mut files = vec![project];
    for (folder, dir) in &FOLDERS {
        collect(folder, dir, &mut files);
    }
    files.sort_by_key(ShippedFile::path);
    files
}

fn collect(folder: &'static str, dir: &'static Dir<'static>, files: &mut Vec<ShippedFile>) {
    for file in dir.files() {
        let hidden = file.path().file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden {
            files.push(ShippedFile { content: file.contents(), folder, below: file.path() });
        }
    }
    for inner in dir.dirs() {
        collect(folder, inner, files);
    }
}

/// Names of the systems whose contracts are ready-made, in order.
pub fn ready_made_sources() -> Vec<&'static str> {
    let mut names: Vec<&str> = READY_MADE.dirs().filter_map(|dir| dir.path().to_str()).collect();
    names.sort_unstable();
    names
}

/// The ready-made contract of a system.
pub fn ready_made(name: &str) -> Option<TextFile> {
    let path =
        ready_made_sources().into_iter().find(|known| *known == name).map(|name| format!("{name}/source.yml"))?;
    let text = READY_MADE.get_file(&path)?.contents_utf8()?;
    Some(TextFile { path: format!("ready-made/{path}"), text: text.into() })
}

/// Names of the ready-made systems that a project can have as its ERP, in order.
pub fn erps() -> Vec<&'static str> {
    let has_steps = |name: &&str| READY_MADE.get_dir(format!("{name}/sql")).is_some();
    ready_made_sources().into_iter().filter(has_steps).collect()
}

/// What of `perennial.yml` is a company's own from the beginning.
#[derive(Clone, Debug)]
pub struct Company {
    /// The ERP, one of [`erps`].
    pub erp: String,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// IANA name of the zone in which days are cut.
    pub time_zone: String,
}

/// What of the shipped project is written.
#[derive(Clone, Debug)]
pub enum Shipped {
    /// The demo company, whose data end at a fixed date.
    Demo,
    /// The beginning of a company's own project, whose figures describe the present day.
    Own,
    /// The same with the company's ERP instead of the demo's.
    WithErp(Company),
}

/// Writes the shipped project into a folder, which is made if need be and must be empty. Says how many files.
///
/// # Errors
/// Of kind `Project` when the ERP is not ready-made, the folder not empty or not to be written to.
pub fn write_to(folder: &Path, project: &Shipped) -> Result<usize> {
    let files = project.files()?;
    refuse_non_empty(folder)?;
    for (path, content) in &files {
        let path = folder.join(path);
        let write = || {
            path.parent().map(std::fs::create_dir_all).transpose()?;
            std::fs::write(&path, content)
        };
        write().map_err(|error| cannot("write", &path, error))?;
    }
    Ok(files.len())
}

impl Shipped {
    /// The files of a new project by their paths.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut all: BTreeMap<String, Vec<u8>> =
            files().iter().map(|file| (file.path(), file.content.to_vec())).collect();
        if let Shipped::WithErp(company) = self {
            all.retain(|path, _| !OF_DEMO_ERP.iter().any(|beginning| path.starts_with(beginning)));
            all.extend(company.files()?);
        }
        all.insert("perennial.yml".to_string(), self.project_file().into_bytes());
        Ok(all)
    }

    /// The project file with the company's own in place of the demo's.
    fn project_file(&self) -> String {
        let mut own = match self {
            Shipped::Demo => return PROJECT_FILE.to_string(),
            Shipped::Own => Vec::new(),
            Shipped::WithErp(company) => vec![
                ("time_zone: ", format!("time_zone: {}", company.time_zone)),
                ("currency: ", format!("currency: {}", company.currency)),
            ],
        };
        own.extend([("name: ", "name: Customer value".to_string()), ("as_of: ", "as_of: today".to_string())]);
        let line = |line: &str| {
            let found = own.iter().find(|(beginning, _)| line.starts_with(beginning));
            found.map_or_else(|| line.to_string(), |(_, own)| own.clone())
        };
        let lines: Vec<String> = PROJECT_FILE.lines().map(line).collect();
        lines.join("\n").replace(" The demo data end there.", "") + "\n"
    }
}

impl Company {
    /// The files of the ERP by their paths in a project.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let Some(folder) = erps().into_iter().find(|name| *name == self.erp).and_then(|name| READY_MADE.get_dir(name))
        else {
            let error = Error::project(format!("unknown ERP `{}`", self.erp));
            return Err(error.suggest(&self.erp, erps()));
        };
        let mut own = Vec::new();
        collect("ready-made", folder, &mut own);
        let path = |file: &ShippedFile| {
            let path = file.below.strip_prefix(&self.erp).unwrap_or(file.below);
            path.to_string_lossy().replace('\\', "/")
        };
        let files = own.iter().map(|file| (path(file), file.content.to_vec()));
        Ok(files.filter(|(path, _)| path != "source.yml").collect())
    }
}

fn refuse_non_empty(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("read", folder, error)),
        Ok(entries) => entries,
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    if names.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    let more =
        if names.len() > shown.len() { format!(" and {} more", names.len() - shown.len()) } else { String::new() };
    let message = format!("`{}` is not empty: it contains {}{more}", folder.display(), shown.join(", "));
    Err(Error::project(message).hint("choose a new or empty folder"))
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::project(format!("cannot {what} `{}`: {error}", path.display())).because(error)
}
