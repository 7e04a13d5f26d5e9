//! Cards for chats and systems, each in the format of its receiver.

mod card;
mod formats;
mod markdown;
mod answers;
mod signatures;

use super::http::{self, Exchange};
use super::outcome::{Outcome, Reason};
use super::pace::Pace;
use jiff::Timestamp;
use perennial_core::contract::Secret;
use perennial_core::digest::digest;
use perennial_core::error::Result;
use perennial_core::location::scrub_secrets;
use perennial_project::{Webhook, WebhookKind};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

pub use card::{Card, Link, Tone};

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Calls of a chat in a minute: what 钉钉 and 企业微信 allow; the others allow more.
const MAX_PER_MINUTE: usize = 20;
/// Shorter pieces of a URL are not secret: `v2`, `send`.
const MIN_SECRET_PIECE: usize = 8;

/// Posts cards, to each receiver as often as it allows.
#[derive(Debug)]
pub struct Webhooks {
    http: reqwest::Client,
    /// By the hash of the URL.
    paces: HashMap<String, Pace>,
}

/// A request to a receiver.
struct Request {
    url: Url,
    headers: HeaderMap,
    body: String,
}

impl Webhooks {
    /// Nothing was posted yet.
    ///
    /// # Errors
    /// An internal error when no client can be built.
    pub fn new() -> Result<Webhooks> {
        Ok(Webhooks { http: http::client(TIMEOUT)?, paces: HashMap::new() })
    }

    /// What would be posted, without its address and signature.
    pub fn preview(kind: WebhookKind, card: &Card) -> Value {
        formats::body(kind, card)
    }

    /// Posts a card, after a pause where the receiver was called too often. `now` goes into the signature.
    pub async fn send(&mut self, webhook: &Webhook, card: &Card, now: Timestamp) -> Outcome {
        let url = match webhook.url.reveal() {
            Ok(url) => url,
            Err(error) => return Outcome::Failed(error.into()),
        };
        let secret = match webhook.secret.as_ref().map(Secret::reveal).transpose() {
            Ok(secret) => secret,
            Err(error) => return Outcome::Failed(error.into()),
        };
        let Ok(parsed) = Url::parse(&url) else {
            let reason = Reason::new(format!("the URL of the webhook ({}) is not a valid URL", webhook.url.origin()));
            return Outcome::Failed(reason.hint("write the whole address that the chat or system gives for it"));
        };
        let hidden = hidden(&parsed, secret.as_deref());
        let name = format!("{} at {}", answers::name(webhook.kind), parsed.host_str().unwrap_or_default());
        let request = match request(webhook.kind, parsed, secret.as_deref(), card, now) {
            Ok(request) => request,
            Err(error) => return Outcome::Failed(error.into()),
        };
        if webhook.kind != WebhookKind::Generic {
            let pace = self.paces.entry(digest([&url])).or_default();
            tokio::time::sleep(pace.wait(Instant::now(), MAX_PER_MINUTE)).await;
        }
        let answer = http::post(
            &self.http,
            &name,
            request.url,
            "application/json; charset=utf-8",
            request.headers,
            request.body,
        );
        let outcome = match answer.await {
            Exchange::Unreached(reason) => Outcome::Failed(reason),
            Exchange::Lost(reason) => Outcome::Unknown(reason),
            Exchange::Answered { status, body, retry_after } => {
                answers::outcome(webhook.kind, status, &body, retry_after)
            }
        };
        scrubbed(outcome, &hidden)
    }
}

fn request(kind: WebhookKind, mut url: Url, secret: Option<&str>, card: &Card, now: Timestamp) -> Result<Request> {
    let mut body = formats::body(kind, card);
    let mut headers = HeaderMap::new();
    match (kind, secret) {
        (WebhookKind::Feishu, Some(secret)) => {
            let timestamp = now.as_second();
            body["timestamp"] = timestamp.to_string().into();
            body["sign"] = signatures::feishu(secret, timestamp)?.into();
        }
        (WebhookKind::DingTalk, Some(secret)) => {
            let timestamp = now.as_millisecond();
            let sign = signatures::dingtalk(secret, timestamp)?;
            url.query_pairs_mut().append_pair("timestamp", &timestamp.to_string()).append_pair("sign", &sign);
        }
        _ => {}
    }
    let body = body.to_string();
    if kind == WebhookKind::Generic {
        let mut add = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        let timestamp = now.as_second();
        add("x-perennial-id", &card.id);
        add("x-perennial-timestamp", &timestamp.to_string());
        if let Some(secret) = secret {
            add("x-perennial-signature", &signatures::generic(secret, timestamp, &body)?);
        }
    }
    Ok(Request { url, headers, body })
}

/// What no text may show of a webhook: its URL, the pieces of that which are keys, and its secret.
fn hidden(url: &Url, secret: Option<&str>) -> Vec<String> {
    let pieces = url.path().split('/').filter(|piece| piece.len() >= MIN_SECRET_PIECE).map(str::to_string);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let users = [url.username(), url.password().unwrap_or_default()].map(str::to_string);
    let whole = url.as_str().to_string();
    std::iter::once(whole).chain(pieces).chain(values).chain(users).chain(secret.map(str::to_string)).collect()
}

fn scrubbed(outcome: Outcome, hidden: &[String]) -> Outcome {
    let clean = |reason: Reason| Reason { text: scrub_secrets(&reason.text, hidden), ..reason };
    match outcome {
        Outcome::Sent { answer } => Outcome::Sent { answer: scrub_secrets(&answer, hidden) },
        Outcome::Refused(reason) => Outcome::Refused(clean(reason)),
        Outcome::Failed(reason) => Outcome::Failed(clean(reason)),
        Outcome::Unknown(reason) => Outcome::Unknown(clean(reason)),
    }
}
