//! The Pareto/NBD model: likelihood and predictions.
//!
//! While alive a customer buys at random at a rate λ, gamma distributed over customers with shape `r` and rate
//! `alpha`; every customer drops out after an exponential time with a rate μ, gamma distributed with shape `s` and
//! rate `beta`. Schmittlein, Morrison and Colombo (1987), Management Science 33, 1-24.
//!
//! The likelihood of a customer (Fader and Hardie 2005, "A note on deriving the Pareto/NBD model", equations 18 to 20)
//! is mostly written with two hypergeometric functions, whose difference loses digits. Here it stays what it comes
//! from, the customer who is alive at T plus the one who dropped out at a time τ between t_x and T:
//!
//! ```text
//! L = Γ(r+x)/Γ(r) α^-x [ a(T)^(r+x) b(T)^s + s/β ∫ a(τ)^(r+x) b(τ)^(s+1) dτ ],  a(τ) = α/(α+τ), b(τ) = β/(β+τ)
//! ```
//!
//! All terms are positive, derivatives go under the integral, and customers with the same x share it: one pass over
//! all times at which one of them was last seen or observed. The difference of two integrals from τ on is harmless,
//! since s/β times the integral from T to infinity is never more than the first term.

use super::jet::{Jet, LogSum, Slopes};
use super::numeric::{digamma, ln_gamma, trigamma};
use super::quadrature::{self, Steepness, integral};
use super::{Evaluation, History, Objective, PurchaseModel};
use std::ops::Range;

/// The likelihood of many customers. Time is best scaled to a mean age of about 10.
#[derive(Clone, Debug)]
pub struct Likelihood {
    groups: Vec<Group>,
    times: Vec<f64>,
    rows: Vec<Row>,
}

/// Customers with the same frequency.
#[derive(Clone, Debug)]
struct Group {
    frequency: f64,
    times: Range<usize>,
    rows: Range<usize>,
    customers: f64,
}

/// One history within its group: its recency and age as places among the times of the group.
#[derive(Clone, Copy, Debug)]
struct Row {
    recency: u32,
    age: u32,
    weight: f64,
}

impl Likelihood {
    /// The likelihood of histories, each with the count of customers that have it.
    pub fn new(histories: impl IntoIterator<Item = (History, f64)>) -> Likelihood {
        let mut all: Vec<_> = histories.into_iter().collect();
        let order = |h: &History| (h.frequency, h.recency, h.age);
        all.sort_by(|(a, _), (b, _)| {
            let ((ax, at, aa), (bx, bt, ba)) = (order(a), order(b));
            ax.total_cmp(&bx).then(at.total_cmp(&bt)).then(aa.total_cmp(&ba))
        });
        let mut built = Likelihood { groups: Vec::new(), times: Vec::new(), rows: Vec::with_capacity(all.len()) };
        for chunk in all.chunk_by(|(a, _), (b, _)| a.frequency == b.frequency) {
            built.add_group(chunk);
        }
        built
    }

    fn add_group(&mut self, histories: &[(History, f64)]) {
        let (times_from, rows_from) = (self.times.len(), self.rows.len());
        let mut times: Vec<f64> = histories.iter().flat_map(|(history, _)| [history.recency, history.age]).collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        let place = |time: f64| times.partition_point(|other| *other < time) as u32;
        for (history, weight) in histories {
            self.rows.push(Row { recency: place(history.recency), age: place(history.age), weight: *weight });
        }
        self.times.extend(&times);
        self.groups.push(Group {
            frequency: histories[0].0.frequency,
            times: times_from..self.times.len(),
            rows: rows_from..self.rows.len(),
            customers: histories.iter().map(|(_, weight)| weight).sum(),
        });
    }
}

impl Objective<4> for Likelihood {
    /// The logarithms of `r`, `alpha`, `s`, `beta`.
    fn evaluate(&self, log_parameters: &[f64; 4]) -> Evaluation<4> {
        let [r, alpha, s, beta] = log_parameters.map(f64::exp);
        let parameters = ParetoNbd { r, alpha, s, beta };
        let mut total = LogSum::default();
        let mut rising = Rising::new(r);
        let mut points = Vec::new();
        let mut tails = Vec::new();
        for group in &self.groups {
            let x = group.frequency;
            rising.go_to(x);
            let slope = r * rising.first;
            let slopes = Slopes {
                first: [slope, -x, 0.0, 0.0],
                second: [slope + r * r * rising.second, 0.0, 0.0, 0.0, 0.0, 0.0],
            };
            total.add_term(group.customers, rising.ln - x * log_parameters[1], &slopes);
            let integrand = Integrand { shape: r + x, parameters };
            integrand.walk(&self.times[group.times.clone()], &mut points, &mut tails);
            for row in &self.rows[group.rows.clone()] {
                let (from, to) = (row.recency as usize, row.age as usize);
                let fall = (points[to].ln_value - points[from].ln_value).exp();
                let mut sum = tails[from];
                sum.add(-fall, &tails[to]);
                sum.add_term(fall * (1.0 + points[to].time / beta), &integrand.alive_slopes(&points[to]));
                sum.add_log(row.weight, points[from].ln_value, &mut total);
            }
        }
        total.evaluation()
    }
}

/// `a(τ)^(r+x) b(τ)^(s+1)` for one x.
#[derive(Clone, Copy, Debug)]
struct Integrand {
    /// r + x.
    shape: f64,
    parameters: ParetoNbd,
}

/// The integrand at a time.
#[derive(Clone, Copy, Debug)]
struct Point {
    time: f64,
    /// `-ln a`, `-ln b`.
    ln_a: f64,
    ln_b: f64,
    /// `1 - a`, `1 - b`.
    gone_a: f64,
    gone_b: f64,
    ln_value: f64,
}

impl Integrand {
    #[inline]
    fn at(&self, time: f64) -> Point {
        let ParetoNbd { alpha, s, beta, .. } = self.parameters;
        let (ln_a, ln_b) = ((1.0 + time / alpha).ln(), (1.0 + time / beta).ln());
        let ln_value = -self.shape * ln_a - (s + 1.0) * ln_b;
        Point { time, ln_a, ln_b, gone_a: time / (alpha + time), gone_b: time / (beta + time), ln_value }
    }

    fn steepness(&self, time: f64) -> Steepness {
        let ParetoNbd { alpha, s, beta, .. } = self.parameters;
        Steepness { fall: self.shape / (alpha + time) + (s + 1.0) / (beta + time), distance: alpha.min(beta) + time }
    }

    /// The integral from every time on to the last, times s/β, measured in the integrand at that time.
    fn walk(&self, times: &[f64], points: &mut Vec<Point>, tails: &mut Vec<Jet>) {
        points.clear();
        points.extend(times.iter().map(|time| self.at(*time)));
        tails.clear();
        tails.resize(times.len(), Jet::default());
        for place in (0..times.len().saturating_sub(1)).rev() {
            let (here, next) = (points[place], points[place + 1]);
            let mut tail = tails[place + 1].times((next.ln_value - here.ln_value).exp());
            self.add_integral(here, next.time, &mut tail);
            tails[place] = tail;
        }
    }

    fn add_integral(&self, from: Point, to: f64, sum: &mut Jet) {
        let ParetoNbd { s, beta, .. } = self.parameters;
        let mut at = from.time;
        while at < to {
            let (length, rule) = quadrature::panel(to - at, self.steepness(at));
            let mut last = 0.0;
            for (place, weight) in rule {
                let point = self.at(at + length * place);
                last = (point.ln_value - from.ln_value).exp();
                sum.add_term(s / beta * length * weight * last, &self.dead_slopes(&point));
            }
            if last < 1e-22 || at + length <= at {
                break;
            }
            at += length;
        }
    }

    /// Derivatives of `ln(a^(r+x) b^s)`.
    #[inline]
    fn alive_slopes(&self, point: &Point) -> Slopes {
        self.slopes(point, self.parameters.s, 0.0)
    }

    /// Derivatives of `ln(s/β a^(r+x) b^(s+1))`.
    #[inline]
    fn dead_slopes(&self, point: &Point) -> Slopes {
        self.slopes(point, self.parameters.s + 1.0, 1.0)
    }

    #[inline]
    fn slopes(&self, point: &Point, exponent: f64, dead: f64) -> Slopes {
        let ParetoNbd { r, s, .. } = self.parameters;
        let Point { ln_a, ln_b, gone_a, gone_b, .. } = *point;
        Slopes {
            first: [-r * ln_a, self.shape * gone_a, dead - s * ln_b, exponent * gone_b - dead],
            second: [
                -r * ln_a,
                r * gone_a,
                -self.shape * gone_a * (1.0 - gone_a),
                -s * ln_b,
                s * gone_b,
                -exponent * gone_b * (1.0 - gone_b),
            ],
        }
    }
}

/// The parameters of a fitted model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParetoNbd {
    /// Shape of the rates of buying.
    pub r: f64,
    /// Rate of the rates of buying, a time.
    pub alpha: f64,
    /// Shape of the rates of drop-out.
    pub s: f64,
    /// Rate of the rates of drop-out, a time.
    pub beta: f64,
}

impl ParetoNbd {
    /// From `r`, `alpha`, `s`, `beta`.
    pub fn new([r, alpha, s, beta]: [f64; 4]) -> ParetoNbd {
        ParetoNbd { r, alpha, s, beta }
    }

    /// What is known of a customer with this history who is still alive: again a new customer of such a model.
    fn alive(&self, history: History) -> ParetoNbd {
        ParetoNbd {
            r: self.r + history.frequency,
            alpha: self.alpha + history.age,
            s: self.s,
            beta: self.beta + history.age,
        }
    }

    /// Of a new customer without a purchase until `to`: the chance to have dropped out after `from`, divided by the
    /// chance to be alive at `to`.
    fn dead_by_alive(&self, from: f64, to: f64) -> f64 {
        let integrand = Integrand { shape: self.r, parameters: *self };
        let end = integrand.at(to);
        let start = integrand.at(from);
        let ln_value = |time: f64| {
            -self.r * ((self.alpha + time) / (self.alpha + from)).ln()
                - (self.s + 1.0) * ((self.beta + time) / (self.beta + from)).ln()
        };
        let dead = integral(from, to, 0.0, ln_value, |time| integrand.steepness(time));
        self.s / (self.beta + to) * dead * (start.ln_value - end.ln_value).exp()
    }

    /// The chance of no purchase of a new customer within `horizon`.
    fn no_purchase_new(&self, horizon: f64) -> f64 {
        // After so long only the powers of time count, whose integral is known.
        let far = 1e12 * (self.alpha.max(self.beta) + 1.0);
        let integrand = Integrand { shape: self.r, parameters: *self };
        let upto = horizon.min(far);
        let dead = integral(0.0, upto, 0.0, |time| integrand.at(time).ln_value, |time| integrand.steepness(time));
        let end = integrand.at(upto);
        let alive = (end.ln_value + end.ln_b).exp();
        let never = if horizon > far { alive * self.s / (self.r + self.s) } else { alive };
        (self.s / self.beta * dead + never).min(1.0)
    }
}

impl PurchaseModel for ParetoNbd {
    /// Fader and Hardie (2005), "A note on deriving", equations 36 and 37.
    fn p_alive(&self, history: History) -> f64 {
        let shape = ParetoNbd { r: self.r + history.frequency, ..*self };
        1.0 / (1.0 + shape.dead_by_alive(history.recency, history.age))
    }

    /// Fader and Hardie (2005), "A note on deriving", equation 41.
    fn expected_purchases(&self, history: History, horizon: f64) -> f64 {
        self.p_alive(history) * self.expected_if_alive(history.frequency, history.age, horizon)
    }

    fn expected_if_alive(&self, frequency: f64, age: f64, horizon: f64) -> f64 {
        self.alive(History { frequency, recency: age, age }).expected_purchases_new(horizon)
    }

    /// Fader and Hardie (2005), "A note on deriving", equation 27: r/α times the expected time alive in `horizon`.
    fn expected_purchases_new(&self, horizon: f64) -> f64 {
        let exponent = self.s - 1.0;
        let ln_b = (horizon / self.beta).ln_1p();
        let time = if exponent == 0.0 { ln_b } else { -(-exponent * ln_b).exp_m1() / exponent };
        self.r / self.alpha * self.beta * time
    }

    /// Fader and Hardie (2014), "Deriving the conditional PMF of the Pareto/NBD model", equation 16 at 0.
    fn p_no_purchase(&self, history: History, horizon: f64) -> f64 {
        let alive = self.p_alive(history);
        1.0 - alive + alive * self.alive(history).no_purchase_new(horizon)
    }

    /// Fader, Hardie and Lee (2005), "RFM and CLV: using iso-value curves", DET, before the integral over time
    /// is written as a confluent hypergeometric function: so it serves a finite horizon too.
    fn discounted_expected_purchases(&self, history: History, horizon: f64, rate: f64) -> f64 {
        if rate == 0.0 {
            return self.expected_purchases(history, horizon);
        }
        if rate < 0.0 && horizon.is_infinite() {
            return f64::INFINITY;
        }
        let alive = self.alive(history);
        let ln_value = |time: f64| -rate * time - alive.s * (1.0 + time / alive.beta).ln();
        let steepness = |time: f64| {
            let fall = (rate + alive.s / (alive.beta + time)).abs();
            Steepness { fall, distance: alive.beta + time }
        };
        // Beyond, less than a double can hold is left.
        let end = if rate > 0.0 { horizon.min(750.0 / rate) } else { horizon };
        let time = integral(0.0, end, 0.0, ln_value, steepness);
        self.p_alive(history) * alive.r / alive.alpha * time
    }
}

/// `ln Γ(r+x)/Γ(r)` and its derivatives by r, for rising x: sums over the purchases, without the cancelling of
/// gamma functions of a large r.
struct Rising {
    r: f64,
    x: f64,
    ln: f64,
    first: f64,
    second: f64,
}

impl Rising {
    fn new(r: f64) -> Rising {
        Rising { r, x: 0.0, ln: 0.0, first: 0.0, second: 0.0 }
    }

    fn go_to(&mut self, x: f64) {
        if x - self.x > 10_000.0 {
            self.ln = ln_gamma(self.r + x) - ln_gamma(self.r);
            self.first = digamma(self.r + x) - digamma(self.r);
            self.second = trigamma(self.r + x) - trigamma(self.r);
            self.x = x;
        }
        while self.x < x {
            let factor = self.r + self.x;
            self.ln += factor.ln();
            self.first += 1.0 / factor;
            self.second -= 1.0 / (factor * factor);
            self.x += 1.0;
        }
    }
}

/// Points to begin the search at: logarithms of parameters for customers who buy `rate` times per unit of time, in a
/// time scaled to a mean age of 10.
pub fn starts(rate: f64) -> [[f64; 4]; 4] {
    let start = |r: f64, longer: f64, s: f64, beta: f64| [r, r / (rate * longer), s, beta].map(f64::ln);
    [start(0.6, 2.0, 0.6, 5.0), start(1.0, 1.2, 1.0, 20.0), start(3.0, 1.5, 3.0, 30.0), start(0.3, 1.1, 0.2, 10.0)]
}

#[cfg(test)]
mod tests;
