//! Access logs of nginx and Apache: combined, common, and combined with the address a proxy passed on.

use super::NamedFormat;
use crate::text::lines::{LineKind, LineParser, LineReader, Row};
use memchr::{memchr, memchr2, memrchr};
use perennial_core::contract::TextEncoding;
use std::borrow::Cow;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "combined_log",
    title: "Access logs of nginx and Apache (combined and common): one row per request",
    manual: "\
The access log that nginx and Apache write when nothing else is configured: client, user, time, request, status, bytes
and, in the combined format, referrer and user agent. nginx's packages add `$http_x_forwarded_for` in quotes behind them,
which is read as `forwarded_for`. The common format ends with the bytes. Lines of each kind may stand in one file.

- nginx writes bytes above 0x7f, quotes and backslashes as `\\xHH`; Apache writes `\\\"`, `\\\\` and control characters by
  their letter. They are decoded where that gives UTF-8; where it does not, the text stays as it is written.
- The request is taken apart into `method`, `path`, `query` and `protocol`. What is not an HTTP request (a scanner's bytes,
  or nothing at all before a timeout) has none of them; the field `request` holds it as it was written
  (`request: {type: text}` under `columns` reads it).
- `-` means no value. Times have their offset, so no zone is needed.
- An address is personal data, and behind a proxy it is the proxy's: then take `forwarded_for`.
- There is no id, so no `key`: each line is a row. A log that is rotated is known by what it holds, so that each line is
  read once: let `files` match all names, as in `access.log*`.
",
    contract: "\
time_column: requested_at
rotated: true
columns:
  client_address: {type: text, from: remote_host, required: true, personal: true, description: IP address or name}
  user_name: {type: text, from: remote_user, null_values: [\"-\"], personal: true, description: After authentication by HTTP}
  requested_at: {type: instant, from: time, formats: [\"%d/%b/%Y:%H:%M:%S %z\"], required: true}
  method: {type: text}
  path: {type: text, description: Without the query}
  query: {type: text, personal: true, description: Behind the question mark}
  protocol: {type: text, description: As in HTTP/1.1}
  status: {type: integer, min: 0, max: 999, required: true}
  response_bytes: {type: integer, from: bytes, null_values: [\"-\"], min: 0, description: Without headers}
  referrer: {type: text, from: referer, null_values: [\"-\"]}
  user_agent: {type: text, null_values: [\"-\"]}
  forwarded_for: {type: text, null_values: [\"-\"], personal: true, description: Addresses that proxies passed on}
",
    sample: r#"192.0.2.7 - - [05/Jan/2026:10:00:00 +0100] "GET /shop/item?id=7 HTTP/1.1" 200 5120 "https://example.org/" "Mozilla/5.0"
192.0.2.8 - li na [05/Jan/2026:10:00:01 +0100] "GET /\xE4\xB8\xAD HTTP/2.0" 304 - "-" "a \x22quoted\x22 agent" "198.51.100.1"
192.0.2.9 - - [05/Jan/2026:10:00:02 +0100] "\x16\x03\x01" 400 150 "-" "-"
host.example - - [05/Jan/2026:09:00:03 +0000] "POST /cart HTTP/1.0" 302 0
"#,
    fields: &FIELDS,
    open: |bytes, wanted| {
        let parser = AccessLog { fields: super::names(&FIELDS), decoded: Vec::new() };
        Ok(Box::new(LineReader::open(bytes, TextEncoding::Utf8, parser, Some(wanted))?))
    },
};

const FIELDS: [&str; 15] = [
    "remote_host",
    "remote_log_name",
    "remote_user",
    "time",
    "request",
    "method",
    "target",
    "path",
    "query",
    "protocol",
    "status",
    "bytes",
    "referer",
    "user_agent",
    "forwarded_for",
];
const HOST: usize = 0;
const LOG_NAME: usize = 1;
const USER: usize = 2;
const TIME: usize = 3;
const REQUEST: usize = 4;
const METHOD: usize = 5;
const TARGET: usize = 6;
const PATH: usize = 7;
const QUERY: usize = 8;
const PROTOCOL: usize = 9;
const STATUS: usize = 10;
const BYTES: usize = 11;
/// Referrer, agent and forwarded addresses follow.
const QUOTED: [usize; 3] = [12, 13, 14];
/// Letters of a time such as `05/Jan/2026:10:00:00 +0100`.
const TIME_LETTERS: usize = 26;

struct AccessLog {
    fields: Vec<String>,
    decoded: Vec<u8>,
}

impl LineParser for AccessLog {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> Result<LineKind, Cow<'static, str>> {
        let (host, rest) = word(line).ok_or("the line has no client")?;
        let (log_name, rest) = word(rest).ok_or("the line ends before the user")?;
        let (user, rest) = until_time(rest).ok_or("the line has no time in brackets")?;
        let time = &rest[1..=TIME_LETTERS];
        let rest = &rest[TIME_LETTERS + 2..];
        let (request, rest) = quoted(rest).ok_or("the line has no request in quotes")?;
        let rest = rest.strip_prefix(' ').ok_or("the line ends before the status")?;
        let (status, rest) = word(rest).ok_or("the line ends before the bytes")?;
        let (bytes, mut rest) = word(rest).unwrap_or((rest, ""));
        for (field, part) in [(HOST, host), (LOG_NAME, log_name), (USER, user), (TIME, time)] {
            row.part(field, part);
        }
        row.part(STATUS, status);
        row.part(BYTES, bytes);
        self.request(request, row);
        for field in QUOTED {
            if rest.is_empty() {
                break;
            }
            let (text, behind) = quoted_next(rest).ok_or("a text in quotes should stand behind the bytes")?;
            self.set(row, field, text);
            rest = behind.strip_prefix(' ').unwrap_or(behind);
        }
        match rest.is_empty() {
            true => Ok(LineKind::Row),
            false => Err("more follows than a combined log has".into()),
        }
    }
}

/// A text in quotes as it is written, and whether it has escapes.
type Quoted<'l> = (&'l str, bool);

impl AccessLog {
    /// Takes a request apart.
    fn request(&mut self, (request, escaped): Quoted<'_>, row: &mut Row<'_>) {
        self.set(row, REQUEST, (request, escaped));
        let Some((method, rest)) = word(request) else { return };
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')) {
            return;
        }
        // Some clients send blanks within the target; HTTP/0.9 has no protocol.
        let (target, protocol) = match memrchr(b' ', rest.as_bytes()).map(|at| (&rest[..at], &rest[at + 1..])) {
            Some((target, protocol)) if protocol.starts_with("HTTP/") => (target, Some(protocol)),
            _ => (rest, None),
        };
        row.part(METHOD, method);
        if let Some(protocol) = protocol {
            row.part(PROTOCOL, protocol);
        }
        self.set(row, TARGET, (target, escaped));
        match memchr(b'?', target.as_bytes()) {
            None => self.set(row, PATH, (target, escaped)),
            Some(at) => {
                self.set(row, PATH, (&target[..at], escaped));
                self.set(row, QUERY, (&target[at + 1..], escaped));
            }
        }
    }

    /// Sets a cell to a text with its escapes decoded, or as it is written when that is not text.
    #[inline]
    fn set(&mut self, row: &mut Row<'_>, field: usize, (text, escaped): Quoted<'_>) {
        if escaped
            && memchr(b'\\', text.as_bytes()).is_some()
            && decode(text.as_bytes(), &mut self.decoded)
            && let Ok(decoded) = std::str::from_utf8(&self.decoded)
        {
            return row.text(field, [decoded]);
        }
        row.part(field, text);
    }
}

/// What stands before the first blank, and behind it.
#[inline]
fn word(text: &str) -> Option<(&str, &str)> {
    let at = memchr(b' ', text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// The user, whose name may hold blanks, and the rest of the line from the bracket of the time.
fn until_time(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr(b'[', &bytes[from..])?;
        if at > 0 && bytes[at - 1] == b' ' && bytes.get(at + TIME_LETTERS + 1) == Some(&b']') {
            // Letters of a time are ASCII, so both ends are whole letters.
            let time = text.get(at..at + TIME_LETTERS + 2)?;
            return time.is_ascii().then(|| (&text[..at - 1], &text[at..]));
        }
        from = at + 1;
    }
}

/// The text in quotes behind a blank, and what follows it.
fn quoted(text: &str) -> Option<(Quoted<'_>, &str)> {
    quoted_next(text.strip_prefix(' ')?)
}

/// The text in quotes that begins here, and what follows it.
fn quoted_next(text: &str) -> Option<(Quoted<'_>, &str)> {
    let text = text.strip_prefix('"')?;
    let bytes = text.as_bytes();
    let (mut from, mut escaped) = (0, false);
    loop {
        let at = from + memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[at] == b'"' {
            return Some(((&text[..at], escaped), &text[at + 1..]));
        }
        escaped = true;
        from = at + 2;
    }
}

/// Decodes `\xHH` and escapes by letter; false when there is another.
fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut from = 0;
    while let Some(found) = memchr(b'\\', &text[from..]) {
        let at = from + found;
        out.extend_from_slice(&text[from..at]);
        let (byte, length) = match text.get(at + 1) {
            Some(b'x') => match (hex(text.get(at + 2)), hex(text.get(at + 3))) {
                (Some(high), Some(low)) => (high * 16 + low, 4),
                _ => return false,
            },
            Some(byte @ (b'"' | b'\\')) => (*byte, 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'b') => (8, 2),
            Some(b'v') => (11, 2),
            Some(b'f') => (12, 2),
            _ => return false,
        };
        out.push(byte);
        from = at + length;
    }
    out.extend_from_slice(&text[from..]);
    true
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    Some((*byte? as char).to_digit(16)? as u8)
}
