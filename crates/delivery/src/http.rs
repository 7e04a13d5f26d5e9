//! Requests to web services: what was not sent is told from what may have arrived.

use super::causes;
use super::outcome::Reason;
use perennial_core::error::{Error, Result};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use std::time::Duration;
use url::Url;

/// Bytes of an answer that are read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What became of a request.
pub(crate) enum Exchange {
    /// An answer came.
    Answered { status: u16, body: String, retry_after: Option<Duration> },
    /// The service was not reached; the request had no effect.
    Unreached(Reason),
    /// The request left, and no answer came.
    Lost(Reason),
}

/// A client that gives up after a time. It follows no redirect, which would carry secrets elsewhere, and keeps no
/// connection, which could be closed just when the next request leaves.
pub(crate) fn client(timeout: Duration) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("perennial/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|e| Error::bug(format!("cannot build an HTTP client: {e}")).because(e))
}

/// Posts a body. `name` stands for the service in messages, which never show its URL.
pub(crate) async fn post(
    client: &reqwest::Client,
    name: &str,
    url: Url,
    content_type: &str,
    headers: HeaderMap,
    body: String,
) -> Exchange {
    let request = client.post(url).headers(headers).header(CONTENT_TYPE, content_type).body(body);
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let before = error.is_connect() || error.is_builder();
            let reason = unreached(name, &error.without_url());
            return if before { Exchange::Unreached(reason) } else { Exchange::Lost(reason) };
        }
    };
    let status = response.status().as_u16();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    // The status has come; a body that breaks off is as good as one that ends.
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > MAX_BODY_BYTES {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Exchange::Answered { status, body, retry_after: seconds.map(Duration::from_secs) }
}

/// Why no answer came.
fn unreached(name: &str, error: &reqwest::Error) -> Reason {
    if error.is_timeout() {
        return Reason::new(format!("{name} did not respond in time"));
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause = causes::in_words(&cause.to_string());
    let what = if error.is_connect() { "cannot be reached" } else { "broke off the connection" };
    Reason::new(format!("{name} {what}: {cause}"))
}
