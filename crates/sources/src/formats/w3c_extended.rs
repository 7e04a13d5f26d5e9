//! Extended log files of the W3C, as IIS and CloudFront write them.

use super::NamedFormat;
use crate::text::lines::{LineKind, LineParser, LineReader, Row};
use perennial_core::contract::TextEncoding;
use std::borrow::Cow;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "w3c_extended",
    title: "Extended log files of the W3C (IIS, CloudFront): one row per request",
    manual: "\
A line `#Fields:` names the fields of the lines behind it, between blanks (IIS) or tabs (CloudFront). It may come again in
the middle of a file when the configuration changed; the lines behind it are read by the new one. Other lines that begin
with `#` are skipped, and lines before the first `#Fields:` are rejected.

- `date` and `time` are in UTC by the standard; the field `date_time` is both together. Where IIS writes local time
  into them, set `requested_at: {type: instant, from: date_time, zone: Europe/Berlin}`.
- IIS writes a space within a value as `+`, and a plus too, so it cannot be told which it was; CloudFront writes `%20`.
  Values stay as they are written. `-` means no value.
- `elapsed_milliseconds` is IIS's `time-taken`; CloudFront's is in seconds with decimals:
  `elapsed_seconds: {type: decimal, scale: 3, from: time-taken}` in its place, and `elapsed_milliseconds: omit`.
- Fields that are not in the contract are new columns, as in a CSV file (`on_new_column`).
- There is no id, so no `key`; CloudFront has one: `key: [request_id]` with
  `request_id: {type: text, from: x-edge-request-id, required: true}`.
- A log that is renamed or compressed is known by what it holds, so that each line is read once.
",
    contract: "\
time_column: requested_at
rotated: true
columns:
  requested_at: {type: instant, from: date_time, zone: UTC, required: true, description: When the request was answered}
  client_address: {type: text, from: c-ip, null_values: [\"-\"], personal: true}
  user_name: {type: text, from: cs-username, null_values: [\"-\"], personal: true}
  server_address: {type: text, from: s-ip, null_values: [\"-\"]}
  server_port: {type: integer, from: s-port, null_values: [\"-\"]}
  site_name: {type: text, from: s-sitename, null_values: [\"-\"]}
  host: {type: text, from: cs-host, null_values: [\"-\"], description: As the client named it}
  method: {type: text, from: cs-method, null_values: [\"-\"]}
  path: {type: text, from: cs-uri-stem, null_values: [\"-\"]}
  query: {type: text, from: cs-uri-query, null_values: [\"-\"], personal: true}
  protocol: {type: text, from: cs-version, null_values: [\"-\"]}
  status: {type: integer, from: sc-status, null_values: [\"-\"]}
  substatus: {type: integer, from: sc-substatus, null_values: [\"-\"]}
  windows_status: {type: integer, from: sc-win32-status, null_values: [\"-\"]}
  response_bytes: {type: integer, from: sc-bytes, null_values: [\"-\"], min: 0}
  request_bytes: {type: integer, from: cs-bytes, null_values: [\"-\"], min: 0}
  elapsed_milliseconds: {type: integer, from: time-taken, null_values: [\"-\"], min: 0}
  user_agent: {type: text, from: cs(User-Agent), null_values: [\"-\"]}
  cookie: {type: text, from: cs(Cookie), null_values: [\"-\"], personal: true}
  referrer: {type: text, from: cs(Referer), null_values: [\"-\"]}
",
    sample: "\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-01-05 09:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken
2026-01-05 09:00:01 192.0.2.1 GET /shop id=7 443 - 198.51.100.7 Mozilla/5.0+(X11) 200 15
#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes
2026-01-05 09:00:02 198.51.100.8 POST /cart 302 120
",
    fields: &[],
    open: |bytes, wanted| {
        let parser = ExtendedLog::new(wanted);
        Ok(Box::new(LineReader::open(bytes, TextEncoding::Utf8, parser, None)?))
    },
};

/// Both together, where a file has both.
const DATE_TIME: &str = "date_time";
/// Fields that do not become new columns unless they are wanted.
const KNOWN: [&str; 5] = ["date", "time", "s-computername", "cs-host", "s-sitename"];

/// Maximum number of fields beyond the contract.
const MAX_NEW_FIELDS: usize = 200;

struct ExtendedLog {
    fields: Vec<String>,
    wanted: usize,
    /// Of the values of a line, the cells they go into.
    places: Option<Vec<Vec<usize>>>,
    /// Which values are the date and the time.
    date_and_time: Option<(usize, usize)>,
    date_time: Vec<usize>,
    is_tabbed: bool,
}

impl ExtendedLog {
    fn new(wanted: &[String]) -> ExtendedLog {
        let date_time = wanted.iter().enumerate().filter(|(_, name)| *name == DATE_TIME).map(|(i, _)| i);
        ExtendedLog {
            date_time: date_time.collect(),
            fields: wanted.to_vec(),
            wanted: wanted.len(),
            places: None,
            date_and_time: None,
            is_tabbed: false,
        }
    }

    fn directive(&mut self, names: &str) -> Result<(), Cow<'static, str>> {
        self.is_tabbed = names.trim().contains('\t');
        let names: Vec<&str> = names.split_ascii_whitespace().collect();
        let place = |wanted: &str| names.iter().position(|name| *name == wanted);
        self.date_and_time = place("date").zip(place("time"));
        let mut places = Vec::with_capacity(names.len());
        for name in &names {
            let mut cells: Vec<usize> = (0..self.fields.len()).filter(|i| self.fields[*i] == *name).collect();
            if cells.is_empty() && !KNOWN.contains(name) {
                if self.fields.len() >= self.wanted + MAX_NEW_FIELDS {
                    return Err(format!("more than {MAX_NEW_FIELDS} fields that the contract does not name").into());
                }
                cells.push(self.fields.len());
                self.fields.push(name.to_string());
            }
            places.push(cells);
        }
        self.places = Some(places);
        Ok(())
    }
}

impl LineParser for ExtendedLog {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> Result<LineKind, Cow<'static, str>> {
        if let Some(directive) = line.strip_prefix('#') {
            if let Some(names) = directive.strip_prefix("Fields:") {
                self.directive(names)?;
                row.grow(self.fields.len());
            }
            return Ok(LineKind::Other);
        }
        let Some(places) = &self.places else { return Err("no line `#Fields:` stands before this one".into()) };
        let (mut date, mut time) = ("", "");
        let mut count = 0;
        let mut rest = Some(line);
        while let Some(text) = rest {
            let (value, behind) = value(text, self.is_tabbed).ok_or("a quote is not closed on its line")?;
            rest = behind;
            for cell in places.get(count).into_iter().flatten() {
                match value.contains("\"\"") && text.starts_with('"') {
                    true => row.text(*cell, [value.replace("\"\"", "\"").as_str()]),
                    false => row.part(*cell, value),
                }
            }
            match self.date_and_time {
                Some((place, _)) if place == count => date = value,
                Some((_, place)) if place == count => time = value,
                _ => {}
            }
            count += 1;
        }
        if count != places.len() {
            return Err(format!("the line has {count} values where `#Fields:` names {}", places.len()).into());
        }
        if self.date_and_time.is_some() {
            for cell in &self.date_time {
                row.text(*cell, [date, "T", time]);
            }
        }
        Ok(LineKind::Row)
    }
}

/// The value that begins here, and what follows it; nothing when its quote is not closed.
fn value(text: &str, is_tabbed: bool) -> Option<(&str, Option<&str>)> {
    if is_tabbed {
        return Some(text.split_once('\t').map_or((text, None), |(value, rest)| (value, Some(rest))));
    }
    let Some(inner) = text.strip_prefix('"') else {
        return Some(match text.split_once(' ') {
            // Spaces at the end of a line are not values.
            Some((value, rest)) => (value, Some(rest).filter(|rest| !rest.trim_ascii().is_empty())),
            None => (text, None),
        });
    };
    let mut from = 0;
    loop {
        let at = from + inner[from..].find('"')?;
        match inner.as_bytes().get(at + 1) {
            Some(b'"') => from = at + 2,
            Some(b' ') => return Some((&inner[..at], Some(&inner[at + 2..]))),
            None => return Some((&inner[..at], None)),
            Some(_) => return None,
        }
    }
}
