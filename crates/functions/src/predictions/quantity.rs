//! What can be predicted, and from what.

use crate::constants::ValueProblem;
use crate::limits;
use crate::models::Scale;

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Quantity {
    /// Probability that the customer has not dropped out.
    Alive,
    /// Expected purchases within the horizon.
    Purchases,
    /// Expected repeat purchases of a new customer within the horizon.
    PurchasesOfNew,
    /// Probability of no purchase within the horizon.
    NoPurchase,
    /// Expected purchases within the horizon, discounted.
    DiscountedPurchases,
    /// Expected spend per purchase.
    Spend,
    /// Margin on expected spend times discounted purchases.
    LifetimeValue,
}

/// An argument by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Argument {
    /// A fit of a model of purchases.
    Fit,
    /// A fit of the Gamma-Gamma model.
    SpendFit,
    /// Repeat purchases.
    Frequency,
    /// Time from the first to the last purchase.
    Recency,
    /// Time from the first purchase to the end of observation.
    Age,
    /// Mean spend of the repeat purchases.
    MeanSpend,
    /// Share of spend that is margin.
    MarginShare,
    /// Discount rate of a year.
    DiscountRate,
    /// Length of the future.
    Horizon,
    /// Unit of the horizon.
    Unit,
    /// Confidence of an interval.
    Confidence,
}

use Argument::{
    Age, Confidence, DiscountRate, Fit, Frequency, Horizon, MarginShare, MeanSpend, Recency, SpendFit, Unit,
};

impl Quantity {
    /// Required arguments, in order.
    pub fn needed(self) -> &'static [Argument] {
        match self {
            Quantity::Alive => &[Fit, Frequency, Recency, Age],
            Quantity::Purchases | Quantity::NoPurchase => &[Fit, Frequency, Recency, Age, Horizon],
            Quantity::PurchasesOfNew => &[Fit, Horizon],
            Quantity::DiscountedPurchases => &[Fit, Frequency, Recency, Age, DiscountRate, Horizon],
            Quantity::Spend => &[SpendFit, Frequency, MeanSpend],
            Quantity::LifetimeValue => {
                &[Fit, SpendFit, Frequency, Recency, Age, MeanSpend, MarginShare, DiscountRate, Horizon]
            }
        }
    }

    /// Optional arguments that may follow.
    pub fn optional(self, interval: bool) -> &'static [Argument] {
        match (self.needed().contains(&Horizon), interval) {
            (true, true) => &[Unit, Confidence],
            (true, false) => &[Unit],
            (false, true) => &[Confidence],
            (false, false) => &[],
        }
    }

    /// The scale on which an interval is made.
    pub fn scale(self) -> Scale {
        match self {
            Quantity::Alive | Quantity::NoPurchase => Scale::Logit,
            _ => Scale::Log,
        }
    }

    /// Whether the horizon may be infinite.
    pub fn may_be_endless(self) -> bool {
        matches!(self, Quantity::DiscountedPurchases | Quantity::LifetimeValue)
    }
}

impl Argument {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Fit => "fit",
            SpendFit => "spend_fit",
            Frequency => "frequency",
            Recency => "recency",
            Age => "age",
            MeanSpend => "mean_spend",
            MarginShare => "margin_share",
            DiscountRate => "yearly_discount_rate",
            Horizon => "horizon",
            Unit => "unit",
            Confidence => "confidence",
        }
    }

    /// Tests a number given for this argument. Histories are tested as a whole.
    pub fn test(self, quantity: Quantity, number: f64) -> Result<f64, ValueProblem> {
        let allowed = match self {
            Horizon if quantity.may_be_endless() => number >= 0.0,
            Horizon => number >= 0.0 && number.is_finite(),
            MarginShare => (-1.0..=1.0).contains(&number),
            DiscountRate => return limits::yearly_discount_rate(number),
            Confidence => return limits::confidence(number),
            Frequency => return limits::frequency(number),
            MeanSpend => return limits::amount(number),
            Fit | SpendFit | Recency | Age | Unit => true,
        };
        if allowed {
            return Ok(number);
        }
        Err(match self {
            MarginShare => ValueProblem::new(
                format!("the margin share is {number}"),
                "it lies between -1 and 1, 0.3 is a margin of 30 % of spend",
            ),
            _ => {
                let end = if quantity.may_be_endless() { "or infinite" } else { "and finite" };
                ValueProblem::new(
                    format!("the horizon is {number}"),
                    format!("it is a length of time, 0 or more {end}"),
                )
            }
        })
    }
}
