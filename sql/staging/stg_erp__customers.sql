/* ---
description: >-
  Accounts of the ERP opened before the as-of date, with the spellings of e-mail and telephone that can be compared.
  Everything but created_on is as last loaded from the ERP, whatever the as-of date.
materialize: view
columns:
  account_id: {description: Account number of the ERP, tests: [not_null]}
  name: {description: Company or person}
  email_key: {description: "E-mail, trimmed and in small letters"}
  phone_key: {description: "Telephone, digits with country code"}
  region: {description: Sales region}
  segment: {description: Kind of customer}
  created_on: {description: When the account was opened}
  updated_at: {description: When the row was last changed}
--- */
SELECT
    customer_id AS account_id,
    name,
    {{ email_key('email') }} AS email_key,
    {{ phone_key('phone') }} AS phone_key,
    region,
    segment,
    created_on,
    updated_at
FROM {{ source('erp', 'customers') }}
WHERE created_on < DATE '{{ as_of }}'
