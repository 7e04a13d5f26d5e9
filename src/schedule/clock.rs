//! The time of the scheduler, which a simulation replaces by one that jumps.

use jiff::Timestamp;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Tells the time and waits for it.
#[async_trait::async_trait]
pub(crate) trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Returns at that time or earlier: a clock that was changed, or a machine that slept, is to be noticed soon.
    async fn sleep_until(&self, at: Timestamp);
}

/// A clock that jumps to the next moment that somebody waits for, as soon as nothing is being done.
#[derive(Clone)]
pub(crate) struct SimulatedClock(Arc<Mutex<Simulated>>);

struct Simulated {
    now: Timestamp,
    /// How much is being done that takes no simulated time.
    holds: usize,
    sleepers: BTreeSet<(Timestamp, u64)>,
    next_sleeper: u64,
    /// Counts who begins and ceases to wait, and jumps.
    changes: u64,
    wakers: Vec<Waker>,
}

impl SimulatedClock {
    /// A clock that shows a time.
    pub fn new(now: Timestamp) -> SimulatedClock {
        let sleepers = BTreeSet::new();
        SimulatedClock(Arc::new(Mutex::new(Simulated {
            now,
            holds: 0,
            sleepers,
            next_sleeper: 0,
            changes: 0,
            wakers: Vec::new(),
        })))
    }

    /// Keeps the clock where it is until what is returned is dropped.
    pub fn hold(&self) -> impl Drop + use<> {
        self.lock().holds += 1;
        Hold(self.clone())
    }

    /// Sets it, as somebody sets the clock of a machine.
    #[cfg(test)]
    pub fn set(&self, now: Timestamp) {
        let mut simulated = self.lock();
        simulated.now = now;
        simulated.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Simulated> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulated {
    fn wake(&mut self) {
        self.changes += 1;
        std::mem::take(&mut self.wakers).into_iter().for_each(Waker::wake);
    }
}

struct Hold(SimulatedClock);

impl Drop for Hold {
    fn drop(&mut self) {
        let mut simulated = self.0.lock();
        simulated.holds -= 1;
        simulated.wake();
    }
}

/// Somebody who waits; one who no longer does is forgotten.
struct Sleeper {
    clock: SimulatedClock,
    key: (Timestamp, u64),
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut simulated = self.clock.lock();
        simulated.sleepers.remove(&self.key);
        simulated.wake();
    }
}

#[async_trait::async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep_until(&self, at: Timestamp) {
        let sleeper = {
            let mut simulated = self.lock();
            let key = (at, simulated.next_sleeper);
            simulated.next_sleeper += 1;
            simulated.changes += 1;
            simulated.sleepers.insert(key);
            Sleeper { clock: self.clone(), key }
        };
        // It jumps when everybody who was woken has been asked again and nobody has begun or ceased to wait meanwhile.
        let mut asked_in = None;
        poll_fn(|context| {
            let mut simulated = self.lock();
            if simulated.now >= at {
                return Poll::Ready(());
            }
            if simulated.holds == 0 && simulated.sleepers.first() == Some(&sleeper.key) {
                if asked_in == Some(simulated.changes) {
                    simulated.now = at;
                    simulated.wake();
                    return Poll::Ready(());
                }
                asked_in = Some(simulated.changes);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !simulated.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                simulated.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
