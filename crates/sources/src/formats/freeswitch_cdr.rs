//! FreeSWITCH's call detail records as comma-separated text.

use super::NamedFormat;
use super::asterisk_cdr::{COMMA_SEPARATED, cut_line};
use crate::csv::Cutter;
use crate::text::Span;
use crate::text::lines::{LineKind, LineParser, LineReader, Row};
use perennial_core::contract::TextEncoding;
use std::borrow::Cow;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "freeswitch_cdr",
    title: "FreeSWITCH's call detail records (`mod_cdr_csv`): one row per leg of a call",
    manual: "\
`mod_cdr_csv` writes `/var/log/freeswitch/cdr-csv/Master.csv`, without a header, by a template. Read are the 15 columns
of the template that the shipped configuration calls `example`; rows with another count are rejected. For a template of
your own take `format: {csv: {header: false}}` and name its columns in order.

- Times are local to the server. Say where it stands: `zone: Europe/Berlin` in the table.
- `Master.csv` grows until it is rotated. It is known by what it holds, so that each row is read once: let `files` match all
  names, as in `Master.csv*`.
- Each leg has a row when `legs` is `ab`; the other leg is named by `other_leg_uuid`.
- Values are not escaped: a caller's name with a quote in it makes its row unreadable, and it is rejected.
",
    contract: "\
key: [uuid]
time_column: started_at
rotated: true
columns:
  caller_name: {type: text, from: caller_id_name, personal: true}
  caller_number: {type: text, from: caller_id_number, personal: true}
  destination: {type: text, from: destination_number, personal: true, description: Number that was called}
  context: {type: text}
  started_at: {type: instant, from: start_stamp, formats: [\"%Y-%m-%d %H:%M:%S\"], required: true}
  answered_at: {type: instant, from: answer_stamp, formats: [\"%Y-%m-%d %H:%M:%S\"], description: None when nobody answered}
  ended_at: {type: instant, from: end_stamp, formats: [\"%Y-%m-%d %H:%M:%S\"]}
  duration_seconds: {type: integer, from: duration, min: 0, description: From start to end}
  billed_seconds: {type: integer, from: billsec, min: 0, description: From answer to end}
  hangup_cause: {type: text, description: As in NORMAL_CLEARING}
  uuid: {type: text, required: true, description: Id of this leg}
  other_leg_uuid: {type: text, from: bleg_uuid}
  account_code: {type: text, from: accountcode}
  read_codec: {type: text}
  write_codec: {type: text}
",
    sample: "\
\"Jo Doe\",\"004930123456\",\"5000\",\"default\",\"2026-01-05 09:00:00\",\"2026-01-05 09:00:05\",\"2026-01-05 09:02:00\",\
\"120\",\"115\",\"NORMAL_CLEARING\",\"6f1c0c8e-0000-4000-8000-000000000001\",\"6f1c0c8e-0000-4000-8000-000000000002\",\
\"\",\"PCMU\",\"PCMU\"
\"\",\"004930999999\",\"5000\",\"default\",\"2026-01-05 10:00:00\",\"\",\"2026-01-05 10:00:20\",\"20\",\"0\",\
\"ORIGINATOR_CANCEL\",\"6f1c0c8e-0000-4000-8000-000000000003\",\"\",\"\",\"PCMA\",\"PCMA\"
",
    fields: &FIELDS,
    open: |bytes, wanted| {
        let parser =
            CallDetails { fields: super::names(&FIELDS), cut: Cutter::new(&COMMA_SEPARATED), cells: Vec::new() };
        Ok(Box::new(LineReader::open(bytes, TextEncoding::Utf8, parser, Some(wanted))?))
    },
};

const FIELDS: [&str; 15] = [
    "caller_id_name",
    "caller_id_number",
    "destination_number",
    "context",
    "start_stamp",
    "answer_stamp",
    "end_stamp",
    "duration",
    "billsec",
    "hangup_cause",
    "uuid",
    "bleg_uuid",
    "accountcode",
    "read_codec",
    "write_codec",
];

struct CallDetails {
    fields: Vec<String>,
    cut: Cutter,
    cells: Vec<Span>,
}

impl LineParser for CallDetails {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> Result<LineKind, Cow<'static, str>> {
        cut_line(&mut self.cut, line, row, &mut self.cells)?;
        let (count, expected) = (self.cells.len(), FIELDS.len());
        if count != expected {
            return Err(format!("the row has {count} columns where {expected} are expected").into());
        }
        self.cells.iter().enumerate().for_each(|(field, cell)| row.cut(field, *cell));
        Ok(LineKind::Row)
    }
}
