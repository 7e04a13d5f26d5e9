//! Asterisk's `queue_log`: what happened to each caller of a queue, event by event.

use super::NamedFormat;
use crate::text::lines::{LineKind, LineParser, LineReader, Row};
use perennial_core::contract::TextEncoding;
use std::borrow::Cow;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "asterisk_queue_log",
    title: "Asterisk's `queue_log`: one row per event of a call in a queue",
    manual: "\
Asterisk writes `/var/log/asterisk/queue_log`: seconds since 1970, the call's id, queue, agent, event and up to five
further values whose meaning depends on the event. They are kept as `data1` to `data5`, and those that have one meaning
are given under a name of their own:

| event | gives |
|---|---|
| `ENTERQUEUE` | `caller_number`, `position` |
| `CONNECT` | `hold_seconds`, `member_call_id`, `ring_seconds` |
| `COMPLETEAGENT`, `COMPLETECALLER` | `hold_seconds`, `talk_seconds`, `original_position` |
| `ABANDON`, `EXITWITHTIMEOUT`, `EXITEMPTY`, `EXITWITHKEY` | `position`, `original_position`, `wait_seconds` |
| `RINGNOANSWER`, `RINGCANCELED` | `ring_milliseconds` |
| `BLINDTRANSFER`, `ATTENDEDTRANSFER`, `TRANSFER` | `hold_seconds`, `talk_seconds`, `original_position` |

`hold_seconds` is the wait of a caller who was connected, `wait_seconds` that of one who was not. A call that was answered
ends with `COMPLETE...` or `...TRANSFER`; take its talk time from there and nowhere else.

- An id such as `1795301639.10` is text. Read as a number it would lose its last zero and become another call.
- No field identifies a row, so there is no `key`: each line is a row of its own. A log that is rotated (`queue_log` to
  `queue_log.1`) is known by what it holds, so that each line is read once: let `files` match all names, as in `queue_log*`.
- `NONE` means no queue, no agent or no call, and is read as no value.
- Clocks count seconds, so times of one call may be a second apart from what the CDR says.
",
    contract: "\
time_column: occurred_at
rotated: true
columns:
  occurred_at: {type: instant, from: time, formats: [\"%s\"], required: true, description: When the event happened}
  call_id: {type: text, null_values: [NONE], description: Unique id of the caller's channel}
  queue: {type: text, null_values: [NONE]}
  agent: {type: text, null_values: [NONE], personal: true, description: Name or interface of the queue's member}
  event: {type: text, required: true, description: As Asterisk names it}
  caller_number: {type: text, personal: true, description: Number of the caller as it was sent}
  position: {type: integer, min: 0, description: Place in the queue at the event; 1 is the next one}
  original_position: {type: integer, min: 0, description: Place in the queue when the call came}
  hold_seconds: {type: integer, min: 0, description: Wait until an agent was connected}
  wait_seconds: {type: integer, min: 0, description: Wait until the caller left the queue without an agent}
  talk_seconds: {type: integer, min: 0, description: From connection to end}
  ring_seconds: {type: integer, min: 0, description: Ringing of the agent who answered}
  ring_milliseconds: {type: integer, min: 0, description: Ringing of an agent who did not answer}
  member_call_id: {type: text, description: Unique id of the agent's channel}
  data1: {type: text, personal: true, description: First value of the event}
  data2: {type: text, personal: true, description: Second value; of `ENTERQUEUE` the caller's number}
  data3: {type: text, description: Third value}
  data4: {type: text, description: Fourth value}
  data5: {type: text, description: Fifth value}
",
    sample: "\
1767600000|NONE|NONE|NONE|QUEUESTART|
1767600005|1767600004.10|sales|NONE|ENTERQUEUE||004930123456|2
1767600012|1767600004.10|sales|Li Na|RINGNOANSWER|5000
1767600020|1767600004.10|sales|Anna|CONNECT|15|1767600012.12|3
1767600140|1767600004.10|sales|Anna|COMPLETECALLER|15|120|2
1767600150|1767600149.20|service|NONE|ENTERQUEUE|||1
1767600190|1767600149.20|service|NONE|ABANDON|1|1|40
",
    fields: &FIELDS,
    open: |bytes, wanted| {
        let parser = QueueLog { fields: super::names(&FIELDS) };
        Ok(Box::new(LineReader::open(bytes, TextEncoding::Utf8, parser, Some(wanted))?))
    },
};

const FIELDS: [&str; 19] = [
    "time",
    "call_id",
    "queue",
    "agent",
    "event",
    "data1",
    "data2",
    "data3",
    "data4",
    "data5",
    "caller_number",
    "position",
    "original_position",
    "hold_seconds",
    "wait_seconds",
    "talk_seconds",
    "ring_seconds",
    "ring_milliseconds",
    "member_call_id",
];
const EVENT: usize = 4;
/// Values that every line has at least, and at most.
const MIN_VALUES: usize = 5;
const MAX_VALUES: usize = 11;
/// Values that have a cell of their own as they are.
const PLAIN_VALUES: usize = 10;

const CALLER: usize = 10;
const POSITION: usize = 11;
const ORIGINAL_POSITION: usize = 12;
const HOLD: usize = 13;
const WAIT: usize = 14;
const TALK: usize = 15;
const RING_SECONDS: usize = 16;
const RING_MILLISECONDS: usize = 17;
const MEMBER_CALL: usize = 18;

/// What the data of an event are: number of the value (from 1) and field.
fn meaning(event: &str, first: &str) -> &'static [(usize, usize)] {
    match event {
        "ENTERQUEUE" => &[(2, CALLER), (3, POSITION)],
        "CONNECT" => &[(1, HOLD), (2, MEMBER_CALL), (3, RING_SECONDS)],
        "COMPLETEAGENT" | "COMPLETECALLER" => &[(1, HOLD), (2, TALK), (3, ORIGINAL_POSITION)],
        "ABANDON" | "EXITWITHTIMEOUT" | "EXITEMPTY" => &[(1, POSITION), (2, ORIGINAL_POSITION), (3, WAIT)],
        "EXITWITHKEY" => &[(2, POSITION), (3, ORIGINAL_POSITION), (4, WAIT)],
        "RINGNOANSWER" | "RINGCANCELED" => &[(1, RING_MILLISECONDS)],
        // Of two linked channels both are named before the times.
        "ATTENDEDTRANSFER" if first == "LINK" => &[(4, HOLD), (5, TALK), (6, ORIGINAL_POSITION)],
        "BLINDTRANSFER" | "ATTENDEDTRANSFER" | "TRANSFER" => &[(3, HOLD), (4, TALK), (5, ORIGINAL_POSITION)],
        _ => &[],
    }
}

struct QueueLog {
    fields: Vec<String>,
}

impl LineParser for QueueLog {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn line(&mut self, line: &str, row: &mut Row<'_>) -> Result<LineKind, Cow<'static, str>> {
        let mut values = [""; MAX_VALUES];
        let mut count = 0;
        for value in line.split('|') {
            if let Some(place) = values.get_mut(count) {
                *place = value;
            }
            count += 1;
        }
        if !(MIN_VALUES..=MAX_VALUES).contains(&count) {
            return Err(format!("the line has {count} values where {MIN_VALUES} to {MAX_VALUES} are expected").into());
        }
        for (field, value) in values.iter().enumerate().take(count.min(PLAIN_VALUES)) {
            row.part(field, value);
        }
        for (data, field) in meaning(values[EVENT], values[EVENT + 1]) {
            if EVENT + data < count {
                row.part(*field, values[EVENT + data]);
            }
        }
        Ok(LineKind::Row)
    }
}
