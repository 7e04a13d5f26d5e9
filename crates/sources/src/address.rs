//! Addresses of servers: `scheme://[user@]host[:port]/path[?option=value]`.

use perennial_core::contract::Access;
use perennial_core::error::{Error, Result};
use perennial_core::location::{PASSWORD_HINT, forbid_password};
use url::Url;

/// Stands in for the host of a location that has none, which a URL with a user must have.
const NO_HOST: &str = "-";

/// How the addresses of one kind of server are written.
pub(crate) struct AddressStyle {
    /// What people call the server: `a MySQL database`.
    pub(crate) name: &'static str,
    /// How an address is written.
    pub(crate) form: &'static str,
    /// The usual port.
    pub(crate) port: u16,
    /// Options that may follow a `?`.
    pub(crate) options: &'static [&'static str],
}

/// An address, taken apart, with percent signs decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The account to log in with.
    pub(crate) user: String,
    /// Without the brackets of IPv6; empty where the location has none.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// With its first slash.
    pub(crate) path: String,
    options: Vec<(String, String)>,
}

impl Address {
    /// Takes a location apart. The user may be named in it or in `access`.
    ///
    /// # Errors
    /// Of kind `Project` when it is malformed, names no user or two, has an unknown option, or contains a password, which
    /// is not shown.
    pub(crate) fn parse(location: &str, access: &Access, style: &AddressStyle) -> Result<Address> {
        forbid_password(location, PASSWORD_HINT)?;
        let url = Url::parse(&with_host(location)).map_err(|e| {
            Error::project(format!("the location of {} is not a valid URL: {e}", style.name)).hint(style.hint())
        })?;
        let mut options = Vec::new();
        for (key, value) in url.query_pairs() {
            // The value may be a secret, so only the key is shown.
            if !style.options.contains(&key.as_ref()) {
                let error = Error::project(format!("`{key}` is not an option in the location of {}", style.name));
                return Err(match key.starts_with("ssl") {
                    true => error.hint("set it separately: `tls: verify`, `encrypt` or `off`, and `ca_file`"),
                    false => error.hint(style.hint()),
                });
            }
            options.push((key.into_owned(), value.into_owned()));
        }
        let host = url.host_str().filter(|host| *host != NO_HOST).unwrap_or_default();
        let host = decoded(host.trim_start_matches('[').trim_end_matches(']'))?;
        let user = user(&decoded(url.username())?, access, style)?;
        Ok(Address { user, host, port: url.port().unwrap_or(style.port), path: decoded(url.path())?, options })
    }

    /// The value of an option; of several the last.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The database that the path names.
    ///
    /// # Errors
    /// Of kind `Project` when it names none.
    pub(crate) fn database(&self, style: &AddressStyle) -> Result<String> {
        let database = self.path.trim_matches('/');
        if database.is_empty() || database.contains('/') {
            return Err(style.missing("a database"));
        }
        Ok(database.to_string())
    }
}

impl AddressStyle {
    fn hint(&self) -> String {
        format!("write {}", self.form)
    }

    /// That a location lacks something.
    pub(crate) fn missing(&self, what: &str) -> Error {
        Error::project(format!("the location of {} does not name {what}", self.name)).hint(self.hint())
    }
}

fn user(named: &str, access: &Access, style: &AddressStyle) -> Result<String> {
    match (&access.user, named) {
        (None, "") => Err(Error::project(format!("no user is named for {}", style.name))
            .hint(format!("write `user: ...` next to `location`, or {}", style.form))),
        (None, named) => Ok(named.to_string()),
        (Some(user), named) if named.is_empty() || named == user => Ok(user.clone()),
        (Some(user), named) => {
            let message =
                format!("two users are named for {}: `{named}` in `location` and `{user}` as `user`", style.name);
            Err(Error::project(message).hint("remove one of them"))
        }
    }
}

/// `postgresql://user@/database?host=/folder` has no host where a URL must have one.
fn with_host(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else { return location.to_string() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((user, port)) if port.is_empty() || port.starts_with(':') => {
            format!("{scheme}://{user}@{NO_HOST}{port}{}", &rest[end..])
        }
        _ => location.to_string(),
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A part of a URL with `%20` and the like decoded. A percent sign without two digits stays as it is.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::project(format!("`{text}` is not UTF-8 when its `%` are decoded")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: AddressStyle =
        AddressStyle { name: "a shop", form: "`shop://user@host/database`", port: 99, options: &["socket"] };

    fn parse(location: &str) -> Result<Address> {
        Address::parse(location, &Access::default(), &STYLE)
    }

    #[test]
    fn addresses_are_taken_apart_and_decoded() {
        let address = parse("shop://per+son%40x@db.example.com:3307/shop%20one").unwrap();
        assert_eq!((address.user.as_str(), address.host.as_str()), ("per+son@x", "db.example.com"));
        assert_eq!((address.port, address.path.as_str()), (3307, "/shop one"));
        assert_eq!(address.database(&STYLE).unwrap(), "shop one");
        let address = parse("shop://u@[::1]/x").unwrap();
        assert_eq!(host_and_port(&address.host, address.port), "[::1]:99");
        let address = parse("shop://u@/x?socket=/run/s%20t").unwrap();
        assert_eq!((address.host.as_str(), address.option("socket")), ("", Some("/run/s t")));
        assert_eq!(parse("shop://u@:7/x").unwrap().port, 7);
    }

    #[test]
    fn percent_signs_are_decoded_where_digits_follow() {
        assert_eq!(decoded("/a%20b/%E5%AE%A2+%2").unwrap(), "/a b/客+%2");
        assert_eq!(decoded("%+1%G0").unwrap(), "%+1%G0");
        assert!(decoded("%ff").is_err());
    }

    #[test]
    fn the_user_may_be_named_next_to_the_location() {
        let access = Access { user: Some("reader".into()), ..Access::default() };
        let user = |location| Address::parse(location, &access, &STYLE).map(|address| address.user);
        assert_eq!(user("shop://db/x").unwrap(), "reader");
        assert_eq!(user("shop://reader@db/x").unwrap(), "reader");
        assert!(user("shop://other@db/x").unwrap_err().message().contains("two users"));
        assert_eq!(user("shop:///x").unwrap(), "reader");
    }

    #[test]
    fn what_is_missing_or_unknown_is_said_and_no_secret_shown() {
        for (location, message, hint) in [
            ("shop://db/x", "no user is named for a shop", "shop://user@host"),
            ("shop://u:s3cret@db/x", "the location contains a password", "password_file"),
            ("shop://u:s3cret@/x", "the location contains a password", "password_file"),
            ("shop://u@db:s3cret/x", "the location of a shop is not a valid URL", "shop://user@host"),
            ("shop://u@db/x?sslmode=s3cret", "`sslmode` is not an option", "tls"),
            ("shop://u@db/x?password=s3cret", "`password` is not an option", "shop://user@host"),
        ] {
            let error = parse(location).unwrap_err();
            assert!(error.message().contains(message), "{location}: {error}");
            assert!(error.hint_text().unwrap().contains(hint), "{location}: {:?}", error.hint_text());
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        for location in ["shop://u@db", "shop://u@db/", "shop://u@db/a/b"] {
            let error = parse(location).unwrap().database(&STYLE).unwrap_err();
            assert_eq!(error.message(), "the location of a shop does not name a database");
        }
    }
}
