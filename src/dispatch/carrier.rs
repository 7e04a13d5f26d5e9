//! What the outbox asks of whatever carries its messages; the transports are in [`super::transports`].

use super::outbox::Queued;
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::Result;
use perennial_delivery::Outcome;

/// Carries messages.
#[async_trait::async_trait]
pub(crate) trait Carrier: Send + Sync {
    /// Makes a message ready, without sending anything.
    ///
    /// # Errors
    /// What it is made of cannot be read, or the place it goes to is declared wrongly.
    async fn prepare(&self, queued: &Queued) -> Result<Box<dyn Prepared + '_>>;
}

/// A message that can be sent at once.
#[async_trait::async_trait]
pub(crate) trait Prepared: Send + Sync {
    /// What the recipient's mail program knows it by, if it is mail.
    async fn message_id(&self) -> Option<String>;

    /// Sends it.
    async fn send(self: Box<Self>) -> Outcome;
}

/// The time, counted from when a command was told it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    began: std::time::Instant,
}

impl Clock {
    /// A clock that says this time now.
    pub(crate) fn at(now: Timestamp) -> Clock {
        Clock { now, began: std::time::Instant::now() }
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap_or_default();
        self.now.checked_add(elapsed).unwrap_or(self.now)
    }
}
