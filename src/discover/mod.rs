//! Drafts of contracts: what a system holds, written as a contract that a person edits.
//!
//! A draft passes `perennial check` as it is, and refuses none of the rows it was made from. Where something was guessed
//! or left open, a comment says so.

mod draft;
mod files;
mod groups;
mod key;
mod names;
mod pages;
mod relations;
mod yaml;

use draft::{Draft, TableDraft};
use globset::{Glob, GlobMatcher};
use perennial_core::contract::{Access, Extraction, RelationRows, Secret, Source, SourceTable, Tls};
use perennial_core::error::{Error, Problems, Result};
use perennial_core::sql::{Dialect, STANDARD};
use perennial_sources::{Contents, System};
use std::path::{Path, PathBuf};

/// Where a draft is made from.
#[derive(Clone, Debug)]
pub(crate) struct DiscoverRequest {
    /// A folder, a file or a URL. Paths count from the current folder.
    pub location: String,
    /// The credentials.
    pub access: Access,
    /// The source's name; told from the location when left out.
    pub name: Option<String>,
    /// Patterns of tables; none means all.
    pub tables: Vec<String>,
    /// Rows that are looked at of each table.
    pub sample_rows: usize,
    /// The project's folder, from which a contract's location counts.
    pub root: PathBuf,
    /// The project's zone, for moments written without one.
    pub time_zone: String,
}

/// A drafted contract.
#[derive(Clone, Debug)]
pub(crate) struct ContractDraft {
    /// The source's name.
    pub name: String,
    /// The contract.
    pub yaml: String,
    /// Names of its tables.
    pub tables: Vec<String>,
    /// What was found and not drafted, and why.
    pub left_out: Vec<String>,
}

/// What a source's system has that its contract does not name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Additions {
    /// Tables and columns as a piece of YAML to be put into the contract; empty where nothing is new.
    pub yaml: String,
    /// New tables.
    pub tables: Vec<String>,
    /// New columns, as `orders.channel`.
    pub columns: Vec<String>,
    /// What could not be looked at, and why.
    pub left_out: Vec<String>,
}

/// Drafts the contract of a system.
///
/// # Errors
/// Of kind `Project` when location, patterns or access make no sense, `Unreachable` when the system cannot be opened,
/// `Data` when nothing in it can be drafted.
pub(crate) async fn discover(request: &DiscoverRequest) -> Result<ContractDraft, Problems> {
    let place = Place::of(request)?;
    let name = request.name.clone().unwrap_or_else(|| files::source_name(&place.named_after));
    let name = perennial_project::identifier(&name).unwrap_or(name);
    let look = Look::new(request, &name, place)?;
    let (tables, left_out) = look.draft(&look.source()).await?;
    if tables.is_empty() {
        return Err(nothing(request, &left_out).into());
    }
    let draft = Draft { left_out: left_out.clone(), ..look.around(tables) };
    let yaml = draft.yaml(&request.time_zone);
    // A draft that is not a valid contract would be a mistake of this program; find it before anybody edits it.
    perennial_project::read_contract(&name, &yaml, &request.root, &request.time_zone)?;
    let tables = draft.tables.into_iter().map(|table| table.name).collect();
    Ok(ContractDraft { name, yaml, tables, left_out })
}

fn nothing(request: &DiscoverRequest, left_out: &[String]) -> Error {
    let error = Error::data(format!("found no table at `{}`", request.location));
    match (left_out, request.tables.as_slice()) {
        ([], []) => error,
        ([], patterns) => error.hint(format!("no table has a name like {}", patterns.join(", "))),
        (reasons, _) => error.hint(reasons.join("; ")),
    }
}

/// Looks for tables and columns that a source of the project has and its contract does not name.
///
/// # Errors
/// As [`discover`].
pub(crate) async fn discover_new(
    source: &Source,
    root: &Path,
    time_zone: &str,
    tables: &[String],
    sample_rows: usize,
) -> Result<Additions, Problems> {
    let request = DiscoverRequest {
        location: source.location.clone(),
        access: source.access.clone(),
        name: Some(source.name.clone()),
        tables: tables.to_vec(),
        sample_rows,
        root: root.to_path_buf(),
        time_zone: time_zone.to_string(),
    };
    if !perennial_sources::kind_of(&source.location)?.lists_tables {
        let error = Error::project("a service over HTTP does not list its tables");
        return Err(error.hint("draft one by its URL: `perennial sources discover https://...`").into());
    }
    let place = Place { only: None, ..Place::of(&request)? };
    let look = Look::new(&request, &source.name, place)?;
    let (found, left_out) = look.draft(source).await?;
    Ok(Additions { left_out, ..additions(source, found, time_zone) })
}

fn additions(source: &Source, found: Vec<TableDraft>, time_zone: &str) -> Additions {
    let mut new = Additions::default();
    let mut text = String::new();
    let dialect = dialect_of(&source.location);
    for table in found {
        let Some(known) = source.tables.iter().find(|known| is_same(known, &table, &dialect)) else {
            new.tables.push(table.name.clone());
            text.push_str(&table.written(time_zone));
            continue;
        };
        let is_new = |column: &&draft::ColumnDraft| !known.columns.iter().any(|c| c.from == column.from);
        let columns: Vec<_> = table.columns.iter().filter(is_new).collect();
        if !columns.is_empty() && !table.columns.is_empty() {
            text.push_str(&format!("  {}:\n    columns:\n", known.name));
            columns.iter().for_each(|column| column.write(&mut text, time_zone));
            new.columns.extend(columns.iter().map(|column| format!("{}.{}", known.name, column.from)));
        }
    }
    if !text.is_empty() {
        new.yaml = format!("# To be added to pipelines/sources/{}.yml\ntables:\n{text}", source.name);
    }
    new
}

/// How the database at a location quotes names; standard SQL elsewhere.
fn dialect_of(location: &str) -> Dialect {
    perennial_sources::kind_of(location).ok().and_then(|kind| kind.dialect).unwrap_or(STANDARD)
}

/// Whether a drafted table is one that the contract has: of the same relation, or of files that its pattern takes.
fn is_same(known: &SourceTable, found: &TableDraft, dialect: &Dialect) -> bool {
    match &known.extraction {
        Extraction::Files { pattern, .. } => {
            let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build();
            let glob = glob.map(|glob| glob.compile_matcher());
            glob.is_ok_and(|glob| found.paths.iter().any(|path| glob.is_match(path)))
        }
        Extraction::Relation(relation) => {
            let RelationRows::Table(written) = &relation.rows else { return false };
            let (Ok((schema, name)), Some(found)) = (dialect.parse_table(written), &found.relation) else {
                return false;
            };
            found.has_name(schema.as_deref(), &name)
        }
        Extraction::Pages(_) => false,
    }
}

/// A location, taken apart.
struct Place {
    /// As it is opened.
    location: String,
    /// As a contract of the project writes it.
    written: String,
    /// What the source is named after.
    named_after: String,
    /// Of a folder only this file; of a service this path.
    only: Option<String>,
}

impl Place {
    fn of(request: &DiscoverRequest) -> Result<Place> {
        let location = request.location.as_str();
        let kind = perennial_sources::kind_of(location)?;
        perennial_core::location::forbid_password(
            location,
            "remove it, and name an environment variable that holds it: `--password-env ERP_PASSWORD`",
        )?;
        kind.forbid_secrets(location)?;
        let kind = kind.contents;
        if kind == Contents::Pages {
            return Place::of_service(location);
        }
        let is_path = perennial_core::location::scheme(location).is_none();
        if !is_path {
            return Ok(Place::of_url(location, kind));
        }
        let path =
            std::path::absolute(location).map_err(|e| Error::project(format!("`{location}` is not a path: {e}")))?;
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        if !path.exists() {
            return Err(Error::unreachable(format!("there is no `{location}`")));
        }
        let (folder, only) = match path.is_file() {
            true => (path.parent().unwrap_or(&path).to_path_buf(), file_name(&path)),
            false => (path, None),
        };
        let root = std::fs::canonicalize(&request.root).unwrap_or_else(|_| request.root.clone());
        let below = folder.strip_prefix(&root).ok().map(|rest| rest.to_string_lossy().into_owned());
        let written = below.filter(|rest| !rest.is_empty()).unwrap_or_else(|| folder.to_string_lossy().into_owned());
        let location = folder.to_string_lossy().into_owned();
        Ok(Place { named_after: location.clone(), location, written, only })
    }

    fn of_url(location: &str, kind: Contents) -> Place {
        let location = location.trim_end_matches('/').to_string();
        let (folder, last) = location.rsplit_once('/').unwrap_or(("", ""));
        let is_file = kind == Contents::Files && last.contains('.') && !folder.ends_with('/') && folder.contains("://");
        let (location, only) = match is_file {
            true => (folder.to_string(), Some(last.to_string())),
            false => (location.clone(), None),
        };
        Place { named_after: location.clone(), written: location.clone(), location, only }
    }

    fn of_service(location: &str) -> Result<Place> {
        let url = url::Url::parse(location).map_err(|e| Error::project(format!("`{location}` is not a URL: {e}")))?;
        let base = url.origin().ascii_serialization();
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let host = url.host_str().unwrap_or_default().trim_start_matches("www.").to_string();
        Ok(Place { location: base.clone(), written: base, named_after: host, only: Some(path.to_string()) })
    }
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// What does not change while one system is looked at.
struct Look<'a> {
    request: &'a DiscoverRequest,
    name: &'a str,
    place: Place,
    patterns: Vec<GlobMatcher>,
    sample_rows: usize,
    time_zone: &'a str,
}

impl<'a> Look<'a> {
    fn new(request: &'a DiscoverRequest, name: &'a str, place: Place) -> Result<Look<'a>> {
        let pattern = |text: &String| {
            let glob = Glob::new(text)
                .map_err(|e| Error::project(format!("`{text}` is not a pattern of names: {}", e.kind())));
            Ok(glob?.compile_matcher())
        };
        let patterns = request.tables.iter().map(pattern).collect::<Result<Vec<_>>>()?;
        let (sample_rows, time_zone) = (request.sample_rows.max(1), request.time_zone.as_str());
        Ok(Look { request, name, place, patterns, sample_rows, time_zone })
    }

    /// Whether a table is asked for.
    fn wants(&self, table: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.is_match(table))
    }

    fn source(&self) -> Source {
        Source {
            name: self.name.to_string(),
            description: String::new(),
            location: self.place.location.clone(),
            access: self.request.access.clone(),
            tables: Vec::new(),
        }
    }

    async fn draft(&self, source: &Source) -> Result<(Vec<TableDraft>, Vec<String>)> {
        let only = self.place.only.as_deref();
        match System::open(source).await? {
            System::Files(files) => files::tables(self, &files, only).await,
            System::Database(database) => relations::tables(self, &database).await,
            System::Http(http) => Ok((vec![pages::table(self, &http, only.unwrap_or("/")).await?], Vec::new())),
            System::Nothing => Err(Error::bug("a location without a system")),
        }
    }

    /// The contract around tables.
    fn around(&self, tables: Vec<TableDraft>) -> Draft {
        let system = perennial_sources::kind_of(&self.place.location).map_or("a system", |kind| kind.name);
        Draft {
            description: format!("{} ({system})", self.name),
            comments: vec![
                "A draft by `perennial sources discover`: each type fits every value that was read.".to_string(),
                "Read the comments, remove what is not needed, then run `perennial sources test`.".to_string(),
            ],
            location: self.place.written.clone(),
            access: access(&self.request.access, self.name),
            tables,
            left_out: Vec::new(),
        }
    }

    /// Drafted tables as a contract, for a look at their rows.
    fn contract(&self, tables: &[TableDraft]) -> Result<Source, Problems> {
        let mut draft = self.around(tables.to_vec());
        draft.location = self.place.location.clone();
        let yaml = draft.yaml(self.time_zone);
        let source = perennial_project::read_contract(self.name, &yaml, &self.request.root, self.time_zone)?;
        Ok(Source { access: self.request.access.clone(), ..source })
    }
}

/// The keys of a contract that are credentials.
fn access(access: &Access, name: &str) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    keys.extend(access.user.iter().map(|user| ("user", yaml::scalar(user))));
    keys.extend(access.password.iter().map(|password| match password {
        Secret::File(path) => ("password_file", yaml::scalar(&path.to_string_lossy())),
        Secret::Environment(text) if text.contains("${") => ("password", yaml::scalar(text)),
        Secret::Environment(_) => ("password", yaml::scalar(&format!("${{{}_PASSWORD}}", name.to_uppercase()))),
    }));
    match access.tls {
        Tls::Verify => {}
        Tls::Encrypt => keys.push(("tls", "encrypt".to_string())),
        Tls::Off => keys.push(("tls", "\"off\"".to_string())),
    }
    keys
}

#[cfg(test)]
mod tests;
