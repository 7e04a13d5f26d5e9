//! Special functions and small linear algebra, in the forms that likelihoods need.

use special::{Error, Gamma};

/// `ln Γ(x)` for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    // By its full name: the standard library is to have a method of this name with another answer.
    Gamma::ln_gamma(x).0
}

/// `ln B(a, b)`.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// `d ln Γ(x) / dx`.
pub fn digamma(x: f64) -> f64 {
    Gamma::digamma(x)
}

/// `d² ln Γ(x) / dx²`.
pub fn trigamma(x: f64) -> f64 {
    Gamma::trigamma(&x)
}

/// The value below which a standard normal variable lies with this probability.
pub fn normal_quantile(probability: f64) -> f64 {
    std::f64::consts::SQRT_2 * (2.0 * probability - 1.0).inv_error()
}

/// The lower Cholesky factor of a symmetric matrix, or nothing where it is not positive definite.
pub fn cholesky<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut factor = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let products: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = matrix[i][j] - products;
            factor[i][j] = if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / factor[j][j]
            };
        }
    }
    Some(factor)
}

/// Solves `L Lᵀ x = b`.
pub fn cholesky_solve<const N: usize>(factor: &[[f64; N]; N], b: &[f64; N]) -> [f64; N] {
    let mut x = *b;
    for i in 0..N {
        let products: f64 = (0..i).map(|k| factor[i][k] * x[k]).sum();
        x[i] = (x[i] - products) / factor[i][i];
    }
    for i in (0..N).rev() {
        let products: f64 = (i + 1..N).map(|k| factor[k][i] * x[k]).sum();
        x[i] = (x[i] - products) / factor[i][i];
    }
    x
}

/// The inverse of a positive definite matrix, or nothing where it is not one.
pub fn inverse<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let factor = cholesky(matrix)?;
    let mut result = [[0.0; N]; N];
    for i in 0..N {
        let mut unit = [0.0; N];
        unit[i] = 1.0;
        result[i] = cholesky_solve(&factor, &unit);
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz and Stegun, tables 6.1, 6.2 and 26.1.
    #[test]
    fn special_functions_have_the_values_of_the_tables() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        near(ln_gamma(0.5), 0.572_364_942_924_700_1);
        near(ln_gamma(10.0), 362_880f64.ln());
        near(ln_beta(2.0, 3.0), (1.0f64 / 12.0).ln());
        near(digamma(1.0), -0.577_215_664_901_532_9);
        near(trigamma(1.0), std::f64::consts::PI.powi(2) / 6.0);
        near(normal_quantile(0.975), 1.959_963_984_540_054);
    }

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let matrix = [[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]];
        let inverse = inverse(&matrix).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let cell: f64 = (0..3).map(|k| matrix[i][k] * inverse[k][j]).sum();
                assert!((cell - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        assert_eq!(cholesky(&[[1.0, 2.0], [2.0, 1.0]]), None);
    }
}
