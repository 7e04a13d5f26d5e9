//! What is recorded of a run that could not begin, and of one that did not learn whether it had published.

use super::company::{Company, Silent, content, invoker, request, rows};
use super::retry::{at, wait};
use crate::flow::{self, Reader, RunRequest};
use jiff::civil::date;
use perennial_lake::Lake;
use perennial_project::Project;

async fn select(project: &Project, sql: &str) -> Vec<String> {
    rows(&Reader::open(project, None).await.unwrap(), sql).await
}

#[test]
fn a_planned_run_that_finds_the_lake_in_use_is_recorded_and_one_by_hand_is_not() {
    let company = Company::new();
    let project = company.project("lake", None);
    wait(async {
        let by_hand = request("all", date(2026, 3, 1), at(0));
        flow::run(&project, &by_hand, &Silent).await.unwrap();
        let lake = Lake::open(&project.lake).await.unwrap();
        let lock = lake.lock(invoker().holder("20260401T020100Z-0001"), at(1)).await.unwrap();
        let by_hand = RunRequest { now: at(2), ..by_hand };
        assert!(flow::run(&project, &by_hand, &Silent).await.is_err());
        let planned = RunRequest { scheduled_for: Some(at(1)), attempt: 2, ..by_hand };
        assert!(flow::run(&project, &planned, &Silent).await.is_err());
        lock.release().await.unwrap();
        let failed = "SELECT pipeline, attempt, scheduled_for IS NOT NULL AS planned, message LIKE '%in use since%' AS says \
                      FROM system.runs WHERE status = 'failed'";
        assert_eq!(select(&project, failed).await, ["pipeline=all attempt=2 planned=true says=true"]);
    });
}

#[test]
fn a_release_that_its_run_did_not_learn_of_is_listed_once() {
    let mut company = Company::new();
    let project = company.project("lake", None);
    wait(flow::run(&project, &request("all", date(2026, 3, 1), at(0)), &Silent)).unwrap();
    company.visit();
    wait(flow::run(&project, &request("all", date(2026, 3, 1), at(1)), &Silent)).unwrap();
    let run_id = content(&project).release.unwrap().run_id;
    let listed = std::fs::read_dir(company.root().join("lake/system/releases")).unwrap().map(|entry| entry.unwrap());
    let own: Vec<_> = listed.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&run_id)).collect();
    assert_eq!(own.len(), 1);
    std::fs::remove_file(own[0].path()).unwrap();
    // The second time its row is there.
    for minute in [2, 3] {
        wait(async {
            let lake = Lake::open(&project.lake).await.unwrap();
            let lock = lake.lock(invoker().holder(&run_id), at(1)).await.unwrap();
            lake.begin_run(&lock, at(1), &serde_json::Value::Null).await.unwrap();
            lock.release().await.unwrap();
            flow::run(&project, &request("all", date(2026, 3, 1), at(minute)), &Silent).await.unwrap();
            let newest = lake.latest().await.unwrap().unwrap().number;
            let releases: Vec<String> = (1..=newest).map(|number| format!("number={number}")).collect();
            assert_eq!(select(&project, "SELECT number FROM system.releases").await, releases);
        });
    }
}
