//! Errors of a MySQL server or of the connection to it, for the person who must act.

use super::location::Location;
use mysql_async::{DriverError, Error as MySqlError, IoError, ServerError};
use perennial_core::error::{Error, Kind};

/// Numbers of the server's errors that more than one place asks for.
pub(super) const UNKNOWN_TABLE: u16 = 1146;
pub(super) const UNKNOWN_COLUMN: u16 = 1054;

/// An error of the connection or of the server, while something was done (`reading `orders``).
pub(super) fn explain(error: MySqlError, location: &Location, doing: &str) -> Error {
    let server = location.server();
    // The driver's errors may contain packets, and so data; only their messages are kept.
    match error {
        MySqlError::Server(error) => of_server(&error, location, doing),
        MySqlError::Io(IoError::Tls(error)) => untrusted(&server, &error.to_string()),
        MySqlError::Io(IoError::Io(error)) => match error.get_ref().filter(|inner| inner.is::<rustls::Error>()) {
            Some(inner) => untrusted(&server, &inner.to_string()),
            None => Error::unreachable(format!("{doing}: the connection to {server} failed: {error}")),
        },
        MySqlError::Driver(DriverError::ConnectionClosed) => lost(&server, doing),
        MySqlError::Driver(DriverError::NoClientSslFlagFromServer) => {
            Error::unreachable(format!("{server} does not offer encrypted connections"))
                .hint("enable TLS on the server, or write `tls: off` where the network is safe")
        }
        MySqlError::Driver(error @ (DriverError::UnknownAuthPlugin { .. } | DriverError::MysqlOldPasswordDisabled)) => {
            Error::unreachable(format!("the user `{}` cannot log in to {server}: {error}", location.user))
                .hint("the server must authenticate it by `mysql_native_password` or `caching_sha2_password`")
        }
        other => Error::unreachable(format!("{doing}: {server}: {other}")),
    }
}

/// The connection was lost.
pub(super) fn lost(server: &str, doing: &str) -> Error {
    Error::unreachable(format!("{doing}: the connection to {server} was lost"))
}

/// The server sends nothing.
pub(super) fn hangs(server: &str, doing: &str, seconds: u64) -> Error {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Error::unreachable(format!("{doing}: {server} sent no data for {seconds} {unit}"))
        .hint("if the query takes that long, raise `read_timeout_seconds`")
}

fn untrusted(server: &str, reason: &str) -> Error {
    Error::unreachable(format!("the connection to {server} cannot be encrypted: {reason}"))
        .hint("write `ca_file: ...` with the certificate of the authority, or `tls: encrypt` to accept any certificate")
}

fn of_server(error: &ServerError, location: &Location, doing: &str) -> Error {
    let said = format!("{doing}: {}", error.message.trim_end_matches('.'));
    match error.code {
        // Logging in.
        1044 | 1045 | 1698 | 1820 | 1862 | 3118 | 4151 => {
            Error::unreachable(said).hint(format!("check `user` and `password`, and the rights of `{}`", location.user))
        }
        1129 | 1130 => Error::unreachable(said).hint("allow connections from this machine on the server"),
        1049 => Error::project(said).hint("check the database in `location`"),
        // Rights.
        1142 | 1143 | 1227 | 1370 => Error::unreachable(said)
            .hint(format!("grant the right to read it: `GRANT SELECT ON ... TO {}`", location.user)),
        // Cancelled.
        1317 | 1927 | 1969 | 3024 | 1053 | 1080 => {
            Error::unreachable(format!("{doing}: the server cancelled the query: {}", error.message))
        }
        // The table was changed after the snapshot was taken.
        1412 => Error::unreachable(said).hint("the table was altered during the run; run again"),
        UNKNOWN_TABLE | UNKNOWN_COLUMN => Error::project(said),
        1060 => Error::project(said).hint("give each column of the query a different name (`AS ...`)"),
        _ => Error::new(kind_of(&error.state), said),
    }
}

/// Who must act, by the class of the SQL state: a mistake in SQL, a value that cannot be computed, or the server.
fn kind_of(state: &str) -> Kind {
    match state.get(..2) {
        Some("42" | "21") => Kind::Project,
        Some("22") => Kind::Data,
        _ => Kind::Unreachable,
    }
}
