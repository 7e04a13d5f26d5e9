//! Rejects of one attempt to read a source, kept back until it is known whether the attempt counts.

use perennial_core::error::Result;
use perennial_intake::{Reject, RejectSink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// More rejects than these are written at once, and the source is not tried again.
const MAX_BUFFERED: usize = 10_000;

/// A buffer in front of a sink of rejects.
pub(super) struct RejectBuffer<'a> {
    sink: &'a dyn RejectSink,
    buffered: Mutex<Vec<Reject>>,
    flushed: AtomicBool,
    opened: AtomicBool,
}

impl<'a> RejectBuffer<'a> {
    /// An empty buffer.
    pub fn new(sink: &'a dyn RejectSink) -> RejectBuffer<'a> {
        RejectBuffer {
            sink,
            buffered: Mutex::default(),
            flushed: AtomicBool::new(false),
            opened: AtomicBool::new(false),
        }
    }

    /// Notes that the source could be opened.
    pub fn set_opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
    }

    /// Whether the source could be opened.
    pub fn opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether no reject was written yet.
    pub fn holds_all(&self) -> bool {
        !self.flushed.load(Ordering::Relaxed)
    }

    /// Writes the rejects to the sink, because the attempt counts.
    pub async fn flush(&self) -> Result<()> {
        let buffered = std::mem::take(&mut *self.buffered.lock().unwrap_or_else(PoisonError::into_inner));
        if buffered.is_empty() {
            return Ok(());
        }
        self.flushed.store(true, Ordering::Relaxed);
        self.sink.keep(buffered).await
    }
}

#[async_trait::async_trait]
impl RejectSink for RejectBuffer<'_> {
    async fn keep(&self, rejects: Vec<Reject>) -> Result<()> {
        let full = {
            let mut buffered = self.buffered.lock().unwrap_or_else(PoisonError::into_inner);
            buffered.extend(rejects);
            buffered.len() > MAX_BUFFERED
        };
        if full { self.flush().await } else { Ok(()) }
    }
}
