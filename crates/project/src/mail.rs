//! `mail` of perennial.yml: how mail is sent.

use super::access::{self, PASSWORD};
use super::document::{Document, Node, Text};
use super::environment::{self, Lookup};
use super::fields::Fields;
use super::folders::OwnPlaces;
use super::{Address, Mail, MailLogin, MailSecurity, MailServer};
use perennial_core::error::Error;
use perennial_core::{location, regular_file};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use url::{Host, Url};

/// What is attached to one mail, encoded, where nothing is said: most servers take 10 MB.
const MAX_ATTACHMENT_BYTES: u64 = 8_000_000;
const TIMEOUT: Duration = Duration::from_secs(60);
/// The port for submission with STARTTLS and that with TLS from the first byte (RFC 8314).
const STARTTLS_PORT: u16 = 587;
const TLS_PORT: u16 = 465;
const SERVER_HINT: &str = "write `smtp://mail.example.com:587` (STARTTLS), `smtps://mail.example.com:465` (TLS), or \
                           `folder:outbox` for a folder into which mails are written";
const CLIENT_SECRET: [&str; 2] = ["client_secret", "client_secret_file"];

/// Reads `mail`.
pub(super) fn read(fields: &Fields, own: OwnPlaces, lookup: Lookup) -> Option<Mail> {
    let node = fields.optional("mail")?;
    let mail = Fields::of(fields.document, node, "`mail`", fields.span_of("mail"))?;
    mail.required("from");
    let from = expanded(&mail, "from", lookup).and_then(|text| address(mail.document, &text));
    mail.required("server");
    let server = server(&mail, own, from.as_ref(), lookup);
    let reply_to = mail.text("reply_to").and_then(|text| address(mail.document, &text));
    let max_attachment_bytes = mail.size("attach_max").unwrap_or(MAX_ATTACHMENT_BYTES);
    let list_unsubscribe = list_unsubscribe(&mail);
    mail.finish();
    Some(Mail { from: from?, reply_to, server: server?, max_attachment_bytes, list_unsubscribe })
}

/// The text of a key with its variables of the environment.
fn expanded(fields: &Fields, key: &'static str, lookup: Lookup) -> Option<Text> {
    let text = fields.text(key)?;
    let value = environment::expand(fields.document, &text, lookup)?;
    Some(Text { value, ..text })
}

/// An address; reported and nothing when it is none.
pub(super) fn address(document: &Document, text: &Text) -> Option<Address> {
    match Address::parse(&text.value) {
        Ok(address) => Some(address),
        Err(error) => {
            document.report(&text.span, error);
            None
        }
    }
}

fn server(mail: &Fields, own: OwnPlaces, from: Option<&Address>, lookup: Lookup) -> Option<MailServer> {
    let tls = mail.text("tls").and_then(|text| {
        let off = mail.document.choice("tls", &text, &[("verify", false), ("off", true)])?;
        Some((off, text.span))
    });
    let ca_file = mail.text("ca_file").map(|text| (access::place(own.root, &text), text.span));
    let timeout = mail.duration("timeout", "1s", "10m").unwrap_or(TIMEOUT);
    let login = login(mail, own.root, from);
    let text = expanded(mail, "server", lookup)?;
    if let Some(folder) = text.value.strip_prefix("folder:") {
        if folder.is_empty() {
            let error = Error::project("`server` does not name a folder").hint("write `folder:outbox`");
            mail.document.report(&text.span, error);
            return None;
        }
        let path = environment::absolute(own.root, folder);
        if let Some(why) = own.in_the_way_of_folder(&path) {
            let error = Error::project(format!("`server` is `{}`, and {why}", text.value));
            mail.document.report(&text.span, error.hint("write a folder of its own: `folder:outbox`"));
            return None;
        }
        return Some(MailServer::Folder(path));
    }
    let (host, port, is_smtps) = smtp(mail.document, &text)?;
    let is_here = is_this_machine(&host);
    let security = match tls {
        Some((true, span)) if is_smtps => {
            let error = Error::project("`tls: off` contradicts `smtps://`").hint("write `smtp://`, or remove `tls`");
            mail.document.report(&span, error);
            MailSecurity::Tls
        }
        Some((true, _)) => MailSecurity::Off,
        _ if is_smtps => MailSecurity::Tls,
        None if is_here => MailSecurity::Off,
        _ => MailSecurity::StartTls,
    };
    if security == MailSecurity::Off && !is_here && !matches!(login, MailLogin::None) {
        let error = Error::project("the password of the mail server would be sent without encryption");
        mail.document.report(&mail.span_of("tls"), error.hint("remove `tls: off`"));
    }
    if security == MailSecurity::Off && !matches!(login, MailLogin::None) && !mail.is_set("tls") {
        let message = "the login is sent without encryption, which not every server takes";
        let hint = "write `tls: verify` if the server offers STARTTLS, else `tls: off`";
        mail.document.note(&mail.span_of("user"), message, hint);
    }
    if let Some((path, span)) = &ca_file {
        check_certificates(mail.document, path, span);
    }
    let ca_file = ca_file.map(|(path, _)| path);
    Some(MailServer::Smtp { host, port, security, login, ca_file, timeout })
}

/// Notes that no mail can be sent with the certificates of a file. Figures are made without them, so that it is not a mistake of
/// the project: `check` may run on another machine than the night.
fn check_certificates(document: &Document, path: &Path, span: &Range<usize>) {
    let found = match regular_file::read(path) {
        Err(error) => format!("cannot be read: {error}"),
        Ok(pem) if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") => {
            "contains no certificate".to_string()
        }
        Ok(_) => return,
    };
    let message = format!("the file {} of `ca_file` {found}", path.display());
    document.note(span, message, "no mail can be sent before it holds certificates in PEM format");
}

/// Host, port and whether TLS begins at once.
fn smtp(document: &Document, text: &Text) -> Option<(String, u16, bool)> {
    // The address is not shown before it is known to hold no password.
    if location::has_password(&text.value) || text.value.contains('@') {
        let error = Error::project("`server` contains a user or a password");
        let hint = "remove it, and write `user` and `password: ${SMTP_PASSWORD}` next to `server`";
        document.report_secret(&text.span, error.hint(hint));
        return None;
    }
    let report = |what: &str| {
        document.report(&text.span, Error::project(format!("`server` is `{}`{what}", text.value)).hint(SERVER_HINT));
        None
    };
    let (is_smtps, default_port) = match location::scheme(&text.value).as_deref() {
        Some("smtp") => (false, STARTTLS_PORT),
        Some("smtps") => (true, TLS_PORT),
        _ => return report(""),
    };
    let is_one_word = !text.value.contains(|c: char| c.is_whitespace() || c.is_control());
    let Some(url) = Url::parse(&text.value).ok().filter(|_| is_one_word) else {
        return report(", which is not the address of a server");
    };
    // A URL of this scheme keeps the name of its server as it is written; another script becomes ASCII here.
    let host = match url.host_str().map(Host::parse) {
        Some(Ok(Host::Ipv6(address))) => address.to_string(),
        Some(Ok(host)) => host.to_string(),
        _ => return report(", which does not name a server"),
    };
    let has_more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if has_more || url.port() == Some(0) {
        return report(", which has more than a server and a port");
    }
    Some((host, url.port().unwrap_or(default_port), is_smtps))
}

fn is_this_machine(host: &str) -> bool {
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || host.eq_ignore_ascii_case("localhost")
}

fn login(mail: &Fields, root: &Path, from: Option<&Address>) -> MailLogin {
    let user = mail.text("user").map(|text| text.value);
    let password = access::secret_of(mail, PASSWORD, "SMTP_PASSWORD", root);
    let has_password = PASSWORD.iter().any(|key| mail.is_set(key));
    if let Some(node) = mail.optional("oauth") {
        if has_password {
            let key = PASSWORD.into_iter().find(|key| mail.is_set(key)).unwrap_or("password");
            let error = Error::project(format!("`{key}` and `oauth` contradict each other"));
            mail.document.report(&mail.span_of(key), error.hint("remove one of them"));
        }
        let mailbox = user.or_else(|| from.map(|from| from.address.clone())).unwrap_or_default();
        return oauth(mail, node, mailbox, root).unwrap_or(MailLogin::None);
    }
    match (user, password) {
        (Some(user), Some(password)) => MailLogin::Password { user, password },
        (Some(_), None) if !has_password => {
            let error = Error::project("`user` needs a `password`");
            let hint = "write `password: ${SMTP_PASSWORD}`, `password_file` or `oauth`";
            mail.document.report(&mail.span_of("user"), error.hint(hint));
            MailLogin::None
        }
        (None, Some(_)) => {
            let key = if mail.is_set("password") { "password" } else { "password_file" };
            mail.document.report(&mail.span_of(key), Error::project(format!("`{key}` needs a `user`")));
            MailLogin::None
        }
        _ => MailLogin::None,
    }
}

fn oauth(mail: &Fields, node: &Node, user: String, root: &Path) -> Option<MailLogin> {
    let oauth = Fields::of(mail.document, node, "`oauth`", mail.span_of("oauth"))?;
    let token_url = oauth.required_text("token_url").and_then(|text| web_address(oauth.document, "token_url", &text));
    let client_id = oauth.required_text("client_id").map(|text| text.value);
    let scope = oauth.required_text("scope").map(|text| text.value);
    let secret = access::secret_of(&oauth, CLIENT_SECRET, "SMTP_CLIENT_SECRET", root);
    if !CLIENT_SECRET.iter().any(|key| oauth.is_set(key)) {
        oauth.required("client_secret");
    }
    oauth.finish();
    Some(MailLogin::OAuth { user, token_url: token_url?, client_id: client_id?, client_secret: secret?, scope: scope? })
}

/// A web address without secrets and without a final `/`. Outside of this machine `token_url` must be encrypted.
pub(super) fn web_address(document: &Document, key: &str, text: &Text) -> Option<String> {
    let problem = match Url::parse(&text.value) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() || url.query().is_some() => {
            let error = Error::project(format!("`{key}` contains a user, a password or a query"));
            document.report_secret(&text.span, error.hint("write the address without them"));
            return None;
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() => {
            let is_here = url.host_str().is_some_and(is_this_machine);
            match url.scheme() == "http" && key == "token_url" && !is_here {
                true => "a secret is sent there, and it is not encrypted",
                false => return Some(text.value.trim_end_matches('/').to_string()),
            }
        }
        _ => "it is not a web address",
    };
    let error = Error::project(format!("`{key}` is `{}`: {problem}", text.value));
    document.report(&text.span, error.hint("write it as `https://example.com/path`"));
    None
}

fn list_unsubscribe(mail: &Fields) -> Option<String> {
    let text = mail.text("list_unsubscribe")?;
    let is_visible = text.value.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,\"".contains(&byte));
    let is_address = match text.value.strip_prefix("mailto:") {
        Some(to) => Address::parse(to.split('?').next().unwrap_or("")).is_ok_and(|address| address.name.is_none()),
        None => Url::parse(&text.value).is_ok_and(|url| url.scheme() == "https" && url.has_host()),
    };
    if is_visible && is_address {
        return Some(text.value);
    }
    let shown = perennial_core::visible::on_one_line(&text.value).into_owned();
    let error = Error::project(format!("`list_unsubscribe` is `{shown}`"));
    mail.document.report(&text.span, error.hint("write `mailto:name@example.com` or `https://example.com/path`"));
    None
}
