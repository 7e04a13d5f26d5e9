/* ---
description: >-
  By what a customer is known in each system: account numbers, e-mail addresses and telephone numbers of the ERP, and
  the visitors of the web shop, who belong to the customer whose address they logged in with last. Addresses and
  numbers that belong to more than one customer identify nobody and are not here.
grain: [source, kind, identifier]
columns:
  source: {description: System, tests: [not_null, {accepted_values: [erp, web]}]}
  kind: {description: What the identifier is, tests: [not_null, {accepted_values: [account, email, phone, visitor]}]}
  identifier: {description: As text, tests: [not_null]}
  customer_id: {description: Whose, tests: [not_null]}
--- */
WITH accounts AS (
    SELECT ids.account_id, ids.customer_id, accounts.email_key, accounts.phone_key
    FROM core.account_customers AS ids
    LEFT JOIN staging.stg_erp__customers AS accounts ON accounts.account_id = ids.account_id
),
emails AS (
    SELECT email_key, min(customer_id) AS customer_id
    FROM accounts
    WHERE email_key IS NOT NULL
    GROUP BY email_key
    HAVING min(customer_id) = max(customer_id)
),
visitors AS (
    SELECT
        events.visitor_id,
        emails.customer_id,
        row_number() OVER (PARTITION BY events.visitor_id ORDER BY events.occurred_at DESC, events.event_id) AS place
    FROM staging.stg_web__events AS events
    JOIN emails ON emails.email_key = events.email_key
    WHERE events.occurred_on < DATE '{{ as_of }}'
)
SELECT 'erp' AS source, 'account' AS kind, CAST(account_id AS TEXT) AS identifier, customer_id FROM accounts
UNION ALL
SELECT 'erp', 'email', email_key, customer_id FROM emails
UNION ALL
SELECT 'erp', 'phone', phone_key, min(customer_id)
FROM accounts
WHERE phone_key IS NOT NULL
GROUP BY phone_key
HAVING min(customer_id) = max(customer_id)
UNION ALL
SELECT 'web', 'visitor', visitor_id, customer_id FROM visitors WHERE place = 1
