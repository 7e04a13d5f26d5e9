//! The fields of a cron line as sets of numbers, for schedulers that write them in another way.

use jiff::civil::Time;
use std::collections::BTreeSet;

/// The words for whole lines.
const NAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A cron line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    /// The five fields as they are written, words replaced.
    pub text: String,
    pub minutes: BTreeSet<u8>,
    pub hours: BTreeSet<u8>,
    pub days: BTreeSet<u8>,
    pub months: BTreeSet<u8>,
    /// From 0, Sunday, to 6.
    pub weekdays: BTreeSet<u8>,
    any_day: bool,
    any_weekday: bool,
}

impl Fields {
    /// Those of a valid line; otherwise what in it has no counterpart elsewhere.
    pub fn of(line: &str) -> Result<Fields, String> {
        let word = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(line.trim()));
        let line = word.map_or(line, |(_, line)| line);
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            return Err(format!("`{line}`"));
        };
        let weekdays = numbers(weekday, 0, 7, &WEEKDAYS, 0)?;
        Ok(Fields {
            text: parts.join(" "),
            minutes: numbers(minute, 0, 59, &[], 0)?,
            hours: numbers(hour, 0, 23, &[], 0)?,
            days: numbers(day, 1, 31, &[], 0)?,
            months: numbers(month, 1, 12, &MONTHS, 1)?,
            weekdays: weekdays.into_iter().map(|day| day % 7).collect(),
            any_day: is_any(day),
            any_weekday: is_any(weekday),
        })
    }

    /// Whether days of the month and weekdays are both given: then either is enough.
    pub fn is_either_day(&self) -> bool {
        !self.any_day && !self.any_weekday
    }

    /// Whether it is due every hour.
    pub fn every_hour(&self) -> bool {
        self.hours.len() == 24
    }

    /// The times of the day.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        let minutes = |hour: &u8| self.minutes.iter().map(move |minute| (*hour, *minute)).collect::<Vec<_>>();
        let times = self.hours.iter().flat_map(minutes);
        times.filter_map(|(hour, minute)| Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok())
    }
}

fn is_any(field: &str) -> bool {
    matches!(field, "*" | "?")
}

/// The numbers that a field stands for.
fn numbers(field: &str, min: u8, max: u8, names: &[&str], first_name: u8) -> Result<BTreeSet<u8>, String> {
    let unknown = || format!("`{field}`");
    let number = |text: &str| -> Result<u8, String> {
        let name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = name.and_then(|index| u8::try_from(index).ok()).map(|index| index + first_name);
        named.or_else(|| text.parse().ok()).filter(|value| (min..=max).contains(value)).ok_or_else(unknown)
    };
    let mut found = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(unknown)?))
            }
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if is_any(range) => (min, max),
            Some((first, last)) => (number(first)?, number(last)?),
            // `5/15` counts from 5 to the end.
            None if step.is_some() => (number(range)?, max),
            None => (number(range)?, number(range)?),
        };
        // `FRI-MON` goes over the end of the week.
        let values: Vec<u8> =
            if first <= last { (first..=last).collect() } else { (first..=max).chain(min..=last).collect() };
        found.extend(values.into_iter().step_by(step.unwrap_or(1)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[u8]) -> BTreeSet<u8> {
        values.iter().copied().collect()
    }

    #[test]
    fn fields_are_sets() {
        let fields = Fields::of("5-20/5 2,14 * FEB,11 FRI").unwrap();
        assert_eq!(fields.minutes, set(&[5, 10, 15, 20]));
        assert_eq!(fields.hours, set(&[2, 14]));
        assert_eq!(fields.months, set(&[2, 11]));
        assert_eq!(fields.weekdays, set(&[5]));
        assert_eq!(fields.days.len(), 31);
        assert_eq!(Fields::of("0 0 * * 7").unwrap().weekdays, set(&[0]));
        assert_eq!(Fields::of("50/5 0 * * *").unwrap().minutes, set(&[50, 55]));
        assert_eq!(Fields::of("@monthly").unwrap().text, "0 0 1 * *");
    }

    #[test]
    fn what_others_lack_is_named() {
        for (line, what) in [("0 2 L * *", "`L`"), ("0 2 15W * *", "`15W`"), ("0 2 * * FRI#2", "`FRI#2`")] {
            assert_eq!(Fields::of(line).unwrap_err(), what);
        }
    }
}
