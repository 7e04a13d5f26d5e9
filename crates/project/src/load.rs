//! Reading every file of a project, and what only shows when all have been read.

use super::contracts::{self, ContractContext};
use super::delivery::DeliveryContext;
use super::document::{Document, Text};
use super::reports::ReportFiles;
use super::settings::Settings;
use super::variables::ReadVariables;
use super::{
    LoadOptions, Project, SqlFile, TextFile, Unread, pipelines, reports, settings, shipped, step_tests, steps,
    variables,
};
use perennial_core::contract::{Source, TableName};
use perennial_core::error::{Error, Place, Problems, Result};
use perennial_core::regular_file;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "perennial.yml";
/// Folders that are read, and the endings of the files in them.
const FOLDERS: [(&str, &[&str]); 4] =
    [("pipelines", &["yml"]), (reports::FOLDER, &["md", "sql", "yml"]), ("sql", &["sql"]), ("tests/steps", &["yml"])];

/// The files of a project by what they are.
#[derive(Default)]
struct Files {
    all: Vec<TextFile>,
    pipelines: Vec<TextFile>,
    sources: Vec<TextFile>,
    steps: Vec<TextFile>,
    tests: Vec<TextFile>,
    macros: Vec<TextFile>,
    step_tests: Vec<TextFile>,
    reports: ReportFiles,
}

pub(super) fn load(root: &Path, options: &LoadOptions) -> Result<(Project, Problems), Problems> {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
    let root = super::environment::absolute(&root, ".");
    let mut problems = Problems::new();
    let Some(project_file) = problems.keep(read_text(&root, PROJECT_FILE)) else { return Err(problems) };
    let document = Document::new(PROJECT_FILE, project_file.text.clone());
    let settings = settings::read(&document, &root, options.env, &|path| read_text(&root, path));
    let files = find_files(&root, &settings.shipped, &document, &mut problems);
    let project = assemble(settings, document, &project_file, files, options, &mut problems);
    Ok((project, sorted(problems)))
}

/// The project that files made which somebody has kept: what its folder and the shipped project hold now does not count.
pub(super) fn load_kept(root: &Path, kept: Vec<TextFile>, options: &LoadOptions) -> Result<Project, Problems> {
    let mut problems = Problems::new();
    let Some(project_file) = kept.iter().find(|file| file.path == PROJECT_FILE).cloned() else {
        return Err(Error::data(format!("`{PROJECT_FILE}` was not kept")).into());
    };
    let document = Document::new(PROJECT_FILE, project_file.text.clone());
    let read_file =
        |path: &str| kept.iter().find(|file| file.path == path).cloned().ok_or_else(|| Error::data("was not kept"));
    let settings = settings::read(&document, root, options.env, &read_file);
    let mut files = Files::default();
    kept.into_iter().filter(|file| file.path != PROJECT_FILE).for_each(|file| files.add(file));
    let project = assemble(settings, document, &project_file, files, options, &mut problems);
    sorted(problems).or_ok(project)
}

/// The project of these files; `settings` are those of the document.
fn assemble(
    settings: Settings,
    document: Document,
    project_file: &TextFile,
    files: Files,
    options: &LoadOptions,
    problems: &mut Problems,
) -> Project {
    settings.check_pipelines(&document, &files.pipelines.iter().map(stem).collect::<Vec<_>>());
    let notes = document.take_notes();
    problems.extend(document.into_problems());
    let read_vars = variables::read_by(files.templates());
    let of_settings = std::iter::once(project_file.clone()).chain(settings.files);
    let all = of_settings.chain(files.all.iter().cloned()).collect();
    let mut project = read_files(settings.project, files, &read_vars, options, problems);
    project.files = all;
    project.notes.extend(notes);
    project.notes.extend(variables::unread_notes(project_file, &read_vars));
    project
}

/// The project with what its files contain; `project` has its options.
fn read_files(
    mut project: Project,
    files: Files,
    read_vars: &ReadVariables,
    options: &LoadOptions,
    problems: &mut Problems,
) -> Project {
    let vars = variables::override_with(std::mem::take(&mut project.vars), options.vars, read_vars, problems);
    let context = ContractContext { root: &project.root, lookup: options.env, time_zone: &project.time_zone };
    let source_names: Vec<String> = files.sources.iter().map(|file| stem(file).to_string()).collect();
    let report_names = files.reports.names();
    let contracts =
        read_all(&files.sources, problems, |document, file| Some(contracts::read(document, stem(file), &context)));
    let mut notes = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    for (contract, is_clean) in contracts {
        notes.extend(contract.note);
        sources.extend(contract.source.filter(|_| is_clean));
    }
    let step_files = distinct(read_each(&files.steps, problems, steps::read_step), problems);
    let unread = Unread {
        sources: source_names.iter().filter(|name| !sources.iter().any(|s| s.name == **name)).cloned().collect(),
        steps: path_names(&files.steps)
            .into_iter()
            .filter(|name| !step_files.iter().any(|s| s.name == *name))
            .collect(),
        ..project.unread
    };
    let tests = distinct(read_each(&files.tests, problems, steps::read_test), problems);
    let step_tests = read_each(&files.step_tests, problems, step_tests::read);
    let context = DeliveryContext { project: &project, lookup: options.env };
    let reports = files.reports.read(&context, problems);
    let known =
        pipelines::ProjectNames { sources: source_names, steps: path_names(&files.steps), reports: report_names };
    let pipelines = read_each(&files.pipelines, problems, |document, file| {
        let pipeline = pipelines::read(document, stem(file), &project, &known)?;
        Some((pipeline, document.take_notes()))
    });
    let (pipelines, of_pipelines): (_, Vec<_>) = pipelines.into_iter().unzip();
    notes.extend(of_pipelines.into_iter().flatten());
    Project {
        vars,
        pipelines,
        sources,
        steps: step_files,
        tests,
        macros: files.macros,
        step_tests,
        reports: reports.reports,
        shared_templates: reports.shared_pieces,
        phrases: reports.shared_phrases,
        notes: notes.into_iter().chain(reports.notes).collect(),
        unread,
        ..project
    }
}

/// Reads each file by itself; those with a problem are left out, their problems kept.
fn read_each<T>(
    files: &[TextFile],
    problems: &mut Problems,
    read: impl Fn(&Document, &TextFile) -> Option<T>,
) -> Vec<T> {
    let values = read_all(files, problems, read);
    values.into_iter().filter_map(|(value, is_clean)| is_clean.then_some(value)).collect()
}

/// The same with what could be read of those with a problem, each beside whether it had none.
fn read_all<T>(
    files: &[TextFile],
    problems: &mut Problems,
    read: impl Fn(&Document, &TextFile) -> Option<T>,
) -> Vec<(T, bool)> {
    let mut values = Vec::new();
    for file in files {
        let document = Document::new(file.path.clone(), file.text.clone());
        let value = read(&document, file);
        values.extend(value.map(|value| (value, document.is_clean())));
        problems.extend(document.into_problems());
    }
    values
}

/// The contracts in a project's folder, without shipped ones.
pub(super) fn contracts(root: &Path, problems: &mut Problems) -> Vec<TextFile> {
    let paths = problems.keep(walk(root, "pipelines/sources")).unwrap_or_default();
    let paths = paths.iter().filter(|path| path.ends_with(".yml"));
    paths.filter_map(|path| problems.keep(read_text(root, path))).collect()
}

fn stem(file: &TextFile) -> &str {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The tables that paths name, whether or not the files could be read.
fn path_names(files: &[TextFile]) -> Vec<TableName> {
    let name = |file: &TextFile| {
        let layer = file.below_root().strip_prefix("sql/")?.split_once('/')?.0;
        Some(TableName::new(layer, stem(file)))
    };
    files.iter().filter_map(name).collect()
}

/// Reports two files that make one table; the first stays.
fn distinct(files: Vec<SqlFile>, problems: &mut Problems) -> Vec<SqlFile> {
    let mut first: BTreeMap<TableName, SqlFile> = BTreeMap::new();
    for file in files {
        if let Some(other) = first.get(&file.name) {
            let message = format!("`{}` is defined twice, also by {}", file.name, other.file.path);
            let place = Place::at(file.file.path.clone(), file.file.text.clone(), 1, 1);
            problems.push(Error::project(message).at(place).hint("rename one of the files"));
        } else {
            first.insert(file.name.clone(), file);
        }
    }
    first.into_values().collect()
}

/// All files of the project's folders, then those of the shipped project that its patterns name.
fn find_files(root: &Path, patterns: &[Text], document: &Document, problems: &mut Problems) -> Files {
    let mut files = Files::default();
    let mut paths = BTreeSet::new();
    for (folder, endings) in FOLDERS {
        for path in problems.keep(walk(root, folder)).unwrap_or_default() {
            match endings.iter().find_map(|ending| wrong_ending(&path, ending)) {
                Some(error) => {
                    files.reports.leave_out(&path);
                    problems.push(error);
                }
                None if has_ending(&path, endings) => drop(paths.insert(path)),
                None => {}
            }
        }
    }
    for path in &paths {
        if let Some(file) = problems.keep(read_text(root, path)) {
            files.add(file);
        }
    }
    for file in shipped_files(patterns, document) {
        if !paths.contains(file.below_root()) || reports::holds_phrases(file.below_root()) {
            files.add(file);
        }
    }
    files
}

impl Files {
    /// The files with tags.
    fn templates(&self) -> impl Iterator<Item = &TextFile> {
        [&self.steps, &self.tests, &self.macros].into_iter().flatten().chain(self.reports.texts())
    }

    fn add(&mut self, file: TextFile) {
        let path = file.below_root();
        let depth = path.matches('/').count();
        // A pattern of shipped files can also name what no project reads.
        let folder = FOLDERS.iter().find(|(folder, _)| path.starts_with(&format!("{folder}/")));
        if folder.is_none_or(|(_, endings)| !has_ending(path, endings)) {
            return;
        }
        let list = match path.split('/').next().unwrap_or("") {
            "sql" if path.starts_with("sql/tests/") => &mut self.tests,
            "sql" if path.starts_with("sql/macros/") => &mut self.macros,
            "sql" => &mut self.steps,
            "pipelines" if path.starts_with("pipelines/sources/") => &mut self.sources,
            "pipelines" if depth == 1 => &mut self.pipelines,
            reports::FOLDER => {
                self.all.push(file.clone());
                return self.reports.add(file);
            }
            "tests" => &mut self.step_tests,
            _ => return,
        };
        self.all.push(file.clone());
        list.push(file);
    }
}

/// Files of the shipped project that patterns name; a pattern that names none is reported.
fn shipped_files(patterns: &[Text], document: &Document) -> Vec<TextFile> {
    let all = shipped::files();
    let mut chosen = BTreeMap::new();
    for pattern in patterns {
        let glob = match globset::GlobBuilder::new(&pattern.value).literal_separator(true).build() {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => {
                let message = format!("`{}` is not a file pattern: {}", pattern.value, error.kind());
                document.report(&pattern.span, Error::project(message));
                continue;
            }
        };
        let before = chosen.len();
        // Who gets a report is never taken over with its templates.
        let is_own = |path: &str| path == PROJECT_FILE || reports::says_who_gets(path);
        let matching = all.iter().filter(|file| !is_own(&file.path()) && glob.is_match(file.path()));
        let mut found = 0;
        for file in matching {
            found += 1;
            chosen.extend(file.text().map(|text| (file.path(), text)));
        }
        if found == 0 && before == chosen.len() {
            let error = Error::project(format!("no shipped file matches `{}`", pattern.value));
            let hint = "patterns are relative to the project's folder: `sql/marts/*`, `report-templates/**`";
            document.report(&pattern.span, error.hint(hint));
        }
    }
    chosen.into_values().collect()
}

fn has_ending(path: &str, endings: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// `.yaml` and the like, which would be overlooked without a word.
fn wrong_ending(path: &str, ending: &str) -> Option<Error> {
    let (stem, given) = path.rsplit('/').next()?.rsplit_once('.')?;
    let meant = match ending {
        "yml" => given.eq_ignore_ascii_case("yaml") || given.eq_ignore_ascii_case("yml"),
        "md" => given.eq_ignore_ascii_case("markdown") || given.eq_ignore_ascii_case("md"),
        _ => given.eq_ignore_ascii_case(ending),
    };
    (meant && given != ending).then(|| {
        let error =
            Error::project(format!("files ending in `.{given}` are not read")).at(Place::Whole(path.to_string()));
        error.hint(format!("rename it to `{stem}.{ending}`"))
    })
}

/// Paths of all files in a folder and below, with `/`, in order. Hidden ones are left out; none if there is no folder.
fn walk(root: &Path, folder: &str) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, error)),
        Ok(entries) => entries,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        if name.starts_with('.') {
            continue;
        } else if entry.path().is_dir() {
            paths.extend(walk(root, &path)?);
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_text(root: &Path, path: &str) -> Result<TextFile> {
    let bytes = regular_file::read(&root.join(path)).map_err(|error| match (path, error.kind()) {
        (PROJECT_FILE, std::io::ErrorKind::NotFound) => {
            Error::project(format!("there is no `{PROJECT_FILE}` in `{}`", root.display()))
                .hint("`perennial init DIR` creates a project")
        }
        _ => unreadable(path, error),
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(TextFile { path: path.to_string(), text: text.into() }),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Error::project(format!("line {line} is not UTF-8"))
                .at(Place::Whole(path.to_string()))
                .hint("save the file as UTF-8"))
        }
    }
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    Error::project(format!("cannot be read: {error}")).at(Place::Whole(path.to_string())).because(error)
}

/// In the order of files, then of lines.
fn sorted(problems: Problems) -> Problems {
    let mut errors: Vec<Error> = problems.into_iter().collect();
    errors.sort_by_key(|error| match error.place() {
        Some(Place::File { file, line, column, .. }) => (file_rank(file), file.clone(), *line, *column),
        Some(Place::Whole(file)) => (file_rank(file), file.clone(), 0, 0),
        Some(Place::Row { table, .. }) => (2, table.clone(), 0, 0),
        None => (0, String::new(), 0, 0),
    });
    let mut sorted = Problems::new();
    errors.into_iter().for_each(|error| sorted.push(error));
    sorted
}

/// The command line and `perennial.yml` first, shipped files last.
fn file_rank(file: &str) -> u8 {
    match file {
        "--vars" | PROJECT_FILE => 0,
        other if other.starts_with(shipped::PREFIX) => 3,
        _ => 1,
    }
}
