//! Which histories are possible: one that no customer can have is an error, with its values.

use crate::fits::fit::Model;
use crate::models::History;
use datafusion::common::exec_err;
use datafusion::error::Result;

/// An error where no customer of this model can have this history.
#[inline]
pub(super) fn check(function: &str, model: Model, history: History) -> Result<()> {
    let History { frequency: x, recency, age } = history;
    let possible = is_count(x)
        && recency >= 0.0
        && recency <= age
        && age.is_finite()
        && (x > 0.0) == (recency > 0.0)
        && (model != Model::BgBb || (is_count(recency) && is_count(age) && x <= recency));
    if possible { Ok(()) } else { explain(function, model, history) }
}

/// An error where a frequency is not a count.
#[inline]
pub(super) fn check_frequency(function: &str, frequency: f64) -> Result<()> {
    if is_count(frequency) {
        return Ok(());
    }
    exec_err!("{function}: the frequency is {frequency}; repeat purchases are counted, 0 or more")
}

fn is_count(number: f64) -> bool {
    number >= 0.0 && number.trunc() == number && number.is_finite()
}

#[cold]
fn explain(function: &str, model: Model, history: History) -> Result<()> {
    let History { frequency: x, recency, age } = history;
    let values = format!("frequency {x}, recency {recency}, age {age}");
    let wrong = if ![x, recency, age].iter().all(|number| number.is_finite()) {
        "all three are finite numbers"
    } else if !is_count(x) {
        "the frequency counts repeat purchases, 0 or more"
    } else if recency < 0.0 {
        "the recency is the time from the first to the last purchase, 0 or more"
    } else if recency > age {
        "the recency is at most the age, the time from the first purchase to the end of observation"
    } else if x == 0.0 && recency > 0.0 {
        "without a repeat purchase the recency is 0"
    } else if x > 0.0 && recency == 0.0 {
        "with a repeat purchase the recency is above 0, since purchases of one day count as one"
    } else if model == Model::BgBb && x > recency {
        "each opportunity has one purchase at most, so the frequency is at most the recency"
    } else {
        "recency and age count opportunities, whole numbers"
    };
    exec_err!("{function}: a customer with {values} is impossible: {wrong}")
}
