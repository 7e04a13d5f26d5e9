//! Where a database is: `postgresql://[user@]host[:port]/database[?host=/folder/of/the/socket]`.

use crate::address::{Address, AddressStyle};
use perennial_core::contract::Access;
use perennial_core::error::Result;
use std::path::PathBuf;

const STYLE: AddressStyle = AddressStyle {
    name: "a PostgreSQL database",
    form: "`postgresql://user@host:5432/database`, or `postgresql://user@/database?host=/run/postgresql` for a socket",
    port: 5432,
    options: &["host"],
};

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
    /// A socket on this machine, by its full path.
    Socket(PathBuf),
}

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// Of kind `Project` when something is missing in it or it contains a password, which is not shown.
    pub(super) fn parse(location: &str, access: &Access) -> Result<Location> {
        let address = Address::parse(location, access, &STYLE)?;
        let host = address.option("host").unwrap_or(&address.host);
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_string();
        let server = match host.as_str() {
            "" => return Err(STYLE.missing("a host")),
            folder if folder.starts_with('/') => {
                Server::Socket(PathBuf::from(folder).join(format!(".s.PGSQL.{}", address.port)))
            }
            _ => Server::Host { name: host, port: address.port },
        };
        Ok(Location { server, database: address.database(&STYLE)?, user: address.user })
    }

    /// What people call it, for errors. Contains no secret.
    pub(super) fn label(&self) -> String {
        match &self.server {
            Server::Host { name, port } => format!("PostgreSQL at {name}:{port}/{}", self.database),
            Server::Socket(path) => format!("PostgreSQL at {}, database `{}`", path.display(), self.database),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(location: &str) -> Result<Location> {
        Location::parse(location, &Access::default())
    }

    #[test]
    fn hosts_ports_and_sockets_are_understood() {
        let at = |name: &str, port| Server::Host { name: name.into(), port };
        assert_eq!(
            parse("postgresql://erp_reader@db.local/erp").unwrap(),
            Location { server: at("db.local", 5432), database: "erp".into(), user: "erp_reader".into() }
        );
        assert_eq!(parse("postgres://u@[::1]:6000/a%20b").unwrap().server, at("::1", 6000));
        assert_eq!(parse("postgresql://u@/erp?host=[::1]").unwrap().server, at("::1", 5432));
        assert_eq!(parse("postgresql://u@h/erp?host=a&host=b").unwrap().server, at("b", 5432));
        let socket = parse("postgresql://u@/erp?host=/run/postgresql").unwrap();
        let other = parse("postgresql://u@:6000/erp?host=/run").unwrap();
        assert_eq!(other.server, Server::Socket("/run/.s.PGSQL.6000".into()));
        assert_eq!(socket.server, Server::Socket("/run/postgresql/.s.PGSQL.5432".into()));
        assert_eq!(
            parse("postgresql://u@%2Frun%2Fpg:5433/erp").unwrap().server,
            Server::Socket("/run/pg/.s.PGSQL.5433".into())
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(parse("postgresql://u@h").unwrap_err().message().contains("does not name a database"));
        assert!(parse("postgresql://u@/erp").unwrap_err().message().contains("does not name a host"));
    }
}
