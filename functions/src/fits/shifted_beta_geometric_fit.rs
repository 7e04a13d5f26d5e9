//! `shifted_beta_geometric_fit`: how long customers under contract stay, each leaving with a probability of his own.

use super::aggregate::{FitOf, Judgement, function};
use super::collapsed::Weighted;
use super::fit::{Fit, Model, Scale, Verdict};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::shifted_beta_geometric::{Likelihood, MOST_PERIODS, Tenure, Unidentified};

pub(crate) const FUNCTION: Function =
    Function { kind: Kind::Aggregate(function::<ShiftedBetaGeometric, 2>), page: &PAGE };

const PAGE: Page = Page {
    name: "shifted_beta_geometric_fit",
    section: Section::Fits,
    syntax: "shifted_beta_geometric_fit(tenure, churned [, unit [, weight]])",
    summary: "Fits the shifted-beta-geometric model of retention to customers under contract",
    arguments: &[
        (
            "tenure",
            "number, whole periods: the period in which the customer left, 1 or more; or, where he has not left, \
         the periods he has stayed so far, 0 or more",
        ),
        (
            "churned",
            "BOOLEAN, whether he left in period `tenure`; false: he is still there after it. A comparison \
         stands in brackets: `(status = 'left')`; without them it is read as a named argument",
        ),
        (
            "unit",
            "TEXT, what a period is: day, week, month or year; the same in all rows of a group. Only needed for \
         discounting",
        ),
        ("weight", "BIGINT, how many customers the row stands for, 1 where it is not given"),
    ],
    returns: "STRUCT: `model` TEXT, `unit` TEXT (NULL where not stated), `alpha` and `beta` DOUBLE (the weights of \
        leaving and of staying in the beta distribution of customers' probabilities), `alpha_se` and `beta_se` DOUBLE \
        (their standard errors), `log_likelihood` DOUBLE, `customers` BIGINT (used), `left_out` BIGINT (with a NULL \
        among tenure, churned and weight), `iterations` BIGINT, `verdict` TEXT (`converged`, `boundary`, `too little \
        data`, `not converged`), `reason` TEXT (NULL where converged), `covariance` LIST of DOUBLE (2 x 2, of the \
        logarithms of alpha and beta). Errors and covariance are NULL unless the fit converged.",
    description: "At the end of every period each customer leaves with a probability of his own, and these \
        probabilities are spread over customers as a beta distribution. Those likely to leave go first, so the \
        retention rate rises with tenure although nobody changes: a straight line through past retention misses that. \
        The share still there after t periods is `S(t) = B(alpha, beta + t) / B(alpha, beta)`; the log-likelihood is \
        the sum of `ln(S(t - 1) - S(t))` over those who left in period t and of `ln S(t)` over those still there. A \
        small `alpha + beta` says that customers differ much. Predictions from a fit that did not converge are NULL.",
    sources: &[
        "Fader and Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), equations \
         5 to 7; the example is its \"Regular\" segment",
    ],
    examples: &[
        Example {
            sql: "SELECT round(fit.alpha, 3) AS alpha, round(fit.beta, 3) AS beta, fit.verdict AS verdict FROM (\n  \
                  SELECT shifted_beta_geometric_fit(year, churned, 'year', customers) AS fit FROM (VALUES\n    \
                  (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
                  (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  \
                  ) AS t(year, churned, customers))",
            answer: "alpha | beta | verdict\n0.704 | 1.182 | converged",
        },
        Example {
            sql: "SELECT fit.verdict AS verdict, fit.reason AS reason FROM (\n  SELECT \
                  shifted_beta_geometric_fit(tenure, churned, 'month', customers) AS fit\n  \
                  FROM (VALUES (6, false, 40)) AS t(tenure, churned, customers))",
            answer: "verdict | reason\nboundary | nobody left: alpha runs to 0, and how long customers stay is not \
                  bounded by what was seen",
        },
    ],
    limits: &[
        "For contracts, where leaving is seen. Where customers just fall silent use `bg_nbd_fit` or its relatives.",
        "No fit is made with fewer than 10 customers seen for a period, or fewer than 10 who left, or where nobody was \
         seen in a second period: one retention rate cannot tell two parameters.",
        "Where the rate of leaving is the same in every period, or rises, both parameters run to infinity: the verdict \
         is `boundary`, and a constant rate describes the customers better.",
        "A tenure that is negative, not whole, not finite, or longer than 100,000 periods is an error, and so is a \
         customer who left in period 0.",
    ],
    related: &["survival", "retention_rate", "residual_lifetime", "kaplan_meier"],
};

/// Customers seen for a period, and customers who left, below which no fit is made.
const FEWEST: f64 = 10.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ShiftedBetaGeometric;

impl FitOf<2> for ShiftedBetaGeometric {
    const MODEL: Model = Model::ShiftedBetaGeometric;
    const NAME: &'static str = "shifted_beta_geometric_fit";
    const INPUTS: [&'static str; 2] = ["tenure", "churned"];
    const SUMMARY: Option<[&'static str; 2]> = None;
    const BOOLEAN: Option<usize> = Some(1);

    fn judge(input: &[f64; 2]) -> Judgement {
        let [tenure, churned] = *input;
        let wrong = if !tenure.is_finite() || tenure.fract() != 0.0 || !(0.0..=MOST_PERIODS).contains(&tenure) {
            "the tenure is a whole number of periods from 0 to 100000"
        } else if churned != 0.0 && churned != 1.0 {
            "churned is true or false (1 or 0)"
        } else if churned == 1.0 && tenure == 0.0 {
            "who left did so in period 1 at the earliest"
        } else {
            return Judgement::Use;
        };
        Judgement::Fault(format!("tenure {tenure}, churned {churned} cannot be: {wrong}"))
    }

    fn fit(inputs: &[Weighted<2>]) -> Fit {
        let likelihood = Likelihood::new(&tenures(inputs));
        if let Some(fit) = without_search(&likelihood) {
            return fit;
        }
        Fit::from_maximum(Self::MODEL, likelihood.maximum(), Scale::NONE, |_, upwards| boundary(upwards).into())
    }
}

/// Those who left and those who stay, by tenure.
fn tenures(inputs: &[Weighted<2>]) -> Vec<Tenure> {
    let with = |rows: &[Weighted<2>], churned: f64| -> f64 {
        rows.iter().filter(|row| row.input[1] == churned).map(|row| row.weight).sum()
    };
    let same = inputs.chunk_by(|a, b| a.input[0] == b.input[0]);
    same.map(|rows| Tenure { periods: rows[0].input[0], churned: with(rows, 1.0), staying: with(rows, 0.0) }).collect()
}

/// The fit where there is nothing to search.
fn without_search(likelihood: &Likelihood) -> Option<Fit> {
    let too_little = |reason: String| Some(Fit::too_little_data(Model::ShiftedBetaGeometric, reason));
    let (at_risk, churned) = (likelihood.at_risk(), likelihood.churned());
    let unidentified = likelihood.unidentified();
    if at_risk < FEWEST {
        return too_little(format!("{at_risk} customers were seen for a period, and a fit needs {FEWEST}"));
    }
    if churned < FEWEST && unidentified != Some(Unidentified::NobodyLeft) {
        return too_little(format!("{churned} of {at_risk} customers left, and a fit needs {FEWEST} who did"));
    }
    let reason = match unidentified? {
        Unidentified::OnePeriod | Unidentified::NobodyAtRisk => {
            return too_little("nobody was seen in a second period, and one rate does not tell alpha from beta".into());
        }
        Unidentified::NobodyLeft => {
            "nobody left: alpha runs to 0, and how long customers stay is not bounded by what was seen"
        }
        Unidentified::AllLeftAtOnce => {
            "everybody left in the first period: beta runs to 0, and there is no retention to project"
        }
    };
    let fit = Fit::too_little_data(Model::ShiftedBetaGeometric, reason);
    Some(Fit { verdict: Verdict::Boundary, ..fit })
}

fn boundary(upwards: bool) -> &'static str {
    if upwards {
        "alpha and beta run to infinity: customers do not differ in their rate of leaving, or it rises with tenure, \
         which this model cannot follow"
    } else {
        "alpha and beta run to 0: some customers leave at once and the others are not seen to leave at all"
    }
}
