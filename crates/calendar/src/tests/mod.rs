//! Known answers, and each calculation against a slow one that looks at every minute or day.

mod business;
mod cron;
mod due;
mod hours;
mod ics;

use super::BusinessCalendar;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Public holidays of all of Germany from 2026 to 2028, by the laws of its states and the dates of Easter.
fn germany() -> BusinessCalendar {
    let easter = ["2026-04-05", "2027-03-28", "2028-04-16"].map(day);
    let moving = easter.iter().flat_map(|easter| [-2, 1, 39, 50].map(|days| *easter + jiff::Span::new().days(days)));
    let fixed = [(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)];
    let fixed = (2026..=2028).flat_map(|year| fixed.map(|(month, day)| jiff::civil::date(year, month, day)));
    BusinessCalendar {
        holidays: moving.chain(fixed).map(|day| (day, String::new())).collect(),
        ..BusinessCalendar::monday_to_friday()
    }
}

/// Zones with every kind of clock change: an hour, half an hour, over midnight, a whole day, none.
fn any_zone() -> impl Strategy<Value = TimeZone> {
    let names = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "America/St_Johns",
        "Pacific/Apia",
        "America/Sao_Paulo",
        "Asia/Shanghai",
        "UTC",
    ];
    prop::sample::select(names.to_vec()).prop_map(zone)
}

/// A whole minute, half of them within three days of a change of the clock.
fn any_minute_near_change() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    (any_zone(), 20_000_000..45_000_000_i64, any::<bool>(), -4_320..4_320_i64).prop_map(|(zone, minute, near, away)| {
        let anywhere = Timestamp::from_second(minute * 60).unwrap();
        let change = zone.following(anywhere).next().filter(|_| near);
        let minute = change.map_or(minute, |change| change.timestamp().as_second().div_euclid(60) + away);
        (zone, Timestamp::from_second(minute * 60).unwrap())
    })
}

/// Calendars with some weekends, holidays and extra working days around 2008 to 2055.
fn any_calendar() -> impl Strategy<Value = BusinessCalendar> {
    let days = || prop::collection::vec(0..17_000_i32, 0..200);
    let weekend =
        prop::sample::subsequence(vec![Weekday::Thursday, Weekday::Friday, Weekday::Saturday, Weekday::Sunday], 0..4);
    (weekend, days(), days(), 0..17_000_i32).prop_map(|(weekend, holidays, working_days, long)| {
        let date = |days: i32| day("2008-01-01") + jiff::Span::new().days(days);
        let long = (long..long + 12).chain(holidays);
        BusinessCalendar {
            weekend,
            holidays: long.map(|days| (date(days), String::new())).collect(),
            working_days: working_days.into_iter().map(date).collect(),
        }
    })
}
