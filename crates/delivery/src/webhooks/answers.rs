//! What receivers answer. The chats of China answer with HTTP 200 and a code of their own; Teams passes on what its
//! workflow said.

use crate::outcome::{Outcome, Reason};
use perennial_project::WebhookKind;
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;

/// How long to wait where a receiver says "too often" and not how long.
const TOO_OFTEN: Duration = Duration::from_secs(60);

/// A kind of webhook in messages.
pub(super) fn name(kind: WebhookKind) -> &'static str {
    match kind {
        WebhookKind::Generic => "the webhook",
        WebhookKind::Slack => "Slack",
        WebhookKind::Teams => "Teams",
        WebhookKind::Feishu => "飞书",
        WebhookKind::DingTalk => "钉钉",
        WebhookKind::WeCom => "企业微信",
    }
}

/// What an answer means.
pub(super) fn outcome(kind: WebhookKind, status: u16, body: &str, retry_after: Option<Duration>) -> Outcome {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some((code, said)) = own_code(kind, &json) {
        return match code {
            0 => Outcome::Sent { answer: Reason::new(format!("{code} {said}")).text },
            code => {
                let reason = Reason::new(format!("{code} {said}")).code(code);
                let reason = match own_hint(kind, code) {
                    Some(hint) => reason.hint(hint),
                    None => reason,
                };
                match is_passing(kind, code) {
                    true => Outcome::Failed(Reason { retry_after: retry_after.or(Some(TOO_OFTEN)), ..reason }),
                    false => Outcome::Refused(reason),
                }
            }
        };
    }
    // The words of the status, since a body may say anything: `ok`.
    let words = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let said = [words.unwrap_or_default(), body.trim()].join(": ");
    let reason = Reason::new(format!("{status} {}", said.trim_matches([':', ' '])));
    let reason = Reason { retry_after, ..reason.code(status) };
    match (kind, status) {
        // A connector that still exists answers with 200 and the failure in words.
        (WebhookKind::Teams, 200..=299) if body.contains("HTTP error 429") => {
            Outcome::Failed(Reason { retry_after: retry_after.or(Some(TOO_OFTEN)), ..reason })
        }
        (WebhookKind::Teams, 200..=299) if body.contains("delivery failed") => Outcome::Refused(reason),
        (WebhookKind::Slack, 200..=299) if body.trim() != "ok" && json["ok"] != true => Outcome::Refused(reason),
        // The three of China say what became of it, or it was another server that answered.
        (WebhookKind::Feishu | WebhookKind::DingTalk | WebhookKind::WeCom, 200..=299) => {
            Outcome::Refused(reason.hint("the answer is not the chat's: check the URL of the webhook"))
        }
        (_, 200..=299) => Outcome::Sent { answer: Reason::new(format!("{status} {body}")).text.trim().to_string() },
        (_, 408 | 425 | 429 | 500 | 503) => Outcome::Failed(reason),
        // Something between did not wait for the answer.
        (_, 502 | 504) => Outcome::Unknown(reason),
        (_, 300..=399) => Outcome::Refused(reason.hint("it leads elsewhere: write the address to which it leads")),
        (_, 401 | 403 | 404 | 410) => {
            Outcome::Refused(reason.hint("the webhook was removed, or its address is incomplete: make it anew"))
        }
        _ => Outcome::Refused(reason),
    }
}

/// The receiver's own code and its words.
fn own_code(kind: WebhookKind, json: &Value) -> Option<(i64, String)> {
    let (codes, texts): (&[&str], &[&str]) = match kind {
        WebhookKind::Feishu => (&["code", "StatusCode"], &["msg", "StatusMessage"]),
        WebhookKind::DingTalk | WebhookKind::WeCom => (&["errcode"], &["errmsg"]),
        WebhookKind::Generic | WebhookKind::Slack | WebhookKind::Teams => return None,
    };
    let code = codes.iter().find_map(|name| json[*name].as_i64())?;
    let text = texts.iter().find_map(|name| json[*name].as_str()).unwrap_or_default();
    Some((code, text.to_string()))
}

/// Whether a code says "too often" or "busy", so that a later attempt may succeed.
fn is_passing(kind: WebhookKind, code: i64) -> bool {
    match kind {
        WebhookKind::Feishu => matches!(code, 11_232 | 99_991_400),
        WebhookKind::DingTalk => matches!(code, -1 | 130_101 | 410_100),
        WebhookKind::WeCom => matches!(code, -1 | 45_009 | 45_033),
        WebhookKind::Generic | WebhookKind::Slack | WebhookKind::Teams => false,
    }
}

/// What to do about a receiver's own code.
fn own_hint(kind: WebhookKind, code: i64) -> Option<&'static str> {
    match (kind, code) {
        (WebhookKind::Feishu, 19_021) => Some("check `secret` of the webhook and the clock of this machine"),
        (WebhookKind::Feishu, 19_024) => Some("add a word of the title to the robot's keywords, or sign with `secret`"),
        (WebhookKind::Feishu, 19_022) => Some("add the address of this machine to the robot's list of addresses"),
        (WebhookKind::DingTalk, 310_000) => Some(
            "the robot's safety settings refused it: check `secret` and this machine's clock, its keywords, or its list of addresses",
        ),
        (WebhookKind::DingTalk, 300_001 | 300_005 | 400_101 | 400_102) | (WebhookKind::WeCom, 93_000) => {
            Some("the robot was removed or its key is wrong: make the webhook anew")
        }
        _ => None,
    }
}
