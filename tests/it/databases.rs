//! A PostgreSQL server read again and again: what a cursor misses, what was deleted, what breaks.

use crate::support::{perennial, query, run, value};
use perennial_core::digest::digest;
use perennial_testing::{PostgresServer, postgres_server};
use std::path::{Path, PathBuf};

/// A project with one source and a step over its table `orders`.
fn project(folder: &Path, location: &str, tables: &str) -> PathBuf {
    let project = folder.join("project");
    let write = |path: &str, text: &str| {
        let path = project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("perennial.yml", "name: Shop\nlake: lake\ntime_zone: UTC\n");
    write("pipelines/nightly.yml", "sources: [\"*\"]\nsteps: [\"*\"]\nreports: []\n");
    let access = "user: reader\npassword: ${SHOP_PASSWORD}\ntls: off\nread_timeout_seconds: 3\n";
    write("pipelines/sources/shop.yml", &format!("location: {location}\n{access}tables:\n{tables}"));
    write("sql/marts/orders.sql", "SELECT id, amount FROM {{ source('shop', 'orders') }}");
    project
}

fn execute(project: &Path) -> crate::support::Ran {
    execute_with(project, &[])
}

fn execute_with(project: &Path, more: &[&str]) -> crate::support::Ran {
    let args = ["run", "--project", project.to_str().unwrap()];
    let output = perennial(args.iter().chain(more)).env("SHOP_PASSWORD", "s3cret").output().unwrap();
    crate::support::Ran::from(output)
}

/// `id:amount` of all orders, as a step sees them.
fn orders(project: &Path) -> Vec<String> {
    let rows = query(project, "SELECT concat(id, ':', CAST(amount AS VARCHAR)) AS o FROM marts.orders ORDER BY id");
    rows.iter().map(|row| row["o"].as_str().unwrap().to_string()).collect()
}

/// An empty database with a table of orders, or nothing where PostgreSQL is not installed.
fn shop(name: &str) -> Option<(&'static PostgresServer, String)> {
    let server = postgres_server()?;
    server.database(name);
    let columns = "id int PRIMARY KEY, amount numeric, changed timestamp";
    server.sql(name, &format!("CREATE TABLE orders ({columns})"));
    Some((server, format!("postgresql://localhost:{}/{name}", server.port)))
}

const COLUMNS: &str = "    columns:\n      id: {type: integer, required: true}\n      \
    amount: {type: decimal, precision: 18, scale: 2}\n      changed: {type: instant, zone: UTC}\n";

#[test]
fn a_snapshot_sees_every_change_and_keeps_the_history() {
    let Some((server, location)) = shop("snapshots") else { return };
    let folder = tempfile::tempdir().unwrap();
    let tables = format!("  orders:\n    key: [id]\n    history: true\n{COLUMNS}");
    let project = project(folder.path(), &location, &tables);
    server.sql("snapshots", "INSERT INTO orders VALUES (1, 10, NULL), (2, 20, NULL), (3, 30, NULL)");
    execute(&project).ended(0);
    assert_eq!(orders(&project), ["1:10.00", "2:20.00", "3:30.00"]);
    server.sql("snapshots", "UPDATE orders SET amount = 21 WHERE id = 2; DELETE FROM orders WHERE id = 3");
    server.sql("snapshots", "INSERT INTO orders VALUES (4, 40, NULL)");
    let ran = execute(&project).ended(0);
    assert!(ran.stderr.contains("shop.orders: rows merged by key: 1 new, 1 changed, 1 deleted"), "{}", ran.stderr);
    assert_eq!(orders(&project), ["1:10.00", "2:21.00", "4:40.00"]);
    // Nothing changed: no release.
    let ran = execute(&project).ended(0);
    assert!(ran.stderr.contains("nothing new"), "{}", ran.stderr);
    let history = "SELECT id, CAST(amount AS VARCHAR) AS amount, is_current, valid_to IS NULL AS open FROM source.shop__orders_history \
                   ORDER BY id, valid_from";
    let history: Vec<String> = query(&project, history)
        .iter()
        .map(|r| format!("{} {} {} {}", r["id"], r["amount"].as_str().unwrap(), r["is_current"], r["open"]))
        .collect();
    assert_eq!(
        history,
        ["1 10.00 true true", "2 20.00 false false", "2 21.00 true true", "3 30.00 false false", "4 40.00 true true"]
    );
}

/// What a cursor alone loses: rows without a stamp, rows stamped before the last read and committed after it, and rows
/// that are deleted. The first two are found by the next run, the third by the comparison of the whole table.
#[test]
fn an_incremental_load_finds_late_commits_missing_stamps_and_deletes() {
    let Some((server, location)) = shop("late") else { return };
    let folder = tempfile::tempdir().unwrap();
    let load = "    load: {incremental: {cursor: [changed], overlap: 1h, full_every: 7d}}\n";
    let project = project(folder.path(), &location, &format!("  orders:\n    key: [id]\n{load}{COLUMNS}"));
    let old = "now() AT TIME ZONE 'UTC' - interval '2 days'";
    server.sql("late", &format!("INSERT INTO orders VALUES (1, 10, {old}), (2, 20, {old}), (3, 30, NULL)"));
    let mut late = server.session("late");
    late.run("BEGIN");
    late.run("INSERT INTO orders VALUES (4, 40, now() AT TIME ZONE 'UTC')");
    server.sql("late", "INSERT INTO orders VALUES (5, 50, now() AT TIME ZONE 'UTC')");
    execute(&project).ended(0);
    assert_eq!(orders(&project), ["1:10.00", "2:20.00", "3:30.00", "5:50.00"]);

    late.run("COMMIT");
    server.sql("late", "UPDATE orders SET amount = 31 WHERE id = 3");
    // A change that leaves the stamp as it was, long ago: only the comparison of the whole table sees it.
    server.sql("late", "UPDATE orders SET amount = 11 WHERE id = 1; DELETE FROM orders WHERE id = 2");
    execute(&project).ended(0);
    assert_eq!(orders(&project), ["1:10.00", "2:20.00", "3:31.00", "4:40.00", "5:50.00"]);

    // A week later, as the record has it.
    let contract = project.join("pipelines/sources/shop.yml");
    let text = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(&contract, text.replace("full_every: 7d", "full_every: 1d")).unwrap();
    age_the_comparison(&project);
    execute(&project).ended(0);
    assert_eq!(orders(&project), ["1:11.00", "3:31.00", "4:40.00", "5:50.00"]);
}

/// A typing error, 9999 for 2026, is the greatest stamp there is. It must not end the reading of changes, nor bring
/// unchanged rows again in every run.
#[test]
fn a_stamp_in_the_future_does_not_hide_what_changes_after_it() {
    let Some((server, location)) = shop("future") else { return };
    let folder = tempfile::tempdir().unwrap();
    let load = "    load: {incremental: {cursor: [changed], overlap: 1h}}\n";
    let project = project(folder.path(), &location, &format!("  orders:\n    key: [id]\n{load}{COLUMNS}"));
    server.sql("future", "INSERT INTO orders VALUES (1, 10, now()), (2, 20, now()), (3, 30, '9999-12-31')");
    execute(&project).ended(0);
    assert!(execute(&project).ended(0).stderr.contains("nothing new"));
    server.sql("future", "INSERT INTO orders VALUES (4, 40, now()); UPDATE orders SET amount = 31 WHERE id = 3");
    execute(&project).ended(0);
    assert_eq!(orders(&project), ["1:10.00", "2:20.00", "3:31.00", "4:40.00"]);
    assert_eq!(value(&project, "SELECT count(*) FROM raw.shop__orders"), "5");
}

/// Sets back the moment of the last comparison in the newest release, whose record and load state carry their hashes.
fn age_the_comparison(project: &Path) {
    let records = project.join("lake/_perennial");
    let newest = std::fs::read_dir(records.join("releases")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let text = std::fs::read_to_string(&newest).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let hash = record["release"]["loaded"]["raw.shop__orders"].as_str().unwrap();
    let object = |hash: &str| records.join("objects").join(&hash[..2]).join(hash);
    let state = std::fs::read_to_string(object(hash)).unwrap();
    let (before, rest) = state.split_once("\"compared_at\":\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    let aged = format!("{before}\"compared_at\":\"2026-01-01T00:00:00Z\"{after}");
    let aged_hash = digest([&aged]);
    std::fs::create_dir_all(object(&aged_hash).parent().unwrap()).unwrap();
    std::fs::write(object(&aged_hash), aged).unwrap();
    let release = text.split_once("\"release\":").unwrap().1.strip_suffix('}').unwrap().replace(hash, &aged_hash);
    std::fs::write(&newest, format!("{{\"hash\":\"{}\",\"release\":{release}}}", digest([&release]))).unwrap();
}

#[test]
fn events_are_kept_once_however_often_and_late_they_come() {
    let Some((server, location)) = shop("events") else { return };
    let folder = tempfile::tempdir().unwrap();
    let load = "    load: {append: {cursor: changed, late_window: 2d}}\n";
    let project = project(folder.path(), &location, &format!("  orders:\n    key: [id]\n{load}{COLUMNS}"));
    server.sql("events", "INSERT INTO orders SELECT i, i, now() - i * interval '1 hour' FROM generate_series(1, 50) i");
    execute(&project).ended(0);
    server.sql("events", "INSERT INTO orders VALUES (60, 1, now() - interval '40 hours'), (61, 1, now())");
    server.sql("events", "UPDATE orders SET amount = 99 WHERE id = 1; DELETE FROM orders WHERE id = 2");
    execute(&project).ended(0);
    assert_eq!(value(&project, "SELECT count(*) FROM source.shop__orders"), "52");
    assert_eq!(value(&project, "SELECT amount FROM marts.orders WHERE id = 1"), "1.00");
    assert_eq!(value(&project, "SELECT count(*) FROM raw.shop__orders"), "52");
}

#[test]
fn a_table_without_key_is_replaced_when_its_rows_are_others() {
    let Some((server, location)) = shop("keyless") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &location, &format!("  orders:\n{COLUMNS}"));
    server.sql("keyless", "INSERT INTO orders VALUES (1, 10, NULL), (2, 20, NULL)");
    execute(&project).ended(0);
    assert!(execute(&project).ended(0).stderr.contains("nothing new"));
    server.sql("keyless", "DELETE FROM orders WHERE id = 1");
    execute(&project).ended(0);
    assert_eq!(orders(&project), ["2:20.00"]);
    assert_eq!(value(&project, "SELECT count(*) FROM raw.shop__orders"), "1");
}

#[test]
fn a_value_that_does_not_fit_is_rejected_and_accepted_when_the_contract_allows_it() {
    let Some((server, location)) = shop("digits") else { return };
    let folder = tempfile::tempdir().unwrap();
    let load = "    load: {append: {cursor: changed, late_window: 0s}}\n    max_rejects: {rows: 5}\n";
    let project = project(folder.path(), &location, &format!("  orders:\n    key: [id]\n{load}{COLUMNS}"));
    let rows = "(1, 10.5, now() - interval '1 day'), (2, 10.505, now() - interval '1 day'), (3, 'NaN', now())";
    server.sql("digits", &format!("INSERT INTO orders VALUES {rows}"));
    let ran = execute(&project).ended(0);
    assert!(ran.stderr.contains("2 rejected"), "{}", ran.stderr);
    assert_eq!(orders(&project), ["1:10.50"]);
    let rejects = query(&project, "SELECT line, column_name, value FROM system.rejects ORDER BY value");
    let values: Vec<String> = rejects.iter().map(|r| r["value"].as_str().unwrap().to_string()).collect();
    assert_eq!(values, ["10.505", "NaN"]);

    // The value is put right by hand; the other stays refused. Twice is as good as once.
    let shown = run(["rejects", "show", "--format", "json", "--project", project.to_str().unwrap()]).ended(0);
    let corrections = folder.path().join("corrections.json");
    std::fs::write(&corrections, shown.stdout.replace("\"10.505\"", "\"10.51\"")).unwrap();
    let args = ["rejects", "replay", "--corrections", corrections.to_str().unwrap()];
    let args: Vec<&str> = args.into_iter().chain(["--project", project.to_str().unwrap()]).collect();
    let ran = run(&args).ended(0);
    assert!(ran.stderr.contains("1 accepted, 1 rejected again, 0 read again since"), "{}", ran.stderr);
    assert_eq!(orders(&project), ["1:10.50", "2:10.51"]);
    let ran = run(&args).ended(0);
    assert!(ran.stderr.contains("0 accepted, 1 rejected again, 0 read again since"), "{}", ran.stderr);
    assert_eq!(value(&project, "SELECT count(*) FROM raw.shop__orders"), "2");
    let open = run(["rejects", "list", "--format", "csv", "--project", project.to_str().unwrap()]).ended(0);
    assert_eq!(open.stdout.lines().count(), 2, "{}", open.stdout);
}

#[test]
fn a_server_that_is_lost_leaves_yesterday_standing_and_other_sources_go_on() {
    let Some((server, location)) = shop("lost") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &location, &format!("  orders:\n    key: [id]\n{COLUMNS}"));
    let web =
        "location: web\ntables:\n  visits:\n    files: \"*.csv\"\n    format: csv\n    columns: {id: {type: text}}\n";
    std::fs::write(project.join("pipelines/sources/web.yml"), web).unwrap();
    std::fs::create_dir_all(project.join("web")).unwrap();
    std::fs::write(project.join("web/1.csv"), "id\na\n").unwrap();
    server.sql("lost", "INSERT INTO orders VALUES (1, 10, NULL)");
    execute(&project).ended(0);

    // The password is no longer right: the project's mistake, and web goes on.
    std::fs::write(project.join("web/2.csv"), "id\nb\n").unwrap();
    let args = ["run", "--project", project.to_str().unwrap()];
    let ran = crate::support::Ran::from(perennial(args).env("SHOP_PASSWORD", "wr0ng-s3cret").output().unwrap());
    assert!(matches!(ran.code, 2 | 3), "{}", ran.stderr);
    assert!(!ran.stderr.contains("wr0ng") && ran.stderr.contains("shop"), "{}", ran.stderr);
    assert_eq!(value(&project, "SELECT count(*) FROM source.web__visits"), "2");
    assert_eq!(orders(&project), ["1:10.00"]);
    let failed = "SELECT count(*) FROM system.sources WHERE source = 'shop' AND status = 'failed'";
    assert_eq!(value(&project, failed), "1");

    // Without the variable the message names it.
    let ran = run(["run", "--project", project.to_str().unwrap()]);
    assert!(ran.code == 2 && ran.stderr.contains("SHOP_PASSWORD"), "{}", ran.stderr);
}

#[test]
fn a_column_of_another_type_or_gone_follows_its_policy() {
    let Some((server, location)) = shop("drift") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &location, &format!("  orders:\n    key: [id]\n{COLUMNS}"));
    server.sql("drift", "INSERT INTO orders VALUES (1, 10, NULL)");
    execute(&project).ended(0);
    server.sql("drift", "ALTER TABLE orders ALTER amount TYPE text USING amount::text");
    let ran = execute(&project).ended(0);
    assert!(ran.stderr.contains("`amount` was numeric and is text"), "{}", ran.stderr);
    server.sql("drift", "ALTER TABLE orders DROP amount");
    let ran = execute(&project).ended(1);
    assert!(ran.stderr.contains("lacks `amount`, a column of the contract"), "{}", ran.stderr);
    assert_eq!(orders(&project), ["1:10.00"]);
    server.sql("drift", "DROP TABLE orders");
    let ran = execute(&project).ended(2);
    assert!(ran.stderr.contains("orders"), "{}", ran.stderr);
}

/// A row whose new value is refused stands with its old one, and with the corrected one after a replay.
#[test]
fn a_rejected_change_keeps_the_old_row_until_it_is_corrected() {
    let Some((server, location)) = shop("changes") else { return };
    let folder = tempfile::tempdir().unwrap();
    let tables = format!("  orders:\n    key: [id]\n    max_rejects: {{rows: 9}}\n{COLUMNS}");
    let project = project(folder.path(), &location, &tables);
    server.sql("changes", "INSERT INTO orders VALUES (1, 10, NULL), (2, 20, NULL)");
    execute(&project).ended(0);
    server.sql("changes", "UPDATE orders SET amount = 20.505 WHERE id = 2");
    let ran = execute(&project).ended(0);
    assert!(ran.stderr.contains("1 rejected"), "{}", ran.stderr);
    assert_eq!(orders(&project), ["1:10.00", "2:20.00"]);
    let project_argument = ["--project", project.to_str().unwrap()];
    let shown = run(["rejects", "show", "--format", "json"].iter().chain(&project_argument)).ended(0);
    let corrections = folder.path().join("corrections.json");
    std::fs::write(&corrections, shown.stdout.replace("\"20.505\"", "\"20.51\"")).unwrap();
    let replay = ["rejects", "replay", "--corrections", corrections.to_str().unwrap()];
    let ran = run(replay.iter().chain(&project_argument)).ended(0);
    assert!(ran.stderr.contains("1 accepted, 0 rejected again"), "{}", ran.stderr);
    assert_eq!(orders(&project), ["1:10.00", "2:20.51"]);
}
