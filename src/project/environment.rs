//! `${NAME}` and `${NAME:-otherwise}`: what a place takes from the environment, and what a place is.

use super::document::{Document, Text};
use crate::error::Error;
use std::path::{Component, Path, PathBuf};

/// How the environment is asked for a variable.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The text with variables put in; nothing when one is missing, which is reported.
pub(super) fn expand(document: &Document, text: &Text, lookup: Lookup) -> Option<String> {
    let mut rest = text.value.as_str();
    let mut expanded = String::new();
    let mut complete = true;
    while let Some(start) = rest.find("${") {
        expanded.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            let error = Error::project(format!("`{}` has a `${{` without its `}}`", text.value));
            document.report(&text.span, error);
            return None;
        };
        let inner = &rest[start + 2..start + length];
        match resolve(inner, lookup) {
            Ok(value) => expanded.push_str(&value),
            Err(error) => {
                document.report(&text.span, error);
                complete = false;
            }
        }
        rest = &rest[start + length + 1..];
    }
    expanded.push_str(rest);
    complete.then_some(expanded)
}

fn resolve(inner: &str, lookup: Lookup) -> Result<String, Error> {
    let (name, otherwise) = match inner.split_once(":-") {
        Some((name, otherwise)) => (name, Some(otherwise)),
        None => (inner, None),
    };
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good {
        let error = Error::project(format!("`{name}` cannot be an environment variable"));
        return Err(error.hint("write `${NAME}` or `${NAME:-otherwise}`"));
    }
    // As in a shell, `:-` also stands in for a variable that is set and empty.
    match (lookup(name).filter(|value| !value.is_empty()), otherwise) {
        (Some(value), _) => Ok(value),
        (None, Some(otherwise)) => Ok(otherwise.to_string()),
        (None, None) => Err(Error::project(format!("environment variable `{name}` is not set"))
            .hint(format!("set it, or say what to take without it: ${{{name}:-...}}"))),
    }
}

/// A folder or URL as downstream rooms want it: a URL as it is, a path made absolute against the project's folder, also
/// that of a SQLite database (`sqlite://data/shop.db`).
pub(super) fn locate(root: &Path, written: &str) -> String {
    if let Some((scheme, path)) = written.split_once("://")
        && scheme.eq_ignore_ascii_case("sqlite")
    {
        return format!("sqlite://{}", absolute(root, path).display());
    }
    if is_url(written) {
        return written.trim_end_matches('/').to_string();
    }
    absolute(root, written).to_string_lossy().into_owned()
}

/// A path made absolute against the project's folder, without `.` and `..`.
pub(super) fn absolute(root: &Path, written: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in root.join(written).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path
}

/// Whether a place is a URL.
pub(super) fn is_url(written: &str) -> bool {
    written.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand_with(written: &str) -> (Option<String>, Vec<String>) {
        let document = Document::new("perennial.yml", written);
        let text = Text { value: written.to_string(), span: 0..written.len() };
        let lookup = |name: &str| match name {
            "BUCKET" => Some("figures".to_string()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let expanded = expand(&document, &text, &lookup);
        let problems = document.into_problems().iter().map(|e| e.message().to_string()).collect();
        (expanded, problems)
    }

    #[test]
    fn variables_are_put_in_and_missing_ones_named() {
        assert_eq!(expand_with("s3://${BUCKET}/lake").0.unwrap(), "s3://figures/lake");
        assert_eq!(expand_with("${NONE:-data}/${EMPTY:-x}/a").0.unwrap(), "data/x/a");
        assert_eq!(expand_with("plain $5").0.unwrap(), "plain $5");
        let (text, problems) = expand_with("${ONE}/${TWO}");
        assert_eq!(text, None);
        assert_eq!(problems, ["environment variable `ONE` is not set", "environment variable `TWO` is not set"]);
        assert_eq!(expand_with("${BUCKET").1, ["`${BUCKET` has a `${` without its `}`"]);
    }

    #[test]
    fn paths_are_absolute_and_urls_as_they_are() {
        let root = Path::new("/home/x/project");
        assert_eq!(locate(root, "lake"), "/home/x/project/lake");
        assert_eq!(locate(root, "./a/../b"), "/home/x/project/b");
        assert_eq!(locate(root, "/data"), "/data");
        assert_eq!(locate(root, "s3://bucket/prefix/"), "s3://bucket/prefix");
        assert_eq!(locate(root, "sqlite://data/../shop.db"), "sqlite:///home/x/project/shop.db");
        assert_eq!(locate(root, "sqlite:///data/shop.db"), "sqlite:///data/shop.db");
    }
}
