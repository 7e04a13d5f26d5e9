//! Lakes that earlier versions wrote: `tests/fixtures/lakes/FORMAT` holds one of each format, as that version left it.
//!
//! Each is a corner shop: sales in files (one of them delivered twice, with a bad row; another with a new column), a list of
//! customers that replaces the one before, a step of each kind, a test that warns, a report. Release 1 is the first night,
//! 2 the second, 3 a rollback to 1, 4 a night with the second delivery, after one that a failing test kept from publishing. The
//! last run was killed. What is expected here is worked out from the files of `data`.

use crate::support::{copy_everything, query, run, value};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn sample(folder: &Path, format: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lakes");
    copy_everything(&fixtures.join(format), folder);
    folder.to_path_buf()
}

fn of_project(project: &Path, args: &[&str]) -> Vec<std::ffi::OsString> {
    args.iter().map(Into::into).chain(["--project".into(), project.into()]).collect()
}

fn json_of(project: &Path, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    run(of_project(project, &args)).ended(0).json()
}

fn csv_of(project: &Path, args: &[&str]) -> String {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "csv"]).collect();
    run(of_project(project, &args)).ended(0).stdout
}

const CORE_SALES: [&str; 2] = ["query", "SELECT * FROM core.sales ORDER BY sale_id"];

const CORE_SALES_OF_RELEASE_4: &str = "sale_id,sold_on,amount,name\n1,2026-03-02,10.00,Ann\n2,2026-03-02,2.75,Rob\n\
    4,2026-03-03,4.50,Dan\n5,2026-03-04,7.00,Rob\n6,2026-03-05,1.25,\n7,2026-03-06,3.00,\n";

#[test]
fn a_lake_of_format_2_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let project = sample(folder.path(), "format-2");
    let releases = json_of(&project, &["releases"]);
    let numbers: Vec<(i64, Option<i64>)> = releases
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["number"].as_i64().unwrap(), r["rollback_of"].as_i64()))
        .collect();
    assert_eq!(numbers, [(4, None), (3, Some(1)), (2, None), (1, None)]);
    assert_eq!(csv_of(&project, &CORE_SALES), CORE_SALES_OF_RELEASE_4);
    assert_eq!(value(&project, "SELECT count(*) FROM staging.named_sales"), "4", "a view");
    assert_eq!(value(&project, "SELECT sum(amount) FROM marts.daily"), "28.50");
    assert_eq!(value(&project, "SELECT count(till) FROM source.shop__sales"), "2", "the column that was accepted");
    assert_eq!(value(&project, "SELECT count(*) FROM source.shop__customers"), "3");
    let history = "SELECT count(*), count(valid_to) FROM source.shop__customers_history";
    let counts = query(&project, history);
    assert_eq!(counts[0].as_object().unwrap().values().filter_map(Value::as_i64).sum::<i64>(), 5 + 2, "{counts:?}");
    for (release, sales, amount) in [(1, "3", "16.50"), (2, "5", "24.75"), (3, "3", "16.50")] {
        let sql = "SELECT concat(count(*), ' ', sum(amount)) AS said FROM core.sales";
        let said = csv_of(&project, &["query", sql, "--release", &release.to_string()]);
        assert_eq!(said.trim_end(), format!("said\n{sales} {amount}"), "release {release}");
    }
    let runs = json_of(&project, &["runs"]);
    let statuses: Vec<&str> = runs.as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses.len(), 6, "{runs}");
    assert_eq!(statuses.iter().filter(|status| **status == "failed").count(), 1, "{runs}");
    let rejects = json_of(&project, &["rejects", "show"]);
    assert_eq!(rejects.as_array().unwrap().len(), 1, "{rejects}");
    assert_eq!((&rejects[0]["file"], &rejects[0]["line"]), (&json!("sales-1.csv"), &json!(4)));
    assert_eq!(json_of(&project, &["rejects", "show", "--all"]).as_array().unwrap().len(), 3);
    run(of_project(&project, &["test"])).ended(0);
    run(of_project(&project, &["report", "sales"])).ended(0);
    assert!(project.join("reports/sales/2026-03/en.html").exists());
}

#[test]
fn a_lake_of_format_2_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let project = sample(folder.path(), "format-2");
    // What the killed run left is repaired, and no file is read a second time.
    let first = json_of(&project, &["run"]);
    assert_eq!(files_read(&project, &first), 0, "{first}");
    assert_eq!(value(&project, "SELECT count(*) FROM system.runs WHERE status = 'killed'"), "1");
    assert_eq!(csv_of(&project, &CORE_SALES), CORE_SALES_OF_RELEASE_4);
    assert_eq!(json_of(&project, &["run"])["ending"], "nothing_new");
    // A night of today on top of it: a new file, one that is delivered again, the next list of customers.
    std::fs::write(project.join("data/sales-3.csv"), "sale_id,customer_id,sold_on,amount\n8,9,2026-03-07,0.50\n")
        .unwrap();
    std::fs::write(
        project.join("data/sales-2.csv"),
        "sale_id,customer_id,sold_on,amount,till\n5,2,2026-03-04,7.00,east\n6,1,2026-03-05,1.50,south\n",
    )
    .unwrap();
    std::fs::write(project.join("data/customers-3.csv"), "customer_id,name\n1,Ann\n2,Rob\n8,Eva\n9,Dan\n").unwrap();
    let night = json_of(&project, &["run"]);
    assert_eq!(files_read(&project, &night), 3, "{night}");
    let names = "SELECT string_agg(name, ' ' ORDER BY sale_id) AS names FROM core.sales";
    assert_eq!(value(&project, names), "Ann Rob Dan Rob Ann Eva Dan");
    assert_eq!(value(&project, "SELECT concat(count(*), ' ', sum(amount)) FROM core.sales"), "7 29.25");
    assert_eq!(value(&project, "SELECT count(*) FROM raw.shop__sales WHERE _file = 'sales-2.csv'"), "2", "replaced");
    // Back to what the earlier version published, and forward again.
    run(of_project(&project, &["rollback", "2"])).ended(0);
    assert_eq!(value(&project, "SELECT concat(count(*), ' ', sum(amount)) FROM core.sales"), "5 24.75");
    assert_eq!(value(&project, "SELECT name FROM source.shop__customers WHERE customer_id = 9"), "Dan");
    run(of_project(&project, &["run"])).ended(0);
    assert_eq!(value(&project, "SELECT concat(count(*), ' ', sum(amount)) FROM core.sales"), "7 29.25");
    assert_eq!(json_of(&project, &["rejects", "show"]).as_array().unwrap().len(), 1);
    assert_eq!(json_of(&project, &["run"])["ending"], "nothing_new");
}

/// The files that a run read, of all sources.
fn files_read(project: &Path, run: &Value) -> i64 {
    let sql =
        format!("SELECT sum(files_read) FROM system.sources WHERE run_id = '{}'", run["run_id"].as_str().unwrap());
    value(project, &sql).parse().unwrap()
}
