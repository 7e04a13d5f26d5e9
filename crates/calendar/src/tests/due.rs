//! Due times on the days that a calendar allows.

use super::*;
use crate::{CronLine, DayRule, DueTimes, OnHoliday};

fn due(line: &str, days: DayRule, if_holiday: OnHoliday, calendar: BusinessCalendar) -> DueTimes {
    let cron = CronLine::parse(line).unwrap();
    DueTimes { cron, zone: zone("Europe/Berlin"), days, if_holiday, calendar: Some(calendar) }
}

/// Local times from the beginning of one day to the beginning of another.
fn local(due: &DueTimes, from: &str, to: &str) -> Vec<String> {
    let midnight = |text: &str| day(text).to_zoned(due.zone.clone()).unwrap().timestamp();
    let times = due.between(midnight(from) - jiff::Span::new().seconds(1), midnight(to));
    times.into_iter().map(|time| due.zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()).collect()
}

#[test]
fn the_nth_and_the_last_working_day_of_a_month() {
    // 1 January 2026 is a Thursday; Good Friday is 3 April, Easter Monday the 6th; 31 May is a Sunday.
    let third = due("0 6 * * *", DayRule::NthWorkingDay(3), OnHoliday::Run, germany());
    assert_eq!(
        local(&third, "2026-01-01", "2026-06-01"),
        ["2026-01-06 06:00", "2026-02-04 06:00", "2026-03-04 06:00", "2026-04-07 06:00", "2026-05-06 06:00"]
    );
    let last = due("30 22 * * *", DayRule::LastWorkingDay, OnHoliday::Run, germany());
    assert_eq!(
        local(&last, "2026-01-01", "2026-06-01"),
        ["2026-01-30 22:30", "2026-02-27 22:30", "2026-03-31 22:30", "2026-04-30 22:30", "2026-05-29 22:30"]
    );
    // Only where the line allows the day: Tuesdays.
    let third = due("0 6 * * TUE", DayRule::NthWorkingDay(3), OnHoliday::Run, germany());
    assert_eq!(local(&third, "2026-01-01", "2026-06-01"), ["2026-01-06 06:00", "2026-04-07 06:00"]);
    // The first of a month is never its third working day, and no month has 24 of them.
    for (line, n) in [("@monthly", 3), ("0 6 * * *", 24)] {
        let never = due(line, DayRule::NthWorkingDay(n), OnHoliday::Run, germany());
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
    }
}

#[test]
fn the_last_time_up_to_a_moment() {
    let cases = [
        ("*/5 * * * *", "2026-03-10T12:04:59Z", "2026-03-10T12:00:00Z"),
        ("0 2 * * *", "2026-03-10T01:00:00Z", "2026-03-10T01:00:00Z"),
        ("0 2 * * *", "2026-03-10T00:59:59Z", "2026-03-09T01:00:00Z"),
        ("0 0 29 2 *", "2027-12-31T00:00:00Z", "2024-02-28T23:00:00Z"),
    ];
    for (line, until, expected) in cases {
        let due = due(line, DayRule::EveryDay, OnHoliday::Run, germany());
        assert_eq!(due.last_until(at(until)), Some(at(expected)), "{line} until {until}");
    }
    let third = due("0 6 * * *", DayRule::NthWorkingDay(3), OnHoliday::Run, germany());
    assert_eq!(third.last_until(at("2026-04-07T03:59:59Z")), Some(at("2026-03-04T05:00:00Z")));
}

#[test]
fn times_on_days_without_work_move_or_are_left_out() {
    // 1 January is a holiday, 1 February and 1 March 2026 are Sundays, 1 May is a holiday and a Friday, 1 June a Monday.
    let first = |days, if_holiday| local(&due("0 6 1 * *", days, if_holiday, germany()), "2026-01-01", "2026-05-31");
    for days in [DayRule::EveryDay, DayRule::WorkingDay] {
        assert_eq!(
            first(days, OnHoliday::Next),
            ["2026-01-02 06:00", "2026-02-02 06:00", "2026-03-02 06:00", "2026-04-01 06:00", "2026-05-04 06:00"]
        );
        assert_eq!(
            first(days, OnHoliday::Previous),
            ["2026-01-30 06:00", "2026-02-27 06:00", "2026-04-01 06:00", "2026-04-30 06:00"]
        );
        assert_eq!(first(days, OnHoliday::Skip), ["2026-04-01 06:00"]);
    }
    assert_eq!(first(DayRule::WorkingDay, OnHoliday::Run), ["2026-04-01 06:00"]);
    assert_eq!(first(DayRule::EveryDay, OnHoliday::Run).len(), 5);
}

#[test]
fn times_that_fall_together_are_one() {
    // From Maundy Thursday to the Wednesday after Easter 2026.
    let nightly =
        |if_holiday| local(&due("0 2 * * *", DayRule::EveryDay, if_holiday, germany()), "2026-04-02", "2026-04-09");
    assert_eq!(nightly(OnHoliday::Next), ["2026-04-02 02:00", "2026-04-07 02:00", "2026-04-08 02:00"]);
    assert_eq!(nightly(OnHoliday::Previous), nightly(OnHoliday::Next));
    assert_eq!(nightly(OnHoliday::Run).len(), 7);
    // A moved time that the clock skips: Sunday 29 March 2026 is a working day, Saturday the 28th is not.
    let mut calendar = germany();
    calendar.working_days.insert(day("2026-03-29"));
    let moved = due("30 2 * * SAT", DayRule::EveryDay, OnHoliday::Next, calendar);
    assert_eq!(local(&moved, "2026-03-27", "2026-04-01"), ["2026-03-29 03:00"]);
}

#[test]
fn a_calendar_without_work_gives_nothing() {
    let calendar = BusinessCalendar { weekend: crate::working_days::WEEK.to_vec(), ..BusinessCalendar::default() };
    for if_holiday in [OnHoliday::Next, OnHoliday::Previous, OnHoliday::Skip] {
        let never = due("0 6 * * *", DayRule::WorkingDay, if_holiday, calendar.clone());
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The search by days and the search along the clock agree where every day is a working day.
    #[test]
    fn a_calendar_of_working_days_changes_nothing(
        (zone, after) in any_minute_near_change(),
        line in prop::sample::select(vec![
            "30 2 * * *", "*/20 * * * *", "0 1-3 * * *", "15,45 0,1,2,23 * * *", "0 0 L * *", "59 23 * * *", "*/7 2 * * *",
        ]),
        days in prop::sample::select(vec![DayRule::EveryDay, DayRule::WorkingDay]),
    ) {
        let cron = CronLine::parse(line).unwrap();
        let plain = DueTimes {
            cron, zone, days: DayRule::EveryDay, if_holiday: OnHoliday::Run, calendar: None,
        };
        let with = DueTimes { days, if_holiday: OnHoliday::Next, calendar: Some(BusinessCalendar::default()), ..plain.clone() };
        let until = after + jiff::Span::new().hours(5 * 24);
        prop_assert_eq!(plain.between(after, until), with.between(after, until), "{} after {}", line, after);
    }

    /// What is due is what a list of all dates says, each moved by hand.
    #[test]
    fn moved_times_are_those_of_the_list_of_dates(
        calendar in any_calendar(),
        begin in 0..16_000_i32,
        weekdays in prop::sample::subsequence(vec!["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1..7),
        if_holiday in prop::sample::select(vec![OnHoliday::Next, OnHoliday::Previous, OnHoliday::Skip]),
    ) {
        let cron = CronLine::parse(&format!("0 6 * * {}", weekdays.join(","))).unwrap();
        let due = DueTimes {
            cron, zone: TimeZone::UTC, days: DayRule::EveryDay, if_holiday, calendar: Some(calendar.clone()),
        };
        let first = day("2008-01-01") + jiff::Span::new().days(begin);
        let days: Vec<Date> = (-60..120).map(|days| first + jiff::Span::new().days(days)).collect();
        let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
        let mut expected: Vec<Date> = Vec::new();
        for day in days {
            if !weekdays.contains(&names[day.weekday().to_sunday_zero_offset() as usize]) {
                continue;
            }
            let mut moved = day;
            while !calendar.is_working_day(moved) && if_holiday != OnHoliday::Skip {
                moved = if if_holiday == OnHoliday::Next { moved.tomorrow().unwrap() } else { moved.yesterday().unwrap() };
            }
            if calendar.is_working_day(moved) {
                expected.push(moved);
            }
        }
        expected.sort();
        expected.dedup();
        let last = first + jiff::Span::new().days(60);
        expected.retain(|day| *day >= first && *day < last);
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).unwrap().timestamp();
        let found = due.between(midnight(first), midnight(last));
        prop_assert_eq!(found.into_iter().map(|time| TimeZone::UTC.to_datetime(time).date()).collect::<Vec<_>>(), expected);
    }
}
