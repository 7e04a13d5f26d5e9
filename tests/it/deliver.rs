//! Deliveries of a whole project: who gets which edition, what is told, what is never sent twice.

use crate::support::{Ran, query, run, value};
use perennial_testing::SmtpServer;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn write(project: &Path, path: &str, text: &str) {
    let path = project.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A company of two regions whose sales are reported monthly; mail goes where `mail` says.
fn company(project: &Path, mail: &str) {
    write(
        project,
        "perennial.yml",
        &format!(
            "name: Acme\nlake: lake\nas_of: 2026-04-02\nlanguages: [en, zh-CN]\nmemory_limit: 256MB\n\
             mail:\n  from: \"Acme reports <reports@acme.example>\"\n{mail}\
             notify:\n  - {{on: [failure, recovery, warning, delivery], mail: [ops@acme.example]}}\n\
             metrics_file: metrics/perennial.prom\n"
        ),
    );
    write(project, "pipelines/nightly.yml", "description: All\nsources: [\"*\"]\nsteps: [\"*\"]\nreports: [\"*\"]\n");
    write(
        project,
        "pipelines/sources/shop.yml",
        "description: The shop\nlocation: data\ntables:\n  sales:\n    files: \"sales-*.csv\"\n    format: csv\n    key: [id]\n\
         \x20   columns:\n      id: {type: integer, required: true}\n      region: {type: text, required: true}\n\
         \x20     sold_on: {type: date, required: true}\n      amount: {type: decimal, precision: 18, scale: 2, required: true}\n",
    );
    write(
        project,
        "sql/core/sales.sql",
        "/* ---\ndescription: Sales\ngrain: [id]\n--- */\n\
         SELECT id, region, sold_on, amount FROM {{ source('shop', 'sales') }} WHERE sold_on < DATE '{{ as_of }}'\n",
    );
    write(
        project,
        "sql/core/managers.sql",
        "/* ---\ndescription: Who answers for a region\ngrain: [region]\n--- */\n\
         SELECT * FROM (VALUES ('North', 'north@acme.example', 'en'), ('South', 'south@acme.example', 'zh-CN'), \
         ('West', '', 'en')) AS managers(region, email, language)\n",
    );
    write(
        project,
        "sql/tests/no_negative_sale.sql",
        "/* ---\ndescription: A sale is not negative\n--- */\n\
         SELECT id, amount FROM {{ ref('core.sales') }} WHERE amount < 0\n",
    );
    write(
        project,
        "report-templates/sales/report.md",
        "---\ntitle: {en: Sales, zh-CN: 销售}\nperiod: month\nparameters: [region]\n---\n\
         {{ verdict(period.title ~ ': ' ~ (total(regions, 'amount') | amount)) }}\n\n\
         {{ table(regions, columns=[{'key': 'region', 'label': 'Region'}, {'key': 'amount', 'label': 'Amount', 'format': 'money', 'unit': currency}]) }}\n\n\
         {{ footer() }}\n",
    );
    write(
        project,
        "report-templates/sales/queries/regions.sql",
        "SELECT region, sum(amount) AS amount FROM core.sales WHERE sold_on >= DATE '{{ period.start }}' \
         AND sold_on < DATE '{{ period.end }}' GROUP BY region ORDER BY region\n",
    );
}

const OUTBOX: &str = "  server: folder:outbox\n";

fn deliveries(project: &Path, text: &str) {
    write(project, "report-templates/sales/delivery.yml", text);
}

/// A file of sales in March.
fn sales(project: &Path, number: u64, amounts: &[(&str, &str)]) {
    let mut text = "id,region,sold_on,amount\n".to_string();
    for (row, (region, amount)) in amounts.iter().enumerate() {
        writeln!(text, "{},{region},2026-03-1{row},{amount}", number * 10 + row as u64).unwrap();
    }
    write(project, &format!("data/sales-{number}.csv"), &text);
}

fn perennial(project: &Path, args: &[&str]) -> Ran {
    run(args.iter().map(AsRef::as_ref).chain(["--project".as_ref(), project.as_os_str()]))
}

/// The mails in the folder that stands for a server, as text, by recipient.
fn mails(project: &Path) -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(project.join("outbox")) {
        Ok(listing) => listing.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    files.retain(|file| file.extension().is_some_and(|ending| ending == "eml"));
    files.sort();
    let text = |file: &PathBuf| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let to = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
        line.rsplit_once('<').map_or(line, |(_, address)| address).trim_end_matches('>').to_string()
    };
    files.iter().map(text).map(|text| (to(&text), text)).collect()
}

fn recipients(project: &Path) -> Vec<String> {
    let mut all: Vec<String> = mails(project).into_iter().map(|(to, _)| to).collect();
    all.sort();
    all
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    mail.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("{name} in {mail}"))
}

#[test]
fn a_new_edition_is_delivered_once_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    deliveries(
        project,
        "- name: board\n  mail: [ceo@acme.example, {address: \"王 <wang@acme.example>\", language: zh-CN}]\n\
         - folder: site\n",
    );
    sales(project, 1, &[("North", "10.00"), ("South", "20.00")]);
    // A run by itself issues; only `--deliver` and `deliver` send.
    perennial(project, &["run"]).ended(0);
    assert_eq!(recipients(project), [""; 0]);
    let preview = perennial(project, &["deliver", "--preview", "--format", "json"]).ended(0).json();
    let channels: Vec<&str> = preview.as_array().unwrap().iter().map(|m| m["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["mail", "mail", "folder"]);
    assert!(preview.as_array().unwrap().iter().all(|message| message["state"].is_null()), "{preview}");
    assert_eq!(recipients(project), [""; 0]);

    perennial(project, &["deliver"]).ended(0);
    assert_eq!(recipients(project), ["ceo@acme.example", "wang@acme.example"]);
    perennial(project, &["deliver"]).ended(0);
    perennial(project, &["run", "--deliver"]).ended(0);
    assert_eq!(recipients(project).len(), 2, "the same edition is not sent twice");
    assert!(project.join("site/sales/2026-03/en.html").is_file() && project.join("site/index.html").is_file());
    assert!(!project.join("site/sales/2026-03/edition.json").exists());

    // What was sent is tied to run, release and edition.
    let rows = query(
        project,
        "SELECT d.recipient, d.state, d.edition, d.message_id, r.status FROM system.deliveries d \
         JOIN system.releases l ON l.number = d.release JOIN system.runs r ON r.run_id = l.run_id AND r.run_id = d.run_id \
         ORDER BY d.recipient",
    );
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(
        rows.iter().all(|row| row["state"] == "sent" && row["edition"] == 1 && row["status"] == "done"),
        "{rows:?}"
    );
    let sent: Vec<String> = mails(project).iter().map(|(_, mail)| header(mail, "Message-ID").to_string()).collect();
    let recorded: Vec<&str> = rows.iter().filter_map(|row| row["message_id"].as_str()).collect();
    assert_eq!(recorded.len(), 2);
    assert!(recorded.iter().all(|id| sent.iter().any(|sent| sent == id)), "{recorded:?} {sent:?}");

    // Late rows change the page: another edition, another message.
    sales(project, 2, &[("North", "5.00")]);
    perennial(project, &["run", "--deliver"]).ended(0);
    assert_eq!(recipients(project).len(), 4);
    assert_eq!(value(project, "SELECT count(DISTINCT message_id) FROM system.deliveries"), "4");
    let list = perennial(project, &["deliver", "list", "--format", "csv"]).ended(0).stdout;
    assert_eq!(list.lines().count(), 1 + 6, "{list}");
}

#[test]
fn a_delivery_that_is_new_in_the_project_sends_the_newest_edition_only() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    for number in 1..4 {
        sales(project, number, &[("North", "10.00"), ("South", "1.00")]);
        perennial(project, &["run"]).ended(0);
    }
    perennial(project, &["report", "sales", "--period", "2026-02"]).ended(2);
    deliveries(project, "- mail: [ceo@acme.example]\n");
    perennial(project, &["deliver"]).ended(0);
    assert_eq!(recipients(project), ["ceo@acme.example"]);
    assert_eq!(value(project, "SELECT max(edition) FROM system.deliveries"), "3");
}

#[test]
fn rows_get_their_own_pages_and_those_without_an_address_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    deliveries(
        project,
        "- name: managers\n  for_each:\n    query: SELECT region, email, language FROM core.managers\n\
         \x20   parameters: [region]\n    address: email\n    language: language\n",
    );
    sales(project, 1, &[("North", "10.00"), ("South", "20.00"), ("West", "30.00")]);
    let ran = perennial(project, &["run", "--deliver"]);
    assert_eq!(recipients(project), ["north@acme.example", "ops@acme.example", "south@acme.example"], "{}", ran.stderr);
    assert!(ran.stderr.contains("region = West") && ran.stderr.contains("`email` is empty"), "{}", ran.stderr);
    for (to, mail) in mails(project).into_iter().filter(|(to, _)| !to.starts_with("ops")) {
        let other = if to.starts_with("north") { "South" } else { "North" };
        assert!(!mail.contains(other), "{to} sees {other}");
    }
    // What is wrong with a row stays said, by every pass, by the status, and to those who watch.
    for _ in 0..2 {
        let again = perennial(project, &["deliver"]).ended(1);
        assert!(again.stderr.contains("region = West"), "{}", again.stderr);
    }
    let status = perennial(project, &["status"]).ended(1).stdout;
    assert!(status.contains("delivery   row region = West"), "{status}");
    let told: Vec<String> =
        mails(project).into_iter().filter(|(to, _)| to.starts_with("ops")).map(|(_, m)| m).collect();
    assert!(told.len() == 1 && told[0].contains("region =") && told[0].contains("West"), "{told:?}");
    // Nothing is sent again, neither by another pass nor by a run in which nothing is new.
    perennial(project, &["deliver"]);
    perennial(project, &["run", "--deliver"]);
    assert_eq!(recipients(project).len(), 3);
    // Rows of one region alone change its page.
    sales(project, 2, &[("South", "1.00")]);
    perennial(project, &["run", "--deliver"]);
    let to_managers: Vec<String> = recipients(project).into_iter().filter(|to| !to.starts_with("ops")).collect();
    assert_eq!(to_managers, ["north@acme.example", "south@acme.example", "south@acme.example"]);
    let parameters =
        value(project, "SELECT string_agg(DISTINCT parameters, ' ' ORDER BY parameters) FROM system.deliveries");
    assert!(parameters.contains("North") && parameters.contains("South"), "{parameters}");
}

#[test]
fn each_word_of_when_sends_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    write(
        project,
        "report-templates/sales/queries/not_empty.sql",
        "SELECT region FROM core.sales WHERE amount > 100\n",
    );
    deliveries(
        project,
        "- {when: each_run, mail: [each@acme.example]}\n- {when: new_edition, mail: [new@acme.example]}\n\
         - {when: not_empty, mail: [warned@acme.example]}\n",
    );
    let mut expected = Vec::new();
    let mut check = |sent: &[&str], why: &str| {
        expected.extend(sent.iter().map(|name| format!("{name}@acme.example")));
        expected.sort();
        perennial(project, &["run", "--deliver"]).ended(0);
        assert_eq!(recipients(project), expected, "{why}");
    };
    sales(project, 1, &[("North", "10.00"), ("South", "20.00")]);
    check(&["each", "new"], "the first edition has nothing to warn of");
    check(&["each"], "nothing new");
    sales(project, 2, &[("North", "500.00")]);
    check(&["each", "new", "warned"], "a new edition with something to warn of");
    // A pass without a run has no run of its own.
    perennial(project, &["deliver"]).ended(0);
    assert_eq!(recipients(project).len(), 6);
}

#[test]
fn pages_that_failed_their_tests_are_not_sent_and_readers_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    deliveries(project, "- mail: [ceo@acme.example, {address: wang@acme.example, language: zh-CN}]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run", "--deliver"]).ended(0);
    sales(project, 2, &[("North", "-777.25")]);
    perennial(project, &["run", "--deliver"]).ended(1);
    perennial(project, &["run", "--deliver"]).ended(1);
    let all = mails(project);
    let to = |address: &str| all.iter().filter(|(to, _)| to == address).map(|(_, mail)| mail).collect::<Vec<_>>();
    assert_eq!((to("ceo@acme.example").len(), to("wang@acme.example").len()), (2, 2), "the page, and one line");
    let line = to("ceo@acme.example")[1];
    assert!(!line.contains("multipart") && !line.contains("no_negative_sale"), "{line}");
    // Those who watch are told once, with test, count and what to do, and never a value of a row.
    let [failure] = to("ops@acme.example").try_into().unwrap();
    assert!(header(failure, "Subject").contains("nightly"), "{failure}");
    for words in ["tests.no_negative_sale", "1 row", "perennial runs", "perennial run nightly"] {
        assert!(failure.contains(words), "{words} is not in\n{failure}");
    }
    assert!(!failure.contains("777"), "{failure}");
    // A good run: the new edition to readers, the recovery to those who watch.
    std::fs::remove_file(project.join("data/sales-2.csv")).unwrap();
    sales(project, 3, &[("North", "7.00")]);
    perennial(project, &["run", "--deliver", "--full-refresh"]).ended(0);
    let all = mails(project);
    let subjects: Vec<&str> =
        all.iter().filter(|(to, _)| to == "ops@acme.example").map(|(_, mail)| header(mail, "Subject")).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects.iter().any(|subject| subject.contains("good again")), "{subjects:?}");
    assert_eq!(all.iter().filter(|(to, _)| to == "ceo@acme.example").count(), 3);
}

#[test]
fn one_of_several_recipients_is_refused_and_nobody_else_waits() {
    let server = SmtpServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, &format!("  server: smtp://localhost:{}\n  tls: off\n", server.port));
    deliveries(
        project,
        "- mail: [a@acme.example, refused@acme.example, b@acme.example, c@acme.example, d@acme.example]\n",
    );
    sales(project, 1, &[("North", "10.00")]);
    let ran = perennial(project, &["run", "--deliver"]);
    let taken: Vec<String> = server.taken().iter().map(|mail| mail.envelope("to").to_string()).collect();
    for to in ["a@", "b@", "c@", "d@", "ops@"] {
        assert_eq!(taken.iter().filter(|taken| taken.contains(to)).count(), 1, "{to} of {taken:?}\n{}", ran.stderr);
    }
    assert!(!taken.iter().any(|taken| taken.contains("refused@")));
    assert_eq!(
        value(project, "SELECT count(*) FROM system.deliveries WHERE state = 'refused' AND code LIKE '5%'"),
        "1"
    );
    let status = perennial(project, &["status"]).ended(1).stdout;
    assert!(status.contains("refused: sales 2026-03 to refused@acme.example"), "{status}");
    // Once more, when the server takes it.
    let listed = perennial(project, &["deliver", "list", "--open", "--format", "json"]).ended(0).json();
    let id = listed[0]["id"].as_str().unwrap().to_string();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    perennial(project, &["deliver", "--again", &id]).ended(1);
    assert_eq!(value(project, "SELECT count(*) FROM system.deliveries WHERE state = 'refused'"), "2");
    perennial(project, &["deliver", "--again", "0000000000"]).ended(2);
}

#[test]
fn a_mail_server_that_is_away_delays_the_mail_and_not_the_release() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    // A port at which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    company(project, &format!("  server: smtp://localhost:{port}\n  tls: off\n"));
    deliveries(project, "- mail: [a@acme.example, b@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run", "--deliver"]).ended(0);
    assert_eq!(value(project, "SELECT count(*) FROM system.releases"), "1");
    let listed = perennial(project, &["deliver", "list", "--format", "json"]).ended(0).json();
    let mut states: Vec<&str> = listed.as_array().unwrap().iter().map(|m| m["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["failed", "queued"], "the server is asked once: {listed}");
    let metrics = std::fs::read_to_string(project.join("metrics/perennial.prom")).unwrap();
    assert!(metrics.contains("perennial_outbox_messages{state=\"waiting\"} 2"), "{metrics}");
    assert!(metrics.contains("perennial_last_run_exit_code{pipeline=\"nightly\"} 0"), "{metrics}");
    // The mail is due again at once only where it was not tried; why it waits is said once for the server.
    let again = perennial(project, &["deliver"]).ended(3);
    assert_eq!(again.stderr.matches("error:").count(), 1, "{}", again.stderr);
    assert!(again.stderr.contains("waits: ") && !again.stdout.contains("no messages"), "{}", again.stderr);
    let status = perennial(project, &["status"]).stdout;
    assert!(status.contains("2 waiting to be sent, the first since"), "{status}");
}

#[test]
fn a_page_that_is_away_for_a_moment_is_sent_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    company(project, &format!("  server: smtp://localhost:{port}\n  tls: off\n"));
    deliveries(project, "- mail: [a@acme.example]\n- mail: [b@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run", "--deliver"]).ended(0);
    // The folder of reports is an empty mount point for one pass, and a delivery is removed for another one.
    std::fs::rename(project.join("reports"), project.join("away")).unwrap();
    std::fs::create_dir(project.join("reports")).unwrap();
    perennial(project, &["deliver"]);
    std::fs::remove_dir_all(project.join("reports")).unwrap();
    std::fs::rename(project.join("away"), project.join("reports")).unwrap();
    deliveries(project, "- mail: [a@acme.example]\n");
    perennial(project, &["deliver"]);
    company(project, OUTBOX);
    deliveries(project, "- mail: [a@acme.example]\n- mail: [b@acme.example]\n");
    perennial(project, &["deliver"]);
    let b = recipients(project);
    assert!(b.contains(&"b@acme.example".to_string()), "what was not wanted for a while is: {b:?}");
    let states = perennial(project, &["deliver", "list", "--format", "json"]).ended(0).json();
    let state = |to: &str| {
        states.as_array().unwrap().iter().find(|m| m["recipient"] == to).unwrap()["state"].as_str().unwrap().to_string()
    };
    assert_eq!((state("a@acme.example").as_str(), state("b@acme.example").as_str()), ("failed", "sent"), "{states}");
}

#[test]
fn a_query_for_rows_that_cannot_run_is_a_mistake_of_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    sales(project, 1, &[("North", "10.00")]);
    for (query, says) in [
        ("SELEC x", "SELEC"),
        ("SELECT region, email FROM core.nope", "core.nope"),
        ("SELECT region, language FROM core.managers", "no column `email`"),
        ("SELECT email FROM core.managers", "no column `region`"),
    ] {
        deliveries(
            project,
            &format!("- for_each:\n    query: {query}\n    parameters: [region]\n    address: email\n"),
        );
        let checked = perennial(project, &["check"]).ended(2);
        assert!(checked.stderr.contains(says) && checked.stderr.contains("delivery.yml:2"), "{}", checked.stderr);
        perennial(project, &["run", "--deliver"]).ended(2);
    }
    deliveries(
        project,
        "- for_each:\n    query: SELECT region, email FROM core.managers\n    parameters: [region]\n    address: email\n",
    );
    perennial(project, &["check"]).ended(0);
}

#[test]
fn a_damaged_event_is_said_and_stops_no_other_message() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    deliveries(project, "- mail: [ceo@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run"]).ended(0);
    perennial(project, &["status"]).ended(0);
    let month = crate::status::now().strftime("%Y-%m").to_string();
    write(project, &format!("lake/_perennial/outbox/{month}/aaaaaaaaaaaaaaaaaaaa/1-queued.json"), "");
    let ran = perennial(project, &["deliver"]).ended(1);
    assert!(ran.stderr.contains("aaaaaaaaaaaaaaaaaaaa/1-queued.json"), "{}", ran.stderr);
    assert_eq!(recipients(project), ["ceo@acme.example"]);
    let status = perennial(project, &["status"]).ended(1).stdout;
    assert!(status.contains("aaaaaaaaaaaaaaaaaaaa/1-queued.json"), "{status}");
    perennial(project, &["deliver", "list"]).ended(1);
}

#[test]
fn a_page_that_is_too_large_is_left_out_and_the_mail_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, &format!("{OUTBOX}  attach_max: 1KB\n"));
    let settings = std::fs::read_to_string(project.join("perennial.yml")).unwrap();
    write(project, "perennial.yml", &format!("{settings}reports_url: https://reports.acme.example\n"));
    deliveries(project, "- mail: [ceo@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run", "--deliver"]).ended(0);
    let all = mails(project);
    let (_, mail) = &all[0];
    assert!(!mail.contains("application/pdf"), "{mail}");
    let unfolded = mail.replace("=\r\n", "").replace("=\n", "");
    assert!(unfolded.contains("https://reports.acme.example/sales/2026-03/en.html"), "{unfolded}");
}

#[test]
fn a_trial_mail_goes_to_one_address_and_counts_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    deliveries(project, "- mail: [ceo@acme.example]\n");
    perennial(project, &["deliver", "--test", "me@acme.example"]).ended(2);
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run"]).ended(0);
    perennial(project, &["deliver", "--test", "me@acme.example", "--language", "zh-CN"]).ended(0);
    perennial(project, &["deliver", "--test", "me@acme.example\nBcc: all@acme.example"]).ended(2);
    assert_eq!(recipients(project), ["me@acme.example"]);
    assert_eq!(value(project, "SELECT count(*) FROM system.deliveries"), "0");
    perennial(project, &["deliver"]).ended(0);
    assert_eq!(recipients(project), ["ceo@acme.example", "me@acme.example"]);
}

#[test]
fn a_preview_writes_everything_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, OUTBOX);
    deliveries(
        project,
        "- mail: [ceo@acme.example]\n- webhook: {kind: slack, url: \"${SALES_HOOK:-https://hooks.example/T0/secret-part}\"}\n\
         - folder: site\n",
    );
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run"]).ended(0);
    let into = folder.path().join("look");
    perennial(project, &["deliver", "--preview", into.to_str().unwrap()]).ended(0);
    let names: Vec<String> = std::fs::read_dir(&into)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(
        names.iter().any(|name| name.ends_with(".eml")) && names.iter().any(|name| name.ends_with(".json")),
        "{names:?}"
    );
    assert!(!project.join("site").exists() && recipients(project).is_empty());
    // The URL of a webhook is a secret: it is in no table.
    let listed = perennial(project, &["deliver", "--preview", "--format", "csv"]).ended(0).stdout;
    assert!(listed.contains("slack (") && !listed.contains("secret-part"), "{listed}");
}

/// A process that dies while it sends leaves a message of which nobody knows; it is never sent again by itself.
#[test]
fn a_message_whose_sender_was_killed_is_unknown_until_somebody_decides() {
    let server = SmtpServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, &format!("  server: smtp://localhost:{}\n  tls: off\n  timeout: 60s\n", server.port));
    deliveries(project, "- mail: [hang-data@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run"]).ended(0);
    let mut child = crate::support::perennial(["deliver", "--project", project.to_str().unwrap()]).spawn().unwrap();
    let sending = || {
        let outbox = project.join("lake/_perennial/outbox");
        let months = std::fs::read_dir(outbox).into_iter().flatten().flatten();
        let ids = months.flat_map(|month| std::fs::read_dir(month.path()).into_iter().flatten().flatten());
        ids.flat_map(|id| std::fs::read_dir(id.path()).into_iter().flatten().flatten())
            .any(|event| event.file_name().to_string_lossy().contains("sending"))
    };
    let began = std::time::Instant::now();
    while !sending() {
        assert!(began.elapsed().as_secs() < 60, "nothing was sent");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(server);
    company(project, OUTBOX);
    for _ in 0..2 {
        perennial(project, &["deliver"]);
        assert_eq!(recipients(project), ["ops@acme.example"], "told once, sent not at all");
    }
    let (_, notice) = &mails(project)[0];
    assert!(notice.contains("unknown") && notice.contains("perennial deliver --again"), "{notice}");
    let status = perennial(project, &["status", "--format", "json"]).ended(1).json();
    assert_eq!(status["outbox"][0]["state"], "unknown", "{status}");
    let id = status["outbox"][0]["id"].as_str().unwrap();
    perennial(project, &["deliver", "--again", &id[..8]]).ended(0);
    assert_eq!(recipients(project), ["hang-data@acme.example", "ops@acme.example"]);
    perennial(project, &["status"]).ended(0);
    let states = value(project, "SELECT string_agg(state, ' ' ORDER BY state) FROM system.deliveries");
    assert_eq!(states, "sent unknown");
}

#[test]
fn a_server_that_hangs_before_the_message_is_tried_again_and_after_it_is_unknown() {
    let server = SmtpServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, &format!("  server: smtp://localhost:{}\n  tls: off\n  timeout: 2s\n", server.port));
    deliveries(project, "- mail: [hang-recipient@acme.example, hang-data@acme.example, fine@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run"]).ended(0);
    for _ in 0..3 {
        perennial(project, &["deliver"]);
    }
    let listed = perennial(project, &["deliver", "list", "--format", "json"]).ended(0).json();
    let state = |to: &str| {
        let of = |m: &&serde_json::Value| m["recipient"].as_str().is_some_and(|recipient| recipient.starts_with(to));
        listed.as_array().unwrap().iter().find(of).unwrap()["state"].as_str().unwrap().to_string()
    };
    assert_eq!([state("fine"), state("hang-data"), state("hang-recipient")], ["sent", "unknown", "failed"], "{listed}");
    let to_fine = server.taken().iter().filter(|mail| mail.envelope("to").contains("fine@")).count();
    assert_eq!(to_fine, 1);
}

/// No file can be written, as on a full disk: then nothing is sent, because nobody would know of it.
#[cfg(unix)]
#[test]
fn nothing_is_sent_that_cannot_be_noted_before() {
    let server = SmtpServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    company(project, &format!("  server: smtp://localhost:{}\n  tls: off\n", server.port));
    deliveries(project, "- mail: [ceo@acme.example]\n");
    sales(project, 1, &[("North", "10.00")]);
    perennial(project, &["run"]).ended(0);
    let full = |program: &std::ffi::OsStr| {
        let line = "trap '' XFSZ; ulimit -f 0; exec \"$0\" deliver --project \"$1\"";
        std::process::Command::new("sh").args(["-c", line]).arg(program).arg(project).output().unwrap()
    };
    let ran = Ran::from(full(crate::support::perennial(["deliver"]).get_program()));
    assert_eq!((ran.code, server.taken().len()), (3, 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write"), "{}", ran.stderr);
    perennial(project, &["deliver"]).ended(0);
    assert_eq!(server.taken().len(), 1);
}
