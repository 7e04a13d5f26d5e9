/* ---
description: Calls that reached a queue before the as-of date
materialize: view
columns:
  call_id: {description: Number of the call, tests: [not_null]}
  started_at: {description: When it began}
  started_on: {description: The same as a day in the project's time zone}
  caller_key: {description: "Caller's number, digits with country code; NULL when withheld"}
  account_id: {description: Account where the agent found it}
  queue: {description: Which queue}
  wait_seconds: {description: Until it was answered or given up}
  talk_seconds: {description: After it was answered}
  agent_id: {description: Who answered}
  abandoned: {description: The caller hung up while waiting}
  satisfaction: {description: Marks from 1 to 5}
--- */
SELECT
    call_id,
    started_at,
    {{ local_date('started_at') }} AS started_on,
    {{ phone_key('caller') }} AS caller_key,
    customer_id AS account_id,
    queue,
    wait_seconds,
    talk_seconds,
    agent_id,
    abandoned,
    satisfaction
FROM {{ source('call_centre', 'calls') }}
WHERE {{ local_date('started_at') }} < DATE '{{ as_of }}'
