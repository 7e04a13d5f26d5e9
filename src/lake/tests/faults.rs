//! The store fails at every operation of a night in turn; the next start finds one whole release.

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
use std::sync::atomic::{AtomicI64, Ordering};

/// What a failing store does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// From the k-th operation on nothing works: the process was killed, or the store is gone.
    Gone,
    /// The k-th operation fails, all others work.
    Once,
    /// The k-th operation is done and its answer lost.
    AnswerLost,
}

/// A folder's store that fails at one of its operations.
#[derive(Debug)]
struct Failing {
    inner: LocalFileSystem,
    fault: Fault,
    /// Operations until the fault.
    left: AtomicI64,
}

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a failing store")
    }
}

fn broken<T>() -> StoreResult<T> {
    Err(object_store::Error::Generic { store: "failing", source: "as the test wants it".into() })
}

impl Failing {
    /// Fails before the operation or says that it has to fail after it.
    fn begin(&self) -> StoreResult<bool> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        match self.fault {
            Fault::Gone if left <= 0 => broken(),
            Fault::Once if left == 0 => broken(),
            Fault::AnswerLost => Ok(left == 0),
            _ => Ok(false),
        }
    }

    fn end<T>(lost: bool, result: StoreResult<T>) -> StoreResult<T> {
        if lost { broken() } else { result }
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, at: &Path, payload: PutPayload, opts: PutOptions) -> StoreResult<PutResult> {
        let lost = self.begin()?;
        Failing::end(lost, self.inner.put_opts(at, payload, opts).await)
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        let lost = self.begin()?;
        Failing::end(lost, self.inner.put_multipart_opts(at, opts).await)
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let lost = self.begin()?;
        Failing::end(lost, self.inner.get_opts(at, options).await)
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
        Failing::end(lost, self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        let lost = self.begin()?;
        Failing::end(lost, self.inner.copy_opts(from, to, options).await)
    }
}

/// The first night, by a store that works.
async fn first_night(folder: &std::path::Path) -> Release {
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

/// The second night: a table grows, one is made anew, one is new, one is left out, one is as it was.
async fn second_night(lake: &Lake) -> crate::error::Result<Published> {
    let lock = lake.lock(holder("r2"), now()).await?;
    lake.repair(&lock).await?;
    lake.begin_run(&lock, now()).await?;
    let night = async {
        let before = lake.latest().await?.ok_or_else(|| crate::error::Error::bug("no release"))?;
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
    let published = night.await;
    lake.end_run(&lock, "r2").await?;
    published
}

/// After any fault: one of the two releases, whole; after repair its logs follow and nothing loose is left.
async fn assert_old_or_new(folder: &std::path::Path, old: &Release, told: Option<u64>, case: &str) {
    let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
    let latest = lake.latest().await.unwrap().unwrap();
    assert!([1, 2].contains(&latest.number), "{case}");
    if let Some(told) = told {
        assert_eq!(latest.number, told, "{case}: the run said otherwise");
    }
    assert_whole(&lake, &latest).await;
    assert_whole(&lake, old).await;
    let lock = lake.lock(holder("r3"), now()).await.unwrap();
    let repairs = lake.repair(&lock).await.unwrap();
    assert!(repairs.delta_behind.is_none(), "{case}: {:?}", repairs.delta_behind);
    for killed in &repairs.killed {
        assert_eq!(killed.release, (latest.number == 2).then_some(2), "{case}");
        lake.end_run(&lock, &killed.holder.run_id).await.unwrap();
    }
    let latest = lake.latest().await.unwrap().unwrap();
    assert_whole(&lake, &latest).await;
    assert_whole(&lake, old).await;
    assert_delta_follows(&lake, &latest).await;
    let new_rows = delta_files(&lake, "marts.new").await.map_or(0, |(files, _)| files.len());
    assert_eq!(new_rows, usize::from(latest.number == 2), "{case}");
    assert_no_loose_files(&lake, &[old, &latest], case).await;
    // And the night can be run again.
    lock.release().await.unwrap();
    let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
    let lock = lake.lock(holder("r4"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r4", &rows(1, 30)).await;
    let published = lake.publish(&lock, new_release("r4", [("marts.a", a)])).await.unwrap();
    assert!(published.delta_behind.is_none(), "{case}: {:?}", published.delta_behind);
    assert_delta_follows(&lake, &published.release).await;
}

async fn assert_no_loose_files(lake: &Lake, releases: &[&Release], case: &str) {
    let named: Vec<&str> =
        releases.iter().flat_map(|r| r.tables.values().flat_map(|t| t.files.iter().map(|f| f.path.as_str()))).collect();
    for (path, _) in lake.list("").await.unwrap() {
        let data = path.ends_with(".parquet") && !path.contains("_delta_log");
        assert!(!data || named.contains(&path.as_str()), "{case}: {path} is loose");
        assert!(!path.starts_with("_perennial/runs/"), "{case}: {path} is left");
    }
}

async fn fail_everywhere(fault: Fault) {
    for k in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let old = first_night(folder.path()).await;
        let store = Arc::new(Failing { inner: LocalFileSystem::new(), fault, left: AtomicI64::new(k) });
        let lake = Lake::in_folder_through(folder.path().to_path_buf(), store.clone()).unwrap();
        let told = second_night(&lake).await;
        drop(lake);
        let reached = store.left.load(Ordering::SeqCst) < 0;
        let case = format!("{fault:?} at operation {k}");
        assert_old_or_new(folder.path(), &old, told.as_ref().ok().map(|p| p.release.number), &case).await;
        if !reached {
            assert!(told.is_ok_and(|p| p.delta_behind.is_none()));
            assert!(k > 40, "only {k} operations were seen to fail");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_leaves_one_whole_release() {
    fail_everywhere(Fault::Gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_once_leaves_one_whole_release() {
    fail_everywhere(Fault::Once).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_answer_is_lost_leaves_one_whole_release() {
    fail_everywhere(Fault::AnswerLost).await;
}

/// Readers look all the time while nights are published: each sees one night or the next, with all its files.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_releases_while_they_are_published() {
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
                    assert_eq!(rows, [release.number; 2], "both tables are of one night");
                    assert_whole(&lake, &release).await;
                    seen.insert(release.number);
                }
            }
            seen
        }
    });
    for night in 1..=20 {
        let run_id = format!("r{night}");
        let a = table(&lake, "marts.a", &run_id, &rows(1, night)).await;
        let b = table(&lake, "marts.b", &run_id, &rows(1, night)).await;
        lake.publish(&lock, new_release(&run_id, [("marts.a", a), ("marts.b", b)])).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert!(reader.await.unwrap().len() > 1);
}
