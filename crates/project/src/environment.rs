//! `${NAME}` and `${NAME:-default}` in the files of a project, and locations written in them.

use super::document::{Document, Text};
use perennial_core::{environment, location};
use std::path::{Component, Path, PathBuf};

pub(super) use perennial_core::environment::Lookup;

/// The text with its variables replaced; `None` when one has no value, which is reported.
pub(super) fn expand(document: &Document, text: &Text, lookup: Lookup) -> Option<String> {
    match environment::expand(&text.value, lookup) {
        Ok(expanded) => Some(expanded),
        Err(problems) => {
            problems.into_iter().for_each(|problem| document.report(&text.span, problem.into()));
            None
        }
    }
}

/// A folder or URL as later layers want it: a URL as it is, a path made absolute against the project's folder, also the
/// path within a URL of this machine (`sqlite://data/shop.db`).
pub(super) fn locate(root: &Path, written: &str) -> String {
    if let Some((scheme, path)) = perennial_sources::local_path(written) {
        return format!("{scheme}://{}", absolute(root, path).display());
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

/// Whether a location is a URL.
pub(super) fn is_url(written: &str) -> bool {
    location::scheme(written).is_some()
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
        assert_eq!(expand_with("${BUCKET").1, ["`${` without a closing `}`"]);
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
