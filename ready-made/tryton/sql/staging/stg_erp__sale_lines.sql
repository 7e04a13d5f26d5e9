/* ---
description: >-
  Lines of the sales that were confirmed, whatever the as-of date, with amounts in the sale's and in the company's
  currency and, for what was sent back, the line it belongs to. Tryton's returns are sales with negative quantities: the
  original is found through the return's origin, a sale or a complaint about one, and there by the product. Only the
  steps of orders, order lines and returns read this one.
grain: [line_id]
columns:
  line_id: {description: Number of the line, tests: [not_null]}
  sale_id: {description: Number of the sale, tests: [not_null]}
  sale_date: {description: When it was confirmed, tests: [not_null]}
  product_id: {description: "Product; `unknown` for a line of free text", tests: [not_null]}
  quantity: {description: "In the unit of the product's cost; negative for what came back", tests: [not_null]}
  unit_price: {description: "Of that unit, in the company's currency, net of tax and after discount; of another currency 0
    for a line without pieces or rate", tests: [not_null]}
  amount: {description: "Quantity * price in the sale's currency, rounded as Tryton does", tests: [not_null]}
  currency: {description: "The sale's, ISO 4217", tests: [not_null]}
  company_amount: {description: "The same in the company's currency, at the rate of the day of sale; NULL without one"}
  returned_sale_id: {description: The sale that a return belongs to; NULL for a sale and where that is not known}
  returned_line_id: {description: The line of that sale}
  reason: {description: Kind of complaint that led to a return}
--- */
WITH sales AS (
    SELECT
        sales.id, sales.sale_date, sales.origin, currencies.code AS currency, currencies.digits,
        company_currencies.code AS company_currency
    FROM {{ source('erp', 'orders') }} AS sales
    JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = sales.currency
    JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = sales.company
    JOIN {{ source('erp', 'currencies') }} AS company_currencies ON company_currencies.id = companies.currency
    WHERE sales.state NOT IN ('draft', 'quotation') AND sales.sale_date IS NOT NULL
        AND {{ of_company('sales.company') }}
),
priced AS (
    SELECT
        lines.id, lines.sale, lines.product, lines.unit, lines.quantity, lines.unit_price,
        CAST(lines.quantity AS DECIMAL(18, 6)) AS exact_quantity,
        CAST(lines.quantity AS DECIMAL(18, 6)) * lines.unit_price AS unrounded
    FROM {{ source('erp', 'order_lines') }} AS lines
),
amounts AS (
    SELECT
        lines.id, lines.sale, lines.product, lines.unit_price, lines.exact_quantity,
        sales.sale_date, sales.origin, sales.currency, sales.company_currency,
        {{ rounded('lines.unrounded', 'sales.digits') }} AS amount,
        coalesce(lines.unit = products.unit, TRUE) AS is_product_unit,
        CAST(lines.quantity * line_units.factor / product_units.factor AS DECIMAL(18, 6)) AS converted_quantity
    FROM priced AS lines
    JOIN sales ON sales.id = lines.sale
    LEFT JOIN {{ source('erp', 'products') }} AS products ON products.id = lines.product
    LEFT JOIN {{ source('erp', 'units') }} AS line_units ON line_units.id = lines.unit
    LEFT JOIN {{ source('erp', 'units') }} AS product_units ON product_units.id = products.unit
),
exchanged AS (
    SELECT
        amounts.*,
        CASE WHEN is_product_unit THEN exact_quantity ELSE converted_quantity END AS product_quantity,
        CASE
            WHEN amounts.currency = amounts.company_currency THEN CAST(amount AS DECIMAL(18, 2))
            ELSE CAST(round(amount * {{ exchanged('rates.rate', 'company_rates.rate') }}, 2) AS DECIMAL(18, 2))
        END AS company_amount
    FROM amounts
    LEFT JOIN staging.stg_erp__exchange_rates AS rates
        ON rates.currency = amounts.currency AND rates.valid_from <= amounts.sale_date
        AND coalesce(rates.valid_until > amounts.sale_date, TRUE)
    LEFT JOIN staging.stg_erp__exchange_rates AS company_rates
        ON company_rates.currency = amounts.company_currency AND company_rates.valid_from <= amounts.sale_date
        AND coalesce(company_rates.valid_until > amounts.sale_date, TRUE)
),
returned AS (
    SELECT
        lines.id, lines.product, lines.unit_price, types.name AS reason, about.id AS original_line,
        coalesce(
            {{ number_of('sale.sale', 'lines.origin') }}, {{ number_of('sale.sale', 'complaints.origin') }}, about.sale
        ) AS original
    FROM amounts AS lines
    LEFT JOIN {{ source('erp', 'complaints') }} AS complaints
        ON complaints.id = {{ number_of('sale.complaint', 'lines.origin') }}
    LEFT JOIN {{ source('erp', 'complaint_types') }} AS types ON types.id = complaints.type
    LEFT JOIN {{ source('erp', 'order_lines') }} AS about
        ON about.id = {{ number_of('sale.line', 'complaints.origin') }}
    WHERE lines.exact_quantity < 0
),
matched AS (
    SELECT
        returned.id, returned.reason, returned.original, sold.id AS sold_line,
        row_number() OVER (
            PARTITION BY returned.id
            ORDER BY
                CASE WHEN sold.id = returned.original_line THEN 0 ELSE 1 END,
                CASE WHEN sold.unit_price = returned.unit_price THEN 0 ELSE 1 END,
                sold.id
        ) AS place
    FROM returned
    JOIN amounts AS sold ON sold.sale = returned.original AND sold.product = returned.product
    WHERE sold.exact_quantity > 0
)
SELECT
    lines.id AS line_id,
    lines.sale AS sale_id,
    lines.sale_date,
    coalesce(CAST(lines.product AS TEXT), 'unknown') AS product_id,
    lines.product_quantity AS quantity,
    CASE
        WHEN lines.is_product_unit AND lines.currency = lines.company_currency
            THEN CAST(lines.unit_price AS DECIMAL(18, 8))
        ELSE coalesce(CAST(lines.company_amount / nullif(lines.product_quantity, 0) AS DECIMAL(18, 8)), 0)
    END AS unit_price,
    lines.amount,
    lines.currency,
    lines.company_amount,
    matched.original AS returned_sale_id,
    matched.sold_line AS returned_line_id,
    matched.reason
FROM exchanged AS lines
LEFT JOIN matched ON matched.id = lines.id AND matched.place = 1
