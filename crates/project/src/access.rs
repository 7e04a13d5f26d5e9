//! Credentials and connection settings: the keys of a source besides its location.

use super::document::{Document, Node, Text, Value};
use super::environment::absolute;
use super::fields::Fields;
use perennial_core::contract::{Access, Secret, Tls};
use perennial_core::error::Error;
use std::path::{Path, PathBuf};

const TLS: [(&str, Tls); 3] = [("verify", Tls::Verify), ("encrypt", Tls::Encrypt), ("off", Tls::Off)];
/// Connections side by side to one source, at most.
const MAX_CONNECTIONS: usize = 16;

/// Reads the keys of a source that say how it is opened.
pub(super) fn read(fields: &Fields, root: &Path) -> Access {
    let defaults = Access::default();
    let file = |key| fields.text(key).map(|text| place(root, &text));
    let password_file = file("password_file");
    let password = fields.text("password").and_then(|text| secret(fields.document, "password", &text));
    if password.is_some() && password_file.is_some() {
        let error = Error::project("a source has `password` or `password_file`, not both");
        fields.document.report(&fields.span_of("password_file"), error);
    }
    Access {
        user: fields.text("user").map(|text| text.value),
        password: password.or(password_file.map(Secret::File)),
        private_key_file: file("private_key_file"),
        known_hosts_file: file("known_hosts_file"),
        tls: fields.choice("tls", &TLS, defaults.tls),
        ca_file: file("ca_file"),
        headers: headers(fields),
        connect_timeout_seconds: count(fields, "connect_timeout_seconds", defaults.connect_timeout_seconds, 3600),
        read_timeout_seconds: count(fields, "read_timeout_seconds", defaults.read_timeout_seconds, 86_400),
        connections: count(fields, "connections", defaults.connections as u64, MAX_CONNECTIONS as u64) as usize,
    }
}

/// A file that holds a secret or a key, counted from the project's folder; `~` is the account's own.
fn place(root: &Path, text: &Text) -> PathBuf {
    match (text.value.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => absolute(root, &text.value),
    }
}

/// A secret, which may not stand in the project itself.
fn secret(document: &Document, key: &str, text: &Text) -> Option<Secret> {
    if !text.value.contains("${") {
        let error = Error::project(format!("`{key}` is written in the project itself"));
        let hint =
            format!("take it from the environment (`{key}: ${{ERP_PASSWORD}}`), or from a file outside the project");
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
                return secret(fields.document, &key.value, &text).map(|secret| (key.value.clone(), secret));
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

fn count(fields: &Fields, key: &'static str, otherwise: u64, most: u64) -> u64 {
    let Some((count, span)) = fields.number::<u64>(key, "a whole number") else { return otherwise };
    if !(1..=most).contains(&count) {
        let error = Error::project(format!("`{key}` is `{count}`")).hint(format!("write a number from 1 to {most}"));
        fields.document.report(&span, error);
        return otherwise;
    }
    count
}
