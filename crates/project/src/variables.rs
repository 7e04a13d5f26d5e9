//! Variables of the project, as SQL and report templates see them.

use super::document::{self, Document};
use super::{Note, TextFile, settings};
use minijinja::Value;
use perennial_core::error::{Error, Problems, closest};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A tag, or a comment, in which nothing is read.
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)\{#.*?#\}|\{\{(.*?)\}\}|\{%(.*?)%\}").ok());

/// Within a tag: a call of `var`, or `vars` as report templates have it, and the name where that is written out.
static READ: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let call = r#"\bvar\s*\((?:\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*[,)])?"#;
    let attribute = r#"\bvars\b(?:\s*\.\s*([A-Za-z_]\w*)|\s*\[\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\])?"#;
    Regex::new(&format!("{call}|{attribute}")).ok()
});

/// The variables that templates read.
#[derive(Debug, Default)]
pub(super) struct ReadVariables {
    /// Names that are written out.
    names: BTreeSet<String>,
    /// Whether a name is computed, so that any variable may be read.
    has_computed: bool,
}

/// Variables of the command line over those of the project. One that the project does not declare must be read by a
/// template, so that a mistyped name does not go unnoticed.
pub(super) fn override_with(
    mut declared: BTreeMap<String, serde_json::Value>,
    given: Option<&str>,
    read: &ReadVariables,
    problems: &mut Problems,
) -> BTreeMap<String, serde_json::Value> {
    let Some(given) = given else { return declared };
    let document = Document::new("--vars", given);
    if let Some(node) = document.parse_all() {
        if let document::Value::Scalar { .. } = node.value {
            let error = Error::project("`--vars` must be a mapping of names to values");
            document.report(&node.span, error.hint("write it as --vars '{rule: R2}'"));
        } else {
            let overrides = settings::read_vars(&document, &node);
            for (key, _) in document.entries(&node, "`--vars`").unwrap_or_default() {
                if overrides.contains_key(&key.value) && !declared.contains_key(&key.value) {
                    report_unread(&document, key, &declared, read);
                }
            }
            declared.extend(overrides);
        }
    }
    problems.extend(document.into_problems());
    declared
}

/// Reports a variable that the project does not declare, unless a template reads it. Where templates compute names, only
/// one that comes close to a known one.
fn report_unread(
    document: &Document,
    name: &document::Text,
    declared: &BTreeMap<String, serde_json::Value>,
    read: &ReadVariables,
) {
    if read.names.contains(&name.value) {
        return;
    }
    let known: BTreeSet<&str> = declared.keys().chain(&read.names).map(String::as_str).collect();
    let known: Vec<&str> = known.into_iter().collect();
    if read.has_computed && closest(&name.value, &known).is_none() {
        return;
    }
    let error = Error::project(format!(
        "unknown variable `{}`: perennial.yml does not declare it and nothing reads it",
        name.value
    ));
    document.report(&name.span, error.suggest(&name.value, known));
}

/// A note for every variable that perennial.yml declares and nothing reads: where templates have a default, a mistyped
/// name would otherwise go unnoticed.
pub(super) fn unread_notes(project_file: &TextFile, read: &ReadVariables) -> Vec<Note> {
    let document = Document::new(project_file.path.clone(), project_file.text.clone());
    let Some(node) = document.parse_all() else { return Vec::new() };
    let document::Value::Map(options) = &node.value else { return Vec::new() };
    let Some((_, vars)) = options.iter().find(|(key, _)| key.value == "vars") else { return Vec::new() };
    let document::Value::Map(declared) = &vars.value else { return Vec::new() };
    let undeclared = read.names.iter().filter(|name| !declared.iter().any(|(key, _)| key.value == **name));
    let undeclared: Vec<&str> = undeclared.map(String::as_str).collect();
    let unread = declared.iter().map(|(key, _)| key).filter(|key| !read.names.contains(&key.value));
    let note = |key: &document::Text| {
        let hint = match closest(&key.value, &undeclared) {
            Some(near) => format!("did you mean `{near}`?"),
            None if read.has_computed => return None,
            None => format!("remove it, or read it as {{{{ var('{}') }}}}", key.value),
        };
        Some(Note {
            place: document.place(&key.span),
            message: format!("nothing reads the variable `{}`", key.value),
            hint,
        })
    };
    unread.filter_map(note).collect()
}

/// The variables that some files read in their tags.
pub(super) fn read_by<'a>(files: impl IntoIterator<Item = &'a TextFile>) -> ReadVariables {
    let mut read = ReadVariables::default();
    let (Some(tag), Some(pattern)) = (TAG.as_ref(), READ.as_ref()) else { return read };
    for file in files {
        let tags = tag.captures_iter(&file.text).filter_map(|tag| tag.get(1).or(tag.get(2)));
        for found in tags.flat_map(|tag| pattern.captures_iter(tag.as_str())) {
            match found.iter().skip(1).flatten().next() {
                Some(name) => drop(read.names.insert(name.as_str().to_string())),
                None => read.has_computed = true,
            }
        }
    }
    read
}

/// A variable as a value of templates.
pub fn template_value(variable: &serde_json::Value) -> Value {
    match variable {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(float)) => Value::from(float),
            (None, None) => Value::from(n.to_string()),
        },
        serde_json::Value::String(s) => Value::from(s.as_str()),
        serde_json::Value::Array(all) => Value::from(all.iter().map(template_value).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => Value::from_pairs(map.iter().map(|(k, v)| (k.clone(), template_value(v)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.into(), text: text.into() }
    }

    /// The names that a text reads, and whether it computes others.
    fn read(text: &str) -> (Vec<String>, bool) {
        let read = read_by([&file("a.sql", text)]);
        (read.names.into_iter().collect(), read.has_computed)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_found_where_they_are_written_out() {
        let text = "SELECT {{ var('rule') }}, {{var( \"window\", 12 )}}, {{ my_var('no') }} {% if vars.a > 1 %}";
        assert_eq!(read(text), (names(&["a", "rule", "window"]), false));
        assert_eq!(read("{{ vars['b'] }} {{ vars[ \"c\" ] }}"), (names(&["b", "c"]), false));
        assert_eq!(read("SELECT 1"), (names(&[]), false));
    }

    #[test]
    fn names_that_are_computed_may_be_any() {
        for text in ["{{ var(v) }}", "{{ var('a' ~ v) }}", "{{ vars[v] }}", "{% for name in vars %}"] {
            assert_eq!(read(text), (names(&[]), true), "{text}");
        }
    }

    /// `var` is also the variance.
    #[test]
    fn only_tags_are_searched() {
        let text = "SELECT var(amount), var('x') {# {{ var(v) }} #} FROM vars.t -- vars.b\n{{ var('rule') }}";
        assert_eq!(read(text), (names(&["rule"]), false));
    }

    #[test]
    fn variables_that_nothing_reads_are_noted() {
        let project = file("perennial.yml", "name: x\nvars:\n  rule: R1\n  windw: 12\n  other: 1\n");
        let notes = |template: &str| -> Vec<String> {
            let read = read_by([&file("a.sql", template)]);
            unread_notes(&project, &read).iter().map(ToString::to_string).collect()
        };
        let mistyped = "perennial.yml:4:3: nothing reads the variable `windw`; did you mean `window`?";
        let unread =
            "perennial.yml:5:3: nothing reads the variable `other`; remove it, or read it as {{ var('other') }}";
        assert_eq!(notes("{{ var('rule') }} {{ var('window', 3) }}"), [mistyped, unread]);
        assert_eq!(notes("{{ var('rule') }} {{ var('window', 3) }} {{ var(v) }}"), [mistyped]);
        assert!(notes("{{ var('rule') }} {{ var('windw') }} {{ vars['other'] }}").is_empty());
    }
}
