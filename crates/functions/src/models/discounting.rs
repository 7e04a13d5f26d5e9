//! The present value of future purchases, from their expected number up to any time.

/// Positive nodes and weights of the Gauss-Legendre rule with 16 points: Abramowitz and Stegun (1964), table 25.4.
const NODES: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_88),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

/// What is left of the value after so many time constants is below the last digit.
const TIME_CONSTANTS: f64 = 45.0;

/// The value now of what `expected` counts up to a time, over `horizon`, discounted continuously at `rate`:
/// `∫ e^(-rate t) dE(t)`, by parts `e^(-rate H) E(H) + rate ∫ e^(-rate t) E(t) dt`, so that no derivative is needed.
///
/// `scale` is a time over which `expected` does not bend: how far before now it has a singularity.
pub fn discounted(expected: impl Fn(f64) -> f64, scale: f64, horizon: f64, rate: f64) -> f64 {
    if horizon <= 0.0 {
        return 0.0;
    }
    if rate == 0.0 {
        return expected(horizon);
    }
    if rate < 0.0 && horizon.is_infinite() {
        return f64::INFINITY;
    }
    let end = if rate > 0.0 { horizon.min(TIME_CONSTANTS / rate) } else { horizon };
    // A scale that vanishes beside the future would take panels without end.
    let scale = scale.max(end * 1e-12);
    let (mut from, mut integral) = (0.0, 0.0);
    while from < end {
        let to = f64::min(end, from + f64::min(3.0 * (from + scale), 8.0 / rate.abs()));
        integral += panel(|time| (-rate * time).exp() * expected(time), from, to);
        from = to;
    }
    (-rate * end).exp() * expected(end) + rate * integral
}

fn panel(integrand: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    let pair =
        |(node, weight): &(f64, f64)| weight * (integrand(middle - half * node) + integrand(middle + half * node));
    half * NODES.iter().map(pair).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{value} is not {expected}");
    }

    /// A constant rate of buying: E(t) = 2 t is worth 2 (1 - e^(-rate H)) / rate.
    #[test]
    fn a_steady_stream_is_an_annuity() {
        for (horizon, rate) in [(52.0, 0.003), (1e4, 0.003), (f64::INFINITY, 0.003), (10.0, -0.02), (5.0, 2.0)] {
            near(discounted(|t| 2.0 * t, 30.0, horizon, rate), 2.0 * -f64::exp_m1(-rate * horizon) / rate);
        }
        near(discounted(|t| 2.0 * t, 30.0, 7.0, 0.0), 14.0);
        assert_eq!(discounted(|t| 2.0 * t, 30.0, f64::INFINITY, -0.1), f64::INFINITY);
        assert_eq!(discounted(|t| 2.0 * t, 30.0, 0.0, 0.1), 0.0);
    }

    /// Dying at the rate m: E(t) = (1 - e^(-m t)) / m is worth (1 - e^(-(m + rate) H)) / (m + rate).
    #[test]
    fn a_dying_stream_is_discounted_at_both_rates() {
        let (m, rate) = (0.05, 0.002f64);
        for horizon in [1.0, 100.0, f64::INFINITY] {
            let value = discounted(|t| -f64::exp_m1(-m * t) / m, 10.0, horizon, rate);
            near(value, -f64::exp_m1(-(m + rate) * horizon) / (m + rate));
        }
    }
}
