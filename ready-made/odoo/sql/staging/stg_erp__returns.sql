/* ---
description: >-
  Goods that customers sent back before the as-of date: movements that return a delivery and reduce the order. A credit
  note without goods is not a return; it is in staging.stg_erp__invoices.
columns:
  return_id: {description: Number of the movement in the database, tests: [not_null, unique]}
  order_id: {description: The order it belongs to, tests: [not_null]}
  line_number: {description: The line of that order, tests: [not_null]}
  quantity: {description: "Sent back, in the unit of the product's cost", tests: [not_null]}
  returned_on: {description: When the goods came, tests: [not_null]}
  reason: {description: "NULL: Odoo keeps none"}
--- */
SELECT
    CAST(moves.id AS TEXT) AS return_id,
    CAST(lines.order_id AS TEXT) AS order_id,
    lines.id AS line_number,
    CASE
        WHEN coalesce(moves.product_uom = products.uom_id, TRUE)
            THEN CAST(coalesce(moves.quantity, moves.product_uom_qty) AS DECIMAL(18, 6))
        ELSE CAST(
            CAST(coalesce(moves.quantity, moves.product_uom_qty) AS DOUBLE) * move_units.size / product_units.size
            AS DECIMAL(18, 6))
    END AS quantity,
    {{ local_date('moves.date') }} AS returned_on,
    CAST(NULL AS TEXT) AS reason
FROM {{ source('erp', 'returns') }} AS moves
JOIN {{ source('erp', 'order_lines') }} AS lines ON lines.id = moves.sale_line_id
LEFT JOIN {{ source('erp', 'products') }} AS products ON products.id = moves.product_id
LEFT JOIN {{ source('erp', 'units') }} AS move_units ON move_units.id = moves.product_uom
LEFT JOIN {{ source('erp', 'units') }} AS product_units ON product_units.id = products.uom_id
WHERE coalesce(moves.to_refund, TRUE) AND {{ local_date('moves.date') }} < DATE '{{ as_of }}'
    AND {{ of_company('moves.company_id') }}
