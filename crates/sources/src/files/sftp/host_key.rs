//! Host keys: the key that a server presents is compared with those in a `known_hosts` file.

use super::server::{SSH_PORT, Server};
use perennial_core::error::{Error, Result};
use perennial_core::regular_file;
use russh::client;
use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::{HashAlg, PublicKey, PublicKeyBase64, PublicKeyOrCertificate};
use std::path::{Path, PathBuf};

/// The known keys of one server.
pub(super) struct HostKeys {
    file: PathBuf,
    host: String,
    port: u16,
    known: Vec<KnownKey>,
    /// Keys that must not be trusted, as the file contains them.
    revoked: Vec<String>,
}

/// A key, and its line in the file.
pub(super) struct KnownKey {
    line: usize,
    pub(super) key: PublicKey,
}

impl HostKeys {
    /// Reads the `known_hosts` file.
    ///
    /// # Errors
    /// Of kind `Project` when it does not exist or is not in OpenSSH's format.
    pub(super) fn read(server: &Server) -> Result<HostKeys> {
        let file = match (&server.access.known_hosts_file, std::env::home_dir()) {
            (Some(file), _) => file.clone(),
            (None, Some(home)) => home.join(".ssh/known_hosts"),
            (None, None) => {
                let error = Error::project("no `known_hosts_file` is set, and this account has no home directory");
                return Err(error.hint("write `known_hosts_file: ...` next to `location`"));
            }
        };
        let text = match regular_file::read(&file) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && server.access.known_hosts_file.is_none() => {
                String::new()
            }
            Err(e) => {
                return Err(
                    Error::project(format!("cannot read the known hosts in {}: {e}", file.display())).because(e)
                );
            }
        };
        let (host, port) = (server.host.clone(), server.port);
        let found = known_host_keys_path(&host, port, &file).map_err(|e| {
            let error = format!("cannot read the key of `{}` in {}: {e}", server.name(), file.display());
            Error::project(error).because(e)
        })?;
        // The library does not count comment lines.
        let line_of = |key: &PublicKey| {
            let key = key.public_key_base64();
            text.lines().position(|line| !line.starts_with('#') && line.contains(&key))
        };
        let known = found
            .into_iter()
            .map(|(line, key)| KnownKey { line: line_of(&key).map_or(line, |before| before + 1), key })
            .collect();
        let revoked = text.lines().filter_map(|line| line.trim().strip_prefix("@revoked"));
        let revoked = revoked.filter_map(|rest| rest.split_whitespace().nth(2)).map(str::to_string).collect();
        Ok(HostKeys { file, host, port, known, revoked })
    }

    /// The known keys of the server.
    pub(super) fn known(&self) -> &[KnownKey] {
        &self.known
    }

    /// Checks the key that the server presents.
    ///
    /// # Errors
    /// Of kind `Project`, with the fingerprint and what to do.
    pub(super) fn check(&self, server: &str, shown: &PublicKey) -> Result<()> {
        let fingerprint = shown.fingerprint(HashAlg::Sha256);
        let file = self.file.display();
        if self.revoked.contains(&shown.public_key_base64()) {
            return Err(Error::project(format!("the host key of {server} ({fingerprint}) is revoked in {file}")));
        }
        if self.known.iter().any(|known| known.key.key_data() == shown.key_data()) {
            return Ok(());
        }
        let kind = shown.algorithm();
        let Some(known) = self.known.first() else {
            let message = format!("{server} is not a known host: it presents the key {fingerprint} ({kind})");
            let hint = format!(
                "ask its administrators whether this is its key; if so: {}",
                scan(&self.host, self.port, &self.file)
            );
            return Err(Error::project(message).hint(hint));
        };
        let message = format!(
            "the host key of {server} has changed: it presents {fingerprint} ({kind}), but {file} has {} in line {}",
            known.key.fingerprint(HashAlg::Sha256),
            known.line
        );
        let name = if self.port == SSH_PORT { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) };
        Err(Error::project(message).hint(format!(
            "somebody may be intercepting the connection: ask its administrators; if they changed the key: \
             ssh-keygen -R '{name}' -f {file} && {}",
            scan(&self.host, self.port, &self.file)
        )))
    }
}

/// The command that adds the keys of a server.
fn scan(host: &str, port: u16, file: &Path) -> String {
    let port = if port == SSH_PORT { String::new() } else { format!("-p {port} ") };
    format!("ssh-keyscan {port}{host} >> {}", file.display())
}

/// Verifies the server's key while the connection is opened.
pub(super) struct KeyVerifier {
    server: String,
    keys: HostKeys,
}

impl KeyVerifier {
    /// For a server, by its name in errors and its known keys.
    pub(super) fn new(server: String, keys: HostKeys) -> KeyVerifier {
        KeyVerifier { server, keys }
    }
}

/// Why a connection was not opened.
#[derive(Debug)]
pub(super) enum ConnectError {
    Library(russh::Error),
    Own(Error),
}

impl From<russh::Error> for ConnectError {
    fn from(error: russh::Error) -> ConnectError {
        ConnectError::Library(error)
    }
}

impl client::Handler for KeyVerifier {
    type Error = ConnectError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, ConnectError> {
        self.keys.check(&self.server, &shown.public_key()).map(|()| true).map_err(ConnectError::Own)
    }
}
