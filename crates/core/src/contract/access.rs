//! Credentials, encryption and timeouts of a system.

use crate::environment::{self, Unresolved};
use crate::error::{Error, Result};
use crate::regular_file;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What opening a system needs besides its location. Secrets are only named here; they are looked up when a connection
/// is opened, so that a project can be checked without them.
#[derive(Clone, Debug)]
pub struct Access {
    /// User name, where the location's URL does not contain it.
    pub user: Option<String>,
    /// Password of the user.
    pub password: Option<Secret>,
    /// Private key of an SSH account, in OpenSSH or PEM format.
    pub private_key_file: Option<PathBuf>,
    /// File of trusted host keys in OpenSSH's format; `~/.ssh/known_hosts` when left out.
    pub known_hosts_file: Option<PathBuf>,
    /// Whether the connection is encrypted and the server's certificate verified.
    pub tls: Tls,
    /// Certificates of authorities (PEM) to trust in addition to those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Headers of every HTTP request.
    pub headers: Vec<(String, Secret)>,
    /// Time after which a server that does not answer counts as unreachable.
    pub connect_timeout_seconds: u64,
    /// Time without any data after which a server counts as hanging.
    pub read_timeout_seconds: u64,
    /// Number of parallel connections for reading a large table.
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
    /// Encrypted, and the certificate must be valid for the server's name.
    Verify,
    /// Encrypted; the certificate is not verified.
    Encrypt,
    /// Not encrypted.
    Off,
}

/// Where a secret is stored: never the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A text with `${NAME}` of the environment. A variable that is not set there is taken from the file that `NAME_FILE`
    /// names, or from the file `NAME` of the service's credentials ([systemd](https://systemd.io/CREDENTIALS/)).
    Environment(String),
    /// A file that contains it; surrounding whitespace is ignored.
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
    /// The secret, looked up now, so that one that was changed counts at once. `${NAME}` must be set and not empty;
    /// `${NAME:-default}` need not be. A file must not be empty.
    ///
    /// # Errors
    /// Of kind `Project`, naming the variable or file but nothing of its content.
    pub fn reveal(&self) -> Result<String> {
        match self {
            Secret::File(path) => read(path),
            Secret::Environment(text) => reveal(text, &|name| std::env::var(name).ok()),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    let text = regular_file::read_to_string(path);
    let text = text.map_err(|e| Error::project(format!("the secret in {}: {e}", path.display())))?;
    match text.trim() {
        "" => Err(Error::project(format!("the secret in {} is empty", path.display()))),
        text => Ok(text.to_string()),
    }
}

/// A text with its variables replaced, also by what files hold that the environment names.
fn reveal(text: &str, environment: environment::Lookup<'_>) -> Result<String> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let file = |name: &str| {
        let credential = || Some(PathBuf::from(set("CREDENTIALS_DIRECTORY")?).join(name)).filter(|path| path.exists());
        set(&format!("{name}_FILE")).map(PathBuf::from).or_else(credential)
    };
    let mut of_files = BTreeMap::new();
    for name in environment::variables(text).into_iter().filter(|name| environment::is_name(name)) {
        if let (None, Some(path)) = (set(name), file(name)) {
            of_files.insert(name, read(&path)?);
        }
    }
    expand(text, &|name| set(name).or_else(|| of_files.get(name).cloned()))
}

impl Secret {
    /// Where it comes from, for people: `environment variable API_TOKEN`, `file /run/secrets/token`.
    pub fn origin(&self) -> String {
        match self {
            Secret::File(path) => format!("file {}", path.display()),
            Secret::Environment(text) => match environment::variables(text).as_slice() {
                [] => "the project".to_string(),
                names => format!("environment variable {}", names.join(" and ")),
            },
        }
    }

    /// Whether the project contains it literally, so that it is not a secret.
    pub fn is_plain(&self) -> bool {
        matches!(self, Secret::Environment(text) if !text.contains("${"))
    }

    /// The words of the revealed secret that must not be shown: those that the project does not contain (as it does
    /// `Bearer`) and that have at least this number of characters.
    pub fn hidden_words(&self, revealed: &str, min_characters: usize) -> Vec<String> {
        let known = match self {
            Secret::Environment(text) => text.as_str(),
            Secret::File(_) => "",
        };
        let is_hidden =
            |word: &str| !known.split_whitespace().any(|k| k == word) && word.chars().count() >= min_characters;
        revealed.split_whitespace().filter(|word| is_hidden(word)).map(str::to_string).collect()
    }
}

/// A text with its environment variables replaced.
fn expand(text: &str, lookup: environment::Lookup<'_>) -> Result<String> {
    environment::expand(text, lookup).map_err(|problems| match problems.into_iter().next() {
        Some(Unresolved::NotSet(name)) => Error::project(format!(
            "environment variable `{name}`, which holds a secret, is not set"
        ))
        .hint(format!("set it before the run, or let `{name}_FILE` or a key such as `password_file` name a file")),
        Some(other) => other.into(),
        None => Error::bug("a secret has no problem and no value"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_looked_up_and_never_shown() {
        let lookup = |name: &str| (name == "TOKEN").then(|| "s3cret".to_string());
        assert_eq!(expand("Bearer ${TOKEN}", &lookup).unwrap(), "Bearer s3cret");
        assert_eq!(expand("${NONE:-x}${TOKEN}", &lookup).unwrap(), "xs3cret");
        let error = expand("${NONE}", &lookup).unwrap_err();
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
    fn a_variable_that_is_not_set_is_read_from_the_file_that_the_environment_names() {
        let folder = tempfile::tempdir().unwrap();
        let mounted = folder.path().join("mounted");
        std::fs::write(&mounted, "of the mount\n").unwrap();
        std::fs::write(folder.path().join("TOKEN"), "of the service\n").unwrap();
        let [file, credentials] = [&mounted, &folder.path().to_path_buf()].map(|path| path.display().to_string());
        let revealed = |environment: &[(&str, String)], text: &str| {
            let value =
                |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            reveal(text, &value)
        };
        let all = [
            ("TOKEN", "of the environment".to_string()),
            ("TOKEN_FILE", file.clone()),
            ("CREDENTIALS_DIRECTORY", credentials.clone()),
        ];
        assert_eq!(revealed(&all, "<${TOKEN}>").unwrap(), "<of the environment>");
        assert_eq!(revealed(&all[1..], "<${TOKEN:-x}>").unwrap(), "<of the mount>");
        assert_eq!(revealed(&all[2..], "<${TOKEN}>").unwrap(), "<of the service>");
        // Another one than the service has, and a name that is none.
        assert_eq!(revealed(&all[2..], "${OTHER:-x}").unwrap(), "x");
        assert!(revealed(&all[2..], "${OTHER}").unwrap_err().message().contains("`OTHER`"));
        assert!(revealed(&all[2..], "${../TOKEN}").is_err());
        // A file that is named and cannot be read is an error, whatever else there is.
        let missing = [("TOKEN_FILE", format!("{file}-missing")), ("CREDENTIALS_DIRECTORY", credentials)];
        assert!(revealed(&missing, "${TOKEN:-x}").unwrap_err().message().contains("mounted-missing"));
    }

    #[test]
    fn a_secret_in_a_file_loses_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(Secret::File(path.clone()).reveal().unwrap(), "s3cret");
        std::fs::write(&path, " \n").unwrap();
        assert!(Secret::File(path.clone()).reveal().unwrap_err().message().ends_with("is empty"));
        std::fs::remove_file(&path).unwrap();
        assert!(Secret::File(path).reveal().unwrap_err().message().contains("password"));
    }
}
