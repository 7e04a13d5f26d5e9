//! Pagination: how one page leads to the next, and where this ends.

use super::answer::{Answer, Rows};
use super::client::{is_same_service, place};
use perennial_core::contract::{Pages, Paging, Secret, SinceFormat};
use perennial_core::error::{Error, Result};
use std::collections::HashSet;
use url::Url;
use url::form_urlencoded;

/// The pages of one table.
pub(super) struct Pagination {
    base: Url,
    paging: Paging,
    /// The parameter that is not sent together with a token.
    replaced: Option<String>,
    url: Url,
    /// Number of the page, or of the rows before it.
    count: u64,
    token: Option<String>,
    /// Hashes of the URLs requested, to detect a cycle.
    requested: HashSet<blake3::Hash>,
    /// Hash of the rows of the previous page.
    before: Option<blake3::Hash>,
}

impl Pagination {
    /// The first page.
    ///
    /// # Errors
    /// Of kind `Project` when the path leads out of the service, or `since` cannot be written in the format of the contract.
    pub(super) fn start(base: &Url, pages: &Pages, since: Option<&str>) -> Result<Pagination> {
        let mut url = first(base, &pages.path)?;
        let mut pagination = Pagination {
            base: base.clone(),
            paging: pages.paging.clone(),
            replaced: None,
            url: url.clone(),
            count: 0,
            token: None,
            requested: HashSet::new(),
            before: None,
        };
        let mut keeps_token = false;
        match &pages.paging {
            Paging::None | Paging::Link { .. } => {}
            Paging::Page { parameter, first } => {
                pagination.count = *first;
                set(&mut url, parameter, &first.to_string());
            }
            Paging::Offset { parameter, limit_parameter, limit } => {
                set(&mut url, limit_parameter, &limit.to_string());
                set(&mut url, parameter, "0");
            }
            Paging::Cursor { parameter, resume, .. } => {
                keeps_token = *resume;
                if *resume {
                    pagination.replaced = pages.since_parameter.clone();
                }
                if let Some(token) = since.filter(|_| *resume) {
                    pagination.token = Some(token.to_string());
                    pagination.with_token(&mut url, parameter, token);
                }
            }
        }
        if let (Some(parameter), Some(since), false) = (&pages.since_parameter, since, keeps_token) {
            set(&mut url, parameter, &written(since, pages.since_format)?);
        }
        pagination.requested.insert(blake3::hash(url.as_str().as_bytes()));
        pagination.url = url;
        Ok(pagination)
    }

    /// The page to request now.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The resume token of the next load, where the contract asks for one: the last one in an answer, or the one of the
    /// first request.
    pub(super) fn resume_token(&self) -> Option<&str> {
        self.token.as_deref().filter(|_| matches!(self.paging, Paging::Cursor { resume: true, .. }))
    }

    /// The page after this one; `None` when this was the last.
    ///
    /// # Errors
    /// Of kind `Data` when pages form a cycle or the answer contradicts itself, `Project` when the next page is on another
    /// host.
    pub(super) fn step(&mut self, answer: &Answer, rows: &Rows) -> Result<Option<&Url>> {
        let mut url = self.url.clone();
        match self.paging.clone() {
            Paging::None => return Ok(None),
            Paging::Page { parameter, .. } => {
                if rows.count == 0 {
                    return Ok(None);
                }
                self.check_repeated(answer, rows, &parameter)?;
                self.count += 1;
                set(&mut url, &parameter, &self.count.to_string());
            }
            Paging::Offset { parameter, .. } => {
                // A service may give fewer rows than requested although there are more; only none at all is the end.
                if rows.count == 0 {
                    return Ok(None);
                }
                self.check_repeated(answer, rows, &parameter)?;
                self.count += rows.count;
                set(&mut url, &parameter, &self.count.to_string());
            }
            Paging::Cursor { parameter, token, end, more, .. } => {
                let Some(next) = self.next_token(answer, rows, &token, end.as_deref(), more.as_deref())? else {
                    return Ok(None);
                };
                self.with_token(&mut url, &parameter, &next);
            }
            Paging::Link { field } => {
                let link = match &field {
                    Some(field) => answer.text_at(field)?,
                    None => next_link(answer.link()),
                };
                let Some(link) = link else { return Ok(None) };
                url = self.linked(&link)?;
            }
        }
        if !self.requested.insert(blake3::hash(url.as_str().as_bytes())) {
            let error = Error::data(format!("the pages of {} repeat", answer.place()));
            return Err(error.hint("check `paging`: a page leads to one that was read before"));
        }
        self.url = url;
        Ok(Some(&self.url))
    }

    /// Fails when a page repeats the previous one: a service that does not know the parameter returns the same page forever.
    fn check_repeated(&mut self, answer: &Answer, rows: &Rows, parameter: &str) -> Result<()> {
        let hash = blake3::hash(&rows.lines);
        if self.before.replace(hash) == Some(hash) {
            let error = format!("{} returns the same rows for two values of `{parameter}`", answer.place());
            return Err(Error::data(error).hint("check `paging`: the service may use another name for the parameter"));
        }
        Ok(())
    }

    /// The token of the next page, if there is one; every token is kept.
    fn next_token(
        &mut self,
        answer: &Answer,
        rows: &Rows,
        path: &str,
        end: Option<&str>,
        more: Option<&str>,
    ) -> Result<Option<String>> {
        let next = answer.text_at(path)?;
        let same = next.is_some() && next == self.token;
        if next.is_some() {
            self.token.clone_from(&next);
        }
        let ended = end.map(|path| answer.flag_at(path)).transpose()?.flatten();
        let goes_on = more.map(|path| answer.flag_at(path)).transpose()?.flatten();
        if ended == Some(true) || goes_on == Some(false) {
            return Ok(None);
        }
        let says_more = ended == Some(false) || goes_on == Some(true);
        match next {
            None if says_more => {
                let error =
                    format!("the response of {} says that there are more pages, but has no `{path}`", answer.place());
                Err(Error::data(error))
            }
            // Nothing new after the current token: this is the end, where nothing else indicates it.
            Some(_) if same && rows.count == 0 && !says_more => Ok(None),
            next => Ok(next),
        }
    }

    fn with_token(&self, url: &mut Url, parameter: &str, token: &str) {
        if let Some(replaced) = &self.replaced {
            remove(url, replaced);
        }
        set(url, parameter, token);
    }

    /// The URL of a link, which may be relative to the page.
    fn linked(&self, link: &str) -> Result<Url> {
        let mut url = self
            .url
            .join(link)
            .map_err(|e| Error::data(format!("the link to the next page is not a valid URL: {e}")))?;
        // Services behind a proxy often do not know that the connection is encrypted.
        if url.host() == self.base.host()
            && url.scheme() == "http"
            && self.base.scheme() == "https"
            && url.port().is_none()
        {
            let _ = url.set_scheme("https");
            let _ = url.set_port(self.base.port());
        }
        if !is_same_service(&self.base, &url) {
            let error = format!("the next page is on another host, at {}", place(&url));
            return Err(Error::project(error).hint(
                "your credentials would be sent there; change `location` to that host if it belongs to the service",
            ));
        }
        Ok(url)
    }
}

/// The URL of a path below the base; `${NAME}` in it is looked up.
fn first(base: &Url, path: &str) -> Result<Url> {
    if path.split('?').next().is_some_and(|path| path.contains("${")) {
        return Err(Error::project("a secret in the path would be shown in every error")
            .hint("send it in a header, or in the query (after the `?`)"));
    }
    let path = if path.contains("${") { Secret::Environment(path.to_string()).reveal()? } else { path.to_string() };
    let (path, query) = path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
    let mut url = base.clone();
    let root = base.path().trim_end_matches('/').to_string();
    url.set_fragment(None);
    if !path.trim_start_matches('/').is_empty() {
        url.set_path(&format!("{root}/{}", path.trim_start_matches('/')));
    }
    if url.path() != base.path() && !url.path().starts_with(&format!("{root}/")) {
        return Err(Error::project(format!("`path` leads out of {}", place(base))));
    }
    let parts: Vec<&str> = [base.query(), query].into_iter().flatten().filter(|part| !part.is_empty()).collect();
    url.set_query((!parts.is_empty()).then(|| parts.join("&")).as_deref());
    Ok(url)
}

/// The parts of a query except those of one parameter, as they are written.
fn others<'u>(url: &'u Url, name: &str) -> Vec<&'u str> {
    let is_named = |part: &str| form_urlencoded::parse(part.as_bytes()).next().is_some_and(|(key, _)| key == name);
    url.query().unwrap_or_default().split('&').filter(|part| !part.is_empty() && !is_named(part)).collect()
}

/// Sets a parameter; the others stay as they are written.
fn set(url: &mut Url, name: &str, value: &str) {
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    let mut parts = others(url, name);
    parts.push(&pair);
    let query = parts.join("&");
    url.set_query(Some(&query));
}

fn remove(url: &mut Url, name: &str) {
    let query = others(url, name).join("&");
    url.set_query((!query.is_empty()).then_some(query.as_str()));
}

/// A watermark in the format of the service.
fn written(since: &str, format: SinceFormat) -> Result<String> {
    let timestamp = || {
        let day = || since.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        let timestamp = since.parse::<jiff::Timestamp>().ok().or_else(|| day().map(|day| day.timestamp()));
        timestamp.ok_or_else(|| {
            Error::project(format!("the watermark `{since}` is not a timestamp, which `since_format` requires"))
                .hint("write `since_format: as_is` for a cursor that is a number")
        })
    };
    Ok(match format {
        SinceFormat::AsIs => since.to_string(),
        SinceFormat::EpochSeconds | SinceFormat::EpochMilliseconds if since.parse::<i64>().is_ok() => since.to_string(),
        SinceFormat::EpochSeconds => timestamp()?.as_second().to_string(),
        SinceFormat::EpochMilliseconds => timestamp()?.as_millisecond().to_string(),
        SinceFormat::Rfc3339 => timestamp()?.to_string(),
        SinceFormat::Date => timestamp()?.to_zoned(jiff::tz::TimeZone::UTC).date().to_string(),
    })
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let (parameters, others) =
            after.find(",<").or_else(|| after.find(", <")).map_or((after, ""), |at| after.split_at(at));
        let is_next = parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            let relations = value.trim().trim_end_matches(',').trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && relations.split(' ').any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.to_string());
        }
        rest = others;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::error::Kind;

    fn pages(path: &str, paging: Paging) -> Pages {
        Pages {
            path: path.to_string(),
            rows: Some("rows".to_string()),
            paging,
            since_parameter: Some("since".to_string()),
            since_format: SinceFormat::AsIs,
            max_requests_per_second: None,
        }
    }

    fn base() -> Url {
        Url::parse("https://api.example.com/v2?version=3").unwrap()
    }

    fn start(path: &str, paging: Paging, since: Option<&str>) -> Pagination {
        Pagination::start(&base(), &pages(path, paging), since).unwrap()
    }

    fn answer(json: &str, link: &str) -> (Answer, Rows) {
        let answer = Answer::of("x".into(), json.into(), "", link.into(), str::to_string).unwrap();
        let rows = answer.rows(Some("rows")).unwrap();
        (answer, rows)
    }

    fn next(pagination: &mut Pagination, json: &str) -> Result<Option<String>> {
        let (answer, rows) = answer(json, "");
        Ok(pagination.step(&answer, &rows)?.map(|url| url.query().unwrap_or_default().to_string()))
    }

    const CURSOR: fn(bool) -> Paging = |resume| Paging::Cursor {
        parameter: "cursor".into(),
        token: "meta.next".into(),
        end: Some("end".into()),
        more: None,
        resume,
    };

    #[test]
    fn the_first_page_is_below_the_base() {
        let url = |path: &str| start(path, Paging::None, None).url().to_string();
        assert_eq!(url("/tickets.json?a=%20b&c"), "https://api.example.com/v2/tickets.json?version=3&a=%20b&c");
        assert_eq!(url("tickets"), "https://api.example.com/v2/tickets?version=3");
        assert_eq!(url(""), "https://api.example.com/v2?version=3");
        assert_eq!(url("//evil.net/x"), "https://api.example.com/v2/evil.net/x?version=3");
        let out = Pagination::start(&base(), &pages("/../v1/x", Paging::None), None).map(|_| ()).unwrap_err();
        assert_eq!(out.kind(), Kind::Project);
        let unset = pages("/x?key=${PERENNIAL_NO_SUCH_VARIABLE}", Paging::None);
        assert!(Pagination::start(&base(), &unset, None).is_err());
    }

    #[test]
    fn a_watermark_is_written_as_asked() {
        let since = "2026-01-05T10:00:00.5Z";
        let cases = [
            (SinceFormat::AsIs, since),
            (SinceFormat::EpochSeconds, "1767607200"),
            (SinceFormat::EpochMilliseconds, "1767607200500"),
            (SinceFormat::Rfc3339, since),
            (SinceFormat::Date, "2026-01-05"),
        ];
        for (format, expected) in cases {
            assert_eq!(written(since, format).unwrap(), expected);
        }
        assert_eq!(written("17", SinceFormat::EpochSeconds).unwrap(), "17");
        assert_eq!(written("2026-01-05", SinceFormat::EpochSeconds).unwrap(), "1767571200");
        assert_eq!(written("x", SinceFormat::Rfc3339).unwrap_err().kind(), Kind::Project);
        let url = start("/x?since=0&a=1", Paging::None, Some("a b")).url().to_string();
        assert_eq!(url, "https://api.example.com/v2/x?version=3&a=1&since=a+b");
    }

    #[test]
    fn a_resume_token_replaces_the_moment_and_is_kept_on() {
        let mut pagination = start("/x?since=0", CURSOR(true), None);
        assert_eq!(pagination.url().query(), Some("version=3&since=0"));
        let query = next(&mut pagination, r#"{"rows": [1], "meta": {"next": "a+b="}, "end": false}"#).unwrap();
        assert_eq!(query.as_deref(), Some("version=3&cursor=a%2Bb%3D"));
        assert_eq!(next(&mut pagination, r#"{"rows": [2], "meta": {"next": "k"}, "end": true}"#).unwrap(), None);
        assert_eq!(pagination.resume_token(), Some("k"));
        let mut pagination = start("/x?since=0", CURSOR(true), Some("k"));
        assert_eq!(pagination.url().query(), Some("version=3&cursor=k"));
        assert_eq!(next(&mut pagination, r#"{"rows": [], "meta": {"next": null}, "end": true}"#).unwrap(), None);
        assert_eq!(pagination.resume_token(), Some("k"));
        // A token of one load only stands beside the watermark.
        let mut pagination = start("/x", CURSOR(false), Some("7"));
        let query = next(&mut pagination, r#"{"rows": [1], "meta": {"next": "t"}}"#).unwrap();
        assert_eq!(query.as_deref(), Some("version=3&since=7&cursor=t"));
    }

    #[test]
    fn pages_that_never_end_are_an_error() {
        let page = r#"{"rows": [1], "meta": {"next": "t"}, "end": false}"#;
        let mut pagination = start("/x", CURSOR(false), None);
        next(&mut pagination, page).unwrap();
        let error = next(&mut pagination, page).unwrap_err();
        assert!(error.message().contains("repeat"), "{error}");
        let mut pagination = start("/x", Paging::Page { parameter: "p".into(), first: 1 }, None);
        assert_eq!(next(&mut pagination, r#"{"rows": [1]}"#).unwrap().as_deref(), Some("version=3&p=2"));
        let error = next(&mut pagination, r#"{"rows": [1]}"#).unwrap_err();
        assert!(error.message().contains("same rows for two values of `p`"), "{error}");
        let mut pagination = start("/x", CURSOR(false), None);
        let error = next(&mut pagination, r#"{"rows": [1], "end": false}"#).unwrap_err();
        assert!(error.message().contains("has no `meta.next`"), "{error}");
    }

    #[test]
    fn without_a_word_on_the_end_a_token_that_brings_nothing_new_is_it() {
        let paging = Paging::Cursor { parameter: "c".into(), token: "t".into(), end: None, more: None, resume: true };
        let mut pagination = start("/x", paging, Some("k"));
        assert_eq!(next(&mut pagination, r#"{"rows": [], "t": "k"}"#).unwrap(), None);
        let paging = Paging::Cursor {
            parameter: "c".into(),
            token: "t".into(),
            end: None,
            more: Some("more".into()),
            resume: false,
        };
        let mut pagination = start("/x", paging, None);
        assert!(next(&mut pagination, r#"{"rows": [], "t": 5, "more": true}"#).unwrap().is_some());
        assert_eq!(next(&mut pagination, r#"{"rows": [1], "t": 6, "more": false}"#).unwrap(), None);
    }

    #[test]
    fn links_lead_on_within_the_service_only() {
        let link = |json: &str, header: &str, field: Option<&str>| {
            let mut pagination = start("/x", Paging::Link { field: field.map(str::to_string) }, None);
            let (answer, rows) = answer(json, header);
            pagination.step(&answer, &rows).map(|url| url.map(Url::to_string))
        };
        let header = "<https://api.example.com/v2/x?p=1>; rel=\"prev\", <?p=3>; title=\"a\"; rel=\"next last\"";
        assert_eq!(link("{\"rows\":[]}", header, None).unwrap().unwrap(), "https://api.example.com/v2/x?p=3");
        assert_eq!(link("{\"rows\":[]}", "</y,z>;rel=next", None).unwrap().unwrap(), "https://api.example.com/y,z");
        assert_eq!(link("{\"rows\":[]}", "<x>; rel=\"last\"", None).unwrap(), None);
        assert_eq!(link("{\"rows\":[]}", "", None).unwrap(), None);
        let json = "{\"rows\":[], \"next\": \"http://api.example.com/v2/x?p=2\"}";
        assert_eq!(link(json, "", Some("next")).unwrap().unwrap(), "https://api.example.com/v2/x?p=2");
        let json = "{\"rows\":[], \"next\": \"https://evil.net/?token=1\"}";
        let error = link(json, "", Some("next")).unwrap_err();
        assert_eq!(error.kind(), Kind::Project);
        assert!(error.message().ends_with("at https://evil.net/"), "{error}");
        assert!(link("{\"rows\":[], \"next\": \"http://api.example.com:8080/\"}", "", Some("next")).is_err());
    }
}
