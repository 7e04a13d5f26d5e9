//! Locations: paths and URLs that say where a source or a lake is.

use crate::error::{Error, Result};

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

#[cfg(test)]
mod tests {
    use super::*;

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
