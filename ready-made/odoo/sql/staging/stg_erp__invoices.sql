/* ---
description: >-
  Invoices and credit notes to customers issued before the as-of date, with what was paid of them before it. Amounts are
  as they were booked; those of credit notes are negative.
columns:
  invoice_id: {description: Number in the database, tests: [not_null, unique]}
  invoice_number: {description: Number as people know it}
  order_id: {description: The order it is for; NULL when it is for none or for several}
  account_id: {description: "Partner that owes; for a contact of a company, the company", tests: [not_null]}
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
WITH settlements AS (
    SELECT debit_move_id AS line, amount, max_date
    FROM {{ source('erp', 'reconciliations') }}
    WHERE max_date < DATE '{{ as_of }}'
    UNION ALL
    SELECT credit_move_id, -amount, max_date
    FROM {{ source('erp', 'reconciliations') }}
    WHERE max_date < DATE '{{ as_of }}'
),
settled AS (
    SELECT line, sum(amount) AS amount, max(max_date) AS settled_on FROM settlements GROUP BY line
),
lines AS (
    SELECT
        lines.move_id,
        lines.date_maturity,
        lines.debit - lines.credit - coalesce(settled.amount, 0) AS open_amount,
        settled.settled_on
    FROM {{ source('erp', 'receivables') }} AS lines
    LEFT JOIN settled ON settled.line = lines.id
),
owed AS (
    SELECT
        move_id,
        sum(open_amount) AS open_amount,
        max(date_maturity) AS last_due_on,
        min(CASE WHEN open_amount <> 0 THEN date_maturity END) AS next_due_on,
        max(settled_on) AS settled_on,
        count(*) = count(CASE WHEN open_amount = 0 THEN 1 END) AS is_settled
    FROM lines
    GROUP BY move_id
),
made_from AS (
    SELECT move_id, min(order_id) AS order_id, max(order_id) AS other_order_id
    FROM {{ source('erp', 'invoice_orders') }}
    GROUP BY move_id
),
signed AS (
    SELECT *, CASE WHEN move_type = 'out_refund' THEN -1 ELSE 1 END AS sign FROM {{ source('erp', 'invoices') }}
)
SELECT
    CAST(invoices.id AS TEXT) AS invoice_id,
    invoices.name AS invoice_number,
    CASE WHEN made_from.order_id = made_from.other_order_id THEN CAST(made_from.order_id AS TEXT) END AS order_id,
    coalesce(invoices.commercial_partner_id, partners.commercial_partner_id, invoices.partner_id) AS account_id,
    CASE WHEN invoices.move_type = 'out_refund' THEN 'credit_note' ELSE 'invoice' END AS kind,
    CASE
        WHEN invoices.state = 'cancel' THEN 'cancelled'
        WHEN coalesce(owed.is_settled, invoices.payment_state = 'paid', FALSE) THEN 'paid'
        ELSE 'open'
    END AS status,
    invoices.invoice_date AS issued_on,
    coalesce(owed.next_due_on, owed.last_due_on, invoices.invoice_date_due, invoices.invoice_date) AS due_on,
    CASE WHEN owed.is_settled THEN coalesce(owed.settled_on, invoices.invoice_date) END AS paid_on,
    CAST(invoices.sign * invoices.amount_untaxed AS DECIMAL(18, 4)) AS amount,
    CAST(invoices.sign * invoices.amount_tax AS DECIMAL(18, 4)) AS tax_amount,
    CAST(invoices.sign * invoices.amount_total AS DECIMAL(18, 4)) AS total_amount,
    currencies.name AS currency,
    CAST(invoices.amount_untaxed_signed AS DECIMAL(18, 2)) AS company_amount,
    CAST(invoices.amount_total_signed AS DECIMAL(18, 2)) AS company_total_amount,
    CAST(CASE WHEN invoices.state = 'cancel' THEN 0 ELSE coalesce(owed.open_amount, 0) END AS DECIMAL(18, 2))
        AS company_open_amount
FROM signed AS invoices
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = invoices.currency_id
LEFT JOIN {{ source('erp', 'customers') }} AS partners ON partners.id = invoices.partner_id
LEFT JOIN owed ON owed.move_id = invoices.id
LEFT JOIN made_from ON made_from.move_id = invoices.id
WHERE invoices.state <> 'draft' AND invoices.invoice_date < DATE '{{ as_of }}'
    AND {{ of_company('invoices.company_id') }}
