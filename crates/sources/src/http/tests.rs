use super::Http;
use crate::testing::{Read, drain, names};
use perennial_core::contract::{Access, Pages, Paging, Secret, SinceFormat, Tls};
use perennial_core::error::{Error, Kind, Result};
use perennial_testing::HttpServer;
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static SERVICE: LazyLock<HttpServer> = LazyLock::new(|| HttpServer::start(include_str!("test_service.py")));

fn pages(path: &str, rows: Option<&str>, paging: Paging) -> Pages {
    Pages {
        path: path.to_string(),
        rows: rows.map(str::to_string),
        paging,
        since_parameter: None,
        since_format: SinceFormat::AsIs,
        max_requests_per_second: None,
    }
}

fn plain(path: &str) -> Pages {
    pages(path, None, Paging::None)
}

fn open(access: &Access) -> Http {
    Http::open(&SERVICE.url("/"), access).unwrap().with_first_wait(Duration::from_millis(5))
}

/// The rows, and the token that is kept.
fn read_since(http: &Http, pages: &Pages, since: Option<&str>, fields: &[&str]) -> Result<(Read, Option<String>)> {
    use crate::TextReader;
    struct Noting<'a>(super::PagesReader, &'a mut Option<String>);
    impl TextReader for Noting<'_> {
        fn fields(&self) -> &[String] {
            self.0.fields()
        }
        fn next_rows(&mut self) -> Result<Option<crate::TextRows<'_>>> {
            self.0.next_rows()
        }
        fn finish(&mut self) -> Result<Option<String>> {
            *self.1 = self.0.finish()?;
            Ok(self.1.clone())
        }
        fn bytes(&self) -> u64 {
            self.0.bytes()
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let reader = runtime.block_on(http.read(pages, since, &names(fields), false))?;
    assert_eq!(reader.fields(), names(fields));
    let mut token = None;
    drain(Noting(reader, &mut token)).map(|read| (read, token))
}

fn read(http: &Http, pages: &Pages, fields: &[&str]) -> Result<Read> {
    read_since(http, pages, None, fields).map(|(read, _)| read)
}

fn refused(http: &Http, pages: &Pages) -> Error {
    read(http, pages, &["id"]).unwrap_err()
}

/// Requests whose URL holds a word.
fn asked(word: &str) -> Vec<serde_json::Value> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut url = url::Url::parse(&SERVICE.url("/log")).unwrap();
    url.query_pairs_mut().append_pair("name", word);
    let http = open(&Access::default());
    let answer = runtime.block_on(http.client.get(&url, None)).unwrap();
    let lines = String::from_utf8(answer.rows(None).unwrap().lines.to_vec()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cursor(end: Option<&str>, more: Option<&str>) -> Paging {
    Paging::Cursor {
        parameter: "after".into(),
        token: "meta.after".into(),
        end: end.map(str::to_string),
        more: more.map(str::to_string),
        resume: false,
    }
}

fn kinds() -> Vec<(&'static str, Paging)> {
    vec![
        ("none", Paging::None),
        ("page", Paging::Page { parameter: "page".into(), first: 1 }),
        ("offset", Paging::Offset { parameter: "offset".into(), limit_parameter: "limit".into(), limit: 10 }),
        ("cursor", cursor(None, None)),
        ("end", cursor(Some("end_of_stream"), None)),
        ("more", cursor(None, Some("has_more"))),
        ("header", Paging::Link { field: None }),
        ("field", Paging::Link { field: Some("next".into()) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_comes_once_and_in_order(
        kind in prop::sample::select(kinds()),
        n in 0_u32..40,
        limit in 1_u32..12,
        case in any::<u32>(),
        flaky in any::<bool>(),
    ) {
        let (name, paging) = kind;
        let flaky = if flaky { "&flaky" } else { "" };
        let path = format!("/rows?n={n}&kind={name}&limit={limit}&case={case}{flaky}");
        let found = read(&open(&Access::default()), &pages(&path, Some("data.rows"), paging), &["id", "amount.net", "note"]);
        let expected: Vec<(u64, Vec<String>)> = (0..n)
            .map(|i| (u64::from(i) + 1, vec![i.to_string(), format!("{:?}", f64::from(i) / 4.0), format!("行 {i}\n")]))
            .collect();
        prop_assert_eq!(found.unwrap().rows, expected);
    }
}

#[test]
fn a_help_desks_export_goes_on_where_it_ended() {
    let service = HttpServer::start(include_str!("test_service.py"));
    let token = Secret::Environment("Bearer ${PERENNIAL_UNSET:-s3cret-token}".into());
    let access = Access { headers: vec![("Authorization".into(), token)], ..Access::default() };
    let http = Http::open(&service.url(""), &access).unwrap();
    let paging = Paging::Cursor {
        parameter: "cursor".into(),
        token: "after_cursor".into(),
        end: Some("end_of_stream".into()),
        more: None,
        resume: true,
    };
    let mut tickets = pages("/tickets?start_time=0", Some("tickets"), paging);
    tickets.since_parameter = Some("start_time".into());
    let load = |since: Option<&str>| {
        let (read, token) = read_since(&http, &tickets, since, &["id", "status", "satisfaction.score"]).unwrap();
        let rows: Vec<String> = read.rows.into_iter().map(|(_, cells)| cells.join(" ")).collect();
        (rows, token.unwrap())
    };
    let (rows, token) = load(None);
    assert_eq!(rows, ["0 solved good", "1 solved good", "2 solved good", "3 solved good", "4 solved good"]);
    let (rows, token) = load(Some(&token));
    assert_eq!((rows, token.as_str()), (vec![], "104"));
    let change = plain("/change");
    read(&http, &change, &["id"]).unwrap();
    let (rows, token) = load(Some(&token));
    assert_eq!((rows, token.as_str()), (vec!["1 deleted good".to_string(), "5 new ∅".to_string()], "201"));
}

#[test]
fn requests_say_who_asks_and_keep_to_the_rate() {
    let key = Secret::Environment("${PERENNIAL_UNSET:-s3cret-key}".into());
    let access = Access { headers: vec![("X-Key".into(), key)], ..Access::default() };
    let mut slow = pages("/rows?n=8&kind=page&limit=2&case=slow", Some("data.rows"), kinds().remove(1).1);
    slow.max_requests_per_second = Some(20);
    slow.since_parameter = Some("changed".into());
    slow.since_format = SinceFormat::EpochSeconds;
    read_since(&open(&access), &slow, Some("2026-01-05T10:00:00Z"), &["id"]).unwrap();
    let asked = asked("case=slow");
    assert_eq!(asked.len(), 5);
    let at = |i: usize| asked[i]["at"].as_f64().unwrap();
    assert!(at(4) - at(0) >= 4.0 / 20.0 - 0.01, "{asked:?}");
    for request in &asked {
        assert_eq!(request["headers"]["user-agent"], concat!("perennial/", env!("CARGO_PKG_VERSION")));
        assert_eq!(request["headers"]["x-key"], "s3cret-key");
        assert!(request["url"].as_str().unwrap().contains("changed=1767607200"), "{request}");
    }
}

#[test]
fn refusals_name_what_to_look_at_and_no_secret() {
    let header = |name: &str, value: &str| (name.to_string(), Secret::Environment(value.to_string()));
    let headers = vec![
        header("Authorization", "Bearer ${PERENNIAL_TEST_TOKEN:-s3cret-token}"),
        header("X-Key", "${PERENNIAL_TEST_KEY:-s3cret-key}"),
        header("Accept", "text/json"),
    ];
    let http = open(&Access { headers, ..Access::default() });
    for status in [401, 403] {
        let error = refused(&http, &plain(&format!("/secret?status={status}&key=s3cret-query")));
        assert_eq!(error.kind(), Kind::Project);
        assert!(error.message().contains(&format!("/secret denied access ({status}")), "{error}");
        assert!(error.message().contains("not for ('Bearer ***', '***')"), "{error}");
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("`Authorization` (environment variable PERENNIAL_TEST_TOKEN)"), "{hint}");
        assert!(
            hint.contains("`X-Key` (environment variable PERENNIAL_TEST_KEY)") && !hint.contains("Accept"),
            "{hint}"
        );
        assert!(!format!("{error:?} {http:?}").contains("s3cret"), "{error:?}");
    }
    let error = refused(&http, &plain("/secret?status=400"));
    assert!(error.kind() == Kind::Project && error.message().contains("rejected the request (400"), "{error}");
    let error = refused(&http, &plain("/nowhere?key=s3cret-query"));
    assert!(error.kind() == Kind::Project && error.message().contains("was not found"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    let error = refused(&http, &plain("/page"));
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().ends_with("<html>Please log in</html>"), "{error}");
    let basic = Access {
        user: Some("me@example.com/token".into()),
        password: Some(Secret::Environment("${PERENNIAL_UNSET:-s3cret}".into())),
        ..Access::default()
    };
    let error = refused(&open(&basic), &plain("/secret?status=401"));
    assert!(error.message().contains("'Basic ***'"), "{error}");
    assert!(error.hint_text().unwrap().contains("`user` and `password` (environment variable"), "{error:?}");
}

#[test]
fn what_fails_for_good_is_given_up() {
    let http = open(&Access::default());
    let error = refused(&http, &plain("/broken?status=500&case=down"));
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("/broken fails (500") && error.message().contains("\"down\""), "{error}");
    assert_eq!(asked("case=down").len(), 5);
    let error = refused(&http, &plain("/broken?status=429&after=86400&case=long"));
    assert_eq!((error.kind(), asked("case=long").len()), (Kind::Unreachable, 1));
    assert!(error.hint_text().unwrap().contains("wait for 86400 seconds"), "{error:?}");
    // Nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = Http::open(&format!("http://127.0.0.1:{port}"), &Access::default()).unwrap();
    let error = refused(&gone.with_first_wait(Duration::from_millis(5)), &plain("/x"));
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("cannot be reached: Connection refused"), "{error}");
    // No TLS where TLS is wanted.
    let clear = Http::open(&format!("https://127.0.0.1:{}", SERVICE.port), &Access::default()).unwrap();
    let error = refused(&clear.with_first_wait(Duration::from_millis(5)), &plain("/x"));
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
}

#[test]
fn a_wait_that_is_asked_for_is_kept() {
    let began = Instant::now();
    let error = refused(&open(&Access::default()), &plain("/broken?status=503&after=0.2&case=wait"));
    assert_eq!(error.kind(), Kind::Unreachable);
    assert_eq!(asked("case=wait").len(), 5);
    assert!(began.elapsed() >= Duration::from_millis(800));
}

#[test]
fn a_service_that_hangs_is_not_waited_for_for_ever() {
    let http = open(&Access { read_timeout_seconds: 1, ..Access::default() });
    for path in ["/hang", "/hangs"] {
        let began = Instant::now();
        let error = refused(&http, &plain(path));
        assert_eq!(error.kind(), Kind::Unreachable);
        assert!(error.message().contains("sent no data for 1 seconds"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn paging_that_leads_nowhere_is_an_error() {
    let http = open(&Access::default());
    let same = |paging: Paging| refused(&http, &pages("/same", Some("rows"), paging));
    let cursor = Paging::Cursor { parameter: "c".into(), token: "after".into(), end: None, more: None, resume: false };
    assert!(same(cursor).message().contains("repeat"));
    assert!(same(Paging::Link { field: Some("next".into()) }).message().contains("repeat"));
    assert!(same(kinds().remove(1).1).message().contains("same rows for two values of `page`"));
    assert!(same(kinds().remove(2).1).message().contains("same rows for two values of `offset`"));
    let error = refused(&http, &pages("/away", Some("rows"), Paging::Link { field: Some("next".into()) }));
    assert!(error.kind() == Kind::Project && error.message().contains("another host"), "{error}");
    let error = refused(&http, &pages("/same", Some("tickets"), Paging::None));
    assert!(error.message().contains("has no `tickets`; it has `rows`, `after` and `next`"), "{error}");
    assert_eq!(read(&http, &pages("/none", Some("rows"), Paging::None), &["id"]).unwrap().rows, []);
}

#[test]
fn headers_stay_with_the_service_when_it_redirects() {
    let key = Secret::Environment("${PERENNIAL_UNSET:-s3cret-key}".into());
    let http = open(&Access { headers: vec![("X-Key".into(), key)], ..Access::default() });
    let moved = |to: &str| plain(&format!("/moved?to={}", to.replace('&', "%26")));
    let found =
        read(&http, &pages(&moved("/rows?n=3&kind=none&case=near").path, Some("data.rows"), Paging::None), &["id"]);
    assert_eq!(found.unwrap().rows.len(), 3);
    let near = asked("&case=near");
    assert_eq!(near.last().unwrap()["headers"]["x-key"], "s3cret-key");
    // The same machine by another name is another host.
    let far = format!("http://localhost:{}/rows?n=3&kind=none&case=far", SERVICE.port);
    let found = read(&http, &pages(&moved(&far).path, Some("data.rows"), Paging::None), &["id"]);
    assert_eq!(found.unwrap().rows.len(), 3);
    let far = asked("&case=far");
    assert!(far.last().unwrap()["headers"].get("x-key").is_none(), "{far:?}");
    let error = refused(&http, &moved("/moved?to=/moved"));
    assert!(error.message().contains("redirects more than 5 times") || error.message().contains("lost"), "{error}");
}

#[test]
fn locations_and_certificates_that_make_no_sense_are_refused() {
    let refuse = |location: &str, access: &Access| {
        let error = Http::open(location, access).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Project, "{error}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        error.to_string()
    };
    assert!(refuse("https://me:s3cret@example.com", &Access::default()).contains("contains a user"));
    let off = Access { tls: Tls::Off, ..Access::default() };
    assert!(refuse("https://example.com", &off).contains("`tls` is `off`"));
    let none = Access { ca_file: Some("/no/such/file".into()), ..Access::default() };
    assert!(refuse("https://example.com", &none).contains("/no/such/file"));
    let unset = Secret::Environment("${PERENNIAL_UNSET}".into());
    let unset = Access { headers: vec![("X-Key".into(), unset)], ..Access::default() };
    assert!(refuse("https://example.com", &unset).contains("PERENNIAL_UNSET"));
}

#[test]
fn a_probe_says_what_answers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pages = pages("/rows?n=9&kind=page&limit=2", Some("data.rows"), kinds().remove(1).1);
    let said = runtime.block_on(open(&Access::default()).probe(&pages)).unwrap();
    assert_eq!(said, format!("http://127.0.0.1:{}/ returned 2 rows, and there are more", SERVICE.port));
}
