//! Tokens for XOAUTH2, got with client credentials.

use super::http::{self, Exchange};
use super::outcome::Reason;
use perennial_core::contract::Secret;
use perennial_core::location::scrub_secrets;
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

/// A token is replaced so long before it expires: its use takes time, and clocks differ.
const BEFORE_EXPIRY: Duration = Duration::from_secs(120);
/// How long a token is kept whose answer does not say how long it holds.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);

/// Where tokens are got, and by whom.
pub(crate) struct Client<'a> {
    pub(crate) token_url: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a Secret,
    pub(crate) scope: &'a str,
}

/// The newest token.
#[derive(Default)]
pub(crate) struct Tokens {
    newest: Option<(String, Instant)>,
}

impl Tokens {
    /// A token that holds for the next minutes.
    pub(crate) async fn get(&mut self, client: &Client<'_>, timeout: Duration) -> Result<String, Reason> {
        if let Some((token, until)) = &self.newest
            && *until > Instant::now()
        {
            return Ok(token.clone());
        }
        let (token, lifetime) = request(client, timeout).await?;
        let until = Instant::now() + lifetime.saturating_sub(BEFORE_EXPIRY);
        self.newest = Some((token.clone(), until));
        Ok(token)
    }

    /// Forgets the token, which a server refused. Whether there was one that had been used before.
    pub(crate) fn forget(&mut self) {
        self.newest = None;
    }
}

/// What a token endpoint answers (RFC 6749, sections 5.1 and 5.2).
#[derive(serde::Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<serde_json::Value>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn request(client: &Client<'_>, timeout: Duration) -> Result<(String, Duration), Reason> {
    let secret = client.client_secret.reveal()?;
    let url = Url::parse(client.token_url)
        .map_err(|e| Reason::new(format!("`token_url` is not a valid URL: {e}")).hint("write `https://...`"))?;
    let name = format!("the token endpoint {}", url.host_str().unwrap_or_default());
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client.client_id)
        .append_pair("client_secret", &secret)
        .append_pair("scope", client.scope)
        .finish();
    let form = "application/x-www-form-urlencoded";
    let answer = http::post(&http::client(timeout)?, &name, url, form, HeaderMap::new(), body).await;
    let (status, body) = match answer {
        Exchange::Answered { status, body, .. } => (status, body),
        Exchange::Unreached(reason) | Exchange::Lost(reason) => return Err(reason),
    };
    let answer: Option<Answer> = serde_json::from_str(&body).ok();
    if let Some(Answer { access_token: Some(token), expires_in, .. }) = &answer
        && !token.is_empty()
    {
        // Some write the number as a text.
        let seconds = expires_in.as_ref().and_then(|e| e.as_u64().or_else(|| e.as_str()?.parse().ok()));
        return Ok((token.clone(), seconds.map_or(UNKNOWN_LIFETIME, Duration::from_secs)));
    }
    let said = match answer {
        Some(Answer { error: Some(error), error_description: Some(more), .. }) => format!("{error}: {more}"),
        Some(Answer { error: Some(error), .. }) => error,
        _ => body,
    };
    let said = scrub_secrets(&said, [&secret]);
    let reason =
        Reason { code: Some(status.to_string()), ..Reason::new(format!("{name} gave no token: {status} {said}")) };
    Err(reason.hint(format!(
        "check `token_url`, `client_id`, `scope` and `client_secret` ({}) of `mail.oauth`",
        client.client_secret.origin()
    )))
}
