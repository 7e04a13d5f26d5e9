//! Against what the model says before any integral is solved: sums over a grid of rates, for every single customer.

use super::super::jet::check_derivatives;
use super::*;

/// The mean of a function of (λ, μ) over both gamma distributions: the trapezoidal rule over the logarithms of the
/// rates, which for such integrands is exact to rounding.
fn mean(model: ParetoNbd, of: impl Fn(f64, f64) -> f64) -> f64 {
    const STEP: f64 = 0.125;
    let ParetoNbd { r, alpha, s, beta } = model;
    let rates = |shape: f64, rate: f64| -> Vec<(f64, f64)> {
        let points = (-500..50).map(|k| (f64::from(k) * STEP).exp() / rate);
        points.map(|x| (x, STEP * (shape * (rate * x).ln() - rate * x - ln_gamma(shape)).exp())).collect()
    };
    let others = rates(s, beta);
    let sum = |(lambda, density): (f64, f64)| {
        density * others.iter().map(|(mu, density)| density * of(lambda, *mu)).sum::<f64>()
    };
    rates(r, alpha).into_iter().map(sum).sum()
}

fn history(frequency: f64, recency: f64, age: f64) -> History {
    History { frequency, recency, age }
}

/// Alive at the end with this history, for a customer with these rates.
fn alive(h: History, lambda: f64, mu: f64) -> f64 {
    (h.frequency * lambda.ln() - (lambda + mu) * h.age).exp()
}

/// Dropped out before the end with this history.
fn dead(h: History, lambda: f64, mu: f64) -> f64 {
    let both = lambda + mu;
    let silent = -(-both * (h.age - h.recency)).exp_m1();
    (h.frequency * lambda.ln() - both * h.recency).exp() * mu / both * silent
}

const CDNOW: ParetoNbd = ParetoNbd { r: 0.5533, alpha: 10.578, s: 0.6062, beta: 11.669 };

const MODELS: [ParetoNbd; 4] = [
    CDNOW,
    ParetoNbd { r: 2.5, alpha: 3.0, s: 1.0, beta: 40.0 },
    ParetoNbd { r: 0.9, alpha: 25.0, s: 3.5, beta: 1.5 },
    ParetoNbd { r: 6.0, alpha: 8.0, s: 2.2, beta: 9.0 },
];

fn histories() -> Vec<History> {
    vec![
        history(0.0, 0.0, 39.0),
        history(0.0, 0.0, 0.1),
        history(1.0, 3.0, 39.0),
        history(2.0, 38.0, 38.9),
        history(7.0, 12.0, 12.0),
        history(26.0, 30.857_143, 31.0),
        history(30.0, 9.0, 38.0),
    ]
}

#[test]
fn the_likelihood_is_that_of_customers_with_rates_of_their_own() {
    for model in MODELS {
        let at = [model.r, model.alpha, model.s, model.beta].map(f64::ln);
        let mut sum = 0.0;
        for h in histories() {
            let whole = mean(model, |lambda, mu| alive(h, lambda, mu) + dead(h, lambda, mu)).ln();
            let found = Likelihood::new([(h, 1.0)]).value(&at);
            assert!((found - whole).abs() < 1e-9 * (1.0 + whole.abs()), "{model:?} {h:?}: {found} is not {whole}");
            sum += found;
        }
        let together = Likelihood::new(histories().into_iter().map(|h| (h, 3.0))).value(&at);
        assert!((together - 3.0 * sum).abs() < 1e-9 * sum.abs(), "{together} is not three times {sum}");
    }
}

#[test]
fn predictions_are_means_over_the_rates_of_customers_with_that_history() {
    let near = |found: f64, exact: f64, what: &str| {
        assert!((found - exact).abs() < 1e-8 * (1e-3 + exact.abs()), "{what}: {found} is not {exact}");
    };
    for model in MODELS {
        let silent = |lambda: f64, mu: f64, t: f64| {
            alive(history(0.0, 0.0, t), lambda, mu) + dead(history(0.0, 0.0, t), lambda, mu)
        };
        for h in histories() {
            let name = format!("{model:?} {h:?}");
            let whole = mean(model, |lambda, mu| alive(h, lambda, mu) + dead(h, lambda, mu));
            let given = |of: &dyn Fn(f64, f64) -> f64| mean(model, |l, m| alive(h, l, m) * of(l, m)) / whole;
            let p_alive = given(&|_, _| 1.0);
            near(model.p_alive(h), p_alive, &name);
            for horizon in [0.5, 52.0] {
                let expected = given(&|l, m| l * -(-m * horizon).exp_m1() / m);
                near(model.expected_purchases(h, horizon), expected, &name);
                let none = 1.0 - p_alive + given(&|l, m| silent(l, m, horizon));
                near(model.p_no_purchase(h, horizon), none, &name);
                let discounted = given(&|l, m| l * -(-(m + 0.003) * horizon).exp_m1() / (m + 0.003));
                near(model.discounted_expected_purchases(h, horizon, 0.003), discounted, &name);
            }
            let discounted = given(&|l, m| l / (m + 0.003));
            near(model.discounted_expected_purchases(h, f64::INFINITY, 0.003), discounted, &name);
            let never = 1.0 - p_alive + given(&|l, m| m / (l + m));
            near(model.p_no_purchase(h, f64::INFINITY), never, &name);
        }
        let expected = mean(model, |l, m| l * -(-m * 20.0f64).exp_m1() / m);
        near(model.expected_purchases_new(20.0), expected, "a new customer");
    }
}

/// Fader, Hardie and Lee's Pareto/NBD of CDNOW, as the R package BTYD prints it.
#[test]
fn a_good_customer_of_cdnow_has_the_published_future() {
    let good = history(26.0, 30.857_143, 31.0);
    assert!((CDNOW.p_alive(good) - 0.997_874).abs() < 1e-6);
    assert!((CDNOW.expected_purchases(good, 52.0) - 25.456).abs() < 2e-3);
}

/// With `mpmath` to 30 digits: `(r+x)/(α+T) P(alive) (β+T) U(1, 2-s, δ(β+T))`, 15 % a year in weeks, and P(alive) from
/// the hypergeometric function 2F1.
#[test]
fn discounted_for_ever_is_the_confluent_hypergeometric_function() {
    let rate = 1.15f64.ln() / 52.0;
    for (h, alive, exact) in [
        (history(26.0, 30.857_143, 31.0), 0.997_873_560_928_717_3, 86.262_217_639_991_2),
        (history(2.0, 30.43, 38.86), 0.869_124_254_373_500_4, 6.500_424_948_817_496),
        (history(0.0, 0.0, 39.0), 0.294_298_637_754_368_9, 0.476_157_982_914_523_5),
    ] {
        let found = CDNOW.discounted_expected_purchases(h, f64::INFINITY, rate);
        assert!((found / exact - 1.0).abs() < 1e-13, "{h:?}: {found} is not {exact}");
        assert!((CDNOW.p_alive(h) / alive - 1.0).abs() < 1e-14, "{h:?}: {} is not {alive}", CDNOW.p_alive(h));
    }
}

#[test]
fn derivatives_are_those_of_the_value() {
    let rows: Vec<_> = histories().into_iter().enumerate().map(|(i, h)| (h, 1.0 + i as f64)).collect();
    let likelihood = Likelihood::new(rows);
    for at in [[-0.6, 2.3, -0.5, 2.4], [0.0; 4], [2.0, -1.0, 1.5, 3.0], [-4.0, 5.0, -3.0, -2.0], [6.0, 7.0, 5.0, 6.0]] {
        check_derivatives(&likelihood, at);
    }
}

#[test]
fn far_out_everything_is_still_a_number() {
    let mut extreme = histories();
    extreme.extend([history(1500.0, 39.0, 39.0), history(1500.0, 0.5, 39.0), history(1.0, 1e-6, 39.0)]);
    let likelihood = Likelihood::new(extreme.iter().map(|h| (*h, 1.0)));
    let corners = [-10.0, 0.0, 10.0];
    for corner in 0..81 {
        let at = [corner / 27, corner / 9 % 3, corner / 3 % 3, corner % 3].map(|i| corners[i]);
        let found = likelihood.evaluate(&at);
        assert!(found.value.is_finite() && found.gradient.iter().all(|g| g.is_finite()), "{at:?}: {found:?}");
        let model = ParetoNbd::new(at.map(f64::exp));
        for h in &extreme {
            let alive = model.p_alive(*h);
            assert!((0.0..=1.0).contains(&alive), "{at:?} {h:?}: {alive}");
            let none = model.p_no_purchase(*h, 10.0);
            assert!((0.0..=1.0 + 1e-12).contains(&none), "{at:?} {h:?}: {none}");
            let discounted = model.discounted_expected_purchases(*h, 10.0, 0.1);
            let expected = model.expected_purchases(*h, 10.0);
            assert!(
                0.0 <= discounted && discounted <= expected * (1.0 + 1e-12),
                "{at:?} {h:?}: {discounted} {expected}"
            );
        }
    }
}

#[test]
fn time_may_be_measured_in_any_unit() {
    for h in histories() {
        let days = history(h.frequency, h.recency * 7.0, h.age * 7.0);
        let in_days = ParetoNbd { alpha: 7.0 * CDNOW.alpha, beta: 7.0 * CDNOW.beta, ..CDNOW };
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "{h:?}: {a} is not {b}");
        near(CDNOW.p_alive(h), in_days.p_alive(days));
        near(CDNOW.expected_purchases(h, 52.0), in_days.expected_purchases(days, 364.0));
        near(CDNOW.p_no_purchase(h, 52.0), in_days.p_no_purchase(days, 364.0));
        let discounted = in_days.discounted_expected_purchases(days, 364.0, 0.003 / 7.0);
        near(CDNOW.discounted_expected_purchases(h, 52.0, 0.003), discounted);
    }
}

#[test]
fn predictions_follow_the_horizon() {
    for model in MODELS {
        for h in histories() {
            assert_eq!(model.expected_purchases(h, 0.0), 0.0);
            assert_eq!(model.expected_purchases_new(0.0), 0.0);
            assert_eq!(model.discounted_expected_purchases(h, 0.0, 0.1), 0.0);
            assert!((model.p_no_purchase(h, 0.0) - 1.0).abs() < 1e-15);
            let horizons = [0.0, 0.01, 1.0, 10.0, 100.0, 1e6, f64::INFINITY];
            for pair in horizons.windows(2) {
                let (near, far) = (pair[0], pair[1]);
                assert!(model.expected_purchases(h, near) <= model.expected_purchases(h, far));
                assert!(model.p_no_purchase(h, near) >= model.p_no_purchase(h, far) * (1.0 - 1e-12));
                let discounted = |horizon| model.discounted_expected_purchases(h, horizon, 0.01);
                assert!(discounted(near) <= discounted(far) * (1.0 + 1e-12));
            }
            let barely = model.discounted_expected_purchases(h, 52.0, 1e-12);
            let expected = model.expected_purchases(h, 52.0);
            assert!((barely - expected).abs() < 1e-9 * expected, "{barely} is not {expected}");
        }
        let silent = |age: f64| model.p_alive(history(2.0, 5.0, age));
        assert!(silent(5.0) == 1.0 && silent(6.0) > silent(10.0) && silent(10.0) > silent(40.0));
    }
}

/// Predictions keep what a living customer will do by frequency and age.
#[test]
fn of_what_is_expected_only_the_chance_to_be_alive_depends_on_the_recency() {
    for model in MODELS {
        let of = |recency: f64| {
            let h = history(3.0, recency, 39.0);
            let expected = model.expected_purchases(h, 9.0);
            let discounted = model.discounted_expected_purchases(h, 9.0, 0.01);
            [expected, discounted, 1.0 - model.p_no_purchase(h, 9.0)].map(|of| of / model.p_alive(h))
        };
        for (late, early) in of(39.0).iter().zip(of(9.0)) {
            assert!((early / late - 1.0).abs() < 1e-9, "{model:?}: {early} is not {late}");
        }
    }
}
