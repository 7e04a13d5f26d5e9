/* ---
description: >-
  Customers' expressions of dissatisfaction before the as-of date: ratings of at most `complaint_rating_max` (2) of 5.
  Tickets of a help desk are not among them, because not every ticket is a complaint.
columns:
  complaint_id: {description: Number of the rating in the database, tests: [not_null, unique]}
  account_id: {description: "Who complains; for a contact of a company, the company"}
  order_id: {description: The order it is about; NULL where it is about none}
  complained_on: {description: When, tests: [not_null]}
  status: {description: "NULL: Odoo keeps none"}
  kind: {description: "What it is about: `sale.order`, `helpdesk.ticket` and the like"}
  description: {description: What was said}
  rating: {description: "Marks from 1 to 5, 5 is best"}
--- */
WITH ratings AS (
    SELECT *, {{ local_date('coalesce(write_date, create_date)') }} AS rated_on
    FROM {{ source('erp', 'ratings') }}
    WHERE consumed AND rating > 0 AND rating <= {{ var('complaint_rating_max', 2) }}
)
SELECT
    CAST(ratings.id AS TEXT) AS complaint_id,
    coalesce(partners.commercial_partner_id, ratings.partner_id) AS account_id,
    CASE WHEN ratings.res_model = 'sale.order' THEN CAST(ratings.res_id AS TEXT) END AS order_id,
    ratings.rated_on AS complained_on,
    CAST(NULL AS TEXT) AS status,
    ratings.res_model AS kind,
    ratings.feedback AS description,
    ratings.rating
FROM ratings
LEFT JOIN {{ source('erp', 'customers') }} AS partners ON partners.id = ratings.partner_id
WHERE ratings.rated_on < DATE '{{ as_of }}'
