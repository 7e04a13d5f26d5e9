//! Signals to a dead-man's switch, which tells people when none comes. The addresses are those of healthchecks.io, which
//! others understand as well.

use super::http::{self, Exchange};
use super::outcome::Reason;
use perennial_core::contract::Secret;
use perennial_core::location::scrub_secrets;
use reqwest::header::HeaderMap;
use std::time::Duration;
use url::Url;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts, the first included.
const MAX_ATTEMPTS: u32 = 3;
/// The pause before the second attempt; the next is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of the text that goes along: its last ones.
const MAX_BODY_BYTES: usize = 10_000;

/// What is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A run begins (`/start`).
    Start,
    /// A run succeeded (the address as it is).
    Success,
    /// Something failed (`/fail`).
    Fail,
    /// A run ended with this exit code (`/3`).
    Exit(u8),
}

/// Sends a signal, with the last lines of a text that says more. That it could not be sent is returned, to be noted, and fails nothing.
pub async fn ping(url: &Secret, signal: Signal, last_lines: &str) -> Option<Reason> {
    let revealed = match url.reveal() {
        Ok(revealed) => revealed,
        Err(error) => return Some(error.into()),
    };
    let Some(address) = address(&revealed, signal) else {
        let reason = Reason::new(format!("the URL of `ping` ({}) is not a valid URL", url.origin()));
        return Some(reason.hint("write the whole address that the service gives for the check"));
    };
    let client = match http::client(TIMEOUT) {
        Ok(client) => client,
        Err(error) => return Some(error.into()),
    };
    let name = format!("the dead-man's switch at {}", address.host_str().unwrap_or_default());
    let mut failed = None;
    for attempt in 0..MAX_ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
        }
        let body = tail(last_lines).to_string();
        let answer = http::post(&client, &name, address.clone(), "text/plain; charset=utf-8", HeaderMap::new(), body);
        match answer.await {
            Exchange::Answered { status: 200..=299, .. } => return None,
            Exchange::Answered { status, body, .. } => {
                failed = Some(Reason::new(format!("{name} refused the signal: {status} {body}")).code(status));
                if (400..500).contains(&status) && status != 429 {
                    break;
                }
            }
            // A signal that came twice does no harm.
            Exchange::Unreached(reason) | Exchange::Lost(reason) => failed = Some(reason),
        }
    }
    let hidden: Vec<&str> = std::iter::once(revealed.as_str()).chain(address.path().split('/')).collect();
    failed.map(|reason| Reason { text: scrub_secrets(&reason.text, &hidden), ..reason })
}

/// The address of a signal: its path goes before a query (`?rid=...`).
fn address(url: &str, signal: Signal) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    let piece = match signal {
        Signal::Start => "start".to_string(),
        Signal::Success => return Some(url),
        Signal::Fail => "fail".to_string(),
        Signal::Exit(code) => code.to_string(),
    };
    url.path_segments_mut().ok()?.pop_if_empty().push(&piece);
    Some(url)
}

/// The last whole lines of a text.
fn tail(text: &str) -> &str {
    let mut begin = text.len().saturating_sub(MAX_BODY_BYTES);
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    let end = &text[begin..];
    match end.find('\n') {
        Some(line) if begin > 0 => &end[line + 1..],
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_goes_before_the_query() {
        let of = |url, signal| address(url, signal).unwrap().to_string();
        assert_eq!(of("https://hc-ping.com/uuid", Signal::Start), "https://hc-ping.com/uuid/start");
        assert_eq!(of("https://h/p/?rid=1", Signal::Exit(3)), "https://h/p/3?rid=1");
        assert_eq!(of("https://h/p/", Signal::Success), "https://h/p/");
        assert_eq!(of("https://h/p", Signal::Fail), "https://h/p/fail");
        assert_eq!(address("data:x", Signal::Fail), None);
        assert_eq!(address("h/p", Signal::Success), None);
    }

    #[test]
    fn the_last_whole_lines_go_along() {
        assert_eq!(tail("a\nb"), "a\nb");
        let long = "客户\n".repeat(5_000);
        let end = tail(&long);
        assert!(end.len() <= MAX_BODY_BYTES && end.len() > MAX_BODY_BYTES - 10);
        assert!(end.starts_with("客户\n") && long.ends_with(end));
    }
}
