//! `report-templates/`: one folder for each report, and `shared/` for what several of them use.
//!
//! ```text
//! report-templates/<report>/report.md      header, then Markdown and minijinja
//! report-templates/<report>/queries/*.sql  queries, beside those in the header
//! report-templates/<report>/phrases.yml    phrases: key, then language, then text
//! report-templates/<report>/pieces/*.md    what the template includes
//! report-templates/<report>/delivery.yml   who gets it
//! report-templates/shared/                 phrases.yml and *.md for every report
//! ```
//!
//! The layout of before, `report-templates/<report>.md` with `report-templates/words.yml`, is still read.

use super::delivery::{self, DeliveryContext};
use super::document::{Document, Node, Text, Value};
use super::fields::Fields;
use super::{
    IssueAfter, Language, Note, PeriodKind, PhraseText, Phrases, Project, ReportFile, ReportQuery, TextFile, calendars,
    names, settings, shipped,
};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Place, Problems};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Where all of this lies.
pub(super) const FOLDER: &str = "report-templates";
const PERIODS: [(&str, PeriodKind); 2] = [("month", PeriodKind::Month), ("day", PeriodKind::Day)];
/// The table that says for which periods there are rows, where a report's header names none.
const CALENDAR: (&str, &str) = ("core", "periods");
/// Phrases of the footer whose keys began with `foot_` in earlier versions, and begin with `footer_` now.
const FOOTER_PHRASES: &[&str] = &[
    "title",
    "as_of",
    "period",
    "edition",
    "edition_text",
    "release",
    "release_text",
    "run",
    "tests",
    "tests_text",
    "sources",
    "source",
    "newest",
    "newest_unknown",
    "rows",
    "rejects",
    "state",
    "current",
    "stale",
    "changes",
    "first_edition",
    "no_changes",
    "figure",
    "was",
    "is",
    "difference",
];
/// What a folder of a report holds, for messages.
const FILES: &str = "a report's folder holds report.md, phrases.yml, delivery.yml, queries/*.sql and pieces/*.md";
/// Longest wait of `issue_after`, in days.
const MAX_ISSUE_DAYS: u16 = 366;

/// The files below `report-templates` by what they are.
#[derive(Debug, Default)]
pub(super) struct ReportFiles {
    /// The templates, each beside the name of its report.
    templates: Vec<(String, TextFile)>,
    /// Queries, pieces, phrases and deliveries of one report, beside its name.
    queries: Vec<(String, TextFile)>,
    pieces: Vec<(String, TextFile)>,
    phrases: Vec<(String, TextFile)>,
    deliveries: Vec<(String, TextFile)>,
    shared_pieces: Vec<TextFile>,
    shared_phrases: Vec<TextFile>,
    /// Files that nothing reads.
    unknown: Vec<TextFile>,
    /// Whether a file of phrases is not read because of its ending.
    lacks_phrases: bool,
}

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub reports: Vec<ReportFile>,
    pub shared_pieces: Vec<TextFile>,
    pub shared_phrases: Phrases,
    /// What is written as in earlier versions.
    pub notes: Vec<Note>,
}

/// Whether a file holds phrases. A project's own lie over those of the shipped file of the same path, phrase by phrase.
pub(super) fn holds_phrases(path: &str) -> bool {
    path.starts_with(FOLDER) && (path.ends_with("/phrases.yml") || path == "report-templates/words.yml")
}

/// Whether a file says who gets a report.
pub(super) fn says_who_gets(path: &str) -> bool {
    path.starts_with(FOLDER) && path.ends_with("/delivery.yml")
}

impl ReportFiles {
    /// Everything that is or holds a template.
    pub(super) fn texts(&self) -> impl Iterator<Item = &TextFile> {
        let named = [&self.templates, &self.queries, &self.pieces, &self.phrases, &self.deliveries];
        let shared = [&self.shared_pieces, &self.shared_phrases];
        named.into_iter().flatten().map(|(_, file)| file).chain(shared.into_iter().flatten())
    }

    /// Takes note of a file whose ending is wrong, which was reported.
    pub fn leave_out(&mut self, path: &str) {
        self.lacks_phrases |= path.starts_with(FOLDER) && path.contains("/phrases.");
    }

    /// Adds a file below `report-templates`.
    pub fn add(&mut self, file: TextFile) {
        let below = file.below_root().strip_prefix("report-templates/").unwrap_or_default().to_string();
        let parts: Vec<&str> = below.split('/').collect();
        let of = |report: &str, file| (report.to_string(), file);
        match parts.as_slice() {
            [.., "README.md"] => {}
            ["words.yml"] | ["shared", "phrases.yml"] => self.shared_phrases.push(file),
            ["shared", .., name] if name.ends_with(".md") => self.shared_pieces.push(file),
            [name] if name.ends_with(".md") => self.templates.push(of(name.trim_end_matches(".md"), file)),
            ["shared", ..] => self.unknown.push(file),
            [report, "report.md"] => self.templates.push(of(report, file)),
            [report, "phrases.yml"] => self.phrases.push(of(report, file)),
            [report, "delivery.yml"] => self.deliveries.push(of(report, file)),
            [report, "queries", name] if name.ends_with(".sql") => self.queries.push(of(report, file)),
            [report, "pieces", .., name] if name.ends_with(".md") => self.pieces.push(of(report, file)),
            _ => self.unknown.push(file),
        }
    }

    /// Names of all reports, also of those that cannot be read.
    pub fn names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.templates.iter().map(|(name, _)| name).collect();
        names.into_iter().cloned().collect()
    }

    /// Reads all of them, for a project whose options are read.
    pub fn read(self, context: &DeliveryContext, problems: &mut Problems) -> Reports {
        let mut notes = self.notes();
        for file in &self.unknown {
            let error = Error::project("nothing reads this file").at(Place::Whole(file.path.clone()));
            problems.push(error.hint(FILES));
        }
        let before = problems.len();
        let shared_files = phrases_of(&self.shared_phrases, problems);
        let (shared_shipped, shared_own) = (shared_files.shipped, shared_files.project);
        notes.extend(shared_files.notes);
        let shared_are_read = problems.len() == before && !self.lacks_phrases;
        let mut shared = shared_shipped.clone();
        overlay(&mut shared, &shared_own);
        let mut reports: Vec<ReportFile> = Vec::new();
        for (name, file) in &self.templates {
            if let Some(other) = reports.iter().find(|report| report.name == *name) {
                let message = format!("the report `{name}` is defined twice: {} defines it too", other.file.path);
                problems.push(Error::project(message).at(Place::Whole(file.path.clone())).hint("remove one of them"));
                continue;
            }
            let document = Document::new(file.path.clone(), file.text.clone());
            let report = read(&document, name, file, context.project);
            let is_clean = document.is_clean();
            problems.extend(document.into_problems());
            let Some(mut report) = report.filter(|_| is_clean) else { continue };
            for query in of_report(&self.queries, name) {
                problems.keep(query_of(query, &report).map(|query| report.queries.push(query)));
            }
            report.pieces = of_report(&self.pieces, name).cloned().collect();
            let own: Vec<TextFile> = of_report(&self.phrases, name).cloned().collect();
            let before = problems.len();
            let files = phrases_of(&own, problems);
            report.phrases_are_read = shared_are_read && problems.len() == before;
            // What a project says goes over everything that ships.
            report.phrases = shared_shipped.clone();
            for layer in [&files.shipped, &shared_own, &files.project] {
                overlay(&mut report.phrases, layer);
            }
            missing_phrases(&report, files.keys, problems);
            notes.extend(files.notes);
            for file in of_report(&self.deliveries, name) {
                let document = Document::new(file.path.clone(), file.text.clone());
                report.deliveries = delivery::read(&document, file, &report, context);
                problems.extend(document.into_problems());
            }
            reports.push(report);
        }
        let has_template = |name: &String| self.templates.iter().any(|(known, _)| known == name);
        let parts = self.queries.iter().chain(&self.pieces).chain(&self.phrases).chain(&self.deliveries);
        let orphans: BTreeMap<&String, &TextFile> =
            parts.filter(|(name, _)| !has_template(name)).map(|(name, file)| (name, file)).collect();
        for (name, file) in orphans {
            let error = Error::project(format!("the report `{name}` has no template"));
            let hint = format!("write it to {FOLDER}/{name}/report.md");
            problems.push(error.at(Place::Whole(file.path.clone())).hint(hint));
        }
        Reports { reports, shared_pieces: self.shared_pieces, shared_phrases: shared, notes }
    }
}

impl ReportFiles {
    /// Files and calls that are written as in earlier versions.
    fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (name, file) in self.templates.iter().filter(|(_, file)| !file.path.ends_with("/report.md")) {
            notes.push(Note {
                place: Place::Whole(file.path.clone()),
                message: "a report is a folder now".into(),
                hint: format!("move it to {FOLDER}/{name}/report.md"),
            });
        }
        for file in self.shared_phrases.iter().filter(|file| file.path.ends_with("/words.yml")) {
            notes.push(Note {
                place: Place::Whole(file.path.clone()),
                message: "phrases are in the folder of their report now".into(),
                hint: format!("move them to {FOLDER}/<report>/phrases.yml, or to {FOLDER}/shared/phrases.yml"),
            });
        }
        let pieces = self.pieces.iter().map(|(_, file)| file).chain(&self.shared_pieces);
        for file in self.templates.iter().map(|(_, file)| file).chain(pieces) {
            let is_call = |at: &usize| !file.text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            for at in file.text.match_indices("foot()").map(|(at, _)| at).filter(is_call) {
                notes.push(Note {
                    place: Place::span(file.path.clone(), file.text.clone(), at..at + "foot".len()),
                    message: "`foot` is called `footer` now".into(),
                    hint: "write `footer()`".into(),
                });
            }
        }
        notes
    }
}

fn of_report<'a>(files: &'a [(String, TextFile)], name: &str) -> impl Iterator<Item = &'a TextFile> {
    files.iter().filter(move |(report, _)| report == name).map(|(_, file)| file)
}

/// The header of a report and where its template begins.
fn read(document: &Document, name: &str, file: &TextFile, project: &Project) -> Option<ReportFile> {
    if let Err(error) = names::check_part("a report", name) {
        document.report(&(0..0), error);
    }
    if name == "shared" {
        let error =
            Error::project("`shared` cannot be the name of a report").hint("it is the folder of what reports share");
        document.report(&(0..0), error);
    }
    let (yaml, body) = split(document)?;
    let node = document.parse(yaml)?;
    let fields = Fields::of(document, &node, "a report", 0..3)?;
    let languages = settings::languages(&fields).unwrap_or_else(|| project.languages.clone());
    let (calendar, calendar_place) = calendar(&fields);
    let report = ReportFile {
        name: name.to_string(),
        file: file.clone(),
        body,
        title: title(&fields, &languages),
        period: fields.choice("period", &PERIODS, PeriodKind::Month),
        calendar,
        calendar_place,
        languages,
        readers: fields.text("readers").map(|text| text.value).unwrap_or_default(),
        issue_after: issue_after(&fields, project).unwrap_or_default(),
        parameters: parameters(&fields),
        deliveries: Vec::new(),
        queries: queries(&fields, file),
        pieces: Vec::new(),
        phrases: Phrases::new(),
        phrases_are_read: true,
    };
    fields.finish();
    Some(report)
}

/// Where the header's YAML and the template are.
fn split(document: &Document) -> Option<(Range<usize>, usize)> {
    let text: &str = &document.text;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let first = text[start..].split_inclusive('\n').next().unwrap_or("");
    if first.trim_end() != "---" {
        let error = Error::project("a report begins with a header between two lines `---`");
        document.report(
            &(start..start),
            error
                .hint("a piece that a template includes belongs in the report's pieces/ or in report-templates/shared"),
        );
        return None;
    }
    let yaml = start + first.len();
    let mut at = yaml;
    for line in text[yaml..].split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((yaml..at, at + line.len()));
        }
        at += line.len();
    }
    let error = Error::project("this header has no end").hint("close it with a line `---`");
    document.report(&(start..start + 3), error);
    None
}

/// The table of periods with rows, and where the header names it.
fn calendar(fields: &Fields) -> (TableName, Option<Place>) {
    let default = TableName::new(CALENDAR.0, CALENDAR.1);
    let Some(text) = fields.text("calendar") else { return (default, None) };
    let place = fields.document.place(&text.span);
    match text.value.split_once('.') {
        Some((layer, name)) if !layer.is_empty() && !name.is_empty() && !name.contains('.') => {
            (TableName::new(layer, name), Some(place))
        }
        _ => {
            let error = Error::project(format!("`calendar` is `{}`, which does not name a table", text.value));
            fields.document.report(&text.span, error.hint("write layer and table, as in `core.periods`"));
            (default, None)
        }
    }
}

/// `2 days`, `3 working_days` or `3 working_days of germany`.
fn issue_after(fields: &Fields, project: &Project) -> Option<IssueAfter> {
    let text = fields.text("issue_after")?;
    let words: Vec<&str> = text.value.split_whitespace().collect();
    let count = words.first().and_then(|count| count.parse::<u16>().ok()).filter(|days| *days <= MAX_ISSUE_DAYS);
    match (count, words.get(1..).unwrap_or_default()) {
        (Some(days), ["day" | "days"]) => Some(IssueAfter::Days(days)),
        (Some(days), ["working_day" | "working_days", of @ ..]) if matches!(of, [] | ["of", _]) => {
            let name = of.get(1).map(|name| Text { value: name.to_string(), span: text.span.clone() });
            let owner = ("`issue_after`", &text.span);
            let calendar = calendars::chosen(fields.document, name.as_ref(), owner, &project.calendars)?;
            Some(IssueAfter::WorkingDays(days, calendar.clone()))
        }
        _ => {
            let error = Error::project(format!("`issue_after` is `{}`", text.value));
            let hint = format!(
                "write `2 days` or `3 working_days of <calendar>`, with up to {MAX_ISSUE_DAYS} days after the end of the period"
            );
            fields.document.report(&text.span, error.hint(hint));
            None
        }
    }
}

/// Columns by which the rows of a report are split into pages of their own.
fn parameters(fields: &Fields) -> Vec<String> {
    let mut parameters = Vec::new();
    for text in fields.texts("parameters") {
        if let Err(error) = names::check("a parameter", &text.value) {
            fields.document.report(&text.span, error);
        } else if parameters.contains(&text.value) {
            fields.document.report(&text.span, Error::project(format!("duplicate parameter `{}`", text.value)));
        } else {
            parameters.push(text.value);
        }
    }
    parameters
}

/// The title per language; every language of the report needs one.
fn title(fields: &Fields, languages: &[Language]) -> BTreeMap<Language, String> {
    let Some(node) = fields.required("title") else { return BTreeMap::new() };
    if let Value::Scalar { text, .. } = &node.value {
        return languages.iter().map(|language| (*language, text.clone())).collect();
    }
    let titles = texts(fields.document, "`title`", node);
    let titles: BTreeMap<Language, String> = titles.into_iter().map(|(l, text)| (l, text.value)).collect();
    let missing = missing_languages(|language| titles.contains_key(&language), languages);
    if !missing.is_empty() {
        let error = Error::project(format!("the title is missing in {missing}"));
        fields.document.report(&fields.span_of("title"), error);
    }
    titles
}

fn missing_languages(has: impl Fn(Language) -> bool, languages: &[Language]) -> String {
    let missing: Vec<&str> = languages.iter().filter(|l| !has(**l)).map(|l| l.tag()).collect();
    missing.join(" and ")
}

/// Texts per language.
fn texts(document: &Document, what: &str, node: &Node) -> BTreeMap<Language, Text> {
    let mut texts = BTreeMap::new();
    for (key, value) in document.entries(node, what).unwrap_or_default() {
        let Some(language) = settings::language(document, key) else { continue };
        match value.value {
            Value::Null => {}
            _ => drop(document.text(&key.value, value).map(|text| texts.insert(language, text))),
        }
    }
    texts
}

fn queries(fields: &Fields, file: &TextFile) -> Vec<ReportQuery> {
    let Some(node) = fields.optional("queries") else { return Vec::new() };
    let entries = fields.document.entries(node, "`queries`").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| query(fields.document, file, key, node)).collect()
}

fn query(document: &Document, file: &TextFile, key: &Text, node: &Node) -> Option<ReportQuery> {
    if let Err(error) = names::check("a query", &key.value) {
        document.report(&key.span, error);
    }
    if let Value::Null = node.value {
        document.report(&key.span, Error::project(format!("the query `{}` is empty", key.value)));
        return None;
    }
    let text = document.text(&key.value, node)?;
    let offset = first_byte(document, &text);
    Some(ReportQuery { name: key.value.clone(), file: file.clone(), offset, sql: text.value })
}

/// Where the first line of a text is: a block scalar begins below its `|`, a quoted one behind its quote.
pub(super) fn first_byte(document: &Document, text: &Text) -> usize {
    let first = text.value.split('\n').next().unwrap_or("");
    document.text[text.span.start..].find(first).map_or(text.span.start, |at| text.span.start + at)
}

/// A query of a file of its own, named like the file.
fn query_of(file: &TextFile, report: &ReportFile) -> Result<ReportQuery, Error> {
    let at = || Place::Whole(file.path.clone());
    let name = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".sql");
    names::check("a query", name).map_err(|error| error.at(at()))?;
    if let Some(other) = report.queries.iter().find(|query| query.name == name) {
        let message = format!("the query `{name}` is defined twice: {} defines it too", other.file.path);
        return Err(Error::project(message).at(at()).hint("remove one of them"));
    }
    let sql = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    if sql.trim().is_empty() {
        return Err(Error::project(format!("the query `{name}` is empty")).at(at()));
    }
    let offset = file.text.len() - sql.len();
    Ok(ReportQuery { name: name.to_string(), file: file.clone(), sql: sql.to_string(), offset })
}

/// What files of phrases say.
#[derive(Default)]
struct PhraseFiles {
    /// The phrases of the files that ship.
    shipped: Phrases,
    /// The phrases of the project's own files.
    project: Phrases,
    /// Where each key is; in the project's file where it is in both.
    keys: BTreeMap<String, Place>,
    /// Keys that are written as in earlier versions.
    notes: Vec<Note>,
}

fn phrases_of(files: &[TextFile], problems: &mut Problems) -> PhraseFiles {
    let mut all = PhraseFiles::default();
    let (shipped, own): (Vec<&TextFile>, Vec<&TextFile>) =
        files.iter().partition(|file| file.path.starts_with(shipped::PREFIX));
    for (file, is_shipped) in shipped.into_iter().map(|file| (file, true)).chain(own.into_iter().map(|f| (f, false))) {
        let document = Document::new(file.path.clone(), file.text.clone());
        let read = read_phrases(&document, file, &mut all);
        problems.extend(document.into_problems());
        overlay(if is_shipped { &mut all.shipped } else { &mut all.project }, &read);
    }
    all
}

fn read_phrases(document: &Document, file: &TextFile, all: &mut PhraseFiles) -> Phrases {
    let mut phrases = Phrases::new();
    let Some(node) = document.parse_all() else { return phrases };
    let entries = document.entries(&node, "a table of phrases").unwrap_or_default();
    for (key, node) in entries {
        let place = |text: Text| PhraseText { file: file.clone(), span: text.span, text: text.value };
        let texts = texts(document, "a phrase", node).into_iter().map(|(language, text)| (language, place(text)));
        let texts: BTreeMap<Language, PhraseText> = texts.collect();
        if let Some(new) = footer_key(&key.value) {
            all.notes.push(Note {
                place: document.place(&key.span),
                message: format!("the phrase `{}` is called `{new}` now", key.value),
                hint: format!("write `{new}`"),
            });
            // The old key stays beside it for templates that ask for it. A phrase under the new key goes first.
            if !entries.iter().any(|(other, _)| other.value == new) {
                phrases.insert(new, texts.clone());
            }
        }
        all.keys.insert(key.value.clone(), document.place(&key.span));
        phrases.insert(key.value.clone(), texts);
    }
    phrases
}

/// The present key of a phrase of the footer that is written with its key of earlier versions. Other keys that begin so
/// are the project's own.
fn footer_key(key: &str) -> Option<String> {
    let rest = key.strip_prefix("foot_").filter(|rest| FOOTER_PHRASES.contains(rest))?;
    Some(format!("footer_{rest}"))
}

/// Lays phrases over others: a text stays where the upper layer has none in its language.
fn overlay(under: &mut Phrases, over: &Phrases) {
    for (key, texts) in over {
        let of_key = under.entry(key.clone()).or_default();
        of_key.extend(texts.iter().map(|(language, text)| (*language, text.clone())));
    }
}

/// The phrases of a report's own files that lack one of its languages.
fn missing_phrases(report: &ReportFile, keys: BTreeMap<String, Place>, problems: &mut Problems) {
    for (key, place) in keys {
        let Some(texts) = report.phrases.get(&key).filter(|texts| !texts.is_empty()) else { continue };
        let missing = missing_languages(|language| texts.contains_key(&language), &report.languages);
        if !missing.is_empty() {
            let error = Error::project(format!("the phrase `{key}` is missing in {missing}")).at(place);
            problems.push(error.hint(format!("`languages` of the report `{}` names them", report.name)));
        }
    }
}
