//! The Gamma-Gamma likelihood against brute force, its derivatives against differences.

use super::*;
use crate::models::Outcome;

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b}");
}

fn customer(frequency: f64, mean_spend: f64, weight: f64) -> Spending {
    Spending { frequency, mean_spend, weight }
}

fn some() -> Vec<Spending> {
    vec![
        customer(1.0, 12.5, 1.0),
        customer(1.0, 80.0, 3.0),
        customer(2.0, 30.25, 1.0),
        customer(2.0, 31.0, 1.0),
        customer(3.0, 7.75, 2.0),
        customer(9.0, 42.0, 1.0),
    ]
}

/// The likelihood of money as given, at parameters in money as given.
fn likelihood(customers: &[Spending], p: f64, q: f64, gamma: f64) -> f64 {
    let likelihood = SpendLikelihood::new(customers).unwrap();
    let inside = likelihood.value(&[p.ln(), q.ln(), (gamma * likelihood.factor()).ln()]);
    inside + likelihood.customers() * likelihood.factor().ln()
}

/// The means of one customer's purchases have a gamma distribution with shape `p x` and rate `nu x`; `nu` is integrated
/// out by the trapezoidal rule over its logarithm, which converges faster than any power for such integrands.
#[test]
fn the_likelihood_is_the_integral_over_the_latent_rate() {
    let (p, q, gamma) = (2.3, 3.1, 17.0);
    let log_gamma_density =
        |v: f64, shape: f64, rate: f64| shape * rate.ln() + (shape - 1.0) * v.ln() - rate * v - ln_gamma(shape);
    let mut sum = 0.0;
    for c in some() {
        let step = 0.01;
        let integrand = |i: i32| {
            let nu = (f64::from(i) * step).exp();
            let given = log_gamma_density(c.mean_spend, p * c.frequency, nu * c.frequency);
            (given + log_gamma_density(nu, q, gamma)).exp() * nu
        };
        let density: f64 = (-2500..=1000).map(integrand).sum::<f64>() * step;
        sum += c.weight * density.ln();
    }
    near(likelihood(&some(), p, q, gamma), sum, 1e-11);
}

#[test]
fn the_expected_spend_is_the_mean_over_the_latent_rate() {
    let model = GammaGamma { p: 2.3, q: 3.1, gamma: 17.0 };
    for (x, mean) in [(1.0, 12.5), (7.0, 55.0)] {
        // Given its purchases, nu has the shape p x + q and the rate gamma + total; the mean of a purchase is p / nu.
        let (shape, rate) = (model.p * x + model.q, model.gamma + x * mean);
        let step = 0.005;
        let weights = |power: f64| -> f64 {
            (-4000..2000).map(|i| f64::from(i) * step).map(|l| ((shape + power) * l - rate * l.exp()).exp()).sum()
        };
        near(model.expected_spend(x, mean), model.p * weights(-1.0) / weights(0.0), 1e-11);
    }
    near(model.expected_spend(0.0, f64::NAN), 2.3 * 17.0 / 2.1, 1e-14);
    assert_eq!(GammaGamma { q: 1.0, ..model }.mean_of_all(), f64::INFINITY);
}

#[test]
fn derivatives_are_those_of_differences() {
    let likelihood = SpendLikelihood::new(&some()).unwrap();
    for at in [[0.8, 1.1, -0.4], [-0.5, 2.0, 0.3], [2.0, 0.2, -1.5]] {
        let here = likelihood.evaluate(&at);
        near(here.value, likelihood.value(&at), 1e-14);
        for i in 0..3 {
            let moved = |by: f64| {
                let mut at = at;
                at[i] += by;
                likelihood.evaluate(&at)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            near(here.gradient[i], (up.value - down.value) / 2e-5, 1e-7);
            for j in 0..3 {
                near(here.hessian[i][j], (up.gradient[j] - down.gradient[j]) / 2e-5, 1e-7);
            }
        }
    }
}

#[test]
fn weights_are_repeated_customers() {
    let repeated: Vec<_> = some()
        .into_iter()
        .flat_map(|c| std::iter::repeat_n(Spending { weight: 1.0, ..c }, c.weight as usize))
        .collect();
    near(likelihood(&some(), 2.0, 3.0, 20.0), likelihood(&repeated, 2.0, 3.0, 20.0), 1e-13);
}

/// The shapes do not change with the currency.
#[test]
fn another_currency_changes_gamma_alone() {
    let many: Vec<_> = (0..2000)
        .map(|i| {
            customer(f64::from(1 + i / 500), 20.0 + f64::from((i * 7919) % 2003) * 0.05 * (1.0 + f64::from(i % 7)), 1.0)
        })
        .collect();
    let cents: Vec<_> = many.iter().map(|c| Spending { mean_spend: c.mean_spend * 100.0, ..*c }).collect();
    let (a, b) = (SpendLikelihood::new(&many).unwrap(), SpendLikelihood::new(&cents).unwrap());
    let (one, other) = (a.maximise().unwrap(), b.maximise().unwrap());
    assert_eq!(one.outcome, Outcome::Converged);
    for i in 0..3 {
        near(one.at[i], other.at[i], 1e-9);
    }
    near(a.factor(), b.factor() * 100.0, 1e-12);
}

#[test]
fn without_differences_the_search_ends_on_a_boundary() {
    let identical = SpendLikelihood::new(&[customer(2.0, 30.0, 1000.0)]).unwrap();
    let end = identical.maximise().unwrap();
    assert!(matches!(end.outcome, Outcome::Boundary { .. }), "{end:?}");
    assert!(SpendLikelihood::new(&[]).is_none());
}

#[test]
fn products_beyond_the_range_of_numbers_are_no_trouble() {
    let wide: Vec<_> = (1..=9).map(|i| customer(1.0, 10f64.powi(i * 33), 1.0)).collect();
    assert!(SpendLikelihood::new(&wide).unwrap().value(&[0.0, 0.0, 0.0]).is_finite());
}

/// The purchases of the sample of CDNOW until 1997-09-30; Fader and Hardie (2013), section 3.
#[test]
fn published_parameters_come_back() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/cdnow/CDNOW_sample.txt");
    let path = std::env::var("PERENNIAL_REAL_DATA").map_or(path.into(), |at| format!("{at}/cdnow/CDNOW_sample.txt"));
    let Ok(lines) = std::fs::read_to_string(path) else { return };
    let mut days = std::collections::BTreeMap::<(&str, &str), f64>::new();
    for line in lines.lines() {
        let cells: Vec<_> = line.split_whitespace().collect();
        if cells[2] <= "19970930" {
            *days.entry((cells[1], cells[2])).or_default() += cells[4].parse::<f64>().unwrap();
        }
    }
    let purchases: Vec<_> = days.into_iter().map(|((id, _), amount)| (id, amount)).collect();
    let mut customers: Vec<_> = purchases
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|days| days.len() > 1)
        .map(|days| {
            let repeats = (days.len() - 1) as f64;
            customer(repeats, days[1..].iter().map(|day| day.1).sum::<f64>() / repeats, 1.0)
        })
        .collect();
    customers.sort_by(|a, b| a.frequency.total_cmp(&b.frequency));
    assert_eq!(customers.len(), 946);
    let likelihood = SpendLikelihood::new(&customers).unwrap();
    let end = likelihood.maximise().unwrap();
    assert_eq!(end.outcome, Outcome::Converged);
    near(end.at[0].exp(), 6.250, 0.01 / 6.25);
    near(end.at[1].exp(), 3.744, 0.01 / 3.744);
    near(end.at[2].exp() / likelihood.factor(), 15.444, 0.01 / 15.444);
    let value = end.evaluation.value + likelihood.customers() * likelihood.factor().ln();
    assert!((value + 4055.918).abs() < 0.001, "{value}");
}
