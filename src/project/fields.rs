//! Reading a mapping key by key: what is missing, unknown or of the wrong kind is reported, and reading goes on.

use super::document::{Document, Node, Style, Text, Value};
use crate::error::{Error, list};
use std::cell::RefCell;
use std::ops::Range;

/// A mapping of which every key must be asked for; [`Fields::finish`] reports those that nobody did.
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
    /// The keys of a node; reported and nothing when it is no mapping.
    pub fn of(document: &'a Document, node: &'a Node, what: &'static str, owner: Range<usize>) -> Option<Fields<'a>> {
        let entries = document.entries(node, what)?;
        Some(Fields { document, what, owner, entries, known: RefCell::default() })
    }

    /// A key's value; an empty one is as good as none.
    pub fn optional(&self, key: &'static str) -> Option<&'a Node> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        let (_, node) = self.entries.iter().find(|(known, _)| known.value == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// A key's value, which must be there.
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

    /// Where a key stands; the owner when it does not.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.entries
            .iter()
            .find(|(known, _)| known.value == key)
            .map_or(self.owner.clone(), |(text, _)| text.span.clone())
    }

    /// Whether a key stands there at all.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| known.value == key)
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

    /// A text that must be there.
    pub fn required_text(&self, key: &'static str) -> Option<Text> {
        self.document.text(key, self.required(key)?)
    }

    /// An optional text, empty when it is not there.
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

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)], otherwise: T) -> T {
        let Some(text) = self.text(key) else { return otherwise };
        self.document.choice(key, &text, choices).unwrap_or(otherwise)
    }

    /// A list of texts, empty when it is not there; a single text stands for a list of one.
    pub fn texts(&self, key: &'static str) -> Vec<Text> {
        self.optional(key).map(|node| self.document.texts(key, node)).unwrap_or_default()
    }

    /// A number that is parsed by its type; `what` names what is expected.
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

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        let known = self.known.borrow();
        for (key, node) in self.entries.iter().filter(|(key, _)| !known.contains(&key.value.as_str())) {
            let error = Error::project(format!("unknown key `{}` in {}", key.value, self.what));
            let hint = match crate::error::closest(&key.value, &known) {
                Some(close) => format!("did you mean `{close}`?"),
                // What `{description: one, two}` makes of `two`.
                None if matches!(node.value, Value::Null) && key.value.contains(' ') => {
                    "inside `{...}` a text with a comma stands in quotes".to_string()
                }
                None if known.is_empty() => "it has no options".to_string(),
                None => format!("known are {}", list(&known)),
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
                self.report(&node.span, Error::project(format!("{what} is a mapping, found {}", node.kind())));
                None
            }
        }
    }

    /// A single value as text.
    pub fn text(&self, key: &str, node: &Node) -> Option<Text> {
        match &node.value {
            Value::Scalar { text, .. } => Some(Text { value: text.clone(), span: node.span.clone() }),
            _ => {
                let message = format!("`{key}` is a single value, found {}", node.kind());
                self.report(&node.span, Error::project(message));
                None
            }
        }
    }

    /// A list of single values; a single value stands for a list of one.
    pub fn texts(&self, key: &str, node: &Node) -> Vec<Text> {
        match &node.value {
            Value::List(items) => items.iter().filter_map(|item| self.text(key, item)).collect(),
            Value::Scalar { .. } => self.text(key, node).into_iter().collect(),
            _ => {
                self.report(&node.span, Error::project(format!("`{key}` is a list, found {}", node.kind())));
                Vec::new()
            }
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &str, text: &Text, choices: &[(&'static str, T)]) -> Option<T> {
        let found = choices.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
        if found.is_none() {
            let error = Error::project(format!("`{key}` is `{}`", text.value));
            self.report(&text.span, error.hint(one_of(choices.iter().map(|(word, _)| *word))));
        }
        found
    }

    /// A value of a variable, as JSON: plain `true`, `12` and `1.5` are what they look like, all else is text.
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

/// "choose `a`, `b` or `c`".
pub(super) fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("choose {} or {last}", init.join(", ")),
        [one] => format!("only {one} is known"),
        _ => String::from("none is known"),
    }
}

fn plain_json(text: &str) -> serde_json::Value {
    match text {
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        _ => {}
    }
    // Zeros in front make an identifier, not a number.
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
