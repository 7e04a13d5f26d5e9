//! The command line: exit codes, what goes to stdout, and errors at line and column.

use crate::support::run;
use std::path::{Path, PathBuf};

/// A project of one source and the steps given.
pub(crate) fn project(folder: &Path, steps: &[(&str, &str)]) -> PathBuf {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("perennial.yml", "name: Corner shop\nlake: lake\nas_of: 2026-02-01\n");
    write("pipelines/nightly.yml", "description: All\nsources: [\"*\"]\nsteps: [\"*\"]\nreports: [\"*\"]\n");
    write(
        "pipelines/sources/shop.yml",
        "description: The till\nlocation: data\ntables:\n  sales:\n    description: One row per sale\n    files: sales.csv\n\
         \x20   format: csv\n    key: [sale_id]\n    max_rejects: {share: 0.5}\n    columns:\n      sale_id: {type: integer, required: true}\n\
         \x20     sold_on: {type: date, required: true}\n      amount: {type: decimal, precision: 18, scale: 2}\n",
    );
    write("data/sales.csv", "sale_id,sold_on,amount\n1,2026-01-05,10.00\n2,2026-01-06,2.50\n3,2026-02-31,1.00\n");
    for (path, text) in steps {
        write(path, text);
    }
    folder.to_path_buf()
}

pub(crate) const DAILY: (&str, &str) = (
    "sql/marts/daily.sql",
    "/* ---\ndescription: Sales by day\ngrain: [sold_on]\ncolumns:\n  amount: {tests: [not_null]}\n--- */\n\
     SELECT sold_on, sum(amount) AS amount FROM source.shop__sales GROUP BY sold_on\n",
);

#[test]
fn a_first_project_runs_and_its_bad_row_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    // Any folder will do.
    let project = project(&folder.path().join("公司 a%20b #1 [x]"), &[DAILY]);
    run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
    let ran = run([
        "query".as_ref(),
        "SELECT * FROM marts.daily ORDER BY sold_on".as_ref(),
        "--format".as_ref(),
        "csv".as_ref(),
        "--project".as_ref(),
        project.as_os_str(),
    ]);
    assert_eq!(ran.ended(0).stdout, "sold_on,amount\n2026-01-05,10.00\n2026-01-06,2.50\n");
    let ran = run([
        "rejects".as_ref(),
        "show".as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
        "--project".as_ref(),
        project.as_os_str(),
    ]);
    let reject = &ran.ended(0).json()[0];
    assert_eq!((reject["line"].as_i64(), reject["value"].as_str()), (Some(4), Some("2026-02-31")));
    for args in
        [["ls", "steps"], ["ls", "sources"], ["ls", "tests"], ["runs", "--limit=3"], ["releases", "--format=csv"]]
    {
        run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()])).ended(0);
    }
    let ran = run(["show".as_ref(), "daily".as_ref(), "--project".as_ref(), project.as_os_str()]);
    assert!(ran.ended(0).stdout.contains("2026-01-06"));
    run(["test".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(0);
}

#[test]
fn check_reports_every_mistake_at_once_at_its_place_and_reads_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(
        folder.path(),
        &[
            ("sql/marts/a.sql", "SELECT sold_no FROM source.shop__sales\n"),
            ("sql/marts/b.sql", "SELECT *\nFROM source.shop__sale\n"),
            ("sql/marts/c.sql", "SELECT summ(amount) FROM source.shop__sales\n"),
            ("pipelines/sources/web.yml", "description: Web\nlocation: data\ntabels: {}\n"),
        ],
    );
    std::fs::remove_dir_all(project.join("data")).unwrap();
    let ran = run(["check".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(2);
    assert!(ran.stderr.contains("pipelines/sources/web.yml:3:1"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `tables`"), "{}", ran.stderr);
    for place in ["sql/marts/a.sql:1:8", "sql/marts/b.sql:2:6", "sql/marts/c.sql:1:8"] {
        assert!(ran.stderr.contains(place), "{place} is not in\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("did you mean `sold_on`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `source.shop__sales`"), "{}", ran.stderr);
}

#[test]
fn a_failed_test_publishes_nothing_and_yesterday_stands() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    let execute = || run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]);
    execute().ended(0);
    std::fs::write(project.join("data/sales.csv"), "sale_id,sold_on,amount\n1,2026-01-05,\n").unwrap();
    let failed = execute().ended(1);
    assert!(failed.stderr.contains("marts.daily"), "{}", failed.stderr);
    assert!(failed.stderr.contains("not published"), "{}", failed.stderr);
    let sql = "SELECT sum(amount) AS amount FROM marts.daily";
    assert_eq!(crate::support::value(&project, sql), "12.50");
    assert_eq!(crate::support::value(&project, "SELECT count(*) FROM system.tests WHERE status = 'failed'"), "1");
    // Repaired data: the next run publishes.
    std::fs::write(project.join("data/sales.csv"), "sale_id,sold_on,amount\n1,2026-01-05,7\n").unwrap();
    execute().ended(0);
    assert_eq!(crate::support::value(&project, sql), "7.00");
}

#[test]
fn a_run_of_no_step_reads_the_sources_and_judges_nothing_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let empty = ("sql/tests/sold.sql", "SELECT 1 AS fault WHERE (SELECT count(*) FROM marts.daily) = 0\n");
    let project = project(folder.path(), &[DAILY, empty]);
    let of_project = ["--project".as_ref(), project.as_os_str()];
    run(["run".as_ref(), "--exclude".as_ref(), "*".as_ref()].into_iter().chain(of_project)).ended(0);
    assert_eq!(crate::support::value(&project, "SELECT count(*) FROM source.shop__sales"), "2");
    run(["run".as_ref()].into_iter().chain(of_project)).ended(0);
    assert_eq!(crate::support::value(&project, "SELECT count(*) FROM marts.daily"), "2");
    assert_eq!(crate::support::value(&project, "SELECT count(*) FROM system.tests WHERE test = 'tests.sold'"), "1");
}

#[test]
fn names_that_are_nearly_right_bring_the_right_ones() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    let in_project =
        |args: &[&str]| run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]));
    in_project(&["run"]).ended(0);
    for (args, message, hint) in [
        (["query", "SELECT * FROM daily"], "unknown table `daily`", "did you mean `marts.daily`?"),
        (["query", "SELECT * FROM shop.sales"], "unknown table `shop.sales`", "did you mean `source.shop__sales`?"),
        (["query", "DELETE FROM marts.daily"], "only queries are allowed, found DELETE", "write a SELECT"),
        (["show", "shop.sales"], "is a table of a source, not a step", "SELECT * FROM source.shop__sales"),
        (["show", "nothing_like_it"], "no step matches `nothing_like_it`", "`marts.daily`"),
    ] {
        let ran = in_project(&args).ended(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(hint), "{args:?}: {}", ran.stderr);
    }
    // The beginning of a run's id is enough.
    let id = crate::support::value(&project, "SELECT run_id FROM system.runs");
    let ran = in_project(&["runs", &id[..8]]).ended(0);
    assert!(ran.stdout.contains(&id), "{}", ran.stdout);
    in_project(&["run"]).ended(0);
    let ran = in_project(&["runs", &id[..2]]).ended(2);
    assert!(ran.stderr.contains("2 runs begin with `20`") && ran.stderr.contains(&id), "{}", ran.stderr);
    in_project(&["runs", &id]).ended(0);
}

#[test]
fn mistakes_of_arguments_have_exit_code_two_and_a_way_on() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    let in_project =
        |args: &[&str]| run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]));
    run(["frobnicate"]).ended(2);
    run(["check", "--project", "/nowhere"]).ended(2);
    let ran = in_project(&["query", "SELECT 1 FROM marts.daily"]).ended(2);
    assert!(ran.stderr.contains("perennial run"), "nothing was published yet: {}", ran.stderr);
    let ran = in_project(&["show", "dayly"]).ended(2);
    assert!(ran.stderr.contains("daily"), "{}", ran.stderr);
    in_project(&["run", "--select", "nothing_like_it"]).ended(2);
    in_project(&["run", "--vars", "{rule"]).ended(2);
    in_project(&["report", "weekly"]).ended(2);
    in_project(&["rollback", "9"]).ended(2);
    in_project(&["runs", "20200101T000000Z-0000"]).ended(2);
    let ran = in_project(&["query", "DROP TABLE marts.daily"]).ended(2);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn too_many_rejects_fail_the_source_and_its_rows_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    let execute = || run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]);
    execute().ended(0);
    // A share is not exceeded by ten rows, however small the file.
    let bad = "x,y,z\n".repeat(11);
    std::fs::write(project.join("data/sales.csv"), format!("sale_id,sold_on,amount\n{bad}1,2026-01-05,1\n")).unwrap();
    let failed = execute().ended(1);
    assert!(failed.stderr.contains("shop.sales"), "{}", failed.stderr);
    assert_eq!(crate::support::value(&project, "SELECT sum(amount) FROM marts.daily"), "12.50");
}

#[test]
fn a_run_in_detail_is_one_json_document() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    let in_project =
        |args: &[&str]| run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]));
    let run_id = in_project(&["run", "--format", "json"]).ended(0).json()["run_id"].as_str().unwrap().to_string();
    let document = in_project(&["runs", &run_id, "--format", "json"]).ended(0).json();
    assert_eq!(document["run"]["run_id"], run_id);
    let names = |rows: &str, column: &str| -> Vec<String> {
        document[rows].as_array().unwrap().iter().map(|row| row[column].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(
        (names("sources", "table_name"), names("steps", "step")),
        (vec!["sales".into()], vec!["marts.daily".into()])
    );
    assert_eq!(document["tests"].as_array().unwrap().len(), 2, "the grain and not_null");
    let text = in_project(&["runs", &run_id]).ended(0).stdout;
    assert!(text.contains(&run_id) && text.contains("marts.daily"), "{text}");
    let csv = in_project(&["runs", &run_id, "--format", "csv"]).ended(2);
    assert!(csv.stderr.contains("--format json"), "{}", csv.stderr);
}

#[test]
fn steps_are_listed_layer_by_layer_and_the_same_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let staging = "/* ---\ndescription: Sales as the till has them\ngrain: [sale_id]\nmaterialize: view\n--- */\n\
                   SELECT * FROM source.shop__sales\n";
    let weekly = (
        "sql/marts/a_week.sql",
        "/* ---\ndescription: Days counted\ngrain: [days]\n--- */\nSELECT count(*) AS days FROM marts.daily\n",
    );
    let project = project(folder.path(), &[DAILY, ("sql/staging/stg_sales.sql", staging), weekly]);
    let ls = |args: &[&str]| {
        let args = ["ls"].iter().chain(args).map(AsRef::as_ref);
        run(args.chain(["--project".as_ref(), project.as_os_str()])).ended(0)
    };
    let expected = "staging\n  stg_sales  view   Sales as the till has them\n\n\
                    marts\n  a_week     table  Days counted\n  daily      table  Sales by day\n";
    let shown = ls(&[]).stdout;
    let (staging, marts) = expected.split_once("\n\n").unwrap();
    assert!(shown.contains(staging) && shown.contains(marts.trim_end()), "{shown}");
    let csv = ls(&["--format", "csv"]).stdout;
    assert!(csv.starts_with("step,kind,description\n") && csv.contains("marts.daily,table,Sales by day\n"), "{csv}");
    assert_eq!(ls(&["--format", "json"]).json().as_array().unwrap().len(), 3);
}

#[test]
fn several_pipelines_need_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    std::fs::write(project.join("pipelines/hourly.yml"), "description: Sales\nsources: [shop]\n").unwrap();
    let ran = run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(2);
    assert!(ran.stderr.contains("expected one of `hourly`, `nightly`, as in `perennial run hourly`"), "{}", ran.stderr);
    let ran = run(["run".as_ref(), "nightli".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(2);
    assert!(ran.stderr.contains("did you mean `nightly`?"), "{}", ran.stderr);
}

#[test]
fn the_exit_codes_and_verbs_are_in_the_help() {
    let ran = run(["--help"]).ended(0);
    for word in [
        "demo",
        "init",
        "check",
        "run",
        "query",
        "show",
        "ls",
        "test",
        "report",
        "releases",
        "rollback",
        "runs",
        "rejects",
        "Exit codes",
    ] {
        assert!(ran.stdout.contains(word), "{word}");
    }
}

#[test]
fn functions_are_listed_and_explained_without_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |args: &[&str]| {
        let mut command = crate::support::perennial(["functions"].iter().chain(args));
        crate::support::Ran::from(command.current_dir(folder.path()).output().unwrap())
    };
    let list = ask(&[]).ended(0).stdout;
    assert!(list.contains("\nCalendar, text, order, sums\n  date_diff "), "{list}");
    let page = ask(&["max_by"]).ended(0).stdout;
    assert!(page.starts_with("max_by(value, by)\n\nThe value of the row whose `by` is greatest. (aggregate function)"));
    let all = ask(&["--format", "json"]).ended(0).json();
    let found = all.as_array().unwrap().iter().find(|function| function["function"] == "max_by").unwrap();
    assert_eq!(found["other_names"][0], "arg_max");
    let page = ask(&["mode", "--format", "json"]).ended(0).json();
    assert_eq!(page["examples"][0]["answer"], "customer | shop\n1 | York\n2 | Bath");
    assert!(ask(&["--format", "csv"]).ended(0).stdout.starts_with("function,chapter,kind,syntax,summary\n"));
    let mistyped = ask(&["max_bye"]).ended(2).stderr;
    assert!(mistyped.contains("did you mean `max_by`?"), "{mistyped}");
}

#[test]
fn formats_are_listed_and_explained_without_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |args: &[&str]| {
        let mut command = crate::support::perennial(["formats"].iter().chain(args));
        crate::support::Ran::from(command.current_dir(folder.path()).output().unwrap())
    };
    let list = ask(&[]).ended(0).stdout;
    assert!(list.contains("\n  asterisk_queue_log "), "{list}");
    let page = ask(&["snowplow"]).ended(0).stdout;
    assert!(page.starts_with("snowplow\n\nSnowplow's enriched events"), "{page}");
    let page = ask(&["ga4_export", "--format", "json"]).ended(0).json();
    assert_eq!((&page["time_column"], &page["columns"][0]["column"]), (&"occurred_at".into(), &"event_on".into()));
    assert!(
        ask(&["segment", "--format", "csv"]).ended(0).stdout.starts_with("column,type,from,notes\nmessage_id,text,")
    );
    assert!(ask(&["snowplough"]).ended(2).stderr.contains("did you mean `snowplow`?"));
}

#[test]
fn a_function_that_is_mistyped_or_called_wrongly_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(
        folder.path(),
        &[
            ("sql/marts/a.sql", "SELECT quantile_cutofs(amount, 5) AS a FROM source.shop__sales\n"),
            ("sql/marts/b.sql", "SELECT date_diff(sold_on, sold_on) AS b FROM source.shop__sales\n"),
            ("sql/marts/c.sql", "SELECT width_bucket('x', 0, 10, 5) AS c FROM source.shop__sales\n"),
        ],
    );
    let ran = run(["check".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(2);
    let said = [
        "did you mean `quantile_cutoffs`?",
        "`date_diff`: ",
        "call it as date_diff(unit, from, to)",
        "`width_bucket`: ",
        "is not a number",
        "perennial functions width_bucket",
    ];
    for words in said {
        assert!(ran.stderr.contains(words), "{words} is not in\n{}", ran.stderr);
    }
}

/// Runs the program in a project.
fn in_project(project: &Path, args: &[&str]) -> crate::support::Ran {
    run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

/// Tests by name with their status and the reason why they were skipped.
fn tested(project: &Path, code: i32) -> Vec<(String, String, String)> {
    let tests = in_project(project, &["test", "--format", "json"]).ended(code).json();
    let text = |test: &serde_json::Value, key: &str| test[key].as_str().unwrap_or_default().to_string();
    let all = tests.as_array().unwrap();
    all.iter().map(|test| (text(test, "test"), text(test, "status"), text(test, "reason"))).collect()
}

#[test]
fn a_test_of_what_no_release_has_is_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), &[DAILY]);
    let before = in_project(&project, &["test"]).ended(2);
    assert!(before.stderr.contains("nothing has been published yet"), "{}", before.stderr);
    in_project(&project, &["run"]).ended(0);
    in_project(&project, &["test"]).ended(0);
    // A mart whose every row fails, a query that gives all of them, a view over it, a new column, and one of another type.
    let write = |path: &str, text: &str| {
        let path = project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "sql/marts/fresh.sql",
        "/* ---\ndescription: New\ngrain: [sold_on]\ncolumns:\n  amount: {tests: [{accepted_values: [none]}]}\n--- */\n\
         SELECT sold_on, amount FROM marts.daily\n",
    );
    write("sql/tests/none.sql", "SELECT * FROM marts.fresh\n");
    write(
        "sql/marts/shown.sql",
        "/* ---\ndescription: Shown\nmaterialize: view\ngrain: [sold_on]\n--- */\nSELECT sold_on FROM marts.fresh\n",
    );
    write(
        "sql/marts/more.sql",
        "/* ---\ndescription: More\nmaterialize: view\ngrain: [sold_on]\n--- */\n\
         SELECT sold_on, extra FROM marts.daily\n",
    );
    write("sql/tests/extra.sql", "SELECT * FROM marts.daily WHERE extra <> 'a'\n");
    write(
        "sql/marts/daily.sql",
        "/* ---\ndescription: Sales by day\ngrain: [sold_on]\ncolumns:\n  amount: {tests: [not_null]}\n\
         \x20 extra: {tests: [not_null]}\n--- */\n\
         SELECT sold_on, concat('about ', sum(amount)) AS amount, 'a' AS extra FROM source.shop__sales GROUP BY sold_on\n",
    );
    in_project(&project, &["check"]).ended(0);
    let absent = "marts.fresh is not in release 1";
    let skipped = |test: &str, reason: &str| (test.to_string(), "skipped".to_string(), reason.to_string());
    let mut found = tested(&project, 2);
    found.sort();
    // The sum of DECIMAL(18,2) has ten digits more.
    let changed = "column `amount` of marts.daily is DECIMAL(28,2) in release 1, and TEXT by its SQL";
    let mut expected = vec![
        skipped("marts.daily.amount.not_null", changed),
        skipped("marts.daily.extra.not_null", "marts.daily has no column `extra` in release 1 yet"),
        ("marts.daily.grain".to_string(), "passed".to_string(), String::new()),
        skipped("marts.fresh.amount.accepted_values", absent),
        skipped("marts.fresh.grain", absent),
        skipped("marts.more.grain", "marts.more does not fit release 1: unknown column `extra`"),
        skipped("marts.shown.grain", absent),
        skipped("tests.extra", "tests.extra does not fit release 1: unknown column `extra`"),
        skipped("tests.none", absent),
    ];
    expected.sort();
    assert_eq!(found, expected);
    let text = in_project(&project, &["test"]).ended(2).stderr;
    assert!(text.contains("1 passed, 0 warned, 0 failed, 8 skipped"), "{text}");
    assert!(text.contains("4 tests are not run: marts.fresh is not in release 1"), "{text}");
    assert!(text.contains("`perennial run --select marts.fresh` first"), "{text}");
    assert!(!text.contains("query:") && !text.contains("count("), "nobody wrote that SQL: {text}");
    // What reads such a table is not shown as if it had no rows.
    let shown = in_project(&project, &["show", "shown"]).ended(2).stderr;
    assert!(shown.contains("marts.shown cannot be shown: marts.fresh is not in release 1"), "{shown}");
    // Once it is run, it is judged.
    write("sql/tests/none.sql", "SELECT * FROM marts.fresh WHERE sold_on IS NULL\n");
    let fresh = std::fs::read_to_string(project.join("sql/marts/fresh.sql")).unwrap();
    write("sql/marts/fresh.sql", &fresh.replace("{tests: [{accepted_values: [none]}]}", "{tests: [not_null]}"));
    in_project(&project, &["run"]).ended(0);
    let found = tested(&project, 0);
    assert!(found.iter().all(|(_, status, _)| status == "passed") && found.len() == 9, "{found:?}");
}

#[test]
fn a_query_over_tables_of_another_date_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let dated = |name: &str| {
        format!(
            "/* ---\ndescription: A date\ngrain: [day]\n--- */\nSELECT DATE '{{{{ as_of }}}}' AS day, '{name}' AS name\n"
        )
    };
    let project = project(folder.path(), &[DAILY, ("sql/marts/a.sql", &dated("a")), ("sql/marts/b.sql", &dated("b"))]);
    let write = |path: &str, text: &str| std::fs::write(project.join(path), text).unwrap();
    std::fs::create_dir_all(project.join("sql/tests")).unwrap();
    for name in ["a", "b"] {
        write(
            &format!("sql/tests/{name}.sql"),
            &format!("SELECT * FROM marts.{name} WHERE day <> DATE '{{{{ as_of }}}}'\n"),
        );
    }
    in_project(&project, &["run"]).ended(0);
    in_project(&project, &["run", "--select", "marts.a", "--as-of", "2026-02-03"]).ended(0);
    let said = in_project(&project, &["test"]).ended(0).stderr;
    let note = "tests.b is not run: marts.b describes 2026-02-01, and release 2 2026-02-03";
    assert!(said.contains(note) && said.contains("0 failed, 1 skipped"), "{said}");
}

#[test]
fn an_as_of_date_in_the_future_needs_a_word_and_one_in_the_past_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let dated = DAILY.1.replace("GROUP BY", "WHERE sold_on < DATE '{{ as_of }}' GROUP BY");
    let project = project(folder.path(), &[(DAILY.0, &dated)]);
    let said = in_project(&project, &["run", "--as-of", "2999-01-01"]).ended(2).stderr;
    assert!(said.contains("2999-01-01 is in the future") && said.contains("--allow-future"), "{said}");
    let said = in_project(&project, &["run"]).ended(0).stderr;
    assert!(said.starts_with("run      nightly as of 2026-02-01\n"), "{said}");
    // What is counted agrees with what is listed.
    assert!(said.contains("1 published as of 2026-02-01, 2 tables and 1 view changed"), "{said}");
    assert_eq!(crate::support::value(&project, "SELECT tables FROM system.releases"), "2");
    // A past day is said before and after, with the way back.
    let said = in_project(&project, &["run", "--as-of", "2026-01-15"]).ended(0).stderr;
    assert!(said.contains("release 1 describes 2026-02-01") && said.contains("--no-publish"), "{said}");
    assert!(said.contains("2 published as of 2026-01-15") && said.contains("`perennial rollback 1`"), "{said}");
    // Without publishing nobody goes back.
    let said = in_project(&project, &["run", "--as-of", "2026-01-10", "--no-publish"]).ended(0).stderr;
    assert!(said.contains("not published, as asked") && said.contains("release 2 stays current"), "{said}");
    assert!(!said.contains("go back"), "{said}");
    assert_eq!(crate::support::value(&project, "SELECT max(number) FROM system.releases"), "2");
    // The project's own date is fixed, and the till has gone on.
    let sales = project.join("data/sales.csv");
    let text = std::fs::read_to_string(&sales).unwrap();
    std::fs::write(&sales, format!("{text}4,2026-03-01,5.00\n")).unwrap();
    let contract = project.join("pipelines/sources/shop.yml");
    let yaml = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(&contract, yaml.replace("    key:", "    time_column: sold_on\n    key:")).unwrap();
    let said = in_project(&project, &["run"]).ended(0).stderr;
    assert!(
        said.contains("shop.sales has rows up to 2026-03-01, and figures as of 2026-02-01 do not see them"),
        "{said}"
    );
    // It may not lie in the future either.
    let file = project.join("perennial.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("2026-02-01", "2999-01-01")).unwrap();
    for args in [["check"], ["run"]] {
        let said = in_project(&project, &args).ended(2).stderr;
        assert!(said.contains("in the future") && said.contains("`as_of: today`"), "{said}");
    }
    in_project(&project, &["run", "--allow-future", "--no-publish"]).ended(0);
}

#[test]
fn a_run_whose_sources_fail_says_that_nothing_is_new_or_nothing_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    run(["init".as_ref(), new.as_os_str(), "--no-data".as_ref()]).ended(0);
    let said = in_project(&new, &["run"]).ended(3).stderr;
    assert!(said.contains("not published: nothing is published yet"), "{said}");
    assert!(!said.contains("previous"), "there is none: {said}");
    let today = std::fs::read_to_string(new.join("perennial.yml")).unwrap();
    assert!(today.contains("\nas_of: today\n") && today.contains("\nname: Customer value\n"), "{today}");

    let project = project(&folder.path().join("shop"), &[DAILY]);
    in_project(&project, &["run"]).ended(0);
    std::fs::remove_dir_all(project.join("data")).unwrap();
    let said = in_project(&project, &["run"]).ended(3).stderr;
    assert!(said.contains("1 source failed, and nothing else is new; release 1 stays current"), "{said}");
    let status = "SELECT status FROM system.runs ORDER BY started_at DESC LIMIT 1";
    assert_eq!(crate::support::value(&project, status), "failed");
}
