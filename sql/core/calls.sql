/* ---
description: >-
  Calls that reached a queue, with the customer where one is known: by the account the agent found, else by the caller's
  number.
grain: [call_id]
columns:
  call_id: {description: Number of the call, tests: [not_null]}
  customer_id: {description: Who called; NULL where that is not known}
  started_at: {description: When it began, tests: [not_null]}
  started_on: {description: The same as a day in the project's time zone, tests: [not_null]}
  queue: {description: Which queue, tests: [not_null]}
  wait_seconds: {description: "Until it was answered or given up", tests: [not_null, {range: {min: 0}}]}
  talk_seconds: {description: After it was answered}
  agent_id: {description: Who answered}
  abandoned: {description: The caller hung up while waiting, tests: [not_null]}
  satisfaction: {description: Marks from 1 to 5 of those who answered, tests: [{range: {min: 1, max: 5}}]}
--- */
SELECT
    calls.call_id,
    coalesce(accounts.customer_id, phones.customer_id) AS customer_id,
    calls.started_at,
    calls.started_on,
    calls.queue,
    calls.wait_seconds,
    calls.talk_seconds,
    calls.agent_id,
    calls.abandoned,
    calls.satisfaction
FROM staging.stg_call_centre__calls AS calls
LEFT JOIN core.account_customers AS accounts ON accounts.account_id = calls.account_id
LEFT JOIN (
    SELECT identifier, customer_id FROM core.customer_identifiers WHERE kind = 'phone'
) AS phones ON phones.identifier = calls.caller_key
WHERE calls.started_on < DATE '{{ as_of }}'
