//! What a MySQL server or the way to it complains of, said to the person who must act.

use super::address::Address;
use crate::error::{Error, Kind};
use mysql_async::{DriverError, Error as Refusal, IoError, ServerError};

/// Numbers of the server's errors that more than one place asks for.
pub(super) const UNKNOWN_TABLE: u16 = 1146;
pub(super) const UNKNOWN_COLUMN: u16 = 1054;

/// An error of the connection or of the server, while something was done (`reading `orders``).
pub(super) fn explain(error: Refusal, address: &Address, doing: &str) -> Error {
    let server = address.server();
    // The driver's errors may hold packets, and so data; only their words are kept.
    match error {
        Refusal::Server(error) => of_server(&error, address, doing),
        Refusal::Io(IoError::Tls(error)) => untrusted(&server, &error.to_string()),
        Refusal::Io(IoError::Io(error)) => match error.get_ref().filter(|inner| inner.is::<rustls::Error>()) {
            Some(inner) => untrusted(&server, &inner.to_string()),
            None => Error::unreachable(format!("{doing}: the connection to {server} failed: {error}")),
        },
        Refusal::Driver(DriverError::ConnectionClosed) => lost(&server, doing),
        Refusal::Driver(DriverError::NoClientSslFlagFromServer) => {
            Error::unreachable(format!("{server} offers no encrypted connection"))
                .hint("let it, or say `tls: off` where the way to it is safe")
        }
        Refusal::Driver(error @ (DriverError::UnknownAuthPlugin { .. } | DriverError::MysqlOldPasswordDisabled)) => {
            Error::unreachable(format!("the account `{}` at {server} cannot be used: {error}", address.user))
                .hint("let it log in by `mysql_native_password` or `caching_sha2_password`")
        }
        other => Error::unreachable(format!("{doing}: {server}: {other}")),
    }
}

/// The server is gone in the middle of something.
pub(super) fn lost(server: &str, doing: &str) -> Error {
    Error::unreachable(format!("{doing}: the connection to {server} was lost"))
}

/// The server sends nothing.
pub(super) fn hangs(server: &str, doing: &str, seconds: u64) -> Error {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Error::unreachable(format!("{doing}: {server} has sent nothing for {seconds} {unit}; it hangs"))
        .hint("if a query needs that long, raise `read_timeout_seconds`")
}

fn untrusted(server: &str, reason: &str) -> Error {
    Error::unreachable(format!("the connection to {server} cannot be encrypted: {reason}")).hint(
        "name the certificate that the server's is signed with (`ca_file: ...`), or say `tls: encrypt` to trust any",
    )
}

fn of_server(error: &ServerError, address: &Address, doing: &str) -> Error {
    let said = format!("{doing}: {}", error.message.trim_end_matches('.'));
    match error.code {
        // Logging in.
        1044 | 1045 | 1698 | 1820 | 1862 | 3118 | 4151 => {
            Error::unreachable(said).hint(format!("look at `user` and `password`, and what `{}` may see", address.user))
        }
        1129 | 1130 => Error::unreachable(said).hint("let the server accept this machine"),
        1049 => Error::project(said).hint("look at the database in the location"),
        // Rights.
        1142 | 1143 | 1227 | 1370 => Error::unreachable(said)
            .hint(format!("give the account the right to read it: `GRANT SELECT ON ... TO {}`", address.user)),
        // Ended by someone or something.
        1317 | 1927 | 1969 | 3024 | 1053 | 1080 => {
            Error::unreachable(format!("{doing}: the server ended the query: {}", error.message))
        }
        // The table was changed after the snapshot was taken.
        1412 => Error::unreachable(said).hint("the table was altered during the run; run again"),
        UNKNOWN_TABLE | UNKNOWN_COLUMN => Error::project(said),
        1060 => Error::project(said).hint("give each column of the query a name of its own (`AS ...`)"),
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
