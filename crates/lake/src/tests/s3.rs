//! The same on an S3 server.

use super::*;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use perennial_testing::s3_server;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use url::Url;

fn bucket(name: &str) {
    s3_server().new_bucket(name);
}

/// A lake in a bucket of the server.
fn s3_lake(bucket: &str) -> Lake {
    let url = Url::parse(&format!("s3://{bucket}/some/lake/")).unwrap();
    Lake::with_store(url, s3_server().store(bucket), Path::from("some/lake"))
}

fn elsewhere(run_id: &str) -> Holder {
    Holder { host: "elsewhere".into(), pid: 4_000_000, ..holder(run_id) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_s3() {
    bucket("run");
    let lake = s3_lake("run");
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    let unreferenced = table(&lake, "marts.b", "r1", &rows(1, 10)).await;
    let first = lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    assert!(first.delta_behind.is_none(), "{:?}", first.delta_behind);
    // The process dies here; the next one finds what it left.
    std::mem::forget(lock);

    let lake = s3_lake("run");
    let lock = lake.lock(holder("r2"), now() + Duration::from_secs(61)).await.unwrap();
    let repairs = lake.repair(&lock).await.unwrap();
    assert_eq!((repairs.killed.len(), repairs.killed[0].release, repairs.files_deleted), (1, Some(1), 1));
    assert!(lake.list("marts/b").await.unwrap().iter().all(|(path, _)| *path != unreferenced.files[0].path));
    lake.end_run(&lock, "r1").await.unwrap();
    let a = table(&lake, "marts.a", "r2", &rows(1, 20)).await;
    let second = lake.publish(&lock, new_release("r2", [("marts.a", a)])).await.unwrap().release;
    let latest = lake.latest().await.unwrap().unwrap();
    assert_eq!(latest.number, 2);
    assert_complete(&lake, &latest).await;
    assert_delta_follows(&lake, &second).await;
    lake.append_system("runs", "r2", &rows(1, 3)).await.unwrap();
    assert_eq!(lake.system_files().await.unwrap().of("runs")[0].rows, 3);
    lock.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_on_s3() {
    bucket("vacuum");
    let lake = s3_lake("vacuum");
    for number in 1..=9 {
        vacuum::night(&lake, number).await.unwrap();
    }
    vacuum::try_vacuum(&lake, &vacuum::rule(2, 0), vacuum::at(9)).await.unwrap();
    let latest = lake.latest().await.unwrap().unwrap();
    assert_eq!((lake.release_numbers().await.unwrap(), latest.number), (vec![8, 9], 9));
    assert_complete(&lake, &latest).await;
    assert_delta_follows(&lake, &latest).await;
    vacuum::assert_nothing_else(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_process_on_s3_is_told_who_holds_the_lock() {
    bucket("contention");
    let (one, two) = (s3_lake("contention"), s3_lake("contention"));
    let lock = one.lock(elsewhere("r1"), now()).await.unwrap();
    let error = two.lock(holder("r2"), now()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    let wanted = "the lake s3://contention/some/lake has been in use since 2026-11-22T04:15:00Z by run r1 (`run nightly`), \
        process 4000000 of ann on elsewhere";
    assert_eq!(error.message(), wanted);
    lock.verify().await.unwrap();
    lock.verify().await.unwrap();
    lock.release().await.unwrap();
    let second = two.lock(holder("r2"), now()).await.unwrap();
    drop(second);
    let mut tries = 0;
    while let Err(error) = one.lock(elsewhere("r3"), now()).await {
        tries += 1;
        assert!(tries < 100, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_is_taken_over_and_its_holder_publishes_nothing() {
    bucket("takeover");
    let (dead_lake, lake) = (s3_lake("takeover"), s3_lake("takeover"));
    let dead = dead_lake.lock(elsewhere("dead"), now()).await.unwrap();
    let a = table(&dead_lake, "marts.a", "dead", &rows(1, 1)).await;
    let error = lake.lock(holder("r2"), now() + Duration::from_secs(59)).await.unwrap_err();
    assert!(error.message().contains("by run dead"), "{error}");
    let taken = lake.lock(holder("r2"), now() + Duration::from_secs(61)).await.unwrap();
    let error = dead_lake.publish(&dead, new_release("dead", [("marts.a", a)])).await.unwrap_err();
    assert!(error.message().contains("another process has taken over"), "{error}");
    assert!(dead.is_lost().await && !taken.is_lost().await);
    assert!(lake.latest().await.unwrap().is_none());
    // Nor does it release what another process holds now.
    dead.release().await.unwrap();
    taken.verify().await.unwrap();
    taken.release().await.unwrap();
}

/// A store in memory that is away at times.
#[derive(Debug, Default)]
struct Away {
    inner: object_store::memory::InMemory,
    is_away: AtomicBool,
}

impl std::fmt::Display for Away {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a store that is away at times")
    }
}

impl Away {
    fn answers(&self) -> StoreResult<()> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(object_store::Error::Generic { store: "away", source: "as the test demands".into() }),
            false => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl ObjectStore for Away {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.answers()?;
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.answers()?;
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// However long it is away, and also when the lease has expired meanwhile and nobody wanted it.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_for_a_while_takes_the_lease_from_nobody() {
    let store = Arc::new(Away::default());
    let url = Url::parse("s3://memory/lake/").unwrap();
    let lake = Lake::with_store(url, store.clone(), Path::from("lake"));
    let lock = lake.lock_scheduler(elsewhere(""), now()).await.unwrap();
    store.is_away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(lock.verify().await.unwrap_err().kind(), Kind::Unreachable);
        assert!(!lock.is_lost().await);
    }
    store.is_away.store(false, Ordering::SeqCst);
    lock.verify().await.unwrap();
    // Another process has got it while the store was away for this one.
    let taken = lake.lock_scheduler(holder(""), now() + Duration::from_secs(120)).await.unwrap();
    assert_eq!(lock.verify().await.unwrap_err().kind(), Kind::Unreachable);
    assert!(lock.is_lost().await);
    taken.verify().await.unwrap();
}

/// In memory, because the server above does not guarantee to check a condition and put in one step.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_processes_one_gets_an_expired_lease() {
    for round in 0..20 {
        let store = Arc::new(object_store::memory::InMemory::new());
        let lake = || {
            let url = Url::parse("s3://memory/lake/").unwrap();
            Lake::with_store(url, store.clone(), Path::from("lake"))
        };
        let later = if round % 2 == 0 {
            std::mem::forget(lake().lock(elsewhere("dead"), now()).await.unwrap());
            now() + Duration::from_secs(61)
        } else {
            now()
        };
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let lake = lake();
                tokio::spawn(async move { lake.lock(holder(&format!("r{n}")), later).await })
            })
            .collect();
        let mut locks = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(lock) => locks.push(lock),
                Err(error) => assert!(error.message().contains("in use"), "{error}"),
            }
        }
        assert_eq!(locks.len(), 1);
        locks[0].verify().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn the_lease_of_a_process_of_this_machine_that_has_ended_is_taken_over_at_once() {
    bucket("ended");
    let lake = s3_lake("ended");
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let ended = Holder { pid: child.id(), ..holder("r1") };
    std::mem::forget(lake.lock(ended, now()).await.unwrap());
    let lock = lake.lock(holder("r2"), now()).await.unwrap();
    let error = s3_lake("ended").lock(elsewhere("r3"), now()).await.unwrap_err();
    assert!(error.message().contains("by run r2"), "{error}");
    lock.release().await.unwrap();
}

/// Two processes believe that they hold the lock: the store accepts only one record of a number.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_record_is_put_once() {
    bucket("twice");
    let lake = s3_lake("twice");
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let path = lake.path("_perennial/releases/00000001.json");
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    let create = PutMode::Create;
    lake.store().put_opts(&path, "{}".into(), create.clone().into()).await.unwrap();
    let again = lake.store().put_opts(&path, "{}".into(), create.into()).await.unwrap_err();
    assert!(matches!(again, object_store::Error::AlreadyExists { .. }), "{again}");
    assert!(lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.is_err());
    lock.release().await.unwrap();
}

/// Keys and the server's address come from the environment: that of another process, because tests share theirs.
#[test]
fn a_lake_is_opened_by_its_url_and_the_environment() {
    bucket("by-url");
    let open = |secret: &str, url: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::s3::open_what_the_environment_says", "--ignored", "--nocapture"])
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", s3_server().port))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("PERENNIAL_TEST_LAKE", url)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).to_string();
        text.lines().find_map(|line| line.strip_prefix("result: ").map(str::to_string)).unwrap_or(text)
    };
    assert_eq!(open("hush", "s3://by-url/deep/lake"), "s3://by-url/deep/lake holds 1 release");
    let missing = open("hush", "s3://not-there/lake");
    assert!(missing.starts_with("Unreachable: error: cannot reach the lake s3://not-there/lake"), "{missing}");
    assert!(missing.ends_with("404 Not Found") && !missing.contains("hush"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above in a process of its own"]
async fn open_what_the_environment_says() {
    let Ok(url) = std::env::var("PERENNIAL_TEST_LAKE") else { return };
    let lake = match Lake::open(&url).await {
        Ok(lake) => lake,
        Err(error) => {
            return println!("\nresult: {:?}: {}", error.kind(), perennial_core::error::render(&error, false));
        }
    };
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    println!("\nresult: {} holds {} release", lake.location(), lake.releases().await.unwrap().len());
    lock.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_named_without_keys() {
    let lake = s3_lake("nowhere");
    let error = lake.release_numbers().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(
        error.message().starts_with("cannot list _perennial/releases in the lake s3://nowhere/some/lake: "),
        "{error}"
    );
}
