//! Integrals and sums that Gauss' hypergeometric function 2F1 stands for in the papers, in forms whose terms are all
//! positive, so that nothing cancels.

use super::numeric::ln_gamma;

/// `ln(1 + e^y)`.
pub(crate) fn ln_one_plus_exp(y: f64) -> f64 {
    y.max(0.0) + (-y.abs()).exp().ln_1p()
}

/// The logarithm of the integral over the whole line of a positive function with one hump and exponential tails,
/// given as its logarithm. To the right it falls like `e^(-fall y)` in the end.
pub(crate) fn ln_trapezoidal(ln_integrand: impl Fn(f64) -> f64, fall: f64) -> f64 {
    let mut step = 0.5;
    let (middle, top) = hump(&ln_integrand);
    let mut last = f64::NAN;
    // Halving the step squares the error, so that a sum that has moved by 1e-8 is right to 1e-15.
    for _ in 0..6 {
        let sum = [1.0, -1.0].iter().map(|side| side_sum(&ln_integrand, middle, top, side * step, fall)).sum::<f64>();
        let value = top + (step * (sum + (ln_integrand(middle) - top).exp())).ln();
        if (value - last).abs() < 1e-8 {
            return value;
        }
        last = value;
        step /= 2.0;
    }
    last
}

/// From here on to the right, a logistic function is 1.
const RIGHT: f64 = 40.0;

/// The sum over one side of the hump, until the rest is negligible, or a geometric series: a tail to the right with a
/// small `fall` would take 40 / fall terms.
fn side_sum(ln_integrand: &impl Fn(f64) -> f64, middle: f64, top: f64, step: f64, fall: f64) -> f64 {
    let (mut sum, mut before, mut ln_before) = (0.0, 0.0, f64::NAN);
    for k in 1..1_000_000 {
        let at = middle + f64::from(k) * step;
        let ln_term = ln_integrand(at) - top;
        let term = ln_term.exp();
        sum += term;
        if at > RIGHT && step > 0.0 && (ln_term - ln_before + fall * step).abs() < 1e-13 {
            return sum + term / (fall * step).exp_m1();
        }
        let ratio = term / before;
        if term == 0.0 || term.is_nan() || (ratio < 1.0 && term * ratio <= 1e-17 * (1.0 - ratio) * (sum + 1.0)) {
            break;
        }
        (before, ln_before) = (term, ln_term);
    }
    sum
}

/// About where the function is highest, and how high.
fn hump(ln_integrand: &impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut at, mut top) = (0.0, ln_integrand(0.0));
    let mut stride = 16.0;
    while stride >= 0.5 {
        let (left, right) = (ln_integrand(at - stride), ln_integrand(at + stride));
        if left > top && left >= right {
            (at, top) = (at - stride, left);
        } else if right > top {
            (at, top) = (at + stride, right);
        } else {
            stride /= 2.0;
        }
    }
    (at, top)
}

/// `2F1(1, b; c; z)` for 0 < b < c and 0 < z < 1, by the continued fraction of Gauss (DLMF 15.7.5 with a = 0), which
/// takes about 9 / sqrt(1 - z) steps where the series takes 37 / (1 - z). Its numerators lie between 0 and z.
pub fn hypergeometric_with_one(b: f64, c: f64, z: f64) -> f64 {
    // 1 / (1 - u1 z / (1 - u2 z / (1 - ...))) as a quotient of two sequences, by Wallis' recurrence with rescaling.
    let (mut above, mut above_before) = (1.0, 0.0);
    let (mut below, mut below_before) = (1.0, 1.0);
    let mut value = 1.0;
    for step in 0..1_000_000 {
        let n = f64::from(step);
        let odd = (b + n) * (c - 1.0 + n) / ((c + 2.0 * n - 1.0) * (c + 2.0 * n));
        let even = (n + 1.0) * (c - b + n) / ((c + 2.0 * n) * (c + 2.0 * n + 1.0));
        for numerator in [odd * z, even * z] {
            let next = (above - numerator * above_before, below - numerator * below_before);
            (above_before, below_before) = (above / next.1, below / next.1);
            (above, below) = (next.0 / next.1, 1.0);
        }
        if (above - value).abs() <= 1e-15 * above.abs() {
            break;
        }
        value = above;
    }
    above
}

/// `ln (a)_n`, the rising factorial `a (a + 1) ... (a + n - 1)`.
pub fn ln_rising(a: f64, n: f64) -> f64 {
    ln_gamma(a + n) - ln_gamma(a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::closed_form::ln_hypergeometric;

    #[test]
    fn the_fraction_is_the_function() {
        for (b, c, z) in [(1.7, 2.4, 0.9), (3.8, 4.9, 0.99), (12.0, 12.1, 0.5), (0.2, 30.0, 0.97)] {
            let (fraction, expected) = (hypergeometric_with_one(b, c, z), ln_hypergeometric(1.0, b, c, z).exp());
            assert!((fraction - expected).abs() < 1e-12 * expected, "F(1, {b}; {c}; {z}): {fraction}, {expected}");
        }
    }
}
