/* ---
description: >-
  No two customers share an e-mail address or telephone number that links accounts. A fault means that a chain of
  accounts is longer than core.account_customers follows, so that one customer is counted as two: give it another round.
severity: warn
--- */
WITH accounts AS (
    SELECT ids.customer_id, accounts.email_key, accounts.phone_key
    FROM core.account_customers AS ids
    JOIN staging.stg_erp__customers AS accounts ON accounts.account_id = ids.account_id
)
SELECT 'email' AS kind, min(customer_id) AS one_customer, max(customer_id) AS other_customer
FROM accounts
WHERE email_key IS NOT NULL
GROUP BY email_key
HAVING count(*) <= {{ var('identity_max_accounts', 4) }} AND min(customer_id) < max(customer_id)
UNION ALL
SELECT 'phone', min(customer_id), max(customer_id)
FROM accounts
WHERE phone_key IS NOT NULL
GROUP BY phone_key
HAVING count(*) <= {{ var('identity_max_accounts', 4) }} AND min(customer_id) < max(customer_id)
