//! Where a database is: `postgresql://[user@]host[:port]/database[?host=/folder/of/the/socket]`.

use crate::contract::Access;
use crate::error::{Error, Result};
use std::path::PathBuf;
use url::Url;

const DEFAULT_PORT: u16 = 5432;
/// Stands where a location has none.
const NO_HOST: &str = "-";

/// A database and the account it is read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) server: Server,
    pub(super) database: String,
    pub(super) user: String,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Host {
        name: String,
        port: u16,
    },
    /// A socket on this machine, by its whole path.
    Socket(PathBuf),
}

impl Location {
    /// What people call it, for errors. Holds no secret.
    pub(super) fn label(&self) -> String {
        match &self.server {
            Server::Host { name, port } => format!("PostgreSQL at {name}:{port}/{}", self.database),
            Server::Socket(path) => format!("PostgreSQL at {}, database `{}`", path.display(), self.database),
        }
    }
}

/// Reads a location.
///
/// # Errors
/// Of kind `Project` when something is missing in it or it carries a password; the location itself is not repeated then.
pub(super) fn parse(location: &str, access: &Access) -> Result<Location> {
    let form = "it is written `postgresql://user@host:5432/database`";
    let url = Url::parse(&with_host(location))
        .map_err(|e| Error::project(format!("the location of a PostgreSQL database cannot be read: {e}")).hint(form))?;
    if url.password().is_some() {
        return Err(Error::project("the location of a PostgreSQL database carries a password").hint(
            "take it out and name it beside `location`: `password: ${NAME}` of the environment, or `password_file`",
        ));
    }
    let database = decoded(url.path().trim_start_matches('/'))?;
    if database.is_empty() || database.contains('/') {
        return Err(Error::project(format!("`{location}` names no database")).hint(form));
    }
    let user = decoded(url.username())?;
    let user = match (&access.user, user.is_empty()) {
        (Some(other), false) if *other != user => {
            return Err(Error::project(format!(
                "two accounts are named: `{user}` in `location`, `{other}` as `user`"
            )));
        }
        (Some(user), _) => user.clone(),
        (None, false) => user,
        (None, true) => {
            return Err(Error::project(format!("`{location}` names no account"))
                .hint("name it in the location, `postgresql://user@host/database`, or as `user`"));
        }
    };
    Ok(Location { server: server(&url, location)?, database, user })
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

fn server(url: &Url, location: &str) -> Result<Server> {
    let port = url.port().unwrap_or(DEFAULT_PORT);
    let mut host = url.host_str().filter(|host| *host != NO_HOST).map(decoded).transpose()?.unwrap_or_default();
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "host" => host = value.into_owned(),
            "sslmode" | "sslrootcert" => {
                return Err(Error::project(format!("`{key}` is not part of the location"))
                    .hint("say it beside `location`: `tls: verify`, `encrypt` or `off`, and `ca_file`"));
            }
            // The value may be a secret, so only the key is shown.
            _ => {
                return Err(Error::project(format!("`{key}` is not known in the location of a PostgreSQL database"))
                    .suggest(&key, ["host"]));
            }
        }
    }
    if host.starts_with('/') {
        return Ok(Server::Socket(PathBuf::from(host).join(format!(".s.PGSQL.{port}"))));
    }
    // An IPv6 address stands in brackets in a URL.
    let name = host.trim_start_matches('[').trim_end_matches(']').to_string();
    if name.is_empty() {
        return Err(Error::project(format!("`{location}` names no host")).hint(
            "`postgresql://user@host/database`, or `postgresql://user@/database?host=/run/postgresql` for a socket",
        ));
    }
    Ok(Server::Host { name, port })
}

/// A part of a URL without its percent signs.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits: Option<u32> = [rest.next(), rest.next()]
            .into_iter()
            .try_fold(0, |sum, digit| Some(sum * 16 + char::from(digit?).to_digit(16)?));
        bytes.push(
            digits.ok_or_else(|| Error::project(format!("`{text}` has a `%` without two digits behind it")))? as u8
        );
    }
    String::from_utf8(bytes).map_err(|_| Error::project(format!("`{text}` is not UTF-8 behind its percent signs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(location: &str) -> Result<Location> {
        parse(location, &Access::default())
    }

    #[test]
    fn hosts_ports_and_sockets_are_understood() {
        let at = |name: &str, port| Server::Host { name: name.into(), port };
        assert_eq!(
            read("postgresql://erp_reader@db.local/erp").unwrap(),
            Location { server: at("db.local", 5432), database: "erp".into(), user: "erp_reader".into() }
        );
        assert_eq!(read("postgres://u@[::1]:6000/a%20b").unwrap().server, at("::1", 6000));
        assert_eq!(read("postgres://u@h/a%20b").unwrap().database, "a b");
        let socket = read("postgresql://u@/erp?host=/run/postgresql").unwrap();
        let other = read("postgresql://u@:6000/erp?host=/run").unwrap();
        assert_eq!(other.server, Server::Socket("/run/.s.PGSQL.6000".into()));
        assert_eq!(socket.server, Server::Socket("/run/postgresql/.s.PGSQL.5432".into()));
        assert_eq!(
            read("postgresql://u@%2Frun%2Fpg:5433/erp").unwrap().server,
            Server::Socket("/run/pg/.s.PGSQL.5433".into())
        );
        let access = Access { user: Some("other".into()), ..Access::default() };
        assert_eq!(parse("postgresql://h/erp", &access).unwrap().user, "other");
        assert!(parse("postgresql://u@h/erp", &access).unwrap_err().message().contains("two accounts"));
    }

    #[test]
    fn a_password_in_the_location_is_refused_and_not_repeated() {
        let error = read("postgresql://u:s3cret@h/erp").unwrap_err();
        assert!(error.message().contains("carries a password"), "{error}");
        assert!(!format!("{error:?}").contains("s3cret"));
        assert!(error.hint_text().unwrap().contains("password_file"));
        let error = read("postgresql://u@h/erp?password=s3cret").unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(read("postgresql://u@h").unwrap_err().message().contains("no database"));
        assert!(read("postgresql://h/erp").unwrap_err().message().contains("no account"));
        assert!(read("postgresql://u@/erp").is_err());
        assert!(read("postgresql://u@h/erp?sslmode=require").unwrap_err().hint_text().unwrap().contains("tls"));
    }
}
