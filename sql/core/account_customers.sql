/* ---
description: >-
  Which customer an account of the ERP belongs to. Accounts that share an e-mail address or a telephone number are one
  customer, and so are accounts linked through a third; nothing else links. customer_id is the smallest account number
  of the customer, so that it stays while later accounts join. An address or number that more than
  `identity_max_accounts` accounts share (a switchboard, a made-up address) links nobody.
grain: [account_id]
columns:
  account_id: {description: Account number of the ERP, tests: [not_null]}
  customer_id: {description: The customer, tests: [not_null]}
--- */
{% set max_accounts = var('identity_max_accounts', 4) %}
WITH accounts AS (
    SELECT account_id, email_key, phone_key FROM staging.stg_erp__customers
),
shared_emails AS (
    SELECT email_key FROM accounts
    WHERE email_key IS NOT NULL GROUP BY email_key HAVING count(*) BETWEEN 2 AND {{ max_accounts }}
),
shared_phones AS (
    SELECT phone_key FROM accounts
    WHERE phone_key IS NOT NULL GROUP BY phone_key HAVING count(*) BETWEEN 2 AND {{ max_accounts }}
),
round_0 AS (
    -- Only these few have anything to be linked by.
    SELECT accounts.account_id, shared_emails.email_key, shared_phones.phone_key, accounts.account_id AS customer_id
    FROM accounts
    LEFT JOIN shared_emails ON shared_emails.email_key = accounts.email_key
    LEFT JOIN shared_phones ON shared_phones.phone_key = accounts.phone_key
    WHERE shared_emails.email_key IS NOT NULL OR shared_phones.phone_key IS NOT NULL
),
{# Each round hands the smallest number on over one address and one telephone number. Six rounds settle any chain of up
   to thirteen accounts; the test `core_identity_is_closed` warns when a longer one comes. -#}
{% for round in range(1, 7) -%}
round_{{ round }}_email AS (
    SELECT account_id, email_key, phone_key,
        CASE WHEN email_key IS NULL THEN customer_id ELSE min(customer_id) OVER (PARTITION BY email_key) END
            AS customer_id
    FROM round_{{ round - 1 }}
),
round_{{ round }} AS (
    SELECT account_id, email_key, phone_key,
        CASE WHEN phone_key IS NULL THEN customer_id ELSE min(customer_id) OVER (PARTITION BY phone_key) END
            AS customer_id
    FROM round_{{ round }}_email
),
{% endfor -%}
known AS (
    SELECT account_id FROM accounts
    UNION
    -- Accounts whose own row was rejected still have orders: each is a customer of its own.
    SELECT account_id FROM staging.stg_erp__orders
)
SELECT known.account_id, coalesce(round_6.customer_id, known.account_id) AS customer_id
FROM known LEFT JOIN round_6 ON round_6.account_id = known.account_id
