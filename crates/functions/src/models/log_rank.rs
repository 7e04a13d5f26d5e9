//! The log-rank test: whether groups of customers stay equally long.
//!
//! Sources: Mantel (1966); Peto and Peto, Asymptotically efficient rank invariant test procedures (1972); with the
//! hypergeometric variance of Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data (1980),
//! eq. 1.20 and 1.21.

use super::kaplan_meier::Seen;
use super::numeric::ln_gamma;
use special::Error;

/// One group in the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Customers in it.
    pub customers: u64,
    /// How many of them ended.
    pub observed: u64,
    /// How many would have, had all groups the same rate at every time.
    pub expected: f64,
}

/// The answer of the test.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRank {
    /// The groups in the order given.
    pub groups: Vec<Group>,
    /// How far observed and expected lie apart, weighed by the covariance.
    pub chi_square: f64,
    /// The rank of the covariance: groups less one, less those that were never at risk beside another. At 0 there is
    /// nothing to compare.
    pub degrees_of_freedom: usize,
}

/// The test over groups, each ascending by time.
pub fn log_rank(groups: &[Vec<Seen>]) -> LogRank {
    let count = groups.len();
    let mut table: Vec<Group> = groups.iter().map(|seen| group(seen)).collect();
    let mut at_risk: Vec<f64> = table.iter().map(|group| group.customers as f64).collect();
    // The covariance is the sum over times of w (n nⱼ [j = k] - nⱼ nₖ) with w = d (n - d) / (n² (n - 1)). As nₖ is
    // the number of those who go at this time or later, w nⱼ nₖ is summed over them: whoever goes from group k adds
    // the weights of group j passed so far. That costs groups x distinct times, not groups² x times.
    let mut passed = vec![0.0; count];
    let mut products = vec![vec![0.0; count]; count];
    let mut diagonal = vec![0.0; count];
    for moment in moments(groups) {
        let total: f64 = at_risk.iter().sum();
        let ended: f64 = moment.iter().map(|(_, seen)| seen.ended as f64).sum();
        let weight = if total > 1.0 { ended * (total - ended) / (total * total * (total - 1.0)) } else { 0.0 };
        for j in 0..count {
            table[j].expected += ended * at_risk[j] / total;
            passed[j] += weight * at_risk[j];
            diagonal[j] += weight * at_risk[j] * total;
        }
        for (k, seen) in moment {
            let gone = (seen.ended + seen.left) as f64;
            at_risk[k] -= gone;
            for (product, passed) in products[k].iter_mut().zip(&passed) {
                *product += gone * passed;
            }
        }
    }
    let mut covariance = products;
    for (k, row) in covariance.iter_mut().enumerate() {
        row.iter_mut().for_each(|cell| *cell = -*cell);
        row[k] += diagonal[k];
    }
    let difference = table.iter().map(|group| group.observed as f64 - group.expected).collect();
    // What is left of the diagonal where everything cancels is rounding.
    let rounding = 1e-10 * diagonal.iter().fold(0.0, |a: f64, b| a.max(*b));
    let (chi_square, degrees_of_freedom) = quadratic_form(covariance, difference, rounding);
    LogRank { groups: table, chi_square, degrees_of_freedom }
}

fn group(seen: &[Seen]) -> Group {
    let customers = seen.iter().map(|seen| seen.ended + seen.left).sum();
    Group { customers, observed: seen.iter().map(|seen| seen.ended).sum(), expected: 0.0 }
}

/// What was seen at each time in any of the groups, by time, each with the number of its group.
fn moments(groups: &[Vec<Seen>]) -> Vec<Vec<(usize, Seen)>> {
    let numbered = groups.iter().enumerate().flat_map(|(k, seen)| seen.iter().map(move |seen| (k, *seen)));
    let mut all: Vec<(usize, Seen)> = numbered.collect();
    all.sort_by(|a, b| a.1.time.total_cmp(&b.1.time).then(a.0.cmp(&b.0)));
    all.chunk_by(|a, b| a.1.time == b.1.time).map(<[_]>::to_vec).collect()
}

/// `xᵀ V⁻ x` with a generalised inverse of V, and the rank of V: elimination with the largest pivot first, to where
/// only rounding is left.
fn quadratic_form(mut matrix: Vec<Vec<f64>>, mut x: Vec<f64>, rounding: f64) -> (f64, usize) {
    let count = x.len();
    let mut form = 0.0;
    let mut left: Vec<usize> = (0..count).collect();
    while let Some(place) =
        (0..left.len()).max_by(|&i, &j| matrix[left[i]][left[i]].total_cmp(&matrix[left[j]][left[j]]))
    {
        let pivot = left[place];
        let value = matrix[pivot][pivot];
        if value <= rounding {
            break;
        }
        left.remove(place);
        form += x[pivot] * x[pivot] / value;
        let row = matrix[pivot].clone();
        for &i in &left {
            let share = row[i] / value;
            x[i] -= share * x[pivot];
            for &j in &left {
                matrix[i][j] -= share * row[j];
            }
        }
    }
    (form, count - left.len())
}

/// The probability that a chi-square variable is greater than `x`, by the finite series for whole degrees of freedom,
/// in which nothing cancels: Abramowitz and Stegun (1964), 26.4.4 and 26.4.5.
pub fn chi_square_tail(x: f64, degrees_of_freedom: usize) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let half = 0.5 * x;
    let odd = degrees_of_freedom % 2 == 1;
    let first = if odd { half.sqrt().compl_error() } else { 0.0 };
    let shift = if odd { 0.5 } else { 0.0 };
    // Power and exponential in one go: either alone may be beyond the numbers.
    let terms = (0..degrees_of_freedom / 2).map(|j| {
        let power = j as f64 + shift;
        (power * half.ln() - half - ln_gamma(power + 1.0)).exp()
    });
    (first + terms.sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use special::Gamma;

    fn seen(rows: &[(f64, u64, u64)]) -> Vec<Seen> {
        rows.iter().map(|&(time, ended, left)| Seen { time, ended, left }).collect()
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} is not {b}");
    }

    /// Freireich et al. (1963): 16.793 and the expected relapses 19.25 and 10.75 of Kalbfleisch and Prentice (1980),
    /// section 1.4; further digits from lifelines 0.30.3, `logrank_test`.
    #[test]
    fn remission_differs_as_published() {
        let six_mp = [(6.0, 3, 1), (7.0, 1, 0), (9.0, 0, 1), (10.0, 1, 1), (11.0, 0, 1), (13.0, 1, 0), (16.0, 1, 0)];
        let later = [(17.0, 0, 1), (19.0, 0, 1), (20.0, 0, 1), (22.0, 1, 0), (23.0, 1, 0), (25.0, 0, 1)];
        let six_mp = seen(&[six_mp.as_slice(), &later, &[(32.0, 0, 2), (34.0, 0, 1), (35.0, 0, 1)]].concat());
        let control = [(1.0, 2, 0), (2.0, 2, 0), (3.0, 1, 0), (4.0, 2, 0), (5.0, 2, 0), (8.0, 4, 0), (11.0, 2, 0)];
        let later = [(12.0, 2, 0), (15.0, 1, 0), (17.0, 1, 0), (22.0, 1, 0), (23.0, 1, 0)];
        let control = seen(&[control.as_slice(), &later].concat());
        let test = log_rank(&[six_mp, control]);
        near(test.chi_square, 16.792_940_989_216_547);
        assert_eq!(test.degrees_of_freedom, 1);
        near(chi_square_tail(test.chi_square, 1) / 4.168_809_109_334_511e-5, 1.0);
        assert!((test.groups[0].expected - 19.25).abs() < 0.005 && (test.groups[1].expected - 10.75).abs() < 0.005);
        assert_eq!((test.groups[0].observed, test.groups[1].observed), (9, 21));
    }

    #[test]
    fn where_nothing_can_be_compared_there_is_no_degree_of_freedom() {
        assert_eq!(log_rank(&[seen(&[(1.0, 3, 0), (2.0, 1, 1)])]).degrees_of_freedom, 0);
        assert_eq!(log_rank(&[]).degrees_of_freedom, 0);
        assert_eq!(log_rank(&[seen(&[(1.0, 0, 4)]), seen(&[(1.0, 0, 4)])]).degrees_of_freedom, 0);
        // All at once: whoever is at risk ends, whatever the group.
        assert_eq!(log_rank(&[seen(&[(1.0, 3, 0)]), seen(&[(1.0, 4, 0)])]).degrees_of_freedom, 0);
        // The third group was out of sight before anybody ended.
        let test = log_rank(&[seen(&[(2.0, 3, 2)]), seen(&[(2.0, 1, 0), (3.0, 2, 1)]), seen(&[(1.0, 0, 9)])]);
        assert_eq!(test.degrees_of_freedom, 1);
    }

    /// Against the regularised incomplete gamma function, and the ends of its range.
    #[test]
    fn the_tail_is_the_incomplete_gamma_function() {
        for degrees in 1..12 {
            for x in [0.1, 1.0, 3.84, 10.0, 25.0] {
                near(chi_square_tail(x, degrees), 1.0 - (0.5 * x).inc_gamma(0.5 * degrees as f64));
            }
        }
        near(chi_square_tail(200.0, 2) / (-100f64).exp(), 1.0);
        assert_eq!(chi_square_tail(0.0, 3), 1.0);
        assert!((chi_square_tail(3000.0, 3000) - 0.5).abs() < 0.01);
    }

    /// The covariance as the books write it, time by time.
    fn plainly(groups: &[Vec<Seen>]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let count = groups.len();
        let mut times: Vec<f64> = groups.iter().flatten().map(|seen| seen.time).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let mut difference = vec![0.0; count];
        let mut covariance = vec![vec![0.0; count]; count];
        for time in times {
            let at_risk =
                |g: &Vec<Seen>| g.iter().filter(|s| s.time >= time).map(|s| s.ended + s.left).sum::<u64>() as f64;
            let n: Vec<f64> = groups.iter().map(at_risk).collect();
            let ends = |g: &Vec<Seen>| g.iter().filter(|s| s.time == time).map(|s| s.ended).sum::<u64>() as f64;
            let d: Vec<f64> = groups.iter().map(ends).collect();
            let (all, ended) = (n.iter().sum::<f64>(), d.iter().sum::<f64>());
            for j in 0..count {
                difference[j] += d[j] - ended * n[j] / all;
                for k in 0..count {
                    let same = if j == k { 1.0 } else { 0.0 };
                    if all > 1.0 {
                        covariance[j][k] += n[j] / all * (same - n[k] / all) * ended * (all - ended) / (all - 1.0);
                    }
                }
            }
        }
        (difference, covariance)
    }

    fn any_group() -> impl Strategy<Value = Vec<Seen>> {
        proptest::collection::btree_map(0u32..30, (0u64..5, 0u64..5), 0..20).prop_map(|map| {
            map.into_iter().map(|(time, (ended, left))| Seen { time: f64::from(time), ended, left: left + 1 }).collect()
        })
    }

    proptest! {
        #[test]
        fn observed_and_expected_have_one_sum(groups in proptest::collection::vec(any_group(), 1..6)) {
            let test = log_rank(&groups);
            let observed: u64 = test.groups.iter().map(|group| group.observed).sum();
            let expected: f64 = test.groups.iter().map(|group| group.expected).sum();
            prop_assert!((observed as f64 - expected).abs() < 1e-9);
            prop_assert!(test.degrees_of_freedom < groups.len());
            prop_assert!(test.chi_square >= 0.0);
        }

        #[test]
        fn it_is_the_form_of_the_books(groups in proptest::collection::vec(any_group(), 2..6)) {
            let (difference, covariance) = plainly(&groups);
            let test = log_rank(&groups);
            let (form, rank) = quadratic_form(covariance, difference, 1e-10);
            prop_assert_eq!(rank, test.degrees_of_freedom);
            prop_assert!((form - test.chi_square).abs() < 1e-7 * form.max(1.0));
        }

        #[test]
        fn the_order_of_groups_does_not_matter(groups in proptest::collection::vec(any_group(), 2..6)) {
            let turned: Vec<_> = groups.iter().rev().cloned().collect();
            let (one, other) = (log_rank(&groups), log_rank(&turned));
            prop_assert_eq!(one.degrees_of_freedom, other.degrees_of_freedom);
            prop_assert!((one.chi_square - other.chi_square).abs() < 1e-7 * one.chi_square.max(1.0));
        }
    }
}
