//! Who gets reports.

use super::*;

const MAIL: &str = "mail: {from: a@example.com, server: \"folder:outbox\"}\n";
const REPORT: &str = "---\ntitle: {en: A, zh-CN: 甲}\nlanguages: [en, zh-CN]\nparameters: [region, manager]\nqueries: {not_empty: SELECT 1}\n---\n";

fn with(settings: &str, report: &str, delivery: &str) -> Result<Project, Problems> {
    let project = format!("{PROJECT}{settings}");
    load(&[
        ("perennial.yml", &project),
        ("report-templates/a/report.md", report),
        ("report-templates/a/delivery.yml", delivery),
    ])
}

fn said(delivery: &str) -> String {
    written(with(MAIL, REPORT, delivery))
}

fn read(delivery: &str) -> (Vec<Delivery>, Project) {
    let project = with(MAIL, REPORT, delivery).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    (project.reports[0].deliveries.clone(), project)
}

#[test]
fn every_kind_of_recipient_is_read() {
    let (deliveries, project) = read(
        "- name: board\n  mail: [ceo@example.com, {address: \"王 <wang@example.com>\", language: zh-CN}]\n\
         - when: changed_figures\n  for_each:\n    query: |\n      SELECT region, email, language\n      FROM core.managers\n    \
         parameters: [region]\n    address: email\n    language: language\n\
         - {folder: ../copies, when: each_run}\n- {store: \"s3://${BUCKET}/site/\", when: not_empty}\n\
         - webhook: {kind: teams, url: \"${TEAMS_URL}\", language: en}\n\
         - {name: by-region, folder: /srv/regions, for_each: {query: SELECT region FROM core.regions, parameters: region}}\n",
    );
    let names: Vec<&str> = deliveries.iter().map(|delivery| delivery.name.as_str()).collect();
    assert_eq!(names, ["board", "2", "3", "4", "5", "by-region"]);
    let when: Vec<DeliverWhen> = deliveries.iter().map(|delivery| delivery.when).collect();
    use DeliverWhen::{ChangedFigures, EachRun, NewEdition, NotEmpty};
    assert_eq!(when, [NewEdition, ChangedFigures, EachRun, NotEmpty, NewEdition, NewEdition]);
    assert_eq!(deliveries[1].place.to_string(), "report-templates/a/delivery.yml:3:3");
    let Recipients::Mail(board) = &deliveries[0].to else { panic!() };
    assert_eq!((board[0].address.address.as_str(), board[0].language), ("ceo@example.com", None));
    assert_eq!((board[1].address.name.as_deref(), board[1].language), (Some("王"), Some(chinese())));
    let Recipients::OfRows { address_column, language_column } = &deliveries[1].to else { panic!() };
    assert_eq!((address_column.as_str(), language_column.as_deref()), ("email", Some("language")));
    let each = deliveries[1].for_each.as_ref().unwrap();
    assert_eq!(
        (each.query.as_str(), &each.parameters[..]),
        ("SELECT region, email, language\nFROM core.managers\n", &["region".to_string()][..])
    );
    assert!(each.file.text[each.offset..].starts_with("SELECT region, email"));
    assert!(
        matches!(&deliveries[2].to, Recipients::Folder(path) if *path == project.root.parent().unwrap().join("copies"))
    );
    assert!(matches!(&deliveries[3].to, Recipients::Store(url) if url == "s3://figures/site"));
    assert!(matches!(&deliveries[4].to, Recipients::Webhook(webhook) if webhook.kind == WebhookKind::Teams));
    assert!(matches!(&deliveries[5].to, Recipients::Folder(_)));
    assert!(deliveries[5].for_each.is_some() && deliveries[0].for_each.is_none());
    assert_eq!(project.reports[0].parameters, ["region", "manager"]);
    assert!(project.files.iter().any(|file| file.path == "report-templates/a/delivery.yml"));

    assert_eq!(read("mail: a@example.com\n").0.len(), 1);
    assert!(read("# nobody yet\n").0.is_empty());
    // In another language it is another page.
    let twice = "- mail: [a@example.com, {address: a@example.com, language: zh-CN}]\n";
    assert!(matches!(&read(twice).0[0].to, Recipients::Mail(both) if both.len() == 2));
}

#[test]
fn every_mistake_of_a_delivery_is_reported_at_its_place() {
    insta::assert_snapshot!(said(
        "- {name: The Board, when: new_editions, mail: [ceo, {adress: a@example.com}, {address: b@example.com, language: zh-TW}]}\n\
         - {mail: [c@example.com, C@example.com]}\n- {mail: c@example.com, folder: x}\n- {mails: a@example.com}\n- mail: []\n- x@example.com\n\
         - {name: \"5\", mail: d@example.com}\n- {store: \"s3://key:s3cret@bucket\"}\n- {store: /srv/x}\n- {folder: \"s3://bucket\"}\n\
         - {folder: reports/copies}\n- {folder: lake}\n- {folder: .}\n- {webhook: {kind: teams, url: \"${U}\", language: zh-TW}}\n- {webhook: {}}\n"), @r##"
        report-templates/a/delivery.yml:1:10: `The Board` cannot be the name of a delivery: only a-z, 0-9, _ and - are allowed [call it `the-board`]
        report-templates/a/delivery.yml:1:27: `when` is `new_editions` [expected one of `each_run`, `new_edition`, `changed_figures`, `not_empty`]
        report-templates/a/delivery.yml:1:48: `ceo` is not an email address: it has no `@` [write `name@example.com` or `Name <name@example.com>`]
        report-templates/a/delivery.yml:1:53: a recipient needs `address`
        report-templates/a/delivery.yml:1:54: unknown key `adress` in a recipient [did you mean `address`?]
        report-templates/a/delivery.yml:1:113: `language` is `zh-TW`, in which the report is not issued [expected one of `en`, `zh-CN`]
        report-templates/a/delivery.yml:2:26: duplicate recipient `C@example.com`, first in line 2 [the same report would be sent twice; remove one of them]
        report-templates/a/delivery.yml:3:10: duplicate recipient `c@example.com`, first in line 2 [the same report would be sent twice; remove one of them]
        report-templates/a/delivery.yml:3:25: a delivery has one kind of recipient [write a delivery for each]
        report-templates/a/delivery.yml:4:3: a delivery needs a recipient [write `mail`, `folder`, `store` or `webhook`]
        report-templates/a/delivery.yml:4:4: unknown key `mails` in a delivery [did you mean `mail`?]
        report-templates/a/delivery.yml:5:3: `mail` is empty [list addresses]
        report-templates/a/delivery.yml:6:3: a delivery must be a mapping, found a single value
        report-templates/a/delivery.yml:7:10: duplicate name `5`, first at report-templates/a/delivery.yml:5:3 [a delivery without a `name` has its number as name]
        report-templates/a/delivery.yml:8:11: the location contains a password [set access keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...)]
        report-templates/a/delivery.yml:9:11: `store` is `/srv/x`, which is not a place of an object store [write it as `s3://bucket/path`, `gs://bucket/path` or `az://container/path`; a path on this machine is a `folder`]
        report-templates/a/delivery.yml:10:12: `folder` is `s3://bucket`, which is not a folder [write `store` for a place of an object store]
        report-templates/a/delivery.yml:11:12: `folder` is `reports/copies`, and `reports` of perennial.yml is there too [name a folder of its own]
        report-templates/a/delivery.yml:12:12: `folder` is `lake`, and `lake` of perennial.yml is there too [name a folder of its own]
        report-templates/a/delivery.yml:13:12: `folder` is `.`, and `reports` of perennial.yml is there too [name a folder of its own]
        report-templates/a/delivery.yml:14:50: `language` is `zh-TW`, in which the report is not issued [expected one of `en`, `zh-CN`]
        report-templates/a/delivery.yml:15:4: `webhook` needs `kind`
        report-templates/a/delivery.yml:15:4: `webhook` needs `url`
        "##);
    insta::assert_snapshot!(said(
        "- for_each: {query: SELECT 1, parameters: [regon, region, region]}\n\
         - for_each: {query: SELECT 1, parameters: [region], address: E Mail, languag: x}\n\
         - for_each: {parameters: , language: tag}\n  folder: x\n- {for_each: SELECT 1, mail: a@example.com}\n\
         - {for_each: {query: SELECT 1, parameters: [region], address: email}, mail: a@example.com}\n"), @r##"
        report-templates/a/delivery.yml:1:3: a delivery needs a recipient [write `address` in `for_each`, or `mail`, `folder`, `store` or `webhook`]
        report-templates/a/delivery.yml:1:44: the report has no parameter `regon` [did you mean `region`?]
        report-templates/a/delivery.yml:1:59: duplicate parameter `region`
        report-templates/a/delivery.yml:2:62: `E Mail` cannot be the name of a column: only a-z, 0-9 and _ are allowed [call it `e_mail`]
        report-templates/a/delivery.yml:2:70: unknown key `languag` in `for_each` [did you mean `language`?]
        report-templates/a/delivery.yml:3:3: `for_each` needs `query`
        report-templates/a/delivery.yml:3:14: `parameters` is empty
        report-templates/a/delivery.yml:3:28: `language` has no effect without `address`
        report-templates/a/delivery.yml:5:14: `for_each` must be a mapping, found a single value
        report-templates/a/delivery.yml:6:71: a delivery has one kind of recipient [write a delivery for each]
        "##);
    insta::assert_snapshot!(said("ceo@example.com\n"), @r##"
        report-templates/a/delivery.yml:1:1: deliveries are a list, found a single value [write each one as `- mail: [name@example.com]`]
        "##);
    insta::assert_snapshot!(written(with(MAIL, "---\ntitle: A\n---\n", "- {when: not_empty, folder: x}\n- {folder: y, for_each: {query: SELECT 1, parameters: [region, country]}}\n")), @r##"
        report-templates/a/delivery.yml:1:10: `when: not_empty` needs a query `not_empty` in the report [write queries/not_empty.sql beside the report: the report is delivered when it has rows]
        report-templates/a/delivery.yml:2:43: the report has no parameters [write `parameters: [region, country]` in the header of its report.md]
        "##);
    insta::assert_snapshot!(written(with(MAIL, &REPORT.replace("[region, manager]", "[Region, manager, manager]"), "")), @r##"
        report-templates/a/report.md:4:14: `Region` cannot be the name of a parameter: only a-z, 0-9 and _ are allowed [call it `region`]
        report-templates/a/report.md:4:31: duplicate parameter `manager`
        "##);
}

#[test]
fn copies_go_to_a_place_of_their_own_and_once() {
    insta::assert_snapshot!(said(
        "- folder: sql\n- folder: .git/hooks\n- folder: pipelines/x\n- folder: report-templates\n- folder: ./tests\n- folder: lake/x\n\
         - folder: copies\n- folder: ./x/../copies/\n- {store: \"s3://bucket/x\"}\n- {store: \"s3://bucket/x/\", when: each_run}\n\
         - {store: \"s3://\"}\n- {store: \"gs:///x\"}\n\
         - webhook: {kind: slack, url: \"${U}\"}\n- webhook: {kind: slack, url: \"${U}\"}\n"), @r##"
        report-templates/a/delivery.yml:1:11: `folder` is `sql`, and `sql` is the project's own [name a folder of its own]
        report-templates/a/delivery.yml:2:11: `folder` is `.git/hooks`, and `.git` is the project's own [name a folder of its own]
        report-templates/a/delivery.yml:3:11: `folder` is `pipelines/x`, and `pipelines` is the project's own [name a folder of its own]
        report-templates/a/delivery.yml:4:11: `folder` is `report-templates`, and `report-templates` is the project's own [name a folder of its own]
        report-templates/a/delivery.yml:5:11: `folder` is `./tests`, and `tests` is the project's own [name a folder of its own]
        report-templates/a/delivery.yml:6:11: `folder` is `lake/x`, and `lake` of perennial.yml is there too [name a folder of its own]
        report-templates/a/delivery.yml:8:3: duplicate delivery, first at report-templates/a/delivery.yml:7:3 [the same pages would go to the same place; remove one of them]
        report-templates/a/delivery.yml:10:3: duplicate delivery, first at report-templates/a/delivery.yml:9:3 [the same pages would go to the same place; remove one of them]
        report-templates/a/delivery.yml:11:11: `store` is `s3://`, which names no bucket [write it as `s3://bucket/path`, `gs://bucket/path` or `az://container/path`; a path on this machine is a `folder`]
        report-templates/a/delivery.yml:12:11: `store` is `gs:///x`, which names no bucket [write it as `s3://bucket/path`, `gs://bucket/path` or `az://container/path`; a path on this machine is a `folder`]
        report-templates/a/delivery.yml:14:3: duplicate delivery, first at report-templates/a/delivery.yml:13:3 [the same pages would go to the same place; remove one of them]
        "##);
    let elsewhere = format!("{PROJECT}reports: /srv/reports\n{MAIL}").replace("lake: lake", "lake: s3://bucket/lake");
    insta::assert_snapshot!(problems(&[("perennial.yml", &elsewhere), ("report-templates/a/report.md", REPORT),
        ("report-templates/a/delivery.yml", "- folder: .\n- folder: ..\n")]), @r##"
        report-templates/a/delivery.yml:1:11: `folder` is `.`, and the project is there [name a folder of its own]
        report-templates/a/delivery.yml:2:11: `folder` is `..`, and the project is there [name a folder of its own]
        "##);
    // Pages of rows differ.
    let rows = |query: &str| format!("- {{folder: x, for_each: {{query: {query}, parameters: [region]}}}}\n");
    assert_eq!(read(&format!("- folder: x\n{}{}", rows("SELECT 1"), rows("SELECT 2"))).0.len(), 3);
    insta::assert_snapshot!(said("- {folder: x, for_each: {query: SELECT 1, parameters: []}}\n"), @r##"
        report-templates/a/delivery.yml:1:43: `parameters` is empty [name the columns of the query by which the pages differ, and declare them in the header of report.md: `parameters: [region]`]
        "##);
}

#[test]
fn mail_that_cannot_be_sent_is_a_mistake() {
    insta::assert_snapshot!(written(with("notify: [{on: failure, mail: ops@example.com}]\n", REPORT,
        "- mail: a@example.com\n- for_each: {query: SELECT 1, parameters: region, address: email}\n- folder: x\n")), @r##"
        perennial.yml:4:24: `mail` of perennial.yml is missing, so that no mail can be sent [add to perennial.yml: `mail: {from: "Reports <reports@example.com>", server: "smtp://mail.example.com:587"}`]
        report-templates/a/delivery.yml:1:3: `mail` of perennial.yml is missing, so that no mail can be sent [add to perennial.yml: `mail: {from: "Reports <reports@example.com>", server: "smtp://mail.example.com:587"}`]
        report-templates/a/delivery.yml:2:3: `mail` of perennial.yml is missing, so that no mail can be sent [add to perennial.yml: `mail: {from: "Reports <reports@example.com>", server: "smtp://mail.example.com:587"}`]
        "##);
    // Only once where `mail` is there and wrong.
    insta::assert_snapshot!(written(with("mail: {from: a@example.com}\n", REPORT, "- mail: a@example.com\n")), @r##"
        perennial.yml:4:1: `mail` needs `server`
        "##);
}

#[test]
fn a_shipped_report_has_the_recipients_that_the_project_names() {
    let settings =
        format!("name: x\nlake: y\nlanguages: [en, zh-CN, zh-TW]\nshipped: [\"report-templates/**\"]\n{MAIL}");
    let deliveries = |files: &[(&str, &str)]| {
        let project = load(files).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
        let report = project.reports.iter().find(|report| report.name == "management-review").unwrap();
        report.deliveries.iter().map(|delivery| delivery.name.clone()).collect::<Vec<_>>()
    };
    assert!(deliveries(&[("perennial.yml", &settings)]).is_empty());
    let own = ("report-templates/management-review/delivery.yml", "- {name: own, mail: ceo@example.com}\n");
    assert_eq!(deliveries(&[("perennial.yml", &settings), own]), ["own"]);
    insta::assert_snapshot!(problems(&[("report-templates/none/delivery.yml", "- mail: a@example.com\n")]), @r##"
        report-templates/none/delivery.yml: the report `none` has no template [write it to report-templates/none/report.md]
        "##);
}

/// The reference shows what can be written as it is.
#[test]
fn examples_of_the_reference_are_read() {
    let page = include_str!("../../../../docs/schedule-and-delivery.md");
    let examples: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or("")).collect();
    let &[pipeline, calendars, mail, delivery, notify] = examples.as_slice() else { panic!("{}", examples.len()) };
    let settings = [PROJECT, calendars, mail, notify].concat();
    let holidays = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY\n\
                    SUMMARY:Christmas\nEND:VEVENT\nEND:VCALENDAR\n";
    let project = load(&[
        ("perennial.yml", &settings),
        ("holidays.ics", holidays),
        ("pipelines/nightly.yml", pipeline),
        ("pipelines/sources/erp.yml", SOURCE),
        ("report-templates/a/report.md", REPORT),
        ("report-templates/a/delivery.yml", delivery),
    ]);
    let project = project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let shop = (project.calendars.len(), project.notify.len(), project.reports[0].deliveries.len());
    assert_eq!(shop, (2, 2, 5));
    assert!(project.mail.is_some() && project.pipelines[0].schedule.is_some());
}
