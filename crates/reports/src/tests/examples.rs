//! The manual of report templates: every example is rendered, every page in `docs/report-templates` is what the code says.

use crate::blocks::{Block, Table, plain};
use crate::charts::CHARTS;
use crate::decimal::Decimal;
use crate::footer::{EditionFacts, Footer};
use crate::manual::{Kind, Page, Section};
use crate::parameters::Parameters;
use crate::picture::Palette;
use crate::setting::Setting;
use crate::template::{self, Source};
use crate::{contents, formats, period::Period, tokens};
use jiff::civil::date;
use minijinja::value::Value;
use perennial_lake::TestCounts;
use perennial_project::{Language, PeriodKind, Phrases, ReportFile, TextFile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The rows of an example: numbers are exact decimals, all else is text.
fn rows(text: &str) -> Value {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(" | ").collect();
    let value = |cell: &str| match (cell, Decimal::parse(cell)) {
        ("NULL", _) => Value::from(()),
        (_, Some(number)) => Value::from_object(number),
        _ => Value::from(cell),
    };
    let row = |line: &str| {
        let cells = line.split(" | ").map(value);
        Value::from_pairs(names.iter().map(|name| name.to_string()).zip(cells))
    };
    Value::from(lines.map(row).collect::<Vec<_>>())
}

/// An example as a report of September 2026, in English.
fn render(page: &Page) -> Result<Vec<Block>, perennial_core::error::Error> {
    let rows: Vec<(String, Value)> =
        page.example.rows.iter().map(|(name, text)| (name.to_string(), rows(text))).collect();
    let report = ReportFile {
        issue_after: Default::default(),
        parameters: vec!["region".into()],
        deliveries: Vec::new(),
        name: page.name.into(),
        file: TextFile { path: format!("{}.md", page.name), text: page.example.template.into() },
        body: 0,
        title: BTreeMap::new(),
        period: PeriodKind::Month,
        calendar: perennial_core::contract::TableName::new("core", "periods"),
        calendar_place: None,
        languages: vec![Language::ENGLISH],
        readers: String::new(),
        queries: Vec::new(),
        pieces: Vec::new(),
        phrases: Phrases::new(),
        phrases_are_read: true,
    };
    let setting = Setting {
        language: Language::ENGLISH,
        currency: "EUR".into(),
        zone: jiff::tz::TimeZone::UTC,
        period: Period::parse(PeriodKind::Month, "2026-09").unwrap(),
        as_of: date(2026, 10, 1),
        phrases: Arc::default(),
    };
    let footer = Footer {
        release: 7,
        run_id: "20261001T021409-3f9a".into(),
        tests: TestCounts { passed: 118, warned: 0, failed: 0 },
        ..Footer::default()
    };
    let edition = EditionFacts { number: 1, ..EditionFacts::default() };
    let source = Source {
        report: &report,
        shared: &[],
        company: "Verdant",
        vars: &BTreeMap::new(),
        setting,
        rows: &rows,
        parameters: Parameters::whole(),
        footer: &footer,
        edition: &edition,
    };
    template::render(&source).map(|page| page.blocks)
}

/// Blocks as the manual writes them.
fn text(blocks: &[Block]) -> String {
    let parts: Vec<String> = blocks.iter().map(block).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Verdict(runs) | Block::Paragraph(runs) | Block::Note(runs) => plain(runs),
        Block::Heading(level, runs) => format!("{} {}", "#".repeat(usize::from(*level)), plain(runs)),
        Block::Headlines(all) => {
            let line = |headline: &crate::blocks::Headline| {
                let changes: Vec<String> =
                    headline.changes.iter().map(|(head, by, _)| format!("{head} {by}")).collect();
                format!("{}: {} ({})", headline.label, headline.value, changes.join(", "))
            };
            all.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Block::Figure(figure) => {
            format!("## {}\n\n{}\n\n{}", plain(&figure.title), plain(&figure.note), table(&figure.table))
        }
        Block::Table(it) if it.note.is_empty() => table(it),
        Block::Table(it) => format!("{}\n\n{}", plain(&it.note), table(it)),
        Block::Callout(head, runs) => format!("{}: {}", plain(head), plain(runs)),
        Block::Facts(facts) => {
            facts.iter().map(|(name, fact)| format!("{name}: {fact}")).collect::<Vec<_>>().join("\n")
        }
        Block::Footer(blocks) => text(blocks),
        Block::List(..) | Block::Code(_) | Block::PageBreak => String::new(),
    }
}

fn table(table: &Table) -> String {
    let heads: Vec<&str> = table.columns.iter().map(|(head, _)| head.as_str()).collect();
    let lines = std::iter::once(heads.join(" | ")).chain(table.rows.iter().map(|row| row.cells.join(" | ")));
    lines.map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_example_of_the_manual_becomes_its_page() {
    let mut wrong = Vec::new();
    for page in contents::pages() {
        let rendered = match render(page) {
            Ok(blocks) => text(&blocks),
            Err(error) => error.to_string(),
        };
        let expected: Vec<&str> = page.example.page.lines().map(str::trim_end).collect();
        if rendered != expected.join("\n") {
            wrong.push(format!(
                "{}:\n{}\nbecame\n{rendered}\nnot\n{}\n",
                page.name, page.example.template, page.example.page
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_complete() {
    let pages = contents::pages();
    let names: Vec<&str> = pages.iter().map(|page| page.name).collect();
    for page in &pages {
        assert!(!page.summary.is_empty() && !page.summary.ends_with('.'), "{}: its summary", page.name);
        assert!(!page.description.is_empty() && page.description.ends_with('.'), "{}: its description", page.name);
        assert!(
            page.section == Section::Report
                || page.syntax.contains(page.name)
                || page.name == "formats"
                || page.name == "queries",
            "{}: its syntax",
            page.name
        );
        assert_eq!(names.iter().filter(|name| **name == page.name).count(), 1, "{}: two pages of one name", page.name);
        for related in page.related {
            assert!(names.contains(related), "{} refers to {related}, which does not exist", page.name);
        }
        for argument in page.all_arguments() {
            assert!(!argument.meaning.is_empty(), "{}: what `{}` means", page.name, argument.name);
            if let Kind::Records(keys) = argument.kind {
                assert!(keys.iter().all(|key| !key.meaning.is_empty()), "{}: keys of `{}`", page.name, argument.name);
            }
        }
    }
    assert!(pages.iter().map(|page| page.section).is_sorted());
}

/// What the check of templates knows is what the renderer knows: an example has no argument that its page does not list.
#[test]
fn examples_pass_the_check_of_arguments() {
    for page in contents::pages() {
        for found in tokens::uses(page.example.template) {
            if let tokens::Role::Argument(function) = &found.role {
                let name = &page.example.template[found.range];
                let callable = contents::callable().find(|page| page.name == function);
                assert!(callable.is_none_or(|page| page.argument(name).is_ok()), "{}: {function}({name}=)", page.name);
            }
        }
    }
    assert!(formats::Format::names().all(|name| formats::Format::from_name(name).is_some()));
}

/// The pages and pictures of `docs/report-templates` are what the code says.
#[test]
fn the_manual_in_docs_is_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report-templates");
    let mut files: BTreeMap<String, String> =
        contents::pages().iter().map(|page| (format!("{}.md", page.name), page.markdown())).collect();
    files.insert("README.md".into(), contents::index());
    let palette = Palette::paper("#1f5f8b", "Noto Sans, sans-serif");
    for chart in CHARTS {
        let blocks = render(&chart.page).unwrap();
        let picture = blocks.iter().find_map(|block| match block {
            Block::Figure(figure) => Some(figure.picture.print(&palette)),
            _ => None,
        });
        files.insert(format!("{}.svg", chart.page.name), picture.unwrap() + "\n");
    }
    let standing = || -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        entries.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
    };
    if std::env::var_os("PERENNIAL_WRITE_MANUAL").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        standing().keys().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
        files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    }
    let standing = standing();
    let names = standing.keys().chain(files.keys());
    let stale: BTreeSet<&String> = names.filter(|name| standing.get(*name) != files.get(*name)).collect();
    assert!(
        stale.is_empty(),
        "docs/report-templates is not what the code says ({stale:?}); write it anew with\n\
         PERENNIAL_WRITE_MANUAL=1 cargo test -p perennial-reports the_manual"
    );
}
