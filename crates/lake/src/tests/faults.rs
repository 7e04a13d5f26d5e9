//! The store fails at each operation of a run in turn; the next run finds one complete release.

use super::*;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use perennial_core::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;

/// How a store fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// From the k-th operation on nothing works: the process was killed, or the store cannot be reached any more.
    Gone,
    /// The k-th operation fails, all others work.
    Once,
    /// The k-th operation is done and its response lost.
    ResponseLost,
    /// The record of a release is still on its way when nobody waits for it any more.
    Late,
}

/// A store in a folder that fails at one of its operations.
#[derive(Debug)]
pub(super) struct FailingStore {
    inner: LocalFileSystem,
    fault: Fault,
    /// Operations until the fault.
    left: AtomicI64,
    /// The record that is on its way.
    late: Mutex<Option<(Path, PutPayload)>>,
    is_late: Notify,
}

impl std::fmt::Display for FailingStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a failing store")
    }
}

fn broken<T>() -> StoreResult<T> {
    Err(object_store::Error::Generic { store: "failing", source: "as the test demands".into() })
}

impl FailingStore {
    /// A store that works for a number of operations.
    pub(super) fn new(fault: Fault, operations: i64) -> Arc<FailingStore> {
        Arc::new(FailingStore {
            inner: LocalFileSystem::new(),
            fault,
            left: AtomicI64::new(operations),
            late: Mutex::default(),
            is_late: Notify::new(),
        })
    }

    /// Operations until the fault; negative when it has happened.
    pub(super) fn left(&self) -> i64 {
        self.left.load(Ordering::SeqCst)
    }

    /// Fails before the operation, or returns whether its response is to be lost.
    fn begin(&self) -> StoreResult<bool> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        match self.fault {
            Fault::Gone if left <= 0 => broken(),
            Fault::Once if left == 0 => broken(),
            Fault::ResponseLost => Ok(left == 0),
            _ => Ok(false),
        }
    }

    fn end<T>(lost: bool, result: StoreResult<T>) -> StoreResult<T> {
        if lost { broken() } else { result }
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, opts: PutOptions) -> StoreResult<PutResult> {
        let lost = self.begin()?;
        if self.fault == Fault::Late && at.as_ref().contains("/releases/") {
            *self.late.lock().unwrap() = Some((at.clone(), payload));
            self.is_late.notify_one();
            return std::future::pending().await;
        }
        FailingStore::end(lost, self.inner.put_opts(at, payload, opts).await)
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        let lost = self.begin()?;
        FailingStore::end(lost, self.inner.put_multipart_opts(at, opts).await)
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let lost = self.begin()?;
        FailingStore::end(lost, self.inner.get_opts(at, options).await)
    }

    fn delete_stream(&self, paths: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        match self.begin() {
            Ok(false) => self.inner.delete_stream(paths),
            Ok(true) => self.inner.delete_stream(paths).map(|_| broken()).boxed(),
            Err(_) => futures::stream::once(async { broken() }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        match self.begin() {
            Ok(false) => self.inner.list(prefix),
            _ => futures::stream::once(async { broken() }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        let lost = self.begin()?;
        FailingStore::end(lost, self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        let lost = self.begin()?;
        FailingStore::end(lost, self.inner.copy_opts(from, to, options).await)
    }
}

/// The first run, with a store that works.
async fn first_run(folder: &std::path::Path) -> Release {
    let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let tables = [
        ("raw.orders", table(&lake, "raw.orders", "r1", &rows(1, 10)).await),
        ("marts.same", table(&lake, "marts.same", "r1", &rows(1, 2)).await),
        ("marts.gone", table(&lake, "marts.gone", "r1", &rows(1, 2)).await),
        ("marts.a", table(&lake, "marts.a", "r1", &rows(1, 10)).await),
    ];
    lake.publish(&lock, new_release("r1", tables)).await.unwrap().release
}

/// The second run: a table grows, one is replaced, one is new, one is left out, one is unchanged. When it is stopped, nobody
/// waits for what it does.
async fn second_run(lake: &Lake, stopped: impl Future<Output = ()>) -> Result<Publication> {
    let lock = lake.lock(holder("r2"), now()).await?;
    lake.repair(&lock).await?;
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await?;
    let work = async {
        let before = lake.latest().await?.ok_or_else(|| Error::bug("no release"))?;
        let mut raw = before.tables[&name("raw.orders")].clone();
        raw.files.extend(try_table(lake, "raw.orders", "r2", &rows(11, 5)).await?.files);
        let tables = [
            ("raw.orders", raw),
            ("marts.same", before.tables[&name("marts.same")].clone()),
            ("marts.a", try_table(lake, "marts.a", "r2", &rows(1, 15)).await?),
            ("marts.new", try_table(lake, "marts.new", "r2", &rows(1, 3)).await?),
        ];
        try_table(lake, "marts.unused", "r2", &rows(1, 3)).await?;
        lake.publish(&lock, new_release("r2", tables)).await
    };
    let published = tokio::select! {
        published = work => published,
        () = stopped => Err(Error::unreachable("the run was stopped")),
    };
    lake.end_run(&lock, "r2").await?;
    published
}

/// After any fault there is one of the two releases, complete; after repair its logs follow and no other file is left.
async fn assert_old_or_new(folder: &std::path::Path, old: &Release, reported: Option<u64>, case: &str) {
    let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
    let latest = lake.latest().await.unwrap().unwrap();
    assert!([1, 2].contains(&latest.number), "{case}");
    if let Some(reported) = reported {
        assert_eq!(latest.number, reported, "{case}: the run reported another release");
    }
    assert_complete(&lake, &latest).await;
    assert_complete(&lake, old).await;
    let lock = lake.lock(holder("r3"), now()).await.unwrap();
    let repairs = lake.repair(&lock).await.unwrap();
    assert!(repairs.delta_behind.is_none(), "{case}: {:?}", repairs.delta_behind);
    for killed in &repairs.killed {
        assert_eq!(killed.release, (latest.number == 2).then_some(2), "{case}");
        lake.end_run(&lock, &killed.holder.run_id).await.unwrap();
    }
    let latest = lake.latest().await.unwrap().unwrap();
    assert_complete(&lake, &latest).await;
    assert_complete(&lake, old).await;
    assert_delta_follows(&lake, &latest).await;
    let new_rows = delta_files(&lake, "marts.new").await.map_or(0, |(files, _)| files.len());
    assert_eq!(new_rows, usize::from(latest.number == 2), "{case}");
    assert_no_unreferenced_files(&lake, &[old, &latest], case).await;
    // And a further run succeeds.
    lock.release().await.unwrap();
    let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
    let lock = lake.lock(holder("r4"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r4", &rows(1, 30)).await;
    let published = lake.publish(&lock, new_release("r4", [("marts.a", a)])).await.unwrap();
    assert!(published.delta_behind.is_none(), "{case}: {:?}", published.delta_behind);
    assert_delta_follows(&lake, &published.release).await;
}

async fn assert_no_unreferenced_files(lake: &Lake, releases: &[&Release], case: &str) {
    let named: Vec<&str> =
        releases.iter().flat_map(|r| r.tables.values().flat_map(|t| t.files.iter().map(|f| f.path.as_str()))).collect();
    for (path, _) in lake.list("").await.unwrap() {
        let data = path.ends_with(".parquet") && !path.contains("_delta_log");
        assert!(!data || named.contains(&path.as_str()), "{case}: {path} is not referenced");
        assert!(!path.starts_with("_perennial/runs/"), "{case}: {path} is left");
    }
}

async fn fail_everywhere(fault: Fault) {
    for k in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let old = first_run(folder.path()).await;
        let store = FailingStore::new(fault, k);
        let lake = Lake::in_folder_through(folder.path().to_path_buf(), store.clone()).unwrap();
        let result = second_run(&lake, std::future::pending()).await;
        drop(lake);
        let reached = store.left() < 0;
        let case = format!("{fault:?} at operation {k}");
        assert_old_or_new(folder.path(), &old, result.as_ref().ok().map(|p| p.release.number), &case).await;
        if !reached {
            assert!(result.is_ok_and(|p| p.delta_behind.is_none()));
            assert!(k > 30, "only {k} operations were made to fail");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_any_more_leaves_one_complete_release() {
    fail_everywhere(Fault::Gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_once_leaves_one_complete_release() {
    fail_everywhere(Fault::Once).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_response_is_lost_leaves_one_complete_release() {
    fail_everywhere(Fault::ResponseLost).await;
}

/// Readers that open the lake while releases are published see one release or the next, with all its files.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_appears_after_its_run_was_stopped_is_complete() {
    for appears in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let old = first_run(folder.path()).await;
        let store = FailingStore::new(Fault::Late, 0);
        let lake = Lake::in_folder_through(folder.path().to_path_buf(), store.clone()).unwrap();
        second_run(&lake, store.is_late.notified()).await.unwrap_err();
        let (path, record) = store.late.lock().unwrap().take().unwrap();
        if appears {
            LocalFileSystem::new().put_opts(&path, record, PutOptions::default()).await.unwrap();
        }
        let reported = if appears { 2 } else { 1 };
        assert_old_or_new(folder.path(), &old, Some(reported), &format!("appears: {appears}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_complete_releases_while_they_are_published() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r0"), now()).await.unwrap();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = tokio::spawn({
        let (lake, done) = (lake.clone(), done.clone());
        async move {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                if let Some(release) = lake.latest().await.unwrap() {
                    let rows: Vec<u64> = release.tables.values().map(|t| t.rows()).collect();
                    assert_eq!(rows, [release.number; 2], "both tables are of one release");
                    assert_complete(&lake, &release).await;
                    seen.insert(release.number);
                }
            }
            seen
        }
    });
    for number in 1..=20 {
        let run_id = format!("r{number}");
        let a = table(&lake, "marts.a", &run_id, &rows(1, number)).await;
        let b = table(&lake, "marts.b", &run_id, &rows(1, number)).await;
        lake.publish(&lock, new_release(&run_id, [("marts.a", a), ("marts.b", b)])).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert!(reader.await.unwrap().len() > 1);
}
