//! Where a MySQL or MariaDB server is: `mysql://user@host:port/database`, or a socket of this machine.

use crate::contract::Access;
use crate::error::{Error, Result};
use url::form_urlencoded;

const FORM: &str =
    "write `mysql://user@host:3306/database`, or `mysql://user@localhost/database?socket=/run/mysqld/mysqld.sock`";
const PORT: u16 = 3306;

/// A server, an account and a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    /// Path of a Unix socket, which is used instead of host and port.
    pub(super) socket: Option<String>,
    pub(super) user: String,
    pub(super) database: String,
}

impl Address {
    /// Takes a location apart.
    ///
    /// # Errors
    /// Of kind `Project`; a location that might hold a password is never shown.
    pub(super) fn parse(location: &str, access: &Access) -> Result<Address> {
        let url = url::Url::parse(location)
            .map_err(|e| Error::project(format!("the location is no URL of a MySQL database: {e}")).hint(FORM))?;
        if url.password().is_some() {
            let error = Error::project("the location of a MySQL database holds a password");
            return Err(error.hint("name it apart: `password: ${ERP_PASSWORD}` or `password_file: ...`"));
        }
        let mut socket = None;
        for (key, value) in url.query_pairs() {
            match key.as_ref() {
                "socket" => socket = Some(value.into_owned()),
                other => {
                    let error = Error::project(format!("`{other}` is no part of the location of a MySQL database"));
                    return Err(error.hint(FORM));
                }
            }
        }
        let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']').to_string();
        if host.is_empty() && socket.is_none() {
            return Err(Error::project("the location of a MySQL database names no host").hint(FORM));
        }
        let database = decoded(url.path().trim_matches('/'));
        if database.is_empty() || database.contains('/') {
            return Err(Error::project("the location of a MySQL database names no database").hint(FORM));
        }
        let named = Some(decoded(url.username())).filter(|user| !user.is_empty());
        if let (Some(one), Some(other)) = (&named, &access.user)
            && one != other
        {
            let message = format!("two accounts are named: `{one}` in the location and `{other}` beside it");
            return Err(Error::project(message));
        }
        let Some(user) = named.or_else(|| access.user.clone()) else {
            let error = Error::project("no account is named for a MySQL database");
            return Err(error.hint("write `user: ...` beside the location, or `mysql://user@host/database`"));
        };
        Ok(Address { host, port: url.port().unwrap_or(PORT), socket, user, database })
    }

    /// The server, for people: `db.example.com:3306`.
    pub(super) fn server(&self) -> String {
        match &self.socket {
            Some(socket) => socket.clone(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }
}

/// A part of a URL with its `%20` and the like made letters; a plus sign is one.
fn decoded(part: &str) -> String {
    let kept = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(kept.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(location: &str) -> Result<Address> {
        Address::parse(location, &Access::default())
    }

    #[test]
    fn a_location_names_server_account_and_database() {
        let address = parse("mysql://per+son%40x@db.example.com:3307/shop%20one").unwrap();
        assert_eq!(address.server(), "db.example.com:3307");
        assert_eq!((address.user.as_str(), address.database.as_str()), ("per+son@x", "shop one"));
        assert_eq!(parse("mariadb://u@db/shop").unwrap().server(), "db:3306");
        assert_eq!(parse("mysql://u@[::1]:4000/shop").unwrap().server(), "[::1]:4000");
        let address = parse("mysql://u@localhost/shop?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(address.socket.as_deref(), Some("/run/mysqld/mysqld.sock"));
    }

    #[test]
    fn the_account_may_stand_beside_the_location() {
        let access = Access { user: Some("reader".into()), ..Access::default() };
        assert_eq!(Address::parse("mysql://db/shop", &access).unwrap().user, "reader");
        let error = Address::parse("mysql://other@db/shop", &access).unwrap_err();
        assert!(error.message().contains("two accounts"), "{error}");
        let address = Address::parse("mysql:///shop?socket=/tmp/s", &access).unwrap();
        assert_eq!((address.server().as_str(), address.database.as_str()), ("/tmp/s", "shop"));
    }

    #[test]
    fn what_is_missing_or_does_not_belong_is_said_and_no_password_shown() {
        for (location, expected) in [
            ("mysql://u@db", "names no database"),
            ("mysql://db/shop", "no account"),
            ("mysql:///shop", "names no host"),
            ("mysql://u@db/shop?ssl=true", "`ssl`"),
            ("mysql://u:s3cret@db/shop", "holds a password"),
            ("mysql://u:s3cret@db:port/shop", "no URL"),
        ] {
            let error = parse(location).unwrap_err();
            assert!(error.message().contains(expected), "{location}: {error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
