/* ---
description: >-
  The customers known before the as-of date, by an account or an order, one row each whatever the number of their
  accounts. Name, region and segment are those of the account changed last (ties: the smallest account number); e-mail
  and telephone are the spellings that are compared.
grain: [customer_id]
columns:
  customer_id: {description: The smallest account number of the customer, tests: [not_null]}
  name: {description: Company or person; NULL where the ERP has orders but no account}
  region: {description: Sales region}
  segment: {description: Kind of customer}
  email: {description: "E-mail, trimmed and in small letters"}
  phone: {description: "Telephone, digits with country code"}
  accounts: {description: How many accounts were joined, tests: [not_null, {range: {min: 1}}]}
  customer_since: {description: When the first account was opened}
  first_ordered_on: {description: "Day of the first counted line; NULL without one"}
--- */
WITH ranked AS (
    SELECT
        ids.customer_id,
        accounts.name,
        accounts.region,
        accounts.segment,
        accounts.email_key,
        accounts.phone_key,
        row_number() OVER (
            PARTITION BY ids.customer_id ORDER BY accounts.updated_at DESC NULLS LAST, ids.account_id
        ) AS place,
        count(*) OVER (PARTITION BY ids.customer_id) AS accounts,
        min(accounts.created_on) OVER (PARTITION BY ids.customer_id) AS customer_since
    FROM core.account_customers AS ids
    LEFT JOIN staging.stg_erp__customers AS accounts ON accounts.account_id = ids.account_id
),
first_lines AS (
    SELECT customer_id, min(ordered_on) AS first_ordered_on
    FROM core.order_lines
    GROUP BY customer_id
)
SELECT
    ranked.customer_id,
    ranked.name,
    ranked.region,
    ranked.segment,
    ranked.email_key AS email,
    ranked.phone_key AS phone,
    ranked.accounts,
    ranked.customer_since,
    first_lines.first_ordered_on
FROM ranked LEFT JOIN first_lines ON first_lines.customer_id = ranked.customer_id
WHERE ranked.place = 1
