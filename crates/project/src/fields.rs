//! Reads a mapping key by key: missing, unknown and wrong keys are reported, and reading continues.

use super::document::{Document, Node, Style, Text, Value};
use perennial_core::error::{Error, expected};
use std::cell::RefCell;
use std::ops::Range;

/// What a violation of an expectation does: whether it fails the source.
pub(super) const ON_VIOLATION: [(&str, bool); 2] = [("warn", false), ("fail", true)];

/// A mapping of which every key must be read; [`Fields::finish`] reports the others.
pub(super) struct Fields<'a> {
    pub document: &'a Document,
    /// What the mapping describes, for messages: "a source", "a column".
    what: &'static str,
    /// Where a missing key is reported: the key that owns the mapping.
    pub owner: Range<usize>,
    entries: &'a [(Text, Node)],
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The keys of a node; reported and `None` when it is not a mapping.
    pub fn of(document: &'a Document, node: &'a Node, what: &'static str, owner: Range<usize>) -> Option<Fields<'a>> {
        let entries = document.entries(node, what)?;
        Some(Fields { document, what, owner, entries, known: RefCell::default() })
    }

    /// The value of a key; `None` when it is empty.
    pub fn optional(&self, key: &'static str) -> Option<&'a Node> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        let (_, node) = self.entries.iter().find(|(known, _)| known.value == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// The value of a required key.
    pub fn required(&self, key: &'static str) -> Option<&'a Node> {
        let node = self.optional(key);
        if node.is_none() {
            let empty = self.entries.iter().find(|(known, _)| known.value == key);
            let (span, message) = match empty {
                Some((text, _)) => (&text.span, format!("`{key}` is empty")),
                None => (&self.owner, format!("{} needs `{key}`", self.what)),
            };
            self.document.report(span, Error::project(message));
        }
        node
    }

    /// The place of a key; that of the owner when it is missing.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.entries
            .iter()
            .find(|(known, _)| known.value == key)
            .map_or(self.owner.clone(), |(text, _)| text.span.clone())
    }

    /// Whether there is such a key, even if empty.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| known.value == key)
    }

    /// Whether there is such a key with a value.
    pub fn is_set(&self, key: &'static str) -> bool {
        self.optional(key).is_some()
    }

    /// Reports that a key names a column that is not among those of the table. Where there are none, another problem was
    /// reported.
    pub fn check_column(&self, key: &str, text: &Text, columns: &[&str]) -> bool {
        let found = columns.contains(&text.value.as_str());
        if !found && !columns.is_empty() {
            let error = Error::project(format!("`{key}` names the unknown column `{}`", text.value));
            self.document.report(&text.span, error.suggest(&text.value, columns.iter().copied()));
        }
        found
    }

    /// Whether `columns` has an entry of this name.
    pub fn names_column(&self, name: &str) -> bool {
        let columns = self.entries.iter().find(|(key, _)| key.value == "columns");
        matches!(columns, Some((_, Node { value: Value::Map(entries), .. })) if entries.iter().any(|(key, _)| key.value == name))
    }

    /// An optional text.
    pub fn text(&self, key: &'static str) -> Option<Text> {
        self.document.text(key, self.optional(key)?)
    }

    /// A required text.
    pub fn required_text(&self, key: &'static str) -> Option<Text> {
        self.document.text(key, self.required(key)?)
    }

    /// An optional text, empty when it is missing.
    pub fn words(&self, key: &'static str) -> String {
        self.text(key).map(|text| text.value).unwrap_or_default()
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str, otherwise: bool) -> bool {
        let Some(text) = self.text(key) else { return otherwise };
        match text.value.as_str() {
            "true" => true,
            "false" => false,
            other => {
                let error = Error::project(format!("`{key}` is `{other}`")).hint("write `true` or `false`");
                self.document.report(&text.span, error);
                otherwise
            }
        }
    }

    /// One of some names.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)], otherwise: T) -> T {
        let Some(text) = self.text(key) else { return otherwise };
        self.document.choice(key, &text, choices).unwrap_or(otherwise)
    }

    /// A list of texts, empty when it is missing; a single text is a list of one.
    pub fn texts(&self, key: &'static str) -> Vec<Text> {
        self.optional(key).map(|node| self.document.texts(key, node)).unwrap_or_default()
    }

    /// A number, parsed by its type; `what` names what is expected.
    pub fn number<T: std::str::FromStr>(&self, key: &'static str, what: &str) -> Option<(T, Range<usize>)> {
        let text = self.text(key)?;
        match text.value.parse() {
            Ok(number) => Some((number, text.span)),
            Err(_) => {
                let error = Error::project(format!("`{key}` is `{}`, which is not {what}", text.value));
                self.document.report(&text.span, error);
                None
            }
        }
    }

    /// Reports the keys that were not read.
    pub fn finish(self) {
        let known = self.known.borrow();
        for (key, node) in self.entries.iter().filter(|(key, _)| !known.contains(&key.value.as_str())) {
            let error = Error::project(format!("unknown key `{}` in {}", key.value, self.what));
            let hint = match perennial_core::error::closest(&key.value, &known) {
                Some(close) => format!("did you mean `{close}`?"),
                // What `{description: one, two}` makes of `two`.
                None if matches!(node.value, Value::Null) && key.value.contains(' ') => {
                    "inside `{...}` a text with a comma must be quoted".to_string()
                }
                None if known.is_empty() => "it has no options".to_string(),
                None => expected(&known),
            };
            self.document.report(&key.span, error.hint(hint));
        }
    }
}

impl Document {
    /// The entries of a mapping, whatever their keys.
    pub fn entries<'a>(&self, node: &'a Node, what: &str) -> Option<&'a [(Text, Node)]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            Value::Null => Some(&[]),
            _ => {
                self.report(&node.span, Error::project(format!("{what} must be a mapping, found {}", node.kind())));
                None
            }
        }
    }

    /// A single value as text.
    pub fn text(&self, key: &str, node: &Node) -> Option<Text> {
        match &node.value {
            Value::Scalar { text, .. } => Some(Text { value: text.clone(), span: node.span.clone() }),
            _ => {
                let message = format!("`{key}` must be a single value, found {}", node.kind());
                self.report(&node.span, Error::project(message));
                None
            }
        }
    }

    /// A list of single values; a single value is a list of one.
    pub fn texts(&self, key: &str, node: &Node) -> Vec<Text> {
        match &node.value {
            Value::List(items) => items.iter().filter_map(|item| self.text(key, item)).collect(),
            Value::Scalar { .. } => self.text(key, node).into_iter().collect(),
            _ => {
                self.report(&node.span, Error::project(format!("`{key}` must be a list, found {}", node.kind())));
                Vec::new()
            }
        }
    }

    /// One of some names.
    pub fn choice<T: Copy>(&self, key: &str, text: &Text, choices: &[(&'static str, T)]) -> Option<T> {
        let found = choices.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
        if found.is_none() {
            let error = Error::project(format!("`{key}` is `{}`", text.value));
            self.report(&text.span, error.hint(one_of(choices.iter().map(|(word, _)| *word))));
        }
        found
    }

    /// The value of a variable as JSON: unquoted `true`, `12` and `1.5` are booleans and numbers, everything else is
    /// text.
    pub fn json(&self, node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar { text, style: Style::Plain } => plain_json(text),
            Value::Scalar { text, .. } => serde_json::Value::String(text.clone()),
            Value::List(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, node)| (key.value.clone(), self.json(node)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// The hint that lists allowed names.
pub(super) fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    expected(&names.collect::<Vec<_>>())
}

fn plain_json(text: &str) -> serde_json::Value {
    match text {
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        _ => {}
    }
    // Leading zeros make an identifier, not a number.
    let digits = text.trim_start_matches(['-', '+']);
    let looks_numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !text.starts_with('+');
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if looks_numeric && !padded {
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
        if let Ok(number) = text.parse::<f64>() {
            return number.into();
        }
    }
    text.into()
}
