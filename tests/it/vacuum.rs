//! What `keep` does not cover goes, and a lake that is copied while nights run can be restored.

use crate::pipelines::{deliver, two_pipelines};
use crate::support::{Ran, copy_everything, run, run_python, value};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn perennial(project: &Path, args: &[&str]) -> Ran {
    run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

/// A project of two pipelines; the second issues a report. Of its releases the newest two are kept.
fn project(folder: &Path) -> PathBuf {
    let project = folder.join("company");
    two_pipelines(&project);
    let settings = std::fs::read_to_string(project.join("perennial.yml")).unwrap();
    let keep = "keep: {days: 0, months: 0, min_releases: 2}\n";
    std::fs::write(project.join("perennial.yml"), settings + keep).unwrap();
    project
}

/// A delivery, and the run that reads it.
fn night(project: &Path, half: &str, number: u64) -> Ran {
    deliver(project, half, number);
    perennial(project, &["run", half])
}

fn vacuum(project: &Path, args: &[&str]) -> Value {
    let args: Vec<&str> = ["lake", "vacuum", "--format", "json"].into_iter().chain(args.iter().copied()).collect();
    perennial(project, &args).ended(0).json()
}

/// What `lake verify` finds.
fn findings(project: &Path) -> Vec<Value> {
    let found = perennial(project, &["lake", "verify", "--format", "json"]).json();
    found["damaged"].as_array().unwrap().clone()
}

fn numbers(releases: &Value) -> Vec<u64> {
    releases.as_array().unwrap().iter().map(|release| release["number"].as_u64().unwrap()).collect()
}

#[test]
fn what_keep_does_not_cover_goes_and_is_known_to_have_gone() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    // The report's first edition stands on release 2.
    for (number, half) in [(1, "orders"), (2, "payments"), (3, "orders"), (4, "orders"), (5, "orders")] {
        night(&project, half, number).ended(0);
    }
    // Readers may have opened release 4 until a moment ago, and every older one as well: nothing that they read goes.
    let careful = vacuum(&project, &["--delete"]);
    assert_eq!((numbers(&careful["releases"]), &careful["total"]["files"]), (vec![], &json!(0)), "{careful}");

    let planned = perennial(&project, &["lake", "vacuum", "--grace", "0s"]).ended(0);
    assert!(planned.stderr.contains("2 releases (1 to 3, published 2"), "{}", planned.stderr);
    assert!(planned.stderr.contains("`perennial lake vacuum --delete`"), "{}", planned.stderr);
    assert!(planned.stdout.contains("core.orders"), "{}", planned.stdout);
    let planned = vacuum(&project, &["--grace", "0s"]);
    let mut done = vacuum(&project, &["--grace", "0s", "--delete"]);
    assert_eq!((numbers(&done["releases"]), &done["kept"]), (vec![1, 3], &json!([2, 4, 5])));
    // Each night made the orders anew: those of releases 1 and 3 are in no other. Release 2 has those of 1.
    let orders = done["tables"].as_array().unwrap().iter().find(|row| row["table_name"] == "core.orders").unwrap();
    assert_eq!((&orders["files"], &orders["files_later"]), (&json!(1), &json!(0)), "{done}");
    assert_eq!((planned["deleted"].take_bool(), done["deleted"].take_bool()), (false, true));
    done["deleted"] = json!(false);
    assert_eq!(planned, done);
    assert!(findings(&project).is_empty());

    let today = value(&project, "SELECT CAST(max(published_at) AS DATE) FROM system.releases");
    for args in
        [&["query", "SELECT 1", "--release", "3"][..], &["rollback", "3"], &["report", "both", "--release", "3"]]
    {
        let asked = perennial(&project, args).ended(2);
        assert!(asked.stderr.contains("release 3 was removed on "), "{}", asked.stderr);
        assert!(asked.stderr.contains("there are releases 2, 4 to 5"), "{}", asked.stderr);
    }
    perennial(&project, &["query", "SELECT count(*) FROM core.orders", "--release", "2"]).ended(0);
    let listed = perennial(&project, &["releases", "--format", "json"]).ended(0).json();
    assert_eq!(numbers(&listed), [5, 4, 3, 2, 1]);
    let removed: Vec<bool> = listed.as_array().unwrap().iter().map(|row| !row["removed_on"].is_null()).collect();
    assert_eq!(removed, [false, false, true, false, true]);
    assert!(listed[2]["removed_on"].as_str().is_some_and(|day| day >= today.as_str()), "{listed}");
    // Numbers go on.
    night(&project, "orders", 6).ended(0);
    assert_eq!(value(&project, "SELECT max(number) FROM system.releases"), "6");

    // As a part of the pipeline: what nobody reads any more is deleted after the run.
    let pipeline = project.join("pipelines/orders.yml");
    let text = std::fs::read_to_string(&pipeline).unwrap();
    std::fs::write(&pipeline, text + "vacuum: true\n").unwrap();
    let ran = night(&project, "orders", 7).ended(0);
    assert!(ran.stderr.contains("vacuum   0 releases removed, 0 files deleted"), "{}", ran.stderr);

    // Messages of old months are forgotten, but not those that newest editions are compared with.
    let edition = project.join("reports/both/2026-03/edition.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&edition).unwrap()).unwrap();
    record["issued_at"] = json!("2020-02-10T00:00:00Z");
    std::fs::write(&edition, record.to_string()).unwrap();
    let message = |month: &str| project.join(format!("lake/_perennial/outbox/{month}/a/1-queued.json"));
    for month in ["2020-01", "2020-03"] {
        std::fs::create_dir_all(message(month).parent().unwrap()).unwrap();
        std::fs::write(message(month), "{}").unwrap();
    }
    vacuum(&project, &["--delete"]);
    assert_eq!((message("2020-01").exists(), message("2020-03").exists()), (false, true));

    // Without the reports nobody knows what editions stand on.
    std::fs::rename(project.join("reports"), project.join("elsewhere")).unwrap();
    let asked = perennial(&project, &["lake", "vacuum", "--grace", "0s", "--delete"]).ended(3);
    assert!(asked.stderr.contains("which releases editions stand on"), "{}", asked.stderr);
    let ran = night(&project, "orders", 8).ended(0);
    assert!(ran.stderr.contains("the vacuum did not end"), "{}", ran.stderr);
    perennial(&project, &["lake", "vacuum", "--grace", "soon"]).ended(2);
}

trait TakeBool {
    fn take_bool(&self) -> bool;
}

impl TakeBool for Value {
    fn take_bool(&self) -> bool {
        self.as_bool().unwrap()
    }
}

/// Nights and vacuums at the same time: one of two that want the lock is told so, and nothing is lost.
#[test]
fn nights_and_vacuums_at_the_same_time_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    night(&project, "orders", 0).ended(0);
    night(&project, "payments", 0).ended(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let vacuums = scope.spawn(|| {
            let mut ended = 0;
            while !done.load(Ordering::Acquire) {
                let ran = perennial(&project, &["lake", "vacuum", "--delete", "--grace", "0s"]);
                assert!(ran.code == 0 || (ran.code == 3 && ran.stderr.contains("in use")), "{}", ran.stderr);
                ended += u32::from(ran.code == 0);
            }
            ended
        });
        for number in 1..=6 {
            deliver(&project, "orders", number);
            loop {
                let ran = perennial(&project, &["run", "orders"]);
                assert!(ran.code == 0 || (ran.code == 3 && ran.stderr.contains("in use")), "{}", ran.stderr);
                if ran.code == 0 {
                    break;
                }
            }
        }
        done.store(true, Ordering::Release);
        assert!(vacuums.join().unwrap() > 0);
    });
    vacuum(&project, &["--delete", "--grace", "0s"]);
    assert!(findings(&project).is_empty());
    assert_eq!(value(&project, "SELECT count(*) FROM core.orders"), "35");
    assert_eq!(value(&project, "SELECT max(number) FROM system.releases"), "8");
    outside_readers_agree(&project);
}

/// DuckDB's and Delta's own readers see what we do.
fn outside_readers_agree(project: &Path) {
    let program = "import sys, glob, os, deltalake, duckdb\n\
        for log in sorted(glob.glob(sys.argv[1] + '/*/*/_delta_log')):\n\
        \x20   t = os.path.dirname(log)\n\
        \x20   n = deltalake.DeltaTable(t).to_pyarrow_table().num_rows\n\
        \x20   print(os.path.relpath(t, sys.argv[1]).replace('/', '.'), n)\n";
    let printed = run_python(program, &[project.join("lake").as_os_str()]);
    assert!(printed.lines().count() >= 5, "{printed}");
    for line in printed.lines() {
        let (table, rows) = line.split_once(' ').unwrap();
        assert_eq!(value(project, &format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
}

/// Copies a folder so slowly that nights come and go meanwhile. What is gone when it is to be read is left out.
fn copy_slowly(from: &Path, to: &Path, is_left_out: &dyn Fn(&Path) -> bool) {
    std::fs::create_dir_all(to).unwrap();
    let entries: Vec<PathBuf> = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries.into_iter().filter(|path| !is_left_out(path)) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_slowly(&path, &to, is_left_out);
        } else {
            std::fs::copy(&path, to).ok();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// In which order a lake is copied.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// As docs/lake.md says: the records of releases, then everything else.
    RecordsFirst,
    /// The wrong way round.
    RecordsLast,
    /// As the file system gives it.
    AsItComes,
}

fn back_up(lake: &Path, to: &Path, order: Order) {
    let is = |name: &'static str| move |path: &Path| path.ends_with(name);
    let records = || copy_slowly(&lake.join("_perennial/releases"), &to.join("_perennial/releases"), &|_| false);
    match order {
        Order::RecordsFirst => {
            records();
            let is_left_out = |path: &Path| is("_perennial/releases")(path) || is("_perennial/delta.json")(path);
            copy_slowly(lake, to, &is_left_out);
        }
        Order::RecordsLast => {
            copy_slowly(lake, to, &is("_perennial/releases"));
            records();
        }
        Order::AsItComes => drop(Command::new("cp").arg("-r").arg(lake).arg(to).output().unwrap()),
    }
    std::fs::remove_file(to.join("_perennial/delta.json")).ok();
}

/// Lakes are copied while nights run. Of one that was copied in order nothing is missing; of one that was not, only what
/// belongs to releases newer than the beginning of the copy. The next night goes on from either.
#[test]
fn a_lake_that_is_copied_while_nights_run_can_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    night(&project, "orders", 0).ended(0);
    night(&project, "payments", 0).ended(0);
    let lake = project.join("lake");
    let mut copies: Vec<(PathBuf, u64, Order)> = Vec::new();
    let (mut newer, done) = (0, AtomicBool::new(false));
    let newest = || -> u64 { value(&project, "SELECT max(number) FROM system.releases").parse().unwrap() };
    std::thread::scope(|scope| {
        let nights = scope.spawn(|| {
            for number in 1.. {
                if done.load(Ordering::Acquire) {
                    break;
                }
                night(&project, if number % 3 == 0 { "payments" } else { "orders" }, number).ended(0);
            }
        });
        let orders = [Order::RecordsFirst, Order::RecordsLast, Order::AsItComes];
        for (number, order) in orders.into_iter().cycle().take(6).enumerate() {
            let before = newest();
            let to = folder.path().join(format!("copy-{number}"));
            back_up(&lake, &to, order);
            newer += newest() - before;
            copies.push((to, before, order));
        }
        done.store(true, Ordering::Release);
        nights.join().unwrap();
    });
    assert!(newer > 3, "only {newer} releases were published while the lake was copied");
    for (number, (copy, before, order)) in copies.into_iter().enumerate() {
        let restored = folder.path().join(format!("restored-{number}"));
        copy_everything(&project, &restored);
        std::fs::remove_dir_all(restored.join("lake")).unwrap();
        copy_everything(&copy, &restored.join("lake"));
        let found = findings(&restored);
        let is_newer = |finding: &Value| {
            let releases = finding["releases"].as_array().unwrap();
            releases.iter().all(|release| release.as_u64().unwrap() > before)
        };
        // Nothing that a record of the copy names is missing. Its hint is of a later moment and names a newer release.
        let is_lost = |finding: &Value| finding["part"] == "release record" && finding["damage"] == "missing";
        let are_allowed = order != Order::RecordsFirst || found.iter().all(is_lost);
        assert!(are_allowed && found.iter().all(is_newer), "{order:?} after {before}: {found:?}");
        let of_records = |finding: &&Value| finding["repair"].as_str().unwrap().contains("delete the record");
        if found.iter().any(|finding| of_records(&finding)) {
            // Verify advises so where the newest release itself cannot be read.
            for entry in std::fs::read_dir(restored.join("lake/_perennial/releases")).unwrap() {
                let path = entry.unwrap().path();
                let number: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                if number > before {
                    std::fs::remove_file(path).unwrap();
                }
            }
        } else if found.iter().any(|finding| finding["in_newest"] == json!(true) && finding["part"] == "rows") {
            perennial(&restored, &["rollback", &before.to_string()]).ended(0);
        }
        night(&restored, "orders", 900).ended(0);
        night(&restored, "payments", 900).ended(0);
        let current = |finding: &&Value| finding["in_newest"] == json!(true) || finding["part"] == "Delta log";
        let left = findings(&restored);
        assert_eq!(left.iter().filter(current).count(), 0, "{order:?}: {left:?}");
        assert_eq!(value(&restored, "SELECT count(*) FROM core.orders WHERE order_id >= 9000"), "5");
        outside_readers_agree(&restored);
    }
}
