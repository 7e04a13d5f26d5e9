//! Errors of the server or the connection, for the person who must act.

use perennial_core::error::{Error, Kind};
use std::error::Error as _;
use tokio_postgres::error::{DbError, ErrorPosition};

/// An error as the server sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    /// The SQLSTATE, five characters.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> ServerError {
        let near = match error.position() {
            Some(ErrorPosition::Internal { position, query }) => {
                let near: String = query.chars().skip(*position as usize - 1).take(40).collect();
                format!(" (near `{near}`)")
            }
            _ => String::new(),
        };
        ServerError {
            code: error.code().code().to_string(),
            message: format!("{}{near}", error.message()),
            hint: error.hint().map(str::to_string),
        }
    }
}

impl ServerError {
    /// Reads the fields of an `ErrorResponse`.
    pub(super) fn parse(mut fields: &[u8]) -> ServerError {
        let mut error = ServerError::default();
        while let Some((kind, rest)) = fields.split_first().filter(|(kind, _)| **kind != 0) {
            let end = memchr::memchr(0, rest).unwrap_or(rest.len());
            let text = String::from_utf8_lossy(&rest[..end]).into_owned();
            match kind {
                b'C' => error.code = text,
                b'M' => error.message = text,
                b'H' => error.hint = Some(text),
                _ => {}
            }
            fields = rest.get(end + 1..).unwrap_or_default();
        }
        error
    }

    /// The error for the person who must act.
    pub(super) fn explain(&self, label: &str) -> Error {
        let message = format!("{label}: {}", self.message);
        let (kind, hint) = verdict(&self.code);
        let error = Error::new(kind, message);
        match hint.map(str::to_string).or_else(|| self.hint.clone()) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// The kind of an SQLSTATE, and a hint.
fn verdict(code: &str) -> (Kind, Option<&'static str>) {
    match code {
        "28P01" | "28000" => {
            (Kind::Unreachable, Some("check `user` and `password`, and the server's pg_hba.conf for this user"))
        }
        "3D000" | "3F000" => (Kind::Project, None),
        "42501" => (Kind::Project, Some("grant USAGE on the schema and SELECT on the table")),
        "25006" => (Kind::Project, Some("sources are read-only: the query must not write")),
        "55P03" => {
            (Kind::Unreachable, Some("another session holds a lock on the table; try later, or find it in pg_locks"))
        }
        "57014" => (Kind::Unreachable, Some("an administrator or a timeout of the server cancelled the query")),
        "57P01" | "57P02" | "57P03" | "57P04" => {
            (Kind::Unreachable, Some("the server was stopped or restarted; try again"))
        }
        "53300" => (Kind::Unreachable, Some("the server has no free connection; try later or lower `connections`")),
        "72000" => (Kind::Unreachable, Some("the read took so long that the server dropped its snapshot; try again")),
        "22021" | "22P05" => {
            (Kind::Data, Some("the table contains text that is not valid UTF-8; correct it in the database"))
        }
        "XX001" | "XX002" => (Kind::Data, Some("the server's files are damaged")),
        _ => match code.get(..2).unwrap_or_default() {
            "22" | "23" => (Kind::Data, None),
            "0A" | "25" | "3F" | "42" | "2F" | "38" | "39" => (Kind::Project, None),
            _ => (Kind::Unreachable, None),
        },
    }
}

/// What tokio-postgres reports.
pub(super) fn explain(error: tokio_postgres::Error, label: &str) -> Error {
    if let Some(said) = error.as_db_error() {
        return ServerError::from(said).explain(label).because(error);
    }
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let said = causes.join(": ");
    if error.is_closed() || said.contains("unexpected end of file") {
        return lost(label);
    }
    if said.contains("password missing") {
        return Error::project(format!("{label} requires a password"))
            .hint("write `password: ${NAME}` or `password_file: ...` next to `location`");
    }
    if said.contains("TLS") || said.contains("certificate") {
        return tls_failed(&said, label).because(error);
    }
    Error::unreachable(format!("{label}: {said}")).because(error)
}

/// The connection was lost.
pub(super) fn lost(label: &str) -> Error {
    Error::unreachable(format!("{label} closed the connection")).hint("the server or the network failed; try again")
}

/// The server sends nothing.
pub(super) fn hangs(label: &str, seconds: u64) -> Error {
    Error::unreachable(format!("{label} sent no data for {seconds} seconds"))
        .hint("try later; if a query takes that long before its first row, raise `read_timeout_seconds`")
}

/// The connection cannot be encrypted.
pub(super) fn tls_failed(said: &str, label: &str) -> Error {
    let error = Error::unreachable(format!("cannot encrypt the connection to {label}: {said}"));
    if said.contains("does not support TLS") {
        error.hint("enable `ssl` on the server; `tls: off` sends everything unencrypted")
    } else if said.contains("ertificate") {
        error.hint(
            "set `ca_file` to the certificate of the authority and use the host name of the certificate; \
             `tls: encrypt` encrypts without verifying it",
        )
    } else {
        error.hint("TLS 1.2 or newer is required; `tls: off` sends everything unencrypted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_server_is_read_field_by_field() {
        let sent = b"SERROR\0VERROR\0C42P01\0Mrelation \"x\" does not exist\0P15\0\0";
        let error = ServerError::parse(sent);
        assert_eq!((error.code.as_str(), error.message.as_str()), ("42P01", "relation \"x\" does not exist"));
        assert_eq!(error.explain("PostgreSQL at h").kind(), Kind::Project);
        assert_eq!(ServerError::parse(b""), ServerError::default());
        assert_eq!(ServerError::parse(b"Mcut off"), ServerError { message: "cut off".into(), ..Default::default() });
    }

    #[test]
    fn who_must_act_follows_from_the_code() {
        assert_eq!(verdict("28P01").0, Kind::Unreachable);
        assert_eq!(verdict("22012").0, Kind::Data);
        assert_eq!(verdict("08006").0, Kind::Unreachable);
        assert_eq!(verdict("").0, Kind::Unreachable);
    }
}
