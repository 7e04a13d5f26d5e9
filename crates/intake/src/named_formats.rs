//! Formats of dates that have no strftime pattern.

use super::calendar::Parts;
use perennial_core::contract::day_of;

/// Milliseconds of a day, the precision of a spreadsheet.
const DAY_MILLISECONDS: u128 = 86_400_000;
/// Serial number of 9999-12-31 when days count from 1900, and from 1904.
const LAST_DAYS: [i64; 2] = [2_958_465, 2_957_003];
/// 1899-12-30 and 1904-01-01, in days since 1970-01-01: number 0 of days after February 1900, and of the 1904 system.
const ORIGINS: [i64; 2] = [-25_569, -24_107];
/// The year before the first of the Republic of China.
const MINGUO: i64 = 1911;

/// A format with a name instead of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedFormat {
    /// Days since 1900 as Excel counts them, including 29 February 1900, which did not exist; a fraction is the time
    /// of day.
    ExcelDays,
    /// Days since 1904-01-01, as workbooks of old Macintoshes count them.
    ExcelDays1904,
    /// Years of the Republic of China: `民國115年11月22日`, `115/11/22`, `1151122`.
    Minguo,
}

impl NamedFormat {
    /// The format with this name in contracts.
    pub(super) fn named(name: &str) -> Option<NamedFormat> {
        Some(match name {
            "excel_days" => NamedFormat::ExcelDays,
            "excel_days_1904" => NamedFormat::ExcelDays1904,
            "minguo" => NamedFormat::Minguo,
            _ => return None,
        })
    }

    /// Parses a text; whether the date exists is not checked.
    pub(super) fn read(self, text: &str) -> Option<Parts> {
        match self {
            NamedFormat::ExcelDays => excel_days(text, 0),
            NamedFormat::ExcelDays1904 => excel_days(text, 1),
            NamedFormat::Minguo => minguo(text),
        }
    }
}

fn excel_days(text: &str, system: usize) -> Option<Parts> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let unit = 10_u128.pow(fraction.len() as u32);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    // A binary fraction is hardly ever an exact second; the nearest millisecond was meant.
    let milliseconds = (part * DAY_MILLISECONDS + unit / 2) / unit;
    let number: i64 = whole.parse().ok()?;
    let number = number + (milliseconds / DAY_MILLISECONDS) as i64;
    let milliseconds = (milliseconds % DAY_MILLISECONDS) as i64;
    if number < 1 - system as i64 || number > LAST_DAYS[system] {
        return None;
    }
    let (year, month, day) = match number {
        60 if system == 0 => (1900, 2, 29),
        _ => {
            let early = i64::from(system == 0 && number < 60);
            let date = day_of(number + ORIGINS[system] + early)?;
            (date.year().into(), date.month().into(), date.day().into())
        }
    };
    let (second, microsecond) = (milliseconds / 1000, milliseconds % 1000 * 1000);
    Some(Parts { year, month, day, second, microsecond, offset_seconds: None })
}

fn minguo(text: &str) -> Option<Parts> {
    let named = ["中華民國", "中华民国", "民國", "民国"].iter().find_map(|name| text.strip_prefix(name));
    let rest = named.unwrap_or(text).trim();
    let number = |part: &str, most: usize| {
        let part = part.trim();
        let good = (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        good.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, day) = if let Some((year, rest)) = rest.split_once('年') {
        let (month, day) = rest.strip_suffix('日')?.split_once('月')?;
        (number(year, 3)?, number(month, 2)?, number(day, 2)?)
    } else if let Some(mark) = rest.chars().find(|c| matches!(c, '/' | '-' | '.')) {
        let mut parts = rest.splitn(3, mark);
        (number(parts.next()?, 3)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?)
    } else {
        // Month and day always have two digits; years before 100 have two or three.
        let whole = number(rest, 7).filter(|_| rest.len() >= 6)?;
        (whole / 10_000, whole / 100 % 100, whole % 100)
    };
    let good = year >= 1;
    good.then_some(Parts { year: year + MINGUO, month, day, second: 0, microsecond: 0, offset_seconds: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: NamedFormat, text: &str) -> Option<String> {
        let Parts { year, month, day, second, microsecond, .. } = format.read(text)?;
        Some(format!("{year:04}-{month:02}-{day:02} {second}.{microsecond:06}"))
    }

    /// Serial numbers as Excel shows them: 1 is 1900-01-01, 44197 is 2021-01-01, 46348 is 2026-11-22 (36,525 days a
    /// century and one, counted by hand from 36526, which is 2000-01-01).
    #[test]
    fn serial_days_count_from_1900_with_a_day_too_many() {
        let excel = |text| read(NamedFormat::ExcelDays, text);
        for (text, day) in [
            ("1", "1900-01-01 0.000000"),
            ("59", "1900-02-28 0.000000"),
            ("60", "1900-02-29 0.000000"),
            ("61", "1900-03-01 0.000000"),
            ("36526", "2000-01-01 0.000000"),
            ("44197", "2021-01-01 0.000000"),
            ("46348", "2026-11-22 0.000000"),
            ("46348.0", "2026-11-22 0.000000"),
            ("46348.5", "2026-11-22 43200.000000"),
            ("46348.4166666667", "2026-11-22 36000.000000"),
            ("46348.999999999", "2026-11-23 0.000000"),
            ("2958465", "9999-12-31 0.000000"),
        ] {
            assert_eq!(excel(text).as_deref(), Some(day), "{text}");
        }
        for text in
            ["0", "0.5", "-1", "2958466", "46348.", ".5", "4.6E4", "2026-11-22", "", "1,5", "99999999999999999999"]
        {
            assert_eq!(excel(text), None, "{text}");
        }
    }

    #[test]
    fn the_other_system_counts_from_1904() {
        let excel = |text| read(NamedFormat::ExcelDays1904, text);
        assert_eq!(excel("0").as_deref(), Some("1904-01-01 0.000000"));
        // The systems lie 1462 days apart.
        assert_eq!(excel("44886").as_deref(), Some("2026-11-22 0.000000"));
        assert_eq!(excel("2957003").as_deref(), Some("9999-12-31 0.000000"));
        assert_eq!(excel("2957004"), None);
    }

    #[test]
    fn years_of_the_republic_begin_in_1912() {
        let minguo = |text| read(NamedFormat::Minguo, text).map(|read| read[..10].to_string());
        for text in [
            "民國115年11月22日",
            "中華民國115年11月22日",
            "民国 115年11月22日",
            "115/11/22",
            "115-11-22",
            "115.11.22",
            "1151122",
        ] {
            assert_eq!(minguo(text).as_deref(), Some("2026-11-22"), "{text}");
        }
        assert_eq!(minguo("1/1/1").as_deref(), Some("1912-01-01"));
        assert_eq!(minguo("98/3/5").as_deref(), Some("2009-03-05"));
        assert_eq!((minguo("0980305"), minguo("980305")), (Some("2009-03-05".into()), Some("2009-03-05".into())));
        for text in [
            "2026/11/22",
            "115/11",
            "115/11/22/1",
            "115年11月",
            "0/1/1",
            "民國",
            "115年11月22",
            "11522",
            "20261122",
            "115/x/22",
        ] {
            assert_eq!(minguo(text), None, "{text}");
        }
    }
}
