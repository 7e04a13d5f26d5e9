//! Credentials: a private key, a password, or both; and logging in with them.

use super::host_key::KeyVerifier;
use super::server::Server;
use perennial_core::error::{Error, Result};
use perennial_core::regular_file;
use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, load_secret_key};
use std::path::Path;
use std::sync::Arc;

/// Rounds of prompts that a server may send before it accepts a password.
const MAX_PROMPTS: usize = 4;

/// What is presented to the server.
pub(super) struct Credentials {
    key: Option<Arc<PrivateKey>>,
    password: Option<String>,
}

impl Credentials {
    /// Looks up secrets and keys.
    ///
    /// # Errors
    /// Of kind `Project` when there is neither key nor password, or the key cannot be opened.
    pub(super) fn of(server: &Server) -> Result<Credentials> {
        let access = &server.access;
        let mut password = access.password.as_ref().map(|secret| secret.reveal()).transpose()?;
        let Some(file) = &access.private_key_file else {
            if password.is_none() {
                let message = format!("no credentials for `{}` on {}", server.user, server.name());
                let hint =
                    "write `private_key_file: ~/.ssh/id_ed25519` or `password: ${SFTP_PASSWORD}` next to `location`";
                return Err(Error::project(message).hint(hint));
            }
            return Ok(Credentials { key: None, password });
        };
        // The library would wait for the other end of a pipe.
        regular_file::open(file).map_err(|e| {
            Error::project(format!("the private key {} cannot be read: {e}", file.display())).because(e)
        })?;
        let key = match load_secret_key(file, None) {
            Ok(key) => key,
            Err(error) => match &password {
                Some(passphrase) if is_encrypted(&error) => {
                    let opened = load_secret_key(file, Some(passphrase));
                    let opened = opened
                        .map_err(|e| wrong_key(file, "cannot be decrypted with the passphrase in `password`", e))?;
                    // It was the passphrase of the key, so it is not the password of the account.
                    password = None;
                    opened
                }
                None if is_encrypted(&error) => {
                    let error = wrong_key(file, "is protected by a passphrase", error);
                    return Err(error.hint("set the passphrase as `password: ${SFTP_PASSPHRASE}`"));
                }
                _ => return Err(wrong_key(file, "cannot be read", error)),
            },
        };
        Ok(Credentials { key: Some(Arc::new(key)), password })
    }

    /// What is presented, for people.
    fn label(&self) -> &'static str {
        match (&self.key, &self.password) {
            (Some(_), Some(_)) => "its private key and its password",
            (Some(_), None) => "its private key",
            _ => "its password",
        }
    }
}

/// Whether a key is encrypted; some formats only report that they cannot be parsed without a passphrase.
fn is_encrypted(error: &russh::keys::Error) -> bool {
    use russh::keys::Error as Key;
    !matches!(error, Key::IO(_) | Key::CouldNotReadKey | Key::UnsupportedKeyType { .. } | Key::Decode(_))
}

fn wrong_key(file: &Path, what: &str, error: russh::keys::Error) -> Error {
    Error::project(format!("the private key {} {what}: {error}", file.display())).because(error)
}

/// Logs in.
///
/// # Errors
/// Of kind `Project` when the server refuses the login, `Unreachable` when it closes the connection.
pub(super) async fn log_in(handle: &mut Handle<KeyVerifier>, server: &Server, credentials: Credentials) -> Result<()> {
    let ended = |error: russh::Error| {
        Error::unreachable(format!("{} closed the connection during login: {error}", server.name())).because(error)
    };
    let mut offered: Vec<MethodKind> = Vec::new();
    if let Some(key) = &credentials.key {
        for hash in hashes(handle, key).await.map_err(ended)? {
            let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
            match handle.authenticate_publickey(&server.user, key).await.map_err(ended)? {
                AuthResult::Success => return Ok(()),
                AuthResult::Failure { remaining_methods, .. } => offered = remaining_methods.to_vec(),
            }
        }
    }
    if let Some(password) = &credentials.password {
        match handle.authenticate_password(&server.user, password).await.map_err(ended)? {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => offered = remaining_methods.to_vec(),
        }
        if offered.contains(&MethodKind::KeyboardInteractive)
            && answer_prompts(handle, &server.user, password).await.map_err(ended)?
        {
            return Ok(());
        }
    }
    let name = server.name();
    if handle.is_closed() {
        return Err(Error::unreachable(format!("{name} closed the connection during login")));
    }
    let error = Error::project(format!("{name} refuses the user `{}` with {}", server.user, credentials.label()));
    let methods: Vec<&str> = offered.iter().map(|method| method.into()).collect();
    Err(error
        .hint(format!("check `user`, `password` and `private_key_file`; the server accepts {}", methods.join(", "))))
}

/// The hashes with which a key may sign; only RSA keys have a choice.
async fn hashes(handle: &Handle<KeyVerifier>, key: &PrivateKey) -> Result<Vec<Option<HashAlg>>, russh::Error> {
    if !key.algorithm().is_rsa() {
        return Ok(vec![None]);
    }
    Ok(match handle.best_supported_rsa_hash().await? {
        Some(best) => vec![best],
        // A server that does not say: the newer one, then the one that old servers support.
        None => vec![Some(HashAlg::Sha256), None],
    })
}

/// Sends the password to a server that prompts for it.
async fn answer_prompts(handle: &mut Handle<KeyVerifier>, user: &str, password: &str) -> Result<bool, russh::Error> {
    let mut answer = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MAX_PROMPTS {
        let prompts = match answer {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        let responses = prompts.iter().map(|_| password.to_string()).collect();
        answer = handle.authenticate_keyboard_interactive_respond(responses).await?;
    }
    Ok(false)
}
