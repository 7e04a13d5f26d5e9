//! The scheduler as a process, simulations, and what is written for other schedulers.

use crate::pipelines::{deliver, two_pipelines};
use crate::support::{Ran, perennial, query, run};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn on(project: &Path, args: &[&str]) -> Ran {
    run(args.iter().map(OsStr::new).chain(["--project".as_ref(), project.as_os_str()]))
}

/// The time at which the program is started.
#[allow(clippy::disallowed_methods, reason = "the program under test reads the clock")]
fn now_in_berlin() -> jiff::Zoned {
    jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::get("Europe/Berlin").unwrap())
}

/// Adds lines to a file of a project.
fn append(project: &Path, path: &str, lines: &str) {
    let path = project.join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text + lines).unwrap();
}

/// A project of two pipelines whose `orders` are due at 02:00.
fn nightly_orders(folder: &Path) -> PathBuf {
    let project = folder.join("project");
    two_pipelines(&project);
    append(&project, "perennial.yml", "time_zone: Europe/Berlin\n");
    append(&project, "pipelines/orders.yml", "schedule: \"0 2 * * *\"\n");
    deliver(&project, "orders", 1);
    project
}

fn schedule_folder(project: &Path) -> PathBuf {
    project.join("lake/_perennial/schedule")
}

/// What a scheduler left that was killed three days ago, at noon: two nights were missed, or three.
fn off_for_three_days(project: &Path) {
    let now = now_in_berlin();
    let handled = now.date().checked_sub(jiff::Span::new().days(3)).unwrap().at(12, 0, 0, 0);
    let handled = handled.in_tz("Europe/Berlin").unwrap().timestamp();
    let state = serde_json::json!({
        "format": 1, "events": [],
        "pipelines": { "orders": {
            "signature": "0 2 * * * Europe/Berlin EveryDay Run", "handled": handled, "due": [],
            "running": null, "deadline": null, "last": null, "last_good": null,
        } },
    });
    std::fs::create_dir_all(schedule_folder(project)).unwrap();
    std::fs::write(schedule_folder(project).join("state.json"), state.to_string()).unwrap();
}

fn state(project: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(schedule_folder(project).join("state.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// A scheduler that is killed where a test fails.
struct Scheduler {
    child: Child,
    log: PathBuf,
}

impl Scheduler {
    fn start(project: &Path, log: &str) -> Scheduler {
        let log = project.with_file_name(log);
        let args: [&OsStr; 4] = ["schedule".as_ref(), "run".as_ref(), "--project".as_ref(), project.as_ref()];
        let stderr = std::fs::File::create(&log).unwrap();
        let child = perennial(args).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Scheduler { child, log }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: ended with {ended:?}\n{}", self.said());
            assert!(began.elapsed() < Duration::from_secs(90), "{what}: too late\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to end, and gives its exit code.
    fn end(&mut self) -> i32 {
        self.signal("-TERM");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // It has ended in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn killed_in_the_middle_of_a_run_it_makes_up_for_it_and_nothing_is_repaired_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let project = nightly_orders(folder.path());
    (2..40).for_each(|number| deliver(&project, "orders", number));
    off_for_three_days(&project);
    let mut first = Scheduler::start(&project, "first.log");
    let runs = project.join("lake/_perennial/runs");
    let under_way = || std::fs::read_dir(&runs).is_ok_and(|mut entries| entries.next().is_some());
    first.wait_until("a run begins", under_way);
    first.signal("-KILL");
    first.child.wait().unwrap();
    assert!(!state(&project)["pipelines"]["orders"]["running"].is_null());
    assert!(under_way(), "killed too late");

    let mut second = Scheduler::start(&project, "second.log");
    second.wait_until("the run is made up for", || state(&project)["pipelines"]["orders"]["last"]["exit_code"] == 0);
    assert_eq!(second.end(), 0, "{}", second.said());
    assert!(!under_way());
    on(&project, &["lake", "verify"]).ended(0);

    let today = now_in_berlin();
    let at_two = today.date().at(2, 0, 0, 0).in_tz("Europe/Berlin").unwrap();
    let planned = if at_two <= today { at_two } else { at_two.yesterday().unwrap() };
    let sql = "SELECT status, attempt, as_of::VARCHAR AS as_of, scheduled_for::VARCHAR AS planned FROM system.runs ORDER BY run_id";
    let rows = query(&project, sql);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0]["status"], "killed");
    assert_eq!((&rows[1]["status"], &rows[1]["attempt"]), (&"done".into(), &2.into()));
    assert_eq!(rows[1]["as_of"], planned.date().to_string());
    assert_eq!(
        rows[1]["planned"].as_str().unwrap().trim_end_matches('Z'),
        planned.timestamp().to_string().trim_end_matches('Z')
    );
    // Each missed night is an event, once.
    let events = state(&project)["events"].as_array().unwrap().clone();
    let missed = events.iter().filter(|event| event["event"] == "missed").count();
    assert!((2..=4).contains(&missed), "{events:?}");
    assert_eq!(events.iter().filter(|event| event["event"] == "interrupted").count(), 1, "{events:?}");
    let beat = std::fs::read_to_string(schedule_folder(&project).join("heartbeat.json")).unwrap();
    let beat: serde_json::Value = serde_json::from_str(&beat).unwrap();
    assert_eq!((&beat["ended"], &beat["pid"]), (&true.into(), &second.child.id().into()));
}

#[test]
fn a_second_scheduler_ends_and_says_who_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let project = nightly_orders(folder.path());
    let mut first = Scheduler::start(&project, "first.log");
    first.wait_until("it works", || schedule_folder(&project).join("heartbeat.json").exists());
    let second = on(&project, &["schedule", "run"]).ended(3);
    let wanted = format!("`schedule run`, process {} of", first.child.id());
    assert!(
        second.stderr.contains("has had a scheduler since") && second.stderr.contains(&wanted),
        "{}",
        second.stderr
    );
    // Runs by hand go on beside it.
    on(&project, &["run", "orders"]).ended(0);
    assert_eq!(first.end(), 0);
}

#[test]
fn a_project_that_became_invalid_makes_the_run_fail_and_the_scheduler_lives() {
    let folder = tempfile::tempdir().unwrap();
    let project = nightly_orders(folder.path());
    off_for_three_days(&project);
    on(&project, &["schedule", "pause", "orders"]).ended(0);
    on(&project, &["schedule", "pause", "orders"]).ended(0);
    let mut scheduler = Scheduler::start(&project, "log");
    scheduler.wait_until("it works", || schedule_folder(&project).join("heartbeat.json").exists());
    append(&project, "pipelines/orders.yml", "stepps: [x]\n");
    std::fs::remove_file(schedule_folder(&project).join("paused/orders.json")).unwrap();
    scheduler.signal("-HUP");
    let last = || state(&project)["pipelines"]["orders"]["last"].clone();
    scheduler.wait_until("the run fails", || last()["exit_code"] == 2);
    assert!(last()["message"].as_str().unwrap().contains("unknown key `stepps`"), "{}", last());
    scheduler.wait_until("the place is told", || scheduler_says(&project, "pipelines/orders.yml:6:1"));
    let text = std::fs::read_to_string(project.join("pipelines/orders.yml")).unwrap();
    std::fs::write(project.join("pipelines/orders.yml"), text.replace("stepps: [x]\n", "")).unwrap();
    assert_eq!(scheduler.end(), 0, "{}", scheduler.said());
    let rows = query_runs(&project);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["status"], "failed");
    assert!(rows[0]["message"].as_str().unwrap().contains("pipelines/orders.yml:6:1"), "{rows:?}");
}

fn scheduler_says(project: &Path, text: &str) -> bool {
    std::fs::read_to_string(project.with_file_name("log")).unwrap().contains(text)
}

/// The rows of system.runs, also of a lake without a release.
fn query_runs(project: &Path) -> Vec<serde_json::Value> {
    on(project, &["runs", "--format", "json"]).ended(0).json().as_array().unwrap().clone()
}

#[test]
fn an_invalid_project_is_told_before_the_scheduler_starts() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    two_pipelines(&project);
    let none = on(&project, &["schedule", "run"]).ended(2);
    assert!(none.stderr.contains("no pipeline has a schedule"), "{}", none.stderr);
    append(&project, "pipelines/orders.yml", "schedule: \"0 2 30 2 *\"\n");
    let never = on(&project, &["schedule", "run"]).ended(2);
    assert!(never.stderr.contains("pipelines/orders.yml:5:"), "{}", never.stderr);
}

/// Berlin's clocks go back on 25 October 2026: 02:30 occurs twice.
#[test]
fn a_simulation_runs_each_night_once_with_its_date_over_a_clock_change() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    two_pipelines(&project);
    append(&project, "perennial.yml", "time_zone: Europe/Berlin\n");
    append(&project, "pipelines/orders.yml", "schedule: \"0 23 * * *\"\nas_of: scheduled_date + 1\n");
    append(&project, "pipelines/payments.yml", "schedule: \"30 2 * * *\"\n");
    deliver(&project, "payments", 1);
    deliver(&project, "orders", 1);
    for (date, half, number) in [("2026-10-25", "orders", 2), ("2026-10-26", "payments", 2)] {
        let arrival = project.join("arrivals").join(date);
        std::fs::create_dir_all(arrival.join("data")).unwrap();
        deliver(&arrival, half, number);
    }
    let before = files_below(&project);
    let args = ["schedule", "run", "--simulate", "2026-10-24..2026-10-26"];
    let ran = on(&project, &args);
    let simulation = project.join("simulation");
    let sql = "SELECT pipeline, as_of::VARCHAR AS as_of, to_char(scheduled_for, '%dT%H:%M') AS planned, status \
               FROM system.runs ORDER BY scheduled_for";
    let rows = query(&simulation, sql);
    let text = |row: &serde_json::Value| {
        ["pipeline", "as_of", "planned"].map(|key| row[key].as_str().unwrap().to_string()).join(" ")
    };
    let expected = [
        "payments 2026-10-24 24T00:30",
        "orders 2026-10-25 24T21:00",
        "payments 2026-10-25 25T00:30",
        "orders 2026-10-26 25T22:00",
        "payments 2026-10-26 26T01:30",
        "orders 2026-10-27 26T22:00",
    ];
    assert_eq!(rows.iter().map(text).collect::<Vec<_>>(), expected, "{}", ran.stderr);
    // A line for each run.
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("2026-10-2")).collect();
    assert_eq!(lines.len(), 6, "{}", ran.stderr);
    assert!(lines[2].starts_with("2026-10-25 02:30 +02:00  payments  "), "{}", lines[2]);
    assert!(lines[4].starts_with("2026-10-26 02:30 +01:00  payments  "), "{}", lines[4]);
    // What arrives is seen from its day on, and the project stays as it was.
    for half in ["orders", "payments"] {
        let count = format!("SELECT count(*) AS n FROM raw.{half}__{half}");
        assert_eq!(query(&simulation, &count)[0]["n"], 10, "{half}: {}", ran.stderr);
    }
    std::fs::remove_dir_all(&simulation).unwrap();
    assert_eq!(files_below(&project), before);
    // Another folder that has something in it is not taken.
    let refused = on(&project, &[&args[..], &["--into", project.to_str().unwrap()]].concat()).ended(2);
    assert!(refused.stderr.contains("is not the folder of a simulation"), "{}", refused.stderr);
    for wrong in ["2026-10-24", "2026-10-24..x", "2026-10-24..2026-10-20"] {
        on(&project, &["schedule", "run", "--simulate", wrong]).ended(2);
    }
}

/// No file comes for the second night: the one that the first has read does not count again.
#[test]
fn a_night_that_is_given_up_because_no_file_has_come_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    two_pipelines(&project);
    let settings = "time_zone: Europe/Berlin\nmail: {from: p@example.com, server: \"folder:mails\"}\n\
                    notify: [{on: [failure], mail: [ops@example.com]}]\n";
    append(&project, "perennial.yml", settings);
    let schedule = "schedule: \"0 2 * * *\"\nwait_for: {sources: [orders], until: \"04:00\", then: give_up}\n";
    append(&project, "pipelines/orders.yml", schedule);
    deliver(&project, "orders", 1);
    let ran = on(&project, &["schedule", "run", "--simulate", "2026-10-01..2026-10-02"]).ended(1);
    let simulation = project.join("simulation");
    let sql = "SELECT to_char(scheduled_for, '%dT%H:%M') AS planned, as_of::VARCHAR AS as_of, status \
               FROM system.runs ORDER BY run_id";
    let rows = query(&simulation, sql);
    let expected = serde_json::json!([
        { "planned": "01T00:00", "as_of": "2026-10-01", "status": "done" },
        { "planned": "02T00:00", "as_of": "2026-10-02", "status": "failed" },
    ]);
    assert_eq!(serde_json::Value::from(rows), expected, "{}", ran.stderr);
    assert!(ran.stderr.contains("is given up: sources are not fresh: orders: no new file has come"), "{}", ran.stderr);
    let mails: Vec<PathBuf> =
        std::fs::read_dir(simulation.join("outbox")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = std::fs::read_to_string(&mails[0]).unwrap();
    assert!(mail.contains("its sources are late, and it does not run"), "{mail}");
}

fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push((path.clone(), std::fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn lists_show_local_time_offset_zone_and_utc() {
    let folder = tempfile::tempdir().unwrap();
    let project = nightly_orders(folder.path());
    let next = on(&project, &["schedule", "next", "--count", "3", "--format", "json"]).ended(0).json();
    let next = next.as_array().unwrap();
    assert_eq!(next.len(), 3);
    for row in next {
        assert_eq!((&row["pipeline"], &row["zone"]), (&"orders".into(), &"Europe/Berlin".into()));
        let local: jiff::Timestamp = row["local"].as_str().unwrap().parse().unwrap();
        assert_eq!(local.to_string(), row["utc"].as_str().unwrap());
        assert!(row["local"].as_str().unwrap().contains("T02:00:00+0"), "{row}");
    }
    let list = || on(&project, &["schedule", "list", "--format", "json"]).ended(0).json()[0].clone();
    assert_eq!((&list()["state"], &list()["next_utc"]), (&"new".into(), &next[0]["utc"]));
    on(&project, &["schedule", "pause", "--all"]).ended(0);
    assert_eq!((&list()["state"], &list()["next_utc"]), (&"paused".into(), &serde_json::Value::Null));
    assert_eq!(on(&project, &["schedule", "next", "--format", "json"]).ended(0).json(), serde_json::json!([]));
    on(&project, &["schedule", "resume", "orders"]).ended(0);
    assert_eq!(list()["state"], "new");
    let text = on(&project, &["schedule", "list"]).ended(0).stdout;
    assert!(text.contains("Europe/Berlin") && text.contains("02:00 +0"), "{text}");
    for (wrong, wanted) in [("order", "`orders`"), ("payments", "has no schedule")] {
        let unknown = on(&project, &["schedule", "pause", wrong]).ended(2);
        assert!(unknown.stderr.contains(wanted), "{}", unknown.stderr);
    }
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("ignored: {program} is absent");
    }
    found
}

/// The next times by systemd, in UTC.
fn systemd_times(calendar: &str, count: usize) -> Vec<String> {
    let args = ["calendar", calendar, "--iterations", &count.to_string()];
    let output = Command::new("systemd-analyze").args(args).env("TZ", "UTC").output().unwrap();
    assert!(output.status.success(), "{calendar}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // `Next elapse: Wed 2026-12-02 01:00:00 UTC`, `Iter. #2: ...`; in another zone a line `(in UTC): ...` follows.
    let is_utc =
        |line: &&str| line.trim_end().ends_with("UTC") && !line.contains("Normalized") && !line.contains("Original");
    let time = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [.., date, time, _] = words.as_slice() else { panic!("{line}") };
        format!("{date}T{time}Z")
    };
    text.lines().filter(is_utc).map(time).collect()
}

#[test]
fn timers_of_systemd_elapse_at_the_planned_times() {
    let folder = tempfile::tempdir().unwrap();
    let units = folder.path().join("units");
    for line in
        ["0 2 * * *", "*/20 6-8,22 * * MON-FRI", "15 4 1,15 */3 *", "5-50/15 0 * FEB,OCT *", "30 23 * * 7", "@monthly"]
    {
        let project = folder.path().join("project");
        std::fs::remove_dir_all(&project).ok();
        two_pipelines(&project);
        append(&project, "perennial.yml", "time_zone: Europe/Berlin\n");
        append(
            &project,
            "pipelines/orders.yml",
            &format!("schedule: \"{line}\"\nstop_after: 3h\nfinish_by: \"07:00\"\n"),
        );
        std::fs::remove_dir_all(&units).ok();
        let into = ["--into", units.to_str().unwrap(), "--user", "root"];
        on(&project, &[&["schedule", "export", "systemd", "--timers"][..], &into].concat()).ended(0);
        on(&project, &[&["schedule", "export", "systemd"][..], &into].concat()).ended(0);
        let timer = std::fs::read_to_string(units.join("perennial-orders.timer")).unwrap();
        let service = std::fs::read_to_string(units.join("perennial-orders.service")).unwrap();
        assert!(timer.contains("\nPersistent=true\n") && timer.contains("# `finish_by` is not obeyed here"), "{timer}");
        assert!(service.contains("run orders --deliver --scheduled-for last --project "), "{service}");
        assert!(
            service.contains("\nTimeoutStartSec=10800s\n") && service.contains("\nProtectSystem=strict\n"),
            "{service}"
        );
        // Three attempts for each time within three pauses of five minutes and a minute: what timers start counts as well.
        let burst = if line.contains("/15") { 6 } else { 3 };
        let limits = format!("\nStartLimitIntervalSec=960s\nStartLimitBurst={burst}\n\n[Service]");
        assert!(service.contains(&limits), "{line}: {service}");
        if !has("systemd-analyze") {
            continue;
        }
        let calendar = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
        let next = on(&project, &["schedule", "next", "orders", "--count", "50", "--format", "json"]).ended(0).json();
        let ours: Vec<String> =
            next.as_array().unwrap().iter().map(|row| row["utc"].as_str().unwrap().to_string()).collect();
        assert_eq!(systemd_times(calendar, 50), ours, "{line} is {calendar}");
        let verified = Command::new("systemd-analyze").arg("verify").args(unit_files(&units)).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && !said.contains("perennial"), "{said}");
    }
}

fn unit_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    files
}

#[test]
fn cron_jobs_of_kubernetes_are_what_the_schedule_says() {
    let folder = tempfile::tempdir().unwrap();
    let project = nightly_orders(folder.path());
    append(&project, "pipelines/orders.yml", "stop_after: 2h\n");
    append(&project, "pipelines/payments.yml", "schedule: \"30 4 * * MON-FRI\"\ncatch_up: none\n");
    let ran =
        on(&project, &["schedule", "export", "kubernetes", "--image", "registry.example.com/perennial:1.0"]).ended(0);
    let documents: Vec<serde_json::Value> = ran
        .stdout
        .split("---\n")
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")))
        .collect();
    assert_eq!(documents.len(), 2);
    let at = |index: usize, path: &str| documents[index].pointer(path).unwrap_or(&serde_json::Value::Null).clone();
    assert_eq!(at(0, "/apiVersion"), "batch/v1");
    assert_eq!(at(0, "/kind"), "CronJob");
    assert_eq!(at(0, "/metadata/name"), "perennial-orders");
    assert_eq!((at(0, "/spec/schedule"), at(1, "/spec/schedule")), ("0 2 * * *".into(), "30 4 * * MON-FRI".into()));
    assert_eq!(at(0, "/spec/timeZone"), "Europe/Berlin");
    assert_eq!(at(0, "/spec/concurrencyPolicy"), "Forbid");
    assert_eq!(
        (at(0, "/spec/startingDeadlineSeconds"), at(1, "/spec/startingDeadlineSeconds")),
        (43200.into(), 300.into())
    );
    assert_eq!(at(0, "/spec/jobTemplate/spec/backoffLimit"), 0);
    assert_eq!(at(0, "/spec/jobTemplate/spec/activeDeadlineSeconds"), 7200);
    let pod = "/spec/jobTemplate/spec/template/spec";
    assert_eq!(at(0, &format!("{pod}/restartPolicy")), "Never");
    assert_eq!(at(0, &format!("{pod}/securityContext/runAsNonRoot")), true);
    let container = format!("{pod}/containers/0");
    assert_eq!(at(0, &format!("{container}/image")), "registry.example.com/perennial:1.0");
    let args = serde_json::json!(["run", "orders", "--deliver", "--scheduled-for", "last", "--project", "/project"]);
    assert_eq!(at(0, &format!("{container}/args")), args);
    assert!(at(0, &format!("{container}/resources/limits/memory")).as_str().unwrap().ends_with("Mi"));
    assert_eq!(at(0, &format!("{container}/securityContext/capabilities/drop/0")), "ALL");
}

#[test]
fn what_another_scheduler_cannot_express_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (schedule, what) in [
        ("schedule: \"0 2 L * *\"\n", "has no `L`"),
        ("schedule: \"0 2 * * FRI#2\"\n", "has no `FRI#2`"),
        ("schedule: \"0 2 * * *\"\nrun_on: working_day\n", "has no working days (`run_on`)"),
        ("schedule: \"0 2 * * *\"\nif_holiday: next\n", "has no holidays (`if_holiday`)"),
    ] {
        let project = folder.path().join("project");
        std::fs::remove_dir_all(&project).ok();
        two_pipelines(&project);
        append(&project, "perennial.yml", "calendars: {germany: {holidays: [2026-12-25]}}\n");
        append(&project, "pipelines/orders.yml", schedule);
        for target in [&["systemd", "--timers"][..], &["cron"], &["kubernetes"]] {
            let refused = on(&project, &[&["schedule", "export"][..], target].concat()).ended(2);
            assert!(refused.stderr.contains(what), "{schedule} {target:?}: {}", refused.stderr);
            assert!(refused.stderr.contains("run `perennial schedule run` there instead"), "{}", refused.stderr);
        }
        // The scheduler itself as a service obeys everything.
        let service = on(&project, &["schedule", "export", "systemd"]).ended(0).stdout;
        assert!(service.contains("\nType=notify\n") && service.contains(" schedule run --project "), "{service}");
    }
}

#[test]
fn a_crontab_names_its_zone_and_the_clock_change_it_may_get_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("a project with 100%");
    two_pipelines(&project);
    append(&project, "perennial.yml", "time_zone: Europe/Berlin\n");
    append(&project, "pipelines/orders.yml", "schedule: \"30 2 * * *\"\n");
    append(&project, "pipelines/payments.yml", "schedule: \"30 4 * * *\"\n");
    let text = on(&project, &["schedule", "export", "cron"]).ended(0).stdout;
    assert!(text.contains("\nCRON_TZ=Europe/Berlin\n"), "{text}");
    assert_eq!(text.matches("the clock changes in Europe/Berlin").count(), 1, "{text}");
    let line = text.lines().find(|line| line.starts_with("30 2 * * * ")).unwrap();
    assert!(
        line.contains(" run orders --deliver --scheduled-for last --project '") && line.ends_with("100\\%'"),
        "{line}"
    );
}

#[test]
fn a_run_of_another_scheduler_describes_the_last_planned_day() {
    let folder = tempfile::tempdir().unwrap();
    let project = nightly_orders(folder.path());
    append(&project, "pipelines/orders.yml", "as_of: scheduled_date + 1\n");
    on(&project, &["run", "orders", "--scheduled-for", "last"]).ended(0);
    let now = now_in_berlin();
    let today = if now.hour() >= 2 { now.date() } else { now.date().yesterday().unwrap() };
    let rows = query(&project, "SELECT as_of::VARCHAR AS as_of FROM system.runs");
    assert_eq!(rows[0]["as_of"], today.tomorrow().unwrap().to_string());
}
