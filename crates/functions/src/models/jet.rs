//! Sums of positive terms, carried with their derivatives: how the likelihood of a mixture is differentiated exactly.

use super::Evaluation;

/// Places of a symmetric 4 x 4 matrix, row by row from the diagonal.
const PAIRS: [(usize, usize); 10] = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)];

/// The logarithm of a term, differentiated by four log-parameters that come in two pairs: within a pair second
/// derivatives exist, across pairs they are zero (a product of something of the first pair and of the second).
#[derive(Clone, Copy, Debug)]
pub(super) struct Slopes {
    /// First derivatives.
    pub first: [f64; 4],
    /// Second derivatives by (0, 0), (0, 1), (1, 1), (2, 2), (2, 3), (3, 3).
    pub second: [f64; 6],
}

/// A sum of terms and its first and second derivatives by four log-parameters, all measured in a number that is not
/// differentiated, so that nothing over- or underflows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Jet {
    /// The sum.
    pub value: f64,
    first: [f64; 4],
    second: [f64; 10],
}

impl Jet {
    /// Adds a term of this value, whose logarithm has these slopes.
    #[inline]
    pub fn add_term(&mut self, value: f64, slopes: &Slopes) {
        let f = &slopes.first;
        let [s00, s01, s11, s22, s23, s33] = slopes.second;
        let second = [s00, s01, 0.0, 0.0, s11, 0.0, 0.0, s22, s23, s33];
        self.value += value;
        for (sum, slope) in self.first.iter_mut().zip(f) {
            *sum += value * slope;
        }
        for (k, (i, j)) in PAIRS.into_iter().enumerate() {
            self.second[k] += value * (f[i] * f[j] + second[k]);
        }
    }

    /// Adds `factor` times another sum.
    #[inline]
    pub fn add(&mut self, factor: f64, other: &Jet) {
        self.value += factor * other.value;
        for i in 0..4 {
            self.first[i] += factor * other.first[i];
        }
        for k in 0..10 {
            self.second[k] += factor * other.second[k];
        }
    }

    /// This sum times a number.
    #[inline]
    pub fn times(mut self, factor: f64) -> Jet {
        let whole = self;
        self = Jet::default();
        self.add(factor, &whole);
        self
    }

    /// Adds `weight` times the logarithm of this sum, whose scale has the logarithm `ln_scale`, to a log-likelihood.
    #[inline]
    pub fn add_log(&self, weight: f64, ln_scale: f64, total: &mut LogSum) {
        let first = self.first.map(|derivative| derivative / self.value);
        total.value += weight * (self.value.ln() + ln_scale);
        for (sum, slope) in total.first.iter_mut().zip(first) {
            *sum += weight * slope;
        }
        for (k, (i, j)) in PAIRS.into_iter().enumerate() {
            total.second[k] += weight * (self.second[k] / self.value - first[i] * first[j]);
        }
    }
}

/// A log-likelihood that is being added up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogSum {
    value: f64,
    first: [f64; 4],
    second: [f64; 10],
}

impl LogSum {
    /// Adds `weight` times a term with these slopes.
    pub fn add_term(&mut self, weight: f64, value: f64, slopes: &Slopes) {
        let [s00, s01, s11, s22, s23, s33] = slopes.second;
        self.value += weight * value;
        for i in 0..4 {
            self.first[i] += weight * slopes.first[i];
        }
        for (k, second) in [(0, s00), (1, s01), (4, s11), (7, s22), (8, s23), (9, s33)] {
            self.second[k] += weight * second;
        }
    }

    /// The sum as the search wants it.
    pub fn evaluation(&self) -> Evaluation<4> {
        let mut hessian = [[0.0; 4]; 4];
        for (k, (i, j)) in PAIRS.into_iter().enumerate() {
            hessian[i][j] = self.second[k];
            hessian[j][i] = self.second[k];
        }
        Evaluation { value: self.value, gradient: self.first, hessian }
    }
}

/// Tests shared by the likelihoods: derivatives against differences of the value.
#[cfg(test)]
pub(super) fn check_derivatives(objective: &impl super::Objective<4>, at: [f64; 4]) {
    let here = objective.evaluate(&at);
    let step = 1e-4;
    let beside = |i: usize, by: f64| {
        let mut at = at;
        at[i] += by;
        objective.evaluate(&at)
    };
    for i in 0..4 {
        let (up, down) = (beside(i, step), beside(i, -step));
        let slope = (up.value - down.value) / (2.0 * step);
        let size = 1.0 + here.value.abs();
        assert!((slope - here.gradient[i]).abs() < 1e-6 * size, "{at:?}: {slope} is not {:?}", here.gradient);
        for j in 0..4 {
            let slope = (up.gradient[j] - down.gradient[j]) / (2.0 * step);
            let cell = here.hessian[i][j];
            assert!((slope - cell).abs() < 1e-6 * (size + cell.abs()), "{at:?}: {i} {j}: {slope} is not {cell}");
        }
    }
}
