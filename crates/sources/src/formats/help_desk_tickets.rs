//! Tickets of a help desk as Zendesk exports them.

use super::NamedFormat;
use crate::json::{RowsPath, open_documents};

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "help_desk_tickets",
    title: "Tickets of a help desk, as Zendesk exports them to JSON: one row per ticket",
    manual: "\
Pages of the incremental export (`{\"tickets\": [...], \"after_cursor\": ...}`), kept as files, or the JSON export of an
account, one ticket a line. Other help desks export much the same; a field with another name is read by `from`.

- Pages overlap, and a ticket comes again whenever it changes: of each `ticket_id` the one with the newest `updated_at`
  is shown. Deleted tickets come once more, with the status `deleted`.
- `satisfaction` is `good` or `bad` when the customer answered, `offered` when not, `unoffered` when nobody asked. A
  share of good marks counts the first two.
- Answers to own fields are a list of ids and values: `product: {type: text, from: \"custom_fields[id=360001].value\"}`.
- Times to the first answer and to the solution stand in the account's export only (`metric_set`), in minutes.
",
    contract: "\
key: [ticket_id]
newest_by: updated_at
time_column: created_at
columns:
  ticket_id: {type: integer, from: id, required: true}
  external_id: {type: text}
  created_at: {type: instant, required: true}
  updated_at: {type: instant, required: true}
  status: {type: text, description: \"new, open, pending, hold, solved, closed or deleted\"}
  type: {type: text, description: \"question, incident, problem or task\"}
  priority: {type: text, description: \"low, normal, high or urgent\"}
  subject: {type: text, personal: true}
  channel: {type: text, from: via.channel, description: \"email, web, chat, api, ...\"}
  requester_id: {type: integer, personal: true, description: Who asks}
  requester_email: {type: text, from: requester.email, personal: true, description: Only in the account's export}
  submitter_id: {type: integer, personal: true}
  assignee_id: {type: integer, personal: true, description: The agent}
  organization_id: {type: integer}
  group_id: {type: integer}
  brand_id: {type: integer}
  recipient: {type: text, personal: true, description: Address that was written to}
  satisfaction: {type: text, from: satisfaction_rating.score}
  satisfaction_comment: {type: text, from: satisfaction_rating.comment, personal: true}
  first_answer_minutes: {type: integer, from: metric_set.reply_time_in_minutes.calendar, min: 0}
  solution_minutes: {type: integer, from: metric_set.full_resolution_time_in_minutes.calendar, min: 0}
  tags: {type: text, description: JSON}
  custom_fields: {type: text, personal: true, description: JSON}
",
    sample: r#"{"tickets":[{"id":35,"external_id":null,"created_at":"2026-01-05T09:00:00Z","updated_at":"2026-01-05T10:00:00Z","status":"solved","type":"question","priority":"high","subject":"Where is my order?","via":{"channel":"email"},"requester_id":9001,"assignee_id":77,"satisfaction_rating":{"score":"good","comment":"quick"},"tags":["delivery"],"custom_fields":[{"id":360001,"value":"lamp"}]},{"id":36,"created_at":"2026-01-05T09:30:00Z","updated_at":"2026-01-05T09:30:00Z","status":"deleted","satisfaction_rating":null}],"after_cursor":"abc","end_of_stream":true}
{"id":37,"created_at":"2026-01-06T09:00:00Z","updated_at":"2026-01-06T09:00:00Z","status":"new","satisfaction_rating":{"score":"unoffered"},"requester":{"email":"jo@example.org"},"metric_set":{"reply_time_in_minutes":{"calendar":12,"business":12}}}
"#,
    fields: &[],
    open: |bytes, wanted| open_documents(bytes, RowsPath { wrapper: Some("tickets"), rows: "" }, wanted, false),
};
