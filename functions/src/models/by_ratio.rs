//! The search for the maximum of a likelihood of two mixtures, over ratios of parameters.
//!
//! Such likelihoods run to a boundary where a mean stays while the spread around it vanishes: two parameters go to
//! infinity together. Over the first parameter of a pair and the ratio of the second to the first this is one
//! coordinate, and not a ridge that leaves the bounds of the search at an angle.

use super::{Evaluation, Maximum, Objective, Outcome, maximise};

/// A likelihood over `ln a, ln b/a, ln c, ln d/c` in place of `ln a, ln b, ln c, ln d`.
struct ByRatio<'a, O>(&'a O);

impl<O: Objective<4>> Objective<4> for ByRatio<'_, O> {
    fn evaluate(&self, at: &[f64; 4]) -> Evaluation<4> {
        let mut here = self.0.evaluate(&parameters(at));
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

/// The maximum, searched from starts that are logarithms of parameters. A boundary is named by coordinate: 0 and 2
/// are the first parameter of a pair, 1 and 3 the ratio of the second to it. All else is of the parameters.
///
/// The search ends with the first maximum inside that no earlier end is above, or when two starts have led to the same
/// boundary; a local maximum inside below a boundary is none.
pub fn maximum(objective: &impl Objective<4>, starts: &[[f64; 4]]) -> Option<Maximum<4>> {
    let by_ratio = ByRatio(objective);
    let to_ratios = |at: &[f64; 4]| [at[0], at[1] - at[0], at[2], at[3] - at[2]];
    let mut starts: Vec<_> = starts.iter().map(to_ratios).map(|at| (by_ratio.value(&at), at)).collect();
    starts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Option<Maximum<4>> = None;
    let mut iterations = 0;
    for (_, start) in starts {
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
