//! How much customers spend per purchase: the Gamma-Gamma model.
//!
//! A customer's purchases vary around a mean of their own as a gamma distribution with shape `p` and rate `nu`, and
//! `nu` varies over customers as a gamma distribution with shape `q` and rate `gamma`. What a customer spends is taken
//! to be independent of how often they buy.
//!
//! Source: P. S. Fader, B. G. S. Hardie, "The Gamma-Gamma model of monetary value" (2013); density of the mean of
//! `x` purchases in equation (1a), conditional mean in equation (5). Model from Fader, Hardie, Lee, "RFM and CLV:
//! using iso-value curves for customer base analysis" (2005).

use super::maximise::{BOUND, Evaluation, Maximum, Objective, maximise};
use super::numeric::{digamma, ln_gamma, trigamma};

/// Repeat buyers with the same number of purchases and the same mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spending {
    /// Repeat purchases, 1 or more.
    pub frequency: f64,
    /// Mean spend of these purchases, positive.
    pub mean_spend: f64,
    /// How many customers have them.
    pub weight: f64,
}

/// The model with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaGamma {
    /// Shape of one customer's purchases.
    pub p: f64,
    /// Shape of the rate over customers.
    pub q: f64,
    /// Scale of the rate over customers, in money.
    pub gamma: f64,
}

impl GammaGamma {
    /// Mean spend per purchase over all customers: `p gamma / (q - 1)`. Infinite where `q` is 1 or less.
    pub fn mean_of_all(&self) -> f64 {
        if self.q > 1.0 { self.p * self.gamma / (self.q - 1.0) } else { f64::INFINITY }
    }

    /// Expected spend per purchase of a customer whose `frequency` repeat purchases had this mean, equation (5): the
    /// mean of all customers and their own, weighted. Without repeat purchases it is the mean of all.
    pub fn expected_spend(&self, frequency: f64, mean_spend: f64) -> f64 {
        let purchases = self.p * frequency;
        let shape = purchases + self.q - 1.0;
        if frequency == 0.0 || shape <= 0.0 {
            return self.mean_of_all();
        }
        (self.p * self.gamma + purchases * mean_spend) / shape
    }
}

/// The likelihood of all customers' means. Money is scaled so that the mean is 1.
pub struct SpendLikelihood {
    /// For every number of purchases: customers.
    groups: Vec<Group>,
    /// Total spend of a customer, scaled; ordered as the groups.
    totals: Vec<f64>,
    /// How many customers have it.
    weights: Vec<f64>,
    customers: f64,
    /// The mean over customers, 1 inside.
    scale: f64,
    /// The sum of `ln(mean spend)`, scaled.
    log_means: f64,
}

/// Customers with the same number of purchases.
struct Group {
    frequency: f64,
    customers: f64,
    /// The sum of the logarithms of their totals, scaled.
    log_totals: f64,
    /// Where their totals end.
    end: usize,
}

/// Sums over all customers of functions of `total + gamma`, plain and multiplied with the number of purchases.
#[derive(Default)]
struct Sums {
    log: [f64; 2],
    inverse: [f64; 2],
    inverse_square: [f64; 2],
}

impl SpendLikelihood {
    /// The likelihood of these customers, who stand in order of frequency; nothing without customers.
    pub fn new(customers: &[Spending]) -> Option<SpendLikelihood> {
        let count: f64 = customers.iter().map(|c| c.weight).sum();
        let scale = customers.iter().map(|c| c.weight * c.mean_spend).sum::<f64>() / count;
        if !(count > 0.0 && scale > 0.0 && scale.is_finite()) {
            return None;
        }
        let mut likelihood = SpendLikelihood {
            groups: Vec::new(),
            totals: Vec::with_capacity(customers.len()),
            weights: Vec::with_capacity(customers.len()),
            customers: count,
            scale,
            log_means: 0.0,
        };
        for group in customers.chunk_by(|a, b| a.frequency == b.frequency) {
            likelihood.add(group);
        }
        Some(likelihood)
    }

    fn add(&mut self, group: &[Spending]) {
        let frequency = group[0].frequency;
        let first = self.totals.len();
        for customer in group {
            self.totals.push(frequency * (customer.mean_spend / self.scale));
            self.weights.push(customer.weight);
        }
        let log_totals = sum_of_logs(&self.totals[first..], &self.weights[first..]);
        let customers: f64 = self.weights[first..].iter().sum();
        self.log_means += log_totals - customers * frequency.ln();
        self.groups.push(Group { frequency, customers, log_totals, end: self.totals.len() });
    }

    /// The maximum for money as it is scaled inside; nothing where the likelihood cannot be computed.
    pub fn maximise(&self) -> Option<Maximum<3>> {
        // Shapes from a wide spread of spending to none; the scale follows from the mean, which is 1.
        let starts = [(6.0, 4.0), (1.0, 2.0), (0.5, 1.5), (2.0, 10.0), (20.0, 3.0), (50.0, 50.0)]
            .map(|(p, q): (f64, f64)| [p.ln(), q.ln(), ((q - 1.0) / p).ln()]);
        maximise(self, &starts)
    }

    /// How many customers.
    pub fn customers(&self) -> f64 {
        self.customers
    }

    /// What money was multiplied by. The likelihood of money as it was given is this to the power of the customers
    /// times the likelihood inside: it is the density of their means, with all its terms, as published.
    pub fn factor(&self) -> f64 {
        1.0 / self.scale
    }

    fn sums(&self, gamma: f64) -> Sums {
        let mut sums = Sums::default();
        let mut first = 0;
        for group in &self.groups {
            let (totals, weights) = (&self.totals[first..group.end], &self.weights[first..group.end]);
            first = group.end;
            let (log, inverse, square) = group_sums(totals, weights, gamma);
            for (power, factor) in [1.0, group.frequency].into_iter().enumerate() {
                sums.log[power] += factor * log;
                sums.inverse[power] += factor * inverse;
                sums.inverse_square[power] += factor * square;
            }
        }
        sums
    }

    fn value_with(&self, [p, q, gamma]: [f64; 3], sums: &Sums) -> f64 {
        let shapes: f64 = self
            .groups
            .iter()
            .map(|group| {
                let purchases = p * group.frequency;
                group.customers * (ln_gamma(purchases + q) - ln_gamma(purchases)) + purchases * group.log_totals
            })
            .sum();
        let constants = self.customers * (q * gamma.ln() - ln_gamma(q)) - self.log_means;
        shapes + constants - p * sums.log[1] - q * sums.log[0]
    }
}

impl Objective<3> for SpendLikelihood {
    fn evaluate(&self, log_parameters: &[f64; 3]) -> Evaluation<3> {
        let [p, q, gamma] = log_parameters.map(f64::exp);
        let sums = self.sums(gamma);
        let n = self.customers;
        let mut first = [-p_part(&sums), n * (gamma.ln() - digamma(q)) - sums.log[0], 0.0];
        first[2] = n * q / gamma - p * sums.inverse[1] - q * sums.inverse[0];
        let mut second = [[0.0; 3]; 3];
        second[1][1] = -n * trigamma(q);
        second[2][2] = -n * q / (gamma * gamma) + p * sums.inverse_square[1] + q * sums.inverse_square[0];
        second[0][2] = -sums.inverse[1];
        second[1][2] = n / gamma - sums.inverse[0];
        for group in &self.groups {
            let (x, customers) = (group.frequency, group.customers);
            let both = (digamma(p * x + q), trigamma(p * x + q));
            first[0] += x * (customers * (both.0 - digamma(p * x)) + group.log_totals);
            first[1] += customers * both.0;
            second[0][0] += customers * x * x * (both.1 - trigamma(p * x));
            second[0][1] += customers * x * both.1;
            second[1][1] += customers * both.1;
        }
        let parameters = [p, q, gamma];
        let value = self.value_with(parameters, &sums);
        in_logarithms(value, parameters, first, second)
    }

    fn value(&self, log_parameters: &[f64; 3]) -> f64 {
        let parameters = log_parameters.map(f64::exp);
        self.value_with(parameters, &self.sums(parameters[2]))
    }
}

fn p_part(sums: &Sums) -> f64 {
    sums.log[1]
}

/// Derivatives with respect to the logarithms from those with respect to the parameters, the upper half of `second`
/// given.
fn in_logarithms(value: f64, at: [f64; 3], first: [f64; 3], second: [[f64; 3]; 3]) -> Evaluation<3> {
    let gradient = std::array::from_fn(|i| first[i] * at[i]);
    let hessian = std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let own = if i == j { first[i] * at[i] } else { 0.0 };
            second[i.min(j)][i.max(j)] * at[i] * at[j] + own
        })
    });
    Evaluation { value, gradient, hessian }
}

/// Factors under one logarithm: logarithms are the cost of this likelihood.
const FACTORS: usize = 8;

/// Sums of `w ln(t + gamma)`, `w / (t + gamma)` and `w / (t + gamma)²`, always in the same order.
fn group_sums(totals: &[f64], weights: &[f64], gamma: f64) -> (f64, f64, f64) {
    let (mut log, mut inverse, mut square) = (0.0, 0.0, 0.0);
    for (totals, weights) in totals.chunks(FACTORS).zip(weights.chunks(FACTORS)) {
        let mut moved = [1.0; FACTORS];
        for (place, total) in moved.iter_mut().zip(totals) {
            *place = total + gamma;
        }
        log += log_of_product(&moved[..totals.len()], weights);
        for (value, weight) in moved.iter().zip(weights) {
            let one = 1.0 / value;
            inverse += weight * one;
            square += weight * (one * one);
        }
    }
    (log, inverse, square)
}

/// The sum of `w ln v`.
fn sum_of_logs(values: &[f64], weights: &[f64]) -> f64 {
    values.chunks(FACTORS).zip(weights.chunks(FACTORS)).map(|(values, weights)| log_of_product(values, weights)).sum()
}

/// The same for few values: one logarithm where the weights are 1 and the product is a usual number.
fn log_of_product(values: &[f64], weights: &[f64]) -> f64 {
    let product: f64 = values.iter().product();
    if product > 1e-250 && product < 1e250 && weights.iter().all(|weight| *weight == 1.0) {
        return product.ln();
    }
    values.iter().zip(weights).map(|(value, weight)| weight * value.ln()).sum()
}

/// What it means for the business that a search ended on a boundary: from the logarithms of the parameters where it
/// ended, and the parameter (by number) that is furthest out, `upwards` or downwards. Where p runs to infinity, gamma
/// runs to zero with it.
pub fn boundary(at: [f64; 3], parameter: usize, upwards: bool) -> String {
    let endless = |number: usize| at[number] > BOUND - 1.0;
    let meaning = if endless(0) && endless(1) {
        "p and q run to infinity: all purchases of all customers have the same value, as far as the data show"
    } else if endless(0) {
        "p runs to infinity: purchases of one customer do not differ, as far as the data show"
    } else if endless(1) {
        "q runs to infinity: customers do not differ in their mean spend, as far as the data show"
    } else if parameter == 0 && !upwards {
        "p runs to 0: single purchases differ so much that a customer's mean is not informative"
    } else {
        "q or gamma run out of bounds: customers differ in their mean spend more than the model can describe"
    };
    meaning.into()
}

/// Why the mean over all customers is not finite, where it is not.
pub fn without_mean(q: f64) -> Option<String> {
    (q <= 1.0).then(|| {
        format!(
            "q is {q:.4}, at most 1: a few customers spend so much more than the others that the mean over all customers \
             does not exist"
        )
    })
}

#[cfg(test)]
mod tests;
