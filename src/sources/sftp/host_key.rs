//! Whether a server is the one it says it is: its key is compared with those in a file of known hosts.

use super::Server;
use crate::error::{Error, Result};
use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::{HashAlg, PublicKey, PublicKeyBase64};
use std::path::{Path, PathBuf};

/// The keys by which one server is known.
pub(super) struct HostKeys {
    file: PathBuf,
    host: String,
    port: u16,
    known: Vec<Known>,
    /// Keys that may not be trusted, as the file writes them.
    revoked: Vec<String>,
}

/// A key, and where it stands.
pub(super) struct Known {
    line: usize,
    pub(super) key: PublicKey,
}

impl HostKeys {
    /// Reads the file of known hosts.
    ///
    /// # Errors
    /// Of kind `Project` when there is none or it is not written as OpenSSH does.
    pub(super) fn read(server: &Server) -> Result<HostKeys> {
        let file = match (&server.access.known_hosts_file, std::env::home_dir()) {
            (Some(file), _) => file.clone(),
            (None, Some(home)) => home.join(".ssh/known_hosts"),
            (None, None) => {
                let error = Error::project("no file of known hosts is named, and this account has no home with one");
                return Err(error.hint("write `known_hosts_file: ...` beside `location`"));
            }
        };
        let text = match std::fs::read(&file) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && server.access.known_hosts_file.is_none() => {
                String::new()
            }
            Err(e) => {
                return Err(Error::project(format!("the file of known hosts {}: {e}", file.display())).because(e));
            }
        };
        let (host, port) = (server.host.clone(), server.port);
        let found = known_host_keys_path(&host, port, &file).map_err(|e| {
            let error = format!("the key of `{}` in {} cannot be read: {e}", server.name(), file.display());
            Error::project(error).because(e)
        })?;
        // The library does not count lines that are comments.
        let line_of = |key: &PublicKey| {
            let key = key.public_key_base64();
            text.lines().position(|line| !line.starts_with('#') && line.contains(&key))
        };
        let known = found
            .into_iter()
            .map(|(line, key)| Known { line: line_of(&key).map_or(line, |before| before + 1), key })
            .collect();
        let revoked = text.lines().filter_map(|line| line.trim().strip_prefix("@revoked"));
        let revoked = revoked.filter_map(|rest| rest.split_whitespace().nth(2)).map(str::to_string).collect();
        Ok(HostKeys { file, host, port, known, revoked })
    }

    /// The keys by which the server is known.
    pub(super) fn known(&self) -> &[Known] {
        &self.known
    }

    /// Whether the server may be trusted that shows this key.
    ///
    /// # Errors
    /// Of kind `Project`, with the fingerprint and what to do.
    pub(super) fn check(&self, server: &str, shown: &PublicKey) -> Result<()> {
        let fingerprint = shown.fingerprint(HashAlg::Sha256);
        let file = self.file.display();
        if self.revoked.contains(&shown.public_key_base64()) {
            return Err(Error::project(format!("the key that {server} shows ({fingerprint}) is revoked in {file}")));
        }
        if self.known.iter().any(|known| known.key.key_data() == shown.key_data()) {
            return Ok(());
        }
        let kind = shown.algorithm();
        let Some(known) = self.known.first() else {
            let message = format!("{server} is not a known host: it shows the key {fingerprint} ({kind})");
            let hint =
                format!("ask its people whether this is its key; if so: {}", scan(&self.host, self.port, &self.file));
            return Err(Error::project(message).hint(hint));
        };
        let message = format!(
            "the host key of {server} changed: it shows {fingerprint} ({kind}), and {file} has {} in line {}",
            known.key.fingerprint(HashAlg::Sha256),
            known.line
        );
        let name =
            if self.port == super::SSH_PORT { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) };
        Err(Error::project(message).hint(format!(
            "somebody may stand between you and the server: ask its people; if they changed the key: \
             ssh-keygen -R '{name}' -f {file} && {}",
            scan(&self.host, self.port, &self.file)
        )))
    }
}

/// The command that adds the keys of a server.
fn scan(host: &str, port: u16, file: &Path) -> String {
    let port = if port == super::SSH_PORT { String::new() } else { format!("-p {port} ") };
    format!("ssh-keyscan {port}{host} >> {}", file.display())
}
