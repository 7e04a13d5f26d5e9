//! XOAUTH2 with a token endpoint.

use super::*;
use crate::Mailer;

fn settings(server: &SmtpServer, web: &WebServer, path: &str, client_secret: Secret) -> Mail {
    let login = MailLogin::OAuth {
        user: SmtpServer::ACCOUNT.0.to_string(),
        token_url: web.server.url(path),
        client_id: "application".to_string(),
        client_secret,
        scope: "https://outlook.office365.com/.default".to_string(),
    };
    mail(smtp(server, MailSecurity::StartTls, login))
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let (server, web) = (SmtpServer::start(&["starttls", "xoauth2"]), WebServer::start());
    server.accept_tokens("token-number-1 token-number-2 token-number-3 token-number-4");
    for (path, requests) in [("/token", 1), ("/token/119", 3)] {
        let client_secret = secret(folder.path(), "secret", "cl1ent+s3cret/=");
        let mut mailer = Mailer::new(settings(&server, &web, path, client_secret));
        let before = web.asked().len();
        for _ in 0..3 {
            answer(mailer.send(&message("a@x.example")).await);
            // A new connection logs in anew.
            mailer.close().await;
        }
        assert_eq!(web.asked().len() - before, requests, "{path}");
    }
    let body = web.asked()[0]["body"].as_str().unwrap().to_string();
    let form: Vec<(String, String)> =
        url::form_urlencoded::parse(body.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "application"),
        ("client_secret", "cl1ent+s3cret/="),
        ("scope", "https://outlook.office365.com/.default"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_string(), value.to_string())));
    let taken = server.taken();
    assert_eq!((taken.len(), taken[0].envelope("user")), (6, SmtpServer::ACCOUNT.0));
}

#[tokio::test]
async fn a_refused_token_is_replaced_by_the_next_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let (server, web) = (SmtpServer::start(&["starttls", "xoauth2"]), WebServer::start());
    server.accept_tokens("token-number-2");
    let client_secret = secret(folder.path(), "secret", "cl1ent+s3cret/=");
    let mut mailer = Mailer::new(settings(&server, &web, "/token", client_secret));
    let reason = failed(mailer.send(&message("a@x.example")).await);
    assert!(reason.text.ends_with("refused the login: 535 5.7.3 Authentication unsuccessful"), "{reason}");
    assert_eq!(reason.code.as_deref(), Some("535"));
    assert!(reason.hint.unwrap().contains("check that `user` is the mailbox"));
    answer(mailer.send(&message("a@x.example")).await);
}

#[tokio::test]
async fn an_endpoint_that_gives_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let (server, web) = (SmtpServer::start(&["starttls", "xoauth2"]), WebServer::start());
    let wrong = || secret(folder.path(), "secret", "wr0ng secret");
    let reason = failed(Mailer::new(settings(&server, &web, "/token", wrong())).send(&message("a@x.example")).await);
    assert_eq!(reason.text, "the token endpoint 127.0.0.1 gave no token: 401 invalid_client: not ***");
    assert_eq!(reason.code.as_deref(), Some("401"));
    assert!(reason.hint.unwrap().contains("`client_secret` (file "));
    // A page that answers in HTML, with the secret in it.
    let reason =
        failed(Mailer::new(settings(&server, &web, "/status/200", wrong())).send(&message("a@x.example")).await);
    assert!(reason.text.contains("gave no token: 200 said /status/200"), "{reason}");
    let reason = failed(Mailer::new(settings(&server, &web, "/hang", wrong())).send(&message("a@x.example")).await);
    assert_eq!(reason.text, "the token endpoint 127.0.0.1 did not respond in time");
    // A server that wants passwords.
    let password = SmtpServer::start(&["starttls", "login"]);
    let reason = failed(Mailer::new(settings(&password, &web, "/token", wrong())).send(&message("a@x.example")).await);
    assert!(reason.hint.unwrap().contains("in place of `oauth`"));
}
