//! The product-limit estimate of how long customers stay, where some are still there when they are last seen.
//!
//! At every time a customer who ended is counted before one who was only last seen then: who leaves observation at
//! `t` was still at risk at `t`.
//!
//! Sources: Kaplan and Meier, Nonparametric estimation from incomplete observations (1958), section 2; Greenwood
//! (1926) for the variance; Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data (1980), eq. 1.13
//! for limits on the log-log scale; Brookmeyer and Crowley, A confidence interval for the median survival time
//! (1982); Klein and Moeschberger, Survival Analysis (2003), section 4.5 for the restricted mean.

/// What was seen at one duration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The duration, 0 or more.
    pub time: f64,
    /// Customers who ended after exactly this time.
    pub ended: u64,
    /// Customers last seen, not ended, after this time.
    pub left: u64,
}

/// The curve at one of the durations seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The counts.
    pub seen: Seen,
    /// Customers neither ended nor censored before this time.
    pub at_risk: u64,
    /// The estimated share that stays longer than this.
    pub survival: f64,
    /// Its standard error after Greenwood; nothing at survival 0, where the formula has no value.
    pub standard_error: Option<f64>,
    /// Its limits on the log-log scale; nothing at survival 1 and 0, where that scale ends.
    pub limits: Option<(f64, f64)>,
}

/// A curve and what is read off it.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Ascending by time, one for each duration seen.
    pub steps: Vec<Step>,
    /// The first time at which survival is a half or less; nothing where that is not reached.
    pub median: Option<f64>,
    /// The first time at which the lower limit is a half or less.
    pub median_low: Option<f64>,
    /// The first time at which the upper limit is a half or less; nothing where that is not reached.
    pub median_high: Option<f64>,
}

/// The expected time within a span, and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestrictedMean {
    /// The area under the curve.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// Survival is a product of many quotients; what should be a half may be this far from it.
const HALF: f64 = 0.5 + 1e-9;

/// The curve of customers seen, ascending by time; its limits lie `z` standard errors away.
pub fn curve(seen: &[Seen], z: f64) -> Curve {
    let mut at_risk: u64 = seen.iter().map(|seen| seen.ended + seen.left).sum();
    let mut survival = 1.0;
    let mut variance = 0.0;
    let mut steps = Vec::with_capacity(seen.len());
    for &seen in seen {
        let stay = at_risk - seen.ended;
        if seen.ended > 0 {
            survival *= stay as f64 / at_risk as f64;
            variance += relative_variance(seen.ended, at_risk);
        }
        let deviation = f64::sqrt(variance);
        steps.push(Step {
            seen,
            at_risk,
            survival,
            standard_error: (survival > 0.0).then_some(survival * deviation),
            limits: log_log_limits(survival, z * deviation),
        });
        at_risk = stay - seen.left;
    }
    let first = |value: fn(&Step) -> Option<f64>| {
        steps.iter().find(|step| value(step).is_some_and(|value| value <= HALF)).map(|step| step.seen.time)
    };
    let median = first(|step| Some(step.survival));
    // At survival 0 there is no band any more; the lower limit of the median is not above the median.
    let median_low = first(|step| step.limits.map(|limits| limits.0)).or(median);
    let median_high = first(|step| step.limits.map(|limits| limits.1));
    Curve { steps, median, median_low, median_high }
}

/// What one time adds to the variance of the logarithm of survival: `d / (n (n - d))`.
fn relative_variance(ended: u64, at_risk: u64) -> f64 {
    ended as f64 / (at_risk as f64 * (at_risk - ended) as f64)
}

/// `S^exp(±z σ / ln S)`, σ being the standard error of ln S.
fn log_log_limits(survival: f64, width: f64) -> Option<(f64, f64)> {
    if survival <= 0.0 || survival >= 1.0 {
        return None;
    }
    let log = survival.ln();
    let limit = |side: f64| (log * (side * width / -log).exp()).exp();
    Some((limit(1.0), limit(-1.0)))
}

impl Curve {
    /// The greatest duration seen.
    pub fn last_time(&self) -> Option<f64> {
        self.steps.last().map(|step| step.seen.time)
    }

    /// The mean time within `until`, customers who stay longer counting as `until`. Nothing where the curve is not
    /// known that far.
    pub fn restricted_mean(&self, until: f64) -> Option<RestrictedMean> {
        let last = self.steps.last()?;
        if until > last.seen.time && last.survival > 0.0 {
            return None;
        }
        // From the end: the area to the right of each time is what its deaths make uncertain.
        let mut area = 0.0;
        let mut variance = 0.0;
        let mut right = until;
        for step in self.steps.iter().rev().filter(|step| step.seen.time <= until) {
            area += step.survival * (right - step.seen.time);
            right = step.seen.time;
            if step.seen.ended > 0 && step.survival > 0.0 {
                variance += area * area * relative_variance(step.seen.ended, step.at_risk);
            }
        }
        Some(RestrictedMean { mean: area + right, standard_error: variance.sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const Z: f64 = 1.959_963_984_540_054;

    fn seen(rows: &[(f64, u64, u64)]) -> Vec<Seen> {
        rows.iter().map(|&(time, ended, left)| Seen { time, ended, left }).collect()
    }

    /// Weeks in remission on 6-MP: Freireich et al. (1963), as in Kalbfleisch and Prentice (1980), table 1.
    fn six_mp() -> Vec<Seen> {
        let ended = [(6.0, 3, 1), (7.0, 1, 0), (9.0, 0, 1), (10.0, 1, 1), (11.0, 0, 1), (13.0, 1, 0), (16.0, 1, 0)];
        let later = [(17.0, 0, 1), (19.0, 0, 1), (20.0, 0, 1), (22.0, 1, 0), (23.0, 1, 0), (25.0, 0, 1)];
        seen(&[ended.as_slice(), &later, &[(32.0, 0, 2), (34.0, 0, 1), (35.0, 0, 1)]].concat())
    }

    /// Survival and Greenwood errors as published; limits from lifelines 0.30.3, `KaplanMeierFitter` (log-log).
    #[test]
    fn remission_on_6_mp_has_the_published_curve() {
        let curve = curve(&six_mp(), Z);
        let published = [
            (6.0, 21, 0.8571, 0.0764, 0.619718, 0.951552),
            (7.0, 17, 0.8067, 0.0869, 0.563147, 0.922809),
            (10.0, 15, 0.7529, 0.0963, 0.503200, 0.889362),
            (13.0, 12, 0.6902, 0.1068, 0.431610, 0.849066),
            (16.0, 11, 0.6275, 0.1141, 0.367511, 0.804912),
            (22.0, 7, 0.5378, 0.1282, 0.267779, 0.746791),
            (23.0, 6, 0.4482, 0.1346, 0.188052, 0.680143),
        ];
        let steps: Vec<_> = curve.steps.iter().filter(|step| step.seen.ended > 0).collect();
        assert_eq!(steps.len(), published.len());
        for (step, (time, at_risk, survival, error, low, high)) in steps.iter().zip(published) {
            assert_eq!((step.seen.time, step.at_risk), (time, at_risk));
            assert!((step.survival - survival).abs() < 5e-5);
            assert!((step.standard_error.unwrap() - error).abs() < 5.1e-5, "{step:?}");
            let limits = step.limits.unwrap();
            assert!((limits.0 - low).abs() < 5e-7 && (limits.1 - high).abs() < 5e-7, "{step:?}");
        }
        assert_eq!((curve.median, curve.median_low, curve.median_high), (Some(23.0), Some(13.0), None));
    }

    /// 23.287395 is lifelines' area to week 35; R's `print(survfit, rmean = 35)` gives 23.29 with error 2.83.
    #[test]
    fn the_restricted_mean_is_the_area_under_the_curve() {
        let curve = curve(&six_mp(), Z);
        let all = curve.restricted_mean(35.0).unwrap();
        assert!((all.mean - 23.287_394_957_983_2).abs() < 1e-9);
        assert!((all.standard_error - 2.83).abs() < 0.005, "{all:?}");
        assert!((curve.restricted_mean(20.0).unwrap().mean - 16.116_526_610_644_26).abs() < 1e-9);
        assert_eq!(curve.restricted_mean(5.0), Some(RestrictedMean { mean: 5.0, standard_error: 0.0 }));
        assert_eq!(curve.restricted_mean(36.0), None);
    }

    /// Without censoring it is the mean with its ordinary error (divisor n).
    #[test]
    fn when_everybody_ended_the_restricted_mean_is_the_mean() {
        let curve = curve(&seen(&[(1.0, 2, 0), (2.0, 1, 0), (5.0, 3, 0)]), Z);
        let mean: f64 = 19.0 / 6.0;
        let squares = 2.0 * (1.0 - mean).powi(2) + (2.0 - mean).powi(2) + 3.0 * (5.0 - mean).powi(2);
        let variance = squares / 6.0;
        for until in [5.0, 50.0] {
            let all = curve.restricted_mean(until).unwrap();
            assert!((all.mean - mean).abs() < 1e-12);
            assert!((all.standard_error - (variance / 6.0).sqrt()).abs() < 1e-12);
        }
        assert_eq!(curve.steps[2].standard_error, None);
        assert_eq!(curve.median, Some(2.0));
    }

    #[test]
    fn nobody_ended_reaches_nothing() {
        let curve = curve(&seen(&[(1.0, 0, 5), (3.0, 0, 2)]), Z);
        assert_eq!((curve.median, curve.median_low, curve.median_high), (None, None, None));
        assert_eq!(curve.restricted_mean(3.0), Some(RestrictedMean { mean: 3.0, standard_error: 0.0 }));
        assert!(curve.steps.iter().all(|step| step.limits.is_none() && step.survival == 1.0));
    }

    fn any_seen() -> impl Strategy<Value = Vec<Seen>> {
        proptest::collection::vec((1u64..4, 0u64..5, 0u64..5), 1..40).prop_map(|gaps| {
            let mut time = 0;
            let seen = gaps.into_iter().map(|(gap, ended, left)| {
                time += gap;
                Seen { time: time as f64, ended, left: left + u64::from(ended == 0) }
            });
            seen.collect()
        })
    }

    proptest! {
        #[test]
        fn survival_never_rises_and_lies_between_its_limits(seen in any_seen()) {
            let curve = curve(&seen, Z);
            prop_assert!(curve.steps.iter().is_sorted_by(|a, b| a.survival >= b.survival));
            for step in &curve.steps {
                prop_assert!((0.0..=1.0).contains(&step.survival));
                if let Some((low, high)) = step.limits {
                    prop_assert!(low <= step.survival && step.survival <= high);
                }
            }
            prop_assert!(curve.median_low.is_some() || curve.median.is_none());
        }

        #[test]
        fn the_restricted_mean_is_the_sum_of_rectangles(seen in any_seen(), until in 0u32..60) {
            let until = f64::from(until);
            let curve = curve(&seen, Z);
            let at = |time: f64| curve.steps.iter().rev().find(|s| s.seen.time <= time).map_or(1.0, |s| s.survival);
            let sum: f64 = (0..until as u32).map(|week| at(f64::from(week))).sum();
            if let Some(all) = curve.restricted_mean(until) {
                prop_assert!((all.mean - sum).abs() < 1e-9);
            }
        }

        #[test]
        fn twice_the_customers_are_the_same_curve_with_less_doubt(seen in any_seen()) {
            let double = |s: &Seen| Seen { time: s.time, ended: 2 * s.ended, left: 2 * s.left };
            let twice: Vec<_> = seen.iter().map(double).collect();
            for (one, two) in curve(&seen, Z).steps.iter().zip(curve(&twice, Z).steps) {
                prop_assert!((one.survival - two.survival).abs() < 1e-12);
                let errors = (one.standard_error.unwrap_or(0.0), two.standard_error.unwrap_or(0.0));
                prop_assert!((errors.0 - errors.1 * 2f64.sqrt()).abs() < 1e-9);
            }
        }
    }
}
