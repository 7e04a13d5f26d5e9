//! Integrals of products of powers such as `(α + τ)^-k (β + τ)^-m` by Gauss-Legendre rules on short panels.
//!
//! The length of a panel is chosen so that the error term of the rule (Abramowitz and Stegun, 25.4.30), with the
//! derivatives of a power, stays below the rounding of a double.

/// Points and weights of a rule on [0, 1] (Abramowitz and Stegun, table 25.4, moved from [-1, 1]).
pub(super) type Rule = &'static [(f64, f64)];

const FOUR: Rule = &[
    (0.069_431_844_202_973_71, 0.173_927_422_568_726_8),
    (0.330_009_478_207_571_87, 0.326_072_577_431_273_1),
    (0.669_990_521_792_428_1, 0.326_072_577_431_273_1),
    (0.930_568_155_797_026_3, 0.173_927_422_568_726_8),
];

const EIGHT: Rule = &[
    (0.019_855_071_751_231_884, 0.050_614_268_145_188_13),
    (0.101_666_761_293_186_63, 0.111_190_517_226_687_24),
    (0.237_233_795_041_835_5, 0.156_853_322_938_943_64),
    (0.408_282_678_752_175_1, 0.181_341_891_689_181),
    (0.591_717_321_247_825, 0.181_341_891_689_181),
    (0.762_766_204_958_164_5, 0.156_853_322_938_943_64),
    (0.898_333_238_706_813_4, 0.111_190_517_226_687_24),
    (0.980_144_928_248_768_1, 0.050_614_268_145_188_13),
];

/// How fast an integrand falls at the beginning of a panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steepness {
    /// Minus the derivative of its logarithm.
    pub fall: f64,
    /// How far away its nearest singularity is.
    pub distance: f64,
}

/// The rule for a panel that begins where the integrand is so steep, and how long the panel may be: all of `length`,
/// or a part of it.
pub(super) fn panel(length: f64, steepness: Steepness) -> (f64, Rule) {
    let Steepness { fall, distance } = steepness;
    if length * (fall + 3.5 / distance) < 0.19 {
        return (length, FOUR);
    }
    (length.min(3.0 / (fall + 7.5 / distance)), EIGHT)
}

/// The integral of `exp(ln_value)` from `from` to `to`, measured in `exp(ln_unit)`. `at` gives the logarithm of the
/// integrand and how steep it is; it falls from there on.
pub(super) fn integral(
    from: f64,
    to: f64,
    ln_unit: f64,
    ln_value: impl Fn(f64) -> f64,
    steepness: impl Fn(f64) -> Steepness,
) -> f64 {
    let mut sum = 0.0;
    let mut at = from;
    while at < to {
        let (length, rule) = panel(to - at, steepness(at));
        let part: f64 =
            rule.iter().map(|(point, weight)| weight * (ln_value(at + length * point) - ln_unit).exp()).sum();
        sum += length * part;
        // What is left is smaller than the rounding of what is there, unless it is a tail that falls slowly.
        if part * (to - at) < 1e-18 * sum || at + length <= at {
            break;
        }
        at += length;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_integrated_to_the_last_digits() {
        for power in [1.2, 2.0, 7.0, 40.0, 900.0] {
            for (from, to) in [(0.0f64, 1e-3f64), (0.0, 0.3), (0.0, 9.0), (2.0, 80.0), (0.0, 1e9)] {
                let exact = ((0.7 + from).powf(1.0 - power) - (0.7 + to).powf(1.0 - power)) / (power - 1.0);
                let unit = -power * (0.7 + from).ln();
                let steepness = |at: f64| Steepness { fall: power / (0.7 + at), distance: 0.7 + at };
                let found = integral(from, to, unit, |at| -power * (0.7 + at).ln(), steepness);
                let exact = exact / unit.exp();
                assert!(
                    (found / exact - 1.0).abs() < 2e-13 || !exact.is_finite(),
                    "{power} {from} {to}: {found} {exact}"
                );
            }
        }
    }
}
