//! Mail to a real server, and to servers that misbehave.

use super::*;
use crate::Mailer;
use std::io::Write;
use std::net::TcpListener;
use std::time::Instant;

const LOGIN: (&str, &str) = SmtpServer::ACCOUNT;

fn by_password(password: Secret) -> MailLogin {
    MailLogin::Password { user: LOGIN.0.to_string(), password }
}

/// A mailer for a server without login.
fn mailer(server: &SmtpServer, security: MailSecurity) -> Mailer {
    Mailer::new(mail(smtp(server, security, MailLogin::None)))
}

#[tokio::test]
async fn several_messages_go_over_one_encrypted_connection() {
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(&["starttls", "login"]);
    let login = by_password(secret(folder.path(), "password", LOGIN.1));
    let mut mailer = Mailer::new(mail(smtp(&server, MailSecurity::StartTls, login)));
    mailer.connect().await.unwrap();
    assert!(server.taken().is_empty());
    for to in ["ceo@example.com", "王@bücher.example", "cfo@example.com"] {
        let sent = answer(mailer.send(&message(to)).await);
        assert!(sent.starts_with("250 2.0.0 Ok: queued as 000"), "{sent}");
    }
    mailer.close().await;
    let taken = server.taken();
    let to: Vec<&str> = taken.iter().map(|mail| mail.envelope("to")).collect();
    assert_eq!(to, ["ceo@example.com", "王@xn--bcher-kva.example", "cfo@example.com"]);
    for mail in &taken {
        assert_eq!((mail.envelope("tls"), mail.envelope("user")), ("yes", LOGIN.0));
        assert_eq!((mail.envelope("from"), mail.envelope("peer")), ("reports@acme.example", taken[0].envelope("peer")));
        let hello = mail.envelope("hello");
        assert!(!hello.is_empty() && hello.chars().all(|c| c.is_ascii_alphanumeric() || "-.[]".contains(c)), "{hello}");
    }
    assert_eq!((taken[0].envelope("options"), taken[1].envelope("options")), ("", "SMTPUTF8 BODY=8BITMIME"));
    // What arrives is what was sent, the line of one dot included.
    let sent = mailer.preview(&message("ceo@example.com")).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_string();
    assert_eq!(text(&taken[0].content), text(&sent));
}

#[tokio::test]
async fn a_server_that_limits_the_messages_of_a_connection() {
    let server = SmtpServer::start(&["starttls", "two-a-connection"]);
    let mut mailer = mailer(&server, MailSecurity::StartTls);
    for _ in 0..5 {
        answer(mailer.send(&message("a@x.example")).await);
    }
    let peers: std::collections::BTreeSet<String> =
        server.taken().iter().map(|mail| mail.envelope("peer").to_string()).collect();
    assert_eq!((server.taken().len(), peers.len()), (5, 3));
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let server = SmtpServer::start(&["tls"]);
    answer(mailer(&server, MailSecurity::Tls).send(&message("a@example.com")).await);
    assert_eq!(server.taken()[0].envelope("tls"), "yes");
    let plain = SmtpServer::start(&[]);
    answer(mailer(&plain, MailSecurity::Off).send(&message("a@example.com")).await);
    assert_eq!(plain.taken()[0].envelope("tls"), "no");
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    let server = SmtpServer::start(&["starttls"]);
    let mut mailer = mailer(&server, MailSecurity::StartTls);
    let mut outcomes = Vec::new();
    for to in ["a@x.example", "refused@x.example", "later@x.example", "relay@x.example", "b@x.example"] {
        outcomes.push(mailer.send(&message(to)).await);
    }
    let [a, no, later, relay, b] = <[Outcome; 5]>::try_from(outcomes).unwrap();
    answer(a);
    answer(b);
    let no = refused(no);
    assert_eq!((no.code.as_deref(), no.text.as_str()), (Some("550"), "550 5.1.1 <refused@x.example>: no such mailbox"));
    let later = failed(later);
    assert_eq!((later.code.as_deref(), later.text.as_str()), (Some("451"), "451 4.7.1 greylisted, try again later"));
    assert!(!later.of_server);
    assert!(refused(relay).hint.unwrap().contains("the server wants a login"));
    let taken = server.taken();
    let to: Vec<&str> = taken.iter().map(|mail| mail.envelope("to")).collect();
    assert_eq!(to, ["a@x.example", "b@x.example"]);
    // The transaction that was refused was undone, not the connection.
    assert_eq!(taken[0].envelope("peer"), taken[1].envelope("peer"));
}

#[tokio::test]
async fn what_a_failure_means_depends_on_when_it_happens() {
    let server = SmtpServer::start(&["starttls"]);
    let mut mailer = mailer(&server, MailSecurity::StartTls);
    let begin = Instant::now();
    let reason = failed(mailer.send(&message("hang-recipient@x.example")).await);
    assert!(reason.text.ends_with("was lost before it took the message: no answer within 0.7 seconds"), "{reason}");
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    let reason = failed(mailer.send(&message("close-recipient@x.example")).await);
    assert!(reason.text.contains("was lost before it took the message: "), "{reason}");
    let reason = unknown(mailer.send(&message("close-data@x.example")).await);
    assert!(reason.text.contains("which may have been delivered or not: "), "{reason}");
    let begin = Instant::now();
    let reason = unknown(mailer.send(&message("hang-data@x.example")).await);
    assert!(reason.text.ends_with("delivered or not: no answer within 7 seconds"), "{reason}");
    assert!(begin.elapsed() >= Duration::from_secs(7), "a server may look at a message for longer");
    let reason = refused(mailer.send(&message("data-refused@x.example")).await);
    assert_eq!((reason.code.as_deref(), reason.text.as_str()), (Some("554"), "554 5.7.1 message refused by policy"));
    let reason = failed(mailer.send(&message("data-later@x.example")).await);
    assert_eq!(reason.code.as_deref(), Some("452"));
    // Whatever happened, the next message goes its way.
    answer(mailer.send(&message("a@x.example")).await);
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn a_login_that_fails_says_what_to_do_and_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(&["starttls", "login"]);
    let password = secret(folder.path(), "password", "wr0ng wört+/");
    let settings = mail(smtp(&server, MailSecurity::StartTls, by_password(password)));
    let mut mailer = Mailer::new(settings.clone());
    let reason = failed(mailer.send(&message("a@x.example")).await);
    assert_eq!((reason.code.as_deref(), reason.of_server), (Some("535"), true));
    let name = format!("the mail server localhost:{}", server.port);
    assert_eq!(reason.text, format!("{name} refused the login: 535 5.7.8 bad credentials: *** ***"));
    assert!(reason.hint.unwrap().contains("check `user` and `password` (file "));
    // A file that was changed counts without a new start.
    secret(folder.path(), "password", LOGIN.1);
    answer(mailer.send(&message("a@x.example")).await);
    std::fs::remove_file(folder.path().join("password")).unwrap();
    mailer.close().await;
    assert!(failed(mailer.send(&message("a@x.example")).await).text.contains("the secret in "));

    let exchange =
        MailLogin::Password { user: "exchange".to_string(), password: secret(folder.path(), "password", LOGIN.1) };
    let reason = Mailer::new(mail(smtp(&server, MailSecurity::StartTls, exchange))).connect().await.unwrap_err();
    assert_eq!(reason.code.as_deref(), Some("550"));
    assert!(reason.hint.unwrap().contains("write `oauth` in place of `password`"));

    // Without a login where one is wanted.
    let reason = failed(
        Mailer::new(mail(smtp(&server, MailSecurity::StartTls, MailLogin::None))).send(&message("a@x.example")).await,
    );
    assert_eq!(reason.code.as_deref(), Some("530"));
    assert!(reason.hint.unwrap().starts_with("the server wants a login"));
}

#[tokio::test]
async fn a_login_that_is_not_offered() {
    let folder = tempfile::tempdir().unwrap();
    let password = || by_password(secret(folder.path(), "password", LOGIN.1));
    for (options, hint) in
        [(&["starttls"][..], "remove `user` and `password`"), (&["starttls", "xoauth2"], "it offers XOAUTH2")]
    {
        let server = SmtpServer::start(options);
        let mut mailer = Mailer::new(mail(smtp(&server, MailSecurity::StartTls, password())));
        let reason = failed(mailer.send(&message("a@x.example")).await);
        assert!(reason.text.ends_with("does not offer a login by password (PLAIN or LOGIN)"), "{reason}");
        assert!(reason.hint.unwrap().starts_with(hint));
        assert!(server.taken().is_empty());
    }
}

#[tokio::test]
async fn encryption_is_never_given_up() {
    let plain = SmtpServer::start(&[]);
    let without = |security| match smtp(&plain, MailSecurity::Off, MailLogin::None) {
        MailServer::Smtp { host, port, login, ca_file, timeout, .. } => {
            MailServer::Smtp { host, port, login, ca_file, timeout, security }
        }
        folder => folder,
    };
    let reason = failed(Mailer::new(mail(without(MailSecurity::StartTls))).send(&message("a@x.example")).await);
    assert!(reason.text.ends_with("does not offer STARTTLS, and mail is not sent unencrypted"), "{reason}");
    assert!(reason.hint.unwrap().contains("`smtps://`"));
    let reason = failed(Mailer::new(mail(without(MailSecurity::Tls))).send(&message("a@x.example")).await);
    assert!(reason.hint.unwrap().contains("write `smtp://`"));
    assert!(plain.taken().is_empty());

    let tls = SmtpServer::start(&["tls"]);
    let reason = failed(mailer(&tls, MailSecurity::StartTls).send(&message("a@x.example")).await);
    assert!(reason.text.contains("cannot be reached: no answer within"), "{reason}");
}

#[tokio::test]
async fn a_certificate_must_be_right() {
    for (options, unknown_authority, why, hint) in [
        (&["starttls"][..], true, "signed by an authority that is not trusted", "set `ca_file`"),
        (&["tls"], true, "signed by an authority that is not trusted", "set `ca_file`"),
        (&["starttls", "expired"], false, "its certificate has expired", "the server's certificate must be renewed"),
        (
            &["tls", "wrong-name"],
            false,
            "its certificate is not valid for `localhost`, but for `",
            "write the server's name",
        ),
    ] {
        let server = SmtpServer::start(options);
        let security = if options[0] == "tls" { MailSecurity::Tls } else { MailSecurity::StartTls };
        let mut settings = mail(smtp(&server, security, MailLogin::None));
        if let (true, MailServer::Smtp { ca_file, .. }) = (unknown_authority, &mut settings.server) {
            *ca_file = None;
        }
        let reason = failed(Mailer::new(settings).send(&message("a@x.example")).await);
        assert!(reason.text.contains(why), "{options:?}: {reason}");
        assert!(reason.hint.as_ref().unwrap().starts_with(hint), "{options:?}: {reason:?}");
        assert!(server.taken().is_empty());
    }
    let server = SmtpServer::start(&["starttls"]);
    std::fs::write(server.ca_file(), "not a certificate").unwrap();
    let reason = failed(mailer(&server, MailSecurity::StartTls).send(&message("a@x.example")).await);
    assert!(reason.text.ends_with("contains no certificate"), "{reason}");
}

#[tokio::test]
async fn answers_from_before_the_encryption_are_not_believed() {
    for options in [&["injected"][..], &["injected", "twice"]] {
        let server = SmtpServer::start(options);
        let reason = failed(mailer(&server, MailSecurity::StartTls).send(&message("a@x.example")).await);
        assert!(reason.text.ends_with("answered before its encryption began"), "{reason}");
    }
}

#[tokio::test]
async fn servers_that_are_away_silent_or_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = |host: &str| MailServer::Smtp {
        host: host.to_string(),
        port,
        security: MailSecurity::StartTls,
        login: MailLogin::None,
        ca_file: None,
        timeout: Duration::from_millis(300),
    };
    // The kernel takes the connection, and nobody speaks.
    let reason = Mailer::new(mail(to("127.0.0.1"))).connect().await.unwrap_err();
    assert_eq!(
        reason.text,
        format!("the mail server 127.0.0.1:{port} cannot be reached: no answer within 0.3 seconds")
    );
    let closing = std::thread::spawn(move || {
        let mut first = listener.accept().unwrap().0;
        drop(listener.accept().unwrap());
        let mut third = listener.accept().unwrap().0;
        let _ = first.write_all(b"221 late\r\n");
        third.write_all(b"554 5.3.2 closed for maintenance\r\n").unwrap();
    });
    let reason = Mailer::new(mail(to("127.0.0.1"))).connect().await.unwrap_err();
    assert!(reason.text.ends_with("cannot be reached: the server closed the connection"), "{reason}");
    let reason = failed(Mailer::new(mail(to("127.0.0.1"))).send(&message("a@x.example")).await);
    assert!(reason.text.ends_with("refused the connection: 554 5.3.2 closed for maintenance"), "{reason}");
    closing.join().unwrap();
    let reason = Mailer::new(mail(to("127.0.0.1"))).connect().await.unwrap_err();
    assert!(reason.text.contains("cannot be reached: ") && reason.text.contains("refused"), "{reason}");
    let reason = Mailer::new(mail(to("no-such-host.invalid"))).connect().await.unwrap_err();
    assert!(reason.text.contains("cannot be reached: "), "{reason}");
}

#[tokio::test]
async fn a_server_that_takes_ascii_only() {
    let server = SmtpServer::start(&["starttls", "ascii"]);
    let mut mailer = mailer(&server, MailSecurity::StartTls);
    let reason = refused(mailer.send(&message("王@x.example")).await);
    assert!(reason.text.contains("characters other than ASCII"), "{reason}");
    answer(mailer.send(&message("wang@bücher.example")).await);
    assert_eq!(server.taken()[0].envelope("to"), "wang@xn--bcher-kva.example");
}

#[tokio::test]
async fn a_server_that_was_restarted_between_two_messages() {
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(&["starttls", "login"]);
    let login = by_password(secret(folder.path(), "password", LOGIN.1));
    let mut settings = mail(smtp(&server, MailSecurity::StartTls, login));
    let mut mailer = Mailer::new(settings.clone());
    answer(mailer.send(&message("a@x.example")).await);
    let _files = server.stop();
    let reason = failed(mailer.send(&message("b@x.example")).await);
    assert!(reason.text.contains("cannot be reached"), "{reason}");
    let server = SmtpServer::start(&["starttls"]);
    settings.server = smtp(&server, MailSecurity::StartTls, MailLogin::None);
    answer(Mailer::new(settings).send(&message("b@x.example")).await);
}

#[tokio::test]
async fn a_folder_takes_each_message_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let mut mailer = Mailer::new(mail(MailServer::Folder(outbox.clone())));
    for to in ["CEO@Example.com", "ceo@example.com", "王/x@example.com"] {
        answer(mailer.send(&message(to)).await);
    }
    let mut names: Vec<String> =
        std::fs::read_dir(&outbox).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let begin = "20261001T020000Z";
    let expected = ["-ceo-at-example.com-1.eml", "-ceo-at-example.com-2.eml", "-王-x-at-example.com-1.eml"];
    assert_eq!(names, expected.map(|end| format!("{begin}{end}")));
    assert_eq!(std::fs::read(outbox.join(&names[0])).unwrap(), mailer.preview(&message("CEO@Example.com")).unwrap());
    // A folder that is a file.
    std::fs::write(folder.path().join("file"), "").unwrap();
    let reason =
        failed(Mailer::new(mail(MailServer::Folder(folder.path().join("file")))).send(&message("a@b.example")).await);
    assert!(reason.text.starts_with("cannot write into "), "{reason}");
}
