//! `report-templates/*.md` and `words.yml`: the header of a report, and phrases per language.

use super::document::{Document, Node, Text, Value};
use super::fields::Fields;
use super::{Language, PeriodKind, ReportFile, ReportQuery, TextFile, names, settings};
use crate::error::Error;
use std::collections::BTreeMap;
use std::ops::Range;

const PERIODS: [(&str, PeriodKind); 2] = [("month", PeriodKind::Month), ("day", PeriodKind::Day)];

/// Phrases: key, then language, then text.
pub(super) type Words = BTreeMap<String, BTreeMap<Language, String>>;

/// Reads a report. `languages` are the project's, for reports that name none.
pub(super) fn read(document: &Document, file: &TextFile, languages: &[Language]) -> Option<ReportFile> {
    let path = file.below_root();
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".md");
    if let Err(error) = names::check_report(name) {
        document.report(&(0..0), error);
    }
    let (yaml, body) = split(document)?;
    let owner = 0..3;
    let node = document.parse(yaml)?;
    let fields = Fields::of(document, &node, "a report", owner)?;
    let languages = settings::languages(&fields).unwrap_or_else(|| languages.to_vec());
    let report = ReportFile {
        name: name.to_string(),
        file: file.clone(),
        body,
        title: title(&fields, &languages),
        period: fields.choice("period", &PERIODS, PeriodKind::Month),
        languages,
        readers: fields.words("readers"),
        queries: queries(&fields),
    };
    fields.finish();
    Some(report)
}

/// Where the header's YAML and the template stand.
fn split(document: &Document) -> Option<(Range<usize>, usize)> {
    let text: &str = &document.text;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let first = text[start..].split_inclusive('\n').next().unwrap_or("");
    if first.trim_end() != "---" {
        let error = Error::project("a report begins with a header between two lines `---`");
        document.report(
            &(start..start),
            error.hint("a piece that other templates include belongs in report-templates/shared"),
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

/// The title per language; every language of the report needs one.
fn title(fields: &Fields, languages: &[Language]) -> BTreeMap<Language, String> {
    let Some(node) = fields.required("title") else { return BTreeMap::new() };
    if let Value::Scalar { text, .. } = &node.value {
        return languages.iter().map(|language| (*language, text.clone())).collect();
    }
    let titles = phrase(fields.document, "`title`", node);
    let missing = missing_languages(&titles, languages);
    if !missing.is_empty() {
        let error = Error::project(format!("the title is missing in {missing}"));
        fields.document.report(&fields.span_of("title"), error);
    }
    titles
}

fn missing_languages(phrase: &BTreeMap<Language, String>, languages: &[Language]) -> String {
    let missing: Vec<&str> = languages.iter().filter(|l| !phrase.contains_key(l)).map(|l| l.tag()).collect();
    missing.join(" and ")
}

/// Texts per language.
fn phrase(document: &Document, what: &str, node: &Node) -> BTreeMap<Language, String> {
    let mut texts = BTreeMap::new();
    for (key, value) in document.entries(node, what).unwrap_or_default() {
        let Some(language) = settings::language(document, key) else { continue };
        match value.value {
            Value::Null => {}
            _ => drop(document.text(&key.value, value).map(|text| texts.insert(language, text.value))),
        }
    }
    texts
}

fn queries(fields: &Fields) -> Vec<ReportQuery> {
    let Some(node) = fields.optional("queries") else { return Vec::new() };
    let entries = fields.document.entries(node, "`queries`").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| query(fields.document, key, node)).collect()
}

fn query(document: &Document, key: &Text, node: &Node) -> Option<ReportQuery> {
    if let Err(error) = names::check("a query", &key.value) {
        document.report(&key.span, error);
    }
    if let Value::Null = node.value {
        document.report(&key.span, Error::project(format!("the query `{}` is empty", key.value)));
        return None;
    }
    let text = document.text(&key.value, node)?;
    Some(ReportQuery { name: key.value.clone(), offset: first_byte(document, &text), sql: text.value })
}

/// Where the first line of a text stands: a block scalar begins below its `|`, a quoted one behind its quote.
fn first_byte(document: &Document, text: &Text) -> usize {
    let first = text.value.split('\n').next().unwrap_or("");
    document.text[text.span.start..].find(first).map_or(text.span.start, |at| text.span.start + at)
}

/// Reads phrases and lays them over others: a phrase in a language that is there stays where this file says nothing.
pub(super) fn read_words(document: &Document, under: Words, languages: &[Language]) -> Words {
    let mut words = under;
    let Some(node) = document.parse_all() else { return words };
    for (key, node) in document.entries(&node, "a table of phrases").unwrap_or_default() {
        let texts = words.entry(key.value.clone()).or_default();
        texts.extend(phrase(document, "a phrase", node));
        let missing = missing_languages(texts, languages);
        if !missing.is_empty() && matches!(node.value, Value::Map(_)) {
            let error = Error::project(format!("the phrase `{}` is missing in {missing}", key.value));
            document.report(&key.span, error);
        }
    }
    words
}
