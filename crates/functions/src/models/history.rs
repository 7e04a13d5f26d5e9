//! What one customer did, and which histories are possible.

/// What one customer did: `x` repeat purchases, the last at `t_x` after the first, seen until `t`.
/// For discrete models `t_x` and `t` count opportunities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// Repeat purchases (days with a purchase after the first), 0 or more.
    pub frequency: f64,
    /// Time from the first to the last purchase, 0 without a repeat purchase.
    pub recency: f64,
    /// Time from the first purchase to the end of observation.
    pub age: f64,
}

/// How a model measures time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// As a length.
    Continuous,
    /// In opportunities, of which each counts once.
    Discrete,
}

impl History {
    /// Why no customer can have this history; nothing where one can.
    #[inline]
    pub fn problem(&self, time: Time) -> Option<&'static str> {
        let History { frequency, recency, age } = *self;
        let is_possible = is_count(frequency)
            && recency >= 0.0
            && recency <= age
            && age.is_finite()
            && (frequency > 0.0) == (recency > 0.0)
            && (time == Time::Continuous || (is_count(recency) && is_count(age) && frequency <= recency));
        if is_possible { None } else { Some(self.explained()) }
    }

    /// What is wrong with an impossible history.
    #[cold]
    fn explained(&self) -> &'static str {
        let History { frequency, recency, age } = *self;
        if ![frequency, recency, age].iter().all(|number| number.is_finite()) {
            "all three are finite numbers"
        } else if !is_count(frequency) {
            "the frequency is a whole number, 0 or more"
        } else if age < 0.0 {
            "the age is 0 (first bought on the last day observed) or more"
        } else if recency < 0.0 || recency > age {
            "the recency lies between 0 and the age"
        } else if frequency == 0.0 && recency > 0.0 {
            "without a repeat purchase the recency is 0"
        } else if frequency > 0.0 && recency == 0.0 {
            "with a repeat purchase the recency is more than 0, since purchases of a day count once"
        } else if !is_count(recency) || !is_count(age) {
            "recency and age are whole numbers of opportunities"
        } else {
            "the frequency is at most the recency, since an opportunity counts once"
        }
    }
}

/// Whether a number is whole, 0 or more.
pub fn is_count(number: f64) -> bool {
    number >= 0.0 && number.trunc() == number && number.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_histories_are_explained() {
        let problem = |[frequency, recency, age]: [f64; 3], time| History { frequency, recency, age }.problem(time);
        for history in [[0.0, 0.0, 0.0], [0.0, 0.0, 9.5], [3.0, 1.5, 9.5], [1.0, 9.5, 9.5]] {
            assert_eq!(problem(history, Time::Continuous), None);
        }
        for (history, expected) in [
            ([f64::NAN, 0.0, 9.0], "finite"),
            ([1.0, 1.0, f64::INFINITY], "finite"),
            ([-1.0, 0.0, 9.0], "frequency is a whole number"),
            ([1.5, 1.0, 9.0], "frequency is a whole number"),
            ([0.0, 0.0, -1.0], "age is 0"),
            ([1.0, 10.0, 9.0], "recency lies between"),
            ([1.0, -1.0, 9.0], "recency lies between"),
            ([0.0, 1.0, 9.0], "without a repeat purchase"),
            ([1.0, 0.0, 9.0], "with a repeat purchase"),
        ] {
            assert!(problem(history, Time::Continuous).unwrap().contains(expected), "{history:?}");
        }
        assert_eq!(problem([3.0, 3.0, 5.0], Time::Discrete), None);
        assert!(problem([3.0, 3.5, 5.0], Time::Discrete).unwrap().contains("whole numbers of opportunities"));
        assert!(problem([3.0, 2.0, 5.0], Time::Discrete).unwrap().contains("frequency is at most the recency"));
    }
}
