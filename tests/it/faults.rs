//! Killed at any moment, the next run repairs by itself, and a reader always sees one whole release.

use crate::support::{perennial, query, run, run_python, value};
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A project with a small company's files, nothing run yet.
fn small_company(folder: &Path) -> PathBuf {
    let project = folder.join("company");
    run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "120".as_ref(), "--no-run".as_ref()]).ended(0);
    project
}

fn start(project: &Path) -> Child {
    let args: [&OsStr; 4] = ["run".as_ref(), "--full-refresh".as_ref(), "--project".as_ref(), project.as_ref()];
    perennial(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Every row of every mart, so that two states can be compared.
fn content(project: &Path) -> Vec<String> {
    let tables = "SELECT table_schema || '.' || table_name AS t FROM information_schema.tables \
                  WHERE table_schema IN ('core', 'marts') ORDER BY t";
    let names: Vec<String> = query(project, tables).iter().map(|r| r["t"].as_str().unwrap().to_string()).collect();
    assert!(names.len() > 8, "{names:?}");
    let count = |name: &String| format!("{name}: {}", value(project, &format!("SELECT count(*) FROM {name}")));
    let mut content: Vec<String> = names.iter().map(count).collect();
    for (table, figure) in [
        ("core.order_lines", "sum(revenue)"),
        ("marts.customer_month", "sum(revenue)"),
        ("marts.revenue_bridge", "sum(amount * position)"),
        ("marts.segment_migration", "sum(value_change)"),
    ] {
        content.push(format!("{table} {figure}: {}", value(project, &format!("SELECT {figure} FROM {table}"))));
    }
    content
}

/// Release records; one whose writing was cut short has another name (`00000007.json#1`) and is not a release.
fn releases(project: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(project.join("lake/_perennial/releases")) else { return 0 };
    entries.filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension() == Some("json".as_ref()))).count()
}

#[test]
fn killed_fifty_times_it_loses_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_company(folder.path());
    let began = Instant::now();
    assert!(start(&project).wait().unwrap().success());
    let mut whole_run = began.elapsed();
    let expected = content(&project);
    // A second lake sees the kills, from its very first run on.
    std::fs::remove_dir_all(project.join("lake")).unwrap();

    let mut random = rand::rngs::StdRng::seed_from_u64(50);
    let mut published = 0;
    for round in 0..50 {
        let mut child = start(&project);
        std::thread::sleep(whole_run.mul_f64(random.random_range(0.0..1.05)));
        // The first run was slower than those now, where the machine had other work: aim earlier.
        if child.try_wait().unwrap().is_some() {
            whole_run = whole_run.mul_f64(0.9);
        }
        child.kill().ok();
        child.wait().unwrap();
        let now = releases(&project);
        assert!(now >= published, "round {round}: a release is gone");
        // Looking into every table takes as long as a run; the total of one table against another's tells a mixture.
        if now > published || (now > 0 && round % 10 == 0) {
            let lines = value(&project, "SELECT sum(revenue) FROM core.order_lines");
            let months = value(&project, "SELECT sum(revenue) FROM marts.customer_month");
            assert_eq!(lines, months, "round {round}");
        }
        published = now;
    }
    assert!(start(&project).wait().unwrap().success(), "the run after the last kill");
    assert_eq!(content(&project), expected);
    let killed: u64 = value(&project, "SELECT count(*) FROM system.runs WHERE status = 'killed'").parse().unwrap();
    assert!(killed >= 10, "only {killed} runs were recorded as killed");
    assert_eq!(files_on_disk(&project), files_of_releases(&project), "files that no release names, or missing ones");
    outside_readers_agree(&project);
}

/// Data files below the lake, without system tables and logs.
fn files_on_disk(project: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, root: &Path, files: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("_delta_log") {
                    walk(&path, root, files);
                }
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    let root = project.join("lake");
    let mut files = BTreeSet::new();
    walk(&root, &root, &mut files);
    files.retain(|f| !f.starts_with("system/") && !f.starts_with("_perennial/"));
    files
}

fn files_of_releases(project: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(project.join("lake/_perennial/releases")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        collect_paths(&record, &mut files);
    }
    files
}

fn collect_paths(value: &serde_json::Value, files: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => object.values().for_each(|v| collect_paths(v, files)),
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect_paths(v, files)),
        serde_json::Value::String(text) if text.ends_with(".parquet") && text.contains('/') => {
            files.insert(text.clone());
        }
        _ => {}
    }
}

/// Python's Delta reader sees as many rows of every table as we do.
fn outside_readers_agree(project: &Path) {
    let program = "import sys, glob, os, deltalake\n\
        root = sys.argv[1]\n\
        for log in sorted(glob.glob(root + '/*/*/_delta_log')):\n\
        \x20   t = os.path.dirname(log)\n\
        \x20   n = deltalake.DeltaTable(t).to_pyarrow_table().num_rows\n\
        \x20   print(os.path.relpath(t, root).replace('/', '.'), n)\n";
    let printed = run_python(program, &[project.join("lake").as_os_str()]);
    let mut tables = 0;
    for line in printed.lines() {
        let (table, rows) = line.split_once(' ').unwrap();
        assert_eq!(value(project, &format!("SELECT count(*) FROM {table}")), rows, "{table}");
        tables += 1;
    }
    assert!(tables > 15, "{printed}");
}

#[test]
fn two_runs_at_once_the_second_says_who_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_company(folder.path());
    let mut first = start(&project);
    let lock = project.join("lake/_perennial/lock");
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(&lock).map_or(0, |m| m.len()) == 0 {
        assert!(Instant::now() < deadline, "the first run never took the lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(3);
    assert!(second.stderr.contains(&first.id().to_string()), "{}", second.stderr);
    assert!(second.stderr.contains("lock"), "{}", second.stderr);
    assert!(first.wait().unwrap().success());
}
