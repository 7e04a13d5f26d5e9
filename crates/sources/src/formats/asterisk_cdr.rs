//! Asterisk's call detail records as comma-separated text (`Master.csv`).

use super::NamedFormat;
use crate::csv::{Cut, Cutter, TEXT_AFTER_QUOTE};
use crate::text::Span;
use crate::text::lines::{LineKind, LineParser, LineReader, Row};
use perennial_core::contract::{CsvOptions, TextEncoding};
use std::borrow::Cow;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "asterisk_cdr",
    title: "Asterisk's call detail records (`Master.csv`): one row per leg of a call",
    manual: "\
Asterisk's `cdr_csv` writes `/var/log/asterisk/cdr-csv/Master.csv`, without a header. How many columns it has follows from
`cdr.conf`: 16, `loguniqueid` and `loguserfield` add one each, `newcdrcolumns` adds `peeraccount`, `linkedid` and
`sequence`. Every row is read by its own count, so a file in which the settings changed is read whole. Where only one of
the first two is written, a value such as `1795301639.10` is the unique id and any other the user field. Rows with another
count are rejected.

- Times are local unless `cdr.conf` says `usegmtime = yes`. Say which: `zone: Europe/Berlin` in the table (or
  `zone: UTC`); `queue_log` and databases of the same server may be in UTC all the while.
- A call has two to five rows. Join them by `linked_id`; without it a call cannot be put together reliably.
- Agents who were rung and did not answer have rows too (`BUSY`, `NO ANSWER`): do not count rows as calls.
- `billed_seconds` is the time since the answer, `duration_seconds` since the start.
- No field identifies a row in every setting, so there is no `key`. With all 21 columns, `key: [unique_id, sequence]` does.
- A file that is rotated is known by what it holds, so that each row is read once: let `files` match all names, as in
  `Master.csv*`.
",
    contract: "\
time_column: started_at
rotated: true
columns:
  account_code: {type: text, from: accountcode}
  caller_number: {type: text, from: src, personal: true}
  destination: {type: text, from: dst, personal: true, description: Extension that was called}
  context: {type: text, from: dcontext, description: Context of the extension}
  caller_id: {type: text, from: clid, personal: true, description: Name and number as they were sent}
  channel: {type: text}
  destination_channel: {type: text, from: dstchannel}
  last_application: {type: text, from: lastapp}
  last_data: {type: text, from: lastdata, personal: true, description: Arguments of the last application}
  started_at: {type: instant, from: start, formats: [\"%Y-%m-%d %H:%M:%S\"], required: true}
  answered_at: {type: instant, from: answer, formats: [\"%Y-%m-%d %H:%M:%S\"], description: None when nobody answered}
  ended_at: {type: instant, from: end, formats: [\"%Y-%m-%d %H:%M:%S\"]}
  duration_seconds: {type: integer, from: duration, min: 0, description: From start to end}
  billed_seconds: {type: integer, from: billsec, min: 0, description: From answer to end}
  disposition: {type: text, description: \"ANSWERED, NO ANSWER, BUSY, FAILED or CONGESTION\"}
  ama_flags: {type: text, from: amaflags}
  unique_id: {type: text, from: uniqueid, description: Id of the channel}
  user_field: {type: text, from: userfield, personal: true}
  peer_account: {type: text, from: peeraccount}
  linked_id: {type: text, from: linkedid, description: The same in all rows of a call}
  sequence: {type: integer, min: 0}
",
    sample: concat!(
        "\"\",\"004930123456\",\"600\",\"callers\",\"\"\"Jo \"\"\"\"X\"\"\"\" Doe\"\" <004930123456>\",\"PJSIP/a-00000001\",",
        "\"PJSIP/b-00000002\",\"Queue\",\"sales,,,,60\",\"2026-01-05 09:00:00\",\"2026-01-05 09:00:05\",",
        "\"2026-01-05 09:02:00\",120,115,\"ANSWERED\",\"DOCUMENTATION\",\"1767600000.10\",\"\",\"\",\"1767600000.10\",4\n",
        "\"\",\"004930999999\",\"601\",\"callers\",\"004930999999\",\"PJSIP/a-00000003\",\"\",\"Dial\",\"PJSIP/b,20\",",
        "\"2026-01-05 10:00:00\",,\"2026-01-05 10:00:20\",20,0,\"NO ANSWER\",\"DOCUMENTATION\"\n",
    ),
    fields: &FIELDS,
    open: |bytes, wanted| {
        Ok(Box::new(LineReader::open(bytes, TextEncoding::Utf8, CallDetails::new(), Some(wanted))?))
    },
};

const FIELDS: [&str; 21] = [
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
    "peeraccount",
    "linkedid",
    "sequence",
];
/// Columns that are always written.
const PLAIN: usize = 16;
const UNIQUE_ID: usize = 16;
const USER_FIELD: usize = 17;
const PEER_ACCOUNT: usize = 18;
/// Columns of `newcdrcolumns`.
const NEW: usize = 3;

/// How comma-separated lines are cut.
pub(super) const COMMA_SEPARATED: CsvOptions = CsvOptions {
    delimiter: b',',
    collapse: false,
    quote: Some(b'"'),
    header: false,
    header_row: None,
    skip_rows: Vec::new(),
    encoding: TextEncoding::Utf8,
};

/// Cuts a line of comma-separated text into its cells.
pub(super) fn cut_line(
    cut: &mut Cutter,
    line: &str,
    row: &mut Row<'_>,
    cells: &mut Vec<Span>,
) -> Result<(), Cow<'static, str>> {
    cells.clear();
    cut.forget();
    match cut.record(line.as_bytes(), 0, true, cells, row.unescaped()) {
        Cut::Record { text_after_quote: true, .. } => Err(TEXT_AFTER_QUOTE.into()),
        Cut::Record { .. } => Ok(()),
        Cut::Blank { .. } | Cut::Incomplete | Cut::Unclosed => Err("a quote is not closed on its line".into()),
    }
}

struct CallDetails {
    fields: Vec<String>,
    cut: Cutter,
    cells: Vec<Span>,
}

impl CallDetails {
    fn new() -> CallDetails {
        CallDetails { fields: super::names(&FIELDS), cut: Cutter::new(&COMMA_SEPARATED), cells: Vec::new() }
    }
}

impl LineParser for CallDetails {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> Result<LineKind, Cow<'static, str>> {
        cut_line(&mut self.cut, line, row, &mut self.cells)?;
        let count = self.cells.len();
        let has_new = count >= PLAIN + NEW;
        let between = count.wrapping_sub(PLAIN + if has_new { NEW } else { 0 });
        if between > 2 {
            return Err(format!("the row has {count} columns where 16 to 21 are expected").into());
        }
        for (field, cell) in self.cells.iter().enumerate().take(PLAIN) {
            row.cut(field, *cell);
        }
        match between {
            1 if is_unique_id(self.cells[PLAIN], line) => row.cut(UNIQUE_ID, self.cells[PLAIN]),
            1 => row.cut(USER_FIELD, self.cells[PLAIN]),
            2 => {
                row.cut(UNIQUE_ID, self.cells[PLAIN]);
                row.cut(USER_FIELD, self.cells[PLAIN + 1]);
            }
            _ => {}
        }
        if has_new {
            for (field, cell) in self.cells[count - NEW..].iter().enumerate() {
                row.cut(PEER_ACCOUNT + field, *cell);
            }
        }
        Ok(LineKind::Row)
    }
}

/// Whether a cell is written as a unique id: seconds, a point and a number, perhaps the system's name before.
fn is_unique_id(cell: Span, line: &str) -> bool {
    if cell.unescaped_range().is_some() {
        return false;
    }
    let text = cell.of(line.as_bytes());
    let id = text.rsplit(|byte| *byte == b'-').next().unwrap_or(text);
    let mut parts = id.split(|byte| *byte == b'.');
    let digits = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
}
