//! Contact records of Amazon Connect.

use super::NamedFormat;
use crate::json::{RowsPath, open_documents};

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "amazon_connect",
    title: "Contact records of Amazon Connect: one row per contact",
    manual: "\
Amazon Connect streams contact records to Kinesis, and Firehose writes them to S3: JSON objects behind each other, with or
without line ends between them.

- Delivered at least once, and sent again whenever a contact is updated: of each `contact_id` the record with the newest
  `updated_at` is shown.
- A transfer is a contact of its own: `initial_contact_id` is the same in all contacts of one conversation,
  `previous_contact_id` and `next_contact_id` link them.
- Waiting is `queue_seconds`. A contact with a queue and no `agent_connected_at` was abandoned there.
- New fields come at any time. They are left out until a column names them; attributes that flows set are kept whole in
  `attributes`, and one by one as columns: `topic: {type: text, from: Attributes.topic}`.
",
    contract: "\
key: [contact_id]
newest_by: updated_at
time_column: initiated_at
columns:
  contact_id: {type: text, from: ContactId, required: true}
  initial_contact_id: {type: text, from: InitialContactId}
  previous_contact_id: {type: text, from: PreviousContactId}
  next_contact_id: {type: text, from: NextContactId}
  related_contact_id: {type: text, from: RelatedContactId}
  instance: {type: text, from: InstanceARN}
  channel: {type: text, from: Channel, description: \"VOICE, CHAT, TASK or EMAIL\"}
  initiation_method: {type: text, from: InitiationMethod, description: \"INBOUND, OUTBOUND, TRANSFER, CALLBACK, API, ...\"}
  initiated_at: {type: instant, from: InitiationTimestamp}
  connected_at: {type: instant, from: ConnectedToSystemTimestamp, description: When the customer reached the system}
  queue: {type: text, from: Queue.Name}
  queue_arn: {type: text, from: Queue.ARN}
  queued_at: {type: instant, from: Queue.EnqueueTimestamp}
  dequeued_at: {type: instant, from: Queue.DequeueTimestamp}
  queue_seconds: {type: integer, from: Queue.Duration, min: 0}
  agent: {type: text, from: Agent.Username, personal: true}
  routing_profile: {type: text, from: Agent.RoutingProfile.Name}
  agent_connected_at: {type: instant, from: Agent.ConnectedToAgentTimestamp}
  talk_seconds: {type: integer, from: Agent.AgentInteractionDuration, min: 0, description: Agent with customer}
  hold_seconds: {type: integer, from: Agent.CustomerHoldDuration, min: 0}
  longest_hold_seconds: {type: integer, from: Agent.LongestHoldDuration, min: 0}
  holds: {type: integer, from: Agent.NumberOfHolds, min: 0}
  after_contact_seconds: {type: integer, from: Agent.AfterContactWorkDuration, min: 0}
  agent_attempts: {type: integer, from: AgentConnectionAttempts, min: 0}
  customer_address: {type: text, from: CustomerEndpoint.Address, personal: true, description: Number or address}
  system_address: {type: text, from: SystemEndpoint.Address, description: Number that was called}
  transferred_to: {type: text, from: TransferredToEndpoint.Address, personal: true}
  disconnect_reason: {type: text, from: DisconnectReason}
  disconnected_at: {type: instant, from: DisconnectTimestamp}
  scheduled_at: {type: instant, from: ScheduledTimestamp}
  updated_at: {type: instant, from: LastUpdateTimestamp, required: true}
  attributes: {type: text, from: Attributes, personal: true, description: JSON}
",
    sample: r#"{"ContactId":"c1","InitialContactId":null,"Channel":"VOICE","InitiationMethod":"INBOUND","InitiationTimestamp":"2026-01-05T09:00:00Z","Queue":{"Name":"Sales","EnqueueTimestamp":"2026-01-05T09:00:10Z","DequeueTimestamp":"2026-01-05T09:00:25Z","Duration":15},"Agent":{"Username":"anna","ConnectedToAgentTimestamp":"2026-01-05T09:00:25Z","AgentInteractionDuration":110,"CustomerHoldDuration":10,"NumberOfHolds":1,"RoutingProfile":{"Name":"Basic"}},"CustomerEndpoint":{"Address":"+4930123456","Type":"TELEPHONE_NUMBER"},"DisconnectTimestamp":"2026-01-05T09:02:20Z","LastUpdateTimestamp":"2026-01-05T09:03:00Z","Attributes":{"topic":"billing"}}{"ContactId":"c2","Channel":"VOICE","InitiationMethod":"INBOUND","InitiationTimestamp":"2026-01-05T10:00:00Z","Queue":{"Name":"Sales","Duration":42},"Agent":null,"LastUpdateTimestamp":"2026-01-05T10:02:00Z","Attributes":{}}
"#,
    fields: &[],
    open: |bytes, wanted| open_documents(bytes, RowsPath::default(), wanted, false),
};
