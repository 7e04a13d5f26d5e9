//! What a fitted BG/NBD or MBG/NBD model says of a customer.
//!
//! Given the history, a customer who is still one buys at a rate that is gamma(r + x, alpha + T) distributed and drops
//! out after a purchase with a probability p that is beta(a, b + x + m) distributed, m as in [`super::geometric`];
//! so every prediction is one over these two, times the probability of still being a customer.

use super::discounting::discounted;
use super::geometric::DropOut;
use super::hypergeometric::{ln_one_plus_exp, ln_trapezoidal};
use super::numeric::ln_beta;
use super::{History, PurchaseModel};

/// BG/NBD or MBG/NBD with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeometricModel {
    drop_out: DropOut,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

impl GeometricModel {
    /// With the parameters r, alpha, a, b, all more than 0.
    pub fn new(drop_out: DropOut, [r, alpha, a, b]: [f64; 4]) -> Self {
        GeometricModel { drop_out, r, alpha, a, b }
    }
}

impl PurchaseModel for GeometricModel {
    /// Fader, Hardie and Lee (2008), "Computing P(alive) using the BG/NBD model"; Batislam et al. (2007), equation 8.
    fn p_alive(&self, history: History) -> f64 {
        let chances = history.frequency + self.drop_out.before_repeats();
        if chances == 0.0 {
            return 1.0;
        }
        let silence = (history.age - history.recency) / (self.alpha + history.recency);
        let ln_odds = (self.a / (self.b + chances - 1.0)).ln() + (self.r + history.frequency) * silence.ln_1p();
        1.0 / (1.0 + ln_odds.exp())
    }

    /// Fader, Hardie and Lee (2005), equation 10.
    fn expected_purchases(&self, history: History, horizon: f64) -> f64 {
        self.p_alive(history) * self.expected_if_alive(history.frequency, history.age, horizon)
    }

    /// Fader, Hardie and Lee (2005), equation 9; of MBG/NBD, a customer stays after the first purchase with
    /// probability b / (a + b), and p is then beta(a, b + 1) distributed.
    fn expected_purchases_new(&self, horizon: f64) -> f64 {
        let chances = self.drop_out.before_repeats();
        let stays = if chances > 0.0 { self.b / (self.a + self.b) } else { 1.0 };
        stays * purchases_before_drop_out(self.r, horizon / self.alpha, self.a, self.b + chances)
    }

    /// One who is still a customer buys nothing with probability `((alpha + T) / (alpha + T + t))^(r + x)`.
    fn p_no_purchase(&self, history: History, horizon: f64) -> f64 {
        let silent = (self.r + history.frequency) * (horizon / (self.alpha + history.age)).ln_1p();
        1.0 + self.p_alive(history) * (-silent).exp_m1()
    }

    fn expected_if_alive(&self, frequency: f64, age: f64, horizon: f64) -> f64 {
        let chances = frequency + self.drop_out.before_repeats();
        purchases_before_drop_out(self.r + frequency, horizon / (self.alpha + age), self.a, self.b + chances)
    }

    fn discounted_expected_purchases(&self, history: History, horizon: f64, rate: f64) -> f64 {
        let expected = |time: f64| self.expected_if_alive(history.frequency, history.age, time);
        self.p_alive(history) * discounted(expected, self.alpha + history.age, horizon, rate)
    }
}

/// Up to this share the sum over counts of purchases is short.
const SUM_UP_TO: f64 = 0.8;

/// Expected purchases within the time `time` of one who buys at a rate that is gamma(shape, 1) distributed and stops
/// after a purchase with a probability p that is beta(a, b) distributed: `E[(1 - (1 + p t)^-shape) / p]`.
///
/// The closed form `(a + b - 1) / (a - 1) [1 - (1 - z)^shape 2F1(shape, b; a + b - 1; z)]` with z = t / (1 + t) has
/// singularities at a = 1 and a + b = 1 where nothing happens; both forms here add positive numbers only.
fn purchases_before_drop_out(shape: f64, time: f64, a: f64, b: f64) -> f64 {
    if time <= 0.0 {
        return 0.0;
    }
    if time.is_infinite() {
        return if a > 1.0 { (a + b - 1.0) / (a - 1.0) } else { f64::INFINITY };
    }
    let (z, ln_none) = (time / (1.0 + time), -shape * time.ln_1p());
    if z <= SUM_UP_TO && ln_none > -600.0 {
        sum_over_counts(shape, z, ln_none.exp(), a, b)
    } else {
        integral_over_drop_out(shape, time, a, b)
    }
}

/// Without a drop-out there are k purchases with the probability of the negative binomial distribution; of those the
/// j-th (from 0) is still made with probability `E[(1 - p)^j] = (b)_j / (a + b)_j`.
fn sum_over_counts(shape: f64, z: f64, none: f64, a: f64, b: f64) -> f64 {
    let (mut probability, mut made, mut still, mut sum, mut k) = (none, 0.0, 1.0, 0.0, 0.0);
    loop {
        let ratio = z * (shape + k) / (k + 1.0);
        probability *= ratio;
        made += still;
        still *= (b + k) / (a + b + k);
        k += 1.0;
        let term = probability * made;
        sum += term;
        let rest = f64::max(ratio, z);
        // Not less but at most: of next to no time both sides are 0.
        if rest < 1.0 && term <= 1e-16 * sum * (1.0 - rest) * (1.0 - rest) {
            return sum;
        }
    }
}

/// The mean over p by the trapezoidal rule in the logit of p.
///
/// Where `a` is small most customers hardly ever drop out, and the integrand has a tail as long as 1/a: there the mean
/// is taken of what drop-out costs, compared with p = 0, which has no such tail.
fn integral_over_drop_out(shape: f64, time: f64, a: f64, b: f64) -> f64 {
    if a < SMALL {
        return (shape * time - mean_cost_of_drop_out(shape, time, a, b)).max(0.0);
    }
    let ln_integrand = |y: f64| {
        let (ln_p, ln_rest) = (-ln_one_plus_exp(-y), -ln_one_plus_exp(y));
        let bought = -(-shape * (ln_p.exp() * time).ln_1p()).exp_m1();
        (a - 1.0) * ln_p + b * ln_rest + bought.ln()
    };
    (ln_trapezoidal(ln_integrand, b) - ln_beta(a, b)).exp()
}

/// Below this `a` the cost of drop-out is integrated.
const SMALL: f64 = 0.5;

/// The mean over p of `shape time - (1 - (1 + p time)^-shape) / p`, a sum of two positive parts over p:
/// `shape (u - ln(1 + u))` and `w - 1 + e^-w`, with u = p time and w = shape ln(1 + u).
fn mean_cost_of_drop_out(shape: f64, time: f64, a: f64, b: f64) -> f64 {
    let ln_integrand = |y: f64| {
        let (ln_p, ln_rest) = (-ln_one_plus_exp(-y), -ln_one_plus_exp(y));
        let u = ln_p.exp() * time;
        let cost = shape * beyond_logarithm(u) + beyond_exponential(shape * u.ln_1p());
        (a - 1.0) * ln_p + b * ln_rest + cost.ln()
    };
    (ln_trapezoidal(ln_integrand, b) - ln_beta(a, b)).exp()
}

/// `u - ln(1 + u)` for u of 0 or more.
fn beyond_logarithm(u: f64) -> f64 {
    if u > 0.1 {
        return u - u.ln_1p();
    }
    // Σ (-1)^k u^k / k from k = 2; the first term left out is less than 1e-17 of the first.
    (2..=17).rev().fold(0.0, |sum, k| 1.0 / f64::from(k) - u * sum) * u * u
}

/// `w - 1 + e^-w` for w of 0 or more.
fn beyond_exponential(w: f64) -> f64 {
    if w > 0.1 {
        return w + (-w).exp_m1();
    }
    // Σ (-1)^k w^k / k! from k = 2.
    (3..=12).rev().fold(1.0, |sum, k| 1.0 - w / f64::from(k) * sum) * w * w / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() <= within * (1.0 + expected.abs()), "{value} is not {expected}");
    }

    fn bg() -> GeometricModel {
        GeometricModel::new(DropOut::AfterRepeat, [0.242_593, 4.413_532, 0.792_926, 2.425_89])
    }

    fn mbg() -> GeometricModel {
        GeometricModel::new(DropOut::AfterAny, [0.524_8, 6.183_1, 0.891_4, 1.614_0])
    }

    /// Published: METRICS section 4, by the R package CLVTools and the authors' spreadsheet.
    #[test]
    fn the_heavy_buyer_of_cdnow() {
        let history = History { frequency: 26.0, recency: 30.857_143, age: 31.0 };
        near(bg().p_alive(history), 0.968_852, 2e-6);
        near(bg().expected_purchases(history, 52.0), 25.757, 1e-3);
    }

    /// Both forms against each other, and against the closed form where that is regular.
    #[test]
    fn sum_and_integral_agree() {
        for (shape, time, a, b) in
            [(0.24, 0.3, 0.79, 2.4), (27.2, 1.5, 0.79, 29.4), (3.0, 3.9, 1.0, 0.2), (0.5, 2.0, 4.0, 1e-4)]
        {
            let z = time / (1.0 + time);
            let sum = sum_over_counts(shape, z, (1.0 + time).powf(-shape), a, b);
            near(integral_over_drop_out(shape, time, a, b), sum, 1e-12);
            if a + b > 1.0 && a != 1.0 {
                let series = crate::models::closed_form::ln_hypergeometric(shape, b, a + b - 1.0, z);
                let closed = (a + b - 1.0) / (a - 1.0) * (1.0 - (1.0 - z).powf(shape) * series.exp());
                near(sum, closed, 1e-11);
            }
        }
    }

    /// Next to no drop-out: against the sum where that is short, and against the limit of none at all.
    #[test]
    fn hardly_any_drop_out_is_as_exact() {
        for (shape, time, a, b) in
            [(0.83, 3.9, 0.003, 6.75), (5.0, 2.0, 0.49, 0.1), (0.5, 0.2, 1e-4, 2.0), (2.0, 3.0, 0.2, 1e-4)]
        {
            let z = time / (1.0 + time);
            let sum = sum_over_counts(shape, z, (1.0f64 + time).powf(-shape), a, b);
            near(integral_over_drop_out(shape, time, a, b), sum, 1e-12);
        }
        near(integral_over_drop_out(0.8, 400.0, 1e-9, 5.0), 320.0, 1e-6);
        for (a, b) in [(SMALL * 0.999_999_9, 3.0), (SMALL * 0.999_999_9, 0.05)] {
            near(integral_over_drop_out(2.0, 900.0, a, b), integral_over_drop_out(2.0, 900.0, SMALL, b), 1e-6);
        }
    }

    /// Individual behaviour integrated over the distributions of rate and drop-out, on a grid of both.
    fn brute(model: &GeometricModel, history: History, what: impl Fn(f64, f64) -> f64) -> f64 {
        let History { frequency: x, recency, age } = history;
        let (mut alive, mut all) = (0.0, 0.0);
        for i in -700..100 {
            let ln_rate = f64::from(i) * 0.2;
            let rate = ln_rate.exp();
            let gamma = (model.r * ln_rate - model.alpha * rate).exp();
            for j in -300..300 {
                let p = 1.0 / (1.0 + (-f64::from(j) * 0.2f64).exp());
                let q = 1.0 / (1.0 + (f64::from(j) * 0.2f64).exp());
                let density = gamma * p.powf(model.a) * q.powf(model.b) * rate.powf(x);
                let m = model.drop_out.before_repeats();
                let stayed = density * q.powf(x + m) * (-rate * age).exp();
                let left = if x + m > 0.0 { density * p * q.powf(x + m - 1.0) * (-rate * recency).exp() } else { 0.0 };
                alive += stayed * what(rate, p);
                all += stayed + left;
            }
        }
        alive / all
    }

    #[test]
    fn predictions_are_those_of_brute_force() {
        for model in [bg(), mbg()] {
            for (frequency, recency, age) in [(0.0, 0.0, 30.0), (2.0, 10.0, 38.0), (7.0, 30.0, 33.0)] {
                let history = History { frequency, recency, age };
                near(model.p_alive(history), brute(&model, history, |_, _| 1.0), 1e-9);
                let bought = |t: f64| move |rate: f64, p: f64| -(-rate * p * t).exp_m1() / p;
                near(model.expected_purchases(history, 39.0), brute(&model, history, bought(39.0)), 1e-8);
                near(model.expected_purchases(history, 3900.0), brute(&model, history, bought(3900.0)), 1e-8);
                let some = brute(&model, history, |rate, _| -(-rate * 20.0).exp_m1());
                near(model.p_no_purchase(history, 20.0), 1.0 - some, 1e-9);
                // A customer's stream is worth rate / (rate p + discount) for ever.
                let value = brute(&model, history, |rate, p| rate / (rate * p + 0.01));
                near(model.discounted_expected_purchases(history, f64::INFINITY, 0.01), value, 1e-8);
            }
        }
    }

    #[test]
    fn next_to_no_time_is_next_to_no_purchase() {
        let history = History { frequency: 2.0, recency: 5.0, age: 9.0 };
        for horizon in [0.0, 5e-324, 1e-310, 1e-300] {
            assert!(bg().expected_purchases(history, horizon) <= horizon);
        }
    }

    /// With no past (first bought on the last day) the scale of time is that of the model, however long the future.
    #[test]
    fn a_customer_of_today_is_discounted_as_exactly() {
        let model = GeometricModel::new(DropOut::AfterRepeat, [0.24, 0.05, 0.79, 2.4]);
        let value = |age: f64| {
            model.discounted_expected_purchases(History { frequency: 0.0, recency: 0.0, age }, f64::INFINITY, 1.9e-4)
        };
        // By mpmath: the integral of e^(-rate t) E(t) over t, 30 digits.
        near(value(0.0), 39.806_381_814_257_49, 1e-11);
        near(value(1e-9), value(0.0), 1e-7);
    }

    /// A new customer is one without a past; of MBG/NBD one who may already be gone.
    #[test]
    fn a_new_customer_is_one_without_a_past() {
        for model in [bg(), mbg()] {
            let now = History { frequency: 0.0, recency: 0.0, age: 0.0 };
            near(model.expected_purchases_new(52.0), model.expected_purchases(now, 52.0), 1e-12);
        }
    }

    #[test]
    fn for_ever_is_the_limit_of_long() {
        let model = GeometricModel::new(DropOut::AfterRepeat, [0.5, 4.0, 2.5, 3.0]);
        let history = History { frequency: 3.0, recency: 20.0, age: 30.0 };
        near(model.expected_purchases(history, 1e9), model.expected_purchases(history, f64::INFINITY), 1e-4);
        assert!(bg().expected_purchases(history, f64::INFINITY).is_infinite());
    }
}
