//! Which days are working days.

use jiff::civil::{Date, Weekday};
use std::collections::{BTreeMap, BTreeSet};

/// Working days of a company or country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessCalendar {
    /// Days of the week without work.
    pub weekend: Vec<Weekday>,
    /// Days without work, with their names (may be empty).
    pub holidays: BTreeMap<Date, String>,
    /// Days of a weekend on which work is done (China's 调休).
    pub working_days: BTreeSet<Date>,
}
