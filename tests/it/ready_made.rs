//! Ready-made sources: a project that begins with `--erp`, against a real Tryton and a small Odoo of two versions.

use crate::support::{Ran, perennial, query, real_file, run, value};
use perennial_testing::{PostgresServer, postgres_server};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A new project with an ERP.
fn begin(folder: &Path, erp: &str, currency: &str) -> PathBuf {
    let project = folder.join("company");
    let folder = project.as_os_str();
    run(["init".as_ref(), folder, "--erp".as_ref(), erp.as_ref(), "--currency".as_ref(), currency.as_ref()]).ended(0);
    project
}

/// One run on a database of the server, with the account that can only read.
fn execute(project: &Path, server: &PostgresServer, database: &str, as_of: &str) -> Ran {
    let contract = project.join("pipelines/sources/erp.yml");
    let text = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(&contract, text.replace("# tls: off", "tls: off")).unwrap();
    let mut command = perennial(["run", "--as-of", as_of, "--project"]);
    command
        .arg(project)
        .env("ERP_DATABASE", format!("postgresql://reader@localhost:{}/{database}", server.port))
        .env("ERP_PASSWORD", "s3cret");
    Ran::from(command.output().unwrap())
}

/// Rows of a query as lines, values with `|` between them, as psql shows them.
fn lines(project: &Path, sql: &str) -> String {
    let args: [&OsStr; 6] =
        ["query".as_ref(), sql.as_ref(), "--format".as_ref(), "csv".as_ref(), "--project".as_ref(), project.as_ref()];
    let ran = run(args).ended(0);
    ran.stdout.lines().skip(1).map(|line| line.replace(',', "|")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_project_with_an_erp_is_good_before_there_is_a_database() {
    for erp in ["tryton", "odoo"] {
        let folder = tempfile::tempdir().unwrap();
        let project = begin(folder.path(), erp, "EUR");
        let of_project = |verb: &str| run([OsStr::new(verb), "--project".as_ref(), project.as_ref()]);
        of_project("check").ended(0);
        // Every staging step of the ERP has given and expected rows.
        let tests = of_project("test").ended(0);
        assert!(tests.stderr.contains(" passed, 0 warned, 0 failed"), "{}", tests.stderr);
        for step in std::fs::read_dir(project.join("sql/staging")).unwrap() {
            let name = step.unwrap().file_name().into_string().unwrap();
            let test = project.join("tests/steps").join(name.replace(".sql", ".yml"));
            assert!(!name.starts_with("stg_erp__") || test.is_file(), "{erp}: {name} has no test");
        }
        let listed = run([OsStr::new("ls"), "sources".as_ref(), "--project".as_ref(), project.as_ref()]).ended(0);
        assert!(listed.stdout.contains(&format!("ready-made/{erp}/source.yml")), "{}", listed.stdout);
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = run(["init".as_ref(), folder.path().as_os_str(), "--erp".as_ref(), "oddo".as_ref()]).ended(2);
    assert!(ran.stderr.contains("did you mean `odoo`?"), "{}", ran.stderr);
}

/// Both sides give one line with the same values.
#[track_caller]
fn same(project: &Path, ours: &str, server: &PostgresServer, database: &str, theirs: &str) {
    assert_eq!(lines(project, ours), server.sql(database, theirs), "{ours}\n{theirs}");
}

#[test]
fn trytons_figures_are_those_of_its_database() {
    let (Some(server), Some(dump)) = (postgres_server(), real_file("tryton/tryton.dump")) else { return };
    server.database("tryton");
    let restored = server.program("pg_restore").args(["--no-owner", "-d", "tryton"]).arg(&dump).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let folder = tempfile::tempdir().unwrap();
    let project = begin(folder.path(), "tryton", "USD");
    let ran = execute(&project, server, "tryton", "2026-11-22").ended(0);
    assert!(ran.stderr.contains(" warned, 0 failed"), "{}", ran.stderr);
    assert_eq!(value(&project, "SELECT count(*) FROM system.rejects"), "0");
    let same = |ours: &str, theirs: &str| same(&project, ours, server, "tryton", theirs);

    let taken = "state IN ('confirmed', 'processing', 'done')";
    same(
        "SELECT count(*), count(DISTINCT account_id), CAST(sum(amount) AS DECIMAL(18, 2)) FROM staging.stg_erp__orders",
        &format!("SELECT count(*), count(DISTINCT party), sum(untaxed_amount_cache) FROM sale_sale WHERE {taken}"),
    );
    // The ERP's own sums of every order, to the cent.
    same(
        "SELECT sum(revenue) FROM core.order_lines",
        &format!("SELECT sum(untaxed_amount_cache) FROM sale_sale WHERE {taken}"),
    );
    same(
        "SELECT count(*), CAST(sum(quantity) AS BIGINT), CAST(sum(cost) AS DECIMAL(18, 2)) FROM core.order_lines",
        &format!(
            "SELECT count(*), sum(quantity)::bigint, sum(round(quantity::numeric * cost_price, 2)) FROM sale_line AS line \
             JOIN sale_sale AS sale ON sale.id = line.sale AND {taken} \
             JOIN product_cost_price AS cost ON cost.product = line.product"
        ),
    );
    same(
        "SELECT count(*), count(email_key), count(phone_key) FROM staging.stg_erp__customers",
        "SELECT count(*), count(value), 0 FROM party_party AS party \
         LEFT JOIN party_contact_mechanism AS email ON email.party = party.id AND email.type = 'email' \
         WHERE party.id IN (SELECT party FROM sale_sale)",
    );
    same(
        "SELECT count(*), sum(company_amount), sum(company_total_amount), sum(company_open_amount), count(paid_on) \
         FROM staging.stg_erp__invoices",
        "SELECT count(*), sum(untaxed_amount_cache), sum(total_amount_cache), \
            sum(total_amount_cache) FILTER (WHERE state = 'posted'), count(*) FILTER (WHERE state = 'paid') \
         FROM account_invoice WHERE type = 'out' AND state IN ('posted', 'paid')",
    );
    same(
        "SELECT count(order_id), sum(amount), count(DISTINCT order_id) FROM core.receivables",
        &format!("SELECT count(*), sum(untaxed_amount_cache), count(*) FROM sale_sale WHERE {taken}"),
    );
    same(
        "SELECT count(*), count(invoice_id), sum(company_amount), min(currency) FROM staging.stg_erp__payments",
        "SELECT count(*), count(*), sum(total_amount_cache), 'USD' FROM account_invoice WHERE state = 'paid'",
    );
    same(
        "SELECT count(*), sum(credit_limit) FROM staging.stg_erp__credit_limits",
        "SELECT count(*), sum(credit_limit_amount)::numeric(18, 2) FROM party_party_credit_limit_amount \
         WHERE credit_limit_amount IS NOT NULL",
    );
    same(
        "SELECT complaint_id, account_id, order_id, status, kind FROM staging.stg_erp__complaints ORDER BY 1",
        "SELECT complaint.id, customer, split_part(origin_name, ',', 2), state, name \
         FROM (SELECT *, origin AS origin_name FROM sale_complaint) AS complaint \
         JOIN sale_complaint_type AS type ON type.id = complaint.type ORDER BY 1",
    );

    // The goods of the first complaint come back: a sale of two pieces below zero, confirmed.
    let revenue = "SELECT sum(revenue) FROM core.order_lines";
    let before: f64 = value(&project, revenue).parse().unwrap();
    let confirm = "UPDATE sale_sale SET state = 'processing', number = 'R1', sale_date = '2026-11-22', \
        untaxed_amount_cache = -578.38, write_date = now() AT TIME ZONE 'UTC' WHERE id = 61";
    server.sql("tryton", confirm);
    execute(&project, server, "tryton", "2026-11-23").ended(0);
    let after: f64 = value(&project, revenue).parse().unwrap();
    assert!((before - after - 578.38).abs() < 0.001, "{before} {after}");
    let returns =
        "SELECT order_id, line_number, CAST(quantity AS BIGINT), returned_on, reason FROM staging.stg_erp__returns";
    assert_eq!(lines(&project, returns), "1|1|2|2026-11-22|Sale");
    assert_eq!(value(&project, "SELECT count(*) FROM staging.stg_erp__orders"), "248");
}

#[test]
fn figures_in_another_currency_than_the_erps_are_not_published() {
    let Some(server) = postgres_server() else { return };
    odoo(server, "odoo_dollars", false);
    let folder = tempfile::tempdir().unwrap();
    let project = begin(folder.path(), "odoo", "USD");
    let ran = execute(&project, server, "odoo_dollars", "2026-06-01").ended(1);
    assert!(ran.stderr.contains("tests.erp_currency") && ran.stderr.contains("not published"), "{}", ran.stderr);
}

fn odoo(server: &PostgresServer, name: &str, is_18: bool) {
    server.database(name);
    server.sql(name, include_str!("../fixtures/odoo.sql"));
    if is_18 {
        server.sql(name, include_str!("../fixtures/odoo_18.sql"));
    }
}

#[test]
fn odoos_figures_are_those_worked_out_by_hand_in_version_14_and_18() {
    let Some(server) = postgres_server() else { return };
    for (database, is_18) in [("odoo_14", false), ("odoo_18", true)] {
        odoo(server, database, is_18);
        let folder = tempfile::tempdir().unwrap();
        let project = begin(folder.path(), "odoo", "EUR");
        let ran = execute(&project, server, database, "2026-06-01").ended(0);
        let absent = "erp.properties: the database has no `ir_property` that the account can read; the table is empty";
        assert_eq!(ran.stderr.contains(absent), is_18, "{}", ran.stderr);
        let rows = |sql: &str| lines(&project, sql);
        assert_eq!(rows("SELECT count(*) FROM system.rejects"), "0");
        // 33.00 + 10.00 without tax + 125.00 dollars at 1.25 + 50.00, and a third of 27.00 came back.
        assert_eq!(rows("SELECT sum(revenue) FROM core.order_lines"), "184.00");
        // (3 + 1 + 10 - 1) hammers at 4.00 and 24 screws at 0.10; nobody knows what a repair costs.
        assert_eq!(rows("SELECT sum(cost) FROM core.order_lines"), "54.40");
        assert_eq!(
            rows("SELECT customer_id, name, email, phone, customer_since FROM core.customers ORDER BY 1"),
            "2|Holz AG|einkauf@holz.example|49305551234|2026-02-01\n\
             4|Li Wei|li.wei@example.cn|8613800138000|2026-04-10\n\
             5|Acme Ltd|bob@acme.example|12025550143|2026-04-01"
        );
        assert_eq!(
            rows("SELECT product_id, name, category, CAST(unit_cost AS DECIMAL(18, 2)) FROM core.products ORDER BY 1"),
            format!(
                "1|Hammer|Tools|4.00\n2|Screw|Tools|0.10\n3|{}|Services|",
                if is_18 { "Reparatur" } else { "Repair" }
            )
        );
        assert_eq!(
            rows("SELECT invoice_id, order_id, due_on, paid_on, amount, overdue_days FROM core.receivables ORDER BY 1"),
            "1|1|2026-05-02|2026-04-25|33.00|0\n2|3|2026-06-15||100.00|0"
        );
        assert_eq!(
            rows(
                "SELECT payment_id, invoice_id, amount, currency, company_amount FROM staging.stg_erp__payments ORDER BY 1"
            ),
            "21|1|39.2700|EUR|39.27\n31|2|62.5000|USD|50.00"
        );
        assert_eq!(rows("SELECT account_id, credit_limit FROM staging.stg_erp__credit_limits"), "2|10000.00");
        assert_eq!(
            rows("SELECT complaint_id, account_id, order_id, rating FROM staging.stg_erp__complaints"),
            "1|2|1|1.0"
        );
        assert_eq!(
            rows("SELECT lead_id, account_id, status, closed_on FROM staging.stg_erp__leads ORDER BY 1"),
            "1||open|\n2|5|won|2026-04-15\n3|4|lost|2026-04-20"
        );
        // As it was known on 17 May: the first instalment was a day late.
        execute(&project, server, database, "2026-05-17").ended(0);
        let open = "SELECT invoice_id, due_on, company_open_amount FROM staging.stg_erp__invoices WHERE status = 'open' \
                    AND kind = 'invoice'";
        assert_eq!(rows(open), "2|2026-05-16|100.00");
        assert_eq!(rows("SELECT overdue_days FROM core.receivables WHERE invoice_id = '2'"), "1");
        assert_eq!(query(&project, "SELECT * FROM core.order_lines").len(), 6);
    }
}
