/* ---
description: Events of the web shop, with the customer where the visitor ever logged in
grain: [event_id]
columns:
  event_id: {description: Number of the event, tests: [not_null]}
  visitor_id: {description: From a cookie, tests: [not_null]}
  customer_id: {description: Who the visitor is; NULL where that is not known}
  occurred_at: {description: When, tests: [not_null]}
  occurred_on: {description: The same as a day in the project's time zone, tests: [not_null]}
  type: {description: What was done, tests: [not_null]}
  path: {description: Page}
  device: {description: Kind of device}
  referrer: {description: Where the visitor came from}
  dwell_seconds: {description: Time on the page}
  product_id: {description: Article that was looked at}
--- */
SELECT
    events.event_id,
    events.visitor_id,
    visitors.customer_id,
    events.occurred_at,
    events.occurred_on,
    events.type,
    events.path,
    events.device,
    events.referrer,
    events.dwell_seconds,
    events.product_id
FROM {{ ref('staging.stg_web__events') }} AS events
LEFT JOIN (
    SELECT identifier, customer_id FROM core.customer_identifiers WHERE kind = 'visitor'
) AS visitors ON visitors.identifier = events.visitor_id
WHERE events.occurred_on < DATE '{{ as_of }}'
