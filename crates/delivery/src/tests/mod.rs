//! Tests with servers: mail as it arrives, webhooks that check their formats.

mod copies;
mod messages;
mod oauth;
mod pings;
mod smtp;
mod webhooks;

use crate::{Attachment, LeftOut, Link, Message, Outcome, Picture, Reason};
use perennial_core::contract::Secret;
use perennial_project::{Address, Mail, MailLogin, MailSecurity, MailServer};
use perennial_testing::SmtpServer;
use std::path::Path;
use std::time::Duration;

/// A red dot.
const PNG: &[u8] = include_bytes!("dot.png");

fn address(address: &str) -> Address {
    Address { name: None, address: address.to_string() }
}

/// A message with everything.
fn message(to: &str) -> Message {
    Message {
        to: Address { name: Some("王小明, Vertrieb".to_string()), address: to.to_string() },
        id: "0123456789abcdef0123456789abcdef".to_string(),
        date: "2026-10-01T02:00:00Z".parse().unwrap(),
        subject:
            "经营回顾 2026-09: Umsatz über Plan, 客户流失率下降, and a verdict that is long enough to need two lines"
                .to_string(),
        text: "客户  1,234\n.\nFrom the first line\n".to_string(),
        html: Some(format!(
            "<html><body><p>客户</p><img src=\"cid:c1\" alt=\"x\">{}</body></html>",
            "<br>长".repeat(2_000)
        )),
        pictures: vec![Picture { cid: "c1".to_string(), png: PNG.to_vec() }],
        attachments: vec![
            Attachment {
                name: "经营回顾 2026-09 (über alles, with a name that is too long for one line of a header).pdf"
                    .to_string(),
                mime: "application/pdf".to_string(),
                content: (0..=255).cycle().take(100_000).collect(),
            },
            Attachment {
                name: "page.html".to_string(),
                mime: "text/html".to_string(),
                content: b"<p>a\nb\r\nc</p>".to_vec(),
            },
        ],
        left_out: LeftOut {
            sentence: "Too large: {}.".to_string(),
            pictures: "the charts".to_string(),
            separator: ", ".to_string(),
            link: Some(Link { label: "Read <it>".to_string(), url: "https://reports.example.com/a?b&c".to_string() }),
        },
    }
}

fn mail(server: MailServer) -> Mail {
    Mail {
        from: Address { name: Some("Acme 报告".to_string()), address: "reports@acme.example".to_string() },
        reply_to: Some(address("office@acme.example")),
        server,
        max_attachment_bytes: 8_000_000,
        list_unsubscribe: Some("mailto:office@acme.example?subject=stop".to_string()),
    }
}

/// A server as a project names it; short times, since some servers of tests hang.
fn smtp(server: &SmtpServer, security: MailSecurity, login: MailLogin) -> MailServer {
    MailServer::Smtp {
        host: "localhost".to_string(),
        port: server.port,
        security,
        login,
        ca_file: (security != MailSecurity::Off).then(|| server.ca_file()),
        timeout: Duration::from_millis(700),
    }
}

/// A secret in a file.
fn secret(folder: &Path, name: &str, value: &str) -> Secret {
    std::fs::write(folder.join(name), value).unwrap();
    Secret::File(folder.join(name))
}

fn refused(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Refused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn failed(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn unknown(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Unknown(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn answer(outcome: Outcome) -> String {
    match outcome {
        Outcome::Sent { answer } => answer,
        other => panic!("{other:?}"),
    }
}

/// A web server that checks what it gets (`http_server.py`).
struct WebServer {
    server: perennial_testing::HttpServer,
    folder: tempfile::TempDir,
}

impl WebServer {
    fn start() -> WebServer {
        let folder = tempfile::tempdir().unwrap();
        let script =
            include_str!("http_server.py").replace("FOLDER", &format!("{:?}", folder.path().to_str().unwrap()));
        WebServer { server: perennial_testing::HttpServer::start(&script), folder }
    }

    /// What it was asked, in order: `path`, `headers`, `body`.
    fn asked(&self) -> Vec<serde_json::Value> {
        let read = |number: u32| std::fs::read(self.folder.path().join(format!("{number}.json"))).ok();
        (1..).map_while(read).map(|text| serde_json::from_slice(&text).unwrap()).collect()
    }
}
