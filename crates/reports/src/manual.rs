//! The manual of report templates: a page for whatever a template may name. Templates are checked against the same pages,
//! so that the manual cannot be wrong about what is accepted.

use perennial_core::error::suggestion;
use std::fmt::Write;

/// Chapters of the manual, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What a report is made of.
    Report,
    /// What templates can name.
    Variables,
    /// Pictures of rows.
    Charts,
    /// Everything else that becomes a part of the page.
    Components,
    /// How columns and figures are written.
    Formats,
    /// Filters that write figures and dates.
    Filters,
    /// Functions that give values.
    Functions,
}

impl Section {
    /// The heading of the chapter.
    pub fn title(self) -> &'static str {
        match self {
            Section::Report => "The report",
            Section::Variables => "Variables",
            Section::Charts => "Charts",
            Section::Components => "Components",
            Section::Formats => "Formats",
            Section::Filters => "Filters",
            Section::Functions => "Functions",
        }
    }
}

/// What an argument takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The rows of a query.
    Rows,
    /// Text or a phrase.
    Text,
    /// The name of a column of the rows.
    Column,
    /// The same of a column of numbers.
    NumberColumn,
    /// The same of a column of dates or timestamps.
    DateColumn,
    /// A format, one of those of the page `formats`.
    Format,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number.
    Number,
    /// A date.
    Date,
    /// Any value.
    Any,
    /// A list of mappings with these keys.
    Records(&'static [Argument]),
}

impl Kind {
    /// The kind as the manual names it.
    pub fn words(self) -> String {
        match self {
            Kind::Rows => "rows".into(),
            Kind::Text => "text".into(),
            Kind::Column => "column".into(),
            Kind::NumberColumn => "column of numbers".into(),
            Kind::DateColumn => "column of dates".into(),
            Kind::Format => "format".into(),
            Kind::Choice(choices) => choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", "),
            Kind::Number => "number".into(),
            Kind::Date => "date".into(),
            Kind::Any => "value".into(),
            Kind::Records(_) => "list of mappings".into(),
        }
    }
}

/// An argument, a key of a header or an attribute of a variable.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is without being given; nothing where it must be.
    pub default: Option<&'static str>,
    /// Whether it is given by its place and not by its name.
    pub is_positional: bool,
    /// What it means.
    pub meaning: &'static str,
}

impl Argument {
    /// An argument given by its place.
    pub const fn value(name: &'static str, kind: Kind, meaning: &'static str) -> Argument {
        Argument { name, kind, default: None, is_positional: true, meaning }
    }

    /// An argument given by its place that may be left out.
    pub const fn last_value(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Argument {
        Argument { name, kind, default: Some(default), is_positional: true, meaning }
    }

    /// An argument given by its name, or a key, that must be there.
    pub const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Argument {
        Argument { name, kind, default: None, is_positional: false, meaning }
    }

    /// An argument given by its name, or a key, that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Argument {
        Argument { name, kind, default: Some(default), is_positional: false, meaning }
    }

    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }
}

/// A page of the manual. Text is Markdown.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The name in templates.
    pub name: &'static str,
    /// The chapter.
    pub section: Section,
    /// How it is written.
    pub syntax: &'static str,
    /// One sentence without a full stop at the end.
    pub summary: &'static str,
    /// Columns that the rows of its first argument must have, with their meaning.
    pub columns: &'static [(&'static str, &'static str)],
    /// Its arguments, keys or attributes.
    pub arguments: &'static [Argument],
    /// Whether it takes any other keyword.
    pub takes_any: bool,
    /// What it does and why.
    pub description: &'static str,
    /// An example, rendered as a test.
    pub example: Example,
    /// Names of pages to read next.
    pub related: &'static [&'static str],
}

/// A page to be filled in: `Page { name: "note", ..PAGE }`.
pub(crate) const PAGE: Page = Page {
    name: "",
    section: Section::Components,
    syntax: "",
    summary: "",
    columns: &[],
    arguments: &[],
    takes_any: false,
    description: "",
    example: Example { rows: &[], template: "", page: "" },
    related: &[],
};

/// A piece of a template and what it becomes, for September 2026 as of 1 October, in English and EUR.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Rows by the name of their query: names of the columns, then the rows; cells separated by ` | `, NULL as `NULL`.
    pub rows: &'static [(&'static str, &'static str)],
    /// The template.
    pub template: &'static str,
    /// The page as text; of a chart its figures as a table.
    pub page: &'static str,
}

/// What all charts take beside their own.
const OF_CHARTS: &[Argument] = &[
    Argument::optional("title", Kind::Text, "none", "the finding, which becomes the heading above the picture"),
    Argument::optional("note", Kind::Text, "none", "a quiet line below it: unit, period, rule, rows counted"),
];

/// Arguments that people know from elsewhere, and why there are none here.
const REFUSED: &[(&[&str], &str, &str)] = &[
    (
        &[
            "y2",
            "second_y",
            "second_axis",
            "secondary_axis",
            "secondary_y",
            "right_axis",
            "right_y",
            "y_right",
            "axis2",
        ],
        "a second axis is not drawn",
        "two scales make any two lines look related; draw two charts, one below the other",
    ),
    (
        &["color", "colour", "colors", "colours", "palette"],
        "colours are not chosen by chart",
        "the theme has one accent for the whole report: `theme: {accent: \"#1f5f8b\"}` in perennial.yml",
    ),
    (
        &["width", "height", "size"],
        "charts have no size of their own",
        "a chart is as wide as its page, and drawn anew for a phone",
    ),
    (&["legend"], "there is no legend", "bars and columns are labelled directly"),
];

/// What is wrong with an argument, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArgumentProblem {
    pub message: String,
    pub hint: String,
}

impl ArgumentProblem {
    fn new(message: String, hint: impl Into<String>) -> ArgumentProblem {
        ArgumentProblem { message, hint: hint.into() }
    }

    /// Both, where there is no place for a hint.
    pub(crate) fn in_one_line(&self) -> String {
        format!("{}; {}", self.message, self.hint)
    }
}

/// "did you mean", or which there are.
fn near(given: &str, known: &[&str]) -> String {
    match suggestion(given, known.iter().copied()) {
        Some(hint) => hint,
        None if known.is_empty() => "it takes none".into(),
        None => "`perennial templates` lists them".into(),
    }
}

impl Page {
    /// Its own arguments and those of its chapter.
    pub fn all_arguments(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        let common = if self.section == Section::Charts { OF_CHARTS } else { &[] };
        self.arguments.iter().chain(common)
    }

    pub(crate) fn positional(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        self.all_arguments().filter(|argument| argument.is_positional)
    }

    pub(crate) fn keywords(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        self.all_arguments().filter(|argument| !argument.is_positional)
    }

    /// The keyword argument of a name; nothing where any may be given.
    pub(crate) fn argument(&self, name: &str) -> Result<Option<&'static Argument>, ArgumentProblem> {
        if let Some(argument) = self.keywords().find(|argument| argument.name == name) {
            return Ok(Some(argument));
        }
        if self.takes_any {
            return Ok(None);
        }
        if let Some((_, message, hint)) = REFUSED.iter().find(|(names, ..)| names.contains(&name))
            && self.section == Section::Charts
        {
            return Err(ArgumentProblem::new(format!("`{}` has no `{name}`: {message}", self.name), *hint));
        }
        let known: Vec<&str> = self.keywords().map(|argument| argument.name).collect();
        Err(ArgumentProblem::new(format!("`{}` has no argument `{name}`", self.name), near(name, &known)))
    }

    /// Whether a call with so many positional arguments and these keywords has what it needs and no more.
    pub(crate) fn is_complete(&self, places: usize, names: &[&str]) -> Result<(), ArgumentProblem> {
        let write = format!("write `{}`", self.syntax);
        if places > self.positional().count() {
            return Err(ArgumentProblem::new(format!("`{}` has too many arguments", self.name), write));
        }
        if let Some(missing) = self.positional().filter(|argument| argument.is_required()).nth(places) {
            return Err(ArgumentProblem::new(format!("`{}` needs `{}`", self.name, missing.name), write));
        }
        let mut required = self.keywords().filter(|argument| argument.is_required());
        match required.find(|argument| !names.contains(&argument.name)) {
            Some(missing) => Err(ArgumentProblem::new(format!("`{}` needs `{}=`", self.name, missing.name), write)),
            None => Ok(()),
        }
    }

    /// Whether a keyword argument may be this text.
    pub(crate) fn allows(&self, name: &str, text: &str) -> Result<(), ArgumentProblem> {
        match self.keywords().find(|argument| argument.name == name) {
            Some(argument) => argument.allows(text),
            None => Ok(()),
        }
    }

    /// The page as Markdown. A chart shows its picture, which lies beside the page.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}.\n\n```jinja\n{}\n```\n", self.name, self.summary, self.syntax);
        // Writing into a String cannot fail.
        let _ = write!(text, "\n{}\n", self.description);
        if !self.columns.is_empty() {
            text.push_str("\n## Rows\n\n| column | meaning |\n|---|---|\n");
            for (name, meaning) in self.columns {
                let _ = writeln!(text, "| `{name}` | {meaning} |");
            }
        }
        text.push_str(&arguments(self.heading(), self.all_arguments()));
        for argument in self.all_arguments() {
            if let Kind::Records(keys) = argument.kind {
                text.push_str(&arguments(&format!("Keys of `{}`", argument.name), keys.iter()));
            }
        }
        text.push_str("\n## Example\n");
        for (name, rows) in self.example.rows {
            let _ = write!(text, "\nThe query `{name}` gives\n\n{}", markdown_table(rows));
        }
        let _ = write!(text, "\n```jinja\n{}\n```\n", self.example.template);
        if self.section == Section::Charts {
            let _ = write!(text, "\n![{}]({}.svg)\n", self.summary, self.name);
        }
        let _ = write!(text, "\n```text\n{}\n```\n", self.example.page);
        if !self.related.is_empty() {
            let names: Vec<_> = self.related.iter().map(|name| format!("[{name}]({name}.md)")).collect();
            let _ = write!(text, "\nSee also {}.\n", names.join(", "));
        }
        text
    }

    /// What the list of its arguments is called.
    pub fn heading(&self) -> &'static str {
        match self.section {
            Section::Report => "Keys",
            Section::Variables => "Attributes",
            Section::Formats => "Names",
            _ => "Arguments",
        }
    }
}

impl Argument {
    /// Whether it may be this text.
    pub(crate) fn allows(&self, text: &str) -> Result<(), ArgumentProblem> {
        let formats: Vec<&str>;
        let known: &[&str] = match self.kind {
            Kind::Choice(choices) => choices,
            Kind::Format => {
                formats = super::formats::Format::names().collect();
                &formats
            }
            _ => return Ok(()),
        };
        if known.contains(&text) {
            return Ok(());
        }
        let message = match self.kind {
            Kind::Format => format!("unknown format `{text}`"),
            _ => format!("`{}` is `{text}`", self.name),
        };
        Err(ArgumentProblem::new(message, near(text, known)))
    }

    /// Whether it names a column.
    pub(crate) fn is_column(&self) -> bool {
        matches!(self.kind, Kind::Column | Kind::NumberColumn | Kind::DateColumn)
    }

    /// The first key that a mapping of it needs and does not have.
    pub(crate) fn lacks(&self, names: &[String]) -> Option<ArgumentProblem> {
        let Kind::Records(keys) = self.kind else { return None };
        let missing = keys.iter().find(|key| key.is_required() && !names.iter().any(|name| name == key.name))?;
        let hint = format!("add `'{}': ...`: {}", missing.name, missing.meaning);
        Some(ArgumentProblem::new(format!("a mapping of `{}` needs the key `{}`", self.name, missing.name), hint))
    }

    /// The key of a mapping, or what is wrong with it.
    pub(crate) fn key(&self, name: &str) -> Result<&'static Argument, ArgumentProblem> {
        let Kind::Records(keys) = self.kind else {
            return Err(ArgumentProblem::new(format!("`{}` takes no mappings", self.name), "write a value"));
        };
        keys.iter().find(|key| key.name == name).ok_or_else(|| {
            let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
            ArgumentProblem::new(format!("unknown key `{name}` in `{}`", self.name), near(name, &known))
        })
    }
}

fn arguments<'a>(title: &str, all: impl Iterator<Item = &'a Argument>) -> String {
    let mut lines = String::new();
    for argument in all {
        let default = match argument.default {
            None => "required".to_string(),
            Some(default) if matches!(argument.kind, Kind::Choice(_)) && !default.is_empty() => format!("`{default}`"),
            Some(default) => default.to_string(),
        };
        let _ = writeln!(
            lines,
            "| `{}` | {} | {default} | {} |",
            argument.name,
            argument.kind.words(),
            argument.meaning.replace('|', "\\|")
        );
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("\n## {title}\n\n| name | takes | default | meaning |\n|---|---|---|---|\n{lines}")
}

fn markdown_table(rows: &str) -> String {
    let mut out = String::new();
    for (i, line) in rows.lines().enumerate() {
        let _ = writeln!(out, "| {line} |");
        if i == 0 {
            let _ = writeln!(out, "|{}", "---|".repeat(line.split(" | ").count()));
        }
    }
    out
}
