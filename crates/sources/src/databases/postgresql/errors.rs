//! What the server or the connection says, for the person who must act.

use perennial_core::error::{Error, Kind};
use std::error::Error as _;
use tokio_postgres::error::{DbError, ErrorPosition};

/// An error as the server sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    /// Five letters of SQLSTATE.
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

    /// Who must act, and what they may do.
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

/// The kind of an SQLSTATE, and what helps.
fn verdict(code: &str) -> (Kind, Option<&'static str>) {
    match code {
        "28P01" | "28000" => {
            (Kind::Unreachable, Some("look at `user` and `password`, and at the server's pg_hba.conf for this account"))
        }
        "3D000" | "3F000" => (Kind::Project, None),
        "42501" => (Kind::Project, Some("the account needs GRANT USAGE on the schema and GRANT SELECT on the table")),
        "25006" => (Kind::Project, Some("sources are only read: the query must not write")),
        "55P03" => (
            Kind::Unreachable,
            Some("another session keeps the table locked; try later, or look into pg_locks for who it is"),
        ),
        "57014" => (Kind::Unreachable, Some("somebody or a time limit of the server ended the query")),
        "57P01" | "57P02" | "57P03" | "57P04" => {
            (Kind::Unreachable, Some("the server was stopped or restarted; try again"))
        }
        "53300" => (Kind::Unreachable, Some("the server has no free connection; try later or lower `connections`")),
        "72000" => (Kind::Unreachable, Some("the read took so long that the server gave its snapshot up; try again")),
        "22021" | "22P05" => (
            Kind::Data,
            Some("text in the table cannot be written as UTF-8; find it in the database and correct it there"),
        ),
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
        return Error::project(format!("{label} asks for a password and none is given"))
            .hint("name it beside `location`: `password: ${NAME}` of the environment, or `password_file`");
    }
    if said.contains("TLS") || said.contains("certificate") {
        return tls_failed(&said, label).because(error);
    }
    Error::unreachable(format!("{label}: {said}")).because(error)
}

/// The server went away.
pub(super) fn lost(label: &str) -> Error {
    Error::unreachable(format!("{label} ended the connection")).hint("the server or the way to it failed; try again")
}

/// Nothing came for too long.
pub(super) fn hangs(label: &str, seconds: u64) -> Error {
    Error::unreachable(format!("{label} hangs: nothing came from it for {seconds} seconds"))
        .hint("try later; where a query takes that long before its first row, raise `read_timeout_seconds`")
}

/// No encrypted connection.
pub(super) fn tls_failed(said: &str, label: &str) -> Error {
    let error = Error::unreachable(format!("no encrypted connection to {label}: {said}"));
    if said.contains("does not support TLS") {
        error.hint("let the server's administrator switch `ssl` on; `tls: off` sends everything in the clear")
    } else if said.contains("ertificate") {
        error.hint(
            "name the certificate of the server's authority as `ca_file` and the host as the certificate \
             does; `tls: encrypt` encrypts without looking at the certificate",
        )
    } else {
        error.hint("TLS 1.2 or newer is needed; `tls: off` sends everything in the clear")
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
