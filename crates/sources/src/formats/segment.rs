//! Events of Segment and RudderStack.

use super::NamedFormat;
use crate::json::{RowsPath, open_documents};

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "segment",
    title: "Events of Segment and RudderStack, in batches or one by one: one row per message",
    manual: "\
What the libraries of Segment and RudderStack send, and what their storage destinations keep: JSON documents, each a
batch (`{\"batch\": [...], \"sentAt\": ...}`) or a single message. A row is a message. Columns name its fields (`messageId`,
`properties.revenue`); what a message lacks and its batch has, such as `sentAt`, is taken from the batch.

- Delivered at least once: `message_id` shows each message once.
- `type` says what it is: `page`, `screen`, `track`, `identify`, `group`, `alias`.
- Identities: `anonymous_id` of the browser, `user_id` after login. `identify` links them; `alias` says that
  `previous_id` is now `user_id`.
- Clocks of browsers are wrong. Where `received_at` and `sent_at` are known, the skew is their difference, and
  `occurred_at` plus the skew is the time by the server's clock. Segment's `timestamp` is corrected already in what it
  stores; what comes straight from a browser is not, and `original_timestamp` never is.
- Of an address, `traits.email` stands in `identify`; `context.traits.email` in any message.
- Properties of events differ: `properties` holds them whole as JSON, and each can be a column:
  `coupon: {type: text, from: properties.coupon}`.
",
    contract: "\
key: [message_id]
time_column: occurred_at
columns:
  message_id: {type: text, from: messageId, required: true}
  type: {type: text, required: true, description: \"page, screen, track, identify, group or alias\"}
  anonymous_id: {type: text, from: anonymousId, personal: true}
  user_id: {type: text, from: userId, personal: true}
  previous_id: {type: text, from: previousId, personal: true, description: Of alias}
  group_id: {type: text, from: groupId}
  event: {type: text, description: Of track}
  name: {type: text, description: Of page and screen}
  occurred_at: {type: instant, from: timestamp}
  original_timestamp: {type: instant, from: originalTimestamp, description: By the clock of the device}
  sent_at: {type: instant, from: sentAt, description: By the clock of the device}
  received_at: {type: instant, from: receivedAt, description: By the clock of the server}
  email: {type: text, from: traits.email, personal: true, description: Of identify}
  context_email: {type: text, from: context.traits.email, personal: true}
  phone: {type: text, from: traits.phone, personal: true}
  page_url: {type: text, from: context.page.url}
  page_path: {type: text, from: context.page.path}
  page_title: {type: text, from: context.page.title}
  page_referrer: {type: text, from: context.page.referrer}
  page_query: {type: text, from: context.page.search, personal: true}
  viewed_url: {type: text, from: properties.url, description: Of page}
  viewed_path: {type: text, from: properties.path, description: Of page}
  viewed_referrer: {type: text, from: properties.referrer, description: Of page}
  campaign_name: {type: text, from: context.campaign.name}
  campaign_source: {type: text, from: context.campaign.source}
  campaign_medium: {type: text, from: context.campaign.medium}
  client_address: {type: text, from: context.ip, personal: true}
  user_agent: {type: text, from: context.userAgent}
  locale: {type: text, from: context.locale}
  channel: {type: text}
  order_id: {type: text, from: properties.order_id}
  revenue: {type: decimal, from: properties.revenue, precision: 18, scale: 4}
  total: {type: decimal, from: properties.total, precision: 18, scale: 4}
  currency: {type: text, from: properties.currency}
  properties: {type: text, personal: true, description: JSON}
  traits: {type: text, personal: true, description: JSON}
",
    sample: r#"{"batch":[{"type":"page","messageId":"m1","anonymousId":"a1","timestamp":"2026-01-05T10:00:00.100Z","context":{"page":{"path":"/","url":"https://shop.example/"}},"properties":{"path":"/"}},{"type":"identify","messageId":"m2","anonymousId":"a1","userId":"7","timestamp":"2026-01-05T10:00:01.000Z","traits":{"email":"li.na@example.org"}}],"sentAt":"2026-01-05T10:00:02.000Z"}
{"type":"track","event":"Order Completed","messageId":"m3","userId":"7","timestamp":"2026-01-05T10:00:09Z","sentAt":"2026-01-05T10:00:10Z","receivedAt":"2026-01-05T10:00:12Z","properties":{"order_id":"T1","revenue":39.9,"currency":"EUR"}}
{"type":"alias","messageId":"m4","previousId":"a1","userId":"7","timestamp":"2026-01-05T10:00:11Z"}
"#,
    fields: &[],
    open: |bytes, wanted| open_documents(bytes, RowsPath { wrapper: Some("batch"), rows: "" }, wanted, false),
};
