//! Requests: credentials, retries, and what errors mean.

use super::answer::Answer;
use backon::{ExponentialBuilder, Retryable};
use perennial_core::contract::{Access, Secret, Tls};
use perennial_core::error::{Error, Result};
use perennial_core::location::{MIN_SECRET_CHARACTERS, names_secret, scrub_secrets};
use perennial_core::regular_file;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, redirect};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// Maximum number of attempts of a request.
const MAX_ATTEMPTS: usize = 5;
/// The wait before the second attempt; each further one is twice as long, with some jitter.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A service that asks for a longer wait is given up.
const MAX_WAIT: Duration = Duration::from_secs(900);
/// Redirects followed from one request.
const MAX_REDIRECTS: usize = 5;
/// Maximum size of an answer, since a page is held in memory.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// Characters of an answer that an error shows.
const SHOWN_CHARACTERS: usize = 200;
/// A value in a query that is so long may be a secret, whatever its name is.
const LONG_VALUE_CHARACTERS: usize = 16;

/// One service, and the credentials for it.
pub(super) struct Client {
    base: Url,
    http: reqwest::Client,
    headers: HeaderMap,
    /// Words that no error may show.
    hidden: Vec<String>,
    /// The credentials that are sent, with the origin of their values, for errors.
    credentials: Vec<String>,
    connect_timeout_seconds: u64,
    read_timeout_seconds: u64,
    pub(super) first_wait: Duration,
    /// When the next request may go out.
    next: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.name()).finish_non_exhaustive()
    }
}

/// An attempt that failed.
struct FailedAttempt {
    error: Error,
    /// Another attempt may succeed.
    again: bool,
    /// How long the service asks to wait.
    after: Option<Duration>,
}

impl FailedAttempt {
    fn last(error: Error) -> FailedAttempt {
        FailedAttempt { error, again: false, after: None }
    }

    fn again(error: Error) -> FailedAttempt {
        FailedAttempt { error, again: true, after: None }
    }
}

impl Client {
    /// A client of the service below a URL.
    pub(super) fn open(location: &str, access: &Access) -> Result<Client> {
        let base = base(location, access)?;
        let mut client = Client {
            base,
            http: http(access)?,
            headers: HeaderMap::new(),
            hidden: Vec::new(),
            credentials: Vec::new(),
            connect_timeout_seconds: access.connect_timeout_seconds,
            read_timeout_seconds: access.read_timeout_seconds,
            first_wait: FIRST_WAIT,
            next: Mutex::new(None),
        };
        if let Some(user) = &access.user {
            client.add_login(user, access.password.as_ref())?;
        }
        for (name, secret) in &access.headers {
            client.add_header(name, secret)?;
        }
        Ok(client)
    }

    /// The URL that everything is below.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The service, for errors.
    pub(super) fn name(&self) -> String {
        place(&self.base)
    }

    /// Adds the header of a user with a password (Basic).
    fn add_login(&mut self, user: &str, password: Option<&Secret>) -> Result<()> {
        let revealed = password.map(Secret::reveal).transpose()?;
        let request = self.http.get(self.base.clone()).basic_auth(user, revealed.as_deref()).build();
        let request = request.map_err(|e| Error::bug(format!("cannot build a request: {}", e.without_url())))?;
        if let Some(value) = request.headers().get(AUTHORIZATION) {
            self.hidden.extend(value.to_str().ok().and_then(|value| value.split(' ').nth(1)).map(str::to_string));
            self.headers.insert(AUTHORIZATION, value.clone());
        }
        self.hidden.extend(revealed);
        let origin = password.map_or(String::new(), |secret| format!(" ({})", secret.origin()));
        self.credentials.push(format!("`user` and `password`{origin}"));
        Ok(())
    }

    /// Adds a header.
    fn add_header(&mut self, name: &str, secret: &Secret) -> Result<()> {
        let revealed = secret.reveal()?;
        let cannot = |what: &str| Error::project(format!("the header `{name}` cannot be sent: {what}"));
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| cannot("a name consists of letters, digits and `-`"))?;
        let mut value = HeaderValue::from_str(&revealed)
            .map_err(|_| cannot("its value has characters that are not ASCII, or a line end"))?;
        value.set_sensitive(true);
        self.headers.insert(key, value);
        if !secret.is_plain() {
            self.hidden.extend(secret.hidden_words(&revealed, MIN_SECRET_CHARACTERS));
            self.credentials.push(format!("the header `{name}` ({})", secret.origin()));
        }
        Ok(())
    }

    /// Requests a page, with retries.
    ///
    /// # Errors
    /// Of kind `Project` when the service refuses the request, `Unreachable` when it fails after several attempts or hangs,
    /// `Data` when its answer is not JSON.
    pub(super) async fn get(&self, url: &Url, max_per_second: Option<u32>) -> Result<Answer> {
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_times(MAX_ATTEMPTS - 1)
            .with_jitter();
        let answer = (|| self.try_once(url, max_per_second))
            .retry(waits)
            .when(|attempt| attempt.again)
            .adjust(|attempt, wait| wait.map(|wait| attempt.after.unwrap_or(wait)).filter(|wait| *wait <= MAX_WAIT))
            .await;
        answer.map_err(|attempt| match attempt {
            FailedAttempt { again: false, error, .. } => error,
            FailedAttempt { after: Some(wait), error, .. } if wait > MAX_WAIT => {
                error.hint(format!("it asks to wait for {} seconds; run again after that", wait.as_secs()))
            }
            FailedAttempt { error, .. } => error.hint(format!("{MAX_ATTEMPTS} attempts failed; run again later")),
        })
    }

    async fn try_once(&self, url: &Url, max_per_second: Option<u32>) -> Result<Answer, FailedAttempt> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.pace(max_per_second).await;
            let response = self.request(&url).send().await.map_err(|e| self.unreached(e))?;
            let status = response.status();
            if !status.is_redirection() {
                return self.answer(&url, response).await;
            }
            url = self.redirected(&url, &response)?;
        }
        Err(FailedAttempt::last(Error::unreachable(format!(
            "{} redirects more than {MAX_REDIRECTS} times",
            self.name()
        ))))
    }

    /// A request; the headers are sent only to the service itself.
    fn request(&self, url: &Url) -> RequestBuilder {
        let request = self.http.get(url.clone());
        if is_same_service(&self.base, url) { request.headers(self.headers.clone()) } else { request }
    }

    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, FailedAttempt> {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| from.join(to).ok());
        let Some(to) = to else {
            let error = format!("{} redirects ({}) without a location", place(from), response.status());
            return Err(FailedAttempt::last(Error::unreachable(error)));
        };
        if from.scheme() == "https" && to.scheme() != "https" {
            let error = format!("{} redirects to {}, which is not encrypted", place(from), place(&to));
            return Err(FailedAttempt::last(Error::project(error)));
        }
        Ok(to)
    }

    /// Waits until the next request may go out.
    async fn pace(&self, max_per_second: Option<u32>) {
        let Some(max) = max_per_second else { return };
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let at = next.map_or(now, |next| next.max(now));
        *next = Some(at + Duration::from_secs(1) / max.max(1));
        drop(next);
        tokio::time::sleep_until(at).await;
    }

    /// Reads the answer of a service.
    async fn answer(&self, url: &Url, response: Response) -> Result<Answer, FailedAttempt> {
        let status = response.status();
        let after = retry_after(response.headers());
        if status == StatusCode::NO_CONTENT {
            return Ok(Answer::empty(place(url)));
        }
        let link = response.headers().get_all(LINK).iter().filter_map(|link| link.to_str().ok());
        let link = link.collect::<Vec<_>>().join(", ");
        let kind = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_string();
        let body = self.body(url, response).await?;
        if !status.is_success() {
            return Err(self.refused(url, status, after, &body));
        }
        Answer::of(place(url), body, &kind, link, |text| self.shown(url, text)).map_err(FailedAttempt::last)
    }

    async fn body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, FailedAttempt> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| self.unreached(e))? {
            if body.len() + piece.len() > MAX_ANSWER_BYTES {
                let max = MAX_ANSWER_BYTES / 1024 / 1024;
                let error = Error::data(format!("a response of {} is larger than {max} MiB", place(url)));
                return Err(FailedAttempt::last(
                    error.hint("request fewer rows per page: most services have a parameter for it"),
                ));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// What a status other than success means.
    fn refused(&self, url: &Url, status: StatusCode, after: Option<Duration>, body: &[u8]) -> FailedAttempt {
        let place = place(url);
        let text = self.shown(url, &String::from_utf8_lossy(body));
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        let limited = status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && after.is_some());
        if limited || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error() {
            let what = if limited { "limits the number of requests" } else { "fails" };
            return FailedAttempt {
                error: Error::unreachable(format!("{place} {what} ({status}){said}")),
                again: true,
                after,
            };
        }
        let error = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let error = Error::project(format!("{place} denied access ({status}){said}"));
                match self.credentials.as_slice() {
                    [] => error.hint("write `headers` (or `user` and `password`) next to `location`"),
                    known => error.hint(format!("check {}", known.join(" and "))),
                }
            }
            StatusCode::NOT_FOUND => Error::project(format!("{place} was not found ({status}){said}"))
                .hint("check `path` of the table and `location` of the source"),
            _ => Error::project(format!("{place} rejected the request ({status}){said}")),
        };
        FailedAttempt::last(error)
    }

    /// A service that was not reached, or lost during its answer.
    fn unreached(&self, error: reqwest::Error) -> FailedAttempt {
        let (name, connecting) = (self.name(), error.is_connect());
        let error = error.without_url();
        if error.is_timeout() {
            let seconds = if connecting { self.connect_timeout_seconds } else { self.read_timeout_seconds };
            let what = if connecting { "did not respond within" } else { "sent no data for" };
            let failed = Error::unreachable(format!("{name} {what} {seconds} seconds")).because(error);
            return FailedAttempt { error: failed, again: connecting, after: None };
        }
        let (cause, certificate) = root_cause(&error);
        if certificate {
            let failed =
                Error::unreachable(format!("the certificate of {name} is not trusted: {cause}")).because(error);
            return FailedAttempt::last(
                failed.hint("set `ca_file` to the certificate of the authority that signed it"),
            );
        }
        let what = if connecting { "cannot be reached" } else { "was lost" };
        FailedAttempt::again(Error::unreachable(format!("{name} {what}: {cause}")).because(error))
    }

    /// The beginning of the answer of a URL, without secrets.
    fn shown(&self, url: &Url, text: &str) -> String {
        let text = scrub_secrets(text.trim(), self.hidden.iter().chain(&hidden_in_query(url)));
        let begin: String = text.chars().take(SHOWN_CHARACTERS).collect();
        let begin = begin.replace(['\n', '\r'], " ");
        if begin.len() < text.len() { format!("{begin} ...") } else { begin }
    }
}

fn base(location: &str, access: &Access) -> Result<Url> {
    let url = Url::parse(location).map_err(|e| Error::project(format!("`location` is not a valid URL: {e}")))?;
    if !url.username().is_empty() {
        return Err(Error::project("the location of a service contains a user")
            .hint("remove it, and write `user: ...` and `password: ${NAME}` next to `location`"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Error::project(format!("`{location}` does not name a host")).hint("write `https://host/path`"));
    }
    if access.tls == Tls::Off && url.scheme() == "https" {
        return Err(Error::project(format!("`{location}` is encrypted, but `tls` is `off`"))
            .hint("write `http://` for a service without encryption, or `tls: encrypt` to accept any certificate"));
    }
    Ok(url)
}

fn http(access: &Access) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("perennial/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(access.connect_timeout_seconds))
        .read_timeout(Duration::from_secs(access.read_timeout_seconds))
        .redirect(redirect::Policy::none())
        .danger_accept_invalid_certs(access.tls == Tls::Encrypt);
    if let Some(file) = &access.ca_file {
        let cannot = |e: String| Error::project(format!("cannot read the certificates in `{}`: {e}", file.display()));
        let pem = regular_file::read(file).map_err(|e| cannot(e.to_string()))?;
        let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| cannot(e.to_string()))?;
        if found.is_empty() {
            return Err(cannot("it contains no certificate in PEM format".to_string()));
        }
        for certificate in found {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|e| Error::project(format!("cannot build an HTTP client: {}", root_cause(&e).0)).because(e))
}

/// Values in a query that no error may show, as they are and as they are written in the URL: those whose names say that
/// they are secret, and long ones.
fn hidden_in_query(url: &Url) -> Vec<String> {
    let mut hidden = Vec::new();
    for part in url.query().unwrap_or_default().split('&') {
        let Some((name, value)) = url::form_urlencoded::parse(part.as_bytes()).next() else { continue };
        let least = if names_secret(&name) { MIN_SECRET_CHARACTERS } else { LONG_VALUE_CHARACTERS };
        if value.chars().count() >= least {
            hidden.extend(part.split_once('=').map(|(_, written)| written.to_string()));
            hidden.push(value.into_owned());
        }
    }
    hidden
}

/// A URL as it may be shown: a query may contain secrets.
pub(super) fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Whether a URL belongs to the service, to which headers may be sent: the same host and port, or the same host encrypted.
pub(super) fn is_same_service(base: &Url, url: &Url) -> bool {
    let ports = base.port_or_known_default() == url.port_or_known_default();
    let upgraded = base.scheme() == "http" && url.scheme() == "https";
    base.host() == url.host() && (upgraded || (base.scheme() == url.scheme() && ports))
}

/// The wait that an answer asks for: seconds, or a timestamp, compared with the date of the answer.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let after = text(&RETRY_AFTER)?;
    if let Ok(seconds) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let now = parser.parse_timestamp(text(&reqwest::header::DATE)?).ok()?;
    let then = parser.parse_timestamp(after).ok()?;
    Duration::try_from(then.duration_since(now)).ok().or(Some(Duration::ZERO))
}

/// The root cause of an error, and whether it is a certificate.
fn root_cause(error: &reqwest::Error) -> (String, bool) {
    let mut message = error.to_string();
    let mut certificate = false;
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        message = cause.to_string();
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|e| e.get_ref());
        let tls = cause.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
        certificate |= matches!(tls, Some(rustls::Error::InvalidCertificate(_)));
        next = cause.source();
    }
    (message, certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_to_the_service_alone() {
        let base = Url::parse("https://api.example.com/v2").unwrap();
        let same = |url: &str| is_same_service(&base, &Url::parse(url).unwrap());
        assert!(same("https://api.example.com/other") && same("https://API.example.com:443/"));
        assert!(!same("https://example.com/v2") && !same("https://api.example.com.evil.net/v2"));
        assert!(!same("http://api.example.com/v2") && !same("https://api.example.com:8443/v2"));
        let clear = Url::parse("http://api.example.com/v2").unwrap();
        assert!(is_same_service(&clear, &base));
    }

    #[test]
    fn an_echoed_query_shows_no_secret() {
        let url = Url::parse("https://h/x?since=2026-01-31&api_key=s3%20cret&q=abcdefghijklmnop").unwrap();
        let client = Client::open("https://h", &Access::default()).unwrap();
        let body = "you sent since=2026-01-31&api_key=s3%20cret (s3 cret)&q=abcdefghijklmnop";
        assert_eq!(client.shown(&url, body), "you sent since=2026-01-31&api_key=*** (***)&q=***");
    }

    #[test]
    fn a_wait_is_seconds_or_a_moment() {
        let wait = |after: &str, date: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            headers.insert(reqwest::header::DATE, date.parse().unwrap());
            retry_after(&headers).map(|wait| wait.as_secs_f64())
        };
        let now = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(wait("120", now), Some(120.0));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(30.0));
        assert_eq!(wait("Wed, 21 Oct 2015 07:27:30 GMT", now), Some(0.0));
        assert_eq!(wait("soon", now), None);
        assert_eq!(wait("-1", now), None);
    }
}
