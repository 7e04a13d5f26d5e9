/* ---
description: >-
  Sales that were confirmed before the as-of date, cancelled ones among them. A draft or quotation is not an order, and
  neither is a sale that only takes goods back. The status is the current one: an order cancelled since is cancelled at
  every as-of date.
columns:
  order_id: {description: Number of the sale in the database, tests: [not_null, unique]}
  account_id: {description: Party that ordered, tests: [not_null]}
  ordered_at: {description: "NULL: Tryton keeps the day alone"}
  ordered_on: {description: When it was confirmed, tests: [not_null]}
  status: {description: "confirmed, shipped, invoiced or cancelled",
    tests: [not_null, {accepted_values: [confirmed, shipped, invoiced, cancelled]}]}
  channel: {description: "`web` for an order of a web shop; else NULL"}
  order_number: {description: Number as people know it}
  amount: {description: "Net of tax, in the order's currency, as Tryton shows it"}
  currency: {description: "The order's, ISO 4217"}
--- */
WITH returns AS (
    SELECT sale_id
    FROM staging.stg_erp__sale_lines
    GROUP BY sale_id
    HAVING count(returned_line_id) = count(*)
)
SELECT
    CAST(sales.id AS TEXT) AS order_id,
    sales.party AS account_id,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS ordered_at,
    sales.sale_date AS ordered_on,
    CASE
        WHEN sales.state = 'cancelled' THEN 'cancelled'
        WHEN sales.invoice_state IN ('awaiting payment', 'partially paid', 'paid') THEN 'invoiced'
        WHEN sales.shipment_state = 'sent' THEN 'shipped'
        ELSE 'confirmed'
    END AS status,
    CASE WHEN sales.web_shop IS NOT NULL THEN 'web' END AS channel,
    sales.number AS order_number,
    sales.untaxed_amount_cache AS amount,
    currencies.code AS currency
FROM {{ source('erp', 'orders') }} AS sales
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = sales.currency
LEFT JOIN returns ON returns.sale_id = sales.id
WHERE sales.state NOT IN ('draft', 'quotation') AND sales.sale_date < DATE '{{ as_of }}' AND returns.sale_id IS NULL
    AND {{ of_company('sales.company') }}
