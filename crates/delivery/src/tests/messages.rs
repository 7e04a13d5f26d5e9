//! Messages, read by Python's email package, which shares no code with ours.

use super::*;
use crate::Mailer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

fn read(encoded: &[u8]) -> Value {
    let mut process = perennial_testing::python()
        .args(["-c", include_str!("read_mail.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(encoded).unwrap();
    serde_json::from_slice(&process.wait_with_output().unwrap().stdout).unwrap()
}

fn mailer(max_attachment_bytes: u64) -> Mailer {
    Mailer::new(Mail { max_attachment_bytes, ..mail(MailServer::Folder("unused".into())) })
}

fn header<'a>(read: &'a Value, name: &str) -> &'a str {
    let headers = read["headers"].as_array().unwrap();
    let found: Vec<&Value> = headers.iter().filter(|header| header[0] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {headers:?}");
    found[0][1].as_str().unwrap()
}

fn content(part: &Value) -> Vec<u8> {
    STANDARD.decode(part["content"].as_str().unwrap()).unwrap()
}

#[test]
fn a_message_is_what_mail_programs_expect() {
    let (mailer, message) = (mailer(8_000_000), message("wang@bücher.example"));
    let encoded = mailer.preview(&message).unwrap();
    assert_eq!(encoded, mailer.preview(&message).unwrap(), "the same on each attempt");
    let read = read(&encoded);
    assert_eq!(read["defects"], json!([]));
    assert_eq!(
        read["tree"],
        json!({ "multipart/mixed": [
            { "multipart/alternative": ["text/plain", { "multipart/related": ["text/html", "image/png"] }] },
            "application/pdf",
            "text/html",
        ]})
    );
    assert_eq!(read["related_type"], json!(["text/html"]));
    assert_eq!(read["from"], json!([["Acme 报告", "reports@acme.example"]]));
    // Python's codec `idna` makes the same of the domain.
    assert_eq!(read["to"], json!([["王小明, Vertrieb", "wang@xn--bcher-kva.example"]]));
    assert_eq!(header(&read, "Subject"), message.subject);
    assert_eq!(header(&read, "Reply-To"), "office@acme.example");
    assert_eq!(header(&read, "Message-ID"), format!("<{}@acme.example>", message.id));
    assert_eq!(header(&read, "Message-ID"), mailer.message_id(&message.id));
    assert_eq!(header(&read, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&read, "List-Unsubscribe"), "<mailto:office@acme.example?subject=stop>");
    assert_eq!(header(&read, "MIME-Version"), "1.0");
    assert_eq!(read["date"], "2026-10-01T02:00:00+00:00");
    // Every relay takes it, whatever it offers.
    assert_eq!((&read["ascii"], &read["bare_line_ends"]), (&json!(true), &json!(false)));
    assert!(read["longest_line"].as_u64().unwrap() <= 78, "{}", read["longest_line"]);

    let parts = read["parts"].as_array().unwrap();
    let text = String::from_utf8(content(&parts[0])).unwrap().replace("\r\n", "\n");
    assert_eq!((text.trim_end(), &parts[0]["charset"]), (message.text.trim_end(), &json!("utf-8")));
    let html = String::from_utf8(content(&parts[1])).unwrap();
    assert_eq!((html.trim_end(), &parts[1]["charset"]), (message.html.as_deref().unwrap(), &json!("utf-8")));
    assert_eq!((content(&parts[2]), &parts[2]["cid"]), (PNG.to_vec(), &json!("<c1>")));
    assert_eq!((&parts[2]["disposition"], &parts[2]["name"]), (&json!("inline"), &json!("picture-1.png")));
    for (part, attachment) in parts[3..].iter().zip(&message.attachments) {
        assert_eq!((&part["disposition"], &part["encoding"]), (&json!("attachment"), &json!("base64")));
        assert_eq!(
            (part["name"].as_str().unwrap(), content(part)),
            (attachment.name.as_str(), attachment.content.clone())
        );
    }
}

#[test]
fn subjects_and_names_of_any_kind_arrive() {
    let long = "x".repeat(500);
    let ideographs = "长".repeat(300);
    for text in [
        long.as_str(),
        &ideographs,
        "📈 up 12 % — «très bien»",
        "tab\tand  two spaces",
        "=?utf-8?q?fake?= and \"quotes\", commas; <angles>",
        "ends with a backslash \\",
        "a b 客 d e 户 f",
    ] {
        let mut message = message("a@b.example");
        message.subject = text.to_string();
        message.to.name = Some(text.to_string());
        message.attachments[0].name = text.to_string();
        let read = read(&mailer(8_000_000).preview(&message).unwrap());
        let clean = text.replace('\t', " ").replace("=?", "= ?");
        assert_eq!((header(&read, "Subject"), &read["defects"]), (clean.as_str(), &json!([])));
        assert_eq!(read["to"][0][0], clean);
        assert_eq!(read["parts"][3]["name"], clean);
        assert!(read["longest_line"].as_u64().unwrap() <= 998, "{}", read["longest_line"]);
    }
}

#[test]
fn a_message_has_only_the_levels_it_needs() {
    let whole = message("a@b.example");
    let text = Message { html: None, pictures: vec![], attachments: vec![], ..whole.clone() };
    assert_eq!(read(&mailer(1_000).preview(&text).unwrap())["tree"], "text/plain");
    let both = Message { pictures: vec![], attachments: vec![], ..whole.clone() };
    let tree = json!({ "multipart/alternative": ["text/plain", "text/html"] });
    assert_eq!(read(&mailer(1_000).preview(&both).unwrap())["tree"], tree);
    let attached = Message { html: None, pictures: vec![], ..whole };
    let tree = json!({ "multipart/mixed": ["text/plain", "application/pdf", "text/html"] });
    assert_eq!(read(&mailer(1_000_000).preview(&attached).unwrap())["tree"], tree);
}

#[test]
fn nothing_in_data_begins_a_header() {
    let evil = "x\r\nBcc: evil@example.com\r\n\r\n<script>\u{2028}\u{85}\0";
    let mut message = message("a@b.example");
    message.subject = evil.to_string();
    message.to.name = Some(evil.to_string());
    message.attachments[0].name = evil.to_string();
    message.pictures[0].cid = evil.to_string();
    let mail = Mail { list_unsubscribe: Some(evil.to_string()), ..mail(MailServer::Folder("unused".into())) };
    let read = read(&Mailer::new(mail).preview(&message).unwrap());
    let headers: Vec<&str> = read["headers"].as_array().unwrap().iter().map(|h| h[0].as_str().unwrap()).collect();
    assert!(!headers.contains(&"Bcc"), "{headers:?}");
    assert!(header(&read, "Subject").starts_with("x  Bcc: evil@example.com"));
    assert_eq!(read["parts"].as_array().unwrap().len(), 5);
    // An address is not cleaned but refused: a cleaned one would be somebody else's.
    for wrong in
        ["a@b\r\nBcc: c@d", "a\n@b.example", "ab.example", "a@", "@b", "a b@c.example", "a@b.example, c@d.example"]
    {
        let error = mailer(0).preview(&Message { to: address(wrong), ..message.clone() }).unwrap_err();
        assert!(error.message().contains("is not a mail address") && !error.message().contains('\n'), "{error}");
    }
}

#[test]
fn what_is_too_large_is_left_out_and_the_message_says_so() {
    let mut message = message("a@b.example");
    message.attachments[0].content = vec![b'x'; 40_000_000];
    let encoded = mailer(8_000_000).preview(&message).unwrap();
    assert!(encoded.len() < 100_000, "{}", encoded.len());
    let read = read(&encoded);
    let parts = read["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(names, ["picture-1.png", "page.html"]);
    let text = String::from_utf8(content(&parts[0])).unwrap();
    let name = message.attachments[0].name.clone();
    let note = format!("Too large: {name}.\nRead <it>: https://reports.example.com/a?b&c");
    assert!(text.replace("\r\n", "\n").trim_end().ends_with(&note), "{text}");
    let html = String::from_utf8(content(&parts[1])).unwrap();
    let link = "<a href=\"https://reports.example.com/a?b&amp;c\">Read &lt;it&gt;</a>";
    assert!(html.contains(&format!(">Too large: {name}.<br>{link}</td>")), "{html}");
    assert!(html.contains("<img src=\"cid:c1\"") && html.trim_end().ends_with("</body></html>"), "{html}");

    // Without its pictures a page shows the words that stand for them; the files come after the pictures.
    message.html = Some("<body><img alt=\"1 > 2\" src=\"cid:c1\"> <img src=\"x.png\" alt=\"y\"></body>".to_string());
    message.pictures[0].png = vec![0; 6_000_000];
    message.attachments[0].content = vec![b'x'; 10];
    let read = self::read(&mailer(8_000_000).preview(&message).unwrap());
    let parts = read["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(names, [name.as_str(), "page.html"]);
    let html = String::from_utf8(content(&parts[1])).unwrap();
    assert!(html.starts_with("<body>1 > 2 <img src=\"x.png\" alt=\"y\">"), "{html}");
    assert!(html.contains(">Too large: the charts.<br>"), "{html}");
    message.pictures[0].png = vec![0; 5_000_000];
    message.attachments[0].content = vec![b'x'; 1_000_000];
    let read = self::read(&mailer(7_000_000).preview(&message).unwrap());
    let names: Vec<&str> = read["parts"].as_array().unwrap().iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(names, ["picture-1.png", "page.html"]);

    // The limit is that of the encoded size: of a file at the limit, and of one that is just beyond it.
    message.attachments = vec![message.attachments[0].clone()];
    message.pictures.clear();
    (message.html, message.left_out) = (None, LeftOut::default());
    for bytes in [1, 56, 57, 58, 30_000, 400_000] {
        message.attachments[0].content = vec![b'x'; bytes];
        let size = |limit| mailer(limit).preview(&message).unwrap().len() as u64;
        let (with, without) = (size(u64::MAX), size(0));
        assert_eq!((size(with - without + 1_000), size(with - without - 64)), (with, without), "{bytes}");
    }
}
