//! When to tell people of something that goes wrong for a while: once, then daily, and once when it is over. What comes
//! and goes within hours is told as such and then left alone, until it has been over for some time.

use jiff::{SignedDuration, Timestamp};

/// Something that lasts is told again after this time: daily, whatever the minute at which a run ends.
const DAILY: SignedDuration = SignedDuration::from_hours(20);
/// Another reason is told at once, but not more often than this.
const HOURLY: SignedDuration = SignedDuration::from_hours(1);
/// What is back within this time of being over was not over.
const GRACE: SignedDuration = SignedDuration::from_hours(6);

/// What is remembered of something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Streak {
    /// When it began.
    pub since: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it was last told.
    pub told_at: Timestamp,
    /// What it was then, in short: another one is news.
    pub reason: String,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
    /// Whether it has come and gone.
    #[serde(default)]
    pub comes_and_goes: bool,
}

/// What to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tell {
    /// It goes wrong now.
    First,
    /// It still does.
    Still,
    /// It does for another reason.
    Another,
    /// It was over for a short time, and is back.
    Back,
    /// It is over.
    Over,
}

/// What to tell and what to remember, now that something is seen to go wrong for a reason, or not to.
pub(super) fn next(before: Option<Streak>, reason: Option<&str>, now: Timestamp) -> (Option<Tell>, Option<Streak>) {
    let age = |time: Timestamp| now.duration_since(time);
    let fresh = |reason: &str| Streak {
        since: now,
        seen_at: now,
        told_at: now,
        reason: reason.to_string(),
        over_at: None,
        comes_and_goes: false,
    };
    match (before, reason) {
        (None, None) => (None, None),
        (None, Some(reason)) => (Some(Tell::First), Some(fresh(reason))),
        (Some(streak), Some(reason)) => {
            let seen = Streak { seen_at: now, over_at: None, ..streak.clone() };
            let told = |seen: Streak| Streak { told_at: now, reason: reason.to_string(), ..seen };
            match streak.over_at {
                Some(over) if age(over) >= GRACE => (Some(Tell::First), Some(fresh(reason))),
                Some(_) => (Some(Tell::Back), Some(Streak { comes_and_goes: true, ..told(seen) })),
                None if age(streak.told_at) >= DAILY => (Some(Tell::Still), Some(told(seen))),
                None if streak.reason != reason && age(streak.told_at) >= HOURLY => {
                    (Some(Tell::Another), Some(told(seen)))
                }
                None => (None, Some(seen)),
            }
        }
        (Some(streak), None) => match streak.over_at {
            Some(over) if age(over) >= GRACE => (None, None),
            Some(_) => (None, Some(streak)),
            None if streak.comes_and_goes && age(streak.seen_at) < GRACE => (None, Some(streak)),
            None => (Some(Tell::Over), Some(Streak { over_at: Some(now), comes_and_goes: false, ..streak })),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times as hours after the first, with the reason seen then; what is told.
    fn told(seen: &[(f64, Option<&str>)]) -> Vec<(f64, Tell)> {
        let mut streak = None;
        let mut told = Vec::new();
        for (hours, reason) in seen {
            let now = Timestamp::from_second(1_800_000_000 + (hours * 3600.0) as i64).unwrap();
            let (tell, after) = next(streak, *reason, now);
            told.extend(tell.map(|tell| (*hours, tell)));
            streak = after;
        }
        told
    }

    #[test]
    fn a_failure_is_told_once_then_daily_and_its_end_once() {
        let a = Some("a");
        let nights = [(0.0, a), (0.2, a), (23.9, a), (48.1, a), (72.0, None), (96.0, None), (120.0, a)];
        let expected =
            [(0.0, Tell::First), (23.9, Tell::Still), (48.1, Tell::Still), (72.0, Tell::Over), (120.0, Tell::First)];
        assert_eq!(told(&nights), expected);
    }

    #[test]
    fn another_reason_is_news_but_not_every_minute() {
        let hours = [(0.0, Some("a")), (0.5, Some("b")), (2.0, Some("b")), (3.0, Some("b")), (4.0, None)];
        assert_eq!(told(&hours), [(0.0, Tell::First), (2.0, Tell::Another), (4.0, Tell::Over)]);
    }

    #[test]
    fn what_comes_and_goes_is_told_so_and_is_over_after_six_good_hours() {
        let a = Some("a");
        let hours = [(0.0, a), (1.0, None), (2.0, a), (3.0, None), (4.0, a), (5.0, None), (9.0, None), (11.0, None)];
        assert_eq!(told(&hours), [(0.0, Tell::First), (1.0, Tell::Over), (2.0, Tell::Back), (11.0, Tell::Over)]);
    }

    #[test]
    fn nothing_is_told_of_what_never_went_wrong() {
        assert_eq!(told(&[(0.0, None), (24.0, None)]), []);
    }
}
