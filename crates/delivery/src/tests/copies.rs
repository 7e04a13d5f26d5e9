//! Sites in folders and stores.

use super::*;
use crate::copies::copy_into;
use crate::{SiteFile, copy_to_folder, copy_to_store};
use object_store::path::Path as StorePath;
use object_store::{Attribute, ObjectStoreExt};

fn site(edition: &str) -> Vec<SiteFile> {
    let file = |path: &str, content: &str| SiteFile { path: path.to_string(), content: content.to_string().into() };
    vec![
        file("index.html", &format!("all {edition}")),
        file("review/index.html", &format!("review {edition}")),
        file("review/2026-09/zh-CN.html", edition),
        file("review/2026-09/回顾.pdf", "%PDF"),
    ]
}

#[test]
fn a_folder_gets_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("reports");
    assert_eq!(answer(copy_to_folder(&site("one"), &root)), "4 of 4 files written");
    std::fs::write(root.join("theirs.txt"), "stays").unwrap();
    assert_eq!(answer(copy_to_folder(&site("one"), &root)), "0 of 4 files written");
    assert_eq!(answer(copy_to_folder(&site("two"), &root)), "3 of 4 files written");
    for file in site("two") {
        assert_eq!(std::fs::read(root.join(&file.path)).unwrap(), file.content);
    }
    assert_eq!(std::fs::read(root.join("theirs.txt")).unwrap(), b"stays");
    let left: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing half written is left: {left:?}");
}

/// Where a page cannot be written, no index leads to it.
#[test]
fn indexes_come_last() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("review/2026-09/zh-CN.html")).unwrap();
    let reason = failed(copy_to_folder(&site("one"), folder.path()));
    assert!(reason.text.contains("zh-CN.html: ") && reason.hint.is_some(), "{reason}");
    assert!(!folder.path().join("index.html").exists() && !folder.path().join("review/index.html").exists());
    // The root's is the very last.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("review/index.html")).unwrap();
    failed(copy_to_folder(&site("one"), folder.path()));
    assert!(folder.path().join("review/2026-09/zh-CN.html").exists() && !folder.path().join("index.html").exists());
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["../x", "/x", "a/../../x", "a//b", "", "a\\b", "c:x", "./x", "x/"] {
        let file = SiteFile { path: path.to_string(), content: "x".into() };
        let reason = failed(copy_to_folder(&[file], &folder.path().join("site")));
        assert!(reason.text.contains("cannot be the path of a page"), "{path}: {reason}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_becomes_a_static_site() {
    let server = perennial_testing::s3_server();
    server.new_bucket("site");
    let store = server.store("site");
    let prefix = StorePath::from("reports");
    for edition in ["one", "two", "two"] {
        let sent = answer(copy_into(&site(edition), &store, &prefix, "s3://site/reports").await);
        assert_eq!(sent, "4 of 4 files written");
    }
    for (path, content, content_type) in [
        ("index.html", "all two", "text/html; charset=utf-8"),
        ("review/2026-09/zh-CN.html", "two", "text/html; charset=utf-8"),
        ("review/2026-09/回顾.pdf", "%PDF", "application/pdf"),
    ] {
        let found = store.get(&StorePath::parse(format!("reports/{path}")).unwrap()).await.unwrap();
        assert_eq!(found.attributes.get(&Attribute::ContentType).unwrap().as_ref(), content_type);
        assert_eq!(found.attributes.get(&Attribute::CacheControl).unwrap().as_ref(), "no-cache");
        assert_eq!(found.bytes().await.unwrap(), content);
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written() {
    let store = perennial_testing::s3_server().store("no-such-bucket");
    let reason = failed(copy_into(&site("one"), &store, &StorePath::from("x"), "s3://no-such-bucket/x").await);
    assert!(reason.text.starts_with("cannot write review/2026-09/zh-CN.html to s3://no-such-bucket/x: "), "{reason}");
    assert!(!reason.text.contains("<?xml") && reason.hint.is_some(), "{reason}");
    let reason = failed(copy_to_store(&site("one"), "ftp://host/x").await);
    assert!(reason.text.starts_with("`ftp://host/x` cannot be opened: "), "{reason}");
}
