//! `shifted_beta_geometric_fit`: how long customers under contract stay, each leaving with a probability of his own.

use super::aggregate::function;
use super::collapsed::Weighted;
use super::definition::{Definition, Input};
use super::fit::{Fit, Model, Scale, Verdict};
use crate::manual::{Function, Section, page};
use crate::models::shifted_beta_geometric::{Likelihood, MAX_PERIODS, Tenure, Unidentified};

pub(crate) const FUNCTION: Function =
    Function::aggregate("shifted_beta_geometric_fit", Section::Fits, page!("shifted_beta_geometric_fit"), || {
        function(&SHIFTED_BETA_GEOMETRIC)
    })
    .with_rule(|arguments| SHIFTED_BETA_GEOMETRIC.check_constants(arguments));

/// Customers seen for a period, and customers who left, below which no fit is made.
const MIN_CUSTOMERS: f64 = 10.0;

static SHIFTED_BETA_GEOMETRIC: Definition<2> = Definition {
    name: "shifted_beta_geometric_fit",
    model: Model::ShiftedBetaGeometric,
    inputs: ["tenure", "churned"],
    takes_summary: false,
    has_unit: true,
    boolean: Some(1),
    classify,
    fit,
};

fn classify(input: &[f64; 2]) -> Input {
    let [tenure, churned] = *input;
    let wrong = if !tenure.is_finite() || tenure.fract() != 0.0 || !(0.0..=MAX_PERIODS).contains(&tenure) {
        "the tenure is a whole number of periods from 0 to 100000"
    } else if churned != 0.0 && churned != 1.0 {
        "churned is true or false (1 or 0)"
    } else if churned == 1.0 && tenure == 0.0 {
        "a customer who left did so in period 1 or later"
    } else {
        return Input::Used;
    };
    Input::Impossible(format!("tenure {tenure}, churned {churned} are impossible: {wrong}"))
}

fn fit(inputs: &[Weighted<2>]) -> Fit {
    let likelihood = Likelihood::new(&tenures(inputs));
    if let Some(fit) = without_search(&likelihood) {
        return fit;
    }
    Fit::from_maximum(Model::ShiftedBetaGeometric, likelihood.maximum(), Scale::NONE, |_, upwards| {
        boundary(upwards).into()
    })
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
    if at_risk < MIN_CUSTOMERS {
        return too_little(format!(
            "{at_risk} customers were observed for a period, and a fit needs at least {MIN_CUSTOMERS}"
        ));
    }
    if churned < MIN_CUSTOMERS && unidentified != Some(Unidentified::NobodyLeft) {
        return too_little(format!(
            "{churned} of {at_risk} customers left, and a fit needs at least {MIN_CUSTOMERS} who did"
        ));
    }
    let reason = match unidentified? {
        Unidentified::OnePeriod | Unidentified::NobodyAtRisk => {
            return too_little(
                "nobody was observed in a second period, and one rate cannot determine alpha and beta".into(),
            );
        }
        Unidentified::NobodyLeft => {
            "nobody left: alpha runs to 0, and the data give no upper limit to how long customers stay"
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
        "alpha and beta run to infinity: customers do not differ in their churn rate, or it rises with tenure, \
         which this model cannot describe"
    } else {
        "alpha and beta run to 0: some customers leave at once and the others never leave in the data"
    }
}
