//! Cron lines: what they say, and what clock changes do to them.

use super::*;
use crate::CronLine;
use jiff::civil::DateTime;

/// The next instants of a line.
fn next(line: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
    let (line, zone) = (CronLine::parse(line).unwrap(), zone(zone_name));
    let times = std::iter::successors(line.next_after(at(after), &zone), |time| line.next_after(*time, &zone));
    times.take(count).map(|time| time.to_string()).collect()
}

/// The dates of the next occurrences at noon UTC.
fn dates(line: &str, after: &str, count: usize) -> Vec<String> {
    next(line, "UTC", after, count).iter().map(|time| time.strip_suffix("T12:00:00Z").unwrap().to_string()).collect()
}

#[test]
fn a_fixed_time_that_the_clock_skips_runs_at_the_next_instant() {
    // 29 March 2026: 02:00 is 03:00 in Berlin, at 01:00 UTC.
    let berlin = ("Europe/Berlin", "2026-03-28T12:00:00Z");
    assert_eq!(next("30 2 * * *", berlin.0, berlin.1, 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    // Fixed are the hours of a list, and all minutes of a fixed hour together.
    assert_eq!(
        next("0 2,14 * * *", berlin.0, berlin.1, 3),
        ["2026-03-28T13:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z"]
    );
    assert_eq!(next("*/15 2 * * *", berlin.0, berlin.1, 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
    assert_eq!(next("0 2 29 3 *", berlin.0, berlin.1, 2), ["2026-03-29T01:00:00Z", "2027-03-29T00:00:00Z"]);
    // 8 March 2026 in New York, at 07:00 UTC.
    assert_eq!(
        next("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]
    );
    // 4 October 2026 on Lord Howe Island: 02:00 is 02:30, at 15:30 UTC of the day before.
    assert_eq!(
        next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
    );
    // 31 March 2075 is a Sunday and the last of its month.
    assert_eq!(next("30 2 * * *", berlin.0, "2075-03-30T12:00:00Z", 1), ["2075-03-31T01:00:00Z"]);
}

#[test]
fn a_fixed_time_that_occurs_twice_runs_once_at_the_first() {
    // 25 October 2026: 03:00 is 02:00 in Berlin, at 01:00 UTC.
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    // Also when asked between the two.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", 1), ["2026-10-26T01:30:00Z"]);
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", 1), ["2026-10-26T01:30:00Z"]);
    assert_eq!(
        next("30 1,2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 3),
        ["2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T00:30:00Z"]
    );
    // 1 November 2026 in New York: 02:00 is 01:00, at 06:00 UTC.
    assert_eq!(
        next("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]
    );
    // 5 April 2026 on Lord Howe Island: 02:00 is 01:30, at 15:00 UTC of the day before.
    assert_eq!(
        next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2),
        ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]
    );
}

#[test]
fn lines_with_many_hours_follow_real_time() {
    assert_eq!(
        next("15 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2),
        ["2026-03-29T00:15:00Z", "2026-03-29T01:15:00Z"]
    );
    assert_eq!(
        next("@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
        ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]
    );
    assert_eq!(
        next("0 1-4 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 4),
        ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-03-29T23:00:00Z"]
    );
    assert_eq!(
        next("0 1-4 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 5),
        [
            "2026-10-24T23:00:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T03:00:00Z"
        ]
    );
    assert_eq!(
        next("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", 3),
        ["2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"]
    );
    // 7 November 2010 in St John's: 00:01 is 23:01 of the day before, at 02:31 UTC.
    assert_eq!(
        next("*/30 * * * *", "America/St_Johns", "2010-11-07T01:31:00Z", 4),
        ["2010-11-07T02:00:00Z", "2010-11-07T02:30:00Z", "2010-11-07T03:00:00Z", "2010-11-07T03:30:00Z"]
    );
}

#[test]
fn zones_with_minutes_and_a_day_that_never_was() {
    assert_eq!(next("0 2 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", 1), ["2026-01-01T20:30:00Z"]);
    assert_eq!(next("0 2 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", 1), ["2026-01-01T20:15:00Z"]);
    assert_eq!(next("@daily", "Asia/Kathmandu", "2090-01-01T00:00:00Z", 1), ["2090-01-01T18:15:00Z"]);
    // After 29 December 2011 came the 31st in Samoa, at 10:00 UTC of the 30th.
    assert_eq!(
        next("0 2 * * *", "Pacific/Apia", "2011-12-28T13:00:00Z", 4),
        ["2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T12:00:00Z", "2011-12-31T12:00:00Z"]
    );
    assert_eq!(next("0 6 30 * *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1), ["2011-12-30T10:00:00Z"]);
    assert_eq!(
        next("0 * * * *", "Pacific/Apia", "2011-12-30T08:30:00Z", 3),
        ["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"]
    );
}

#[test]
fn days_of_the_month_are_counted_from_both_ends() {
    // 1 January 2026 is a Thursday.
    let begin = "2026-01-01T00:00:00Z";
    assert_eq!(dates("0 12 L * *", begin, 3), ["2026-01-31", "2026-02-28", "2026-03-31"]);
    assert_eq!(dates("0 12 L 2 *", begin, 3), ["2026-02-28", "2027-02-28", "2028-02-29"]);
    assert_eq!(dates("0 12 LW * *", begin, 3), ["2026-01-30", "2026-02-27", "2026-03-31"]);
    assert_eq!(dates("0 12 15W 1,2,8 *", begin, 3), ["2026-01-15", "2026-02-16", "2026-08-14"]);
    assert_eq!(dates("0 12 1W 8 *", begin, 1), ["2026-08-03"]);
    assert_eq!(dates("0 12 * * FRI#L", begin, 3), ["2026-01-30", "2026-02-27", "2026-03-27"]);
    assert_eq!(dates("0 12 * * 5L", begin, 1), ["2026-01-30"]);
    assert_eq!(dates("0 12 * * mon#1", begin, 3), ["2026-01-05", "2026-02-02", "2026-03-02"]);
    assert_eq!(dates("0 12 31 * *", begin, 3), ["2026-01-31", "2026-03-31", "2026-05-31"]);
    assert_eq!(dates("0 12 29 2 *", begin, 2), ["2028-02-29", "2032-02-29"]);
    // The next 29 February on a Monday.
    assert_eq!(dates("0 12 29 2 +MON", begin, 1), ["2044-02-29"]);
    assert_eq!(dates("0 12 * JAN-MAR SAT-SUN", "2026-03-28T13:00:00Z", 2), ["2026-03-29", "2027-01-02"]);
    assert_eq!(dates("0 12 * * 7", begin, 1), ["2026-01-04"]);
}

#[test]
fn what_is_wrong_is_said_of_the_field() {
    let wrong = |text: &str| {
        let invalid = CronLine::parse(text).unwrap_err();
        (invalid.message, text[invalid.span].to_string())
    };
    for (text, field, name) in [
        ("60 2 * * *", "60", "minute"),
        ("0  25 * * *", "25", "hour"),
        ("0 2 0 * *", "0", "day of the month"),
        ("0 2 * 13 *", "13", "month"),
        ("0 2 * * 8", "8", "weekday"),
        ("0 2 * * MON#6", "MON#6", "weekday"),
        // Names are not numbers of other fields.
        ("0 2 * MON *", "MON", "month"),
        ("0 2 * * MAR", "MAR", "weekday"),
        ("0 MON * * *", "MON", "hour"),
        ("JAN 2 * * *", "JAN", "minute"),
        ("0 2 * * SUNMON", "SUNMON", "weekday"),
        ("0 2 1MON * *", "1MON", "day of the month"),
        // Nothing of a list is passed over.
        ("0,,5 2 * * *", "0,,5", "minute"),
        (", 2 * * *", ",", "minute"),
        ("0 2 L,LW * *", "L,LW", "day of the month"),
        ("0 2 * * L", "L", "weekday"),
        ("0 2 L-3 * *", "L-3", "day of the month"),
        ("0 2 15W-20 * *", "15W-20", "day of the month"),
        ("*/0 2 * * *", "*/0", "minute"),
        ("0/10 2 * * *", "0/10", "minute"),
        ("0 5-2 * * *", "5-2", "hour"),
        ("0 2 * * ÄÖ", "ÄÖ", "weekday"),
        ("0 2h * * *", "2h", "hour"),
        ("0 -1 * * *", "-1", "hour"),
    ] {
        assert_eq!(wrong(text), (format!("`{field}` is not a valid {name} of a schedule"), field.into()), "{text}");
    }
    assert_eq!(wrong("0 2 * *").0, "a schedule has five fields, `0 2 * *` has 4");
    assert_eq!(wrong("").0, "a schedule has five fields, `` has 0");
    assert_eq!(wrong("0 0 2 * * *").0, "a schedule has five fields, `0 0 2 * * *` has 6");
    assert_eq!(wrong("@nightly").0, "unknown schedule `@nightly`");
    for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 *", "0 0 30W 2 *"] {
        assert_eq!(wrong(never).0, format!("the schedule `{never}` never occurs"));
    }
    for valid in ["@daily", "@yearly", "* * * * *", "0 2 ? * MON", "0 2 L * *", "5,10-20/5 */2 1,15W * mon-fri"] {
        assert_eq!(CronLine::parse(valid).unwrap().text(), valid);
    }
}

/// A field with the values that it allows, which are not read from its text.
fn any_field(values: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = (String, Vec<u8>)> {
    let (low, high) = (*values.start(), *values.end());
    let every = (low..=high).collect::<Vec<u8>>();
    let list = prop::collection::btree_set(low..=high, 1..4).prop_map(|set| {
        let text = set.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        (text, set.into_iter().collect())
    });
    let range = (low..=high, low..=high).prop_map(|(a, b)| {
        let (a, b) = (a.min(b), a.max(b));
        (format!("{a}-{b}"), (a..=b).collect())
    });
    let step = (2..=7_u8).prop_map(move |step| (format!("*/{step}"), (low..=high).step_by(step.into()).collect()));
    prop_oneof![Just(("*".to_string(), every)), list, range, step]
}

/// The instant of a time on the clock by looking at each minute: the first at which the clock shows it or, having skipped
/// it, more.
fn first_minute(local: DateTime, zone: &TimeZone) -> Timestamp {
    let early = local.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() / 60 - 26 * 60;
    let minutes = (early..early + 4 * 24 * 60).map(|minute| Timestamp::from_second(minute * 60).unwrap());
    let mut minutes = minutes.skip_while(|minute| zone.to_datetime(*minute) >= local);
    minutes.find(|minute| zone.to_datetime(*minute) >= local).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_next_time_is_that_of_a_clock_watched_each_minute(
        (zone, after) in any_minute_near_change(),
        (minute_text, minutes) in any_field(0..=59),
        (hour_text, hours) in any_field(0..=23),
        (weekday_text, weekdays) in any_field(0..=6),
    ) {
        let line = CronLine::parse(&format!("{minute_text} {hour_text} * * {weekday_text}")).unwrap();
        let is_due = |local: DateTime| {
            minutes.contains(&(local.minute() as u8))
                && hours.contains(&(local.hour() as u8))
                && weekdays.contains(&(local.weekday().to_sunday_zero_offset() as u8))
        };
        let in_real_time = hour_text.contains(['*', '-']);
        let horizon = 4 * 24 * 60;
        let expected = if in_real_time {
            let first = after.as_second() / 60 + 1;
            let minutes = (first..first + horizon).map(|minute| Timestamp::from_second(minute * 60).unwrap());
            minutes.into_iter().find(|minute| is_due(zone.to_datetime(*minute)))
        } else {
            let begin = zone.to_datetime(after) - jiff::Span::new().hours(26);
            let clock = std::iter::successors(Some(begin), |local| Some(*local + jiff::Span::new().minutes(1)));
            let due = clock.take(26 * 60 + horizon as usize).filter(|local| is_due(*local));
            due.map(|local| first_minute(local, &zone)).find(|instant| *instant > after)
        };
        let found = line.next_after(after, &zone);
        match expected {
            Some(expected) => prop_assert_eq!(found, Some(expected), "{:?} {}", line.text(), after),
            None => prop_assert!(found.unwrap() > after),
        }
    }

    #[test]
    fn times_ascend(
        (zone, after) in any_minute_near_change(),
        second in 0..60_i64,
        (minute_text, _) in any_field(0..=59),
        (hour_text, _) in any_field(0..=23),
        (day_text, _) in any_field(1..=28),
    ) {
        let line = CronLine::parse(&format!("{minute_text} {hour_text} {day_text} * *")).unwrap();
        let mut last = after + jiff::Span::new().seconds(second).nanoseconds(1);
        for _ in 0..40 {
            let next = line.next_after(last, &zone).unwrap();
            prop_assert!(next > last);
            // Nothing lies between that is found from a moment before.
            prop_assert_eq!(line.next_after(next - jiff::Span::new().nanoseconds(1), &zone), Some(next));
            last = next;
        }
    }
}

#[test]
fn the_search_ends() {
    let line = CronLine::parse("0 0 29 2 *").unwrap();
    for zone_name in ["UTC", "Europe/Berlin"] {
        assert_eq!(line.next_after(Timestamp::MAX, &zone(zone_name)), None);
        assert_eq!(line.next_after(at("4999-01-01T00:00:00Z"), &zone(zone_name)), None);
    }
    assert!(line.next_after(Timestamp::MIN, &TimeZone::UTC).is_none_or(|time| time > Timestamp::MIN));
}
