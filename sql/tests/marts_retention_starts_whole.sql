/* ---
description: In its own month every cohort is whole, and no cell holds more customers than its cohort
--- */
SELECT cohort, months_since, cohort_customers, retained_customers, rolling_retained_customers
FROM marts.retention_cohort
WHERE (months_since = 0 AND (retained_customers <> cohort_customers OR rolling_retained_customers <> cohort_customers))
    OR retained_customers > rolling_retained_customers
    OR rolling_retained_customers > cohort_customers
