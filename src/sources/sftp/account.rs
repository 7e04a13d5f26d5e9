//! As whom and by what we log in: a private key, a password, or both.

use super::Server;
use super::connection::Guard;
use crate::error::{Error, Result};
use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, load_secret_key};
use std::path::Path;
use std::sync::Arc;

/// Questions that a server may ask before it lets us in by password.
const MOST_QUESTIONS: usize = 4;

/// What we show.
pub(super) struct Account {
    key: Option<Arc<PrivateKey>>,
    password: Option<String>,
}

impl Account {
    /// Looks secrets and keys up.
    ///
    /// # Errors
    /// Of kind `Project` when there is neither key nor password, or the key cannot be opened.
    pub(super) fn of(server: &Server) -> Result<Account> {
        let access = &server.access;
        let mut password = access.password.as_ref().map(|secret| secret.reveal()).transpose()?;
        let Some(file) = &access.private_key_file else {
            if password.is_none() {
                let message = format!("nothing says how `{}` logs in to {}", server.user, server.name());
                let hint =
                    "write `private_key_file: ~/.ssh/id_ed25519` or `password: ${SFTP_PASSWORD}` beside `location`";
                return Err(Error::project(message).hint(hint));
            }
            return Ok(Account { key: None, password });
        };
        let key = match load_secret_key(file, None) {
            Ok(key) => key,
            Err(error) => match &password {
                Some(passphrase) if is_locked(&error) => {
                    let opened = load_secret_key(file, Some(passphrase));
                    let opened =
                        opened.map_err(|e| wrong_key(file, "is not opened by the passphrase in `password`", e))?;
                    // It was the key's, so it is not the account's.
                    password = None;
                    opened
                }
                None if is_locked(&error) => {
                    let error = wrong_key(file, "is protected by a passphrase", error);
                    return Err(error.hint("give the passphrase as `password: ${SFTP_PASSPHRASE}`"));
                }
                _ => return Err(wrong_key(file, "cannot be read", error)),
            },
        };
        Ok(Account { key: Some(Arc::new(key)), password })
    }

    /// What is shown, for people.
    fn words(&self) -> &'static str {
        match (&self.key, &self.password) {
            (Some(_), Some(_)) => "its private key and its password",
            (Some(_), None) => "its private key",
            _ => "its password",
        }
    }
}

/// Whether a key is there but closed; some forms of keys only say that they cannot be understood without a passphrase.
fn is_locked(error: &russh::keys::Error) -> bool {
    use russh::keys::Error as Key;
    !matches!(error, Key::IO(_) | Key::CouldNotReadKey | Key::UnsupportedKeyType { .. } | Key::Decode(_))
}

fn wrong_key(file: &Path, what: &str, error: russh::keys::Error) -> Error {
    Error::project(format!("the private key {} {what}: {error}", file.display())).because(error)
}

/// Logs in.
///
/// # Errors
/// Of kind `Project` when the server refuses the account, `Unreachable` when it ends the connection.
pub(super) async fn log_in(handle: &mut Handle<Guard>, server: &Server, account: Account) -> Result<()> {
    let ended = |error: russh::Error| {
        Error::unreachable(format!("{} ended the connection while we logged in: {error}", server.name())).because(error)
    };
    let mut offered: Vec<MethodKind> = Vec::new();
    if let Some(key) = &account.key {
        for hash in hashes(handle, key).await.map_err(ended)? {
            let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
            match handle.authenticate_publickey(&server.user, key).await.map_err(ended)? {
                AuthResult::Success => return Ok(()),
                AuthResult::Failure { remaining_methods, .. } => offered = remaining_methods.to_vec(),
            }
        }
    }
    if let Some(password) = &account.password {
        match handle.authenticate_password(&server.user, password).await.map_err(ended)? {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => offered = remaining_methods.to_vec(),
        }
        if offered.contains(&MethodKind::KeyboardInteractive)
            && answer_questions(handle, &server.user, password).await.map_err(ended)?
        {
            return Ok(());
        }
    }
    let name = server.name();
    if handle.is_closed() {
        return Err(Error::unreachable(format!("{name} ended the connection while we logged in")));
    }
    let error = Error::project(format!("{name} refuses the account `{}` with {}", server.user, account.words()));
    let methods: Vec<&str> = offered.iter().map(|method| method.into()).collect();
    Err(error
        .hint(format!("look at `user`, `password` and `private_key_file`; the server takes {}", methods.join(", "))))
}

/// The hashes with which a key may sign; only RSA keys have a choice.
async fn hashes(handle: &Handle<Guard>, key: &PrivateKey) -> Result<Vec<Option<HashAlg>>, russh::Error> {
    if !key.algorithm().is_rsa() {
        return Ok(vec![None]);
    }
    Ok(match handle.best_supported_rsa_hash().await? {
        Some(best) => vec![best],
        // A server that does not say: the newer way, then the one that old servers know.
        None => vec![Some(HashAlg::Sha256), None],
    })
}

/// Gives the password to a server that asks for it as a question.
async fn answer_questions(handle: &mut Handle<Guard>, user: &str, password: &str) -> Result<bool, russh::Error> {
    let mut answer = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MOST_QUESTIONS {
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
