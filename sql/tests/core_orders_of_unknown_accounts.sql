/* ---
description: Customers who ordered on an account that the ERP did not deliver, so that nothing else is known of them
severity: warn
--- */
SELECT customer_id FROM core.customers WHERE name IS NULL AND first_ordered_on IS NOT NULL
