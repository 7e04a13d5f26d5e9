//! Durations, sizes, dates and times of the day, as files write them.

use super::document::{Document, Text};
use super::fields::Fields;
use jiff::civil::{Date, Time};
use perennial_calendar::TimeWindow;
use perennial_core::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A duration (`90m`, `26h`, `3d`), in seconds; days have 24 hours.
pub(super) fn seconds(document: &Document, key: &str, text: &Text) -> Option<i64> {
    let seconds = parse_seconds(&text.value);
    if seconds.is_none() {
        let error = Error::project(format!("`{key}` is `{}`, which is not a duration", text.value));
        document.report(&text.span, error.hint("write it such as `90m`, `26h` or `3d`"));
    }
    seconds
}

/// A duration (`90m`, `26h`, `3d`), in seconds; days have 24 hours. `None` for anything else.
pub fn parse_seconds(text: &str) -> Option<i64> {
    let span = text.parse::<jiff::Span>().ok()?;
    let seconds = span.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok()?;
    (seconds >= 0.0).then_some(seconds as i64)
}

impl Fields<'_> {
    /// An optional duration between two others, which are written as in a file.
    pub fn duration(&self, key: &'static str, min: &str, max: &str) -> Option<Duration> {
        let text = self.text(key)?;
        let seconds = seconds(self.document, key, &text)?;
        let limit = |text: &str| parse_seconds(text).unwrap_or_default();
        if !(limit(min)..=limit(max)).contains(&seconds) {
            let error = Error::project(format!("`{key}` is `{}`", text.value));
            self.document.report(&text.span, error.hint(format!("write a duration from {min} to {max}")));
            return None;
        }
        Some(Duration::from_secs(seconds.unsigned_abs()))
    }

    /// A whole number of a range.
    pub fn count(&self, key: &'static str, otherwise: u64, range: RangeInclusive<u64>) -> u64 {
        let Some((count, span)) = self.number::<u64>(key, "a whole number") else { return otherwise };
        if !range.contains(&count) {
            let hint = format!("write a number from {} to {}", range.start(), range.end());
            self.document.report(&span, Error::project(format!("`{key}` is `{count}`")).hint(hint));
            return otherwise;
        }
        count
    }

    /// An optional size such as `8MB`, in bytes.
    pub fn size(&self, key: &'static str) -> Option<u64> {
        let text = self.text(key)?;
        let bytes = bytes(&text.value);
        if bytes.is_none() {
            let error = Error::project(format!("`{}` is not a size", text.value));
            self.document.report(&text.span, error.hint("write it as `512MB`, `1.5GB` or `2GiB`"));
        }
        bytes
    }

    /// An optional time of the day.
    pub fn time_of_day(&self, key: &'static str) -> Option<Time> {
        time_of_day(self.document, key, &self.text(key)?)
    }

    /// A list of parts of the day.
    pub fn windows(&self, key: &'static str) -> Vec<TimeWindow> {
        let window = |text: &Text| match TimeWindow::parse(&text.value) {
            Ok(window) => Some(window),
            Err(invalid) => {
                self.document.report_invalid(text, invalid);
                None
            }
        };
        self.texts(key).iter().filter_map(window).collect()
    }
}

/// A time of the day to the minute.
fn time_of_day(document: &Document, key: &str, text: &Text) -> Option<Time> {
    let parsed = text.value.split_once(':').and_then(|(hour, minute)| {
        let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let is_time = digits(hour) && digits(minute) && minute.len() == 2;
        is_time.then(|| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()).flatten()
    });
    if parsed.is_none() {
        let error = Error::project(format!("`{key}` is `{}`, which is not a time of the day", text.value));
        // YAML 1.1 reads 07:00 without quotes as a number in base 60.
        let hint = match text.value.parse::<u16>() {
            Ok(minutes @ 60..1440) => {
                let time = format!("{:02}:{:02}", minutes / 60, minutes % 60);
                format!("write it in quotes: \"{time}\"; other programs turn {time} without quotes into {minutes}")
            }
            _ => "write hours and minutes from 00:00 to 23:59, such as \"07:00\"".to_string(),
        };
        document.report(&text.span, error.hint(hint));
    }
    parsed
}

/// A date, written as `2026-12-24`.
pub(super) fn date(document: &Document, text: &Text) -> Option<Date> {
    let date = text.value.parse::<Date>().ok().filter(|_| text.value.len() == "2026-12-24".len());
    if date.is_none() {
        let error = Error::project(format!("`{}` is not a date", text.value));
        document.report(&text.span, error.hint("write it as `2026-12-24`"));
    }
    date
}

/// A size such as `1.5GB`, in bytes.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let bytes = number * unit as f64;
    (bytes.is_finite() && bytes < 1e18).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_bytes() {
        assert_eq!(bytes("1GB"), Some(1_000_000_000));
        assert_eq!(bytes("1.5 GB"), Some(1_500_000_000));
        assert_eq!(bytes("512MiB"), Some(512 * 1024 * 1024));
        for wrong in ["", "GB", "1", "1 gigabyte", "-1GB", "1..5GB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("2h", 7200), ("1h30m", 5400), ("1h 30m", 5400), ("3d", 259_200), ("0s", 0)]
        {
            assert_eq!(parse_seconds(text), Some(seconds), "{text}");
        }
        for wrong in ["", "5", "5 apples", "-5m", "1 month", "five minutes"] {
            assert_eq!(parse_seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_of_the_day_have_hours_and_minutes() {
        let read = |value: &str| {
            let document = Document::new("a.yml", value);
            let time = time_of_day(&document, "until", &Text { value: value.to_string(), span: 0..value.len() });
            let hints = document.into_problems().iter().map(|e| e.hint_text().unwrap_or("").to_string()).collect();
            (time, hints)
        };
        let good: Vec<String> = Vec::new();
        assert_eq!(read("07:00"), (Some(Time::constant(7, 0, 0, 0)), good.clone()));
        assert_eq!(read("7:05"), (Some(Time::constant(7, 5, 0, 0)), good.clone()));
        assert_eq!(read("23:59"), (Some(Time::constant(23, 59, 0, 0)), good.clone()));
        for wrong in ["", "7", "24:00", "07:60", "07:00:00", "7:5", "7 am", "-1:00", "+7:00", "07.00", "1440"] {
            let (time, hints): (_, Vec<String>) = read(wrong);
            assert!(time.is_none() && hints[0].contains("from 00:00 to 23:59"), "{wrong}: {hints:?}");
        }
        // 7 * 60 and 16 * 60 + 30.
        assert!(read("420").1[0].starts_with("write it in quotes: \"07:00\";"));
        assert!(read("990").1[0].starts_with("write it in quotes: \"16:30\";"));
    }
}
