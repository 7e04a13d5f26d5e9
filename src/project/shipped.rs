//! The project that ships: the repository's own folders, embedded in the program.

use super::TextFile;
use crate::error::{Error, Result};
use include_dir::{Dir, include_dir};
use std::path::Path;

/// Put in front of the path of a file that comes from here.
pub const PREFIX: &str = "shipped:";

static FOLDERS: [(&str, Dir<'static>); 4] = [
    ("pipelines", include_dir!("$CARGO_MANIFEST_DIR/pipelines")),
    ("report-templates", include_dir!("$CARGO_MANIFEST_DIR/report-templates")),
    ("sql", include_dir!("$CARGO_MANIFEST_DIR/sql")),
    ("tests/steps", include_dir!("$CARGO_MANIFEST_DIR/tests/steps")),
];
const PROJECT_FILE: &str = include_str!("../../perennial.yml");

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

/// Writes the shipped project into a folder, which is made if need be and must be empty. Says how many files.
pub fn write_to(folder: &Path) -> Result<usize> {
    refuse_non_empty(folder)?;
    let files = files();
    for file in &files {
        let path = folder.join(file.path());
        let write = || {
            path.parent().map(std::fs::create_dir_all).transpose()?;
            std::fs::write(&path, file.content)
        };
        write().map_err(|error| cannot("write", &path, error))?;
    }
    Ok(files.len())
}

fn refuse_non_empty(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("look into", folder, error)),
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
    let message = format!("`{}` is not empty: it holds {}{more}", folder.display(), shown.join(", "));
    Err(Error::project(message).hint("name a folder that is new or empty"))
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::project(format!("cannot {what} `{}`: {error}", path.display())).because(error)
}
