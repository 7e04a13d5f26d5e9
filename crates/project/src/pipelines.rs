//! `pipelines/*.yml`: what runs together.

use super::document::{Document, Text};
use super::fields::Fields;
use super::{Pipeline, Project, names, schedule};
use perennial_core::contract::TableName;
use perennial_core::error::Error;

/// The names a pipeline can use, also those of files that could not be read.
pub(super) struct ProjectNames {
    pub sources: Vec<String>,
    pub steps: Vec<TableName>,
    pub reports: Vec<String>,
}

/// Reads a pipeline, whose name is the file's. The options of the project are read already.
pub(super) fn read(document: &Document, name: &str, project: &Project, known: &ProjectNames) -> Option<Pipeline> {
    if let Err(error) = names::check("a pipeline", name) {
        document.report(&(0..0), error);
    }
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "a pipeline", 0..0)?;
    let sources = expand(&fields, "sources", "source", &known.sources);
    let pipeline = Pipeline {
        name: name.to_string(),
        description: fields.words("description"),
        schedule: schedule::read(&fields, project, &sources),
        attempts: schedule::attempts(&fields),
        vacuum: fields.flag("vacuum", false),
        sources,
        steps: steps(&fields, &known.steps),
        reports: expand(&fields, "reports", "report", &known.reports),
    };
    fields.finish();
    Some(pipeline)
}

/// The names that patterns stand for, in the order of the patterns, none twice. No key at all stands for everything.
fn expand(fields: &Fields, key: &'static str, what: &str, names: &[String]) -> Vec<String> {
    if fields.optional(key).is_none() && !fields.has(key) {
        return names.to_vec();
    }
    let mut chosen: Vec<String> = Vec::new();
    for text in fields.texts(key) {
        let matching: Vec<&String> = names.iter().filter(|name| matches(&text.value, name)).collect();
        if matching.is_empty() && text.value != "*" {
            let error = Error::project(format!("unknown {what} `{}`", text.value));
            fields.document.report(&text.span, error.suggest(&text.value, names.iter().map(String::as_str)));
        }
        for name in matching {
            if !chosen.contains(name) {
                chosen.push(name.clone());
            }
        }
    }
    chosen
}

/// Selections of steps, kept as written once every plain name in them is known.
fn steps(fields: &Fields, known: &[TableName]) -> Vec<String> {
    if fields.optional("steps").is_none() && !fields.has("steps") {
        return vec!["*".to_string()];
    }
    let texts = fields.texts("steps");
    for text in &texts {
        check_selection(fields.document, text, known);
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn check_selection(document: &Document, text: &Text, known: &[TableName]) {
    for atom in text.value.split([' ', ',']).filter(|atom| !atom.is_empty()) {
        let name =
            atom.trim_matches(|c: char| c == '+' || c.is_ascii_digit() && atom.contains('+')).trim_start_matches('@');
        let method = name.contains(':') || name.contains('/');
        let found = known.iter().any(|step| matches(name, &step.to_string()) || matches(name, &step.name));
        if !found && !method && name != "*" {
            let error = Error::project(format!("unknown step `{name}`"));
            let names: Vec<String> = known.iter().map(TableName::to_string).collect();
            let last_parts = known.iter().map(|step| step.name.as_str());
            let all = names.iter().map(String::as_str).chain(last_parts);
            document.report(&text.span, error.suggest(name, all));
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern == name || globset::Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(name))
}
