//! The BG/BB model: likelihood and predictions.
//!
//! There are opportunities (years, campaigns, visits). At each a customer who is alive buys with probability p, beta
//! distributed over customers with `alpha` and `beta`, and before each drops out with probability θ, beta distributed
//! with `gamma` and `delta`. Fader, Hardie and Shang (2010), "Customer-Base Analysis in a Discrete-Time Noncontractual
//! Setting", Marketing Science 29, 1086-1108.
//!
//! The likelihood of x purchases, the last at opportunity t_x of n, with rising factorials
//! `(p)k = p (p+1) ... (p+k-1)` in place of beta functions, so that no digits cancel:
//!
//! ```text
//! L = (α)x (β)n-x / (α+β)n · (δ)n / (γ+δ)n + Σ_j (α)x (β)j-x / (α+β)j · γ (δ)j / (γ+δ)j+1,  j = t_x ... n-1
//! ```
//!
//! The terms of the sum depend on x and j only: customers with the same x share them.

use super::hypergeometric::{hypergeometric_with_one, ln_rising};
use super::jet::{Jet, LogSum, Slopes};
use super::numeric::digamma;
use super::{Evaluation, History, Objective, PurchaseModel};

/// The likelihood of many customers.
#[derive(Clone, Debug)]
pub struct Likelihood {
    /// Sorted by frequency, recency, opportunities, with weights.
    rows: Vec<(History, f64)>,
    opportunities: usize,
}

impl Likelihood {
    /// The likelihood of histories, each with the count of customers that have it; all numbers are whole.
    pub fn new(histories: impl IntoIterator<Item = (History, f64)>) -> Likelihood {
        let mut rows: Vec<_> = histories.into_iter().collect();
        rows.sort_by(|(a, _), (b, _)| {
            let order = a.frequency.total_cmp(&b.frequency).then(a.recency.total_cmp(&b.recency));
            order.then(a.age.total_cmp(&b.age))
        });
        let opportunities = rows.iter().fold(0, |max, (history, _)| max.max(history.age as usize));
        Likelihood { rows, opportunities }
    }
}

impl Objective<4> for Likelihood {
    /// The logarithms of `alpha`, `beta`, `gamma`, `delta`.
    fn evaluate(&self, log_parameters: &[f64; 4]) -> Evaluation<4> {
        let model = BgBb::new(log_parameters.map(f64::exp));
        let tables = Tables::new(model, self.opportunities);
        let mut total = LogSum::default();
        let mut tails: Vec<(f64, Jet)> = Vec::new();
        for group in self.rows.chunk_by(|(a, _), (b, _)| a.frequency == b.frequency) {
            let x = group[0].0.frequency as usize;
            let first = group[0].0.recency as usize;
            let end = group.iter().fold(first, |max, (history, _)| max.max(history.age as usize));
            tables.walk(x, first..end, &mut tails);
            for (history, weight) in group {
                let (t_x, n) = (history.recency as usize, history.age as usize);
                let (unit, mut sum) = tails[t_x - first];
                let (last_unit, last) = &tails[n - first];
                sum.add(-(last_unit - unit).exp(), last);
                let (ln_alive, slopes) = tables.alive(x, n);
                sum.add_term((ln_alive - unit).exp(), &slopes);
                sum.add_log(*weight, unit, &mut total);
            }
        }
        total.evaluation()
    }
}

/// Rising factorials of the parameters and their derivatives.
struct Tables {
    model: BgBb,
    alpha: Vec<Factorial>,
    beta: Vec<Factorial>,
    alpha_beta: Vec<Factorial>,
    delta: Vec<Factorial>,
    gamma_delta: Vec<Factorial>,
}

/// `ln (p)k`, and its first and second derivative by p.
#[derive(Clone, Copy, Debug, Default)]
struct Factorial {
    ln: f64,
    first: f64,
    second: f64,
}

fn rising(p: f64, upto: usize) -> Vec<Factorial> {
    let mut table = Vec::with_capacity(upto + 1);
    let mut last = Factorial::default();
    table.push(last);
    for k in 0..upto {
        let factor = p + k as f64;
        last.ln += factor.ln();
        last.first += 1.0 / factor;
        last.second -= 1.0 / (factor * factor);
        table.push(last);
    }
    table
}

/// Derivatives of `ln (p)i (q)j / (p+q)k` by ln p and ln q: two first, three second.
fn pair((p, i): (f64, Factorial), (q, j): (f64, Factorial), k: Factorial) -> ([f64; 2], [f64; 3]) {
    let first = [p * (i.first - k.first), q * (j.first - k.first)];
    let second =
        [first[0] + p * p * (i.second - k.second), -p * q * k.second, first[1] + q * q * (j.second - k.second)];
    (first, second)
}

impl Tables {
    fn new(model: BgBb, upto: usize) -> Tables {
        let BgBb { alpha, beta, gamma, delta } = model;
        Tables {
            model,
            alpha: rising(alpha, upto),
            beta: rising(beta, upto),
            alpha_beta: rising(alpha + beta, upto),
            delta: rising(delta, upto),
            gamma_delta: rising(gamma + delta, upto + 1),
        }
    }

    /// x purchases at n opportunities and still alive.
    fn alive(&self, x: usize, n: usize) -> (f64, Slopes) {
        self.term(x, n, n, Factorial::default())
    }

    /// x purchases at j opportunities, dropped out before the next.
    fn dead(&self, x: usize, j: usize) -> (f64, Slopes) {
        let gamma = self.model.gamma;
        self.term(x, j, j + 1, Factorial { ln: gamma.ln(), first: 1.0 / gamma, second: -1.0 / (gamma * gamma) })
    }

    fn term(&self, x: usize, j: usize, k: usize, of_gamma: Factorial) -> (f64, Slopes) {
        let BgBb { alpha, beta, gamma, delta } = self.model;
        let (bought, not, all) = (self.alpha[x], self.beta[j - x], self.alpha_beta[j]);
        let (stayed, both) = (self.delta[j], self.gamma_delta[k]);
        let (f, s) = pair((alpha, bought), (beta, not), all);
        let (g, t) = pair((gamma, of_gamma), (delta, stayed), both);
        let ln = bought.ln + not.ln - all.ln + of_gamma.ln + stayed.ln - both.ln;
        (ln, Slopes { first: [f[0], f[1], g[0], g[1]], second: [s[0], s[1], s[2], t[0], t[1], t[2]] })
    }

    /// The sum of the dead from every j of the range on, each with the logarithm of the unit it is measured in; and
    /// an empty sum for the end.
    fn walk(&self, x: usize, range: std::ops::Range<usize>, tails: &mut Vec<(f64, Jet)>) {
        tails.clear();
        let mut last = (f64::NEG_INFINITY, Jet::default());
        tails.push((self.alive(x, range.end).0, Jet::default()));
        for j in range.rev() {
            let (ln, slopes) = self.dead(x, j);
            let mut sum = last.1.times((last.0 - ln).exp());
            sum.add_term(1.0, &slopes);
            last = (ln, sum);
            tails.push(last);
        }
        tails.reverse();
    }
}

/// The parameters of a fitted model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BgBb {
    /// Of the chance to buy at an opportunity.
    pub alpha: f64,
    /// Of the chance to buy at an opportunity.
    pub beta: f64,
    /// Of the chance to drop out before an opportunity.
    pub gamma: f64,
    /// Of the chance to drop out before an opportunity.
    pub delta: f64,
}

/// Opportunities up to this one are added one by one; the rest has a closed form.
const ONE_BY_ONE: f64 = 1000.0;

/// After this number of opportunities without a purchase, a customer drops out before the next one with probability
/// `gamma / (alpha + gamma)`, but for a hundred-thousandth.
const FAR: f64 = 100_000.0;

impl BgBb {
    /// From `alpha`, `beta`, `gamma`, `delta`.
    pub fn new([alpha, beta, gamma, delta]: [f64; 4]) -> BgBb {
        BgBb { alpha, beta, gamma, delta }
    }

    /// What is known of a customer with this history who was alive at the last opportunity: again a new customer of
    /// such a model.
    fn alive(&self, history: History) -> BgBb {
        BgBb {
            alpha: self.alpha + history.frequency,
            beta: self.beta + history.age - history.frequency,
            gamma: self.gamma,
            delta: self.delta + history.age,
        }
    }

    /// Of a new customer: the chances to drop out before opportunity 1, 2, ... `steps` without a purchase before, and
    /// the chance to be alive at opportunity `steps` without a purchase.
    fn silent(&self, steps: f64) -> (f64, f64) {
        let BgBb { alpha, beta, gamma, delta } = *self;
        let (mut dead, mut alive, mut step) = (0.0, 1.0, 0.0);
        while step < steps.min(FAR) && alive > 1e-18 * dead {
            dead += alive * gamma / (gamma + delta + step);
            alive *= (beta + step) / (alpha + beta + step) * (delta + step) / (gamma + delta + step);
            step += 1.0;
        }
        if step < FAR || step == steps {
            return (dead, alive);
        }
        let left = steps - step;
        let ratio = |below: f64, above: f64| (ln_rising(below + step, left) - ln_rising(above + step, left)).exp();
        let share = if left.is_infinite() { 0.0 } else { ratio(beta, alpha + beta) * ratio(delta, gamma + delta) };
        (dead + alive * (1.0 - share) * gamma / (alpha + gamma), alive * share)
    }

    /// The chance that the customer was alive at the last opportunity.
    fn p_alive_at_last(&self, history: History) -> f64 {
        let History { frequency, recency, age } = history;
        let until = BgBb {
            alpha: self.alpha + frequency,
            beta: self.beta + recency - frequency,
            gamma: self.gamma,
            delta: self.delta + recency,
        };
        let (dead, alive) = until.silent(age - recency);
        alive / (dead + alive)
    }

    /// The sum over opportunities 1 to `horizon` of the chance that a new customer is alive there, each discounted by
    /// `discount` to the power of its number.
    fn opportunities_alive(&self, horizon: f64, discount: f64) -> f64 {
        let both = self.gamma + self.delta;
        let (mut sum, mut term, mut step) = (0.0, 1.0, 0.0);
        while step < horizon.min(ONE_BY_ONE) && term > 0.0 {
            term *= discount * (self.delta + step) / (both + step);
            sum += term;
            step += 1.0;
        }
        let left = BgBb { delta: self.delta + step, ..*self };
        if step == horizon || term == 0.0 {
            sum
        } else if discount == 1.0 {
            sum + term * left.opportunities_alive_undiscounted(horizon - step)
        } else if discount > 1.0 {
            f64::INFINITY
        } else {
            let whole = left.discounted_for_ever(discount);
            if horizon.is_infinite() {
                return sum + term * whole;
            }
            let steps = horizon - step;
            let alive = (ln_rising(left.delta, steps) - ln_rising(left.gamma + left.delta, steps)).exp();
            let after = BgBb { delta: left.delta + steps, ..left };
            sum + term * (whole - alive * (steps * discount.ln()).exp() * after.discounted_for_ever(discount))
        }
    }

    /// The closed form of equation 13 without its first factors: `δ/(γ-1) (1 - (δ+1)h / (γ+δ)h)`.
    fn opportunities_alive_undiscounted(&self, horizon: f64) -> f64 {
        let exponent = self.gamma - 1.0;
        if horizon.is_infinite() {
            return if exponent > 0.0 { self.delta / exponent } else { f64::INFINITY };
        }
        let (near, far) = (self.delta + 1.0, self.delta + self.gamma);
        let middle = 0.5 * (near + far);
        // The ratio is 1 where gamma is: its slope in between.
        let ln = if exponent.abs() < 1e-4 {
            exponent * (digamma(middle) - digamma(middle + horizon))
        } else {
            ln_rising(near, horizon) - ln_rising(far, horizon)
        };
        if exponent == 0.0 {
            return self.delta * (digamma(middle + horizon) - digamma(middle));
        }
        -self.delta * ln.exp_m1() / exponent
    }

    /// `Σ v^i (δ)i / (γ+δ)i` over i = 1, 2, ...: `v δ/(γ+δ) 2F1(1, δ+1; γ+δ+1; v)`.
    fn discounted_for_ever(&self, v: f64) -> f64 {
        let (gamma, delta) = (self.gamma, self.delta);
        v * delta / (gamma + delta) * hypergeometric_with_one(delta + 1.0, gamma + delta + 1.0, v)
    }
}

impl PurchaseModel for BgBb {
    /// That the customer is alive at the next opportunity: equation A10 with m = 1.
    fn p_alive(&self, history: History) -> f64 {
        let next = (self.delta + history.age) / (self.gamma + self.delta + history.age);
        self.p_alive_at_last(history) * next
    }

    /// Equation 13; `horizon` is a whole number of opportunities.
    fn expected_purchases(&self, history: History, horizon: f64) -> f64 {
        self.p_alive_at_last(history) * self.alive(history).expected_purchases_new(horizon)
    }

    /// The mean of X(n), for n = `horizon`, a whole number of opportunities.
    fn expected_purchases_new(&self, horizon: f64) -> f64 {
        self.alpha / (self.alpha + self.beta) * self.opportunities_alive(horizon, 1.0)
    }

    /// The conditional distribution of X(n, n + n*) at 0; n*, the `horizon`, is a whole number of opportunities.
    fn p_no_purchase(&self, history: History, horizon: f64) -> f64 {
        let alive = self.p_alive_at_last(history);
        let (dead_later, alive_later) = self.alive(history).silent(horizon);
        (1.0 - alive + alive * (dead_later + alive_later)).min(1.0)
    }

    /// The discounted expected residual transactions of the paper; the purchase at the next opportunity is discounted
    /// once, by `exp(-rate)`. `rate` is not negative.
    fn discounted_expected_purchases(&self, history: History, horizon: f64, rate: f64) -> f64 {
        let alive = self.alive(history);
        let opportunities = alive.opportunities_alive(horizon, (-rate).exp());
        self.p_alive_at_last(history) * alive.alpha / (alive.alpha + alive.beta) * opportunities
    }
}

/// Points to begin the search at: logarithms of parameters for customers who buy at `share` of opportunities.
pub fn starts(share: f64) -> [[f64; 4]; 4] {
    let start = |all: f64, more: f64, gamma: f64, delta: f64| {
        let share = (share * more).clamp(0.01, 0.99);
        [all * share, all * (1.0 - share), gamma, delta].map(f64::ln)
    };
    [start(2.0, 1.3, 0.7, 3.0), start(1.0, 1.5, 1.0, 10.0), start(6.0, 1.2, 3.0, 12.0), start(0.5, 1.1, 0.2, 4.0)]
}

#[cfg(test)]
mod tests;
