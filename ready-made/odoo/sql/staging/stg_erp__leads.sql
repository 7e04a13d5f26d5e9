/* ---
description: Leads and opportunities begun before the as-of date
columns:
  lead_id: {description: Number in the database, tests: [not_null, unique]}
  account_id: {description: "Partner, for a contact of a company the company; NULL while there is none"}
  title: {description: What it is about}
  email_key: {description: "E-mail it came with, trimmed and in small letters"}
  phone_key: {description: "Telephone it came with, digits with country code"}
  status: {description: "open, won, lost or cancelled", tests: [not_null]}
  opened_on: {description: When it began, tests: [not_null]}
  closed_on: {description: "When it was won or lost; NULL when it was not before the as-of date"}
  probability: {description: "That it is won, from 0 to 1"}
  amount: {description: Expected revenue}
  currency: {description: ISO 4217; NULL where the lead is of no company}
--- */
WITH leads AS (
    SELECT
        leads.*,
        {{ local_date('leads.create_date') }} AS opened_on,
        {{ local_date('leads.date_closed') }} AS ended_on,
        CASE
            WHEN leads.active AND stages.is_won AND leads.probability >= 100 THEN 'won'
            WHEN NOT leads.active AND leads.probability <= 0 THEN 'lost'
            WHEN NOT leads.active THEN 'cancelled'
            ELSE 'open'
        END AS present_status
    FROM {{ source('erp', 'leads') }} AS leads
    LEFT JOIN {{ source('erp', 'lead_stages') }} AS stages ON stages.id = leads.stage_id
)
SELECT
    CAST(leads.id AS TEXT) AS lead_id,
    coalesce(partners.commercial_partner_id, leads.partner_id) AS account_id,
    leads.name AS title,
    {{ email_key('coalesce(leads.email_normalized, leads.email_from)') }} AS email_key,
    {{ phone_key('leads.phone') }} AS phone_key,
    CASE WHEN leads.ended_on >= DATE '{{ as_of }}' THEN 'open' ELSE leads.present_status END AS status,
    leads.opened_on,
    CASE
        WHEN leads.ended_on < DATE '{{ as_of }}' AND leads.present_status IN ('won', 'lost') THEN leads.ended_on
    END AS closed_on,
    leads.probability / 100 AS probability,
    leads.expected_revenue AS amount,
    currencies.name AS currency
FROM leads
LEFT JOIN {{ source('erp', 'customers') }} AS partners ON partners.id = leads.partner_id
LEFT JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = leads.company_id
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = companies.currency_id
WHERE leads.opened_on < DATE '{{ as_of }}' AND {{ of_company('leads.company_id') }}
