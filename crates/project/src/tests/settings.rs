//! How mail is sent, who is told, and what is kept.

use super::*;
use std::time::Duration;

fn with(lines: &str) -> Result<Project, Problems> {
    let project = format!("{PROJECT}{lines}");
    load(&[("perennial.yml", &project), ("pipelines/nightly.yml", "description: All\n")])
}

fn said(lines: &str) -> String {
    written(with(lines))
}

fn read(lines: &str) -> Project {
    with(lines).unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)))
}

/// The server of a `mail` with these keys beside `from`.
fn server(keys: &str) -> MailServer {
    read(&format!("mail: {{from: a@example.com, {keys}}}\n")).mail.unwrap().server
}

#[test]
fn mail_is_read_key_by_key() {
    let project = read(
        "mail:\n  from: \"Acme, Inc. <reports@example.com>\"\n  reply_to: office@example.com\n  \
         server: smtp://mail.example.com\n  user: reports\n  password: ${SMTP_PASSWORD}\n  ca_file: ca.pem\n  timeout: 30s\n  \
         attach_max: 3MB\n  list_unsubscribe: mailto:stop@example.com?subject=stop\n"
            .replace("Acme, Inc.", "Acme Inc.")
            .as_str(),
    );
    let mail = project.mail.unwrap();
    assert_eq!(mail.from, Address::parse("Acme Inc. <reports@example.com>").unwrap());
    assert_eq!(mail.reply_to.unwrap().address, "office@example.com");
    assert_eq!(
        (mail.max_attachment_bytes, mail.list_unsubscribe.as_deref()),
        (3_000_000, Some("mailto:stop@example.com?subject=stop"))
    );
    let MailServer::Smtp { host, port, security, login, ca_file, timeout } = mail.server else { panic!() };
    assert_eq!((host.as_str(), port, security), ("mail.example.com", 587, MailSecurity::StartTls));
    assert_eq!((ca_file, timeout), (Some(project.root.join("ca.pem")), Duration::from_secs(30)));
    let MailLogin::Password { user, password } = login else { panic!() };
    assert_eq!((user.as_str(), password.origin().as_str()), ("reports", "environment variable SMTP_PASSWORD"));
}

#[test]
fn a_mail_server_has_a_port_and_encryption_by_its_scheme() {
    for (keys, expected) in [
        ("server: \"smtp://mail.example.com\"", ("mail.example.com", 587, MailSecurity::StartTls)),
        ("server: \"smtp://mail.example.com:25/\"", ("mail.example.com", 25, MailSecurity::StartTls)),
        ("server: \"smtps://mail.example.com\"", ("mail.example.com", 465, MailSecurity::Tls)),
        ("server: \"SMTPS://mail.example.com:2465\", tls: verify", ("mail.example.com", 2465, MailSecurity::Tls)),
        ("server: \"smtp://bücher.example\"", ("xn--bcher-kva.example", 587, MailSecurity::StartTls)),
        ("server: \"smtp://relay:25\", tls: off", ("relay", 25, MailSecurity::Off)),
        ("server: \"smtp://localhost:25\"", ("localhost", 25, MailSecurity::Off)),
        ("server: \"smtp://127.0.0.1:25\"", ("127.0.0.1", 25, MailSecurity::Off)),
        ("server: \"smtp://[::1]:25\"", ("::1", 25, MailSecurity::Off)),
        ("server: \"smtp://localhost\", tls: verify", ("localhost", 587, MailSecurity::StartTls)),
    ] {
        let MailServer::Smtp { host, port, security, timeout, .. } = server(keys) else { panic!("{keys}") };
        assert_eq!(((host.as_str(), port, security), timeout), (expected, Duration::from_secs(60)), "{keys}");
    }
    let project = read("mail: {from: a@example.com, server: \"folder:${OUT:-outbox}/x\"}\n");
    let MailServer::Folder(folder) = project.mail.unwrap().server else { panic!() };
    assert_eq!(folder, project.root.join("outbox/x"));
}

#[test]
fn a_login_is_by_password_or_by_token() {
    let login = |keys: &str| match server(&format!("server: \"smtp://mail.example.com\", {keys}")) {
        MailServer::Smtp { login, .. } => login,
        MailServer::Folder(_) => panic!("{keys}"),
    };
    assert!(matches!(login("timeout: 5s"), MailLogin::None));
    let MailLogin::Password { password, .. } = login("user: x, password_file: /run/secrets/smtp") else { panic!() };
    assert_eq!(password.origin(), "file /run/secrets/smtp");
    let oauth = "oauth: {token_url: \"https://login.example.com/token\", client_id: id, scope: \"https://outlook.office365.com/.default\", client_secret: \"${S}\"}";
    let MailLogin::OAuth { user, token_url, client_id, scope, client_secret } = login(oauth) else { panic!() };
    assert_eq!(
        (user.as_str(), token_url.as_str(), client_id.as_str()),
        ("a@example.com", "https://login.example.com/token", "id")
    );
    assert_eq!(
        (scope.as_str(), client_secret.origin().as_str()),
        ("https://outlook.office365.com/.default", "environment variable S")
    );
    let MailLogin::OAuth { user, .. } = login(&format!("user: box@example.com, {oauth}")) else { panic!() };
    assert_eq!(user, "box@example.com");
}

#[test]
fn every_mistake_of_mail_is_reported_at_its_place() {
    insta::assert_snapshot!(said(
        "mail:\n  from: reports\n  reply_to: a@b@example.com\n  server: mail.example.com:587\n  tls: encrypt\n  user: x\n  pasword: y\n  \
         timeout: 20m\n  attach_max: 8 megs\n  list_unsubscribe: http://example.com\n"), @r##"
        perennial.yml:5:9: `reports` is not an email address: it has no `@` [write `name@example.com` or `Name <name@example.com>`]
        perennial.yml:6:13: `a@b@example.com` is not an email address: it has more than one `@` [write `name@example.com` or `Name <name@example.com>`]
        perennial.yml:7:11: `server` is `mail.example.com:587` [write `smtp://mail.example.com:587` (STARTTLS), `smtps://mail.example.com:465` (TLS), or `folder:outbox` for a folder into which mails are written]
        perennial.yml:8:8: `tls` is `encrypt` [expected one of `verify`, `off`]
        perennial.yml:9:3: `user` needs a `password` [write `password: ${SMTP_PASSWORD}`, `password_file` or `oauth`]
        perennial.yml:10:3: unknown key `pasword` in `mail` [did you mean `password`?]
        perennial.yml:11:12: `timeout` is `20m` [write a duration from 1s to 10m]
        perennial.yml:12:15: `8 megs` is not a size [write it as `512MB`, `1.5GB` or `2GiB`]
        perennial.yml:13:21: `list_unsubscribe` is `http://example.com` [write `mailto:name@example.com` or `https://example.com/path`]
        "##);
    insta::assert_snapshot!(said("mail: {}\n"), @r##"
        perennial.yml:4:1: `mail` needs `from`
        perennial.yml:4:1: `mail` needs `server`
        "##);
    insta::assert_snapshot!(said("mail: smtp://mail.example.com\n"), @r##"
        perennial.yml:4:7: `mail` must be a mapping, found a single value
        "##);
    insta::assert_snapshot!(said("mail: {from: a@example.com, server: \"folder:\"}\n"), @r##"
        perennial.yml:4:37: `server` does not name a folder [write `folder:outbox`]
        "##);
    insta::assert_snapshot!(said("mail: {from: a@example.com, server: \"smtps://mail.example.com\", tls: off}\n"), @r##"
        perennial.yml:4:70: `tls: off` contradicts `smtps://` [write `smtp://`, or remove `tls`]
        "##);
    insta::assert_snapshot!(said("mail: {from: a@example.com, server: \"smtp://mail.example.com\", tls: off, user: x, password: \"${P}\"}\n"), @r##"
        perennial.yml:4:64: the password of the mail server would be sent without encryption [remove `tls: off`]
        "##);
    insta::assert_snapshot!(said("mail: {from: a@example.com, server: \"smtp://mail.example.com\", password: \"${P}\"}\n"), @r##"
        perennial.yml:4:64: `password` needs a `user`
        "##);
    insta::assert_snapshot!(said(
        "mail:\n  from: a@example.com\n  server: smtp://mail.example.com\n  password: \"${P}\"\n  \
         oauth: {token_url: \"http://login.example.com/token\", client: id, client_secret: s3cret}\n"), @r##"
        perennial.yml:7:3: `password` and `oauth` contradict each other [remove one of them]
        perennial.yml:8:3: `oauth` needs `client_id`
        perennial.yml:8:3: `oauth` needs `scope`
        perennial.yml:8:22: `token_url` is `http://login.example.com/token`: a secret is sent there, and it is not encrypted [write it as `https://example.com/path`]
        perennial.yml:8:56: unknown key `client` in `oauth` [did you mean `client_id`?]
        perennial.yml:8:83: `client_secret` is written in the project itself [take it from the environment (`client_secret: ${SMTP_CLIENT_SECRET}`), or from a file outside the project (`client_secret_file`)]
        "##);
    insta::assert_snapshot!(said("mail: {from: a@example.com, server: \"smtp://mail.example.com\", user: x, password: \"${P}\", password_file: p}\n"), @r##"
        perennial.yml:4:91: `password` and `password_file` contradict each other [remove one of them]
        "##);
    for server in [
        "imap://mail.example.com",
        "smtp:mail.example.com",
        "smtp://",
        "smtp:///x",
        "smtp://mail.example.com/x",
        "smtp://mail.example.com?x=1",
        "smtp://mail.example.com:0",
        "smtp://mail.example.com:99999",
        "smtp://ma il",
        "smtp://a\\nb",
    ] {
        let said = said(&format!("mail: {{from: a@example.com, server: \"{server}\"}}\n"));
        assert!(
            said.starts_with("perennial.yml:4:37: `server` is `")
                && said.contains("write `smtp://mail.example.com:587`"),
            "{said}"
        );
    }
    for (key, wrong) in [
        ("server", "smtp://user:s3cret@mail.example.com"),
        ("server", "smtp://s3cret@mail.example.com"),
        ("password", "s3cret"),
    ] {
        let lines = format!("mail: {{from: a@example.com, user: x, {key}: \"{wrong}\"}}\n");
        let problems = with(&lines).unwrap_err();
        assert!(!render_all(&problems, false).contains("s3cret"), "{}", render_all(&problems, false));
    }
}

#[test]
fn mails_and_metrics_are_written_beside_what_the_project_keeps() {
    let mail = |folder: &str| said(&format!("mail: {{from: a@example.com, server: \"folder:{folder}\"}}\n"));
    for (folder, why) in [
        ("lake/x", "`lake` of perennial.yml is there too"),
        (".", "`reports` of perennial.yml is there too"),
        ("reports/../sql/out", "`sql` is the project's own"),
        (".git", "`.git` is the project's own"),
    ] {
        let expected = format!(
            "perennial.yml:4:37: `server` is `folder:{folder}`, and {why} [write a folder of its own: `folder:outbox`]"
        );
        assert_eq!(mail(folder), expected);
    }
    for folder in ["outbox", "sqlite", "/srv/outbox", "../outbox"] {
        assert_eq!(mail(folder), "none");
    }
    for (file, why) in [
        ("perennial.yml", "`perennial.yml` is the project's own"),
        ("lake/a.prom", "`lake` of perennial.yml is there too"),
        ("..", "`lake` of perennial.yml is there too"),
    ] {
        let said = said(&format!("metrics_file: {file}\n"));
        assert!(said.starts_with(&format!("perennial.yml:4:15: `metrics_file` is `{file}`, and {why} [")), "{said}");
    }
    assert_eq!(said("metrics_file: reports/a.prom\n"), "none");
}

#[test]
fn the_file_of_a_secret_is_outside_the_project() {
    insta::assert_snapshot!(said(
        "mail: {from: a@example.com, server: \"smtp://mail.example.com\", user: x, password_file: perennial.yml}\n\
         notify: [{on: failure, webhook: {kind: generic, url_file: url.txt, secret_file: ./keys/../s}}]\nping_file: p\n"), @r##"
        perennial.yml:4:88: `password_file` names a file in the project [keep the file outside the project, or write `password: ${SMTP_PASSWORD}`]
        perennial.yml:5:59: `url_file` names a file in the project [keep the file outside the project, or write `url: ${WEBHOOK_URL}`]
        perennial.yml:5:81: `secret_file` names a file in the project [keep the file outside the project, or write `secret: ${WEBHOOK_SECRET}`]
        perennial.yml:6:12: `ping_file` names a file in the project [keep the file outside the project, or write `ping: ${HEALTHCHECK_URL}`]
        "##);
    assert_eq!(said("ping_file: ../p\n"), "none");
}

#[test]
fn what_keeps_mail_from_being_sent_is_noted() {
    let notes = |keys: &str| {
        let project = read(&format!("mail: {{from: a@example.com, {keys}}}\n"));
        let root = format!("{}/", project.root.display());
        project.notes.iter().map(|note| note.to_string().replace(&root, "")).collect::<Vec<_>>().join("\n")
    };
    let smtp = "server: \"smtp://mail.example.com\"";
    assert_eq!(
        notes(&format!("{smtp}, ca_file: perennial.yml")),
        "perennial.yml:4:73: the file perennial.yml of `ca_file` contains no certificate; no mail can be sent before it \
         holds certificates in PEM format"
    );
    let missing = notes(&format!("{smtp}, ca_file: nope.pem"));
    assert!(
        missing.starts_with("perennial.yml:4:73: the file nope.pem of `ca_file` cannot be read: No such file"),
        "{missing}"
    );
    // A folder needs none.
    assert_eq!(notes("server: \"folder:outbox\", ca_file: nope.pem"), "");
    let login = "server: \"smtp://localhost\", user: x, password: \"${P}\"";
    assert_eq!(
        notes(login),
        "perennial.yml:4:57: the login is sent without encryption, which not every server takes; write `tls: verify` if \
         the server offers STARTTLS, else `tls: off`"
    );
    for quiet in ["tls: off", "tls: verify"] {
        assert_eq!(notes(&format!("{login}, {quiet}")), "");
    }
}

#[test]
fn addresses_of_notices_have_no_language() {
    insta::assert_snapshot!(said(
        "mail: {from: a@example.com, server: \"folder:outbox\", reply_to: \"a@example.com, b@example.com\"}\n\
         notify: [{on: failure, mail: [{address: a@example.com, language: zh-CN}]}]\n"), @r##"
        perennial.yml:4:64: `a@example.com, b@example.com` holds several email addresses [`mail` takes a list, `[one@example.com, two@example.com]`; `from`, `reply_to` and `address` take one]
        perennial.yml:5:31: an entry of `mail` is an address, found a mapping [write `mail: [ops@example.com]`; notices are in English]
        "##);
}

#[test]
fn a_line_break_never_gets_into_a_header() {
    for key in ["from", "reply_to", "list_unsubscribe"] {
        let said = said(&format!("mail: {{{key}: \"a@example.com\\r\\nBcc: b@example.com\"}}\n"));
        assert!(said.contains("\\u{d}\\n") || said.contains("U+000D"), "{said}");
    }
    let said = said(
        "mail: {from: a@example.com, server: \"folder:x\"}\nnotify: [{on: failure, mail: \"a@example.com\\nBcc: b@example.com\"}]\n",
    );
    assert!(said.contains("U+000A"), "{said}");
}

#[test]
fn those_who_are_told_are_read() {
    let project = read(
        "mail: {from: a@example.com, server: \"folder:outbox\"}\nnotify:\n  \
         - {on: [failure, recovery, warning, late_source, deadline, delivery], mail: [ops@example.com, \"王 <wang@example.com>\"]}\n  \
         - {on: failure, webhook: {kind: dingtalk, url: \"${DING}\", secret_file: /run/secrets/s, language: zh-CN}, pipelines: nightly}\n\
         ping: ${HEALTHCHECK_URL}\nkeep: {days: 7, min_releases: 5}\nreports_url: https://reports.example.com/x/\n\
         metrics_file: metrics/perennial.prom\n",
    );
    assert_eq!(project.notify[0].on.len(), 6);
    let NotifyTo::Mail(mail) = &project.notify[0].to else { panic!() };
    assert_eq!((mail.len(), mail[1].name.as_deref()), (2, Some("王")));
    assert_eq!(project.notify[1].on, [NotifyOn::Failure]);
    assert_eq!(project.notify[1].pipelines, ["nightly"]);
    let NotifyTo::Webhook(webhook) = &project.notify[1].to else { panic!() };
    assert_eq!((webhook.kind, webhook.language), (WebhookKind::DingTalk, Some(chinese())));
    assert_eq!(webhook.url.origin(), "environment variable DING");
    assert_eq!(webhook.secret, Some(Secret::File("/run/secrets/s".into())));
    assert_eq!(project.ping.unwrap().origin(), "environment variable HEALTHCHECK_URL");
    assert_eq!(project.keep, Keep { days: 7, months: 36, failed_days: 3, min_releases: 5 });
    assert_eq!(project.reports_url.as_deref(), Some("https://reports.example.com/x"));
    assert_eq!(project.metrics_file, Some(project.root.join("metrics/perennial.prom")));
}

#[test]
fn every_mistake_of_who_is_told_and_what_is_kept_is_reported_at_its_place() {
    insta::assert_snapshot!(said(
        "notify:\n  - {on: [failur, recovery, recovery], mail: [ops, ops@example.com, OPS@example.com]}\n  \
         - {on: [], webhook: {kind: slak, url: \"https://example.com/s3cret\", secret: \"${S}\"}, pipelines: [nightli]}\n  \
         - {mail: [], webhook: {kind: slack, url: \"${U}\", secret: \"${S}\", language: de}, when: always}\n  - {on: failure}\n  - failure\n\
         ping: https://hc-ping.com/s3cret\nkeep: {days: -1, months: many, min_releases: 0, weeks: 2}\nreports_url: ftp://x\n\
         metrics_file: https://example.com/metrics\n"), @r##"
        perennial.yml:5:11: `on` names `failur` [did you mean `failure`?]
        perennial.yml:5:29: `on` names `recovery` twice
        perennial.yml:5:40: `mail` of perennial.yml is missing, so that no mail can be sent [add to perennial.yml: `mail: {from: "Reports <reports@example.com>", server: "smtp://mail.example.com:587"}`]
        perennial.yml:5:47: `ops` is not an email address: it has no `@` [write `name@example.com` or `Name <name@example.com>`]
        perennial.yml:5:69: duplicate address `OPS@example.com`
        perennial.yml:6:6: `on` is empty [expected one of `failure`, `recovery`, `warning`, `late_source`, `deadline`, `delivery`]
        perennial.yml:6:30: `kind` is `slak` [expected one of `generic`, `slack`, `teams`, `feishu`, `dingtalk`, `wecom`]
        perennial.yml:6:41: `url` is written in the project itself [take it from the environment (`url: ${WEBHOOK_URL}`), or from a file outside the project (`url_file`)]
        perennial.yml:6:100: unknown pipeline `nightli` [did you mean `nightly`?]
        perennial.yml:7:5: an entry of `notify` needs `on`
        perennial.yml:7:6: `mail` of perennial.yml is missing, so that no mail can be sent [add to perennial.yml: `mail: {from: "Reports <reports@example.com>", server: "smtp://mail.example.com:587"}`]
        perennial.yml:7:6: `mail` is empty [list addresses]
        perennial.yml:7:16: an entry of `notify` has `mail` or `webhook`, not both [write two entries]
        perennial.yml:7:52: `secret` has no effect on this kind of webhook [`generic`, `feishu` and `dingtalk` sign their messages; the URL of the others is the secret]
        perennial.yml:7:78: unknown language `de` [expected one of `en`, `zh-CN`, `zh-TW`]
        perennial.yml:7:83: unknown key `when` in an entry of `notify` [expected one of `on`, `mail`, `webhook`, `pipelines`]
        perennial.yml:8:5: an entry of `notify` needs `mail` or `webhook`
        perennial.yml:9:5: an entry of `notify` must be a mapping, found a single value
        perennial.yml:10:7: `ping` is written in the project itself [take it from the environment (`ping: ${HEALTHCHECK_URL}`), or from a file outside the project (`ping_file`)]
        perennial.yml:11:14: `days` is `-1`, which is not a whole number
        perennial.yml:11:26: `months` is `many`, which is not a whole number
        perennial.yml:11:46: `min_releases` is `0` [write a number from 1 to 10000]
        perennial.yml:11:49: unknown key `weeks` in `keep` [expected one of `days`, `months`, `failed_days`, `min_releases`]
        perennial.yml:12:14: `reports_url` is `ftp://x`: it is not a web address [write it as `https://example.com/path`]
        perennial.yml:13:15: `metrics_file` is `https://example.com/metrics`, which is not a file [write a path such as `metrics/perennial.prom`]
        "##);
    insta::assert_snapshot!(said("notify: {on: failure}\nkeep: 14\nreports_url: https://a:b@example.com\nping: x\nping_file: /run/y\n"), @r##"
        perennial.yml:4:9: `notify` must be a list, found a mapping [write each entry as `- {on: [failure], mail: [...]}`]
        perennial.yml:5:7: `keep` must be a mapping, found a single value
        perennial.yml:6:14: `reports_url` contains a user, a password or a query [write the address without them]
        perennial.yml:7:7: `ping` is written in the project itself [take it from the environment (`ping: ${HEALTHCHECK_URL}`), or from a file outside the project (`ping_file`)]
        perennial.yml:8:1: `ping` and `ping_file` contradict each other [remove one of them]
        "##);
    let wrong = with(
        "notify: [{on: failure, webhook: {kind: slack, url: \"https://example.com/s3cret\"}}]\nping: https://hc-ping.com/s3cret\nreports_url: https://u:s3cret@example.com\n",
    );
    let shown = render_all(&wrong.unwrap_err(), false);
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// Keys of all files that are about schedules and deliveries, with what is around a value in them.
const VALUES: [(&str, &str, &str); 31] = [
    ("pipelines/a.yml", "schedule: ", "\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nas_of: ", "\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\ncatch_up: ", "\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nrun_on: ", "\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nrun_on: {nth_working_day: ", "}\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nif_holiday: next\ncalendar: ", "\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nwait_for: {sources: ", "}\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nwait_for: {until: ", "}\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nnot_between: [", "]\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nstop_after: ", "\n"),
    ("pipelines/a.yml", "schedule: \"@daily\"\nfinish_by: ", "\n"),
    ("pipelines/a.yml", "attempts: {first_pause: ", "}\n"),
    ("report-templates/a/report.md", "---\ntitle: A\nissue_after: ", "\n---\n"),
    ("report-templates/a/report.md", "---\ntitle: A\nparameters: [", "]\n---\n"),
    ("report-templates/b/delivery.yml", "- mail: ", "\n"),
    ("report-templates/b/delivery.yml", "- name: ", "\n  folder: x\n"),
    ("report-templates/b/delivery.yml", "- folder: ", "\n"),
    ("report-templates/b/delivery.yml", "- store: ", "\n"),
    ("report-templates/b/delivery.yml", "- for_each: {query: SELECT 1, parameters: ", "}\n"),
    ("report-templates/b/delivery.yml", "- webhook: {kind: ", ", url: \"${U}\"}\n"),
    ("perennial.yml", "calendars: {a: {weekend: ", "}}\n"),
    ("perennial.yml", "calendars: {a: {holidays: ", "}}\n"),
    ("perennial.yml", "calendars: {a: {holidays: {file: ", "}}}\n"),
    ("perennial.yml", "calendars: {a: {working_days: ", "}}\n"),
    ("perennial.yml", "mail: {from: a@example.com, server: ", "}\n"),
    ("perennial.yml", "mail: {server: \"folder:x\", from: ", "}\n"),
    ("perennial.yml", "mail: {from: a@example.com, server: \"folder:x\", list_unsubscribe: ", "}\n"),
    ("perennial.yml", "mail: {from: a@example.com, server: \"folder:x\", oauth: {token_url: ", "}}\n"),
    ("perennial.yml", "reports_url: ", "\n"),
    ("perennial.yml", "metrics_file: ", "\n"),
    ("perennial.yml", "keep: {days: ", "}\n"),
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]
    /// Whatever is written, it is read or reported at a place of its file.
    #[test]
    fn any_value_is_read_or_reported_at_its_place(
        text in proptest::prop_oneof![".*", "[0-9:@*/ +-]{0,12}", "(smtp|smtps|https|s3|folder):/{0,2}[a-zé@:0-9./?]{0,12}"],
    ) {
        // A text of JSON is one of YAML.
        let value = serde_json::to_string(&text).unwrap();
        let report = ("report-templates/b/report.md", "---\ntitle: B\nparameters: [region]\n---\n");
        for (path, before, after) in VALUES {
            let written = format!("{before}{value}{after}");
            let settings = if path == "perennial.yml" { written.as_str() } else { "mail: {from: a@example.com, server: \"folder:x\"}\n" };
            let project = format!("{PROJECT}{settings}");
            let mut files = vec![("perennial.yml", project.as_str()), report];
            if path != "perennial.yml" {
                files.push((path, &written));
            }
            let Err(problems) = load(&files) else { continue };
            for problem in problems.iter() {
                let place = problem.place().map(ToString::to_string).unwrap_or_default();
                proptest::prop_assert!(place.starts_with(&format!("{path}:")), "{path} {before}{value}: {place}: {problem}");
            }
        }
    }
}
