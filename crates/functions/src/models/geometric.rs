//! The likelihood shared by BG/NBD and MBG/NBD: purchases at a rate that is gamma distributed over customers, and
//! after a purchase a drop-out with a probability that is beta distributed.
//!
//! The models differ in when a customer may drop out: after every repeat purchase, or from the first purchase on. With
//! m = 0 and 1 for them, the likelihood of (x, t_x, T) over parameters r, alpha, a, b is
//!
//! `Γ(r+x)/Γ(r) α^r B(a,b+x+m)/B(a,b) [(α+T)^-(r+x) + a/(b+x+m-1) (α+t_x)^-(r+x)]`, the second summand only where a
//! drop-out was possible (x + m > 0): Fader, Hardie and Lee (2005) equation 6; Batislam et al. (2007) equation 4.

use super::maximise::{Evaluation, Objective};
use super::numeric::{digamma, ln_gamma, trigamma};
use super::{History, Maximum, Outcome, maximise};
use hashbrown::HashMap;

/// Which of the two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropOut {
    /// BG/NBD: after a repeat purchase.
    AfterRepeat,
    /// MBG/NBD: after any purchase, the first too.
    AfterAny,
}

impl DropOut {
    /// How many chances to drop out come before the first repeat purchase.
    pub(crate) fn before_repeats(self) -> f64 {
        match self {
            DropOut::AfterRepeat => 0.0,
            DropOut::AfterAny => 1.0,
        }
    }
}

/// Customers with one count of repeat purchases.
#[derive(Clone, Copy, Debug)]
struct Run {
    x: f64,
    weight: f64,
    /// Where their cells end; they begin where those of the run before end.
    end: usize,
}

/// Customers seen for the same time.
#[derive(Clone, Copy, Debug)]
struct Age {
    time: f64,
    weight: f64,
    /// The sum of their repeat purchases.
    repeats: f64,
}

/// A distinct history, by the numbers of its times.
#[derive(Clone, Copy, Debug)]
struct Cell {
    recency: u32,
    age: u32,
    weight: f64,
}

/// The log-likelihood of distinct histories over (ln r, ln alpha, ln a, ln b).
#[derive(Clone, Debug)]
pub struct Likelihood {
    drop_out: DropOut,
    runs: Vec<Run>,
    cells: Vec<Cell>,
    recencies: Vec<f64>,
    ages: Vec<Age>,
    weight: f64,
    repeats: f64,
}

impl Likelihood {
    /// Of histories in ascending order of frequency, with their weights; time is multiplied by `scale`.
    pub fn new(drop_out: DropOut, histories: impl Iterator<Item = (History, f64)>, scale: f64) -> Self {
        let mut this = Likelihood {
            drop_out,
            runs: Vec::new(),
            cells: Vec::with_capacity(histories.size_hint().0),
            recencies: Vec::new(),
            ages: Vec::new(),
            weight: 0.0,
            repeats: 0.0,
        };
        let (mut recencies, mut ages) = (Numbering::default(), Numbering::default());
        for (history, weight) in histories {
            let x = history.frequency;
            let age = ages.number(history.age);
            if age as usize == this.ages.len() {
                this.ages.push(Age { time: history.age * scale, weight: 0.0, repeats: 0.0 });
            }
            if this.runs.last().is_none_or(|run| run.x != x) {
                this.runs.push(Run { x, weight: 0.0, end: this.cells.len() });
            }
            if x + drop_out.before_repeats() > 0.0 {
                this.cells.push(Cell { recency: recencies.number(history.recency), age, weight });
            }
            if let Some(run) = this.runs.last_mut() {
                run.weight += weight;
                run.end = this.cells.len();
            }
            this.ages[age as usize].weight += weight;
            this.ages[age as usize].repeats += weight * x;
            this.weight += weight;
            this.repeats += weight * x;
        }
        this.recencies = recencies.values.iter().map(|time| time * scale).collect();
        this
    }

    /// Its maximum. `start` is a point near it, where one is known.
    pub fn maximum(&self, near: Option<[f64; 4]>) -> Option<Maximum<4>> {
        if let Some(near) = near
            && let Some(end) = maximise(self, &[near])
            && end.outcome == Outcome::Converged
        {
            return Some(end);
        }
        let time: f64 = self.ages.iter().map(|age| age.time * age.weight).sum();
        let rate = self.repeats / time;
        let start = |r: f64, faster: f64, a: f64, b: f64| [r.ln(), (r / (rate * faster)).ln(), a.ln(), b.ln()];
        maximise(self, &[start(0.5, 1.5, 0.7, 2.5), start(1.0, 1.0, 0.2, 4.0), start(3.0, 3.0, 1.0, 1.0)])
    }
}

/// A sample of every so many-th distinct history is enough to come near the maximum.
const SAMPLED: usize = 16;

/// Below this count of distinct histories a sample saves nothing.
const WORTH_A_SAMPLE: usize = 20_000;

/// The maximum of the likelihood of histories in ascending order of frequency, with their weights; time is multiplied
/// by `scale`. With many distinct histories a sample of them is asked first where to begin.
pub fn maximum(
    drop_out: DropOut,
    histories: impl ExactSizeIterator<Item = (History, f64)> + Clone,
    scale: f64,
) -> Option<Maximum<4>> {
    let mut near = None;
    if histories.len() >= WORTH_A_SAMPLE {
        let sample = Likelihood::new(drop_out, histories.clone().step_by(SAMPLED), scale);
        near = sample.maximum(None).map(|end| end.at);
    }
    Likelihood::new(drop_out, histories, scale).maximum(near)
}

/// Numbers distinct values in the order in which they come.
#[derive(Default)]
struct Numbering {
    numbers: HashMap<u64, u32>,
    values: Vec<f64>,
}

impl Numbering {
    fn number(&mut self, value: f64) -> u32 {
        *self.numbers.entry(value.to_bits()).or_insert_with(|| {
            self.values.push(value);
            // A fit of more distinct times than fit into 32 bits would not fit into memory.
            u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// Logarithm and reciprocal of alpha + t.
#[derive(Clone, Copy)]
struct Shifted {
    ln: f64,
    inverse: f64,
}

fn shifted(alpha: f64, time: f64) -> Shifted {
    Shifted { ln: (alpha + time).ln(), inverse: (alpha + time).recip() }
}

/// Sums over the cells of a run: of ln(1 + e^u), and of the probability p of having dropped out, and of p (1 - p),
/// times powers of the derivatives of u / (r + x).
#[derive(Default)]
struct Sums {
    value: f64,
    p: f64,
    pd: f64,
    pe: f64,
    pf: f64,
    v: f64,
    vd: f64,
    ve: f64,
    vdd: f64,
    vde: f64,
    vee: f64,
}

impl Objective<4> for Likelihood {
    fn evaluate(&self, log_parameters: &[f64; 4]) -> Evaluation<4> {
        let [r, alpha, a, b] = log_parameters.map(f64::exp);
        let mut sum = Sum { r, alpha, a, b, value: 0.0, gradient: [0.0; 4], hessian: [[0.0; 4]; 4] };
        let recencies: Vec<Shifted> = self.recencies.iter().map(|time| shifted(alpha, *time)).collect();
        let ages: Vec<Shifted> = self.ages.iter().map(|age| shifted(alpha, age.time)).collect();
        sum.rates(self.weight, log_parameters[1]);
        for (age, at) in self.ages.iter().zip(&ages) {
            sum.age(age, at);
        }
        let mut start = 0;
        for run in &self.runs {
            let chances = run.x + self.drop_out.before_repeats();
            sum.frequency(run, chances);
            if chances > 0.0 {
                let cells = &self.cells[start..run.end];
                sum.cells(run.x, chances, &cell_sums(cells, r + run.x, sum.odds(chances), &recencies, &ages));
            }
            start = run.end;
        }
        sum.in_logarithms()
    }
}

/// `odds` is a / (b + chances - 1), and u = ln odds + power (ln(alpha + T) - ln(alpha + t_x)).
fn cell_sums(cells: &[Cell], power: f64, odds: f64, recencies: &[Shifted], ages: &[Shifted]) -> Sums {
    let mut sums = Sums::default();
    let ln_odds = odds.ln();
    // One logarithm of a product of numbers up to 2 for so many histories as cannot overflow.
    for part in cells.chunks(1000) {
        let mut product = 1.0;
        for cell in part {
            let (t, age) = (recencies[cell.recency as usize], ages[cell.age as usize]);
            let d = age.ln - t.ln;
            let u = ln_odds + power * d;
            let small = (-u.abs()).exp();
            let larger = (1.0 + small).recip();
            let p = if u > 0.0 { larger } else { small * larger };
            if cell.weight == 1.0 {
                product *= 1.0 + small;
                sums.value += u.max(0.0);
            } else {
                sums.value += cell.weight * (u.max(0.0) + (1.0 + small).ln());
            }
            let (p, v) = (cell.weight * p, cell.weight * small * larger * larger);
            let e = age.inverse - t.inverse;
            let f = t.inverse * t.inverse - age.inverse * age.inverse;
            sums.p += p;
            sums.pd += p * d;
            sums.pe += p * e;
            sums.pf += p * f;
            sums.v += v;
            sums.vd += v * d;
            sums.ve += v * e;
            sums.vdd += v * d * d;
            sums.vde += v * d * e;
            sums.vee += v * e * e;
        }
        sums.value += f64::ln(product);
    }
    sums
}

/// Value and derivatives with respect to the parameters themselves.
struct Sum {
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    value: f64,
    gradient: [f64; 4],
    hessian: [[f64; 4]; 4],
}

impl Sum {
    fn odds(&self, chances: f64) -> f64 {
        self.a / (self.b + chances - 1.0)
    }

    /// `r ln alpha - ln Γ(r)` of every customer.
    fn rates(&mut self, weight: f64, ln_alpha: f64) {
        self.value += weight * (self.r * ln_alpha - ln_gamma(self.r));
        self.gradient[0] += weight * (ln_alpha - digamma(self.r));
        self.gradient[1] += weight * self.r / self.alpha;
        self.hessian[0][0] -= weight * trigamma(self.r);
        self.hessian[0][1] += weight / self.alpha;
        self.hessian[1][1] -= weight * self.r / (self.alpha * self.alpha);
    }

    /// `-(r + x) ln(alpha + T)`.
    fn age(&mut self, age: &Age, at: &Shifted) {
        let power = self.r * age.weight + age.repeats;
        self.value -= power * at.ln;
        self.gradient[0] -= age.weight * at.ln;
        self.gradient[1] -= power * at.inverse;
        self.hessian[0][1] -= age.weight * at.inverse;
        self.hessian[1][1] += power * at.inverse * at.inverse;
    }

    /// `ln Γ(r + x) + ln B(a, b + chances) - ln B(a, b)`.
    fn frequency(&mut self, run: &Run, chances: f64) {
        let (w, rx) = (run.weight, self.r + run.x);
        self.value += w * ln_gamma(rx);
        self.gradient[0] += w * digamma(rx);
        self.hessian[0][0] += w * trigamma(rx);
        if chances == 0.0 {
            return;
        }
        let (ab, bn, abn) = (self.a + self.b, self.b + chances, self.a + self.b + chances);
        self.value += w * (ln_gamma(bn) - ln_gamma(self.b) - ln_gamma(abn) + ln_gamma(ab));
        let (first, second) = (digamma(ab) - digamma(abn), trigamma(ab) - trigamma(abn));
        self.gradient[2] += w * first;
        self.gradient[3] += w * (first + digamma(bn) - digamma(self.b));
        self.hessian[2][2] += w * second;
        self.hessian[2][3] += w * second;
        self.hessian[3][3] += w * (second + trigamma(bn) - trigamma(self.b));
    }

    /// `ln(1 + e^u)`.
    fn cells(&mut self, x: f64, chances: f64, sums: &Sums) {
        let power = self.r + x;
        let (ua, ub) = (1.0 / self.a, -1.0 / (self.b + chances - 1.0));
        self.value += sums.value;
        self.gradient[0] += sums.pd;
        self.gradient[1] += power * sums.pe;
        self.gradient[2] += ua * sums.p;
        self.gradient[3] += ub * sums.p;
        self.hessian[0][0] += sums.vdd;
        self.hessian[0][1] += sums.pe + power * sums.vde;
        self.hessian[0][2] += ua * sums.vd;
        self.hessian[0][3] += ub * sums.vd;
        self.hessian[1][1] += power * sums.pf + power * power * sums.vee;
        self.hessian[1][2] += power * ua * sums.ve;
        self.hessian[1][3] += power * ub * sums.ve;
        self.hessian[2][2] += ua * ua * (sums.v - sums.p);
        self.hessian[2][3] += ua * ub * sums.v;
        self.hessian[3][3] += ub * ub * (sums.v + sums.p);
    }

    /// The chain rule from parameters to their logarithms.
    fn in_logarithms(self) -> Evaluation<4> {
        let parameters = [self.r, self.alpha, self.a, self.b];
        let gradient = std::array::from_fn(|i| parameters[i] * self.gradient[i]);
        let hessian = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let cell = self.hessian[i.min(j)][i.max(j)] * parameters[i] * parameters[j];
                if i == j { cell + gradient[i] } else { cell }
            })
        });
        Evaluation { value: self.value, gradient, hessian }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(frequency: f64, recency: f64, age: f64) -> History {
        History { frequency, recency, age }
    }

    fn value(drop_out: DropOut, one: History, parameters: [f64; 4]) -> f64 {
        Likelihood::new(drop_out, std::iter::once((one, 1.0)), 1.0).evaluate(&parameters.map(f64::ln)).value
    }

    /// The chances of one customer with rate and p known, integrated over both distributions by the trapezoidal rule.
    fn brute(drop_out: DropOut, one: History, [r, alpha, a, b]: [f64; 4]) -> f64 {
        let History { frequency: x, recency, age } = one;
        let ln_constant = r * alpha.ln() - ln_gamma(r) - crate::models::numeric::ln_beta(a, b);
        let mut sum = 0.0;
        for i in -700..100 {
            let ln_rate = f64::from(i) * 0.2;
            let rate = ln_rate.exp();
            for j in -300..300 {
                let logit = f64::from(j) * 0.2f64;
                let (p, q) = (1.0 / (1.0 + (-logit).exp()), 1.0 / (1.0 + logit.exp()));
                let density = (ln_constant + (r + x) * ln_rate - alpha * rate).exp() * p.powf(a) * q.powf(b);
                let chances = x + drop_out.before_repeats();
                let stayed = q.powf(chances) * (-rate * age).exp();
                let left = if chances > 0.0 { p * q.powf(chances - 1.0) * (-rate * recency).exp() } else { 0.0 };
                sum += density * (stayed + left);
            }
        }
        (sum * 0.04).ln()
    }

    #[test]
    fn the_likelihood_is_that_of_brute_force() {
        for drop_out in [DropOut::AfterRepeat, DropOut::AfterAny] {
            for parameters in [[0.24, 4.4, 0.79, 2.4], [1.7, 3.0, 1.2, 0.8]] {
                for one in [history(0.0, 0.0, 12.0), history(1.0, 3.0, 30.0), history(6.0, 20.0, 21.5)] {
                    let (value, brute) = (value(drop_out, one, parameters), brute(drop_out, one, parameters));
                    assert!((value - brute).abs() < 1e-9, "{drop_out:?} {one:?}: {value} is not {brute}");
                }
            }
        }
    }

    fn some_history() -> impl Strategy<Value = (History, f64)> {
        (0u32..30, 0.01..1.0f64, 0.5..60.0f64, 1u32..5).prop_map(|(x, share, age, weight)| {
            let recency = if x == 0 { 0.0 } else { share * age };
            (history(f64::from(x), recency, age), f64::from(weight))
        })
    }

    fn sorted(mut histories: Vec<(History, f64)>) -> Vec<(History, f64)> {
        histories.sort_by(|a, b| a.0.frequency.total_cmp(&b.0.frequency));
        histories
    }

    proptest! {
        /// Central differences of the value against the gradient, and of the gradient against the second derivatives.
        #[test]
        fn derivatives_are_those_of_differences(
            histories in proptest::collection::vec(some_history(), 1..12),
            at in proptest::array::uniform4(-2.0..2.0f64),
            any in any::<bool>(),
        ) {
            let drop_out = if any { DropOut::AfterAny } else { DropOut::AfterRepeat };
            let likelihood = Likelihood::new(drop_out, sorted(histories).into_iter(), 1.0);
            let here = likelihood.evaluate(&at);
            let step = 1e-5;
            for i in 0..4 {
                let (mut up, mut down) = (at, at);
                up[i] += step;
                down[i] -= step;
                let (up, down) = (likelihood.evaluate(&up), likelihood.evaluate(&down));
                let slope = (up.value - down.value) / (2.0 * step);
                prop_assert!((slope - here.gradient[i]).abs() < 1e-6 * (1.0 + here.value.abs()));
                for j in 0..4 {
                    let slope = (up.gradient[j] - down.gradient[j]) / (2.0 * step);
                    prop_assert!((slope - here.hessian[i][j]).abs() < 1e-6 * (1.0 + here.value.abs()));
                }
            }
        }

        /// Weeks or days: the likelihood changes by the density's unit, alpha by the factor, nothing else.
        #[test]
        fn a_unit_changes_alpha_only(one in some_history(), at in proptest::array::uniform4(-2.0..2.0f64)) {
            let weeks = Likelihood::new(DropOut::AfterRepeat, std::iter::once(one), 1.0).evaluate(&at).value;
            let days_at = [at[0], at[1] + 7f64.ln(), at[2], at[3]];
            let days = Likelihood::new(DropOut::AfterRepeat, std::iter::once(one), 7.0).evaluate(&days_at).value;
            let change = one.0.frequency * one.1 * 7f64.ln();
            prop_assert!((weeks - days - change).abs() < 1e-9 * (1.0 + weeks.abs()));
        }
    }

    /// Nobody drops out: the same number of purchases spread evenly up to the end of observation.
    #[test]
    fn without_drop_out_the_search_ends_at_a_boundary() {
        let histories = (1..40).map(|x| (history(f64::from(x % 7), if x % 7 == 0 { 0.0 } else { 10.0 }, 10.0), 1.0));
        let likelihood = Likelihood::new(DropOut::AfterRepeat, sorted(histories.collect()).into_iter(), 1.0);
        let outcome = likelihood.maximum(None).map(|end| end.outcome);
        assert!(matches!(outcome, Some(Outcome::Boundary { .. })), "{outcome:?}");
    }
}
