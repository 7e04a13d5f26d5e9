//! One error for the whole program, written for the person who must act.
//!
//! An [`Error`] says what was wrong, where ([`Place`]), and what to do next (the hint). Its [`Kind`] decides the exit
//! code and nothing else does. Work that can find several mistakes at once collects them in [`Problems`].

mod render;

use crate::location::scrub;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use render::{render, render_all};

/// Longer lists of known names are not shown.
const MAX_LISTED: usize = 12;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who must act; it decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A test or check found bad data, or a figure could not be trusted. Exit code 1.
    Data,
    /// A mistake in the project's files or in the arguments. Exit code 2.
    Project,
    /// A source, store or mail server could not be reached or refused access; a later try may help. Exit code 3.
    Unreachable,
    /// An internal error: a mistake in this program. Exit code 70.
    Bug,
}

impl Kind {
    /// The exit code of the process when an error of this kind ends it.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Data => 1,
            Kind::Project => 2,
            Kind::Unreachable => 3,
            Kind::Bug => 70,
        }
    }
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A place in a text file of the project.
    File {
        /// Path as the reader knows it (relative to the project's folder).
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
        /// How many characters the mark spans (at least 1).
        width: usize,
        /// The whole text of the file, when it is to be shown with a mark under the place.
        text: Option<Arc<str>>,
    },
    /// A whole file, or something that has no lines.
    Whole(String),
    /// A row of a table or of an input file.
    Row {
        /// Table or file.
        table: String,
        /// Row or line, counted from 1.
        row: u64,
    },
}

impl Place {
    /// A place in a text whose line and column (both from 1) are known.
    pub fn at(file: impl Into<String>, text: impl Into<Arc<str>>, line: usize, column: usize) -> Place {
        Place::File { file: file.into(), line, column, width: 1, text: Some(text.into()) }
    }

    /// A place in a text, found from a byte range in it; columns are counted in characters.
    pub fn span(file: impl Into<String>, text: impl Into<Arc<str>>, range: std::ops::Range<usize>) -> Place {
        let text: Arc<str> = text.into();
        let start = floor_char_boundary(&text, range.start);
        let end = floor_char_boundary(&text, range.end.max(start)).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let width = text[start..end].split('\n').next().unwrap_or("").chars().count().max(1);
        Place::File { file: file.into(), line, column, width, text: Some(text) }
    }

    /// The same place with another width of the mark, in characters.
    pub fn with_width(mut self, characters: usize) -> Place {
        if let Place::File { width, .. } = &mut self {
            *width = characters.max(1);
        }
        self
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line, column, .. } => write!(f, "{file}:{line}:{column}"),
            Place::Whole(name) => write!(f, "{name}"),
            Place::Row { table, row } => write!(f, "{table}, row {row}"),
        }
    }
}

/// Something went wrong.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    place: Option<Box<Place>>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a given kind. Messages begin in lower case, name the values, and end without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), place: None, hint: None, source: None }
    }

    /// Bad data, or a figure that cannot be trusted.
    pub fn data(message: impl Into<String>) -> Error {
        Error::new(Kind::Data, message)
    }

    /// A mistake in the project or the arguments.
    pub fn project(message: impl Into<String>) -> Error {
        Error::new(Kind::Project, message)
    }

    /// Something outside that could not be reached.
    pub fn unreachable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unreachable, message)
    }

    /// An internal error.
    pub fn bug(message: impl Into<String>) -> Error {
        Error::new(Kind::Bug, message)
    }

    /// Adds where.
    pub fn at(mut self, place: Place) -> Error {
        self.place = Some(Box::new(place));
        self
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a "did you mean" hint when one of the known names is close to the one given, else lists the known names.
    pub fn suggest<'a>(self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
        match suggestion(given, known) {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds the error that caused this one.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Puts context before the message, as in `cannot read erp: no such file`.
    pub fn context(mut self, what: impl fmt::Display) -> Error {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What was wrong, without place and hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where, if known.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }

    /// What to do next, if known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The hint of [`Error::suggest`]: the known name that is close to the one given, else all of them if they are few.
pub fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let known: Vec<&str> = known.into_iter().filter(|name| seen.insert(*name)).collect();
    match closest(given, &known) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() || known.len() > MAX_LISTED => None,
        None => Some(expected(&known)),
    }
}

/// `expected one of `a`, `b`, `c``, or `expected `a`` of a single name.
pub fn expected(names: &[&str]) -> String {
    match names {
        [one] => format!("expected `{one}`"),
        names => format!("expected one of `{}`", names.join("`, `")),
    }
}

/// The known name that is close enough to the given one to be what was meant.
pub fn closest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase()), *name))
        .filter(|(score, _)| *score > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `a, b and c`, each in backquotes.
pub fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Error {
        Error::unreachable(format!("the object store failed: {}", scrub(&error.to_string()))).because(error)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Error {
        Error::bug(format!("arrow: {error}")).because(error)
    }
}

/// All problems that one check found, in the order in which it found them.
#[derive(Debug, Default)]
pub struct Problems(Vec<Error>);

impl Problems {
    /// No problems yet.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds a problem.
    pub fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// Adds all problems of another collection.
    pub fn extend(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// The value, or `None` after the error was added.
    pub fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.push(error);
                None
            }
        }
    }

    /// Whether no problem was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of problems.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The problems in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.0.iter()
    }

    /// The value if nothing was wrong, else the problems.
    pub fn or_ok<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The exit code of the gravest problem; 0 without any.
    pub fn exit_code(&self) -> u8 {
        self.0.iter().map(|e| e.kind()).max().map_or(0, Kind::exit_code)
    }
}

impl IntoIterator for Problems {
    type Item = Error;
    type IntoIter = std::vec::IntoIter<Error>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Problems {
        Problems(vec![error])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_characters_not_bytes() {
        let place = Place::span("a.sql", "SELECT 1\nFROM 客户 x", 17..20);
        assert_eq!(place.to_string(), "a.sql:2:7");
        let place = Place::span("a.sql", "SELECT 1\nFROM 客户 x", 14..20);
        assert!(matches!(place, Place::File { line: 2, column: 6, width: 2, .. }), "{place:?}");
    }

    #[test]
    fn close_names_are_suggested_and_others_listed() {
        let error = Error::project("x").suggest("custmer_id", ["customer_id", "order_id"]);
        assert_eq!(error.hint_text(), Some("did you mean `customer_id`?"));
        let error = Error::project("x").suggest("zzz", ["accept", "fail"]);
        assert_eq!(error.hint_text(), Some("expected one of `accept`, `fail`"));
        let error = Error::project("x").suggest("zzz", ["b", "a", "b", "a"]);
        assert_eq!(error.hint_text(), Some("expected one of `b`, `a`"));
        let error = Error::project("x").suggest("zzz", ["rows"]);
        assert_eq!(error.hint_text(), Some("expected `rows`"));
    }

    #[test]
    fn the_exit_code_of_several_problems_is_the_highest() {
        let mut problems = Problems::new();
        problems.push(Error::data("a"));
        problems.push(Error::project("b"));
        assert_eq!(problems.exit_code(), 2);
    }
}
