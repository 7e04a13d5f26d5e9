//! `pipelines/*.yml`: what runs together.

use super::document::{Document, Text};
use super::fields::Fields;
use super::{Attempts, Pipeline, names};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use perennial_core::contract::TableName;
use perennial_core::error::Error;
use std::ops::Range;

/// The names a pipeline can use, also those of files that could not be read.
pub(super) struct ProjectNames {
    pub sources: Vec<String>,
    pub steps: Vec<TableName>,
    pub reports: Vec<String>,
}

/// Reads a pipeline, whose name is the file's.
pub(super) fn read(document: &Document, name: &str, known: &ProjectNames) -> Option<Pipeline> {
    if let Err(error) = names::check("a pipeline", name) {
        document.report(&(0..0), error);
    }
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "a pipeline", 0..0)?;
    let pipeline = Pipeline {
        name: name.to_string(),
        description: fields.words("description"),
        schedule: None,
        attempts: Attempts::default(),
        vacuum: false,
        sources: expand(&fields, "sources", "source", &known.sources),
        steps: steps(&fields, &known.steps),
        reports: expand(&fields, "reports", "report", &known.reports),
    };
    fields.finish();
    Some(pipeline)
}

/// The fields of a cron expression and what each may hold.
const CRON_FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last"),
    ("month", "1 to 12 or JAN to DEC"),
    ("weekday", "0 to 7 or SUN to SAT, 0 and 7 being Sunday"),
];
/// Shorthands for whole expressions.
const CRON_NAMES: [&str; 5] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"];

/// A cron expression of five fields, or a shorthand.
fn schedule(fields: &Fields) -> Option<String> {
    let text = fields.text("schedule")?;
    let report = |span: &Range<usize>, error: Error| fields.document.report(span, error);
    if text.value.starts_with('@') {
        if CRON_NAMES.contains(&text.value.as_str()) {
            return Some(text.value);
        }
        let error = Error::project(format!("unknown schedule `{}`", text.value));
        report(&text.span, error.suggest(&text.value, CRON_NAMES));
        return None;
    }
    let parts: Vec<&str> = text.value.split_whitespace().collect();
    if parts.len() != CRON_FIELDS.len() {
        let count = parts.len();
        let error = Error::project(format!("a schedule has five fields, `{}` has {count}", text.value));
        let hint = "write minute, hour, day of the month, month and weekday: \"0 2 * * *\" is every day at 02:00";
        report(&text.span, error.hint(hint));
        return None;
    }
    let mut valid = true;
    for (index, part) in parts.iter().enumerate() {
        let alone: Vec<&str> = (0..parts.len()).map(|i| if i == index { *part } else { "*" }).collect();
        if parse_cron(&alone.join(" ")).is_err() {
            let (name, allowed) = CRON_FIELDS[index];
            let error = Error::project(format!("`{part}` is not a valid {name} of a schedule"));
            let hint = format!("expected {allowed}, `*`, a list `1,15`, a range `9-17` or a step `*/5`");
            report(&span_of_part(fields, &text, index), error.hint(hint));
            valid = false;
        }
    }
    if !valid {
        return None;
    }
    match parse_cron(&text.value) {
        Ok(cron) if occurs(&cron) => Some(text.value),
        Ok(_) => {
            let error = Error::project(format!("the schedule `{}` never occurs", text.value));
            report(&text.span, error.hint("none of its months has such a day"));
            None
        }
        Err(error) => {
            report(&text.span, Error::project(format!("`{}` is not a valid schedule: {error}", text.value)));
            None
        }
    }
}

fn parse_cron(text: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(text)
}

/// Whether a schedule ever occurs, seen from the day before a leap year.
fn occurs(cron: &Cron) -> bool {
    cron.find_next_occurrence(&jiff::civil::datetime(2023, 12, 31, 0, 0, 0, 0), false).is_ok()
}

/// Where a field of a schedule is written, which may stand in quotes.
fn span_of_part(fields: &Fields, text: &Text, index: usize) -> Range<usize> {
    let raw = &fields.document.text[text.span.clone()];
    let start = raw.find(&text.value).unwrap_or(0);
    let mut parts = Vec::new();
    let mut from = 0;
    for part in text.value.split_whitespace() {
        let begin = text.value[from..].find(part).map_or(from, |i| from + i);
        from = begin + part.len();
        parts.push(begin..from);
    }
    parts.get(index).map_or(text.span.clone(), |p| text.span.start + start + p.start..text.span.start + start + p.end)
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
