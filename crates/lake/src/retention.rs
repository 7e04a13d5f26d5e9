//! Retention: which releases are kept.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use std::collections::BTreeSet;

/// What decides which releases are kept. The newest one always is.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Every release of so many days, today included.
    pub days: u32,
    /// The last release of each of so many months, this one included.
    pub months: u32,
    /// The newest releases, whatever their age.
    pub min_releases: u32,
    /// Releases that something stands on.
    pub needed: BTreeSet<u64>,
    /// Messages of months before that of this day are forgotten.
    pub outbox_from: Date,
    /// How long a release, or a file, stays after the last moment at which somebody can have begun to read it.
    pub grace: SignedDuration,
    /// The time zone of days and months.
    pub zone: TimeZone,
}

impl Retention {
    /// The numbers of those of some releases that are kept. They are given by number, ascending, with the times at which
    /// they were published.
    pub(crate) fn kept(&self, releases: &[(u64, Timestamp)], now: Timestamp) -> BTreeSet<u64> {
        let day = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        let today = day(now);
        let first_day = today.checked_sub(Span::new().days(i64::from(self.days))).unwrap_or(Date::MIN);
        let first_month = month(today) - i64::from(self.months);
        let readable_until = |index: usize| releases.get(index + 1).is_none_or(|(_, at)| self.is_recent(*at, now));
        let newest = releases.len().saturating_sub(self.min_releases.max(1) as usize);
        let is_kept = |index: usize, number: u64, at: Timestamp| {
            let is_last_of_month = releases.get(index + 1).is_none_or(|(_, next)| month(day(*next)) != month(day(at)));
            index >= newest
                || self.needed.contains(&number)
                || day(at) > first_day
                || (is_last_of_month && month(day(at)) > first_month)
                || readable_until(index)
        };
        let kept = releases.iter().enumerate().filter(|(index, (number, at))| is_kept(*index, *number, *at));
        kept.map(|(_, (number, _))| *number).collect()
    }

    /// Whether a folder of the outbox, `2026-10`, is of a month whose messages are kept.
    pub(crate) fn keeps_messages(&self, folder: &str) -> bool {
        folder >= self.outbox_from.strftime("%Y-%m").to_string().as_str()
    }

    /// Whether a moment is so recent that what was read then may still be read.
    pub(crate) fn is_recent(&self, at: Timestamp, now: Timestamp) -> bool {
        !self.grace.is_zero() && at > now.checked_sub(self.grace).unwrap_or(Timestamp::MIN)
    }
}

/// Months, counted.
fn month(day: Date) -> i64 {
    i64::from(day.year()) * 12 + i64::from(day.month())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(days: u32, months: u32, min_releases: u32) -> Retention {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        Retention {
            days,
            months,
            min_releases,
            needed: BTreeSet::new(),
            outbox_from: Date::MIN,
            grace: SignedDuration::ZERO,
            zone,
        }
    }

    fn nights(count: u64) -> Vec<(u64, Timestamp)> {
        // Two o'clock in Shanghai is the evening before in UTC.
        let first: Timestamp = "2026-01-01T02:00:00+08:00".parse().unwrap();
        (0..count).map(|n| (n + 1, first + SignedDuration::from_hours(24 * n as i64))).collect()
    }

    #[test]
    fn days_months_and_what_is_needed() {
        // Nights 1 to 100: 1 January to 10 April; the last ones of the months are 31, 59 and 90.
        let releases = nights(100);
        let now = releases[99].1;
        let numbers = |rule: &Retention| rule.kept(&releases, now).into_iter().collect::<Vec<_>>();
        assert_eq!(numbers(&rule(0, 0, 0)), [100]);
        assert_eq!(numbers(&rule(3, 0, 0)), [98, 99, 100]);
        assert_eq!(numbers(&rule(0, 2, 0)), [90, 100]);
        assert_eq!(numbers(&rule(2, 3, 0)), [59, 90, 99, 100]);
        assert_eq!(numbers(&rule(1, 99, 3)), [31, 59, 90, 98, 99, 100]);
        assert_eq!(numbers(&Retention { needed: [7, 300].into(), ..rule(0, 0, 0) }), [7, 100]);
        // A reader may have opened the release of the night before until this one was published.
        let grace = SignedDuration::from_hours(30);
        assert_eq!(numbers(&Retention { grace, ..rule(0, 0, 0) }), [98, 99, 100]);
        assert_eq!(rule(0, 0, 0).kept(&[], now), BTreeSet::new());
    }

    #[test]
    fn a_clock_that_was_set_back_removes_nothing_by_its_future() {
        let releases = nights(5);
        assert_eq!(rule(1, 0, 0).kept(&releases, releases[1].1).len(), 4);
    }

    fn some_rule() -> impl Strategy<Value = Retention> {
        (0_u32..20, 0_u32..5, 0_u32..4, prop::collection::btree_set(1_u64..80, 0..4), 0_i64..50).prop_map(
            |(days, months, min, needed, hours)| Retention {
                needed,
                grace: SignedDuration::from_hours(hours),
                ..rule(days, months, min)
            },
        )
    }

    fn some_releases() -> impl Strategy<Value = Vec<(u64, Timestamp)>> {
        prop::collection::vec((1_u64..3, 1_i64..100), 1..60).prop_map(|steps| {
            let first = nights(1)[0];
            let next = |state: &mut (u64, Timestamp), (number, hours): (u64, i64)| {
                *state = (state.0 + number, state.1 + SignedDuration::from_hours(hours));
                Some(*state)
            };
            steps.into_iter().scan(first, next).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_kept_is_kept_again(rule in some_rule(), releases in some_releases(), later in 0_i64..2000) {
            let (newest, published) = *releases.last().unwrap();
            let now = published + SignedDuration::from_hours(later);
            let kept = rule.kept(&releases, now);
            prop_assert!(kept.contains(&newest));
            let needed = releases.iter().filter(|(number, _)| rule.needed.contains(number));
            prop_assert!(needed.clone().all(|(number, _)| kept.contains(number)));
            let left: Vec<_> = releases.iter().copied().filter(|(number, _)| kept.contains(number)).collect();
            prop_assert_eq!(&rule.kept(&left, now), &kept);
            // Another rule that asks for more keeps at least as much.
            let more = Retention {
                days: rule.days + 1,
                months: rule.months + 1,
                min_releases: rule.min_releases + 1,
                grace: rule.grace + SignedDuration::from_hours(1),
                ..rule.clone()
            };
            prop_assert!(more.kept(&releases, now).is_superset(&kept));
        }

        #[test]
        fn removing_every_night_ends_where_removing_once_does(rule in some_rule(), releases in some_releases()) {
            let mut left: Vec<(u64, Timestamp)> = Vec::new();
            for release in &releases {
                left.push(*release);
                let kept = rule.kept(&left, release.1);
                left.retain(|(number, _)| kept.contains(number));
            }
            let left: BTreeSet<u64> = left.into_iter().map(|(number, _)| number).collect();
            prop_assert_eq!(left, rule.kept(&releases, releases.last().unwrap().1));
        }
    }
}
