//! Where a MySQL or MariaDB server is: `mysql://user@host:port/database`, or a socket of this machine.

use crate::address::{Address, AddressStyle, host_and_port};
use perennial_core::contract::Access;
use perennial_core::error::Result;

const STYLE: AddressStyle = AddressStyle {
    name: "a MySQL database",
    form: "`mysql://user@host:3306/database`, or `mysql://user@localhost/database?socket=/run/mysqld/mysqld.sock`",
    port: 3306,
    options: &["socket"],
};

/// A server, an account and a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) host: String,
    pub(super) port: u16,
    /// Path of a Unix socket, which is used instead of host and port.
    pub(super) socket: Option<String>,
    pub(super) user: String,
    pub(super) database: String,
}

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// Of kind `Project` when something is missing in it or it contains a password, which is not shown.
    pub(super) fn parse(location: &str, access: &Access) -> Result<Location> {
        let address = Address::parse(location, access, &STYLE)?;
        let socket = address.option("socket").map(str::to_string);
        if address.host.is_empty() && socket.is_none() {
            return Err(STYLE.missing("a host"));
        }
        let database = address.database(&STYLE)?;
        Ok(Location { host: address.host, port: address.port, socket, user: address.user, database })
    }

    /// The server, for errors: `db.example.com:3306`.
    pub(super) fn server(&self) -> String {
        self.socket.clone().unwrap_or_else(|| host_and_port(&self.host, self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(location: &str) -> Result<Location> {
        Location::parse(location, &Access::default())
    }

    #[test]
    fn a_location_names_server_user_and_database() {
        let location = parse("mysql://u@db.example.com:3307/shop").unwrap();
        assert_eq!(location.server(), "db.example.com:3307");
        assert_eq!((location.user.as_str(), location.database.as_str()), ("u", "shop"));
        assert_eq!(parse("mariadb://u@db/shop").unwrap().server(), "db:3306");
        assert_eq!(parse("mysql://u@[::1]:4000/shop").unwrap().server(), "[::1]:4000");
        for socket in ["mysql://u@localhost/shop?socket=/run/s.sock", "mysql://u@/shop?socket=/run/s.sock"] {
            let location = parse(socket).unwrap();
            assert_eq!((location.server().as_str(), location.database.as_str()), ("/run/s.sock", "shop"));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (location, missing) in [("mysql://u@db", "a database"), ("mysql://u@/shop", "a host")] {
            let message = parse(location).unwrap_err().message().to_string();
            assert_eq!(message, format!("the location of a MySQL database does not name {missing}"));
        }
    }
}
