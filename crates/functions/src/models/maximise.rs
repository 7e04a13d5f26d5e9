//! The maximum of a likelihood with few parameters: Newton's method with damping, so that every step goes up.
//!
//! Own code because no maintained crate fits: ten thousand groups are fitted in one query, every likelihood here has exact
//! second derivatives, and what matters is the verdict at the end (inside, on a boundary, lost), which argmin's trust
//! region does not give: it has no test of convergence at all.
//!
//! Source: Nocedal and Wright, Numerical Optimization (2006), chapters 3 and 4; damping after Marquardt (1963).

use super::numeric::{cholesky, cholesky_solve};

/// A likelihood and its derivatives at a point of log-parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation<const N: usize> {
    /// The log-likelihood.
    pub value: f64,
    /// Its first derivatives with respect to the log-parameters.
    pub gradient: [f64; N],
    /// Its second derivatives, symmetric.
    pub hessian: [[f64; N]; N],
}

/// A log-likelihood as a function of the logarithms of its parameters.
pub trait Objective<const N: usize> {
    /// Value and derivatives. A point outside the domain gives a value that is not finite.
    fn evaluate(&self, log_parameters: &[f64; N]) -> Evaluation<N>;
    /// The value alone, where that is cheaper.
    fn value(&self, log_parameters: &[f64; N]) -> f64 {
        self.evaluate(log_parameters).value
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At a maximum inside, with negative definite second derivatives.
    Converged,
    /// The likelihood still rises where this parameter (by number) is as small or as large as is allowed.
    Boundary {
        /// Number of the parameter.
        parameter: usize,
        /// Whether it runs to infinity; else to zero.
        upwards: bool,
    },
    /// The steps were used up, or the likelihood could not be computed.
    NotConverged,
}

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Maximum<const N: usize> {
    /// Logarithms of the parameters.
    pub at: [f64; N],
    /// Value and derivatives there.
    pub evaluation: Evaluation<N>,
    /// Steps taken, over all starts tried.
    pub iterations: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// No logarithm of a parameter goes beyond ±this: parameters from 1/22,000 to 22,000 with time scaled to a mean of 10.
pub const BOUND: f64 = 10.0;

/// The rise that a Newton step still promises, in units of log-likelihood, below which a search is at its end: a
/// parameter is then within a ten-thousandth of its standard error, and the last step squares that.
const PROMISED_RISE: f64 = 1e-8;

const MAX_STEPS: u32 = 200;

/// A step longer than this that promises no more than [`FLAT_RISE`], with a parameter beyond [`FAR`], runs along a
/// ridge that flattens out: going on to the bound would take as many steps again and change nothing.
const RUNNING: f64 = 0.25;
const FLAT_RISE: f64 = 1e-5;
const FAR: f64 = 5.0;

/// Searches from the starts in the order of their likelihood, until one ends in a maximum inside; else gives the
/// highest end. The answer depends on nothing but the objective and the starts.
pub fn maximise<const N: usize>(objective: &impl Objective<N>, starts: &[[f64; N]]) -> Option<Maximum<N>> {
    // One start needs no comparison: the search asks for its value anyway.
    let value = |start| if starts.len() > 1 { objective.value(start) } else { 0.0 };
    let mut valued: Vec<_> = starts.iter().map(|start| (value(start), *start)).collect();
    valued.retain(|(value, _)| value.is_finite());
    valued.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Option<Maximum<N>> = None;
    let mut steps = 0;
    for (_, start) in valued {
        let mut end = climb(objective, start);
        if !end.evaluation.value.is_finite() {
            continue;
        }
        steps += end.iterations;
        end.iterations = steps;
        if end.outcome == Outcome::Converged {
            return Some(end);
        }
        let higher = |old: &Maximum<N>| end.evaluation.value > old.evaluation.value;
        if best.as_ref().is_none_or(higher) {
            best = Some(end);
        }
    }
    best.map(|best| Maximum { iterations: steps, ..best })
}

/// One search from one start.
fn climb<const N: usize>(objective: &impl Objective<N>, start: [f64; N]) -> Maximum<N> {
    let mut at = start;
    let mut here = objective.evaluate(&at);
    let mut damping: f64 = 0.0;
    let mut iterations = 0;
    let end = |at, evaluation, iterations, outcome| Maximum { at, evaluation, iterations, outcome };
    while iterations < MAX_STEPS {
        iterations += 1;
        let Some((step, promised)) = damped_step(&here, &at, damping) else {
            damping = next_damping(damping);
            if damping.is_infinite() {
                return end(at, here, iterations, Outcome::NotConverged);
            }
            continue;
        };
        let longest = step.iter().fold(0.0f64, |longest, s| longest.max(s.abs()));
        if promised < FLAT_RISE && longest > RUNNING && at[outermost(&at)].abs() > FAR {
            return end(at, here, iterations, boundary(&at));
        }
        if promised < PROMISED_RISE && damping == 0.0 {
            let next = moved(&at, &step);
            let there = objective.evaluate(&next);
            let (at, here) = if there.value >= here.value { (next, there) } else { (at, here) };
            let outcome = outcome_at(&at, &here);
            return end(at, here, iterations, outcome);
        }
        let next = moved(&at, &step);
        let there = objective.evaluate(&next);
        if there.value.is_finite() && there.value > here.value {
            (at, here) = (next, there);
            damping = if damping < 1e-3 { 0.0 } else { damping / 8.0 };
        } else {
            damping = next_damping(damping);
            // No step goes up any more: the noise of the sum has been reached.
            if damping > 1e12 {
                let outcome = if promised < 1e-4 { outcome_at(&at, &here) } else { Outcome::NotConverged };
                return end(at, here, iterations, outcome);
            }
        }
    }
    let outcome = match outcome_at(&at, &here) {
        Outcome::Boundary { parameter, upwards } => Outcome::Boundary { parameter, upwards },
        _ if at[outermost(&at)].abs() > FAR => boundary(&at),
        _ => Outcome::NotConverged,
    };
    end(at, here, iterations, outcome)
}

/// The step of `(-H + damping |diagonal of H|) step = gradient` over the parameters that are not pressed against a
/// bound, no longer than 2 in any parameter, and the rise it promises. Nothing where the matrix is not positive definite.
fn damped_step<const N: usize>(here: &Evaluation<N>, at: &[f64; N], damping: f64) -> Option<([f64; N], f64)> {
    let scale = (0..N).fold(1e-12, |max, i| f64::max(max, here.hessian[i][i].abs()));
    let mut matrix = [[0.0; N]; N];
    let mut gradient = here.gradient;
    for i in 0..N {
        for j in 0..N {
            matrix[i][j] = -here.hessian[i][j];
        }
        matrix[i][i] += damping * (here.hessian[i][i].abs() + 1e-12 * scale);
    }
    for i in 0..N {
        if pressed(at[i], here.gradient[i]) {
            gradient[i] = 0.0;
            for j in 0..N {
                matrix[i][j] = 0.0;
                matrix[j][i] = 0.0;
            }
            matrix[i][i] = 1.0;
        }
    }
    let factor = cholesky(&matrix)?;
    let mut step = cholesky_solve(&factor, &gradient);
    let promised = 0.5 * step.iter().zip(&gradient).map(|(s, g)| s * g).sum::<f64>();
    let longest = step.iter().fold(0.0f64, |longest, s| longest.max(s.abs()));
    if !longest.is_finite() {
        return None;
    }
    if longest > 2.0 {
        step = step.map(|s| s * 2.0 / longest);
    }
    Some((step, promised))
}

fn pressed(at: f64, gradient: f64) -> bool {
    (at >= BOUND && gradient > 0.0) || (at <= -BOUND && gradient < 0.0)
}

fn moved<const N: usize>(at: &[f64; N], step: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| (at[i] + step[i]).clamp(-BOUND, BOUND))
}

fn next_damping(damping: f64) -> f64 {
    if damping == 0.0 { 1e-3 } else { damping * 4.0 }
}

/// The parameter whose logarithm is furthest from 0.
fn outermost<const N: usize>(at: &[f64; N]) -> usize {
    (0..N).max_by(|&i, &j| at[i].abs().total_cmp(&at[j].abs())).unwrap_or_default()
}

fn boundary<const N: usize>(at: &[f64; N]) -> Outcome {
    let parameter = outermost(at);
    Outcome::Boundary { parameter, upwards: at[parameter] > 0.0 }
}

/// Inside and curved downwards everywhere is a maximum; at a bound it is a boundary.
fn outcome_at<const N: usize>(at: &[f64; N], here: &Evaluation<N>) -> Outcome {
    if at[outermost(at)].abs() > BOUND - 1.0 {
        return boundary(at);
    }
    if cholesky(&here.hessian.map(|row| row.map(|cell| -cell))).is_some() {
        Outcome::Converged
    } else {
        Outcome::NotConverged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Poisson likelihood of k events in time t: its maximum is at the rate k / t.
    struct Poisson {
        events: f64,
        time: f64,
    }

    impl Objective<1> for Poisson {
        fn evaluate(&self, at: &[f64; 1]) -> Evaluation<1> {
            let expected = at[0].exp() * self.time;
            Evaluation {
                value: self.events * at[0] - expected,
                gradient: [self.events - expected],
                hessian: [[-expected]],
            }
        }
    }

    #[test]
    fn a_maximum_inside_is_found_from_afar() {
        let end = maximise(&Poisson { events: 30.0, time: 12.0 }, &[[-9.0], [9.0]]).unwrap();
        assert_eq!(end.outcome, Outcome::Converged);
        assert!((end.at[0] - 2.5f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn no_event_runs_to_the_boundary_and_says_which() {
        let end = maximise(&Poisson { events: 0.0, time: 12.0 }, &[[0.0]]).unwrap();
        assert_eq!(end.outcome, Outcome::Boundary { parameter: 0, upwards: false });
    }

    #[test]
    fn nothing_computable_is_no_maximum() {
        assert_eq!(maximise(&Poisson { events: f64::NAN, time: 1.0 }, &[[0.0]]), None);
    }
}
