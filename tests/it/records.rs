//! What a run says of itself: its record, also where it could not begin, its log, and what `retry` makes of it.

use crate::pipelines::{deliver, two_pipelines};
use crate::support::{query, run};
use std::path::Path;

fn on(project: &Path, args: &[&str]) -> crate::support::Ran {
    run(args.iter().copied().chain(["--project", project.to_str().unwrap()]))
}

#[test]
fn a_run_that_could_not_begin_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    deliver(project, "orders", 1);
    on(project, &["run", "orders"]).ended(0);
    let step = project.join("sql/core/orders.sql");
    let text = std::fs::read_to_string(&step).unwrap();

    // SQL that cannot be planned, and YAML that cannot be read.
    std::fs::write(&step, text.replace("customer,", "custmer,")).unwrap();
    on(project, &["run", "orders"]).ended(2);
    std::fs::write(&step, &text).unwrap();
    let pipeline = project.join("pipelines/orders.yml");
    let yaml = std::fs::read_to_string(&pipeline).unwrap();
    std::fs::write(&pipeline, format!("{yaml}sorces: []\n")).unwrap();
    on(project, &["run", "orders"]).ended(2);
    std::fs::write(&pipeline, yaml).unwrap();
    // An argument that is wrong is not a run.
    on(project, &["run", "ordres"]).ended(2);

    let runs = query(project, "SELECT status, attempt, message FROM system.runs ORDER BY run_id");
    let statuses: Vec<&str> = runs.iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["done", "failed", "failed"]);
    let messages: Vec<&str> = runs[1..].iter().map(|run| run["message"].as_str().unwrap()).collect();
    assert!(messages[0].starts_with("sql/core/orders.sql:") && messages[0].contains("custmer"), "{messages:?}");
    assert!(messages[1].starts_with("pipelines/orders.yml:5:1: unknown key `sorces`"), "{messages:?}");
    assert!(runs.iter().all(|run| run["attempt"] == 1), "{runs:?}");
}

#[test]
fn a_planned_time_says_which_day_a_run_describes() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    let pipeline = project.join("pipelines/orders.yml");
    let yaml = std::fs::read_to_string(&pipeline).unwrap();
    std::fs::write(&pipeline, format!("{yaml}schedule: \"0 23 * * *\"\nas_of: scheduled_date + 1\n")).unwrap();
    deliver(project, "orders", 1);
    on(project, &["run", "orders", "--scheduled-for", "2026-03-30T23:00"]).ended(0);
    let sql = "SELECT pipeline, as_of, scheduled_for, length(project_hash) AS hash FROM system.runs";
    let expected = serde_json::json!([{
        "pipeline": "orders", "as_of": "2026-03-31", "scheduled_for": "2026-03-30T23:00:00Z", "hash": 64
    }]);
    assert_eq!(serde_json::Value::from(query(project, sql)), expected);
    let ran = on(project, &["run", "orders", "--scheduled-for", "2999-01-01T23:00"]).ended(2);
    assert!(ran.stderr.contains("which is still to come"), "{}", ran.stderr);
    let ran = on(project, &["run", "orders", "--scheduled-for", "at night"]).ended(2);
    assert!(ran.stderr.starts_with("error: `at night` is not a time\n"), "{}", ran.stderr);
}

#[test]
fn every_line_of_a_json_log_is_an_object_that_names_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    deliver(project, "orders", 1);
    let ran = on(project, &["run", "orders", "--log-format", "json"]).ended(0);
    let lines: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"run_started"), Some(&"run_ended")), "{events:?}");
    assert!(lines.iter().all(|line| line["run_id"] == lines[0]["run_id"] && line["time"].is_string()), "{lines:?}");
    let done = lines.iter().find(|line| line["event"] == "source_done").unwrap();
    assert_eq!((&done["table"], &done["rows"], &done["rejects"]), (&"orders.orders".into(), &5.into(), &2.into()));
    // Problems too, one a line.
    std::fs::write(project.join("perennial.yml"), "name: [\n").unwrap();
    let ran = on(project, &["run", "orders", "--log-format", "json"]).ended(2);
    let line: serde_json::Value = serde_json::from_str(ran.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["file"]), (&"error".into(), &"perennial.yml".into()));
}

#[test]
fn a_failed_run_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    let ran = on(project, &["retry"]).ended(2);
    assert!(ran.stderr.starts_with("error: no run that failed can be continued\n"), "{}", ran.stderr);
    deliver(project, "orders", 1);
    deliver(project, "payments", 1);
    std::fs::write(project.join("pipelines/all.yml"), "description: All\n").unwrap();
    // The second source cannot be read at first.
    std::fs::rename(project.join("data"), project.join("moved")).unwrap();
    let contract = project.join("pipelines/sources/orders.yml");
    let text = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(&contract, text.replace("location: data", "location: moved")).unwrap();
    on(project, &["run", "all"]).ended(3);
    let failed = query(project, "SELECT run_id FROM system.runs")[0]["run_id"].as_str().unwrap().to_string();
    std::fs::create_dir(project.join("data")).unwrap();
    std::fs::rename(project.join("moved/payments-00001.csv"), project.join("data/payments-00001.csv")).unwrap();
    let ran = on(project, &["retry", &failed]).ended(0);
    assert!(ran.stderr.contains(&format!("source orders: what run {failed} has read is used")), "{}", ran.stderr);
    let sql = "SELECT attempt, status FROM system.runs ORDER BY run_id";
    let expected = serde_json::json!([{"attempt": 1, "status": "failed"}, {"attempt": 2, "status": "done"}]);
    assert_eq!(serde_json::Value::from(query(project, sql)), expected);
    on(project, &["retry", &failed]).ended(2);
}
