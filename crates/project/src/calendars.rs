//! `calendars` of perennial.yml: which days are working days.

use super::document::{Document, Node, Text, Value};
use super::fields::Fields;
use super::quantities;
use super::{TextFile, names};
use jiff::civil::{Date, Weekday};
use perennial_calendar::{BusinessCalendar, read_ics};
use perennial_core::error::{Error, Result, closest};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::path::{Component, Path};

/// Reads a file below the project's folder.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> Result<TextFile>;

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];
/// Years for which yearly events of a file are written out.
const YEARS: RangeInclusive<i16> = 1990..=2100;
const WEEKEND: [Weekday; 2] = [Weekday::Saturday, Weekday::Sunday];

/// The calendars of a project and the files that they name.
#[derive(Default)]
pub(super) struct Calendars {
    pub by_name: BTreeMap<String, BusinessCalendar>,
    pub files: Vec<TextFile>,
}

/// Reads `calendars`. One with mistakes has what could be read of it, so that who names it is not at fault.
pub(super) fn read(fields: &Fields, read_file: ReadFile) -> Calendars {
    let mut calendars = Calendars::default();
    let Some(node) = fields.optional("calendars") else { return calendars };
    for (name, node) in fields.document.entries(node, "`calendars`").unwrap_or_default() {
        if let Err(error) = names::check("a calendar", &name.value) {
            fields.document.report(&name.span, error);
        }
        let calendar = calendar(fields.document, name, node, read_file, &mut calendars.files);
        calendars.by_name.insert(name.value.clone(), calendar);
    }
    calendars
}

/// The calendar that a text names, or the only one of the project where there is no text; `owner` is what needs it.
pub(super) fn chosen<'a>(
    document: &Document,
    name: Option<&Text>,
    owner: (&str, &Range<usize>),
    calendars: &'a BTreeMap<String, BusinessCalendar>,
) -> Option<&'a BusinessCalendar> {
    let known = || calendars.keys().map(String::as_str);
    match (name, calendars.len()) {
        (Some(name), _) => {
            let found = calendars.get(&name.value);
            if found.is_none() {
                let error = Error::project(format!("unknown calendar `{}`", name.value));
                let error = match calendars.is_empty() {
                    true => error.hint("declare it in perennial.yml under `calendars`"),
                    false => error.suggest(&name.value, known()),
                };
                document.report(&name.span, error);
            }
            found
        }
        (None, 1) => calendars.values().next(),
        (None, count) => {
            let (what, span) = owner;
            let error = Error::project(format!("{what} needs a calendar"));
            let error = match count {
                0 => error.hint("declare one in perennial.yml: `calendars: {germany: {holidays: [2026-12-25]}}`"),
                _ => error.suggest("", known()),
            };
            document.report(span, error);
            None
        }
    }
}

/// The holidays of a calendar while they are read.
#[derive(Default)]
struct Holidays {
    /// Those in YAML, with their places.
    written: BTreeMap<Date, (String, Range<usize>)>,
    of_files: BTreeMap<Date, String>,
}

fn calendar(
    document: &Document,
    name: &Text,
    node: &Node,
    read_file: ReadFile,
    files: &mut Vec<TextFile>,
) -> BusinessCalendar {
    let default = BusinessCalendar { weekend: WEEKEND.to_vec(), ..BusinessCalendar::default() };
    let Some(fields) = Fields::of(document, node, "a calendar", name.span.clone()) else { return default };
    let weekend = weekend(&fields);
    let mut holidays = Holidays::default();
    if let Some(node) = fields.optional("holidays") {
        let mut reader = HolidayReader { document, read_file, files, holidays: &mut holidays };
        reader.read(node);
    }
    let working_days = working_days(&fields, &weekend, &holidays);
    fields.finish();
    let of_files = holidays.of_files.into_iter().filter(|(date, _)| !working_days.contains(date));
    let written = holidays.written.into_iter().map(|(date, (name, _))| (date, name));
    BusinessCalendar { weekend, holidays: of_files.chain(written).collect(), working_days }
}

fn weekend(fields: &Fields) -> Vec<Weekday> {
    if !fields.is_set("weekend") {
        return WEEKEND.to_vec();
    }
    let mut weekend = Vec::new();
    for text in fields.texts("weekend") {
        match WEEKDAYS.iter().find(|(word, _)| *word == text.value) {
            Some((_, day)) if weekend.contains(day) => {
                fields.document.report(&text.span, Error::project(format!("duplicate weekday `{}`", text.value)));
            }
            Some((_, day)) => weekend.push(*day),
            None => {
                let words: Vec<&str> = WEEKDAYS.iter().map(|(word, _)| *word).collect();
                let error = Error::project(format!("unknown weekday `{}`", text.value));
                fields.document.report(&text.span, error.suggest(&text.value, words));
            }
        }
    }
    if weekend.len() == WEEKDAYS.len() {
        let error =
            Error::project("`weekend` has every day of the week").hint("leave out the days on which work is done");
        fields.document.report(&fields.span_of("weekend"), error);
    }
    weekend
}

struct HolidayReader<'a, 'h> {
    document: &'a Document,
    read_file: ReadFile<'a>,
    files: &'h mut Vec<TextFile>,
    holidays: &'h mut Holidays,
}

impl HolidayReader<'_, '_> {
    fn read(&mut self, node: &Node) {
        match &node.value {
            Value::Null => {}
            Value::Scalar { text, .. } => {
                self.day(&Text { value: text.clone(), span: node.span.clone() }, String::new())
            }
            Value::List(items) => items.iter().for_each(|item| self.read(item)),
            Value::Map(entries) => entries.iter().for_each(|(key, node)| self.entry(key, node)),
        }
    }

    fn entry(&mut self, key: &Text, node: &Node) {
        let is_date = key.value.starts_with(|c: char| c.is_ascii_digit());
        match (key.value.as_str(), &node.value) {
            ("file", _) => drop(self.document.text("file", node).map(|text| self.file(&text))),
            (_, Value::Null) if is_date => self.day(key, String::new()),
            (_, _) if is_date => {
                let name = self.document.text(&key.value, node).map(|text| text.value);
                self.day(key, name.unwrap_or_default());
            }
            (word, _) => {
                let error = Error::project(format!("unknown key `{word}` in `holidays`"));
                let hint = match closest(word, &["file"]) {
                    Some(_) => "did you mean `file`?",
                    None => {
                        "write dates (`2026-12-25`), dates with names (`2026-12-25: Christmas`) or `file: holidays.ics`"
                    }
                };
                self.document.report(&key.span, error.hint(hint));
            }
        }
    }

    fn day(&mut self, text: &Text, name: String) {
        if text.value.ends_with(".ics") {
            let error = Error::project(format!("`{}` is not a date", text.value));
            return self.document.report(&text.span, error.hint(format!("write `{{file: {}}}`", text.value)));
        }
        let Some(date) = quantities::date(self.document, text) else { return };
        if let Some((_, first)) = self.holidays.written.get(&date) {
            let line = self.document.line(first.start);
            let error = Error::project(format!("duplicate date `{date}`, first in line {line}"));
            return self.document.report(&text.span, error);
        }
        self.holidays.written.insert(date, (name, text.span.clone()));
    }

    /// A file of the project, which a release keeps with the others.
    fn file(&mut self, text: &Text) {
        let path = text.value.trim_start_matches("./");
        let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_below || text.value.contains('\\') {
            let error = Error::project(format!("the file `{}` is outside the project", text.value));
            let hint = "copy it into the project and write its path from the project's folder, as in `holidays.ics`";
            return self.document.report(&text.span, error.hint(hint));
        }
        let file = match self.files.iter().find(|file| file.path == path).cloned() {
            Some(file) => file,
            None => match (self.read_file)(path) {
                Ok(file) => {
                    self.files.push(file.clone());
                    file
                }
                Err(error) => {
                    let error = Error::project(format!("the file `{}` {}", text.value, error.message()));
                    return self.document.report(&text.span, error);
                }
            },
        };
        match read_ics(&file.text, YEARS) {
            Ok(days) => self.holidays.of_files.extend(days),
            Err(invalid) => {
                let other = Document::new(file.path.clone(), file.text.clone());
                other.report_invalid(&Text { value: file.text.to_string(), span: 0..file.text.len() }, invalid);
                self.document.adopt(other);
            }
        }
    }
}

/// Days of a weekend, or holidays of a file, on which work is done.
fn working_days(fields: &Fields, weekend: &[Weekday], holidays: &Holidays) -> BTreeSet<Date> {
    let mut days = BTreeSet::new();
    for text in fields.texts("working_days") {
        let Some(date) = quantities::date(fields.document, &text) else { continue };
        let report = |error: Error| fields.document.report(&text.span, error);
        if !days.insert(date) {
            report(Error::project(format!("duplicate date `{date}`")));
        } else if let Some((_, span)) = holidays.written.get(&date) {
            let line = fields.document.line(span.start);
            let error = Error::project(format!("`{date}` is a working day here and a holiday in line {line}"));
            report(error.hint("remove one of them"));
        } else if !weekend.contains(&date.weekday()) && !holidays.of_files.contains_key(&date) {
            let error = Error::project(format!("`{date}` is a {} and a working day already", date.strftime("%A")));
            report(error.hint("`working_days` are days of the weekend, or holidays of a file, on which work is done"));
        }
    }
    days
}
