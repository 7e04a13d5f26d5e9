/* ---
description: Events of the web shop before the as-of date, with the customer where the visitor ever logged in
materialize: view
columns:
  event_id: {description: Number of the event}
  visitor_id: {description: From a cookie}
  customer_id: {description: Who the visitor is; NULL where that is not known}
  occurred_at: {description: When}
  occurred_on: {description: The same as a day in the project's time zone}
  type: {description: What was done}
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
FROM staging.stg_web__events AS events
LEFT JOIN (
    SELECT identifier, customer_id FROM core.customer_identifiers WHERE kind = 'visitor'
) AS visitors ON visitors.identifier = events.visitor_id
WHERE events.occurred_on < DATE '{{ as_of }}'
