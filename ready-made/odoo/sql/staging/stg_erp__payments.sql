/* ---
description: >-
  What customers paid before the as-of date: lines of the ledger on accounts of receivables that a payment or a line of
  a bank statement made. What was paid back is negative.
columns:
  payment_id: {description: Number of the line of the ledger, tests: [not_null, unique]}
  invoice_id: {description: The invoice it pays; NULL when it pays none or several}
  account_id: {description: "Partner that paid; for a contact of a company, the company"}
  paid_on: {description: Date of the entry, tests: [not_null]}
  amount: {description: In the payment's currency, tests: [not_null]}
  currency: {description: "The payment's, ISO 4217"}
  company_amount: {description: "In the company's currency, as booked", tests: [not_null]}
--- */
WITH links AS (
    SELECT
        payments.id AS line, min(invoices.move_id) AS move_id, max(invoices.move_id) AS other_move_id
    FROM {{ source('erp', 'reconciliations') }} AS links
    JOIN {{ source('erp', 'receivables') }} AS payments
        ON payments.id IN (links.credit_move_id, links.debit_move_id)
    JOIN {{ source('erp', 'receivables') }} AS invoices
        ON invoices.id IN (links.credit_move_id, links.debit_move_id) AND invoices.id <> payments.id
    WHERE payments.payment_id IS NOT NULL OR payments.statement_line_id IS NOT NULL
    GROUP BY payments.id
)
SELECT
    CAST(lines.id AS TEXT) AS payment_id,
    CASE WHEN links.move_id = links.other_move_id THEN CAST(links.move_id AS TEXT) END AS invoice_id,
    coalesce(partners.commercial_partner_id, lines.partner_id) AS account_id,
    lines.date AS paid_on,
    CASE
        WHEN coalesce(lines.currency_id = companies.currency_id, TRUE)
            THEN CAST(lines.credit - lines.debit AS DECIMAL(18, 4))
        ELSE CAST(-lines.amount_currency AS DECIMAL(18, 4))
    END AS amount,
    currencies.name AS currency,
    CAST(lines.credit - lines.debit AS DECIMAL(18, 2)) AS company_amount
FROM {{ source('erp', 'receivables') }} AS lines
LEFT JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = lines.company_id
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies
    ON currencies.id = coalesce(lines.currency_id, companies.currency_id)
LEFT JOIN {{ source('erp', 'customers') }} AS partners ON partners.id = lines.partner_id
LEFT JOIN links ON links.line = lines.id
WHERE (lines.payment_id IS NOT NULL OR lines.statement_line_id IS NOT NULL) AND lines.debit <> lines.credit
    AND lines.date < DATE '{{ as_of }}' AND {{ of_company('lines.company_id') }}
