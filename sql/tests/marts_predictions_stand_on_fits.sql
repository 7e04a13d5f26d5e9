/* ---
description: >-
  A customer's value is predicted exactly where a fit is named, that fit converged, and it is the region's own or that
  of all customers
--- */
SELECT value.as_of, value.customer_id, value.region, value.used_region, value.predicted_value, fits.verdict
FROM marts.customer_value AS value
LEFT JOIN marts.customer_base_fit AS fits
    ON fits.as_of = value.as_of AND fits.observed = 'full' AND fits.region = value.used_region
WHERE (value.used_region IS NULL) <> (value.predicted_value IS NULL)
    OR (value.used_region IS NOT NULL AND (fits.verdict IS DISTINCT FROM 'converged'))
    OR value.used_region NOT IN (value.region, 'all')
