//! What tests of this module share.

use perennial_core::error::Place;
use perennial_project::{IssueAfter, Language, PeriodKind, Phrases, ReportFile, TextFile};
use std::collections::BTreeMap;

/// A report of nothing.
pub(super) fn report() -> ReportFile {
    ReportFile {
        name: "review".into(),
        file: TextFile { path: "report-templates/review/report.md".into(), text: "".into() },
        body: 0,
        title: BTreeMap::from([(Language::ENGLISH, "Review".to_string())]),
        period: PeriodKind::Month,
        calendar: perennial_core::contract::TableName::new("core", "calendar"),
        calendar_place: None::<Place>,
        languages: vec![Language::ENGLISH],
        readers: String::new(),
        issue_after: IssueAfter::End,
        parameters: Vec::new(),
        deliveries: Vec::new(),
        queries: Vec::new(),
        pieces: Vec::new(),
        phrases: Phrases::default(),
        phrases_are_read: true,
    }
}
