//! `${NAME}` and `${NAME:-default}`: what the texts of a project take from the environment.

use crate::error::Error;
use std::borrow::Cow;

/// Returns the value of an environment variable, if it is set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a variable in a text has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// The text has a `${` that is never closed.
    Unclosed,
    /// What is between the braces cannot be the name of a variable.
    InvalidName(String),
    /// The variable is not set, or empty, and no default is given.
    NotSet(String),
}

impl From<Unresolved> for Error {
    fn from(unresolved: Unresolved) -> Error {
        match unresolved {
            Unresolved::Unclosed => {
                Error::project("`${` without a closing `}`").hint("write `${NAME}` or `${NAME:-default}`")
            }
            Unresolved::InvalidName(name) => Error::project(format!("`{name}` is not a valid environment variable"))
                .hint("write `${NAME}` or `${NAME:-default}`"),
            Unresolved::NotSet(name) => Error::project(format!("environment variable `{name}` is not set"))
                .hint(format!("set it, or give a default: ${{{name}:-...}}")),
        }
    }
}

/// A piece of a text.
enum Piece<'a> {
    Plain(&'a str),
    Variable { name: &'a str, default: Option<&'a str> },
    Unclosed,
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let Some(start) = rest.find("${") else {
            return (!rest.is_empty()).then(|| Piece::Plain(std::mem::take(&mut rest)));
        };
        if start > 0 {
            let plain = &rest[..start];
            rest = &rest[start..];
            return Some(Piece::Plain(plain));
        }
        let Some(end) = rest.find('}') else {
            rest = "";
            return Some(Piece::Unclosed);
        };
        let inner = &rest[2..end];
        rest = &rest[end + 1..];
        let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        Some(Piece::Variable { name, default })
    })
}

/// The text with its variables replaced by their values. As in a shell, the default of `${NAME:-default}` also stands
/// in for a variable that is set but empty.
///
/// # Errors
/// All variables that have no value.
pub fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, Vec<Unresolved>> {
    let mut problems = Vec::new();
    let mut expanded = String::new();
    for piece in pieces(text) {
        let value: Result<Cow<'_, str>, Unresolved> = match piece {
            Piece::Plain(plain) => Ok(plain.into()),
            Piece::Unclosed => Err(Unresolved::Unclosed),
            Piece::Variable { name, .. } if !is_name(name) => Err(Unresolved::InvalidName(name.to_string())),
            Piece::Variable { name, default } => match (lookup(name).filter(|value| !value.is_empty()), default) {
                (Some(value), _) => Ok(value.into()),
                (None, Some(default)) => Ok(default.into()),
                (None, None) => Err(Unresolved::NotSet(name.to_string())),
            },
        };
        match value {
            Ok(value) => expanded.push_str(&value),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(expanded) } else { Err(problems) }
}

/// The names of the variables in a text, in order.
pub fn variables(text: &str) -> Vec<&str> {
    let name = |piece| if let Piece::Variable { name, .. } = piece { Some(name) } else { None };
    pieces(text).filter_map(name).collect()
}

pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "BUCKET" => Some("figures".to_string()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_by_values_or_defaults() {
        let expanded = |text| expand(text, &lookup).unwrap();
        assert_eq!(expanded("s3://${BUCKET}/lake"), "s3://figures/lake");
        assert_eq!(expanded("${NONE:-data}/${EMPTY:-x}/a"), "data/x/a");
        assert_eq!(expanded("${NONE:-}${BUCKET}"), "figures");
        assert_eq!(expanded("plain $5 }"), "plain $5 }");
    }

    #[test]
    fn every_unresolved_variable_is_reported() {
        let not_set = |name: &str| Unresolved::NotSet(name.to_string());
        assert_eq!(expand("${ONE}/${TWO}", &lookup), Err(vec![not_set("ONE"), not_set("TWO")]));
        assert_eq!(expand("${EMPTY}", &lookup), Err(vec![not_set("EMPTY")]));
        assert_eq!(expand("${BUCKET", &lookup), Err(vec![Unresolved::Unclosed]));
        assert_eq!(expand("${A B}", &lookup), Err(vec![Unresolved::InvalidName("A B".to_string())]));
        assert_eq!(Error::from(not_set("ONE")).message(), "environment variable `ONE` is not set");
    }

    #[test]
    fn variables_are_listed() {
        assert_eq!(variables("Bearer ${TOKEN:-x}-${ID}"), ["TOKEN", "ID"]);
        assert!(variables("no variable").is_empty());
    }
}
