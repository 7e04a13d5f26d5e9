/* ---
description: >-
  Invoices and credit notes to customers issued before the as-of date, with what was paid of them before it. Amounts are
  as they were booked; those of credit notes are negative.
columns:
  invoice_id: {description: Number in the database, tests: [not_null, unique]}
  invoice_number: {description: Number as people know it}
  order_id: {description: The order it is for; NULL when it is for none or for several}
  account_id: {description: Party that owes, tests: [not_null]}
  kind: {description: invoice or credit_note, tests: [not_null]}
  status: {description: "open, paid or cancelled", tests: [not_null]}
  issued_on: {description: Date of the invoice, tests: [not_null]}
  due_on: {tests: [not_null], description: "By when it is to be paid; in instalments, the date of the earliest unpaid
    one, or of the last"}
  paid_on: {description: "When the last of it was paid; NULL while it is open"}
  amount: {description: "Net of tax, in the invoice's currency"}
  tax_amount: {description: "Tax, in the invoice's currency"}
  total_amount: {description: "With tax, in the invoice's currency"}
  currency: {description: "The invoice's, ISO 4217", tests: [not_null]}
  company_amount: {description: "Net of tax, in the company's currency, as booked"}
  company_total_amount: {description: "With tax, in the company's currency, as booked"}
  company_open_amount: {description: "Of that, not paid before the as-of date"}
--- */
WITH owed AS (
    SELECT
        lines.move,
        sum(lines.debit - lines.credit) AS total,
        sum(CASE WHEN settled.date < DATE '{{ as_of }}' THEN 0 ELSE lines.debit - lines.credit END) AS unsettled,
        max(lines.maturity_date) AS last_due_on,
        min(CASE WHEN settled.date < DATE '{{ as_of }}' THEN NULL ELSE lines.maturity_date END) AS next_due_on,
        max(settled.date) AS settled_on,
        count(*) = count(CASE WHEN settled.date < DATE '{{ as_of }}' THEN 1 END) AS is_settled
    FROM {{ source('erp', 'receivables') }} AS lines
    LEFT JOIN {{ source('erp', 'reconciliations') }} AS settled ON settled.id = lines.reconciliation
    GROUP BY lines.move
),
booked AS (
    SELECT move, sum(credit - debit) AS net FROM {{ source('erp', 'booked_invoice_lines') }} GROUP BY move
),
part_paid AS (
    -- Payments that do not settle the invoice yet are kept beside it, unreconciled.
    SELECT payments.invoice, sum(lines.credit - lines.debit) AS amount
    FROM {{ source('erp', 'invoice_payments') }} AS payments
    JOIN {{ source('erp', 'receivables') }} AS lines ON lines.id = payments.line
    JOIN {{ source('erp', 'ledger_entries') }} AS entries ON entries.id = lines.move
    LEFT JOIN {{ source('erp', 'reconciliations') }} AS settled ON settled.id = lines.reconciliation
    WHERE entries.date < DATE '{{ as_of }}' AND coalesce(settled.date >= DATE '{{ as_of }}', TRUE)
    GROUP BY payments.invoice
),
made_from AS (
    SELECT lines.invoice, min(sold.sale) AS sale, max(sold.sale) AS other_sale
    FROM {{ source('erp', 'invoice_lines') }} AS lines
    JOIN {{ source('erp', 'order_lines') }} AS sold ON sold.id = {{ number_of('sale.line', 'lines.origin') }}
    GROUP BY lines.invoice
)
SELECT
    CAST(invoices.id AS TEXT) AS invoice_id,
    invoices.number AS invoice_number,
    CASE WHEN made_from.sale = made_from.other_sale THEN CAST(made_from.sale AS TEXT) END AS order_id,
    invoices.party AS account_id,
    CASE WHEN invoices.untaxed_amount_cache < 0 THEN 'credit_note' ELSE 'invoice' END AS kind,
    CASE
        WHEN invoices.state = 'cancelled' THEN 'cancelled'
        WHEN owed.is_settled THEN 'paid'
        ELSE 'open'
    END AS status,
    invoices.invoice_date AS issued_on,
    coalesce(owed.next_due_on, owed.last_due_on, invoices.invoice_date) AS due_on,
    CASE WHEN owed.is_settled THEN owed.settled_on END AS paid_on,
    invoices.untaxed_amount_cache AS amount,
    invoices.tax_amount_cache AS tax_amount,
    invoices.total_amount_cache AS total_amount,
    currencies.code AS currency,
    CAST(coalesce(
        booked.net, CASE WHEN companies.currency = invoices.currency THEN invoices.untaxed_amount_cache END
    ) AS DECIMAL(18, 2)) AS company_amount,
    CAST(owed.total AS DECIMAL(18, 2)) AS company_total_amount,
    CAST(CASE
        WHEN owed.is_settled OR invoices.state = 'cancelled' THEN 0
        ELSE owed.unsettled - coalesce(part_paid.amount, 0)
    END AS DECIMAL(18, 2)) AS company_open_amount
FROM {{ source('erp', 'invoices') }} AS invoices
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = invoices.currency
JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = invoices.company
LEFT JOIN owed ON owed.move = invoices.move
LEFT JOIN booked ON booked.move = invoices.move
LEFT JOIN part_paid ON part_paid.invoice = invoices.id
LEFT JOIN made_from ON made_from.invoice = invoices.id
WHERE invoices.state NOT IN ('draft', 'validated') AND invoices.move IS NOT NULL
    AND invoices.invoice_date < DATE '{{ as_of }}' AND {{ of_company('invoices.company') }}
