//! `perennial.yml`: the options of the whole project.

use super::calendars::{self, ReadFile};
use super::document::{Document, Node, Text};
use super::environment::{self, Lookup};
use super::fields::Fields;
use super::folders::OwnPlaces;
use super::{AsOf, Keep, Language, Phrases, Project, TextFile, Theme, Unread, access, keep, mail, names, notify};
use perennial_core::error::Error;
use perennial_core::file_mode::FileMode;
use perennial_core::location;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Less than this and nothing can run.
const MIN_MEMORY_BYTES: u64 = 16_000_000;
const METRICS_HINT: &str = "write a path such as `metrics/perennial.prom`";

/// A project with the default options and nothing else.
fn defaults(root: &Path) -> Project {
    Project {
        root: root.to_path_buf(),
        name: String::new(),
        lake: environment::locate(root, "lake"),
        reports_folder: environment::absolute(root, "reports"),
        time_zone: "UTC".to_string(),
        currency: "EUR".to_string(),
        languages: vec![Language::ENGLISH],
        file_mode: None,
        page_mode: FileMode::ALL_READ,
        memory_limit_bytes: 1_000_000_000,
        merge_raw_files: 64,
        as_of: AsOf::Today,
        calendars: BTreeMap::new(),
        mail: None,
        notify: Vec::new(),
        ping: None,
        keep: Keep::default(),
        reports_url: None,
        metrics_file: None,
        vars: BTreeMap::new(),
        theme: Theme { accent: Some("#1f5f8b".to_string()), ..Theme::default() },
        pipelines: Vec::new(),
        sources: Vec::new(),
        steps: Vec::new(),
        tests: Vec::new(),
        macros: Vec::new(),
        step_tests: Vec::new(),
        reports: Vec::new(),
        shared_templates: Vec::new(),
        phrases: Phrases::new(),
        files: Vec::new(),
        unread: Unread::default(),
        notes: Vec::new(),
    }
}

/// What `perennial.yml` says.
pub(super) struct Settings {
    /// A project with its options.
    pub project: Project,
    /// Patterns of shipped files.
    pub shipped: Vec<Text>,
    /// Names of pipelines, which are known when all files are.
    pub pipelines: Vec<Text>,
    /// Files of calendars.
    pub files: Vec<TextFile>,
}

/// Reads `perennial.yml`. Wrong options have their defaults, so that the other files can be read.
pub(super) fn read(document: &Document, root: &Path, lookup: Lookup, read_file: ReadFile) -> Settings {
    let defaults = defaults(root);
    let nothing = |project| Settings { project, shipped: Vec::new(), pipelines: Vec::new(), files: Vec::new() };
    let Some(node) = document.parse_all() else { return nothing(defaults) };
    let Some(fields) = Fields::of(document, &node, "a project", 0..0) else { return nothing(defaults) };
    let calendars = calendars::read(&fields, read_file);
    let name = fields.required_text("name").map_or(defaults.name, |text| text.value);
    let lake =
        fields.required_text("lake").and_then(|text| lake(document, root, text, lookup)).unwrap_or(defaults.lake);
    let reports_folder = reports_folder(&fields, root, lookup).unwrap_or(defaults.reports_folder);
    let own = OwnPlaces { root, reports_folder: &reports_folder, lake: &lake };
    let mail = mail::read(&fields, own, lookup);
    let metrics_file = metrics_file(&fields, own, lookup);
    let unread = Unread { mail: mail.is_none() && fields.is_set("mail"), ..Unread::default() };
    let (notify, pipelines) = notify::read(&fields, root);
    let project = Project {
        name,
        lake,
        reports_folder,
        time_zone: fields.text("time_zone").and_then(|text| time_zone(document, text)).unwrap_or(defaults.time_zone),
        currency: currency(&fields).unwrap_or(defaults.currency),
        languages: languages(&fields).unwrap_or(defaults.languages),
        file_mode: file_mode(&fields, "file_mode"),
        page_mode: file_mode(&fields, "page_mode").unwrap_or(defaults.page_mode),
        memory_limit_bytes: memory_limit(&fields).unwrap_or(defaults.memory_limit_bytes),
        merge_raw_files: fields
            .number("merge_raw_files", "a number of files, or 0 for never")
            .map_or(defaults.merge_raw_files, |(files, _)| files),
        as_of: as_of(&fields).unwrap_or(defaults.as_of),
        calendars: calendars.by_name,
        mail,
        notify,
        ping: access::secret_of(&fields, ["ping", "ping_file"], "HEALTHCHECK_URL", root),
        keep: keep::read(&fields),
        reports_url: fields.text("reports_url").and_then(|text| mail::web_address(document, "reports_url", &text)),
        metrics_file,
        vars: fields.optional("vars").map(|node| read_vars(document, node)).unwrap_or_default(),
        theme: theme(&fields, root, defaults.theme),
        unread,
        ..defaults
    };
    let shipped = fields.texts("shipped");
    fields.finish();
    Settings { project, shipped, pipelines, files: calendars.files }
}

impl Settings {
    /// Reports names of pipelines that no file has.
    pub fn check_pipelines(&self, document: &Document, known: &[&str]) {
        for text in self.pipelines.iter().filter(|text| !known.contains(&text.value.as_str())) {
            let error = Error::project(format!("unknown pipeline `{}`", text.value));
            document.report(&text.span, error.suggest(&text.value, known.iter().copied()));
        }
    }
}

/// Where the lake is. It cannot be the project's folder or one above it, whose files would be taken for tables.
fn lake(document: &Document, root: &Path, text: Text, lookup: Lookup) -> Option<String> {
    let written = environment::expand(document, &text, lookup)?;
    if let Err(error) = location::forbid_credentials(&written) {
        document.report(&text.span, error);
        return None;
    }
    let place = match location::scheme(&written).as_deref() {
        Some("file") => {
            let Some(path) = url::Url::parse(&written).ok().and_then(|url| url.to_file_path().ok()) else {
                let error = Error::project(format!("`{written}` is not a path on this machine"));
                document.report(&text.span, error.hint("write the path without `file://`, as in `lake: lake`"));
                return None;
            };
            environment::locate(root, &path.to_string_lossy())
        }
        _ => environment::locate(root, &written),
    };
    if root.starts_with(&place) {
        let error = Error::project("the lake would be the folder of the project or one above it");
        document.report(&text.span, error.hint("name a folder of its own, as in `lake: lake`"));
        return None;
    }
    Some(place)
}

fn file_mode(fields: &Fields, key: &'static str) -> Option<FileMode> {
    let text = fields.text(key)?;
    let mode = FileMode::parse(&text.value);
    if mode.is_none() {
        let error = Error::project(format!("`{key}` is `{}`, which is not the mode of a file", text.value));
        let hint = "write three octal digits with which the owner can read and write, such as `0640` or `0644`";
        fields.document.report(&text.span, error.hint(hint));
    }
    mode
}

fn reports_folder(fields: &Fields, root: &Path, lookup: Lookup) -> Option<PathBuf> {
    let text = fields.text("reports")?;
    let place = environment::expand(fields.document, &text, lookup)?;
    if environment::is_url(&place) {
        let error = Error::project(format!("`reports` is `{place}`; reports are written to a folder, not to a URL"));
        fields.document.report(&text.span, error);
        return None;
    }
    Some(environment::absolute(root, &place))
}

/// A file that is written by renaming another one, so that it is on this machine.
fn metrics_file(fields: &Fields, own: OwnPlaces, lookup: Lookup) -> Option<PathBuf> {
    let text = fields.text("metrics_file")?;
    let place = environment::expand(fields.document, &text, lookup)?;
    if environment::is_url(&place) || place.ends_with('/') {
        let error = Error::project(format!("`metrics_file` is `{place}`, which is not a file"));
        fields.document.report(&text.span, error.hint(METRICS_HINT));
        return None;
    }
    let file = environment::absolute(own.root, &place);
    if let Some(why) = own.in_the_way(&file) {
        let error = Error::project(format!("`metrics_file` is `{place}`, and {why}"));
        fields.document.report(&text.span, error.hint(METRICS_HINT));
        return None;
    }
    Some(file)
}

/// An IANA zone, checked; reported and nothing when unknown.
pub(super) fn time_zone(document: &Document, text: Text) -> Option<String> {
    if jiff::tz::TimeZone::get(&text.value).is_ok() {
        return Some(text.value);
    }
    let error = Error::project(format!("unknown time zone `{}`", text.value));
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let error = error.suggest(&text.value, known.iter().map(String::as_str));
    let error = match error.hint_text() {
        Some(_) => error,
        None => error.hint("use a name of the IANA database: `Europe/Berlin`, `Asia/Shanghai`, `UTC`"),
    };
    document.report(&text.span, error);
    None
}

fn currency(fields: &Fields) -> Option<String> {
    let text = fields.text("currency")?;
    if text.value.len() == 3 && text.value.chars().all(|c| c.is_ascii_uppercase()) {
        return Some(text.value);
    }
    let error = Error::project(format!("`{}` is not a currency", text.value));
    fields
        .document
        .report(&text.span, error.hint("write the three-letter ISO 4217 code, such as `EUR`, `USD` or `CNY`"));
    None
}

/// The languages of a key, which both a project and a report have.
pub(super) fn languages(fields: &Fields) -> Option<Vec<Language>> {
    let mut languages = Vec::new();
    for text in fields.texts("languages") {
        let Some(language) = language(fields.document, &text) else { continue };
        if languages.contains(&language) {
            fields.document.report(&text.span, Error::project(format!("duplicate language `{}`", text.value)));
        } else {
            languages.push(language);
        }
    }
    let empty = fields.optional("languages").is_some() && languages.is_empty() && fields.document.is_clean();
    if empty {
        let error = Error::project("`languages` is empty").hint(super::fields::one_of(Language::tags()));
        fields.document.report(&fields.span_of("languages"), error);
    }
    (!languages.is_empty()).then_some(languages)
}

/// The language of a tag; reported and nothing when unknown.
pub(super) fn language(document: &Document, text: &Text) -> Option<Language> {
    let found = Language::all().find(|language| language.tag() == text.value);
    if found.is_none() {
        let error = Error::project(format!("unknown language `{}`", text.value));
        document.report(&text.span, error.hint(super::fields::one_of(Language::tags())));
    }
    found
}

fn memory_limit(fields: &Fields) -> Option<u64> {
    let bytes = fields.size("memory_limit")?;
    if bytes >= MIN_MEMORY_BYTES {
        return Some(bytes);
    }
    let text = fields.text("memory_limit")?;
    let error = Error::project(format!("a memory limit of `{}` is too small", text.value));
    fields.document.report(&text.span, error.hint("set at least `16MB`"));
    None
}

fn as_of(fields: &Fields) -> Option<AsOf> {
    let text = fields.text("as_of")?;
    if text.value == "today" {
        return Some(AsOf::Today);
    }
    match text.value.parse::<jiff::civil::Date>() {
        Ok(date) if text.value.len() == "2026-10-01".len() => Some(AsOf::Date(date)),
        _ => {
            let error = Error::project(format!("`as_of` is `{}`, which is not a date", text.value));
            fields.document.report(&text.span, error.hint("write `today` or a date such as `2026-10-01`"));
            None
        }
    }
}

/// Variables: any values under names that SQL can use.
pub(super) fn read_vars(document: &Document, node: &Node) -> BTreeMap<String, serde_json::Value> {
    let mut vars = BTreeMap::new();
    for (key, value) in document.entries(node, "`vars`").unwrap_or_default() {
        match names::check("a variable", &key.value) {
            Ok(()) => drop(vars.insert(key.value.clone(), document.json(value))),
            Err(error) => document.report(&key.span, error),
        }
    }
    vars
}

fn theme(fields: &Fields, root: &Path, defaults: Theme) -> Theme {
    let Some(node) = fields.optional("theme") else { return defaults };
    let document = fields.document;
    let Some(theme) = Fields::of(document, node, "a theme", fields.span_of("theme")) else { return defaults };
    let read = Theme {
        logo: theme.text("logo").and_then(|text| logo(document, text, root)),
        accent: theme.text("accent").and_then(|text| colour(document, text)).or(defaults.accent),
        font: theme.text("font").map(|text| text.value),
    };
    theme.finish();
    read
}

fn logo(document: &Document, text: Text, root: &Path) -> Option<PathBuf> {
    let path = environment::absolute(root, &text.value);
    let known =
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg") || ending.eq_ignore_ascii_case("png"));
    let error = match (known, path.is_file()) {
        (true, true) => return Some(path),
        (false, _) => Error::project(format!("the logo `{}` is neither an SVG nor a PNG file", text.value)),
        (true, false) => Error::project(format!("the logo `{}` does not exist", text.value))
            .hint("the path is relative to the project's folder"),
    };
    document.report(&text.span, error);
    None
}

fn colour(document: &Document, text: Text) -> Option<String> {
    let digits = text.value.strip_prefix('#').unwrap_or("");
    if digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Some(text.value.to_ascii_lowercase());
    }
    let error = Error::project(format!("`{}` is not a colour", text.value)).hint("write it as \"#1f5f8b\", in quotes");
    document.report(&text.span, error);
    None
}
