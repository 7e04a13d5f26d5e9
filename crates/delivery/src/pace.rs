//! How often a receiver may be called.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The period for which calls are counted.
const PERIOD: Duration = Duration::from_secs(60);

/// Counts the calls of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    calls: VecDeque<Instant>,
}

impl Pace {
    /// Notes a call that is to be made at `now`, and says how long it must wait so that no minute has more than `max`.
    pub(crate) fn wait(&mut self, now: Instant, max: usize) -> Duration {
        while self.calls.len() >= max.max(1) {
            let Some(first) = self.calls.pop_front() else { break };
            let free = first + PERIOD;
            if free > now {
                self.calls.push_back(free);
                return free - now;
            }
        }
        self.calls.push_back(now);
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_calls_than_allowed() {
        let start = Instant::now();
        let mut pace = Pace::default();
        // Whatever the moments at which calls are wanted: those at which they are made are counted here.
        let mut now = start;
        let mut made = Vec::new();
        for call in 0..200_u64 {
            now += Duration::from_millis((call * 7_919) % 4_000);
            now += pace.wait(now, 20);
            made.push(now);
        }
        for window in made.windows(21) {
            assert!(window[20] - window[0] >= PERIOD);
        }
        // Nobody waits who need not.
        assert_eq!(made[19] - start, (0..20_u64).map(|c| Duration::from_millis((c * 7_919) % 4_000)).sum());
        assert_eq!(Pace::default().wait(start, 20), Duration::ZERO);
    }
}
