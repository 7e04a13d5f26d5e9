//! Signals to a dead-man's switch.

use super::*;
use crate::{Signal, ping};
use std::time::Instant;

#[tokio::test]
async fn signals_arrive_with_the_last_lines() {
    let (web, folder) = (WebServer::start(), tempfile::tempdir().unwrap());
    let url = secret(folder.path(), "url", &web.server.url("/generic/uuid?rid=1"));
    for signal in [Signal::Start, Signal::Success, Signal::Fail, Signal::Exit(3)] {
        assert_eq!(ping(&url, signal, "run 17\nfailed").await, None);
    }
    let asked = web.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        ["/generic/uuid/start?rid=1", "/generic/uuid?rid=1", "/generic/uuid/fail?rid=1", "/generic/uuid/3?rid=1"]
    );
    assert!(asked.iter().all(|asked| asked["body"] == "run 17\nfailed"));
}

#[tokio::test]
async fn a_signal_that_does_not_arrive_is_tried_three_times() {
    let (web, folder) = (WebServer::start(), tempfile::tempdir().unwrap());
    let at = |path: &str| secret(folder.path(), "url", &web.server.url(path));
    let begin = Instant::now();
    let reason = ping(&at("/status/503/1/uuid-k3yk3yk3y"), Signal::Success, "").await.unwrap();
    assert_eq!((web.asked().len(), reason.code.as_deref()), (3, Some("503")));
    assert!(begin.elapsed() >= Duration::from_secs(3));
    assert!(reason.text.contains("refused the signal") && !reason.text.contains("k3y"), "{reason}");
    // A check that does not exist will not exist a second later.
    let reason = ping(&at("/status/404"), Signal::Success, "").await.unwrap();
    assert_eq!((web.asked().len(), reason.code.as_deref()), (4, Some("404")));
    let nobody = secret(folder.path(), "url", "http://127.0.0.1:1/uuid-k3yk3yk3y");
    let reason = ping(&nobody, Signal::Fail, "").await.unwrap();
    assert!(reason.text.contains("cannot be reached") && !reason.text.contains("k3y"), "{reason}");
    let missing = Secret::File(folder.path().join("none"));
    assert!(ping(&missing, Signal::Start, "").await.is_some());
    let wrong = secret(folder.path(), "url", "uuid-k3yk3yk3y");
    assert!(!ping(&wrong, Signal::Start, "").await.unwrap().text.contains("k3y"));
}
