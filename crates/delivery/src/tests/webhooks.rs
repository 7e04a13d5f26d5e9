//! Webhooks to a server that checks the formats of their vendors.

use super::*;
use crate::{Card, Link, Tone, Webhooks};
use jiff::Timestamp;
use perennial_project::{Webhook, WebhookKind};
use serde_json::{Value, json};

const KINDS: [(WebhookKind, &str); 6] = [
    (WebhookKind::Generic, "/generic/hook-0123456789"),
    (WebhookKind::Slack, "/slack/services/T01234567/B01234567/k3yk3yk3yk3y"),
    (WebhookKind::Teams, "/teams/workflows/k3yk3yk3yk3y/triggers?sig=k3yk3yk3yk3y"),
    (WebhookKind::Feishu, "/feishu/hook/k3yk3yk3yk3y"),
    (WebhookKind::DingTalk, "/dingtalk/robot/send?access_token=k3yk3yk3yk3y"),
    (WebhookKind::WeCom, "/wecom/cgi-bin/webhook/send?key=k3yk3yk3yk3y"),
];

fn card() -> Card {
    Card {
        id: "d41d8cd98f00".to_string(),
        title: "经营回顾 2026-09".to_string(),
        verdict: "Revenue <above> plan & margin *below*".to_string(),
        tone: Tone::Bad,
        figures: vec![("收入".to_string(), "¥1,234,567".to_string()), ("Margin".to_string(), "12.3 %".to_string())],
        lines: vec![
            "test core.orders_unique: 3 rows".to_string(),
            "[click](http://evil.example)\n# not a title".to_string(),
        ],
        link: Some(Link { label: "打开报告".to_string(), url: "https://reports.example.com/a?b=1".to_string() }),
        cut: "…以及更多内容,请见报告".to_string(),
        language: "zh-CN".to_string(),
    }
}

/// A card with far too much of everything.
fn large_card() -> Card {
    Card {
        title: "题".repeat(5_000),
        verdict: "词".repeat(5_000),
        figures: (0..500).map(|n| ("标签".repeat(200 + n), "值".repeat(3_000))).collect(),
        lines: (0..3_000).map(|n| format!("第 {n} 行: {}", "很长".repeat(n % 50))).collect(),
        ..card()
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_600_000_000).unwrap()
}

fn hook(folder: &std::path::Path, kind: WebhookKind, url: &str, signed: bool) -> Webhook {
    let secret = |name: &str, value: &str| super::secret(folder, name, value);
    Webhook { kind, url: secret("url", url), secret: signed.then(|| secret("secret", "s3cret")), language: None }
}

#[tokio::test]
async fn every_receiver_takes_its_format() {
    let (web, folder) = (WebServer::start(), tempfile::tempdir().unwrap());
    let mut webhooks = Webhooks::new().unwrap();
    let smallest = Card { title: "t".to_string(), ..Card::default() };
    for (kind, path) in KINDS {
        for card in [card(), large_card(), smallest.clone()] {
            let sent =
                answer(webhooks.send(&hook(folder.path(), kind, &web.server.url(path), false), &card, now()).await);
            assert!(["204", "ok", "202", "0 success", "0 ok", "200 ok"].contains(&sent.as_str()), "{kind:?}: {sent}");
        }
    }
}

#[tokio::test]
async fn receivers_know_who_calls() {
    let (web, folder) = (WebServer::start(), tempfile::tempdir().unwrap());
    let mut webhooks = Webhooks::new().unwrap();
    for (kind, path) in [
        (WebhookKind::Feishu, "/feishu/signed/hook"),
        (WebhookKind::DingTalk, "/dingtalk/signed?access_token=k3yk3yk3y"),
        (WebhookKind::Generic, "/generic"),
    ] {
        let mut hook = hook(folder.path(), kind, &web.server.url(path), true);
        answer(webhooks.send(&hook, &card(), now()).await);
        hook.secret = Some(secret(folder.path(), "other", "another secret"));
        let outcome = webhooks.send(&hook, &card(), now()).await;
        match kind {
            WebhookKind::Generic => drop(answer(outcome)),
            _ => assert!(refused(outcome).hint.unwrap().contains("clock")),
        }
    }
    let generic = &web.asked()[4];
    let headers = &generic["headers"];
    assert_eq!(
        (&headers["x-perennial-id"], &headers["x-perennial-timestamp"]),
        (&json!("d41d8cd98f00"), &json!("1600000000"))
    );
    // What docs/mail.md tells receivers to compute, by openssl.
    let text = format!("1600000000.{}", generic["body"].as_str().unwrap());
    std::fs::write(folder.path().join("text"), text).unwrap();
    let openssl = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "s3cret"])
        .arg(folder.path().join("text"))
        .output()
        .unwrap();
    let expected = String::from_utf8(openssl.stdout).unwrap();
    let expected = format!("sha256={}", expected.trim().rsplit(' ').next().unwrap());
    assert_eq!(headers["x-perennial-signature"], expected);
    let body: Value = serde_json::from_str(generic["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "version": 1, "id": "d41d8cd98f00", "title": "经营回顾 2026-09",
            "verdict": "Revenue <above> plan & margin *below*", "tone": "bad",
            "figures": [{ "label": "收入", "value": "¥1,234,567" }, { "label": "Margin", "value": "12.3 %" }],
            "lines": ["test core.orders_unique: 3 rows", "[click](http://evil.example)\n# not a title"],
            "link": "https://reports.example.com/a?b=1", "language": "zh-CN",
        })
    );
}

#[test]
fn what_data_says_has_no_meaning_of_its_own() {
    let of = |kind| Webhooks::preview(kind, &card()).to_string();
    for kind in [WebhookKind::Teams, WebhookKind::DingTalk, WebhookKind::WeCom] {
        let text = of(kind);
        assert!(text.contains("[click] (http://evil.example) # not a title"), "{text}");
        assert!(text.contains("＜above＞") && !text.contains("<above>"), "{text}");
        assert!(text.contains("https://reports.example.com/a?b=1"));
    }
    for kind in [WebhookKind::Slack, WebhookKind::Feishu] {
        let text = of(kind);
        assert!(!text.contains("mrkdwn") && !text.contains("lark_md"), "{text}");
    }
    assert!(
        of(WebhookKind::Slack)
            .contains("\"text\":\"经营回顾 2026-09: Revenue &lt;above&gt; plan &amp; margin *below*\"")
    );
}

#[test]
fn a_long_text_is_cut_at_a_line_and_keeps_its_link() {
    let card = large_card();
    let wecom = Webhooks::preview(WebhookKind::WeCom, &card);
    let content = wecom["markdown"]["content"].as_str().unwrap();
    assert!((3_000..=4_096).contains(&content.len()), "{}", content.len());
    let lines: Vec<&str> = content.lines().collect();
    assert_eq!(lines[lines.len() - 1], "[打开报告](https://reports.example.com/a?b=1)");
    assert_eq!(lines[lines.len() - 2], card.cut);
    let slack = Webhooks::preview(WebhookKind::Slack, &card);
    let text = slack["blocks"].as_array().unwrap().iter().rev().nth(1).unwrap()["text"]["text"].as_str().unwrap();
    let shown: Vec<&str> = text.lines().collect();
    assert_eq!(*shown.last().unwrap(), card.cut);
    assert!(shown[..shown.len() - 1].iter().zip(&card.lines).all(|(shown, line)| shown == line));
}

#[tokio::test]
async fn what_answers_mean() {
    let (web, folder) = (WebServer::start(), tempfile::tempdir().unwrap());
    let mut webhooks = Webhooks::new().unwrap();
    let mut send = async |kind, path: &str| {
        webhooks.send(&hook(folder.path(), kind, &web.server.url(path), false), &card(), now()).await
    };
    use WebhookKind::{DingTalk, Feishu, Generic, Slack, Teams, WeCom};
    let reason = failed(send(Slack, "/status/429/30").await);
    assert_eq!((reason.code.as_deref(), reason.retry_after), (Some("429"), Some(Duration::from_secs(30))));
    for (kind, path) in [(Slack, "/status/503"), (Generic, "/status/500"), (Teams, "/status/408")] {
        failed(send(kind, path).await);
    }
    for (kind, path) in
        [(Slack, "/status/404"), (Teams, "/status/400"), (Generic, "/status/301"), (Feishu, "/status/403")]
    {
        refused(send(kind, path).await);
    }
    // Something between did not wait: it may have arrived.
    unknown(send(Teams, "/status/504").await);
    unknown(send(Generic, "/close").await);
    failed(send(Teams, "/say/Webhook message delivery failed with error: HTTP error 429").await);
    refused(send(Teams, "/say/Webhook message delivery failed with error: HTTP error 403").await);
    assert_eq!(refused(send(Slack, "/say/no_team").await).text, "200 OK: no_team");
    let reason = refused(send(Generic, "/status/404").await);
    assert!(reason.text.starts_with("404 Not Found: said "), "{reason}");
    // HTTP 200 says nothing with these.
    for (kind, passing, lasting) in [
        (Feishu, r#"{"code":11232,"msg":"frequency limited"}"#, r#"{"code":19024,"msg":"Key Words Not Found"}"#),
        (
            DingTalk,
            r#"{"errcode":130101,"errmsg":"send too fast"}"#,
            r#"{"errcode":310000,"errmsg":"keywords not in content"}"#,
        ),
        (
            WeCom,
            r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#,
            r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#,
        ),
    ] {
        let reason = failed(send(kind, &format!("/say/{passing}")).await);
        assert_eq!(reason.retry_after, Some(Duration::from_secs(60)), "{reason:?}");
        let reason = refused(send(kind, &format!("/say/{lasting}")).await);
        let code = reason.code.as_deref().unwrap();
        assert!(reason.hint.is_some() && reason.text.starts_with(&format!("{code} ")), "{reason:?}");
        refused(send(kind, "/say/<html>").await);
    }
    // Nobody is there.
    let gone = hook(folder.path(), Generic, "http://127.0.0.1:1/k3yk3yk3yk3y", false);
    let reason = failed(Webhooks::new().unwrap().send(&gone, &card(), now()).await);
    assert!(reason.text.starts_with("the webhook at 127.0.0.1 cannot be reached: "), "{reason}");
    let gone = hook(folder.path(), Generic, "k3yk3yk3yk3y", false);
    let reason = failed(Webhooks::new().unwrap().send(&gone, &card(), now()).await);
    assert!(reason.text.contains("is not a valid URL") && !reason.text.contains("k3y"), "{reason}");
}

#[tokio::test]
async fn no_text_shows_the_address() {
    let (web, folder) = (WebServer::start(), tempfile::tempdir().unwrap());
    let mut webhooks = Webhooks::new().unwrap();
    for (kind, _) in KINDS {
        // The server says what it was asked, as some do.
        for path in ["/status/400/1/k3yk3yk3yk3y?sig=s3cr3t%2Fs3cr3t", "/status/500/1/k3yk3yk3yk3y?key=s3cr3t%2Fs3cr3t"]
        {
            let outcome = webhooks.send(&hook(folder.path(), kind, &web.server.url(path), true), &card(), now()).await;
            let shown = format!("{outcome:?}");
            assert!(!shown.contains("k3y") && !shown.contains("s3cr3t") && shown.contains("***"), "{shown}");
        }
    }
}
