//! How well a score ranks those with the outcome above those without: areas under ROC curves, compared or not.
//! Everything is counted in whole numbers and divided once, at the end.

use super::tally::Counted;
use crate::models::numeric::normal_quantile;

/// Customers of one score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub score: f64,
    /// Those with the outcome.
    pub with: u64,
    /// Those without.
    pub without: u64,
}

/// Customers by score, ascending, from pairs of a score and an outcome in any order.
pub(super) fn by_score(pairs: impl Iterator<Item = (f64, f64, u64)>) -> Vec<Scored> {
    let mut scores: Vec<Scored> = pairs
        .map(|(score, outcome, count)| {
            let with = outcome > 0.5;
            Scored { score, with: if with { count } else { 0 }, without: if with { 0 } else { count } }
        })
        .collect();
    scores.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
    scores.dedup_by(|later, kept| {
        let same = later.score == kept.score;
        if same {
            kept.with += later.with;
            kept.without += later.without;
        }
        same
    });
    scores
}

/// Twice the number of pairs in which the one with the outcome has the higher score, a tie counted as half a pair.
fn twice_pairs_in_order(scores: &[Scored]) -> u128 {
    let mut without_below = 0u128;
    let mut twice = 0;
    for scored in scores {
        let (with, without) = (u128::from(scored.with), u128::from(scored.without));
        twice += with * (2 * without_below + without);
        without_below += without;
    }
    twice
}

/// The area under the ROC curve; nothing where there is only one outcome.
pub(super) fn area(scores: &[Scored]) -> Option<f64> {
    let (with, without) = totals(scores);
    let pairs = u128::from(with) * u128::from(without);
    (pairs > 0).then(|| twice_pairs_in_order(scores) as f64 / (2 * pairs) as f64)
}

/// Customers with the outcome, and without.
pub(super) fn totals(scores: &[Scored]) -> (u64, u64) {
    scores.iter().fold((0, 0), |(with, without), scored| (with + scored.with, without + scored.without))
}

/// Two scores of the same customers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    pub with: u64,
    pub without: u64,
    pub area: f64,
    pub baseline_area: f64,
    pub difference: f64,
    /// Nothing with fewer than two of an outcome.
    pub standard_error: Option<f64>,
}

impl Comparison {
    /// The 95 % interval of the difference.
    pub(super) fn interval(&self) -> Option<(f64, f64)> {
        let half = self.standard_error? * normal_quantile(0.975);
        Some((self.difference - half, self.difference + half))
    }
}

/// DeLong, DeLong and Clarke-Pearson (1988), equations 2 to 5, by ranks as Sun and Xu (2014), equations 10 to 14.
/// Rows are score, baseline and outcome.
pub(super) fn compare(rows: &[Counted<3>]) -> Option<Comparison> {
    let of = |k: usize| by_score(rows.iter().map(|row| (row.numbers[k], row.numbers[2], row.count)));
    let (scores, baselines) = (of(0), of(1));
    let (with, without) = totals(&scores);
    let (area, baseline_area) = (area(&scores)?, area(&baselines)?);
    // Of each customer, twice the number of the other outcome on the right side of the own, score less baseline.
    let (placements, baseline_placements) = (Placements::new(&scores), Placements::new(&baselines));
    let (mut moments_with, mut moments_without) = (Moments::default(), Moments::default());
    for row in rows {
        let [score, baseline, outcome] = row.numbers;
        let had_outcome = outcome > 0.5;
        let difference = placements.of(score, had_outcome) - baseline_placements.of(baseline, had_outcome);
        let moments = if had_outcome { &mut moments_with } else { &mut moments_without };
        moments.add(difference, row.count);
    }
    // The difference of the areas, from whole numbers: exactly 0 where both rank the same.
    let difference = moments_with.sum as f64 / (2.0 * with as f64 * without as f64);
    let variance = |moments: Moments, own: u64, other: u64| {
        let of_placements = moments.variance(own)? / (4.0 * (other as f64).powi(2));
        Some(of_placements / own as f64)
    };
    let standard_error = match (variance(moments_with, with, without), variance(moments_without, without, with)) {
        (Some(a), Some(b)) => Some((a + b).sqrt()),
        _ => None,
    };
    Some(Comparison { with, without, area, baseline_area, difference, standard_error })
}

/// Twice the number of customers of the other outcome that lie on the right side of a score.
struct Placements {
    scores: Vec<f64>,
    /// For one with the outcome: those without below, and half of those that tie.
    with: Vec<i128>,
    /// For one without the outcome: those with it above, and half of those that tie.
    without: Vec<i128>,
}

impl Placements {
    fn new(scores: &[Scored]) -> Placements {
        let (mut above, mut below) = (i128::from(totals(scores).0), 0i128);
        let mut placements = Placements { scores: Vec::new(), with: Vec::new(), without: Vec::new() };
        for scored in scores {
            let (with, without) = (i128::from(scored.with), i128::from(scored.without));
            above -= with;
            placements.scores.push(scored.score);
            placements.with.push(2 * below + without);
            placements.without.push(2 * above + with);
            below += without;
        }
        placements
    }

    fn of(&self, score: f64, had_outcome: bool) -> i128 {
        let place = self.scores.partition_point(|other| *other < score);
        if had_outcome { self.with[place] } else { self.without[place] }
    }
}

/// Sum and sum of squares of whole numbers.
#[derive(Clone, Copy, Default)]
struct Moments {
    sum: i128,
    squares: i128,
}

impl Moments {
    fn add(&mut self, number: i128, count: u64) {
        self.sum += number * i128::from(count);
        self.squares += number * number * i128::from(count);
    }

    /// The variance of so many numbers, with n - 1.
    fn variance(self, count: u64) -> Option<f64> {
        if count < 2 {
            return None;
        }
        let n = i128::from(count);
        let exact = n.checked_mul(self.squares).zip(self.sum.checked_mul(self.sum)).map(|(a, b)| (a - b) as f64);
        let scaled = exact.unwrap_or_else(|| n as f64 * self.squares as f64 - (self.sum as f64).powi(2));
        Some(scaled.max(0.0) / (n as f64 * (n - 1) as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn areas(pairs: &[(f64, bool)]) -> Option<f64> {
        area(&by_score(pairs.iter().map(|(score, outcome)| (*score, f64::from(u8::from(*outcome)), 1))))
    }

    /// Compares every pair.
    fn by_pairs(pairs: &[(f64, bool)]) -> Option<f64> {
        let scores = |outcome| pairs.iter().filter(move |pair| pair.1 == outcome).map(|pair| pair.0);
        let order = |a: f64, b: f64| if a > b { 2 } else { i32::from(a == b) };
        let points: Vec<i32> = scores(true).flat_map(|a| scores(false).map(move |b| order(a, b))).collect();
        (!points.is_empty()).then(|| f64::from(points.iter().sum::<i32>()) / (2 * points.len()) as f64)
    }

    /// The variance of the difference as the paper writes it: components per customer, their covariances.
    fn by_components(rows: &[(f64, f64, bool)]) -> f64 {
        let psi = |a: f64, b: f64| {
            if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            }
        };
        let (x, y): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.2);
        let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
        let pick = |row: &(f64, f64, bool), k: usize| if k == 0 { row.0 } else { row.1 };
        let of_x = |k| -> Vec<f64> {
            x.iter().map(|a| mean(&y.iter().map(|b| psi(pick(a, k), pick(b, k))).collect::<Vec<_>>())).collect()
        };
        let of_y = |k| -> Vec<f64> {
            y.iter().map(|b| mean(&x.iter().map(|a| psi(pick(a, k), pick(b, k))).collect::<Vec<_>>())).collect()
        };
        let covariance = |a: &[f64], b: &[f64]| {
            let products = a.iter().zip(b).map(|(p, q)| (p - mean(a)) * (q - mean(b)));
            products.sum::<f64>() / (a.len() - 1) as f64
        };
        let contrast = |a: &[f64], b: &[f64]| covariance(a, a) + covariance(b, b) - 2.0 * covariance(a, b);
        contrast(&of_x(0), &of_x(1)) / x.len() as f64 + contrast(&of_y(0), &of_y(1)) / y.len() as f64
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(pairs in prop::collection::vec((-5i8..5, any::<bool>()), 0..60)) {
            let pairs: Vec<_> = pairs.into_iter().map(|(score, outcome)| (f64::from(score), outcome)).collect();
            prop_assert_eq!(areas(&pairs), by_pairs(&pairs));
        }

        #[test]
        fn the_areas_of_a_score_and_its_negative_are_one(
            pairs in prop::collection::vec((-5i8..5, any::<bool>()), 2..60),
        ) {
            let turned = |sign: f64| -> Vec<_> { pairs.iter().map(|(s, o)| (sign * f64::from(*s), *o)).collect() };
            if let (Some(up), Some(down)) = (areas(&turned(1.0)), areas(&turned(-1.0))) {
                prop_assert!((up + down - 1.0).abs() < 1e-15);
            }
        }

        #[test]
        fn the_standard_error_is_that_of_the_paper(
            rows in prop::collection::vec((-5i8..5, -5i8..5, any::<bool>()), 4..60),
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(a, b, o)| (f64::from(a), f64::from(b), o)).collect();
            let with = rows.iter().filter(|row| row.2).count();
            prop_assume!(with >= 2 && rows.len() - with >= 2);
            let counted: Vec<_> = rows
                .iter()
                .map(|(a, b, o)| Counted { numbers: [*a, *b, f64::from(u8::from(*o))], count: 1 })
                .collect();
            let comparison = compare(&counted).unwrap();
            prop_assert!((comparison.difference - (comparison.area - comparison.baseline_area)).abs() < 1e-14);
            let error = comparison.standard_error.unwrap();
            prop_assert!((error.powi(2) - by_components(&rows)).abs() < 1e-13);
        }
    }
}
