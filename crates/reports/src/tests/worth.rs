//! Rows of the valuation of the base: with a model that converged, and without one.

use super::fixture::{money, name, row};
use minijinja::value::Value;

/// By region and in all; without a model there is no predicted value.
pub fn values(margin: bool, converged: bool) -> Value {
    let known = |cents: i128| if converged { money(cents) } else { Value::from(()) };
    let line = |region: &str, buyers: i64, historical: i128, predicted: i128, used: Value, miss: f64| {
        row([
            ("region", Value::from(region)),
            ("buyers", Value::from(buyers)),
            ("value_basis", Value::from(if margin { "margin" } else { "revenue" })),
            ("historical_value", money(historical)),
            ("predicted_value", known(predicted)),
            ("predicted_low", known(predicted * 9 / 10)),
            ("predicted_high", known(predicted * 11 / 10)),
            ("horizon_months", Value::from(12)),
            ("yearly_discount_rate", Value::from(0.1)),
            ("verdict", Value::from(if converged { "converged" } else { "too little data" })),
            ("used_region", used),
            ("holdout_miss", if converged { Value::from(miss) } else { Value::from(()) }),
        ])
    };
    Value::from(vec![
        line("all", 1_400, 310_000_000, 90_000_000, Value::from(()), 0.0847),
        line("North *&* <East>", 1_300, 300_000_000, 87_000_000, Value::from("North *&* <East>"), 0.09),
        line("unknown", 100, 10_000_000, 3_000_000, Value::from("all"), -0.02),
    ])
}

/// The hold-out of all customers.
pub fn check(converged: bool) -> Value {
    let known = |value: f64| if converged { Value::from(value) } else { Value::from(()) };
    Value::from(vec![row([
        ("customers", Value::from(1_212)),
        ("calibration_until", Value::from("2026-04-02")),
        ("until", Value::from("2026-09-30")),
        ("holdout_weeks", Value::from(26)),
        ("expected_purchases", known(2_308.2)),
        ("actual_purchases", Value::from(2_128)),
        ("miss", known(0.0847)),
        ("revenue_miss", known(-0.113)),
        ("earlier_miss", Value::from(0.391)),
        ("auc", known(0.8423)),
        ("recency_auc", known(0.8011)),
    ])])
}

/// The same by repeat purchases before.
pub fn bins(converged: bool) -> Value {
    let bins = [(700, 180.0, 121), (200, 210.5, 190), (120, 260.2, 240), (192, 1657.5, 1577)];
    let groups = ["0", "1", "2", "7+"];
    let rows = groups.iter().zip(bins).map(|(group, (customers, expected, actual))| {
        row([
            ("group", Value::from(*group)),
            ("customers", Value::from(customers)),
            ("expected", if converged { Value::from(expected) } else { Value::from(()) }),
            ("actual", Value::from(actual)),
        ])
    });
    Value::from(rows.collect::<Vec<_>>())
}

/// Customers beyond their rhythm.
pub fn silent(some: bool) -> Value {
    let rows = (0..if some { 12 } else { 0 }).map(|i: usize| {
        row([
            ("customer", Value::from(name(i))),
            ("last_purchased_on", Value::from("2026-06-17")),
            ("days_silent", Value::from(106)),
            ("typical_gap_days", Value::from(14.2)),
            ("at_stake", money(1_000_000 - 7_777 * i as i128)),
            ("all_customers", Value::from(37)),
            ("all_at_stake", money(20_000_000)),
        ])
    });
    Value::from(rows.collect::<Vec<_>>())
}
