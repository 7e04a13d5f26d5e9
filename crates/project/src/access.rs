//! Credentials and connection settings: the keys of a source besides its location.

use super::document::{Document, Node, Text, Value};
use super::environment::absolute;
use super::fields::Fields;
use perennial_core::contract::{Access, Secret, Tls};
use perennial_core::error::Error;
use std::path::{Path, PathBuf};

const TLS: [(&str, Tls); 3] = [("verify", Tls::Verify), ("encrypt", Tls::Encrypt), ("off", Tls::Off)];
/// Connections side by side to one source, at most.
const MAX_CONNECTIONS: u64 = 16;
/// The keys of a password.
pub(super) const PASSWORD: [&str; 2] = ["password", "password_file"];

/// Reads the keys of a source that say how it is opened.
pub(super) fn read(fields: &Fields, root: &Path) -> Access {
    let defaults = Access::default();
    let file = |key| fields.text(key).map(|text| place(root, &text));
    Access {
        user: fields.text("user").map(|text| text.value),
        password: secret_or_file(fields, PASSWORD, "ERP_PASSWORD", root),
        private_key_file: file("private_key_file"),
        known_hosts_file: file("known_hosts_file"),
        tls: fields.choice("tls", &TLS, defaults.tls),
        ca_file: file("ca_file"),
        headers: headers(fields),
        connect_timeout_seconds: fields.count("connect_timeout_seconds", defaults.connect_timeout_seconds, 1..=3600),
        read_timeout_seconds: fields.count("read_timeout_seconds", defaults.read_timeout_seconds, 1..=86_400),
        connections: fields.count("connections", defaults.connections as u64, 1..=MAX_CONNECTIONS) as usize,
    }
}

/// A file that holds a secret or a key, counted from the project's folder; `~` is the account's own.
pub(super) fn place(root: &Path, text: &Text) -> PathBuf {
    match (text.value.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => absolute(root, &text.value),
    }
}

/// A secret as of [`secret_or_file`], whose file may not be in the project either.
pub(super) fn secret_of(fields: &Fields, keys: [&'static str; 2], variable: &str, root: &Path) -> Option<Secret> {
    let secret = secret_or_file(fields, keys, variable, root)?;
    if matches!(&secret, Secret::File(path) if path.starts_with(root)) {
        let [key, file_key] = keys;
        let error = Error::project(format!("`{file_key}` names a file in the project"));
        let hint = format!("keep the file outside the project, or write `{key}: ${{{variable}}}`");
        let span = fields.text(file_key).map_or_else(|| fields.span_of(file_key), |text| text.span);
        fields.document.report(&span, error.hint(hint));
    }
    Some(secret)
}

/// A secret under one key, or a file of it under another one; `variable` is an example of where it may come from. That of a
/// source may be in the project, as it always could.
fn secret_or_file(fields: &Fields, keys: [&'static str; 2], variable: &str, root: &Path) -> Option<Secret> {
    let [key, file_key] = keys;
    let written = fields.text(key);
    let file = fields.text(file_key).map(|text| Secret::File(place(root, &text)));
    if written.is_some() && file.is_some() {
        let error = Error::project(format!("`{key}` and `{file_key}` contradict each other"));
        fields.document.report(&fields.span_of(file_key), error.hint("remove one of them"));
    }
    written.and_then(|text| secret(fields.document, key, Some(file_key), variable, &text)).or(file)
}

/// A secret, which may not be in the project itself.
fn secret(document: &Document, key: &str, file_key: Option<&str>, variable: &str, text: &Text) -> Option<Secret> {
    if !text.value.contains("${") {
        let error = Error::project(format!("`{key}` is written in the project itself"));
        let file = file_key.map(|key| format!(", or from a file outside the project (`{key}`)"));
        let hint = format!("take it from the environment (`{key}: ${{{variable}}}`){}", file.unwrap_or_default());
        document.report_secret(&text.span, error.hint(hint));
        return None;
    }
    Some(Secret::Environment(text.value.clone()))
}

/// Headers of requests. Those without a variable are not secret.
fn headers(fields: &Fields) -> Vec<(String, Secret)> {
    let Some(node) = fields.optional("headers") else { return Vec::new() };
    let entries = fields.document.entries(node, "`headers`").unwrap_or_default();
    let header = |(key, node): &(Text, Node)| match &node.value {
        Value::Scalar { text, .. } => {
            let word = key.value.to_ascii_lowercase();
            let secret_like = ["authorization", "x-api-key", "api-key", "cookie"].contains(&word.as_str());
            if secret_like {
                let text = Text { value: text.clone(), span: node.span.clone() };
                return secret(fields.document, &key.value, None, "ERP_PASSWORD", &text)
                    .map(|secret| (key.value.clone(), secret));
            }
            Some((key.value.clone(), Secret::Environment(text.clone())))
        }
        _ => {
            let message = format!("the header `{}` must be text, found {}", key.value, node.kind());
            fields.document.report(&node.span, Error::project(message));
            None
        }
    };
    entries.iter().filter_map(header).collect()
}
