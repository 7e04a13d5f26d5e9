//! Units of time, and going from one to another.

/// A unit of a model's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A day.
    Day,
    /// Seven days, not a calendar week.
    Week,
    /// A twelfth of a year: 30.4375 days, not a calendar month.
    Month,
    /// 365.25 days.
    Year,
}

impl Unit {
    /// All of them, in order of length.
    pub const ALL: [Unit; 4] = [Unit::Day, Unit::Week, Unit::Month, Unit::Year];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Year => "year",
        }
    }

    /// The unit of that name in upper or lower case, singular or plural.
    pub fn named(name: &str) -> Option<Unit> {
        let name = name.trim();
        let singular = name.strip_suffix(['s', 'S']).unwrap_or(name);
        Unit::ALL.into_iter().find(|unit| unit.name().eq_ignore_ascii_case(singular))
    }

    /// How many days it has.
    pub fn days(self) -> f64 {
        match self {
            Unit::Day => 1.0,
            Unit::Week => 7.0,
            Unit::Month => 365.25 / 12.0,
            Unit::Year => 365.25,
        }
    }

    /// `length` in this unit, in another.
    pub fn convert(self, length: f64, to: Unit) -> f64 {
        if self == to { length } else { length * self.days() / to.days() }
    }

    /// The continuous rate per unit that a yearly discount rate comes to: `ln(1 + d)` per year.
    pub fn continuous_rate(self, yearly_discount_rate: f64) -> f64 {
        yearly_discount_rate.ln_1p() * self.days() / Unit::Year.days()
    }
}
