//! The search for the maximum of a likelihood of two mixtures, over ratios of parameters.
//!
//! Such likelihoods run to a boundary where a mean stays while the spread around it vanishes: two parameters go to
//! infinity together. Over the first parameter of a pair and the ratio of the second to the first this is one
//! coordinate, and not a ridge that leaves the bounds of the search at an angle.

use super::{Evaluation, Maximum, Objective, Outcome, maximise};

/// A likelihood over `ln a, ln b/a, ln c, ln d/c` in place of `ln a, ln b, ln c, ln d`.
struct ByRatio<'a, O> {
    objective: &'a O,
}

impl<O: Objective<4>> Objective<4> for ByRatio<'_, O> {
    fn evaluate(&self, at: &[f64; 4]) -> Evaluation<4> {
        let mut here = self.objective.evaluate(&parameters(at));
        for first in [0, 2] {
            here.gradient[first] += here.gradient[first + 1];
            for row in &mut here.hessian {
                row[first] += row[first + 1];
            }
            let second = here.hessian[first + 1];
            for (cell, other) in here.hessian[first].iter_mut().zip(second) {
                *cell += other;
            }
        }
        here
    }
}

fn parameters(at: &[f64; 4]) -> [f64; 4] {
    [at[0], at[0] + at[1], at[2], at[2] + at[3]]
}

/// The maximum, searched from starts that are logarithms of parameters, the likeliest first. A boundary is named by
/// coordinate: 0 and 2 are the first parameter of a pair, 1 and 3 the ratio of the second to it. All else is of the
/// parameters.
///
/// The search ends with the first maximum inside that no earlier end is above, or when two starts have led to the same
/// boundary; a local maximum inside below a boundary is none.
pub fn maximum(objective: &impl Objective<4>, starts: &[[f64; 4]]) -> Option<Maximum<4>> {
    let by_ratio = ByRatio { objective };
    let mut best: Option<Maximum<4>> = None;
    let mut iterations = 0;
    for at in starts {
        let start = [at[0], at[1] - at[0], at[2], at[3] - at[2]];
        let Some(end) = maximise(&by_ratio, &[start]) else { continue };
        iterations += end.iterations;
        let again = best.is_some_and(|best| best.outcome == end.outcome && end.outcome != Outcome::NotConverged);
        let highest = best.is_none_or(|best| end.evaluation.value > best.evaluation.value);
        if highest {
            best = Some(end);
        }
        if again || (highest && end.outcome == Outcome::Converged) {
            break;
        }
    }
    let end = best?;
    let at = parameters(&end.at);
    Some(Maximum { at, evaluation: objective.evaluate(&at), iterations, outcome: end.outcome })
}

#[cfg(test)]
mod tests {
    use super::super::bg_bb::{BgBb, Likelihood, starts};
    use super::super::jet::check_derivatives;
    use super::super::{History, PurchaseModel};
    use super::*;

    fn likelihood(rows: &[(f64, f64, f64, f64)]) -> Likelihood {
        Likelihood::new(rows.iter().map(|&(frequency, recency, age, weight)| {
            let history = History { frequency, recency, age };
            (history, weight)
        }))
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let objective = likelihood(&[(0.0, 0.0, 4.0, 9.0), (2.0, 3.0, 4.0, 5.0), (4.0, 4.0, 4.0, 2.0)]);
        for at in [[0.0; 4], [0.5, -1.0, -0.3, 2.0]] {
            check_derivatives(&ByRatio { objective: &objective }, at);
        }
    }

    /// What comes out as expected of a model with one probability to buy, 1/2, and none to drop out.
    #[test]
    fn customers_without_any_difference_are_a_boundary_named_by_the_spread() {
        let rows = [(0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 3.0, 1.0), (2.0, 2.0, 1.0)];
        let rows: Vec<_> =
            rows.iter().chain(&[(2.0, 3.0, 2.0), (3.0, 3.0, 1.0)]).map(|r| (r.0, r.1, 3.0, r.2)).collect();
        let end = maximum(&likelihood(&rows), &starts(0.5)).unwrap();
        assert!(matches!(end.outcome, Outcome::Boundary { .. }), "{end:?}");
        let model = BgBb::new(end.at.map(f64::exp));
        assert!((model.expected_purchases_new(3.0) - 1.5).abs() < 1e-3, "{end:?}");
    }
}
