//! The lock on an object store: an object that its holder renews under a condition, so that of several takers exactly
//! one wins.
//!
//! A lease that was not renewed for 60 seconds is dead, and so is one of a process on this machine that is gone. The
//! machines' clocks must agree to within that time; if they do not, a living lease can be taken over, which its holder
//! notices before it publishes: work is lost then, never a release.

use super::lock::{Holder, busy};
use super::open::{Lake, RECORDS};
use crate::error::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use object_store::{ObjectStoreExt, PutMode, PutPayload, UpdateVersion};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// How long a lease lives after it was renewed.
const LIFE: Duration = Duration::from_secs(60);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(15);

/// What stands in the object.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct LeaseRecord {
    format: u32,
    /// `false` when it was given back.
    held: bool,
    /// Tells one taking from another.
    token: String,
    since: Timestamp,
    expires_at: Timestamp,
    holder: Holder,
}

/// A lease that this process holds.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    renewal: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    lake: Lake,
    record: LeaseRecord,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    version: UpdateVersion,
    good_until: Instant,
    lost: bool,
}

impl Lease {
    /// Takes the lease if nobody holds it.
    pub(super) async fn take(lake: &Lake, holder: &Holder, now: Timestamp) -> Result<Lease> {
        let began = Instant::now();
        let record = LeaseRecord {
            format: 1,
            held: true,
            token: format!("{:016x}", rand::random::<u64>()),
            since: now,
            expires_at: after(now, LIFE),
            holder: holder.clone(),
        };
        let version = win(lake, &record, now).await?;
        let state = Mutex::new(State { version, good_until: began + LIFE, lost: false });
        let shared = Arc::new(Shared { lake: lake.clone(), record, began, state });
        let renewal = tokio::spawn(keep(shared.clone()));
        Ok(Lease { shared, renewal })
    }

    /// Renews it now, which also proves that it is still ours.
    pub(super) async fn renew(&self) -> Result<()> {
        self.shared.renew().await
    }

    /// Gives it back.
    pub(super) async fn release(self) -> Result<()> {
        self.renewal.abort();
        self.shared.give_back().await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let shared = self.shared.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { shared.give_back().await.ok() });
        }
    }
}

async fn keep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        // A failure is tried again; whoever publishes asks for itself.
        shared.renew().await.ok();
        if shared.state.lock().await.lost {
            return;
        }
    }
}

impl Shared {
    /// The caller's clock when the lease was taken, plus the time since then.
    fn now(&self) -> Timestamp {
        after(self.record.since, self.began.elapsed())
    }

    async fn renew(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.lost {
            return Err(self.lost());
        }
        let record = LeaseRecord { expires_at: after(self.now(), LIFE), ..self.record.clone() };
        let asked = Instant::now();
        let error = match put(&self.lake, &record, PutMode::Update(state.version.clone())).await {
            Ok(version) => {
                *state = State { version, good_until: asked + LIFE, lost: false };
                return Ok(());
            }
            Err(error) => error,
        };
        // The answer to an earlier renewal may have been lost on its way: then the object is ours under a new version.
        match look(&self.lake).await {
            Ok(Some((found, version))) if found.token == self.record.token && found.held => {
                state.version = version.clone();
                let version = put(&self.lake, &record, PutMode::Update(version))
                    .await
                    .map_err(|e| self.lake.failed("renew its lock", e))?;
                *state = State { version, good_until: asked + LIFE, lost: false };
                Ok(())
            }
            Ok(_) => {
                state.lost = true;
                Err(self.lost())
            }
            Err(_) => {
                state.lost = Instant::now() > state.good_until;
                Err(self.lake.failed("renew its lock", error))
            }
        }
    }

    async fn give_back(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.lost {
            return Ok(());
        }
        state.lost = true;
        let record = LeaseRecord { held: false, ..self.record.clone() };
        match put(&self.lake, &record, PutMode::Update(state.version.clone())).await {
            Ok(_) | Err(object_store::Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(self.lake.failed("free its lock", error)),
        }
    }

    fn lost(&self) -> Error {
        Error::unreachable(format!("the lock of the lake {} was lost to another process", self.lake.location()))
            .hint("this run could not renew its lock in time; nothing was published, run it again")
    }
}

/// Puts the record where no living lease is; the version of what was put.
async fn win(lake: &Lake, record: &LeaseRecord, now: Timestamp) -> Result<UpdateVersion> {
    let mut mode = PutMode::Create;
    // Every round ends this unless another process came in between.
    for _ in 0..4 {
        let error = match put(lake, record, mode.clone()).await {
            Ok(version) => return Ok(version),
            Err(error) => error,
        };
        let (found, version) = match look(lake).await? {
            Some(found) => found,
            None if refused(&error) => continue,
            None => return Err(lake.failed("be locked", error)),
        };
        if found.token == record.token {
            return Ok(version);
        }
        if !refused(&error) {
            return Err(lake.failed("be locked", error));
        }
        if found.held && now <= found.expires_at && !gone(&found.holder, &record.holder) {
            return Err(busy(&lake.location(), Some((found.holder, found.since))));
        }
        mode = PutMode::Update(version);
    }
    Err(busy(&lake.location(), None))
}

/// The store did not do it because the condition did not hold.
fn refused(error: &object_store::Error) -> bool {
    use object_store::Error::{AlreadyExists, Precondition};
    matches!(error, AlreadyExists { .. } | Precondition { .. })
}

fn lease_path() -> String {
    format!("{RECORDS}/lock")
}

async fn put(lake: &Lake, record: &LeaseRecord, mode: PutMode) -> object_store::Result<UpdateVersion> {
    let text =
        serde_json::to_vec(record).map_err(|e| object_store::Error::Generic { store: "lake", source: Box::new(e) })?;
    let put = lake.store().put_opts(&lake.path(&lease_path()), PutPayload::from(text), mode.into()).await?;
    Ok(put.into())
}

async fn look(lake: &Lake) -> Result<Option<(LeaseRecord, UpdateVersion)>> {
    let found = match lake.store().get(&lake.path(&lease_path())).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(lake.failed("show its lock", error)),
    };
    let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
    let text = found.bytes().await.map_err(|e| lake.failed("show its lock", e))?;
    let record = serde_json::from_slice(&text).map_err(|e| {
        Error::data(format!("{}/{} is not a lock of this program: {e}", lake.location(), lease_path()))
            .hint("if no run is going on, delete that object")
    })?;
    Ok(Some((record, version)))
}

/// The holder was a process of this machine that no longer runs. A number used again by another process only means
/// that the lease has to run out.
fn gone(holder: &Holder, here: &Holder) -> bool {
    let proc = std::path::Path::new("/proc");
    holder.host == here.host && proc.join("self").exists() && !proc.join(holder.pid.to_string()).exists()
}

fn after(moment: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}
