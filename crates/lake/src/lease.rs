//! The lock on an object store: a lease in an object that its holder renews with conditional puts, so that exactly one
//! of several processes gets it.
//!
//! A lease that has not been renewed for 60 seconds has expired, and so has one of a process of this machine that no
//! longer runs. The machines' clocks must agree to within that time; if they do not, a valid lease can be taken over,
//! which its holder notices before it publishes: work is lost then, but never a release.

use super::lock::{Holder, Purpose, busy};
use super::open::{Lake, RECORDS};
use jiff::{SignedDuration, Timestamp};
use object_store::{ObjectStoreExt, PutMode, PutPayload, UpdateVersion};
use perennial_core::error::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// How long a lease is valid after it was renewed.
const VALIDITY: Duration = Duration::from_secs(60);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(15);

/// The content of the object.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct LeaseRecord {
    format: u32,
    /// `false` when it was released.
    held: bool,
    /// Identifies this acquisition of the lease.
    token: String,
    since: Timestamp,
    expires_at: Timestamp,
    holder: Holder,
}

/// A lease that this process holds.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
    renewal: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    lake: Lake,
    purpose: Purpose,
    record: LeaseRecord,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    version: UpdateVersion,
    lost: bool,
}

impl Lease {
    /// Acquires the lease if no other process holds it.
    pub(crate) async fn acquire(lake: &Lake, purpose: Purpose, holder: &Holder, now: Timestamp) -> Result<Lease> {
        let began = Instant::now();
        let record = LeaseRecord {
            format: 1,
            held: true,
            token: format!("{:016x}", rand::random::<u64>()),
            since: now,
            expires_at: after(now, VALIDITY),
            holder: holder.clone(),
        };
        let version = acquire(lake, purpose, &record, now).await?;
        let state = Mutex::new(State { version, lost: false });
        let shared = Arc::new(Shared { lake: lake.clone(), purpose, record, began, state });
        let renewal = tokio::spawn(renew_regularly(shared.clone()));
        Ok(Lease { shared, renewal })
    }

    /// Renews it now, which also verifies that this process still holds it.
    pub(crate) async fn renew(&self) -> Result<()> {
        self.shared.renew().await
    }

    /// Whether another process has taken it over.
    pub(crate) async fn is_lost(&self) -> bool {
        self.shared.state.lock().await.lost
    }

    /// Releases it.
    pub(crate) async fn release(self) -> Result<()> {
        self.renewal.abort();
        self.shared.release().await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let shared = self.shared.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { shared.release().await.ok() });
        }
    }
}

async fn renew_regularly(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        // A renewal that fails is tried again; before publishing, the lock is verified anyway.
        shared.renew().await.ok();
        if shared.state.lock().await.lost {
            return;
        }
    }
}

impl Shared {
    /// The caller's clock when the lease was acquired, plus the time since then.
    fn now(&self) -> Timestamp {
        after(self.record.since, self.began.elapsed())
    }

    async fn renew(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.lost {
            return Err(self.lost());
        }
        let record = LeaseRecord { expires_at: after(self.now(), VALIDITY), ..self.record.clone() };
        let error = match put(&self.lake, self.purpose, &record, PutMode::Update(state.version.clone())).await {
            Ok(version) => {
                *state = State { version, lost: false };
                return Ok(());
            }
            Err(error) => error,
        };
        // The response to an earlier renewal may have been lost: then the object is ours with a new version.
        match read(&self.lake, self.purpose).await {
            Ok(Some((found, version))) if found.token == self.record.token && found.held => {
                state.version = version.clone();
                let version = put(&self.lake, self.purpose, &record, PutMode::Update(version))
                    .await
                    .map_err(|e| self.lake.failed("renew the lock of", e))?;
                *state = State { version, lost: false };
                Ok(())
            }
            Ok(_) => {
                state.lost = true;
                Err(self.lost())
            }
            // It may have expired meanwhile. Whether somebody has taken it over shows when the store answers again: as long as
            // the object is this one, its holder is this one.
            Err(_) => Err(self.lake.failed("renew the lock of", error)),
        }
    }

    async fn release(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.lost {
            return Ok(());
        }
        state.lost = true;
        let record = LeaseRecord { held: false, ..self.record.clone() };
        match put(&self.lake, self.purpose, &record, PutMode::Update(state.version.clone())).await {
            Ok(_) | Err(object_store::Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(self.lake.failed("release the lock of", error)),
        }
    }

    fn lost(&self) -> Error {
        Error::unreachable(format!("another process has taken over the lock of the lake {}", self.lake.location()))
            .hint("this process did not renew it in time and publishes nothing any more; run it again")
    }
}

/// Writes the record unless another lease is valid; returns the version that was written.
async fn acquire(lake: &Lake, purpose: Purpose, record: &LeaseRecord, now: Timestamp) -> Result<UpdateVersion> {
    let mut mode = PutMode::Create;
    // Another round is needed only when another process has changed the object in between.
    for _ in 0..4 {
        let error = match put(lake, purpose, record, mode.clone()).await {
            Ok(version) => return Ok(version),
            Err(error) => error,
        };
        let (found, version) = match read(lake, purpose).await? {
            Some(found) => found,
            None if is_conflict(&error) => continue,
            None => return Err(lake.failed("lock", error)),
        };
        if found.token == record.token {
            return Ok(version);
        }
        if !is_conflict(&error) {
            return Err(lake.failed("lock", error));
        }
        if found.held && now <= found.expires_at && !has_ended(&found.holder, &record.holder) {
            return Err(busy(purpose, &lake.location(), Some((found.holder, found.since))));
        }
        mode = PutMode::Update(version);
    }
    Err(busy(purpose, &lake.location(), None))
}

/// Whether the condition of a conditional put did not hold.
fn is_conflict(error: &object_store::Error) -> bool {
    use object_store::Error::{AlreadyExists, Precondition};
    matches!(error, AlreadyExists { .. } | Precondition { .. })
}

fn lease_path(purpose: Purpose) -> String {
    format!("{RECORDS}/{}", purpose.file())
}

async fn put(
    lake: &Lake,
    purpose: Purpose,
    record: &LeaseRecord,
    mode: PutMode,
) -> object_store::Result<UpdateVersion> {
    let text =
        serde_json::to_vec(record).map_err(|e| object_store::Error::Generic { store: "lake", source: Box::new(e) })?;
    let put = lake.store().put_opts(&lake.path(&lease_path(purpose)), PutPayload::from(text), mode.into()).await?;
    Ok(put.into())
}

async fn read(lake: &Lake, purpose: Purpose) -> Result<Option<(LeaseRecord, UpdateVersion)>> {
    let found = match lake.store().get(&lake.path(&lease_path(purpose))).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(lake.failed("read the lock of", error)),
    };
    let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
    let text = found.bytes().await.map_err(|e| lake.failed("read the lock of", e))?;
    let record = serde_json::from_slice(&text).map_err(|e| {
        Error::data(format!("{}/{} is not a lock of perennial: {e}", lake.location(), lease_path(purpose)))
            .hint("delete that object if no run is in progress")
    })?;
    Ok(Some((record, version)))
}

/// Whether the holder was a process of this machine that no longer runs. If another process has got its number, the
/// lease has to expire.
fn has_ended(holder: &Holder, here: &Holder) -> bool {
    let proc = std::path::Path::new("/proc");
    holder.host == here.host && proc.join("self").exists() && !proc.join(holder.pid.to_string()).exists()
}

fn after(start: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    start.checked_add(time).unwrap_or(Timestamp::MAX)
}
