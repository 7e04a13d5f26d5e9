/* ---
description: >-
  What customers paid before the as-of date: lines of the ledger on accounts of receivables that no invoice made. What
  was paid back is negative; a write-off counts as well.
columns:
  payment_id: {description: Number of the line of the ledger, tests: [not_null, unique]}
  invoice_id: {description: The invoice it pays; NULL when none or several are named}
  account_id: {description: Party that paid}
  paid_on: {description: Date of the entry, tests: [not_null]}
  amount: {description: In the payment's currency, tests: [not_null]}
  currency: {description: "The payment's, ISO 4217", tests: [not_null]}
  company_amount: {description: "In the company's currency, as booked", tests: [not_null]}
--- */
WITH of_invoices AS (
    SELECT move FROM {{ source('erp', 'invoices') }} WHERE move IS NOT NULL
    UNION SELECT cancel_move FROM {{ source('erp', 'invoices') }} WHERE cancel_move IS NOT NULL
),
links AS (
    SELECT line, min(invoice) AS invoice, max(invoice) AS other_invoice
    FROM {{ source('erp', 'invoice_payments') }}
    GROUP BY line
)
SELECT
    CAST(lines.id AS TEXT) AS payment_id,
    CASE WHEN links.invoice = links.other_invoice THEN CAST(links.invoice AS TEXT) END AS invoice_id,
    lines.party AS account_id,
    entries.date AS paid_on,
    CASE
        WHEN lines.second_currency IS NULL THEN CAST(lines.credit - lines.debit AS DECIMAL(18, 4))
        ELSE CAST(-lines.amount_second_currency AS DECIMAL(18, 4))
    END AS amount,
    coalesce(currencies.code, company_currencies.code) AS currency,
    CAST(lines.credit - lines.debit AS DECIMAL(18, 2)) AS company_amount
FROM {{ source('erp', 'receivables') }} AS lines
JOIN {{ source('erp', 'ledger_entries') }} AS entries ON entries.id = lines.move
JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = entries.company
JOIN {{ source('erp', 'currencies') }} AS company_currencies ON company_currencies.id = companies.currency
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = lines.second_currency
LEFT JOIN of_invoices ON of_invoices.move = lines.move
LEFT JOIN links ON links.line = lines.id
WHERE of_invoices.move IS NULL AND lines.debit <> lines.credit AND entries.state = 'posted'
    AND entries.date < DATE '{{ as_of }}' AND {{ of_company('entries.company') }}
