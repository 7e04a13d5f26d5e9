//! The customers of the examples: a few histories with the number of customers who have them, and their fits.

/// Begins a query with `histories(frequency, recency, age, customers, mean_spend)` and `fits(fit, spend_fit)`.
macro_rules! fits {
    () => {
        "WITH histories AS (SELECT * FROM (VALUES (0, 0, 30, 60, NULL), (0, 0, 20, 50, NULL), (1, 4, 30, 7, 9), \
         (1, 4, 30, 7, 32), (1, 20, 30, 4, 20), (1, 20, 30, 4, 75), (2, 12, 30, 3, 18), (2, 12, 30, 2, 55), \
         (2, 25, 28, 7, 24), (3, 8, 30, 4, 16), (4, 27, 30, 3, 19), (4, 27, 30, 3, 46), (7, 29, 30, 3, 30)) \
         AS t(frequency, recency, age, customers, mean_spend)), \
         fits AS (SELECT bg_nbd_fit(frequency, recency, age, 'week', customers) AS fit, \
         gamma_gamma_fit(frequency, mean_spend, customers) AS spend_fit FROM histories) "
    };
}

pub(super) use fits;
