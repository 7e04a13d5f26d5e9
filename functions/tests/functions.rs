//! The functions as analysts call them: the examples of the manual, and SQL logic tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod logic;
mod session;

use perennial_functions::{FUNCTIONS, Section, manual};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_manual_gives_its_answer() {
    let session = session::open(2);
    let mut wrong = Vec::new();
    for function in FUNCTIONS {
        for example in function.page.examples {
            // As it is printed.
            let answer = match session::answer(&session, &example.folded(manual::WIDTH)).await {
                Ok(answer) => answer,
                Err(error) => error.to_string(),
            };
            if answer != example.answer {
                wrong.push(format!("{}:\n{}\ngave\n{answer}\n", function.page.name, example.sql));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The pages of `docs/functions` are what the code says.
#[test]
fn the_manual_in_docs_is_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions");
    let mut pages: BTreeMap<String, String> =
        FUNCTIONS.iter().map(|function| (format!("{}.md", function.page.name), function.markdown())).collect();
    pages.insert("README.md".into(), manual::index(FUNCTIONS));
    let files = || std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    if std::env::var_os("PERENNIAL_WRITE_MANUAL").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        files().for_each(|file| std::fs::remove_file(file).unwrap());
        pages.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    }
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let standing: BTreeMap<String, String> =
        files().map(|file| (name(file.clone()), std::fs::read_to_string(file).unwrap())).collect();
    let names = standing.keys().chain(pages.keys());
    let stale: BTreeSet<&String> = names.filter(|name| standing.get(*name) != pages.get(*name)).collect();
    assert!(
        stale.is_empty(),
        "docs/functions is not what the code says ({stale:?}); write it anew with\n\
         PERENNIAL_WRITE_MANUAL=1 cargo test --workspace --test functions the_manual"
    );
}

#[test]
fn every_page_is_complete() {
    let names: Vec<_> = FUNCTIONS.iter().map(|function| function.page.name).collect();
    let mut sections: Vec<Section> = Vec::new();
    for function in FUNCTIONS {
        let page = function.page;
        assert!(!page.examples.is_empty(), "{} has no example", page.name);
        assert!(page.syntax.starts_with(page.name), "{}: the syntax begins with the name", page.name);
        assert!(!page.summary.ends_with('.'), "{}: a full stop after the summary", page.name);
        assert!(page.section != Section::Fits || !page.sources.is_empty(), "{}: no paper", page.name);
        for related in page.related {
            assert!(names.contains(related), "{} refers to {related}, which does not exist", page.name);
        }
        assert_eq!(names.iter().filter(|name| **name == page.name).count(), 1, "{} stands twice", page.name);
        sections.push(page.section);
    }
    assert!(sections.is_sorted(), "the list follows the chapters of the manual");
}

/// Every file of `tests/slt`, with one partition and with several: the answers may not differ in a digit.
/// Files whose names begin with `real_` ask of published data and do nothing where those are absent.
#[tokio::test(flavor = "multi_thread")]
async fn sql_logic_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in files {
        let real = file.file_name().unwrap().to_str().unwrap().starts_with("real_");
        for partitions in [1, 3] {
            let session = session::open(partitions);
            if real && !session::register_real_data(&session).await {
                continue;
            }
            for fault in logic::faults(&session, &file).await {
                wrong.push(format!("{} with {partitions} partitions, {fault}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
