//! Opening hours and windows.

use super::*;
use crate::{Moment, OpenTime, OpeningHours, TimeWindow};
use jiff::civil::time;

/// Open seconds between two local times in Berlin.
fn open(hours: &str, calendar: &BusinessCalendar, from: &str, to: &str) -> i64 {
    let hours = OpeningHours::parse(hours).unwrap();
    let zone = zone("Europe/Berlin");
    let local = |text: &str| {
        let local: jiff::civil::DateTime = text.parse().unwrap();
        local.to_zoned(zone.clone()).unwrap().timestamp().as_second()
    };
    let (from, to) = (local(from), local(to));
    let times = OpenTime::new(&hours, calendar, &zone, from.min(to)..from.max(to));
    times.between(Moment::Instant(from), Moment::Instant(to))
}

const HOUR: i64 = 3_600;

#[test]
fn hours_of_a_week() {
    let office = "Mon-Fri 09:00-17:30, Sat 10:00-14:00";
    let none = BusinessCalendar::default();
    // Friday 30 October 2026, 16:00 to Monday, 10:00: an hour and a half, four hours, an hour.
    assert_eq!(open(office, &none, "2026-10-30T16:00", "2026-11-02T10:00"), 6 * HOUR + HOUR / 2);
    // Hours name their days, whatever the calendar's weekend is.
    let weekdays = BusinessCalendar::monday_to_friday();
    assert_eq!(open(office, &weekdays, "2026-10-30T16:00", "2026-11-02T10:00"), 6 * HOUR + HOUR / 2);
    assert_eq!(open(office, &none, "2026-11-02T10:00", "2026-10-30T16:00"), -(6 * HOUR + HOUR / 2));
    assert_eq!(open(office, &none, "2026-11-02T10:00", "2026-11-02T10:00"), 0);
    // A week has 5 * 8.5 + 4 hours.
    assert_eq!(open(office, &none, "2026-11-02T00:00", "2026-11-09T00:00"), 46 * HOUR + HOUR / 2);
    // Several windows a day, and days in a list.
    let split = "Mon, Wed-Thu 09:00-12:00, 13:00-17:00; Fri 09:00-12:00";
    assert_eq!(open(split, &none, "2026-11-02T00:00", "2026-11-09T00:00"), 24 * HOUR);
    assert_eq!(open("08:00-20:00", &none, "2026-11-02T00:00", "2026-11-09T00:00"), 84 * HOUR);
    // Windows that overlap count once, also those of the night before.
    let overlapping = "Mon 09:00-12:00 11:00-13:00, Sun 22:00-10:00";
    assert_eq!(open(overlapping, &none, "2026-11-02T00:00", "2026-11-03T00:00"), 13 * HOUR);
    assert_eq!(open("Fri-Mon 09:00-10:00", &none, "2026-11-02T00:00", "2026-11-09T00:00"), 4 * HOUR);
}

#[test]
fn nights_and_changes_of_the_clock() {
    let none = BusinessCalendar::default();
    // 29 March 2026 has 23 hours in Berlin, 25 October 25.
    assert_eq!(open("24/7", &none, "2026-03-29T00:00", "2026-03-30T00:00"), 23 * HOUR);
    assert_eq!(open("24/7", &none, "2026-10-25T00:00", "2026-10-26T00:00"), 25 * HOUR);
    assert_eq!(open("00:00-24:00", &none, "2026-10-25T00:00", "2026-10-26T00:00"), 25 * HOUR);
    let night = "22:00-06:00";
    assert_eq!(open(night, &none, "2026-03-28T12:00", "2026-03-29T12:00"), 7 * HOUR);
    assert_eq!(open(night, &none, "2026-10-24T12:00", "2026-10-25T12:00"), 9 * HOUR);
    assert_eq!(open(night, &none, "2026-10-20T12:00", "2026-10-21T12:00"), 8 * HOUR);
    assert_eq!(open("01:00-02:30", &none, "2026-03-29T00:00", "2026-03-30T00:00"), HOUR);
    assert_eq!(open("02:00-03:00", &none, "2026-03-29T00:00", "2026-03-30T00:00"), 0);
    assert_eq!(open("02:00-03:00", &none, "2026-10-25T00:00", "2026-10-26T00:00"), 2 * HOUR);
}

#[test]
fn holidays_and_extra_working_days() {
    let office = "Mon-Fri 09:00-17:30";
    // Christmas of 2026 is a Friday: an hour and a half on Thursday, an hour on Monday.
    assert_eq!(open(office, &germany(), "2026-12-24T16:00", "2026-12-28T10:00"), 2 * HOUR + HOUR / 2);
    assert_eq!(open("24/7", &germany(), "2026-12-25T00:00", "2026-12-26T00:00"), 24 * HOUR);
    assert_eq!(open("00:00-24:00", &germany(), "2026-12-25T00:00", "2026-12-26T00:00"), 0);
    // The window of the eve lasts into the holiday, that of the holiday does not begin.
    assert_eq!(open("22:00-06:00", &germany(), "2026-12-24T12:00", "2026-12-25T12:00"), 8 * HOUR);
    assert_eq!(open("22:00-06:00", &germany(), "2026-12-25T12:00", "2026-12-26T12:00"), 0);
    // Saturday 10 October 2026.
    let mut china = BusinessCalendar::monday_to_friday();
    china.working_days.insert(day("2026-10-10"));
    let saturday = |hours: &str| open(hours, &china, "2026-10-10T00:00", "2026-10-11T00:00");
    assert_eq!(saturday(office), 8 * HOUR + HOUR / 2);
    assert_eq!(saturday("Mon-Fri 09:00-17:30, Sat 10:00-14:00"), 4 * HOUR);
    assert_eq!(saturday("Tue-Fri 09:00-12:00"), 3 * HOUR);
    assert_eq!(open(office, &china, "2026-10-03T00:00", "2026-10-04T00:00"), 0);
    // Monday's hours on Saturday and Friday's night overlap for an hour.
    let night = "Mon 05:00-20:00, Fri 22:00-06:00";
    assert_eq!(open(night, &china, "2026-10-10T00:00", "2026-10-11T00:00"), 20 * HOUR);
}

#[test]
fn a_century_is_like_an_hour() {
    let none = BusinessCalendar::monday_to_friday();
    // 36,524 days from 2000 to 2100 are 5,217 weeks and five days from a Saturday on, three of them working days.
    let seconds = open("Mon-Fri 09:00-10:00", &none, "2000-01-01T00:00", "2099-12-31T00:00");
    assert_eq!(seconds, (5_217 * 5 + 3) * HOUR);
}

#[test]
fn local_times_that_are_skipped_or_occur_twice() {
    let zone = zone("Europe/Berlin");
    let hours = OpeningHours::parse("24/7").unwrap();
    let second = |text: &str| {
        text.parse::<jiff::civil::DateTime>().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()
    };
    let between = |from: &str, to: &str| {
        let (from, to) = (second(from), second(to));
        OpenTime::new(&hours, &BusinessCalendar::default(), &zone, from..to)
            .between(Moment::Local(from), Moment::Local(to))
    };
    assert_eq!(between("2026-03-29T01:00", "2026-03-29T02:30"), HOUR);
    assert_eq!(between("2026-03-29T02:30", "2026-03-29T03:00"), 0);
    assert_eq!(between("2026-10-25T01:00", "2026-10-25T02:30"), HOUR + HOUR / 2);
    assert_eq!(between("2026-10-25T02:30", "2026-10-25T03:00"), HOUR + HOUR / 2);
}

#[test]
fn what_is_wrong_with_hours_is_said_of_the_word() {
    for (text, message, part) in [
        ("Mon-Fri 9-17", "`9-17` is not a time window", "9-17"),
        ("Mon-Fri 09:00-25:00", "`09:00-25:00` is not a time window", "09:00-25:00"),
        ("Mo-Fr 09:00-17:00", "`Mo-Fr` is not a day of the week", "Mo-Fr"),
        ("Mon-Fri", "`Mon-Fri` has no hours", "Mon-Fri"),
        ("Mon 09:00-17:00, Sat", "`Sat` has no hours", "Sat"),
        ("Mon 09:00-09:00", "`09:00-09:00` has no length", "09:00-09:00"),
        ("24/7, Mon 09:00-10:00", "`24/7` is not a time window", "24/7"),
        ("", "there are no opening hours", ""),
    ] {
        let invalid = OpeningHours::parse(text).unwrap_err();
        assert_eq!((invalid.message.as_str(), &text[invalid.span]), (message, part));
    }
    for text in ["mon-fri 9:00-17:00", "Mon - Fri 09:00 - 17:00", "Mon-Fri 09:00-17:00;", "Mon-Fri  09:00-17:00"] {
        assert_eq!(OpeningHours::parse(text), OpeningHours::parse("Mon-Fri 09:00-17:00"), "{text}");
    }
}

#[test]
fn windows_of_a_day() {
    let window = TimeWindow::parse("22:00-04:30").unwrap();
    assert_eq!((window.start, window.end), (time(22, 0, 0, 0), time(4, 30, 0, 0)));
    for (at, expected) in [((22, 0), true), ((23, 59), true), ((0, 0), true), ((4, 29), true), ((4, 30), false)] {
        assert_eq!(window.contains(time(at.0, at.1, 0, 0)), expected);
    }
    let evening = TimeWindow::parse("22:00-24:00").unwrap();
    assert!(evening.contains(time(23, 59, 59, 0)) && !evening.contains(time(0, 0, 0, 0)));
    assert!(TimeWindow::parse("03:00-03:45").unwrap().contains(time(3, 44, 59, 0)));
    for wrong in ["", "03:00", "03:00-3", "3:0-4:00", "03:60-04:00", "+3:00-04:00", "24:01-03:00", "03:00-04:00-05:00"]
    {
        assert_eq!(TimeWindow::parse(wrong).unwrap_err().message, format!("`{wrong}` is not a time window"));
    }
    assert_eq!(TimeWindow::parse("00:00-24:00").unwrap_err().message, "`00:00-24:00` is the whole day");
    assert_eq!(TimeWindow::parse("24:00-03:00").unwrap_err().message, "`24:00-03:00` has no length");
}

/// Days, with windows in quarters of an hour that may last into the next day.
fn any_hours() -> impl Strategy<Value = (String, Vec<(usize, i64, i64)>)> {
    let window = (0..7_usize, 0..96_i64, 1..96_i64);
    prop::collection::vec(window, 1..9).prop_map(|windows| {
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let clock = |quarter: i64| format!("{:02}:{:02}", quarter % 96 / 4, quarter % 4 * 15);
        let text = |(day, start, length): &(usize, i64, i64)| {
            format!("{} {}-{}", names[*day], clock(*start), clock(start + length))
        };
        let text = windows.iter().map(text).collect::<Vec<_>>().join(", ");
        (text, windows.into_iter().map(|(day, start, length)| (day, start * 15, (start + length) * 15)).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn open_time_is_the_count_of_open_minutes(
        (zone, from) in any_minute_near_change(),
        minutes in 0..6 * 1_440_i64,
        (text, windows) in any_hours(),
        calendar in any_calendar(),
    ) {
        let hours = OpeningHours::parse(&text).unwrap();
        // Minutes after a midnight at which a day is open.
        let is_open = |date: Date, minute: i64| {
            let own = date.weekday().to_monday_zero_offset() as usize;
            let has = |day: usize| windows.iter().any(|window| window.0 == day);
            let kind = match (calendar.working_days.contains(&date), calendar.holidays.contains_key(&date)) {
                (true, _) => std::iter::once(own).chain(0..7).find(|day| has(*day)),
                (false, true) => None,
                (false, false) => Some(own),
            };
            windows.iter().any(|(day, start, end)| Some(*day) == kind && (*start..*end).contains(&minute))
        };
        let open_at = |instant: i64| {
            let local = zone.to_datetime(Timestamp::from_second(instant).unwrap());
            let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
            is_open(local.date(), minute) || is_open(local.date().yesterday().unwrap(), minute + 1_440)
        };
        let from = from.as_second();
        let to = from + minutes * 60;
        let expected = (0..minutes).filter(|minute| open_at(from + minute * 60)).count() as i64 * 60;
        let times = OpenTime::new(&hours, &calendar, &zone, from..to);
        prop_assert_eq!(times.between(Moment::Instant(from), Moment::Instant(to)), expected, "{}", text);
        prop_assert_eq!(times.between(Moment::Instant(to), Moment::Instant(from)), -expected);
        // The same in a wider range.
        let wide = OpenTime::new(&hours, &calendar, &zone, from - 90_000_000..to + 90_000_000);
        prop_assert_eq!(wide.between(Moment::Instant(from), Moment::Instant(to)), expected);
    }
}
