SELECT cohort, months_since, cohort_customers, retained_customers, period_status
FROM marts.retention_cohort
WHERE cohort <= DATE '{{ period.start }}' AND cohort >= DATE '{{ period.start }}' - INTERVAL '12' MONTH
ORDER BY cohort, months_since
