//! Intervals of what is computed from a fit, by the delta method: the uncertainty of the parameters, carried on to a
//! quantity that depends on them smoothly. It is the uncertainty of the fit (how far an expectation or probability is
//! known), not the spread of what single customers will do.
//!
//! Source: Cramér, Mathematical Methods of Statistics (1946), section 28.4; with transformed limits as in Meeker and
//! Escobar, Statistical Methods for Reliability Data (1998), section 8.4.

use super::numeric::normal_quantile;

/// An estimate and the limits between which it lies with the stated confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The quantity at the fitted parameters.
    pub estimate: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
}

/// The scale on which the interval is symmetric, so that its limits stay where the quantity can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Any number.
    Identity,
    /// Above 0: counts, money, times.
    Log,
    /// Between 0 and 1: probabilities.
    Logit,
}

/// Width of the differences in a log-parameter. Their error is a 1e-9th of the quantity, and noise of 1e-12 in it
/// (series, quadratures) does no harm.
const STEP: f64 = 1e-4;

/// The parameters of a fit with their covariance, ready to be asked for many quantities.
///
/// A quantity is computed at [`Delta::points`], once per fit for what only depends on the parameters, and its values
/// there, in the same order, give [`Delta::interval`].
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    log_parameters: Vec<f64>,
    /// Row by row.
    covariance: Vec<f64>,
    /// Half the width of the interval in standard errors.
    z: f64,
}

impl Delta {
    /// From the logarithms of N parameters and the N x N covariance of those logarithms, row by row. Nothing where
    /// the sizes do not fit, a number is not finite, or `confidence` does not lie between 0 and 1.
    pub fn new(log_parameters: &[f64], covariance: &[f64], confidence: f64) -> Option<Delta> {
        let count = log_parameters.len();
        let finite = log_parameters.iter().chain(covariance).all(|number| number.is_finite());
        let possible = confidence > 0.0 && confidence < 1.0;
        (count > 0 && covariance.len() == count * count && finite && possible).then(|| Delta {
            log_parameters: log_parameters.to_vec(),
            covariance: covariance.to_vec(),
            z: normal_quantile(0.5 + 0.5 * confidence),
        })
    }

    /// The log-parameters themselves, then for each parameter a point above and a point below: 2 N + 1 of them.
    pub fn points(&self) -> Vec<Vec<f64>> {
        let mut points = vec![self.log_parameters.clone()];
        for i in 0..self.log_parameters.len() {
            for step in [STEP, -STEP] {
                let mut point = self.log_parameters.clone();
                point[i] += step;
                points.push(point);
            }
        }
        points
    }

    /// The interval of a quantity from its values at the [`Delta::points`]. Nothing where one of them is not finite,
    /// or one is missing.
    pub fn interval(&self, values: &[f64], scale: Scale) -> Option<Interval> {
        let count = self.log_parameters.len();
        if values.len() != 2 * count + 1 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        // A value at the edge itself (a probability of exactly 1) has no place on the open scale.
        let open = values.iter().all(|value| scale.forth(*value).is_finite());
        let used = if open { scale } else { Scale::Identity };
        let gradient: Vec<f64> = (0..count)
            .map(|i| (used.forth(values[2 * i + 1]) - used.forth(values[2 * i + 2])) / (2.0 * STEP))
            .collect();
        let half = self.z * self.standard_error(&gradient);
        let centre = used.forth(values[0]);
        let limit = |at: f64| scale.within(used.back(at));
        let (low, high) =
            if half == 0.0 { (values[0], values[0]) } else { (limit(centre - half), limit(centre + half)) };
        Some(Interval { estimate: values[0], low, high })
    }

    /// The interval of a quantity that is cheap enough to be computed anew at every point.
    pub fn interval_of(&self, quantity: impl Fn(&[f64]) -> f64, scale: Scale) -> Option<Interval> {
        let values: Vec<f64> = self.points().iter().map(|point| quantity(point)).collect();
        self.interval(&values, scale)
    }

    fn standard_error(&self, gradient: &[f64]) -> f64 {
        let rows = self.covariance.chunks(gradient.len()).zip(gradient);
        let variance: f64 = rows.map(|(row, g)| g * row.iter().zip(gradient).map(|(c, h)| c * h).sum::<f64>()).sum();
        // Rounding may leave a variance of zero a little below it.
        variance.max(0.0).sqrt()
    }
}

impl Scale {
    fn forth(self, value: f64) -> f64 {
        match self {
            Scale::Identity => value,
            Scale::Log => value.ln(),
            Scale::Logit => value.ln() - (-value).ln_1p(),
        }
    }

    fn back(self, value: f64) -> f64 {
        match self {
            Scale::Identity => value,
            Scale::Log => value.exp(),
            Scale::Logit => 1.0 / (1.0 + (-value).exp()),
        }
    }

    fn within(self, value: f64) -> f64 {
        match self {
            Scale::Identity => value,
            Scale::Log => value.max(0.0),
            Scale::Logit => value.clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Z: f64 = 1.959_963_984_540_054;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-7 * b.abs().max(1.0), "{a} is not {b}");
    }

    fn delta() -> Delta {
        Delta::new(&[2f64.ln(), 3f64.ln()], &[0.04, 0.01, 0.01, 0.09], 0.95).unwrap()
    }

    /// The product of the parameters is exp(sum of logs): on the log scale the variance is the sum of all cells.
    #[test]
    fn a_product_of_parameters_has_the_variance_of_the_sum_of_logarithms() {
        let interval = delta().interval_of(|p| (p[0] + p[1]).exp(), Scale::Log).unwrap();
        near(interval.estimate, 6.0);
        near(interval.low, 6.0 * (-Z * 0.15f64.sqrt()).exp());
        near(interval.high, 6.0 * (Z * 0.15f64.sqrt()).exp());
    }

    /// The logit of a / (a + b) is ln a - ln b: its variance is 0.04 + 0.09 - 2 * 0.01.
    #[test]
    fn a_share_has_the_variance_of_the_difference_of_logarithms() {
        let interval = delta().interval_of(|p| 1.0 / (1.0 + (p[1] - p[0]).exp()), Scale::Logit).unwrap();
        let limit = |side: f64| 1.0 / (1.0 + (1.5f64.ln() - side * Z * 0.11f64.sqrt()).exp());
        near(interval.estimate, 0.4);
        near(interval.low, limit(-1.0));
        near(interval.high, limit(1.0));
    }

    /// A linear quantity of the first log-parameter alone.
    #[test]
    fn without_a_scale_the_interval_is_symmetric() {
        let interval = delta().interval_of(|p| 1.0 - 5.0 * p[0], Scale::Identity).unwrap();
        near(interval.high - interval.estimate, Z * 5.0 * 0.2);
        near(interval.estimate - interval.low, Z * 5.0 * 0.2);
    }

    #[test]
    fn what_does_not_depend_on_the_parameters_is_known_exactly() {
        for (value, scale) in [(1.0, Scale::Logit), (0.0, Scale::Logit), (0.0, Scale::Log), (-3.0, Scale::Identity)] {
            let interval = delta().interval(&[value; 5], scale).unwrap();
            assert_eq!(interval, Interval { estimate: value, low: value, high: value });
        }
    }

    #[test]
    fn at_the_edge_limits_stay_where_the_quantity_can_be() {
        let interval = delta().interval(&[1.0, 1.0, 0.999_99, 1.0, 1.0], Scale::Logit).unwrap();
        assert!(interval.low < 1.0 && interval.low >= 0.0 && interval.high == 1.0, "{interval:?}");
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(delta().interval(&[f64::INFINITY; 5], Scale::Log), None);
        assert_eq!(delta().interval(&[1.0; 4], Scale::Log), None);
        assert_eq!(Delta::new(&[0.0], &[1.0, 2.0], 0.95), None);
        assert_eq!(Delta::new(&[0.0], &[f64::NAN], 0.95), None);
        assert_eq!(Delta::new(&[0.0], &[1.0], 1.0), None);
    }
}
