//! Access logs that nginx writes as JSON.

use super::NamedFormat;
use crate::json::JsonLinesReader;

pub(super) const FORMAT: NamedFormat = NamedFormat {
    name: "nginx_json",
    title: "Access logs that nginx writes as JSON: one row per request",
    manual: "\
nginx has no JSON format of its own; this one reads objects whose fields are called like nginx's variables, which
`log_format` makes in this way:

```nginx
log_format json escape=json '{\"time_iso8601\":\"$time_iso8601\",\"request_id\":\"$request_id\",'
  '\"remote_addr\":\"$remote_addr\",\"remote_user\":\"$remote_user\",\"request_method\":\"$request_method\",'
  '\"host\":\"$host\",\"uri\":\"$uri\",\"args\":\"$args\",\"server_protocol\":\"$server_protocol\",\"status\":$status,'
  '\"body_bytes_sent\":$body_bytes_sent,\"request_time\":$request_time,\"http_referer\":\"$http_referer\",'
  '\"http_user_agent\":\"$http_user_agent\",\"http_x_forwarded_for\":\"$http_x_forwarded_for\"}';
access_log /var/log/nginx/access.json json;
```

Fields that are not written are empty columns; a field with another name is read by `from`. Numbers may stand in quotes.

- `escape=json` leaves bytes as they came. A client that sends GBK in a query makes a line that is no UTF-8: that line is
  refused and counted, the others go on.
- A field that the contract does not name is left out; name it to read it.
- `request_id` would be a `key`, where it is written in every line.
- A log that is rotated is known by what it holds, so that each line is read once: let `files` match all names, as in
  `access.json*`.
",
    contract: "\
time_column: requested_at
rotated: true
columns:
  requested_at: {type: instant, from: time_iso8601, required: true}
  request_id: {type: text}
  client_address: {type: text, from: remote_addr, personal: true}
  forwarded_for: {type: text, from: http_x_forwarded_for, null_values: [\"-\"], personal: true}
  user_name: {type: text, from: remote_user, null_values: [\"-\"], personal: true}
  method: {type: text, from: request_method}
  host: {type: text}
  path: {type: text, from: uri, description: As nginx sees it after decoding and rewriting}
  query: {type: text, from: args, null_values: [\"-\"], personal: true}
  protocol: {type: text, from: server_protocol}
  status: {type: integer, min: 0, max: 999, required: true}
  response_bytes: {type: integer, from: body_bytes_sent, min: 0, description: Without headers}
  elapsed_seconds: {type: decimal, precision: 12, scale: 3, from: request_time, min: 0}
  upstream_seconds: {type: text, from: upstream_response_time, null_values: [\"-\"], description: \"One per upstream that was asked, as written\"}
  referrer: {type: text, from: http_referer, null_values: [\"-\"]}
  user_agent: {type: text, from: http_user_agent, null_values: [\"-\"]}
",
    sample: r#"{"time_iso8601":"2026-01-05T10:00:00+01:00","request_id":"a1","remote_addr":"192.0.2.7","remote_user":"","request_method":"GET","host":"shop.example","uri":"/item","args":"id=7","server_protocol":"HTTP/2.0","status":200,"body_bytes_sent":5120,"request_time":0.015,"http_referer":"","http_user_agent":"Mozilla/5.0"}
{"time_iso8601":"2026-01-05T10:00:01+01:00","remote_addr":"192.0.2.8","request_method":"POST","uri":"/cart","status":"302","body_bytes_sent":"0","request_time":"1.250","http_user_agent":"a \"quoted\" agent"}
"#,
    fields: &[],
    open: |bytes, wanted| Ok(Box::new(JsonLinesReader::open(bytes, wanted, false)?)),
};
