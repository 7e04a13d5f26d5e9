//! Locations: paths and URLs that say where a source or a lake is; and what no text may show of them and of secrets.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt::Write;

/// Where the password of a source belongs.
pub const PASSWORD_HINT: &str =
    "remove it, and write `password: ${NAME}` (an environment variable) or `password_file: ...` next to `location`";

/// Where the credentials of the object store of a location belong.
fn credentials_hint(scheme: &str) -> &'static str {
    match scheme {
        "az" | "abfs" | "abfss" => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN in the environment"
        }
        "gs" => "set GOOGLE_APPLICATION_CREDENTIALS in the environment to the path of a file with credentials",
        "file" => "write the path of the folder and nothing else",
        _ => "set access keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...)",
    }
}

/// The scheme of a URL, in lower case; `None` for a path.
pub fn scheme(location: &str) -> Option<String> {
    let (scheme, _) = location.split_once("://")?;
    let valid = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    valid.then(|| scheme.to_ascii_lowercase())
}

/// Whether a URL contains a password, as in `mysql://user:password@host`.
pub fn has_password(location: &str) -> bool {
    let Some((_, rest)) = location.split_once("://") else { return false };
    authority(rest).rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Refuses a location that contains a password: locations are shown in messages and kept in files. `hint` says where
/// the password belongs.
///
/// # Errors
/// Of kind `Project`; the location is not shown.
pub fn forbid_password(location: &str, hint: &str) -> Result<()> {
    if has_password(location) {
        return Err(Error::project("the location contains a password").hint(hint));
    }
    Ok(())
}

/// Refuses a location of a store that contains anything besides the store and a path in it: a user or a password may be
/// a key, and a query (`?sig=...`) a signature. The hint says where the credentials of such a store belong.
///
/// # Errors
/// Of kind `Project`; the location is not shown.
pub fn forbid_credentials(location: &str) -> Result<()> {
    let Some(scheme) = scheme(location) else { return Ok(()) };
    let hint = credentials_hint(&scheme);
    forbid_password(location, hint)?;
    let error = |what: &str| Err(Error::project(format!("the location contains {what}")).hint(hint));
    let rest = &location[scheme.len() + 3..];
    if rest.contains('?') {
        return error("a query, which may be a signature or a token");
    }
    if rest.contains('#') {
        return error("a `#` and what follows it, which no store reads");
    }
    // Azure writes `abfss://container@account...`.
    if authority(rest).contains('@') && !matches!(scheme.as_str(), "abfs" | "abfss") {
        return error("a user, which may be an access key");
    }
    Ok(())
}

/// Refuses a query whose names say that it holds a token (`?api_key=...`), unless it is taken from the environment
/// (`?api_key=${NAME}`). `hint` says where it belongs.
///
/// # Errors
/// Of kind `Project`; the location is not shown.
pub fn forbid_tokens(location: &str, hint: &str) -> Result<()> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split(['&', ';', '#']).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let written = pairs.filter(|(_, value)| !value.contains("${")).map(|(name, _)| name);
    match written.into_iter().find(|name| names_secret(name)) {
        Some(name) => {
            Err(Error::project(format!("the query contains `{name}`, which is a secret by its name")).hint(hint))
        }
        None => Ok(()),
    }
}

/// Parts of names of secrets.
const SECRETS: [&str; 8] =
    ["secret", "password", "passwd", "signature", "credential", "apikey", "accesskey", "authkey"];
/// Parts of names of tokens that are not a secret: those of pages.
const OF_PAGES: [&str; 5] = ["page", "next", "start", "continu", "sync"];
/// Parts of names of tokens that are a secret whatever else the name says: `page_access_token`.
const OF_ACCESS: [&str; 4] = ["access", "auth", "bearer", "refresh"];
/// Words before `key` that make it a secret; a `sort_key` is none.
const KEYS_OF: [&str; 9] = ["api", "access", "account", "app", "auth", "client", "private", "shared", "subscription"];

/// Whether the name of a parameter says that its value is a secret: `api_key`, `X-Amz-Signature`, `access_token`.
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let holds = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    name == "key"
        || words.iter().any(|word| ["sig", "auth", "pwd", "pass", "jwt"].contains(word))
        || words.windows(2).any(|pair| pair[1] == "key" && KEYS_OF.contains(&pair[0]))
        || holds(&SECRETS)
        || name.contains("token") && (holds(&OF_ACCESS) || !holds(&OF_PAGES))
}

/// The part of a URL, without its scheme, that says where the server is.
fn authority(rest: &str) -> &str {
    &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
}

/// Removes what may be a secret from every URL in a text: passwords, users of web addresses, and queries, in which
/// signed URLs carry their signature.
pub fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("://") {
        let (before, after) = rest.split_at(found + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(after.len());
        let (url, next) = after.split_at(end);
        let authority = authority(url);
        let path = match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') || before.ends_with("http://") || before.ends_with("https://") => {
                clean.push_str("...@");
                clean.push_str(host);
                &url[authority.len()..]
            }
            _ => url,
        };
        match path.split_once('?') {
            Some((path, _)) => clean.extend([path, "?..."]),
            None => clean.push_str(path),
        }
        rest = next;
    }
    clean.push_str(rest);
    clean
}

/// Shorter secrets are not hidden in texts: they occur in any.
pub const MIN_SECRET_CHARACTERS: usize = 4;
/// What stands in a text instead of a secret.
const HIDDEN: &str = "***";

/// Replaces secrets in a text: as they are, escaped as in JSON, percent-encoded, and in base64 together with whatever
/// stands before and after them there. Those of fewer than [`MIN_SECRET_CHARACTERS`] stay.
pub fn scrub_secrets<S: AsRef<str>>(text: &str, secrets: impl IntoIterator<Item = S>) -> String {
    let secrets: Vec<S> = secrets.into_iter().collect();
    let long = || secrets.iter().map(AsRef::as_ref).filter(|secret| secret.chars().count() >= MIN_SECRET_CHARACTERS);
    let mut forms: Vec<String> = long().flat_map(written_forms).collect();
    // A secret that is the beginning of another must not leave the rest of that.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    let clean = forms.iter().fold(text.to_string(), |clean, form| clean.replace(form, HIDDEN));
    long().flat_map(base64_forms).fold(clean, |clean, form| without_words(&clean, &form))
}

/// A secret as it is, escaped, and percent-encoded in the ways that are in use.
fn written_forms(secret: &str) -> Vec<String> {
    let mut upper = String::new();
    let mut lower = String::new();
    for byte in secret.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                upper.push(char::from(byte));
                lower.push(char::from(byte));
            }
            _ => {
                let _ = (write!(upper, "%{byte:02X}"), write!(lower, "%{byte:02x}"));
            }
        }
    }
    let escaped = secret.replace('\\', "\\\\").replace('"', "\\\"");
    vec![secret.to_string(), escaped, upper.replace("%20", "+"), upper, lower]
}

/// What base64 of any text has in it that has the secret in it: what stands before a secret shifts it by 0, 1 or 2
/// bytes, and the characters at its ends are of its neighbours too.
fn base64_forms(secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for shift in 0..3 {
        let bytes = [&[0; 2][..shift], secret.as_bytes()].concat();
        let (begin, end) = ((shift * 8).div_ceil(6), bytes.len() * 8 / 6);
        let whole = STANDARD_NO_PAD.encode(bytes);
        let encoded = whole.get(begin..end).unwrap_or_default();
        if encoded.len() >= MIN_SECRET_CHARACTERS {
            found.extend([encoded.to_string(), encoded.replace('+', "-").replace('/', "_")]);
        }
    }
    found
}

/// The text without the words of base64 that have this in them.
fn without_words(text: &str, part: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let is_other = |c: char| !c.is_ascii_alphanumeric() && !"+/-_=".contains(c);
    while let Some(found) = rest.find(part) {
        let begin =
            rest[..found].rfind(is_other).map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
        let after = found + part.len();
        let end = rest[after..].find(is_other).map_or(rest.len(), |at| after + at);
        clean.push_str(&rest[..begin]);
        clean.push_str(HIDDEN);
        rest = &rest[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoded texts are by Python's `base64`, `urllib.parse.quote` and `json`.
    #[test]
    fn secrets_are_hidden_in_every_form() {
        let secret = "p\u{e4}ss/w\"rd? 42";
        for text in [
            "login of p\u{e4}ss/w\"rd? 42 failed",
            "{\"password\": \"p\u{e4}ss/w\\\"rd? 42\"}",
            "GET /?key=p%C3%A4ss%2Fw%22rd%3F%2042&x",
            "GET /?key=p%c3%a4ss%2fw%22rd%3f%2042&x",
            "key=p%C3%A4ss%2Fw%22rd%3F+42",
            // b64(secret), b64(b"\\0u\\0" + secret), b64(b"ab" + secret)
            "cMOkc3MvdyJyZD8gNDI=",
            "AHUAcMOkc3MvdyJyZD8gNDI=",
            "YWJww6Rzcy93InJkPyA0Mg==",
            // urlsafe_b64(b"a" + secret)
            "YXDDpHNzL3cicmQ_IDQy",
        ] {
            let clean = scrub_secrets(text, ["x", secret]);
            assert!(!text.ends_with('=') || clean == "***", "{text}: {clean}");
            assert!(clean.contains("***") && clean.len() < text.len(), "{text}: {clean}");
            assert!(!clean.contains("42\"") && !clean.contains("3Mvdy") && !clean.contains("cy93I"), "{text}: {clean}");
        }
        assert_eq!(scrub_secrets("abc abcd abcdefg abcdefgh", ["abc", "abcd", "abcdefg"]), "abc *** *** ***h");
        assert_eq!(scrub_secrets("nothing to hide", [""]), "nothing to hide");
    }

    #[test]
    fn paths_have_no_scheme() {
        assert_eq!(scheme("S3://bucket/prefix").as_deref(), Some("s3"));
        assert_eq!(scheme("/data/in"), None);
        assert_eq!(scheme("a b://x"), None);
        assert_eq!(scheme("://x"), None);
    }

    #[test]
    fn passwords_are_found_wherever_a_url_has_one() {
        for location in ["mysql://u:p@db/shop", "postgresql://u:p@/shop?host=/run", "https://:p@host", "s3://a:b@c@d/x"]
        {
            assert!(has_password(location), "{location}");
            let error = forbid_password(location, "use `password`").unwrap_err();
            assert!(!error.to_string().contains(location), "{error}");
        }
        for location in ["mysql://u@db:3306/shop", "https://host/a:b@c", "/data/a:b@c", "sftp://[::1]:22/x?y=a:b@c"] {
            assert!(!has_password(location), "{location}");
        }
    }

    #[test]
    fn stores_have_neither_users_nor_queries() {
        for location in [
            "az://c/x?sig=s3cret",
            "s3://b/x?X-Amz-Signature=s3cret",
            "gs://b?x-goog-signature=s3cret",
            "s3://s3cret@bucket/x",
            "az://s3cret@c/x",
            "S3://b/x#s3cret",
            "abfss://c:s3cret@account.dfs.core.windows.net/x",
        ] {
            let error = forbid_credentials(location).unwrap_err();
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
            let of_store = match location.split("://").next() {
                Some("az" | "abfss") => "AZURE_STORAGE_SAS_TOKEN",
                Some("gs") => "GOOGLE_APPLICATION_CREDENTIALS",
                _ => "AWS_ACCESS_KEY_ID",
            };
            assert!(error.hint_text().unwrap().contains(of_store), "{error:?}");
        }
        for location in ["s3://b/a@b:c", "abfss://c@account.dfs.core.windows.net/x", "/data/a?b#c", "az://c"] {
            forbid_credentials(location).unwrap();
        }
    }

    #[test]
    fn tokens_in_a_query_are_told_by_their_names() {
        for name in [
            "sig",
            "api_key",
            "apikey",
            "X-Amz-Signature",
            "access_token",
            "page_access_token",
            "pageAuthToken",
            "next_token_secret",
            "key",
            "client_secret",
            "PWD",
        ] {
            assert!(names_secret(name), "{name}");
            let error = forbid_tokens(&format!("https://h/x?a=1&{name}=s3cret"), "use `headers`").unwrap_err();
            assert!(error.message().contains(name) && !format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        for name in [
            "format",
            "per_page",
            "keyword",
            "author",
            "since",
            "monkey",
            "zipcode",
            "signed_in",
            "sort_key",
            "pageToken",
            "next_page_token",
        ] {
            assert!(!names_secret(name), "{name}");
        }
        forbid_tokens("https://h/token/key?format=json&token=${TOKEN}", "").unwrap();
    }

    #[test]
    fn urls_in_texts_lose_what_may_be_secret() {
        for (text, clean) in [
            ("GET https://a:b@host/x?sig=1: refused", "GET https://...@host/x?... refused"),
            ("error for url (https://h/c?restype=x&sig=s3cret): lost", "error for url (https://h/c?... lost"),
            ("https://s3cret@host/x and mysql://u@db/x", "https://...@host/x and mysql://u@db/x"),
            ("<Url>http://h/a?b=s3cret</Url>\n\"s3://b/x?s3cret\",", "<Url>http://h/a?...</Url>\n\"s3://b/x?...\","),
            ("two:https://h/a?b=1,s3cret&c=(s3cret x", "two:https://h/a?... x"),
            ("mysql://u:s3cret@[::1]/x?y", "mysql://...@[::1]/x?..."),
            ("no address :// at all", "no address :// at all"),
        ] {
            assert_eq!(scrub(text), clean);
        }
    }
}
