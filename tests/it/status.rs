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
