//! Conversation details of Genesys Cloud.

use super::NamedFormat;
use crate::json::{RowsPath, open_documents};

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "genesys_conversations",
    title: "Conversation details of Genesys Cloud: one row per segment of a session",
    manual: "\
Answers of the conversation detail query and its jobs (`{\"conversations\": [...]}`), or one conversation a line. A
conversation has participants (the customer, the flow, the queue, agents), these have sessions, and these have segments,
which begin and end and name their queue. A row is a segment, with what is known of the session, participant and
conversation it belongs to.

From segments follow the figures of a call, without counting anything twice:

| figure | segments |
|---|---|
| wait in the queue | `purpose = 'acd'`, from start to end |
| ringing of an agent | `purpose = 'agent'`, `segment_type = 'alert'` |
| talk | `purpose = 'agent'`, `segment_type = 'interact'` |
| hold | `purpose = 'agent'`, `segment_type = 'hold'` |
| work after the call | `purpose = 'agent'`, `segment_type = 'wrapup'` |

An agent is `user_id`; names come from the users' interface.

- A conversation is exported again while it goes on and after late changes. The key is made of ids and the segment's number
  in its session, so the newest version is shown; load whole days again until `dataAvailabilityDate` has passed them.
- Columns name fields by their path: `participants[].sessions[].segments[].queueId`, `conversationId`. What Genesys
  measured of a session is a list of names and values: `answered_milliseconds: {type: integer, from:
  \"participants[].sessions[].metrics[name=tAnswered].value\"}`. Such a value repeats on each segment of its session, and a
  metric that occurs twice in one session rejects the row.
- Conversations without participants, sessions or segments give no rows.
",
    contract: "\
key: [conversation_id, session_id, segment_number]
time_column: segment_started_at
columns:
  conversation_id: {type: text, from: conversationId, required: true}
  conversation_started_at: {type: instant, from: conversationStart}
  conversation_ended_at: {type: instant, from: conversationEnd}
  originating_direction: {type: text, from: originatingDirection, description: inbound or outbound}
  participant_id: {type: text, from: \"participants[].participantId\"}
  participant_name: {type: text, from: \"participants[].participantName\", personal: true}
  purpose: {type: text, from: \"participants[].purpose\", description: \"customer, ivr, acd, agent, ...\"}
  user_id: {type: text, from: \"participants[].userId\", personal: true, description: The agent}
  session_id: {type: text, from: \"participants[].sessions[].sessionId\", required: true}
  media_type: {type: text, from: \"participants[].sessions[].mediaType\"}
  direction: {type: text, from: \"participants[].sessions[].direction\"}
  caller_number: {type: text, from: \"participants[].sessions[].ani\", personal: true}
  called_number: {type: text, from: \"participants[].sessions[].dnis\", personal: true}
  flow: {type: text, from: \"participants[].sessions[].flow.flowName\"}
  segment_number: {type: integer, from: \"participants[].sessions[].segments[#]\", description: \"In its session, from 1\"}
  segment_type: {type: text, from: \"participants[].sessions[].segments[].segmentType\", description: \"interact, hold, alert, wrapup, ivr, delay, ...\"}
  segment_started_at: {type: instant, from: \"participants[].sessions[].segments[].segmentStart\"}
  segment_ended_at: {type: instant, from: \"participants[].sessions[].segments[].segmentEnd\"}
  queue_id: {type: text, from: \"participants[].sessions[].segments[].queueId\"}
  is_conference: {type: boolean, from: \"participants[].sessions[].segments[].conference\"}
  disconnect_type: {type: text, from: \"participants[].sessions[].segments[].disconnectType\"}
  wrap_up_code: {type: text, from: \"participants[].sessions[].segments[].wrapUpCode\"}
  wrap_up_note: {type: text, from: \"participants[].sessions[].segments[].wrapUpNote\", personal: true}
",
    sample: r#"{"conversations": [
  {"conversationId": "v1", "conversationStart": "2026-01-05T09:00:00.000Z", "originatingDirection": "inbound",
   "participants": [
     {"participantId": "p1", "purpose": "customer", "sessions": [
       {"sessionId": "s1", "mediaType": "voice", "direction": "inbound", "ani": "tel:+4930123456", "segments": [
         {"segmentStart": "2026-01-05T09:00:00.000Z", "segmentEnd": "2026-01-05T09:02:00.000Z", "segmentType": "interact", "conference": false}]}]},
     {"participantId": "p2", "purpose": "acd", "sessions": [
       {"sessionId": "s2", "mediaType": "voice", "segments": [
         {"segmentStart": "2026-01-05T09:00:05.000Z", "segmentEnd": "2026-01-05T09:00:20.500Z", "segmentType": "interact", "queueId": "q1"}],
        "metrics": [{"name": "tAcd", "value": 15500}]}]},
     {"participantId": "p3", "purpose": "agent", "userId": "u1", "sessions": [
       {"sessionId": "s3", "mediaType": "voice", "segments": [
         {"segmentStart": "2026-01-05T09:00:15.000Z", "segmentEnd": "2026-01-05T09:00:20.500Z", "segmentType": "alert", "queueId": "q1"},
         {"segmentStart": "2026-01-05T09:00:20.500Z", "segmentEnd": "2026-01-05T09:02:00.000Z", "segmentType": "interact", "queueId": "q1"}]}]}],
   "conversationEnd": "2026-01-05T09:02:00.000Z"}],
 "totalHits": 1}
"#,
    fields: &[],
    open: |bytes, wanted| {
        let rows = "participants[].sessions[].segments[]";
        open_documents(bytes, RowsPath { wrapper: Some("conversations"), rows }, wanted, false)
    },
};
