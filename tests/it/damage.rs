//! A damaged lake: what is said of it, and that what `lake verify` advises repairs it.

use crate::support::{Ran, run};
use crate::verbs::{DAILY, project};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn perennial(project: &Path, args: &[&str]) -> Ran {
    let args = args.iter().map(OsStr::new).chain([OsStr::new("--project"), project.as_os_str()]);
    run(args.map(OsStr::to_os_string).collect::<Vec<_>>())
}

/// The only file with an extension in a folder of the lake.
fn file_in(project: &Path, folder: &str, extension: &str) -> PathBuf {
    let entries = std::fs::read_dir(project.join("lake").join(folder)).unwrap();
    let mut files =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension() == Some(extension.as_ref()));
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(file, bytes).unwrap();
}

/// What `lake verify` finds, as JSON.
fn damaged(project: &Path, code: i32) -> Vec<serde_json::Value> {
    let found = perennial(project, &["lake", "verify", "--format", "json"]).ended(code).json();
    found["damaged"].as_array().unwrap().clone()
}

fn published() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    perennial(&project, &["run"]).ended(0);
    assert!(damaged(&project, 0).is_empty());
    (folder, project)
}

#[test]
fn a_damaged_table_is_named_and_made_again() {
    let cases = [
        ("marts/daily", "marts.daily", &["--full-refresh", "--select", "marts.daily"][..]),
        ("raw/shop__sales", "raw.shop__sales", &["--full-refresh"]),
    ];
    for (folder, table, refresh) in cases {
        let (_folder, project) = published();
        flip(&file_in(&project, folder, "parquet"));
        let asked = perennial(&project, &["query", &format!("SELECT * FROM {table}")]).ended(1);
        assert!(asked.stderr.contains("is damaged") && asked.stderr.contains(table), "{}", asked.stderr);
        assert!(asked.stderr.contains("perennial lake verify"), "{}", asked.stderr);

        let found = damaged(&project, 1);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0]["table_name"].as_str(), found[0]["damage"].as_str()), (Some(table), Some("block 0")));
        assert_eq!((&found[0]["releases"], &found[0]["in_newest"]), (&serde_json::json!([1]), &true.into()));
        let advised = format!("`perennial run [PIPELINE] {}`", refresh.join(" "));
        assert!(found[0]["repair"].as_str().unwrap().contains(&advised), "{found:?}");
        let text = perennial(&project, &["lake", "verify"]).ended(1).stdout;
        assert!(text.contains(&format!("rows of {table}, needed by release 1 (the newest)")), "{text}");

        perennial(&project, &[&["run"], refresh].concat()).ended(0);
        let asked = perennial(&project, &["query", "SELECT sum(amount) FROM marts.daily", "--format", "csv"]).ended(0);
        assert!(asked.stdout.ends_with("\n12.50\n"), "{}", asked.stdout);
        // It is of no more than an old release now.
        let found = damaged(&project, 1);
        assert_eq!((found.len(), &found[0]["in_newest"]), (1, &false.into()));
        assert!(found[0]["repair"].as_str().unwrap().starts_with("nothing"), "{found:?}");
    }
}

#[test]
fn a_damaged_record_is_named_and_the_release_before_taken() {
    let (_folder, project) = published();
    std::fs::write(project.join("data/sales.csv"), "sale_id,sold_on,amount\n1,2026-01-05,11.00\n").unwrap();
    perennial(&project, &["run"]).ended(0);
    let record = project.join("lake/_perennial/releases/00000002.json");
    flip(&record);
    let asked = perennial(&project, &["query", "SELECT * FROM marts.daily"]).ended(1);
    assert!(asked.stderr.contains("_perennial/releases/00000002.json is damaged"), "{}", asked.stderr);
    let found = damaged(&project, 1);
    assert_eq!(found.len(), 1, "{found:?}");
    let repair = found[0]["repair"].as_str().unwrap();
    assert!(repair.contains("delete the record _perennial/releases/00000002.json"), "{repair}");
    std::fs::remove_file(&record).unwrap();
    let found = damaged(&project, 1);
    let lost = found.iter().find(|finding| finding["part"] == "release record").unwrap();
    assert!(lost["repair"].as_str().unwrap().starts_with("release 2 was published, but readers see release 1 now"));
    perennial(&project, &["run"]).ended(0);
    assert!(project.join("lake/_perennial/releases/00000003.json").exists(), "its number is not given again");
    let asked = perennial(&project, &["query", "SELECT sum(amount) FROM marts.daily", "--format", "csv"]).ended(0);
    assert!(asked.stdout.ends_with("\n11.00\n"), "{}", asked.stdout);
    // What is left to say is that the release is lost.
    let found = damaged(&project, 1);
    assert_eq!((found.len(), &found[0]["releases"]), (1, &serde_json::json!([2])), "{found:?}");
    assert!(found[0]["repair"].as_str().unwrap().starts_with("nothing"), "{found:?}");
}

#[test]
fn a_missing_file_is_named_below_the_lake_and_before_the_first_release_there_is_advice() {
    let (_folder, project) = published();
    std::fs::remove_file(file_in(&project, "marts/daily", "parquet")).unwrap();
    let asked = perennial(&project, &["query", "SELECT * FROM marts.daily"]).ended(1);
    let named = asked.stderr.lines().any(|line| {
        let at = line.find("marts/daily/").filter(|_| line.contains(".parquet is missing from the lake"));
        at.is_some_and(|at| !line[..at].ends_with('/'))
    });
    assert!(named, "{}", asked.stderr);

    // The rows of failed runs are there before the first release.
    let records = project.join("lake/_perennial");
    std::fs::remove_dir_all(&records).unwrap();
    flip(&file_in(&project, "system/runs", "parquet"));
    let found = damaged(&project, 1);
    assert!(!found.is_empty() && found.iter().all(|finding| finding["repair"] != ""), "{found:?}");
}
