//! Arguments that several predictions have, for their pages of the manual.

/// Name, and type, unit and meaning.
type Argument = (&'static str, &'static str);

pub(super) const FIT: Argument = (
    "fit",
    "STRUCT, of `bg_nbd_fit` or another fit of purchases; one for all rows as `(SELECT fit FROM fits)`, which \
     is fastest, or a column of a join, by region for instance",
);
pub(super) const SPEND_FIT: Argument = ("spend_fit", "STRUCT, of `gamma_gamma_fit`");
pub(super) const FREQUENCY: Argument = ("frequency", "number, repeat purchases: days with a purchase after the first");
pub(super) const RECENCY: Argument =
    ("recency", "number, time from the first to the last purchase in the unit of the fit, 0 without a repeat");
pub(super) const AGE: Argument =
    ("age", "number, time from the first purchase to the end of observation in the unit of the fit");
pub(super) const MEAN_SPEND: Argument = (
    "mean_spend",
    "number, mean spend of the repeat purchases; not looked at (and may be NULL) where the frequency is 0",
);
pub(super) const MARGIN_SHARE: Argument =
    ("margin_share", "number from -1 to 1, the share of spend that is margin, 0.3 is 30 %");
pub(super) const YEARLY_DISCOUNT_RATE: Argument =
    ("yearly_discount_rate", "number from 0 to 1, 0.1 is 10 % a year; applied continuously as `ln(1 + rate)` per year");
pub(super) const HORIZON: Argument =
    ("horizon", "number, how far ahead to look, 0 or more; in the unit of the fit where no unit is given");
pub(super) const HORIZON_OR_EVER: Argument = (
    "horizon",
    "number, how far ahead to look, 0 or more, or `'Infinity'::DOUBLE` for ever; in the unit of the fit where \
     no unit is given",
);
pub(super) const UNIT: Argument = (
    "unit",
    "TEXT, the unit of the horizon: day, week (7 days), month (a twelfth of a year), year (365.25 days); NULL \
     is not stated",
);
pub(super) const CONFIDENCE: Argument = ("confidence", "number between 0 and 1, 0.95 where it is not given");
pub(super) const CONFIDENCE_AFTER_UNIT: Argument = (
    "confidence",
    "number between 0 and 1, 0.95 where it is not given; `confidence => 0.8` needs `unit` before it, which may \
     be NULL, and a number in the place of the unit is taken as the confidence",
);
