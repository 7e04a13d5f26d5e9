//! The demo company: two nights, a new column, late and bad rows, corrections of closed months.

use crate::support::{query, run, value};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The demo as a newcomer runs it, made once for all tests that only look at it.
pub fn demo() -> &'static Path {
    static DEMO: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, project) = DEMO.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("demo");
        let ran = run(["demo".as_ref(), project.as_os_str()]).ended(0);
        assert!(ran.stderr.contains("reports/index.html"), "{}", ran.stderr);
        (folder, project)
    });
    project
}

#[test]
fn two_nights_make_two_releases_and_the_second_has_the_new_column() {
    let project = demo();
    assert_eq!(value(project, "SELECT count(*) FROM system.releases"), "2");
    assert_eq!(value(project, "SELECT count(*) FROM system.runs WHERE status = 'done'"), "2");
    let filled = "SELECT count(sales_channel_detail) > 0 FROM source.erp__orders";
    assert_eq!(value(project, filled), "true");
    // An analyst may use it from then on.
    let step = project.join("sql/marts/detail.sql");
    let sql = "SELECT sales_channel_detail, count(*) AS orders FROM source.erp__orders GROUP BY sales_channel_detail";
    std::fs::write(&step, sql).unwrap();
    let of_project = ["--project".as_ref(), project.as_os_str()];
    run(["check".as_ref()].into_iter().chain(of_project)).ended(0);
    run(["show".as_ref(), "detail".as_ref()].into_iter().chain(of_project)).ended(0);
    std::fs::remove_file(step).unwrap();
    let first = ["query", "SELECT sales_channel_detail FROM source.erp__orders", "--release", "1", "--project"];
    let ran = run(first.iter().map(AsRef::as_ref).chain([project.as_os_str()])).ended(2);
    assert!(ran.stderr.contains("sales_channel_detail"), "release 1 does not know the column: {}", ran.stderr);
}

#[test]
fn a_closed_month_is_corrected_by_the_second_night_and_the_first_release_stays() {
    let project = demo();
    let sql = "SELECT revenue FROM marts.company_month WHERE period = '2026-08-01'";
    let now = value(project, sql);
    let ran = run([
        "query".as_ref(),
        sql.as_ref(),
        "--release".as_ref(),
        "1".as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
        "--project".as_ref(),
        project.as_os_str(),
    ]);
    let before = ran.ended(0).json()[0]["revenue"].to_string();
    assert_ne!(before.trim_matches('"'), now, "August was corrected");
}

#[test]
fn every_refused_row_says_where_and_why() {
    let project = demo();
    let rows = query(project, "SELECT file, line, reason FROM system.rejects");
    assert!(rows.len() > 20, "{}", rows.len());
    for row in &rows {
        assert!(row["line"].as_i64().unwrap() >= 1, "{row}");
        assert!(!row["reason"].as_str().unwrap().is_empty(), "{row}");
    }
    // The first of them is there, in that line of that file.
    let sql = "SELECT file, line, value FROM system.rejects WHERE source = 'erp' AND column_name = 'quantity' ORDER BY file, line LIMIT 1";
    let row = &query(project, sql)[0];
    let text = std::fs::read_to_string(project.join("data/erp").join(row["file"].as_str().unwrap())).unwrap();
    let line = text.lines().nth(row["line"].as_i64().unwrap() as usize - 1).unwrap();
    assert!(line.contains(row["value"].as_str().unwrap()), "{row} is not in {line}");
}

#[test]
fn the_same_person_under_other_spellings_is_one_customer() {
    let project = demo();
    let accounts: i64 = value(project, "SELECT count(*) FROM source.erp__customers").parse().unwrap();
    let people: i64 = value(project, "SELECT count(*) FROM core.customers").parse().unwrap();
    assert!(people < accounts, "{people} of {accounts}");
    // Independent of the step: no two customers share an e-mail, whatever its case.
    let shared = "SELECT count(*) FROM (SELECT lower(trim(c.email)) AS e FROM source.erp__customers c \
        JOIN core.customer_identifiers i ON i.identifier = CAST(c.customer_id AS VARCHAR) \
        WHERE c.email IS NOT NULL GROUP BY 1 HAVING count(DISTINCT i.customer_id) > 1)";
    assert_eq!(value(project, shared), "0");
}

#[test]
fn decompositions_sum_exactly() {
    let project = demo();
    let bridge = "SELECT count(*) FROM (SELECT period FROM marts.revenue_bridge GROUP BY period \
        HAVING sum(CASE WHEN effect = 'end' THEN -amount ELSE amount END) <> 0)";
    assert_eq!(value(project, bridge), "0");
    let totals = "SELECT (SELECT sum(revenue) FROM marts.company_month) = (SELECT sum(revenue) FROM core.order_lines)";
    assert_eq!(value(project, totals), "true");
}

#[test]
fn the_page_names_the_one_row_that_was_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("small");
    run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "300".as_ref()]).ended(0);
    // One order of September turns out to be cancelled: the whole file is delivered again.
    let file = project.join("data/erp/orders-2026-09-30.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let is_sale = |line: &&str| line.contains(",2026-09-1") && line.contains(",invoiced,");
    let line = text.lines().find(is_sale).unwrap();
    std::fs::write(&file, text.replacen(line, &line.replace(",invoiced,", ",cancelled,"), 1)).unwrap();
    run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    let page = std::fs::read_to_string(project.join("reports/management-review/2026-09/en.html")).unwrap();
    assert!(page.contains("Corrected data: erp.orders (1)"), "the cause is not named");
    assert!(!page.contains("Late data"), "no row is new");
    // With the row as it was, the figures are those of the edition before the last.
    std::fs::write(&file, text).unwrap();
    run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    assert_eq!(value(&project, "SELECT count(*) FROM system.releases"), "4");
}

/// The week of the README, with fewer customers. The ERP's export of 4 October has dates that the contract rejects, and is
/// delivered again a day later.
#[test]
fn a_simulated_week_runs_each_night_on_what_had_arrived_and_tells_of_the_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("small");
    run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "1200".as_ref(), "--no-run".as_ref()]).ended(0);
    let week = ["schedule", "run", "--simulate", "2026-10-01..2026-10-08", "--project"];
    let ran = run(week.iter().map(AsRef::as_ref).chain([project.as_os_str()])).ended(0);
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("2026-10-")).collect();
    let failed: Vec<&str> = lines.iter().filter(|line| line.contains("failed")).map(|line| &line[..10]).collect();
    assert_eq!((lines.len(), failed), (8, vec!["2026-10-05"]), "{}", ran.stderr);
    assert!(ran.stderr.contains("rows of erp.orders were rejected"), "{}", ran.stderr);
    let simulation = project.join("simulation");
    let runs = query(&simulation, "SELECT CAST(as_of AS VARCHAR) AS as_of, status FROM system.runs ORDER BY run_id");
    let dates: Vec<&str> = runs.iter().map(|row| row["as_of"].as_str().unwrap()).collect();
    assert_eq!(dates, (1..=8).map(|day| format!("2026-10-{day:02}")).collect::<Vec<_>>());
    // The first night knows nothing of the second, whose files are in the project already.
    let detail = ["query", "SELECT sales_channel_detail FROM source.erp__orders", "--release", "1", "--project"];
    run(detail.iter().map(AsRef::as_ref).chain([simulation.as_os_str()])).ended(2);
    assert!(project.join("data/erp/orders-2026-10-01.csv").exists());
    // What was rejected has been read all the same, and counts.
    let sunday = "SELECT count(*) > 0 FROM core.order_lines WHERE ordered_on = '2026-10-04'";
    assert_eq!(value(&simulation, sunday), "true");
    let mails = std::fs::read_dir(simulation.join("outbox")).unwrap();
    let mails = mails.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut told: Vec<String> = mails.filter(|name| name.contains("operations")).collect();
    told.sort();
    let days: Vec<&str> = told.iter().map(|name| &name[..8]).collect();
    assert_eq!(days, ["20261005", "20261006"], "failure and recovery");
}

#[test]
fn init_leaves_a_project_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("mine");
    run(["init".as_ref(), project.as_os_str()]).ended(0);
    run(["check".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    let again = run(["init".as_ref(), project.as_os_str()]).ended(2);
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);
}

#[test]
fn a_rollback_shows_the_old_figures_and_the_next_run_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("small");
    run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "120".as_ref()]).ended(0);
    let sql = "SELECT count(*) FROM source.erp__orders";
    let newest = value(&project, sql);
    run(["rollback".as_ref(), "1".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    assert_ne!(value(&project, sql), newest);
    assert_eq!(value(&project, "SELECT rollback_of FROM system.releases WHERE number = 3"), "1");
    assert_eq!(value(&project, "SELECT command FROM system.runs WHERE release = 3"), "rollback");
    run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    assert_eq!(value(&project, sql), newest);
}
