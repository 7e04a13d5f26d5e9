/* ---
description: >-
  Customers opened before the as-of date: partners without a parent, chosen as customer in the ERP, or with an
  order, an invoice, a lead or a rating of their own or of one of their contacts. Contacts and addresses of a company
  belong to it. With the spellings of e-mail and telephone that can be compared. Everything but created_on is as the ERP
  has it now, whatever the as-of date.
columns:
  account_id: {description: Number of the partner, tests: [not_null, unique]}
  account_number: {description: Number of the customer}
  name: {description: Company or person}
  email_key: {description: "Own e-mail or the first of a contact, trimmed and in small letters"}
  phone_key: {description: "Own telephone or mobile or the first of a contact, digits with country code"}
  region: {description: "Country of the address, ISO 3166"}
  segment: {description: company or person}
  created_on: {description: "When the partner was entered, or its first order if that is earlier"}
  updated_at: {description: When the partner was last changed}
  active: {description: Not archived}
  street: {description: Of its address}
  postal_code: {description: Of its address}
  city: {description: Of its address}
--- */
WITH partners AS (
    SELECT *, coalesce(commercial_partner_id, id) AS account_id FROM {{ source('erp', 'customers') }}
),
known AS (
    SELECT id AS partner_id, CAST(NULL AS DATE) AS ordered_on FROM partners WHERE customer_rank > 0
    UNION ALL
    SELECT partner_id, CASE WHEN state NOT IN ('draft', 'sent') THEN {{ local_date('date_order') }} END
    FROM {{ source('erp', 'orders') }}
    UNION ALL SELECT partner_id, NULL FROM {{ source('erp', 'invoices') }}
    UNION ALL SELECT partner_id, NULL FROM {{ source('erp', 'leads') }}
    UNION ALL SELECT partner_id, NULL FROM {{ source('erp', 'ratings') }} WHERE consumed
),
buyers AS (
    SELECT partners.account_id, min(known.ordered_on) AS first_ordered_on
    FROM known JOIN partners ON partners.id = known.partner_id
    GROUP BY partners.account_id
),
contacts AS (
    SELECT account_id, 'email' AS kind, email AS value, id FROM partners WHERE email LIKE '%@%'
    UNION ALL
    SELECT account_id, 'phone', coalesce(nullif(phone, ''), mobile), id
    FROM partners WHERE coalesce(nullif(phone, ''), mobile, '') <> ''
),
first_contacts AS (
    SELECT
        account_id, kind, value,
        row_number() OVER (
            PARTITION BY account_id, kind ORDER BY CASE WHEN id = account_id THEN 0 ELSE 1 END, id
        ) AS place
    FROM contacts
)
SELECT
    partners.id AS account_id,
    partners.ref AS account_number,
    partners.name,
    {{ email_key('emails.value') }} AS email_key,
    {{ phone_key('phones.value') }} AS phone_key,
    partners.country AS region,
    CASE WHEN partners.is_company THEN 'company' ELSE 'person' END AS segment,
    least({{ local_date('partners.create_date') }}, buyers.first_ordered_on) AS created_on,
    coalesce(partners.write_date, partners.create_date) AS updated_at,
    partners.active,
    partners.street,
    partners.zip AS postal_code,
    partners.city
FROM partners
JOIN buyers ON buyers.account_id = partners.id
LEFT JOIN first_contacts AS emails
    ON emails.account_id = partners.id AND emails.kind = 'email' AND emails.place = 1
LEFT JOIN first_contacts AS phones
    ON phones.account_id = partners.id AND phones.kind = 'phone' AND phones.place = 1
WHERE coalesce(least({{ local_date('partners.create_date') }}, buyers.first_ordered_on) < DATE '{{ as_of }}', TRUE)
