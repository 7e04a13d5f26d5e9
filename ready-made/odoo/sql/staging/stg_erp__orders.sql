/* ---
description: >-
  Orders confirmed before the as-of date, and cancelled ones; a quotation is not an order. The status is the current one: an
  order cancelled since is cancelled at every as-of date.
columns:
  order_id: {description: Number of the order in the database, tests: [not_null, unique]}
  account_id: {description: "Partner that ordered; for a contact of a company, the company", tests: [not_null]}
  ordered_at: {description: When it was confirmed, tests: [not_null]}
  ordered_on: {description: The same as a day in the project's time zone, tests: [not_null]}
  status: {description: "confirmed, shipped, invoiced or cancelled",
    tests: [not_null, {accepted_values: [confirmed, shipped, invoiced, cancelled]}]}
  channel: {description: "`web` for an order of the web shop; else NULL"}
  order_number: {description: Number as people know it}
  amount: {description: "Net of tax, in the order's currency, as Odoo shows it"}
  currency: {description: "The order's, ISO 4217"}
--- */
SELECT
    CAST(orders.id AS TEXT) AS order_id,
    coalesce(partners.commercial_partner_id, orders.partner_id) AS account_id,
    orders.date_order AS ordered_at,
    {{ local_date('orders.date_order') }} AS ordered_on,
    CASE
        WHEN orders.state = 'cancel' THEN 'cancelled'
        WHEN orders.invoice_status IN ('invoiced', 'upselling') THEN 'invoiced'
        WHEN orders.delivery_status = 'full' THEN 'shipped'
        ELSE 'confirmed'
    END AS status,
    CASE WHEN orders.website_id IS NOT NULL THEN 'web' END AS channel,
    orders.name AS order_number,
    orders.amount_untaxed AS amount,
    currencies.name AS currency
FROM {{ source('erp', 'orders') }} AS orders
LEFT JOIN {{ source('erp', 'customers') }} AS partners ON partners.id = orders.partner_id
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = orders.currency_id
WHERE orders.state NOT IN ('draft', 'sent') AND {{ local_date('orders.date_order') }} < DATE '{{ as_of }}'
    AND {{ of_company('orders.company_id') }}
