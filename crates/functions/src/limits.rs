//! Which values arguments may have that several functions share: asked of constants when a query is planned, and of
//! rows when it runs.

use crate::constants::ValueProblem;
use crate::models::Unit;
use crate::models::history::is_count;

/// The confidence of an interval where none is given.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// How many customers a row stands for.
#[inline]
pub(crate) fn weight(weight: i64) -> Result<u64, ValueProblem> {
    u64::try_from(weight).map_err(|_| {
        ValueProblem::new(format!("the weight is {weight}"), "it is how many customers a row stands for, 0 or more")
    })
}

/// A count of repeat purchases.
#[inline]
pub(crate) fn frequency(frequency: f64) -> Result<f64, ValueProblem> {
    if is_count(frequency) {
        return Ok(frequency);
    }
    Err(ValueProblem::new(format!("the frequency is {frequency}"), "repeat purchases are counted, 0 or more"))
}

/// A mean spend, which may be negative.
#[inline]
pub(crate) fn amount(mean_spend: f64) -> Result<f64, ValueProblem> {
    if mean_spend.is_finite() {
        return Ok(mean_spend);
    }
    Err(ValueProblem::new(format!("the mean spend is {mean_spend}"), "it is an amount of money"))
}

/// How often an interval contains the true value.
pub(crate) fn confidence(confidence: f64) -> Result<f64, ValueProblem> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(confidence);
    }
    let hint = format!("it lies between 0 and 1, {CONFIDENCE} where it is not given");
    Err(ValueProblem::new(format!("the confidence is {confidence}"), hint))
}

/// The discount rate of a year.
pub(crate) fn yearly_discount_rate(rate: f64) -> Result<f64, ValueProblem> {
    if (0.0..=1.0).contains(&rate) {
        return Ok(rate);
    }
    Err(ValueProblem::new(format!("the yearly discount rate is {rate}"), "it lies between 0 and 1, 0.1 is 10 % a year"))
}

/// A unit of a model's time.
pub(crate) fn unit(text: &str) -> Result<Unit, ValueProblem> {
    Unit::named(text).ok_or_else(|| unknown_unit(text, &Unit::ALL.map(Unit::name)))
}

/// That a text is none of these units, with the one that was probably meant.
pub(crate) fn unknown_unit(text: &str, units: &[&str]) -> ValueProblem {
    let singular = text.trim().to_lowercase();
    let singular = singular.strip_suffix('s').unwrap_or(&singular);
    let near = units.iter().map(|unit| (strsim::osa_distance(singular, unit), unit)).min();
    let hint = match near {
        Some((distance, unit)) if distance <= 2 && distance < unit.len() => format!("did you mean '{unit}'?"),
        _ => {
            let (last, others) = units.split_last().map_or(("", units), |(last, others)| (*last, others));
            let others = others.iter().map(|unit| format!("'{unit}'")).collect::<Vec<_>>().join(", ");
            format!("expected one of {others} or '{last}'")
        }
    };
    ValueProblem::new(format!("unknown unit '{text}'"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_in_any_case_and_number_and_others_are_suggested() {
        for (text, expected) in [("week", Unit::Week), ("Weeks", Unit::Week), (" MONTH ", Unit::Month)] {
            assert_eq!(unit(text), Ok(expected));
        }
        for (text, expected) in [
            ("wek", "unknown unit 'wek'; did you mean 'week'?"),
            ("Yaers", "unknown unit 'Yaers'; did you mean 'year'?"),
            ("fortnight", "unknown unit 'fortnight'; expected one of 'day', 'week', 'month' or 'year'"),
            ("", "unknown unit ''; expected one of 'day', 'week', 'month' or 'year'"),
        ] {
            assert_eq!(unit(text).unwrap_err().to_string(), expected);
        }
    }
}
