//! Several pipelines over one lake: what one of them does not touch stays as it was, and pages say so.

use crate::support::{Ran, run, value};
use std::fmt::Write;
use std::path::Path;

/// A project of two pipelines: `orders` reads and builds one half, `payments` the other, and a mart and a report of both.
/// Nothing has been delivered yet.
pub fn two_pipelines(project: &Path) {
    let write = |path: &str, text: &str| {
        let path = project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("perennial.yml", "name: Two halves\nlake: lake\nas_of: 2026-04-01\nlanguages: [en]\nmemory_limit: 256MB\n");
    write("pipelines/orders.yml", "description: Orders\nsources: [orders]\nsteps: [core.orders]\nreports: []\n");
    write(
        "pipelines/payments.yml",
        "description: Payments\nsources: [payments]\nsteps: [core.payments, \"marts.*\"]\nreports: [both]\n",
    );
    for (name, id) in [("orders", "order_id"), ("payments", "payment_id")] {
        write(
            &format!("pipelines/sources/{name}.yml"),
            &format!(
                "description: The {name}\nlocation: data\ntables:\n  {name}:\n    files: \"{name}-*.csv\"\n    format: csv\n\
                 \x20   key: [{id}]\n    max_rejects: {{share: 0.9}}\n    columns:\n      {id}: {{type: integer, required: true}}\n\
                 \x20     customer: {{type: text, required: true}}\n      paid_on: {{type: date, required: true}}\n\
                 \x20     amount: {{type: decimal, precision: 18, scale: 2, required: true}}\n"
            ),
        );
        write(
            &format!("sql/core/{name}.sql"),
            &format!(
                "/* ---\ndescription: The {name}\ngrain: [{id}]\n--- */\n\
                 SELECT {id}, customer, paid_on, amount FROM {{{{ source('{name}', '{name}') }}}} WHERE paid_on < DATE '{{{{ as_of }}}}'\n"
            ),
        );
    }
    write(
        "sql/marts/by_customer.sql",
        "/* ---\ndescription: Payments of each customer\ngrain: [customer]\n--- */\n\
         SELECT customer, count(*) AS payments, sum(amount) AS paid FROM {{ ref('core.payments') }} GROUP BY customer\n",
    );
    write(
        "sql/marts/totals.sql",
        "/* ---\ndescription: Both halves\ngrain: [half]\n--- */\n\
         SELECT 'orders' AS half, count(*) AS rows, sum(amount) AS amount FROM {{ ref('core.orders') }}\n\
         UNION ALL SELECT 'payments', count(*), sum(amount) FROM {{ ref('core.payments') }}\n",
    );
    write(
        "report-templates/both/report.md",
        "---\ntitle: Both halves\nperiod: month\n---\n{{ verdict(period.title ~ ' is over.') }}\n\n\
         {{ table(halves, columns=[{'key': 'half', 'label': 'Half'}, {'key': 'amount', 'label': 'Amount', 'format': 'money', 'unit': currency}]) }}\n\n\
         {{ footer() }}\n",
    );
    write("report-templates/both/queries/halves.sql", "SELECT half, amount FROM marts.totals ORDER BY half\n");
    std::fs::create_dir_all(project.join("data")).unwrap();
}

/// Good rows of a delivery; two bad ones come with them.
pub const ROWS: u64 = 5;

/// The next file of a half, its rows dated in March 2026: 5 good rows and 2 bad ones, whose amounts and days are none.
pub fn deliver(project: &Path, half: &str, number: u64) {
    let id = if half == "orders" { "order_id" } else { "payment_id" };
    let mut text = format!("{id},customer,paid_on,amount\n");
    for row in number * 10..number * 10 + ROWS {
        writeln!(text, "{row},c{},2026-03-{:02},{}.25", row % 7, 1 + number % 28, row % 90).unwrap();
    }
    write!(text, "{},c1,2026-03-05,much\n{},c2,2026-02-30,1.00\n", number * 10 + 8, number * 10 + 9).unwrap();
    // Not seen before it is whole.
    let written = project.join(format!("data/.{half}-{number}"));
    std::fs::write(&written, text).unwrap();
    std::fs::rename(written, project.join(format!("data/{half}-{number:05}.csv"))).unwrap();
}

fn perennial(project: &Path, args: &[&str]) -> Ran {
    run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

/// A project in which both pipelines have run on one delivery.
fn ran_once(project: &Path) {
    two_pipelines(project);
    for half in ["orders", "payments"] {
        deliver(project, half, 1);
        perennial(project, &["run", half]).ended(0);
    }
}

#[test]
fn a_step_that_would_read_tables_of_two_dates_fails_and_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    ran_once(project);
    perennial(project, &["run", "orders", "--as-of", "2026-04-02"]).ended(0);
    let both = "SELECT string_agg(concat(half, ' ', rows), ', ' ORDER BY half) AS rows FROM marts.totals";
    assert_eq!(value(project, both), "\"orders 5, payments 5\"");
    // core.orders is of the second, core.payments becomes one of the first.
    let mixed = perennial(project, &["run", "payments", "--full-refresh"]);
    assert!([1, 2].contains(&mixed.code), "{} {}", mixed.code, mixed.stderr);
    for words in ["marts.totals", "core.orders", "2026-04-02", "2026-04-01"] {
        assert!(mixed.stderr.contains(words), "{words} is not in\n{}", mixed.stderr);
    }
    assert_eq!(value(project, both), "\"orders 5, payments 5\"", "what was published stands");
    // A run of both at one date is the way out; so is a word in the header.
    perennial(project, &["run", "payments", "--as-of", "2026-04-02"]).ended(0);
    let step = project.join("sql/marts/totals.sql");
    let text = std::fs::read_to_string(&step).unwrap();
    std::fs::write(&step, text.replace("grain: [half]\n", "grain: [half]\nmixed_as_of: true\n")).unwrap();
    perennial(project, &["run", "payments", "--as-of", "2026-04-03"]).ended(0);
}

#[test]
fn a_page_is_of_the_date_and_the_tests_of_the_tables_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    ran_once(project);
    // The newest release is of the second of May, the tables of the report are of the first of April.
    perennial(project, &["run", "orders", "--as-of", "2026-05-02"]).ended(0);
    assert_eq!(value(project, "SELECT as_of FROM system.releases ORDER BY number DESC LIMIT 1"), "2026-05-02");
    let said = perennial(project, &["report", "both"]).ended(0).stdout;
    assert!(said.contains("both/2026-03/en.html"), "March is the newest month that was over then: {said}");
    let edition = std::fs::read_to_string(project.join("reports/both/2026-03/edition.json")).unwrap();
    let edition: serde_json::Value = serde_json::from_str(&edition).unwrap();
    assert_eq!(edition["as_of"], "2026-04-01", "{edition}");
    // Both grains of the payments, that of the orders, which the total reads, and that of the total; not by_customer's.
    assert_eq!(edition["tests"]["passed"], 3, "{edition}");
}

#[test]
fn a_run_leaves_the_other_pipelines_tables_rejects_and_tests() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    ran_once(project);
    deliver(project, "orders", 2);
    perennial(project, &["run", "orders"]).ended(0);
    let rows = |table: &str| value(project, &format!("SELECT count(*) FROM {table}"));
    for (table, expected) in [
        ("raw.orders__orders", "10"),
        ("raw.payments__payments", "5"),
        ("source.payments__payments", "5"),
        ("core.orders", "10"),
        ("core.payments", "5"),
        ("marts.totals", "2"),
    ] {
        assert_eq!(rows(table), expected, "{table}");
    }
    // The mart belongs to the other pipeline, which has not run since.
    assert_eq!(value(project, "SELECT sum(rows) FROM marts.totals"), "10");
    let rejects = perennial(project, &["rejects", "show", "--format", "json"]).ended(0).json();
    assert_eq!(rejects.as_array().unwrap().len(), 6, "two of each delivery: {rejects}");
    // A selection of one step leaves what is not selected.
    perennial(project, &["run", "payments", "--select", "core.payments"]).ended(0);
    assert_eq!((rows("core.orders").as_str(), rows("marts.by_customer").as_str()), ("10", "5"));
    // Files that were read are not read again by the run of the other.
    let read = "SELECT sum(files_read) FROM system.sources WHERE source = 'payments'";
    perennial(project, &["run", "orders", "--full-refresh"]).ended(0);
    assert_eq!(value(project, read), "1");
}

#[test]
fn rejects_are_replayed_whatever_pipelines_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    ran_once(project);
    let shown = perennial(project, &["rejects", "show", "--format", "json"]).ended(0).json();
    let corrected: Vec<serde_json::Value> = shown
        .as_array()
        .unwrap()
        .iter()
        .filter(|reject| reject["value"] == "much")
        .map(|reject| {
            let mut reject = reject.clone();
            reject["value"] = "2.00".into();
            reject
        })
        .collect();
    assert_eq!(corrected.len(), 2, "one of each source: {shown}");
    let file = project.join("corrected.json");
    std::fs::write(&file, serde_json::to_string(&corrected).unwrap()).unwrap();
    let corrections = file.display().to_string();
    // The pipeline is the one that reads the source, which is named by the caller or by all corrections.
    for arguments in [&["--corrections", &corrections][..], &[]] {
        let unnamed = perennial(project, &[&["rejects", "replay"], arguments].concat()).ended(2);
        assert!(unnamed.stderr.contains("--source"), "{}", unnamed.stderr);
    }
    perennial(project, &["rejects", "replay", "--source", "orders", "--corrections", &corrections]).ended(0);
    let of_payments: Vec<_> = corrected.iter().filter(|reject| reject["source"] == "payments").collect();
    std::fs::write(&file, serde_json::to_string(&of_payments).unwrap()).unwrap();
    perennial(project, &["rejects", "replay", "--corrections", &corrections]).ended(0);
    for table in ["core.orders", "core.payments"] {
        assert_eq!(value(project, &format!("SELECT count(*) FROM {table}")), "6", "{table}");
    }
    assert_eq!(value(project, "SELECT sum(rows) FROM marts.totals"), "12");
    let left = perennial(project, &["rejects", "show", "--format", "json"]).ended(0).json();
    assert_eq!(left.as_array().unwrap().len(), 2, "{left}");
    // The next runs of both take nothing back.
    for half in ["orders", "payments"] {
        perennial(project, &["run", half]).ended(0);
        assert_eq!(value(project, &format!("SELECT count(*) FROM core.{half}")), "6", "{half}");
    }
}

/// Replaces a text in a file of the project.
fn edit(project: &Path, file: &str, from: &str, to: &str) {
    let path = project.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// The other pipeline's contract gains a column, one of its tables becomes a view, another view reads another table: a run
/// that leaves them alone publishes what can be read, and the same figures.
#[test]
fn a_run_publishes_what_can_be_read_whatever_was_edited() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("halves");
    two_pipelines(&project);
    let view = "/* ---\nmaterialize: view\n--- */\nSELECT customer, amount FROM core.payments\n";
    std::fs::create_dir_all(project.join("sql/marts")).unwrap();
    std::fs::write(project.join("sql/marts/shown.sql"), view).unwrap();
    for half in ["orders", "payments"] {
        deliver(&project, half, 1);
        perennial(&project, &["run", half]).ended(0);
    }
    let paid = value(&project, "SELECT sum(amount) FROM marts.shown");

    // The contract of the payments names one more column, and a night of the orders comes first.
    edit(
        &project,
        "pipelines/sources/payments.yml",
        "columns:\n",
        "columns:\n      note: {type: text, from: customer}\n",
    );
    deliver(&project, "orders", 2);
    perennial(&project, &["run", "orders"]).ended(0);
    assert_eq!(value(&project, "SELECT sum(amount) FROM marts.shown"), paid);
    assert_eq!(value(&project, "SELECT count(note) FROM source.payments__payments"), "0", "not read yet");

    // A table of the other pipeline becomes a view, and a view is to read another table.
    edit(&project, "sql/marts/by_customer.sql", "grain: [customer]", "grain: [customer]\nmaterialize: view");
    edit(&project, "sql/marts/shown.sql", "FROM core.payments", "FROM marts.renamed");
    let renamed = "SELECT customer, 2 * amount AS amount FROM core.payments\n";
    std::fs::write(project.join("sql/marts/renamed.sql"), renamed).unwrap();
    let customers = value(&project, "SELECT count(*) FROM marts.by_customer");
    deliver(&project, "orders", 3);
    perennial(&project, &["run", "orders"]).ended(0);
    assert_eq!(value(&project, "SELECT sum(amount) FROM marts.shown"), paid, "as it was released");
    assert_eq!(value(&project, "SELECT count(*) FROM marts.by_customer"), customers);

    perennial(&project, &["run", "payments"]).ended(0);
    assert_eq!(
        value(&project, "SELECT sum(amount) * 1 FROM marts.shown"),
        value(&project, "SELECT 2 * sum(amount) FROM core.payments")
    );
    assert_eq!(value(&project, "SELECT count(note) FROM source.payments__payments"), ROWS.to_string());

    // A column that a kept view names gets another name: the view follows the project.
    edit(&project, "sql/core/orders.sql", "SELECT order_id,", "SELECT order_id AS number,");
    edit(&project, "sql/core/orders.sql", "grain: [order_id]", "grain: [number]");
    perennial(&project, &["run", "orders"]).ended(0);
    perennial(&project, &["query", "SELECT number FROM core.orders"]).ended(0);
}

/// What a test has found no longer stands when another pipeline makes the other table anew, and one of a table that no
/// release has is not judged.
#[test]
fn results_of_tests_hold_for_the_tables_that_are_released() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("halves");
    two_pipelines(&project);
    let rule = "grain: [order_id]\ncolumns:\n  order_id: {tests: [{warn: {relationships: {to: core.payments, field: payment_id}}}]}";
    edit(&project, "sql/core/orders.sql", "grain: [order_id]", rule);
    std::fs::create_dir_all(project.join("sql/tests")).unwrap();
    let paid = "SELECT 1 AS nothing WHERE NOT EXISTS (SELECT 1 FROM source.payments__payments)\n";
    std::fs::write(project.join("sql/tests/there_are_payments.sql"), paid).unwrap();
    deliver(&project, "orders", 1);
    // No payment has been loaded yet: neither the rule nor the query can be judged.
    let first = perennial(&project, &["run", "orders"]).ended(0);
    assert!(first.stderr.contains("tests    1 passed, 0 warned"), "the grain alone: {}", first.stderr);
    deliver(&project, "payments", 1);
    perennial(&project, &["run", "payments"]).ended(0);
    assert_eq!(value(&project, "SELECT max(tests_warned) FROM system.releases"), "0");

    // The first delivery of payments is replaced by others: the orders, left alone, now miss them.
    std::fs::write(
        project.join("data/payments-00001.csv"),
        "payment_id,customer,paid_on,amount\n77,c1,2026-03-01,1.00\n",
    )
    .unwrap();
    let third = perennial(&project, &["run", "payments"]).ended(0);
    assert!(third.stderr.contains("core.orders.order_id.relationships"), "{}", third.stderr);
    assert_eq!(value(&project, "SELECT max(tests_warned) FROM system.releases"), "1");
}

/// A full refresh of some steps reads sources as ever; one of everything says what it could not read again.
#[test]
fn a_full_refresh_of_a_step_loses_no_rows_of_files_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("halves");
    ran_once(&project);
    std::fs::remove_file(project.join("data/orders-00001.csv")).unwrap();
    deliver(&project, "orders", 2);
    perennial(&project, &["run", "orders"]).ended(0);
    let rows = value(&project, "SELECT count(*) FROM core.orders");
    perennial(&project, &["run", "orders", "--full-refresh", "--select", "core.orders"]).ended(0);
    assert_eq!(value(&project, "SELECT count(*) FROM core.orders"), rows);
    let all = perennial(&project, &["run", "orders", "--full-refresh"]).ended(0);
    let said =
        "the full refresh has dropped 5 rows of 1 file that are gone from the source, such as `orders-00001.csv`";
    assert!(all.stderr.contains(said), "{}", all.stderr);
}
