//! Variables of the project, as SQL and report templates see them.

use super::document::{self, Document};
use super::{TextFile, settings};
use minijinja::Value;
use perennial_core::error::{Error, Problems, closest};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A call of `var`, and the name it is given where that is written out; or `vars.name`, as report templates have it.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\bvar\s*\(\s*(?:'([^'\\]*)'|"([^"\\]*)"|([^\s)]))|\bvars\.([A-Za-z_]\w*)"#).ok()
});

/// Variables of the command line over those of the project. One that the project does not declare must be read by a
/// template, so that a mistyped name does not go unnoticed.
pub(super) fn override_with<'a>(
    mut declared: BTreeMap<String, serde_json::Value>,
    given: Option<&str>,
    templates: impl IntoIterator<Item = &'a TextFile>,
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
            let read = read_by(templates);
            for (key, _) in document.entries(&node, "`--vars`").unwrap_or_default() {
                if overrides.contains_key(&key.value) && !declared.contains_key(&key.value) {
                    report_unread(&document, key, &declared, read.as_ref());
                }
            }
            declared.extend(overrides);
        }
    }
    problems.extend(document.into_problems());
    declared
}

/// Reports a variable that the project does not declare, unless a template reads it. Where templates compute names, only
/// one that comes close to a declared one.
fn report_unread(
    document: &Document,
    name: &document::Text,
    declared: &BTreeMap<String, serde_json::Value>,
    read: Option<&BTreeSet<String>>,
) {
    if read.is_some_and(|read| read.contains(&name.value)) {
        return;
    }
    let known: BTreeSet<&str> = declared.keys().chain(read.into_iter().flatten()).map(String::as_str).collect();
    let known: Vec<&str> = known.into_iter().collect();
    if read.is_none() && closest(&name.value, &known).is_none() {
        return;
    }
    let error = Error::project(format!(
        "unknown variable `{}`: perennial.yml does not declare it and nothing reads it",
        name.value
    ));
    document.report(&name.span, error.suggest(&name.value, known));
}

/// Names of the variables that some files read; nothing where one of the names is not written out.
pub(super) fn read_by<'a>(files: impl IntoIterator<Item = &'a TextFile>) -> Option<BTreeSet<String>> {
    let pattern = CALL.as_ref()?;
    let mut names = BTreeSet::new();
    for file in files {
        for call in pattern.captures_iter(&file.text) {
            let name = call.get(1).or(call.get(2)).or(call.get(4))?;
            names.insert(name.as_str().to_string());
        }
    }
    Some(names)
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

    fn read(text: &str) -> Option<Vec<String>> {
        let file = TextFile { path: "a.sql".into(), text: text.into() };
        read_by([&file]).map(|names| names.into_iter().collect())
    }

    #[test]
    fn names_are_found_where_they_are_written_out() {
        let names = read("SELECT {{ var('rule') }}, {{var( \"window\", 12 )}}, variance(x), my_var('no')").unwrap();
        assert_eq!(names, ["rule", "window"]);
        assert_eq!(read("SELECT 1").unwrap(), [""; 0]);
        // A name that is computed may be any.
        assert_eq!(read("{% for v in list %}{{ var(v) }}{% endfor %}"), None);
    }
}
