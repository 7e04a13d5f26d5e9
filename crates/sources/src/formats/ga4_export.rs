//! Events of Google Analytics 4 as BigQuery exports them to JSON.

use super::NamedFormat;
use crate::json::JsonLinesReader;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "ga4_export",
    title: "Events of Google Analytics 4, exported from BigQuery as JSON lines: one row per event",
    manual: "\
Google Analytics 4 writes a table a day into BigQuery (`events_YYYYMMDD`); exported as newline-delimited JSON, compressed
or not, each line is an event. Its parameters are a list of keys and values. Some of them are columns here; any other is
read in the same way: `coupon: {type: text, from: \"event_params[key=coupon].value.string_value\"}`. Numbers stand under
`int_value`, `float_value` or `double_value`.

- A day's table is rewritten for up to three days. Export a day again under the same name of file, and its rows are
  replaced.
- There is no id of an event, so no `key`. A session is `user_pseudo_id` with `session_id`; the latter alone repeats.
- `event_on` is the day in the property's own time zone, `occurred_at` the moment, from microseconds since 1970.
- Amounts are binary doubles in GA4 itself: compare them with the ERP after rounding, and trust the ERP.
- Users who refuse cookies have no `user_pseudo_id`.
",
    contract: "\
time_column: occurred_at
columns:
  event_on: {type: date, from: event_date, formats: [\"%Y%m%d\"], required: true, description: In the property's time zone}
  occurred_at: {type: instant, from: event_timestamp, formats: [epoch_microseconds], required: true}
  event_name: {type: text, required: true}
  user_pseudo_id: {type: text, personal: true, description: \"Cookie, or installation of an app\"}
  user_id: {type: text, personal: true, description: As the site sets it after login}
  session_id: {type: integer, from: \"event_params[key=ga_session_id].value.int_value\"}
  session_number: {type: integer, from: \"event_params[key=ga_session_number].value.int_value\", min: 0}
  engagement_milliseconds: {type: integer, from: \"event_params[key=engagement_time_msec].value.int_value\"}
  page_url: {type: text, from: \"event_params[key=page_location].value.string_value\"}
  page_title: {type: text, from: \"event_params[key=page_title].value.string_value\"}
  page_referrer: {type: text, from: \"event_params[key=page_referrer].value.string_value\"}
  source: {type: text, from: \"event_params[key=source].value.string_value\", description: Of this event}
  medium: {type: text, from: \"event_params[key=medium].value.string_value\"}
  campaign: {type: text, from: \"event_params[key=campaign].value.string_value\"}
  first_source: {type: text, from: traffic_source.source, description: That brought the user the first time}
  first_medium: {type: text, from: traffic_source.medium}
  first_campaign: {type: text, from: traffic_source.name}
  device_category: {type: text, from: device.category}
  operating_system: {type: text, from: device.operating_system}
  browser: {type: text, from: device.web_info.browser}
  language: {type: text, from: device.language}
  country: {type: text, from: geo.country}
  region: {type: text, from: geo.region}
  city: {type: text, from: geo.city}
  platform: {type: text}
  stream_id: {type: text}
  order_id: {type: text, from: ecommerce.transaction_id, null_values: [\"(not set)\"]}
  revenue: {type: float, from: ecommerce.purchase_revenue, description: \"A binary double, in the currency of the event\"}
  revenue_usd: {type: float, from: ecommerce.purchase_revenue_in_usd}
  currency: {type: text, from: \"event_params[key=currency].value.string_value\"}
  item_quantity: {type: integer, from: ecommerce.total_item_quantity}
  items: {type: text, description: JSON}
  event_params: {type: text, personal: true, description: All parameters as JSON}
",
    sample: r#"{"event_date":"20260105","event_timestamp":"1767603600123456","event_name":"page_view","event_params":[{"key":"ga_session_id","value":{"int_value":"1767603500"}},{"key":"page_location","value":{"string_value":"https://shop.example/?q=\u4e2d"}},{"key":"engagement_time_msec","value":{"int_value":"100"}}],"user_pseudo_id":"12.34","device":{"category":"mobile","web_info":{"browser":"Chrome"}},"geo":{"country":"Germany"},"platform":"WEB","items":[]}
{"event_date":"20260105","event_timestamp":"1767603700000000","event_name":"purchase","event_params":[{"key":"currency","value":{"string_value":"EUR"}},{"key":"ga_session_id","value":{"int_value":"1767603500"}}],"user_id":"7","user_pseudo_id":"12.34","ecommerce":{"purchase_revenue":39.99,"transaction_id":"T1","total_item_quantity":"2"},"items":[{"item_id":"a"}]}
"#,
    fields: &[],
    open: |bytes, wanted| Ok(Box::new(JsonLinesReader::open(bytes, wanted, false)?)),
};
