//! The manual as a whole: every page of it.

use super::charts::CHARTS;
use super::components::COMPONENTS;
use super::filters::FILTERS;
use super::functions::FUNCTIONS;
use super::manual::Page;
use super::variables;
use std::fmt::Write;

/// Every page of the manual, by chapter.
pub fn pages() -> Vec<&'static Page> {
    let mut pages: Vec<&Page> = variables::PAGES.iter().collect();
    pages.extend(CHARTS.iter().map(|chart| &chart.page));
    pages.extend(COMPONENTS.iter().map(|component| &component.page));
    pages.extend(FILTERS.iter().map(|filter| &filter.page));
    pages.extend(FUNCTIONS.iter().map(|function| &function.page));
    pages.sort_by_key(|page| page.section);
    pages
}

/// The pages of everything that a template can call.
pub(crate) fn callable() -> impl Iterator<Item = &'static Page> {
    let charts = CHARTS.iter().map(|chart| &chart.page);
    let components = COMPONENTS.iter().map(|component| &component.page);
    charts.chain(components).chain(FUNCTIONS.iter().map(|function| &function.page))
}

/// All pages by chapter, as Markdown that links them.
pub fn index() -> String {
    let mut text = String::from(
        "# Report templates\n\nWhat a template can name. `perennial templates NAME` prints a page; `docs/reports.md` is \
         where to begin.\nThese pages are generated from the code; every example is rendered as a test.\n",
    );
    let mut chapter = None;
    for page in pages() {
        if chapter != Some(page.section) {
            chapter = Some(page.section);
            // Writing into a String cannot fail.
            let _ = write!(text, "\n## {}\n\n| name | what it is |\n|---|---|\n", page.section.title());
        }
        let _ = writeln!(text, "| [{0}]({0}.md) | {1} |", page.name, page.summary);
    }
    text
}
