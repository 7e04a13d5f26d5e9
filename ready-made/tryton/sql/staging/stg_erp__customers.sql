/* ---
description: >-
  Parties that were sold to, invoiced, complained or are a lead, opened before the as-of date, with the spellings of
  e-mail and telephone that can be compared. Suppliers and employees who never bought are not among them. Everything but
  created_on is as the ERP has it now, whatever the as-of date.
columns:
  account_id: {description: Number of the party, tests: [not_null, unique]}
  account_number: {description: Its code}
  name: {description: Company or person}
  email_key: {description: "First active e-mail, trimmed and in small letters"}
  phone_key: {description: "First active telephone or mobile, digits with country code"}
  region: {description: "Country of the first active address, ISO 3166"}
  segment: {description: "Category of the party; of several the first by name"}
  created_on: {description: "When the party was entered, or its first order if that is earlier"}
  updated_at: {description: When the party was last changed}
  active: {description: Not archived, tests: [not_null]}
  street: {description: Of the first active address}
  postal_code: {description: Of the first active address}
  city: {description: Of the first active address}
--- */
WITH known AS (
    SELECT party, min(sale_date) AS first_ordered_on FROM {{ source('erp', 'orders') }} GROUP BY party
    UNION ALL SELECT party, NULL FROM {{ source('erp', 'invoices') }}
    UNION ALL SELECT party, NULL FROM {{ source('erp', 'leads') }}
    UNION ALL SELECT customer, NULL FROM {{ source('erp', 'complaints') }}
),
buyers AS (
    SELECT party, min(first_ordered_on) AS first_ordered_on FROM known WHERE party IS NOT NULL GROUP BY party
),
contacts AS (
    SELECT
        party,
        CASE WHEN type = 'email' THEN 'email' ELSE 'phone' END AS kind,
        value,
        row_number() OVER (
            PARTITION BY party, type = 'email' ORDER BY sequence NULLS LAST, id
        ) AS place
    FROM {{ source('erp', 'contacts') }}
    WHERE active AND type IN ('email', 'phone', 'mobile')
),
addresses AS (
    SELECT
        addresses.party,
        coalesce(
            addresses.street_unstructured, trim(concat_ws(' ', addresses.street_name, addresses.building_number))
        ) AS street,
        addresses.postal_code,
        addresses.city,
        countries.code AS country,
        row_number() OVER (
            PARTITION BY addresses.party ORDER BY addresses.sequence NULLS LAST, addresses.id
        ) AS place
    FROM {{ source('erp', 'addresses') }} AS addresses
    LEFT JOIN {{ source('erp', 'countries') }} AS countries ON countries.id = addresses.country
    WHERE addresses.active
),
categories AS (
    SELECT party, min(name) AS name FROM {{ source('erp', 'customer_categories') }} GROUP BY party
)
SELECT
    parties.id AS account_id,
    parties.code AS account_number,
    parties.name,
    {{ email_key('emails.value') }} AS email_key,
    {{ phone_key('phones.value') }} AS phone_key,
    addresses.country AS region,
    categories.name AS segment,
    least({{ local_date('parties.create_date') }}, buyers.first_ordered_on) AS created_on,
    coalesce(parties.write_date, parties.create_date) AS updated_at,
    parties.active,
    nullif(addresses.street, '') AS street,
    addresses.postal_code,
    addresses.city
FROM {{ source('erp', 'customers') }} AS parties
JOIN buyers ON buyers.party = parties.id
LEFT JOIN contacts AS emails ON emails.party = parties.id AND emails.kind = 'email' AND emails.place = 1
LEFT JOIN contacts AS phones ON phones.party = parties.id AND phones.kind = 'phone' AND phones.place = 1
LEFT JOIN addresses ON addresses.party = parties.id AND addresses.place = 1
LEFT JOIN categories ON categories.party = parties.id
WHERE coalesce(least({{ local_date('parties.create_date') }}, buyers.first_ordered_on) < DATE '{{ as_of }}', TRUE)
