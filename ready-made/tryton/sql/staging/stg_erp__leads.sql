/* ---
description: Leads and opportunities begun before the as-of date
columns:
  lead_id: {description: Number in the database, tests: [not_null, unique]}
  account_id: {description: Party; NULL while there is none}
  title: {description: What it is about}
  email_key: {description: "NULL: Tryton's leads have no address of their own"}
  phone_key: {description: "NULL: Tryton's leads have no number of their own"}
  status: {description: "open, won, lost or cancelled", tests: [not_null]}
  opened_on: {description: When it began, tests: [not_null]}
  closed_on: {description: "When it was won, lost or cancelled; NULL when it was not before the as-of date"}
  probability: {description: "That it is won, from 0 to 1"}
  amount: {description: Expected revenue}
  currency: {description: ISO 4217}
--- */
SELECT
    CAST(leads.id AS TEXT) AS lead_id,
    leads.party AS account_id,
    leads.description AS title,
    CAST(NULL AS TEXT) AS email_key,
    CAST(NULL AS TEXT) AS phone_key,
    CASE
        WHEN leads.end_date >= DATE '{{ as_of }}' OR leads.state IN ('lead', 'opportunity', 'converted') THEN 'open'
        ELSE leads.state
    END AS status,
    leads.start_date AS opened_on,
    CASE
        WHEN leads.end_date < DATE '{{ as_of }}' AND leads.state IN ('won', 'lost', 'cancelled') THEN leads.end_date
    END AS closed_on,
    leads.conversion_probability AS probability,
    leads.amount,
    currencies.code AS currency
FROM {{ source('erp', 'leads') }} AS leads
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = leads.currency
WHERE leads.start_date < DATE '{{ as_of }}' AND {{ of_company('leads.company') }}
