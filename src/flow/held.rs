//! Rejects of one try of a source, held until it is known whether the try counts.

use crate::error::Result;
use crate::intake::{Reject, RejectSink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// More rejects than these are passed on at once, and the source is not tried again.
const MOST_HELD: usize = 10_000;

/// Holds rejects back from a sink.
pub(super) struct HeldRejects<'a> {
    sink: &'a dyn RejectSink,
    held: Mutex<Vec<Reject>>,
    passed_on: AtomicBool,
    opened: AtomicBool,
}

impl<'a> HeldRejects<'a> {
    /// Nothing held yet.
    pub fn new(sink: &'a dyn RejectSink) -> HeldRejects<'a> {
        HeldRejects { sink, held: Mutex::default(), passed_on: AtomicBool::new(false), opened: AtomicBool::new(false) }
    }

    /// Notes that the source let us in.
    pub fn open(&self) {
        self.opened.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    pub fn opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether nothing was passed on yet.
    pub fn holds_all(&self) -> bool {
        !self.passed_on.load(Ordering::Relaxed)
    }

    /// The try counts: its rejects go to the sink.
    pub async fn pass_on(&self) -> Result<()> {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        if held.is_empty() {
            return Ok(());
        }
        self.passed_on.store(true, Ordering::Relaxed);
        self.sink.keep(held).await
    }
}

#[async_trait::async_trait]
impl RejectSink for HeldRejects<'_> {
    async fn keep(&self, rejects: Vec<Reject>) -> Result<()> {
        let many = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.extend(rejects);
            held.len() > MOST_HELD
        };
        if many { self.pass_on().await } else { Ok(()) }
    }
}
