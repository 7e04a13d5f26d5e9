//! How long customers under contract stay: each leaves at the end of a period with a probability of his own, and those
//! probabilities are spread over customers as a beta distribution.
//!
//! Sources: Fader and Hardie, How to project customer retention, Journal of Interactive Marketing 21 (2007), with
//! eq. 5 and 6 for the likelihood and eq. 7 for retention; Fader and Hardie, Customer-base valuation in a contractual
//! setting, Marketing Science 29 (2010), eq. 6 for the residual lifetime.

use super::hypergeometric::hypergeometric_with_one;
use super::maximise::{Evaluation, Maximum, Objective, maximise};
use super::numeric::{digamma, ln_gamma, trigamma};

/// What was seen of customers with one tenure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tenure {
    /// Whole periods.
    pub periods: f64,
    /// Customers who left in this period, their last.
    pub churned: f64,
    /// Customers still there after this many periods.
    pub staying: f64,
}

/// Customers between two tenures seen: the number at risk is the same in every period `from + 1 ..= to`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    from: f64,
    to: f64,
    at_risk: f64,
    /// Those who leave in the last of these periods.
    churned: f64,
}

/// The likelihood of tenures: `Σ ln P(T = t)` over those who left and `Σ ln S(t)` over those who stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    stretches: Vec<Stretch>,
    churned: f64,
}

/// Why tenures cannot tell both parameters, before any search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unidentified {
    /// Nobody was seen for a whole period.
    NobodyAtRisk,
    /// Nobody left.
    NobodyLeft,
    /// Everybody left in the first period.
    AllLeftAtOnce,
    /// Nobody was seen in a second period, and one share of leaving cannot tell two parameters.
    OnePeriod,
}

/// The longest tenure, horizon or time ahead, in periods: centuries of days. More is a mistake in the unit.
pub const MAX_PERIODS: f64 = 100_000.0;

/// Below this many periods a sum over them is done term by term: quicker and a digit or two better.
const SHORT: f64 = 24.0;

impl Likelihood {
    /// Of tenures in ascending order, each once.
    pub fn new(tenures: &[Tenure]) -> Likelihood {
        let mut at_risk: f64 = tenures.iter().map(|tenure| tenure.churned + tenure.staying).sum();
        let mut from = 0.0;
        let mut stretches = Vec::with_capacity(tenures.len());
        for tenure in tenures {
            if tenure.periods > from {
                stretches.push(Stretch { from, to: tenure.periods, at_risk, churned: tenure.churned });
                from = tenure.periods;
            }
            at_risk -= tenure.churned + tenure.staying;
        }
        Likelihood { churned: stretches.iter().map(|stretch| stretch.churned).sum(), stretches }
    }

    /// Customers seen for a period or more.
    pub fn at_risk(&self) -> f64 {
        self.stretches.first().map_or(0.0, |first| first.at_risk)
    }

    /// Customers who left.
    pub fn churned(&self) -> f64 {
        self.churned
    }

    /// Why there is no maximum to search, if there is none whatever the search.
    pub fn unidentified(&self) -> Option<Unidentified> {
        let (Some(first), Some(last)) = (self.stretches.first(), self.stretches.last()) else {
            return Some(Unidentified::NobodyAtRisk);
        };
        if self.churned == 0.0 {
            Some(Unidentified::NobodyLeft)
        } else if first.to == 1.0 && first.churned == first.at_risk {
            Some(Unidentified::AllLeftAtOnce)
        } else {
            (last.to == 1.0).then_some(Unidentified::OnePeriod)
        }
    }

    /// The most likely parameters: their logarithms and how the search ended.
    pub fn maximum(&self) -> Option<Maximum<2>> {
        // The share that leaves per period fixes alpha / (alpha + beta); the starts differ in how unlike customers are.
        let periods: f64 = self.stretches.iter().map(|stretch| stretch.at_risk * (stretch.to - stretch.from)).sum();
        let share = (self.churned / periods).clamp(1e-4, 0.9);
        let starts = [1.0, 10.0, 0.1].map(|total: f64| [(total * share).ln(), (total * (1.0 - share)).ln()]);
        maximise(self, &starts)
    }
}

/// `Σ 1 over f(base + i)` for i in `from .. to`: of `ln x`, of `1 / x` and of `-1 / x²`.
fn sums(base: f64, from: f64, to: f64) -> [f64; 3] {
    let (low, high) = (base + from, base + to);
    if to - from > SHORT {
        return [ln_gamma(high) - ln_gamma(low), digamma(high) - digamma(low), trigamma(high) - trigamma(low)];
    }
    let mut sums = [0.0; 3];
    let mut i = from;
    while i < to {
        let x = base + i;
        sums[0] += x.ln();
        sums[1] += 1.0 / x;
        sums[2] -= 1.0 / (x * x);
        i += 1.0;
    }
    sums
}

impl Objective<2> for Likelihood {
    fn evaluate(&self, log_parameters: &[f64; 2]) -> Evaluation<2> {
        let [alpha, beta] = log_parameters.map(f64::exp);
        // Leaving in period i has the odds alpha to beta + i - 1 at every time: eq. 6 multiplied out.
        let mut value = self.churned * log_parameters[0];
        let mut first = [self.churned / alpha, 0.0];
        let mut second = [-self.churned / (alpha * alpha), 0.0];
        let mut mixed = 0.0;
        for stretch in &self.stretches {
            let stay = sums(beta, stretch.from, stretch.to);
            let last = beta + stretch.to - 1.0;
            let all = sums(alpha + beta, stretch.from, stretch.to);
            value += stretch.at_risk * (stay[0] - all[0]) - stretch.churned * last.ln();
            first[1] += stretch.at_risk * stay[1] - stretch.churned / last;
            second[1] += stretch.at_risk * stay[2] + stretch.churned / (last * last);
            first = first.map(|cell| cell - stretch.at_risk * all[1]);
            mixed -= stretch.at_risk * all[2];
        }
        let second = second.map(|cell| cell + mixed);
        // From the parameters to their logarithms.
        let cross = alpha * beta * mixed;
        let gradient = [alpha * first[0], beta * first[1]];
        let diagonal = [alpha * alpha * second[0] + gradient[0], beta * beta * second[1] + gradient[1]];
        Evaluation { value, gradient, hessian: [[diagonal[0], cross], [cross, diagonal[1]]] }
    }
}

/// The model with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShiftedBetaGeometric {
    /// First parameter of the beta distribution: the weight of leaving.
    pub alpha: f64,
    /// Second parameter: the weight of staying.
    pub beta: f64,
}

impl ShiftedBetaGeometric {
    /// The share of new customers who remain after `periods`: `S(t) = B(α, β + t) / B(α, β)`.
    pub fn survival(self, periods: f64) -> f64 {
        self.after(0.0).stays(periods)
    }

    /// The share of those there at the beginning of period t ≥ 1 who stay beyond it: `(β + t - 1) / (α + β + t - 1)`.
    pub fn retention_rate(self, period: f64) -> f64 {
        let weight = self.beta + period - 1.0;
        weight / (self.alpha + weight)
    }

    /// The number of periods for which a customer who has stayed for `tenure` periods will renew, within
    /// `horizon` renewals (whole, or infinite), as seen directly before the next renewal; every period of
    /// waiting after that multiplies by `discount`, which lies above 0 and is at most 1. Infinite where the horizon is
    /// infinite, there is no discount and α ≤ 1.
    pub fn residual_lifetime(self, tenure: f64, discount: f64, horizon: f64) -> f64 {
        let now = self.after(tenure);
        if horizon.is_finite() {
            return now.renewals(discount, horizon);
        }
        if discount == 1.0 {
            return if self.alpha > 1.0 { now.beta / (self.alpha - 1.0) } else { f64::INFINITY };
        }
        now.retention_rate(1.0) * hypergeometric_with_one(now.beta + 1.0, now.alpha + now.beta + 1.0, discount)
    }

    /// The model of those still there after `tenure` periods: the beta distribution after so many stays.
    fn after(self, tenure: f64) -> ShiftedBetaGeometric {
        ShiftedBetaGeometric { beta: self.beta + tenure, ..self }
    }

    fn stays(self, periods: f64) -> f64 {
        if periods > 1000.0 {
            let total = self.alpha + self.beta;
            let logs =
                ln_gamma(self.beta + periods) - ln_gamma(self.beta) + ln_gamma(total) - ln_gamma(total + periods);
            return logs.exp();
        }
        let mut share = 1.0;
        let mut period = 1.0;
        while period <= periods {
            share *= self.retention_rate(period);
            period += 1.0;
        }
        share
    }

    /// `Σ S(k) discount^(k - 1)` over k from 1 to the horizon.
    fn renewals(self, discount: f64, horizon: f64) -> f64 {
        let mut sum = 0.0;
        let mut term = 1.0 / discount;
        let mut period = 1.0;
        while period <= horizon {
            term *= self.retention_rate(period) * discount;
            sum += term;
            // All that can follow is less than the last digit.
            if term * (horizon - period) < 1e-17 * sum {
                break;
            }
            period += 1.0;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::numeric::{inverse, ln_beta};
    use super::super::{Delta, Outcome, Scale};
    use super::*;
    use proptest::prelude::*;

    const REGULAR: [f64; 8] = [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0];
    const HIGH_END: [f64; 8] = [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0];

    fn near(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b}");
    }

    fn of_survivors(survivors: &[f64]) -> Likelihood {
        let last = survivors.len() - 1;
        let tenure = |t: usize| Tenure {
            periods: t as f64,
            churned: survivors[t - 1] - survivors[t],
            staying: if t == last { survivors[t] } else { 0.0 },
        };
        Likelihood::new(&(1..=last).map(tenure).collect::<Vec<_>>())
    }

    /// Published to three digits: Fader and Hardie (2007), tables 1 and 2 and figure 5. Further digits, errors and
    /// covariance: the log-beta form of the likelihood maximised with mpmath, 40 digits.
    #[test]
    fn the_published_fits() {
        let cases = [
            (
                REGULAR,
                [0.704, 1.182, 0.170],
                [0.704077298473516, 1.18204302620948, -1680.26518846329],
                [0.00868067069074, 0.0106833237352, 0.0166392716595],
            ),
            (
                HIGH_END,
                [0.668, 3.806, 0.378],
                [0.668088351106446, 3.80609496405827, -1611.15814739116],
                [0.0241091693331, 0.030540710878, 0.0425959376052],
            ),
        ];
        for (survivors, published, digits, covariance) in cases {
            let end = of_survivors(&survivors).maximum().unwrap();
            assert_eq!(end.outcome, Outcome::Converged);
            let [alpha, beta] = end.at.map(f64::exp);
            let survival = ShiftedBetaGeometric { alpha, beta }.survival(12.0);
            for (got, published) in [alpha, beta, survival].into_iter().zip(published) {
                assert!((got - published).abs() < 5e-4, "{got} is not {published}");
            }
            for (got, digits) in [alpha, beta, end.evaluation.value].into_iter().zip(digits) {
                near(got, digits, 1e-9);
            }
            let inverse = inverse(&end.evaluation.hessian.map(|row| row.map(|cell| -cell))).unwrap();
            for (got, expected) in [inverse[0][0], inverse[0][1], inverse[1][1]].into_iter().zip(covariance) {
                near(got / expected, 1.0, 1e-7);
            }
        }
    }

    /// mpmath again: derivatives by its `diff`, the hypergeometric function by its `hyp2f1`.
    #[test]
    fn what_is_predicted_and_how_surely() {
        let end = of_survivors(&REGULAR).maximum().unwrap();
        let covariance = inverse(&end.evaluation.hessian.map(|row| row.map(|cell| -cell))).unwrap().concat();
        let delta = Delta::new(&end.at, &covariance, 0.95).unwrap();
        let of = |p: &[f64]| ShiftedBetaGeometric { alpha: p[0].exp(), beta: p[1].exp() };
        let check = |quantity: &dyn Fn(ShiftedBetaGeometric) -> f64, scale, expected: [f64; 3]| {
            let interval = delta.interval_of(|p| quantity(of(p)), scale).unwrap();
            for (got, expected) in [interval.estimate, interval.low, interval.high].into_iter().zip(expected) {
                near(got / expected, 1.0, 1e-7);
            }
        };
        check(&|m| m.survival(12.0), Scale::Logit, [0.1700374528, 0.1456150382, 0.1976085936]);
        check(&|m| m.retention_rate(3.0), Scale::Logit, [0.8188225686, 0.8022366051, 0.8343048102]);
        let ever = f64::INFINITY;
        let discount = 1.0 / 1.1;
        let residual = |tenure: f64| move |m: ShiftedBetaGeometric| m.residual_lifetime(tenure, discount, ever);
        check(&residual(0.0), Scale::Log, [2.96439927, 2.72254765, 3.227735255]);
        check(&residual(1.0), Scale::Log, [4.103139775, 3.744413149, 4.496233547]);
        check(&residual(7.0), Scale::Log, [6.842314948, 6.40140002, 7.313599166]);
        let regular = of(&end.at);
        near(regular.residual_lifetime(2.0, discount, 5.0), 2.72658009554953, 1e-9);
        near(regular.residual_lifetime(2.0, 1.0, 5.0), 3.19503305849218, 1e-9);
        assert_eq!(regular.residual_lifetime(2.0, 1.0, ever), ever);
        // The mean of the geometric number of stays over the beta distribution: beta / (alpha - 1).
        near(ShiftedBetaGeometric { alpha: 3.0, beta: 5.0 }.residual_lifetime(1.0, 1.0, ever), 3.0, 1e-12);
    }

    /// Eq. 5 of the paper in log-beta functions, with tenures far apart, and some censored in between.
    #[test]
    fn the_likelihood_is_that_of_the_paper() {
        let tenures = [(0.0, 0.0, 9.0), (1.0, 5.0, 2.0), (3.0, 2.0, 0.0), (40.0, 1.0, 3.0), (300.0, 2.0, 1.0)];
        let tenures = tenures.map(|(periods, churned, staying)| Tenure { periods, churned, staying });
        for (alpha, beta) in [(0.3, 2.0), (1.0, 1.0), (7.0, 0.2), (150.0, 900.0)] {
            let plainly = tenures.iter().map(|t| {
                let left = if t.churned > 0.0 { ln_beta(alpha + 1.0, beta + t.periods - 1.0) } else { 0.0 };
                let whole = ln_beta(alpha, beta);
                t.churned * (left - whole) + t.staying * (ln_beta(alpha, beta + t.periods) - whole)
            });
            let expected: f64 = plainly.sum();
            near(Likelihood::new(&tenures).value(&[f64::ln(alpha), f64::ln(beta)]), expected, 1e-11);
        }
    }

    /// By brute force: the probability of leaving is spread as a beta density, integrated by the midpoint rule.
    #[test]
    fn survival_is_the_mean_over_latent_probabilities() {
        let (alpha, beta) = (2.5, 3.5);
        let steps = 200_000;
        let integral = |f: &dyn Fn(f64) -> f64| {
            let density =
                |p: f64| ((alpha - 1.0) * p.ln() + (beta - 1.0) * (1.0 - p).ln() - ln_beta(alpha, beta)).exp();
            let at = (0..steps).map(|i| (f64::from(i) + 0.5) / f64::from(steps));
            at.map(|p| density(p) * f(p)).sum::<f64>() / f64::from(steps)
        };
        let model = ShiftedBetaGeometric { alpha, beta };
        near(model.survival(4.0), integral(&|p| (1.0 - p).powi(4)), 1e-8);
        let third = integral(&|p| (1.0 - p).powi(3)) / integral(&|p| (1.0 - p).powi(2));
        near(model.retention_rate(3.0), third, 1e-8);
        // Stays k times with (1 - p)^k: the discounted sum is (1 - p) / (1 - (1 - p) v); weighed by two stays.
        let residual = integral(&|p| (1.0 - p).powi(3) / (1.0 - (1.0 - p) * 0.9)) / integral(&|p| (1.0 - p).powi(2));
        near(model.residual_lifetime(2.0, 0.9, f64::INFINITY), residual, 1e-8);
    }

    #[test]
    fn tenures_that_do_not_tell_both_parameters_are_told_apart() {
        let of = |rows: &[(f64, f64, f64)]| {
            let tenure = |&(periods, churned, staying): &(f64, f64, f64)| Tenure { periods, churned, staying };
            Likelihood::new(&rows.iter().map(tenure).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]).unidentified(), Some(Unidentified::NobodyAtRisk));
        assert_eq!(of(&[(0.0, 0.0, 8.0)]).unidentified(), Some(Unidentified::NobodyAtRisk));
        assert_eq!(of(&[(3.0, 0.0, 8.0)]).unidentified(), Some(Unidentified::NobodyLeft));
        assert_eq!(of(&[(1.0, 8.0, 0.0)]).unidentified(), Some(Unidentified::AllLeftAtOnce));
        assert_eq!(of(&[(1.0, 4.0, 5.0)]).unidentified(), Some(Unidentified::OnePeriod));
        let boundary = |rows: &[(f64, f64, f64)]| of(rows).maximum().unwrap().outcome;
        // A constant rate (a half, three times), a rising one, and all in the fifth period: customers are alike.
        let rows: [&[(f64, f64, f64)]; 3] = [
            &[(1.0, 400.0, 0.0), (2.0, 200.0, 0.0), (3.0, 100.0, 100.0)],
            &[(1.0, 100.0, 0.0), (2.0, 200.0, 0.0), (3.0, 300.0, 100.0)],
            &[(5.0, 10.0, 0.0)],
        ];
        for rows in rows {
            assert!(
                matches!(boundary(rows), Outcome::Boundary { upwards: true, .. }),
                "{rows:?}: {:?}",
                boundary(rows)
            );
        }
        // Some leave at once, the others never.
        let polarised = boundary(&[(1.0, 400.0, 0.0), (9.0, 0.0, 600.0)]);
        assert!(matches!(polarised, Outcome::Boundary { upwards: false, .. }), "{polarised:?}");
    }

    fn any_tenures() -> impl Strategy<Value = Vec<Tenure>> {
        proptest::collection::btree_map(1u32..60, (0u32..50, 0u32..50), 1..12).prop_map(|map| {
            let tenure = |(periods, (churned, staying)): (u32, (u32, u32))| Tenure {
                periods: f64::from(periods),
                churned: f64::from(churned),
                staying: f64::from(staying),
            };
            map.into_iter().map(tenure).collect()
        })
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_the_value(tenures in any_tenures(), a in -3.0f64..4.0, b in -3.0f64..5.0) {
            let likelihood = Likelihood::new(&tenures);
            let here = likelihood.evaluate(&[a, b]);
            let scale = here.value.abs().max(1.0);
            for i in 0..2 {
                let moved = |by: f64| likelihood.evaluate(&if i == 0 { [a + by, b] } else { [a, b + by] });
                let (up, down) = (moved(1e-4), moved(-1e-4));
                let gradient = (up.value - down.value) / 2e-4;
                prop_assert!((gradient - here.gradient[i]).abs() < 1e-6 * scale, "{gradient} {:?}", here.gradient);
                for j in 0..2 {
                    let curvature = (up.gradient[j] - down.gradient[j]) / 2e-4;
                    prop_assert!((curvature - here.hessian[i][j]).abs() < 1e-6 * scale, "{curvature} {here:?}");
                }
            }
        }

        #[test]
        fn a_search_always_ends_with_a_word(tenures in any_tenures()) {
            let likelihood = Likelihood::new(&tenures);
            if likelihood.unidentified().is_none() {
                let end = likelihood.maximum().unwrap();
                prop_assert!(end.outcome != Outcome::NotConverged, "{end:?}");
            }
        }

        #[test]
        fn shares_fall_and_rates_rise(alpha in 0.01f64..50.0, beta in 0.01f64..50.0) {
            let model = ShiftedBetaGeometric { alpha, beta };
            prop_assert_eq!(model.survival(0.0), 1.0);
            for t in 1..40 {
                let t = f64::from(t);
                prop_assert!(model.survival(t) < model.survival(t - 1.0));
                prop_assert!(model.retention_rate(t + 1.0) > model.retention_rate(t));
                let quotient = model.survival(t) / model.survival(t - 1.0);
                prop_assert!((quotient - model.retention_rate(t)).abs() < 1e-12);
            }
            let logs = ln_beta(alpha, beta + 1500.0) - ln_beta(alpha, beta);
            prop_assert!((model.survival(1500.0).ln() - logs).abs() < 1e-9);
            prop_assert!(model.survival(1000.0) > model.survival(1001.0));
        }

        #[test]
        fn for_ever_is_the_sum_of_all_periods(
            alpha in 0.05f64..20.0,
            beta in 0.05f64..200.0,
            tenure in 0u32..50,
            rate in 1e-4f64..1.0,
        ) {
            let model = ShiftedBetaGeometric { alpha, beta };
            let discount = 1.0 / (1.0 + rate);
            let ever = model.residual_lifetime(f64::from(tenure), discount, f64::INFINITY);
            let sum = model.residual_lifetime(f64::from(tenure), discount, 1e6);
            prop_assert!((ever - sum).abs() < 1e-9 * sum, "{ever} {sum}");
        }
    }
}
