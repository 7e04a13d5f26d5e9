/* ---
description: >-
  Lines of confirmed orders, whatever the as-of date: a line has the date of its order. The amount is Odoo's own, net of
  tax also where prices are with tax. Lines in another currency whose order has no rate are out.
columns:
  order_id: {description: Number of the order in the database, tests: [not_null]}
  line_number: {description: Number of the line in the database, tests: [not_null, unique]}
  product_id: {description: "Product; `unknown` for a line without one", tests: [not_null]}
  quantity: {description: "In the unit of the product's cost", tests: [not_null]}
  unit_price: {description: "Of that unit, in the company's currency, net of tax, before discount", tests: [not_null]}
  discount_percent: {description: 0 to 100, tests: [not_null]}
  company_amount: {description: "Net amount in the company's currency, at the order's own rate", tests: [not_null]}
  amount: {description: "Net amount in the order's currency", tests: [not_null]}
  currency: {description: "The order's, ISO 4217"}
--- */
WITH lines AS (
    SELECT
        lines.id,
        lines.order_id,
        lines.product_id,
        lines.product_uom_qty AS quantity,
        coalesce(lines.product_uom, lines.product_uom_id) AS unit,
        lines.price_unit,
        CAST(coalesce(lines.discount, 0) AS DECIMAL(9, 4)) AS discount,
        coalesce(lines.price_subtotal, CAST(round(
            CAST(lines.product_uom_qty AS DECIMAL(18, 6)) * lines.price_unit
            * (100 - CAST(coalesce(lines.discount, 0) AS DECIMAL(9, 4))) * CAST('0.01' AS DECIMAL(3, 2)), 2
        ) AS DECIMAL(18, 4))) AS amount,
        orders.currency_rate,
        currencies.name AS currency,
        company_currencies.name AS company_currency
    FROM {{ source('erp', 'order_lines') }} AS lines
    JOIN {{ source('erp', 'orders') }} AS orders ON orders.id = lines.order_id
    JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = orders.company_id
    JOIN {{ source('erp', 'currencies') }} AS company_currencies ON company_currencies.id = companies.currency_id
    LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = orders.currency_id
    WHERE orders.state NOT IN ('draft', 'sent') AND {{ of_company('orders.company_id') }}
),
priced AS (
    SELECT
        lines.*,
        CASE
            WHEN coalesce(lines.unit = products.uom_id, TRUE) THEN CAST(lines.quantity AS DECIMAL(18, 6))
            ELSE CAST(CAST(lines.quantity AS DOUBLE) * line_units.size / product_units.size AS DECIMAL(18, 6))
        END AS product_quantity,
        coalesce(lines.unit = products.uom_id, TRUE) AS is_product_unit,
        CAST(round({{ in_company_currency('lines.amount', 'lines.currency_rate', 'lines.currency',
            'lines.company_currency') }}, 2) AS DECIMAL(18, 2)) AS company_amount,
        {{ in_company_currency('lines.price_unit', 'lines.currency_rate', 'lines.currency',
            'lines.company_currency') }} AS company_price
    FROM lines
    LEFT JOIN {{ source('erp', 'products') }} AS products ON products.id = lines.product_id
    LEFT JOIN {{ source('erp', 'units') }} AS line_units ON line_units.id = lines.unit
    LEFT JOIN {{ source('erp', 'units') }} AS product_units ON product_units.id = products.uom_id
)
SELECT
    CAST(order_id AS TEXT) AS order_id,
    id AS line_number,
    coalesce(CAST(product_id AS TEXT), 'unknown') AS product_id,
    product_quantity AS quantity,
    CASE
        -- What quantity, price and discount give is the amount: the price is without tax.
        WHEN product_quantity = 0 OR discount = 100 OR (is_product_unit AND company_amount = CAST(round(
            product_quantity * CAST(company_price AS DECIMAL(18, 8)) * (100 - discount)
            * CAST('0.01' AS DECIMAL(3, 2)), 2
        ) AS DECIMAL(18, 2))) THEN CAST(company_price AS DECIMAL(18, 8))
        ELSE CAST(CAST(company_amount AS DOUBLE) * 100
            / (CAST(product_quantity AS DOUBLE) * CAST(100 - discount AS DOUBLE)) AS DECIMAL(18, 8))
    END AS unit_price,
    discount AS discount_percent,
    company_amount,
    amount,
    currency
FROM priced
WHERE company_amount IS NOT NULL
