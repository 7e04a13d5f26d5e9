//! Working days.

use super::*;
use crate::WorkingDays;
use crate::working_days::day_number;

#[test]
fn working_days_of_a_month_and_around_a_day() {
    // Good Friday is 3 April 2026, Easter Monday the 6th.
    let calendar = germany();
    assert!(!calendar.is_working_day(day("2026-04-03")) && calendar.is_working_day(day("2026-04-07")));
    assert_eq!(calendar.next_working_day(day("2026-04-02")), Some(day("2026-04-07")));
    assert_eq!(calendar.previous_working_day(day("2026-04-07")), Some(day("2026-04-02")));
    assert_eq!(calendar.nth_working_day(2026, 4, 3), Some(day("2026-04-07")));
    assert_eq!(calendar.nth_working_day(2026, 4, 0), None);
    // 30 days less four weekends, Good Friday and Easter Monday.
    assert_eq!(calendar.nth_working_day(2026, 4, 20), Some(day("2026-04-30")));
    assert_eq!(calendar.nth_working_day(2026, 4, 21), None);
    assert_eq!(calendar.last_working_day(2026, 5), Some(day("2026-05-29")));
    assert_eq!(calendar.nth_working_day(2026, 13, 1), None);
    assert_eq!(calendar.working_days_after(day("2026-03-31"), 3), Some(day("2026-04-07")));
    assert_eq!(calendar.working_days_after(day("2026-04-04"), 0), Some(day("2026-04-04")));
    assert_eq!(calendar.ends(), Some(day("2028-12-31")));
    assert_eq!(BusinessCalendar::monday_to_friday().ends(), None);
}

/// China's National Day of 2026 as if it were free from 1 to 8 October, with work on Saturday the 10th.
#[test]
fn an_extra_working_day_counts_although_it_is_of_a_weekend_or_a_holiday() {
    let mut calendar = BusinessCalendar::monday_to_friday();
    calendar.holidays = (1..=8).map(|n| (jiff::civil::date(2026, 10, n), "国庆节".to_string())).collect();
    calendar.working_days = [day("2026-10-10"), day("2026-10-08")].into();
    assert_eq!(calendar.nth_working_day(2026, 10, 1), Some(day("2026-10-08")));
    assert_eq!(calendar.nth_working_day(2026, 10, 3), Some(day("2026-10-10")));
    assert_eq!(calendar.next_working_day(day("2026-10-10")), Some(day("2026-10-12")));
}

#[test]
fn years_without_work_end_the_search() {
    let calendar = BusinessCalendar { weekend: crate::working_days::WEEK.to_vec(), ..BusinessCalendar::default() };
    assert_eq!(calendar.next_working_day(day("2026-01-01")), None);
    assert_eq!(calendar.previous_working_day(day("2026-01-01")), None);
    assert_eq!(calendar.last_working_day(2026, 1), None);
    let days = WorkingDays::new(&calendar);
    assert_eq!((days.add(0, 1), days.add(0, -1), days.add(0, 0)), (None, None, Some(0)));
    let days = WorkingDays::new(&BusinessCalendar::default());
    assert_eq!(days.add(0, i64::MAX), None);
    assert_eq!(days.add(0, i64::MIN), None);
    assert_eq!(days.add(day_number(Date::MAX) - 1, 1), Some(day_number(Date::MAX)));
    assert_eq!(days.add(day_number(Date::MAX), 1), None);
    assert_eq!(days.add(day_number(day("0001-01-02")), -1), Some(day_number(day("0001-01-01"))));
    assert_eq!(days.add(day_number(day("0001-01-01")), -1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn counting_is_walking(calendar in any_calendar(), begin in 0..16_500_i32, length in 0..800_i32, n in 0..300_i64) {
        let days = WorkingDays::new(&calendar);
        let first = day("2008-01-01") + jiff::Span::new().days(begin);
        let last = first + jiff::Span::new().days(length);
        let walked = (1..=length).filter(|d| calendar.is_working_day(first + jiff::Span::new().days(*d))).count();
        let (from, to) = (day_number(first), day_number(last));
        prop_assert_eq!(days.between(from, to), walked as i64);
        prop_assert_eq!(days.between(to, from), -(walked as i64));
        prop_assert_eq!(days.contains(from), calendar.is_working_day(first));
        let forward = (0..n).try_fold(first, |day, _| calendar.next_working_day(day));
        prop_assert_eq!(days.add(from, n), forward.map(day_number));
        let back = (0..n).try_fold(first, |day, _| calendar.previous_working_day(day));
        prop_assert_eq!(days.add(from, -n), back.map(day_number));
    }
}
