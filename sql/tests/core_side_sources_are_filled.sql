/* ---
description: >-
  Receivables, returns, calls and web events have been loaded; each row names a table without any. Sales figures do
  not need them.
severity: warn
--- */
WITH loaded AS (
    SELECT 'erp.receivables' AS source_table, count(*) AS accepted_rows FROM staging.stg_erp__receivables
    UNION ALL SELECT 'erp.returns', count(*) FROM staging.stg_erp__returns
    UNION ALL SELECT 'call_centre.calls', count(*) FROM {{ source('call_centre', 'calls') }}
    UNION ALL SELECT 'web.events', count(*) FROM {{ source('web', 'events') }}
)
SELECT source_table, accepted_rows FROM loaded WHERE accepted_rows = 0
