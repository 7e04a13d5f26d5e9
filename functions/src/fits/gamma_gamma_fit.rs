//! `gamma_gamma_fit`: how much customers spend per purchase.

use super::aggregate::{FitOf, Judgement, function};
use super::collapsed::Weighted;
use super::fit::{Fit, Model, Scale, Verdict};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::gamma_gamma::{SpendLikelihood, Spending, boundary, without_mean};

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<GammaGamma, 2>), page: &PAGE };

const PAGE: Page = Page {
    name: "gamma_gamma_fit",
    section: Section::Fits,
    syntax: "gamma_gamma_fit(frequency, mean_spend [, weight]) or gamma_gamma_fit(summary [, weight])",
    summary: "Fits the Gamma-Gamma model of spend per purchase to repeat buyers",
    arguments: &[
        ("frequency", "number, repeat purchases: days with a purchase after the first"),
        (
            "mean_spend",
            "number, mean spend of these repeat purchases, in one currency; the first purchase is not in it",
        ),
        ("weight", "BIGINT, how many customers the row stands for, 1 where it is not given"),
        ("summary", "STRUCT of `purchase_summary`, instead of the first two"),
    ],
    returns: "STRUCT, a fit: `model` ('Gamma-Gamma'), `unit` (NULL: the model has no time), the parameters `p`, `q` \
              (no dimension) and `gamma` (money), their standard errors `p_se`, `q_se`, `gamma_se`, `log_likelihood` (with \
              all its terms, in the currency given), `customers` (repeat buyers used), `left_out`, `iterations`, \
              `verdict` (`converged`, `boundary`, `too little data`, `not converged`), `reason` (NULL where it \
              converged), `covariance` of the logarithms of the parameters (row by row). Parameters are NULL with too \
              little data.",
    description: "A customer's purchases vary around a mean of their own with a gamma distribution of shape p and rate \
                  nu; nu varies over customers with a gamma distribution of shape q and rate gamma. The likelihood of \
                  the mean `m` of `x` purchases is `Γ(px+q) / (Γ(px) Γ(q)) γ^q m^(px-1) x^(px) / (γ+xm)^(px+q)`. The \
                  mean over all customers is `p gamma / (q - 1)`; `expected_spend` gives a customer's.\n\nOnly repeat \
                  buyers with a positive mean count; rows with frequency 0, with a mean of 0 or below (refunds), or \
                  with a NULL are left out and counted in `left_out`.",
    sources: &[
        "Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value, http://brucehardie.com/notes/025/, \
         equation 1a",
        "Fader, Hardie and Lee (2005), RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal of \
         Marketing Research 42(4)",
    ],
    examples: &[Example {
        sql: "SELECT fit.verdict AS verdict, fit.customers AS customers, fit.left_out AS left_out, \
              round(fit.p, 2) AS p, round(fit.q, 1) AS q, round(fit.gamma) AS gamma FROM (SELECT gamma_gamma_fit(frequency, mean_spend, customers) AS fit FROM \
              (VALUES (0, 110, NULL), (1, 7, 9), (1, 7, 32), (1, 4, 20), (1, 4, 75), (2, 3, 18), (2, 2, 55), \
              (2, 7, 24), (3, 4, 16), (4, 3, 19), (4, 3, 46), (7, 3, 30)) AS t(frequency, customers, mean_spend))",
        answer: "verdict | customers | left_out | p | q | gamma\nconverged | 47 | 110 | 2.98 | 12.4 | 108.0",
    }],
    limits: &[
        "Spend per purchase is taken to be independent of how often a customer buys: look at their correlation, which \
         should be weak.",
        "Where q is not above 1 the mean over all customers does not exist: the verdict is `boundary` and nothing is \
         predicted.",
        "A negative or fractional frequency, NaN or an infinite amount is an error. Fewer than 10 repeat buyers are \
         too little data.",
        "Money is converted to DOUBLE: a model knows no cents.",
    ],
    related: &["expected_spend", "customer_lifetime_value", "bg_nbd_fit"],
};

/// Repeat buyers below which no fit is made: three parameters would be less certain than a guess.
const FEWEST_CUSTOMERS: f64 = 10.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GammaGamma;

impl FitOf<2> for GammaGamma {
    const MODEL: Model = Model::GammaGamma;
    const NAME: &'static str = "gamma_gamma_fit";
    const INPUTS: [&'static str; 2] = ["frequency", "mean_spend"];
    const SUMMARY: Option<[&'static str; 2]> = Some(["frequency", "mean_spend"]);
    const HAS_UNIT: bool = false;

    fn judge(input: &[f64; 2]) -> Judgement {
        let [frequency, mean_spend] = *input;
        if !mean_spend.is_finite() {
            Judgement::Fault(format!("the mean spend is {mean_spend}; it is an amount of money"))
        } else if !frequency.is_finite() || frequency < 0.0 || frequency.fract() != 0.0 {
            Judgement::Fault(format!("the frequency is {frequency}; repeat purchases are counted, 0 or more"))
        } else if frequency > 0.0 && mean_spend > 0.0 {
            Judgement::Use
        } else {
            Judgement::LeaveOut
        }
    }

    fn fit(inputs: &[Weighted<2>]) -> Fit {
        let customers: Vec<Spending> = inputs
            .iter()
            .map(|row| Spending { frequency: row.input[0], mean_spend: row.input[1], weight: row.weight })
            .collect();
        let likelihood = SpendLikelihood::new(&customers);
        let Some(likelihood) = likelihood.filter(|likelihood| likelihood.customers() >= FEWEST_CUSTOMERS) else {
            let count = customers.iter().fold(0.0, |sum, customer| sum + customer.weight);
            let reason = format!(
                "there are {count} repeat buyers with a positive mean spend, and a fit needs {FEWEST_CUSTOMERS}"
            );
            return Fit::too_little_data(Model::GammaGamma, reason);
        };
        let scale = Scale { factor: likelihood.factor(), power: likelihood.customers() };
        let maximum = likelihood.maximise();
        let at = maximum.map_or([0.0; 3], |maximum| maximum.at);
        let mut fit =
            Fit::from_maximum(Model::GammaGamma, maximum, scale, |parameter, upwards| boundary(at, parameter, upwards));
        let q = fit.parameters.as_ref().map(|parameters| parameters[1]);
        if fit.is_usable()
            && let Some(reason) = q.and_then(without_mean)
        {
            (fit.standard_errors, fit.covariance) = (None, None);
            fit.verdict = Verdict::Boundary;
            fit.reason = Some(reason);
        }
        fit
    }
}
