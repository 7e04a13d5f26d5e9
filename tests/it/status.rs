//! Whether all is well, in one screen, one exit code, JSON and metrics.

use crate::pipelines::{deliver, two_pipelines};
use crate::support::{Ran, run};
use std::path::Path;

fn perennial(project: &Path, args: &[&str]) -> Ran {
    run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

#[test]
fn status_says_what_runs_fails_and_is_late() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    let before = perennial(project, &["status"]).ended(0).stdout;
    assert!(before.contains("not run yet") && before.contains("none has run on this lake"), "{before}");
    for half in ["orders", "payments"] {
        deliver(project, half, 1);
        perennial(project, &["run", half]).ended(0);
    }
    let good = perennial(project, &["status"]).ended(0).stdout;
    assert!(good.contains("all is well") && !good.contains("not all"), "{good}");

    // Two runs fail: since when is the first of them.
    std::fs::write(project.join("data/orders-00009.csv"), "order_id,paid_on\n1,2026-03-01\n").unwrap();
    for _ in 0..2 {
        assert_ne!(perennial(project, &["run", "orders"]).code, 0);
    }
    let failing = perennial(project, &["status"]).ended(1).stdout;
    assert!(failing.contains("FAILING since") && failing.contains("2 runs"), "{failing}");
    let json = perennial(project, &["status", "--format", "json"]).ended(1).json();
    assert_eq!(json["is_good"], false);
    let orders = &json["pipelines"][0];
    assert_eq!((orders["name"].as_str(), orders["state"].as_str()), (Some("orders"), Some("failing")), "{json}");
    assert_eq!(orders["failed_runs"], 2, "{json}");
    assert_eq!(json["pipelines"][1]["state"], "good", "{json}");
    assert_eq!(json["late_sources"][0]["source"], "orders", "{json}");

    // The metrics of both pipelines, written whole.
    let file = folder.path().join("perennial.prom");
    perennial(project, &["status", "--metrics", file.to_str().unwrap()]).ended(1);
    let metrics = std::fs::read_to_string(&file).unwrap();
    for line in [
        "perennial_last_run_exit_code{pipeline=\"payments\"} 0",
        "perennial_last_run_source_rows{pipeline=\"payments\",source=\"payments\",table=\"payments\"} 5",
        "perennial_last_run_source_rejects{pipeline=\"payments\",source=\"payments\",table=\"payments\"} 2",
        "perennial_last_success_timestamp_seconds{pipeline=\"orders\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("perennial_last_run_exit_code{pipeline=\"orders\"} 0"), "{metrics}");
}

#[test]
fn a_lake_that_cannot_be_reached_and_a_dead_scheduler_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    for half in ["orders", "payments"] {
        deliver(project, half, 1);
        perennial(project, &["run", half]).ended(0);
    }
    let beat = |at: &str, ended: bool| {
        let text = format!(
            "{{\"format\": 1, \"host\": \"h\", \"user\": \"u\", \"pid\": 7, \"since\": \"{at}\", \"at\": \"{at}\", \
             \"ended\": {ended}, \"next\": null, \"running\": null}}"
        );
        let folder = project.join("lake/_perennial/schedule");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("heartbeat.json"), text).unwrap();
    };
    beat("2026-04-01T00:00:00Z", false);
    let dead = perennial(project, &["status"]).ended(1).stdout;
    assert!(dead.contains("DEAD: no sign of life since 2026-04-01 00:00 +00:00: process 7 on h"), "{dead}");
    beat("2026-04-01T00:00:00Z", true);
    let ended = perennial(project, &["status"]).ended(0).stdout;
    assert!(ended.contains("ended in order"), "{ended}");

    let settings = std::fs::read_to_string(project.join("perennial.yml")).unwrap();
    std::fs::write(project.join("perennial.yml"), settings.replace("lake: lake", "lake: s3://no-such-bucket/lake"))
        .unwrap();
    let mut command = crate::support::perennial(["status", "--project", project.to_str().unwrap()]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_ALLOW_HTTP", "true");
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    Ran::from(command.output().unwrap()).ended(3);
}

/// The time at which the program is started.
#[allow(clippy::disallowed_methods, reason = "the program under test reads the clock")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The state of the pipeline `orders` under a scheduler that has written these objects.
fn state(project: &Path, objects: &[(&str, String)]) -> (String, bool) {
    for (name, text) in objects {
        let path = project.join("lake/_perennial/schedule").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let json = perennial(project, &["status", "--format", "json"]).json();
    let orders = json["pipelines"].as_array().unwrap().iter().find(|one| one["name"] == "orders").unwrap();
    let scheduler = json["scheduler"]["state"].as_str().unwrap();
    (format!("{} {scheduler}", orders["state"].as_str().unwrap()), json["is_good"].as_bool().unwrap())
}

#[test]
fn a_plan_that_nothing_runs_a_run_that_hangs_and_one_that_waits_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    two_pipelines(project);
    let pipeline = project.join("pipelines/orders.yml");
    let text = std::fs::read_to_string(&pipeline).unwrap();
    std::fs::write(&pipeline, format!("{text}schedule: \"0 * * * *\"\n")).unwrap();
    assert_eq!(state(project, &[]), ("not_run none".to_string(), false), "no scheduler was ever started");
    let status = perennial(project, &["status"]).ended(1).stdout;
    assert!(status.contains("orders has a schedule, and nothing runs it"), "{status}");

    let now = now();
    let ago = |hours: i64| now.checked_sub(jiff::SignedDuration::from_hours(hours)).unwrap();
    let beat = |host: &str, pid: u32, running: Option<jiff::Timestamp>| {
        let running = running.map(|at| serde_json::json!({"pipeline": "orders", "scheduled_for": at}));
        let beat = serde_json::json!({
            "format": 1, "host": host, "user": "u", "pid": pid, "since": ago(9), "at": now, "ended": false,
            "next": null, "running": running,
        });
        ("heartbeat.json", beat.to_string())
    };
    let due = |at: Option<jiff::Timestamp>| {
        let due: Vec<_> = at.iter().map(|at| serde_json::json!({"scheduled_for": at})).collect();
        ("state.json", serde_json::json!({"format": 1, "pipelines": {"orders": {"due": due}}}).to_string())
    };
    let with = |beat, due| state(project, &[beat, due]);
    assert_eq!(with(beat("elsewhere", 7, None), due(None)), ("not_run alive".to_string(), true));
    assert_eq!(with(beat("elsewhere", 7, Some(ago(0))), due(None)), ("not_run alive".to_string(), true));
    // One that began hours ago keeps all later times from running.
    assert_eq!(with(beat("elsewhere", 7, Some(ago(5))), due(None)), ("missed alive".to_string(), false));

    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = with(beat(host.trim(), child.id(), None), due(None));
        assert_eq!(dead, ("not_run dead".to_string(), false), "killed a moment ago on this machine");
        let alive = with(beat(host.trim(), std::process::id(), None), due(None));
        assert_eq!(alive, ("not_run alive".to_string(), true));
    }
}
