//! Against what the model says before any integral is solved: sums over a grid of probabilities.

use super::super::jet::check_derivatives;
use super::super::numeric::ln_beta;
use super::*;

/// The mean of a function of (p, θ) over both beta distributions: the trapezoidal rule over the logits, which for
/// such integrands is exact to rounding. `of` is also given 1 - p and 1 - θ.
fn mean(model: BgBb, of: impl Fn([f64; 4]) -> f64) -> f64 {
    const STEP: f64 = 0.25;
    let points = |a: f64, b: f64| -> Vec<(f64, f64, f64)> {
        let at = |k: i32| {
            let logit = f64::from(k) * STEP;
            let (yes, no) = (1.0 / (1.0 + (-logit).exp()), 1.0 / (1.0 + logit.exp()));
            (yes, no, STEP * (a * yes.ln() + b * no.ln() - ln_beta(a, b)).exp())
        };
        (-320..=320).map(at).collect()
    };
    let others = points(model.gamma, model.delta);
    let sum = |(p, q, density): (f64, f64, f64)| {
        density * others.iter().map(|(theta, stay, other)| other * of([p, q, *theta, *stay])).sum::<f64>()
    };
    points(model.alpha, model.beta).into_iter().map(sum).sum()
}

fn history(frequency: f64, recency: f64, age: f64) -> History {
    History { frequency, recency, age }
}

fn alive(h: History, [p, q, _, stay]: [f64; 4]) -> f64 {
    p.powi(h.frequency as i32) * q.powi((h.age - h.frequency) as i32) * stay.powi(h.age as i32)
}

fn dead(h: History, [p, q, theta, stay]: [f64; 4]) -> f64 {
    let silent = (h.recency as i32..h.age as i32).fold(0.0, |sum, _| 1.0 + q * stay * sum);
    p.powi(h.frequency as i32) * q.powi((h.recency - h.frequency) as i32) * stay.powi(h.recency as i32) * theta * silent
}

const DONORS: BgBb = BgBb { alpha: 1.2035, beta: 0.7497, gamma: 0.6567, delta: 2.7834 };

const MODELS: [BgBb; 3] = [
    DONORS,
    BgBb { alpha: 4.0, beta: 9.0, gamma: 1.0, delta: 12.0 },
    BgBb { alpha: 0.6, beta: 2.0, gamma: 2.5, delta: 1.2 },
];

fn histories() -> Vec<History> {
    [(0, 0, 6), (0, 0, 1), (1, 1, 6), (2, 6, 6), (4, 5, 6), (6, 6, 6), (3, 9, 40), (11, 30, 31)]
        .map(|(x, t_x, n)| history(f64::from(x), f64::from(t_x), f64::from(n)))
        .to_vec()
}

#[test]
fn the_likelihood_is_that_of_customers_with_probabilities_of_their_own() {
    for model in MODELS {
        let at = [model.alpha, model.beta, model.gamma, model.delta].map(f64::ln);
        let mut sum = 0.0;
        for h in histories() {
            let whole = mean(model, |point| alive(h, point) + dead(h, point)).ln();
            let found = Likelihood::new([(h, 1.0)]).value(&at);
            assert!((found - whole).abs() < 1e-9 * (1.0 + whole.abs()), "{model:?} {h:?}: {found} is not {whole}");
            sum += found;
        }
        let together = Likelihood::new(histories().into_iter().map(|h| (h, 3.0))).value(&at);
        assert!((together - 3.0 * sum).abs() < 1e-9 * sum.abs(), "{together} is not three times {sum}");
    }
}

#[test]
fn predictions_are_means_over_the_probabilities_of_customers_with_that_history() {
    let near = |found: f64, exact: f64, what: &str| {
        assert!((found - exact).abs() < 1e-9 * (1e-2 + exact.abs()), "{what}: {found} is not {exact}");
    };
    for model in MODELS {
        for h in histories().into_iter().step_by(2) {
            let name = format!("{model:?} {h:?}");
            let whole = mean(model, |point| alive(h, point) + dead(h, point));
            let given = |of: &dyn Fn([f64; 4]) -> f64| mean(model, |point| alive(h, point) * of(point)) / whole;
            near(model.p_alive(h), given(&|[.., stay]| stay), &name);
            let alive_now = given(&|_| 1.0);
            for horizon in [1, 9] {
                let steps = f64::from(horizon);
                let sum = |stay: f64, v: f64| (0..horizon).fold(0.0, |sum, _| v * stay * (1.0 + sum));
                near(model.expected_purchases(h, steps), given(&|[p, _, _, stay]| p * sum(stay, 1.0)), &name);
                let none = |[_, q, theta, stay]: [f64; 4]| {
                    (q * stay).powi(horizon) + theta * (0..horizon).fold(0.0, |sum, _| 1.0 + q * stay * sum)
                };
                near(model.p_no_purchase(h, steps), 1.0 - alive_now + given(&none), &name);
                let discounted = given(&|[p, _, _, stay]| p * sum(stay, (-0.1f64).exp()));
                near(model.discounted_expected_purchases(h, steps, 0.1), discounted, &name);
            }
            for rate in [0.1f64, 0.001] {
                let v = (-rate).exp();
                let discounted = given(&|[p, _, _, stay]| p * v * stay / (1.0 - v * stay));
                near(model.discounted_expected_purchases(h, f64::INFINITY, rate), discounted, &name);
            }
            let never = 1.0 - alive_now + given(&|[p, q, theta, _]| theta / (theta + p - theta * p).max(1.0 - q));
            assert!((model.p_no_purchase(h, f64::INFINITY) - never).abs() < 1e-5, "{name}");
        }
        near(model.expected_purchases_new(3.0), mean(model, |[p, _, _, s]| p * s * (1.0 + s + s * s)), "new");
    }
}

/// Gifts in six years of the donors of 1995, the last year with a gift, donors: from the package lifetimes (MIT).
const GIFTS: [(u32, u32, u32); 22] = [
    (0, 0, 3464),
    (1, 1, 1091),
    (1, 2, 277),
    (1, 3, 129),
    (1, 4, 78),
    (1, 5, 119),
    (1, 6, 129),
    (2, 2, 613),
    (2, 3, 255),
    (2, 4, 155),
    (2, 5, 173),
    (2, 6, 234),
    (3, 3, 322),
    (3, 4, 181),
    (3, 5, 225),
    (3, 6, 357),
    (4, 4, 240),
    (4, 5, 284),
    (4, 6, 512),
    (5, 5, 335),
    (5, 6, 728),
    (6, 6, 1203),
];

/// Parameters and likelihood: Fader, Hardie and Shang (2010), section 4. Gifts in the next ten years without a gift and
/// with four, the last in year five: R package BTYD, vignette, section 4; in the next five years in all: the paper.
#[test]
fn donors_have_the_published_future() {
    let histories: Vec<_> = GIFTS
        .iter()
        .map(|(x, t_x, donors)| (history(f64::from(*x), f64::from(*t_x), 6.0), f64::from(*donors)))
        .collect();
    let end = super::super::by_ratio::maximum(&Likelihood::new(histories.clone()), &starts(0.3)).unwrap();
    let near = |a: f64, b: f64, by: f64| assert!((a - b).abs() < by, "{a} is not {b}");
    for (found, published) in end.at.iter().zip([1.2035, 0.7497, 0.6567, 2.7834]) {
        near(found.exp(), published, 5e-5);
    }
    near(end.evaluation.value, -33_225.581_3, 5e-5);
    let model = BgBb::new(end.at.map(f64::exp));
    near(model.expected_purchases(history(0.0, 0.0, 6.0), 10.0), 0.1302, 5e-5);
    near(model.expected_purchases(history(4.0, 5.0, 6.0), 10.0), 3.628, 5e-4);
    let all: f64 = histories.iter().map(|(h, donors)| donors * model.expected_purchases(*h, 5.0)).sum();
    near(all, 12_884.2, 0.05);
}

#[test]
fn derivatives_are_those_of_the_value() {
    let rows: Vec<_> = histories().into_iter().enumerate().map(|(i, h)| (h, 1.0 + i as f64)).collect();
    let likelihood = Likelihood::new(rows);
    for at in [[0.2, -0.3, -0.4, 1.0], [0.0; 4], [2.0, -1.0, 1.5, 3.0], [-4.0, 5.0, -3.0, -2.0], [6.0, 7.0, 5.0, 6.0]] {
        check_derivatives(&likelihood, at);
    }
}

#[test]
fn far_out_everything_is_still_a_number() {
    let mut extreme = histories();
    extreme.extend([history(5000.0, 5000.0, 5000.0), history(1.0, 1.0, 5000.0), history(0.0, 0.0, 5000.0)]);
    let likelihood = Likelihood::new(extreme.iter().map(|h| (*h, 1.0)));
    let corners = [-10.0, 0.0, 10.0];
    for corner in 0..81 {
        let at = [corner / 27, corner / 9 % 3, corner / 3 % 3, corner % 3].map(|i| corners[i]);
        let found = likelihood.evaluate(&at);
        assert!(found.value.is_finite() && found.gradient.iter().all(|g| g.is_finite()), "{at:?}: {found:?}");
        let model = BgBb::new(at.map(f64::exp));
        for h in &extreme {
            let alive = model.p_alive(*h);
            assert!((0.0..=1.0).contains(&alive), "{at:?} {h:?}: {alive}");
            let none = model.p_no_purchase(*h, 10.0);
            assert!((0.0..=1.0).contains(&none), "{at:?} {h:?}: {none}");
            let (d, e) = (model.discounted_expected_purchases(*h, 10.0, 0.1), model.expected_purchases(*h, 10.0));
            assert!(0.0 <= d && d <= e && e <= 10.0, "{at:?} {h:?}: {d} {e}");
        }
    }
}

#[test]
fn predictions_follow_the_horizon() {
    for model in MODELS {
        for h in histories() {
            assert_eq!(model.expected_purchases(h, 0.0), 0.0);
            assert_eq!(model.discounted_expected_purchases(h, 0.0, 0.1), 0.0);
            assert!((model.p_no_purchase(h, 0.0) - 1.0).abs() < 1e-15);
            // On both sides of where closed forms begin.
            for pair in [0.0, 1.0, 10.0, 999.0, 1000.0, 1001.0, 2000.0, 1e9, f64::INFINITY].windows(2) {
                let (near, far) = (pair[0], pair[1]);
                assert!(model.expected_purchases(h, near) < model.expected_purchases(h, far), "{model:?} {pair:?}");
                assert!(model.p_no_purchase(h, near) >= model.p_no_purchase(h, far) * (1.0 - 1e-12));
                let discounted = |horizon| model.discounted_expected_purchases(h, horizon, 0.001);
                assert!(discounted(near) <= discounted(far) * (1.0 + 1e-12), "{model:?} {pair:?}");
            }
        }
        let silent = |age: f64| model.p_alive(history(2.0, 5.0, age));
        assert!(silent(5.0) > silent(6.0) && silent(6.0) > silent(40.0));
    }
}

#[test]
fn long_horizons_are_sums_too() {
    for gamma in [0.3, 0.999_95, 1.0, 1.000_05, 2.0] {
        let model = BgBb { gamma, ..DONORS };
        for v in [1.0, (-0.002f64).exp()] {
            let (mut term, mut sum) = (1.0, 0.0);
            for i in 0..5000 {
                let stayed = model.delta + f64::from(i);
                term *= v * stayed / (gamma + stayed);
                sum += term;
            }
            let found = model.opportunities_alive(5000.0, v);
            assert!((found / sum - 1.0).abs() < 1e-10, "{gamma} {v}: {found} is not {sum}");
        }
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
