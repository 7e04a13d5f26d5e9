//! Gauss' hypergeometric function 2F1 of any parameters: the closed forms of the papers, which tests compare with.

use super::hypergeometric::{ln_one_plus_exp, ln_trapezoidal};
use super::numeric::ln_beta;

/// Up to here the power series is summed: further out Euler's integral needs fewer terms.
const SERIES_UP_TO: f64 = 0.8;

/// `ln 2F1(a, b; c; z)` for positive `a`, `b`, `c`, and `z < 1`.
///
/// Where z is negative or near 1, one of `a` and `b` must be less than `c`; otherwise, and outside the domain, NaN.
/// Accurate to some 1e-13 in 2F1, relatively: every term that is added is positive, so nothing cancels.
///
/// Sources: Abramowitz and Stegun (1964), 15.1.1 (series), 15.3.1 (Euler's integral), 15.3.4 (Pfaff's
/// transformation); Trefethen and Weideman (2014), The Exponentially Convergent Trapezoidal Rule.
pub fn ln_hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let positive = [a, b, c].iter().all(|number| *number > 0.0 && number.is_finite());
    if !positive || z.is_nan() || z >= 1.0 {
        return f64::NAN;
    }
    if z == 0.0 {
        return 0.0;
    }
    if a == c || b == c {
        let other = if a == c { b } else { a };
        return -other * (-z).ln_1p();
    }
    // 1 - z as the sum of two positive numbers, for precision where z is negative.
    if z < 0.0 {
        let (a, b) = if b < c { (a, b) } else { (b, a) };
        let ln_remainder = (-z).ln_1p();
        return match b < c {
            true => -a * ln_remainder + positive_argument(a, c - b, c, z / (z - 1.0), -ln_remainder),
            false => f64::NAN,
        };
    }
    positive_argument(a, b, c, z, (-z).ln_1p())
}

/// `ln_remainder` is `ln(1 - z)`.
fn positive_argument(a: f64, b: f64, c: f64, z: f64, ln_remainder: f64) -> f64 {
    if z <= SERIES_UP_TO {
        return ln_series(a, b, c, z);
    }
    // The integrand falls like e^(-b |y|) on one side and like e^(-(c - b) y) on the other.
    let slower = |b: f64| f64::min(b, c - b);
    let (a, b) = if slower(b) >= slower(a) { (a, b) } else { (b, a) };
    if b < c { ln_euler(a, b, c, z, ln_remainder) } else { ln_series(a, b, c, z) }
}

/// The sum of `(a)_k (b)_k / (c)_k z^k / k!`, rescaled before it overflows.
fn ln_series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    const HUGE: f64 = 1e250;
    let (mut term, mut sum, mut taken_out, mut k) = (1.0f64, 1.0f64, 0.0, 0.0);
    loop {
        let ratio = (a + k) * (b + k) / ((c + k) * (k + 1.0)) * z;
        term *= ratio;
        sum += term;
        k += 1.0;
        if sum > HUGE {
            term /= HUGE;
            sum /= HUGE;
            taken_out += HUGE.ln();
        }
        // Ratios tend to z: what is left out is less than a geometric series.
        let bound = ratio.max(z);
        if bound < 1.0 && term <= sum * 1e-17 * (1.0 - bound) {
            return sum.ln() + taken_out;
        }
        if k > 1e7 {
            return f64::NAN;
        }
    }
}

/// Euler's integral `1/B(b, c-b) ∫ s^(b-1) (1-s)^(c-b-1) (1 - z s)^-a ds` with `s = 1 / (1 + e^-y)`: the integrand over
/// y has no singularity nearer to the real line than π, whatever z is, so the trapezoidal rule converges like
/// e^(-2π²/step).
fn ln_euler(a: f64, b: f64, c: f64, z: f64, ln_remainder: f64) -> f64 {
    // 1 - z s = (1 - z + e^-y) / (1 + e^-y).
    let ln_integrand = |y: f64| {
        let ln_s = -ln_one_plus_exp(-y);
        let ln_rest = -ln_one_plus_exp(y);
        let ln_denominator = ln_add_exp(ln_remainder, ln_rest + z.ln());
        b * ln_s + (c - b) * ln_rest - a * ln_denominator
    };
    ln_trapezoidal(ln_integrand, c - b) - ln_beta(b, c - b)
}

/// `ln(e^a + e^b)` without overflow.
fn ln_add_exp(a: f64, b: f64) -> f64 {
    let (high, low) = if a >= b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

mod tests {
    use super::*;

    /// (a, b, c, z, ln 2F1), by mpmath with 40 digits.
    const KNOWN: &[(f64, f64, f64, f64, f64)] = &[
        (0.2426, 2.4259, 2.2188, 0.5, 0.187920916673361106),
        (26.2426, 28.4259, 28.2188, 0.6, 24.2266513045189988),
        (0.5, 0.5, 1.5, 0.999999, 0.450946382682744744),
        (5.3, 0.61, 1.7, 0.95, 10.6183857858524874),
        (3.1591, 1.6062, 4.1591, 0.02, 0.0246178810159623372),
        (3.1591, 1.6062, 4.1591, 0.98, 3.74581373496718898),
        (30.2, 1.01, 31.2, 0.999, 4.57803084182287818),
        (200.5, 3.2, 201.5, 0.85, 5.98661276142536786),
        (200.5, 3.2, 201.5, 0.99999999, 45.0378528595367947),
        (1.1, 0.05, 1.15, 0.9999, 0.378208919111025474),
        (0.3, 0.2, 0.1, 0.7, 0.660821229624818658),
        (2.5, 3.5, 4.5, -7.0, -4.37300429090747895),
        (2.5, 0.5, 4.5, -1000.0, -3.0780707121113535),
        (100.5, 0.3, 3.3, -50.0, -2.26087832219626862),
        (1.0, 2.0, 3.0, 0.9, 1.24218524081633974),
        (0.01, 0.02, 0.05, 0.97, 0.0134702817128684443),
        (1000.2, 12.3, 1001.2, 0.3, 4.38185271105851918),
        (26.2426, 0.7929, 29.2188, -1.48, -0.669534430130764384),
        (1000.0, 500.0, 2000.0, 0.99, 421.945944867370002),
        (0.001, 2.0, 2.001, 0.9, 0.00230019618681610619),
    ];

    #[test]
    fn values_are_those_of_mpmath() {
        for &(a, b, c, z, expected) in KNOWN {
            let value = ln_hypergeometric(a, b, c, z);
            let miss = (value - expected).abs();
            assert!(miss < 1e-12 * (1.0 + expected.abs()), "F({a}, {b}; {c}; {z}): {value} misses by {miss:e}");
        }
    }

    #[test]
    fn series_and_integral_agree_where_both_hold() {
        for (a, b, c) in [(3.3, 0.7, 4.3), (25.6, 1.6, 26.6), (0.2, 0.3, 0.9), (60.0, 2.0, 75.0)] {
            for z in [0.05f64, 0.5, 0.79, 0.9, 0.97] {
                let (series, integral) = (ln_series(a, b, c, z), ln_euler(a, b, c, z, (-z).ln_1p()));
                assert!((series - integral).abs() < 1e-12 * (1.0 + series), "{a} {b} {c} {z}: {series} {integral}");
            }
        }
    }

    #[test]
    fn what_lies_outside_is_not_a_number() {
        for (a, b, c, z) in [(-1.0, 1.0, 1.0, 0.5), (1.0, 1.0, 2.0, 1.0), (1.0, 1.0, 0.0, 0.5), (3.0, 3.0, 2.0, -1.0)] {
            assert!(ln_hypergeometric(a, b, c, z).is_nan());
        }
    }
}
