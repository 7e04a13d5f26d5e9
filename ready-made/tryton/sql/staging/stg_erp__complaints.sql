/* ---
description: Complaints made before the as-of date, with their present status
columns:
  complaint_id: {description: Number in the database, tests: [not_null, unique]}
  account_id: {description: Who complains, tests: [not_null]}
  order_id: {description: The order it is about; NULL where it is about none}
  complained_on: {description: When, tests: [not_null]}
  status: {description: "open, approved, rejected, done or cancelled", tests: [not_null]}
  kind: {description: Kind of complaint}
  description: {description: What was said}
  rating: {description: "Marks; NULL, as Tryton has none"}
--- */
WITH complaints AS (
    SELECT *, coalesce(date, {{ local_date('create_date') }}) AS complained_on FROM {{ source('erp', 'complaints') }}
)
SELECT
    CAST(complaints.id AS TEXT) AS complaint_id,
    complaints.customer AS account_id,
    CAST(coalesce({{ number_of('sale.sale', 'complaints.origin') }}, about.sale) AS TEXT) AS order_id,
    complaints.complained_on,
    CASE WHEN complaints.state IN ('draft', 'waiting') THEN 'open' ELSE complaints.state END AS status,
    types.name AS kind,
    complaints.description,
    CAST(NULL AS DOUBLE) AS rating
FROM complaints
LEFT JOIN {{ source('erp', 'complaint_types') }} AS types ON types.id = complaints.type
LEFT JOIN {{ source('erp', 'order_lines') }} AS about ON about.id = {{ number_of('sale.line', 'complaints.origin') }}
WHERE complaints.complained_on < DATE '{{ as_of }}' AND {{ of_company('complaints.company') }}
