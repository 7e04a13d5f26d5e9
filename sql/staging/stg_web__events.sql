/* ---
description: Events of the web shop before the as-of date. Kept as files, because visitors are told apart and events read from it.
columns:
  event_id: {description: Number of the event, tests: [not_null]}
  visitor_id: {description: From a cookie, tests: [not_null]}
  occurred_at: {description: When, tests: [not_null]}
  occurred_on: {description: The same as a day in the project's time zone, tests: [not_null]}
  type: {description: What was done, tests: [not_null]}
  email_key: {description: "E-mail of a login, trimmed and in small letters"}
  path: {description: Page}
  device: {description: Kind of device}
  referrer: {description: Where the visitor came from}
  dwell_seconds: {description: Time on the page}
  product_id: {description: Article that was looked at}
--- */
SELECT
    event_id,
    visitor_id,
    occurred_at,
    {{ local_date('occurred_at') }} AS occurred_on,
    type,
    {{ email_key('email') }} AS email_key,
    path,
    device,
    referrer,
    dwell_seconds,
    product_id
FROM {{ source('web', 'events') }}
WHERE {{ local_date('occurred_at') }} < DATE '{{ as_of }}'
