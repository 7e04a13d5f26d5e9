//! How a system lets us in, and how patient we are with it.

use crate::error::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// What opening a system needs besides its location. Secrets are only named here; they are looked up when a connection
/// is opened, so that a project can be checked without them.
#[derive(Clone, Debug)]
pub struct Access {
    /// The account, where the location's URL does not name it.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Private key of an SSH account, in OpenSSH's or PEM form.
    pub private_key_file: Option<PathBuf>,
    /// Host keys that are trusted, as OpenSSH keeps them; `~/.ssh/known_hosts` when left out.
    pub known_hosts_file: Option<PathBuf>,
    /// Whether the connection is encrypted and the server's certificate looked at.
    pub tls: Tls,
    /// Certificates of authorities (PEM) that are trusted beside those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Headers of every HTTP request.
    pub headers: Vec<(String, Secret)>,
    /// A server that does not answer a first call within this time cannot be reached.
    pub connect_timeout_seconds: u64,
    /// A server from which nothing comes for this long hangs.
    pub read_timeout_seconds: u64,
    /// Connections that a large table is read over side by side.
    pub connections: usize,
}

impl Default for Access {
    fn default() -> Access {
        Access {
            user: None,
            password: None,
            private_key_file: None,
            known_hosts_file: None,
            tls: Tls::Verify,
            ca_file: None,
            headers: Vec::new(),
            connect_timeout_seconds: 10,
            read_timeout_seconds: 300,
            connections: 2,
        }
    }
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Encrypted, and the certificate must be good for the server's name.
    Verify,
    /// Encrypted; the certificate is not looked at.
    Encrypt,
    /// In the clear.
    Off,
}

/// Where a secret lies: never the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A text with `${NAME}` of the environment in it.
    Environment(String),
    /// A file whose content it is, without the blanks and line ends around it.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Environment(_) => f.write_str("(from the environment)"),
            Secret::File(path) => write!(f, "(from {})", path.display()),
        }
    }
}

impl Secret {
    /// The secret, looked up now. `${NAME}` must be set and not empty; `${NAME:-otherwise}` need not.
    ///
    /// # Errors
    /// Of kind `Project`, naming the variable or file but nothing of its content.
    pub fn reveal(&self) -> Result<String> {
        match self {
            Secret::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|e| Error::project(format!("the secret in {}: {e}", path.display())))?;
                Ok(text.trim().to_string())
            }
            Secret::Environment(text) => put_in(text, &|name| std::env::var(name).ok()),
        }
    }
}

impl Secret {
    /// Where it comes from, for people: `environment variable API_TOKEN`, `file /run/secrets/token`.
    pub fn origin(&self) -> String {
        match self {
            Secret::File(path) => format!("file {}", path.display()),
            Secret::Environment(text) => {
                let names: Vec<&str> =
                    text.split("${").skip(1).filter_map(|rest| rest.split([':', '}']).next()).collect();
                match names.as_slice() {
                    [] => "the project".to_string(),
                    names => format!("environment variable {}", names.join(" and ")),
                }
            }
        }
    }

    /// Whether it stands in the project as it is, and so is no secret.
    pub fn is_plain(&self) -> bool {
        matches!(self, Secret::Environment(text) if !text.contains("${"))
    }

    /// The words of the revealed secret that may not be shown: those that do not stand in the project (`Bearer`) and have
    /// at least so many characters.
    pub fn hidden_words(&self, revealed: &str, least_characters: usize) -> Vec<String> {
        let known = match self {
            Secret::Environment(text) => text.as_str(),
            Secret::File(_) => "",
        };
        let is_hidden =
            |word: &str| !known.split_whitespace().any(|k| k == word) && word.chars().count() >= least_characters;
        revealed.split_whitespace().filter(|word| is_hidden(word)).map(str::to_string).collect()
    }
}

/// A text with the variables of an environment put in.
fn put_in(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inner, behind) = after.split_once('}').unwrap_or((after, ""));
        let (name, otherwise) = inner.split_once(":-").map_or((inner, None), |(name, other)| (name, Some(other)));
        let value = lookup(name).filter(|value| !value.is_empty()).or_else(|| otherwise.map(str::to_string));
        out.push_str(before);
        out.push_str(&value.ok_or_else(|| {
            Error::project(format!("environment variable `{name}`, which holds a secret, is not set"))
                .hint("set it before the run, or keep the secret in a file: `password_file: /run/secrets/...`")
        })?);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_looked_up_and_never_shown() {
        let lookup = |name: &str| (name == "TOKEN").then(|| "s3cret".to_string());
        assert_eq!(put_in("Bearer ${TOKEN}", &lookup).unwrap(), "Bearer s3cret");
        assert_eq!(put_in("${NONE:-x}${TOKEN}", &lookup).unwrap(), "xs3cret");
        let error = put_in("${NONE}", &lookup).unwrap_err();
        assert_eq!(error.message(), "environment variable `NONE`, which holds a secret, is not set");
        assert_eq!(format!("{:?}", Secret::Environment("Bearer ${TOKEN}".into())), "(from the environment)");
    }

    #[test]
    fn a_secret_says_where_it_comes_from_and_what_to_hide() {
        let token = Secret::Environment("Bearer ${TOKEN:-x}".into());
        assert_eq!(token.origin(), "environment variable TOKEN");
        assert_eq!(token.hidden_words("Bearer s3cret ab", 4), ["s3cret"]);
        assert!(!token.is_plain() && Secret::Environment("text/json".into()).is_plain());
        assert_eq!(Secret::File("/run/token".into()).origin(), "file /run/token");
    }

    #[test]
    fn a_secret_in_a_file_loses_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(Secret::File(path.clone()).reveal().unwrap(), "s3cret");
        std::fs::remove_file(&path).unwrap();
        assert!(Secret::File(path).reveal().unwrap_err().message().contains("password"));
    }
}
