/* ---
description: >-
  What was sold and what came back, one row per line. Cancelled orders are out, and so are lines of quantity 0 without
  an amount, which is how a line is cancelled. A return is a row of its own with negative quantity, dated on its own
  day, and names the order and line it belongs to; returns of lines that are not there (rejected or cancelled) are out.
  A return without its original is a line sold of negative quantity. Only facts dated before the as-of date, and none
  before `earliest_day` (1980-01-01), which is how systems write that a date is not known.
grain: [order_id, line_number, return_id]
columns:
  order_id: {description: Order number; of a return that of the order it belongs to, tests: [not_null]}
  line_number: {description: Place in the order, tests: [not_null]}
  return_id: {description: Number of the return; NULL for a sale}
  customer_id: {description: Who, tests: [not_null]}
  product_id: {description: What, tests: [not_null]}
  channel: {description: How the order came in}
  ordered_at: {description: When the order was taken; NULL for a return of which only the day is known}
  ordered_on: {description: Day of the sale or return in the project's time zone, tests: [not_null]}
  ordered_month: {description: First day of that month, tests: [not_null]}
  quantity: {description: "Pieces; negative for what came back", tests: [not_null]}
  unit_price: {description: Before discount, tests: [not_null]}
  revenue: {tests: [not_null], description: "The line's amount where the ERP has one, of a return by its share of the
    quantity; else quantity * unit_price less discount; rounded to cents. Below 0 for a return or a credit"}
  cost: {description: "quantity * the product's present unit cost; NULL where it is not known"}
  margin: {description: "revenue - cost; NULL where cost is"}
--- */
{% set earliest = var('earliest_day', '1980-01-01') %}
WITH sold AS (
    SELECT
        lines.order_id,
        lines.line_number,
        accounts.customer_id,
        lines.product_id,
        orders.channel,
        orders.ordered_at,
        orders.ordered_on,
        lines.quantity,
        lines.unit_price,
        lines.discount_percent,
        lines.company_amount
    FROM staging.stg_erp__order_lines AS lines
    JOIN staging.stg_erp__orders AS orders ON orders.order_id = lines.order_id
    JOIN core.account_customers AS accounts ON accounts.account_id = orders.account_id
    WHERE orders.status <> 'cancelled' AND orders.ordered_on >= DATE '{{ earliest }}'
        AND (lines.quantity <> 0 OR lines.company_amount <> 0)
),
entries AS (
    SELECT
        order_id, line_number, CAST(NULL AS TEXT) AS return_id, customer_id, product_id, channel,
        ordered_at, ordered_on, quantity, unit_price, discount_percent, company_amount
    FROM sold
    WHERE ordered_on < DATE '{{ as_of }}'
    UNION ALL
    SELECT
        sold.order_id, sold.line_number, returns.return_id, sold.customer_id, sold.product_id, sold.channel,
        NULL AS ordered_at, returns.returned_on AS ordered_on, -returns.quantity AS quantity,
        sold.unit_price, sold.discount_percent,
        CAST(round(-sold.company_amount * returns.quantity / nullif(sold.quantity, 0), 2) AS DECIMAL(18, 2))
            AS company_amount
    FROM staging.stg_erp__returns AS returns
    JOIN sold ON sold.order_id = returns.order_id AND sold.line_number = returns.line_number
    WHERE returns.returned_on < DATE '{{ as_of }}' AND returns.returned_on >= DATE '{{ earliest }}'
),
priced AS (
    SELECT
        entries.*,
        coalesce(entries.company_amount, CAST(round(
            entries.quantity * entries.unit_price * (100 - entries.discount_percent) * CAST(0.01 AS DECIMAL(3, 2)), 2
        ) AS DECIMAL(18, 2))) AS revenue,
        CAST(entries.quantity * products.unit_cost AS DECIMAL(18, 2)) AS cost
    FROM entries LEFT JOIN core.products AS products ON products.product_id = entries.product_id
)
SELECT
    order_id,
    line_number,
    return_id,
    customer_id,
    product_id,
    channel,
    ordered_at,
    ordered_on,
    {{ first_of_month('ordered_on') }} AS ordered_month,
    quantity,
    unit_price,
    revenue,
    cost,
    CAST(revenue - cost AS DECIMAL(18, 2)) AS margin
FROM priced
