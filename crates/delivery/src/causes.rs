//! Why a connection failed, in words for people: those of the libraries are for programmers.

/// Words of the libraries for a connection that the other side closed.
const CLOSED: [&str; 6] =
    ["incomplete response", "close_notify", "unexpected eof", "connection closed", "Connection reset", "Broken pipe"];
/// Words of the TLS library for two sides that have no way to encrypt in common.
const NOTHING_IN_COMMON: [&str; 4] =
    ["peer is incompatible", "HandshakeFailure", "ProtocolVersion", "InsufficientSecurity"];

/// What a library says of a failure, in words.
pub(crate) fn in_words(cause: &str) -> String {
    if let Some(why) = cause.split("invalid peer certificate: ").nth(1) {
        return certificate(why);
    }
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    let known = if says(&CLOSED) {
        "the server closed the connection"
    } else if says(&["corrupt message", "InvalidContentType"]) {
        "the port does not begin with TLS"
    } else if says(&NOTHING_IN_COMMON) {
        "the server does not offer TLS 1.2 or newer"
    } else if says(&["Name or service not known", "No such host", "nodename nor servname", "No address associated"]) {
        "there is no host of that name"
    } else if says(&["failure in name resolution", "failed to lookup address"]) {
        "the host's name cannot be looked up"
    } else {
        return system_error(cause);
    };
    known.to_string()
}

/// What is wrong with a certificate.
fn certificate(why: &str) -> String {
    // Names are in quotation marks: the one that is wanted, then those that the certificate has.
    let names: Vec<String> = why.split('"').skip(1).step_by(2).map(|name| format!("`{name}`")).collect();
    let known = match why {
        _ if why.contains("UnknownIssuer") => "its certificate is signed by an authority that is not trusted",
        _ if why.contains("CaUsedAsEndEntity") => "its certificate is that of an authority, or signed by itself",
        _ if why.contains("not valid yet") || why.contains("NotValidYet") => "its certificate is not valid yet",
        _ if why.contains("xpired") => "its certificate has expired",
        _ if why.contains("not valid for name") || why.contains("NotValidForName") => {
            return match names.split_first() {
                Some((wanted, others)) if !others.is_empty() => {
                    format!("its certificate is not valid for {wanted}, but for {}", others.join(", "))
                }
                Some((wanted, _)) => format!("its certificate is not valid for {wanted}"),
                None => "its certificate is for another name".to_string(),
            };
        }
        _ if why.contains("Revoked") => "its certificate was revoked",
        _ => "its certificate is not valid",
    };
    known.to_string()
}

/// An error of the operating system, without its number and in lower case.
fn system_error(cause: &str) -> String {
    let text = cause.split(" (os error").next().unwrap_or(cause);
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // Not the beginning of an abbreviation.
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_string(),
    }
}

/// What to do about an encryption that failed, by what the TLS library says.
pub(crate) fn certificate_hint(cause: &str) -> Option<&'static str> {
    if cause.contains("UnknownIssuer") {
        Some("set `ca_file` to the certificate of the authority that signed it")
    } else if cause.contains("CaUsedAsEndEntity") {
        Some("give the server a certificate of its own, and set `ca_file` to that of the authority that signed it")
    } else if cause.contains("not valid yet") || cause.contains("NotValidYet") {
        Some("check the clock of this machine")
    } else if cause.contains("certificate expired") || cause.contains("Expired") {
        Some("the server's certificate must be renewed, or the clock of this machine is wrong")
    } else if cause.contains("not valid for name") || cause.contains("NotValidForName") {
        Some("write the server's name as it is in its certificate")
    } else if cause.contains("corrupt message") || cause.contains("InvalidContentType") {
        Some("this port does not begin with TLS: write `smtp://`, which encrypts by STARTTLS")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_library_is_left() {
        for (cause, words) in [
            (
                "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/rustls/manual/x",
                "the server closed the connection",
            ),
            ("Connection reset by peer (os error 104)", "the server closed the connection"),
            ("connection closed before message completed", "the server closed the connection"),
            ("Connection refused (os error 111)", "connection refused"),
            ("received corrupt message of type InvalidContentType", "the port does not begin with TLS"),
            ("received fatal alert: HandshakeFailure", "the server does not offer TLS 1.2 or newer"),
            ("failed to lookup address information: Name or service not known", "there is no host of that name"),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "its certificate is that of an authority, or signed by itself",
            ),
            ("invalid peer certificate: BadSignature", "its certificate is not valid"),
            (
                "invalid peer certificate: certificate not valid for name \"a.example\"; certificate is only valid for \
                 DnsName(\"b.example\") or DnsName(\"c.example\")",
                "its certificate is not valid for `a.example`, but for `b.example`, `c.example`",
            ),
        ] {
            assert_eq!(in_words(cause), words);
        }
    }
}
