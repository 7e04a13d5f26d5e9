//! Phrases per language: looked up by key, with minijinja inside for plurals and figures.

use super::number::{self, Decimal, Sign, THIN};
use crate::error::{Error, Problems, Result};
use crate::project::Language;
use std::collections::BTreeMap;

/// Key, then language, then text (`report-templates/words.yml`).
pub type Words = BTreeMap<String, BTreeMap<Language, String>>;

/// Where phrases are written, for messages.
pub const FILE: &str = "report-templates/words.yml";

/// Phrases that the components themselves say. A project's words must have them.
pub const REQUIRED: &[&str] = &[
    "change_month_over",
    "change_month_under",
    "change_month_level",
    "change_year_over",
    "change_year_under",
    "change_year_level",
    "versus_month",
    "versus_year",
    "no_comparison",
    "not_known",
    "figures",
    "figures_of",
    "skip_to_content",
    "contents",
    "period",
    "period_open",
    "period_closed",
    "page_of",
    "effect",
    "effect_start",
    "effect_new",
    "effect_reactivated",
    "effect_expansion",
    "effect_contraction",
    "effect_lost",
    "effect_end",
    "amount",
    "tier",
    "tier_key",
    "tier_ordinary",
    "tier_small",
    "tier_negative",
    "tier_inactive",
    "tier_not_yet",
    "customers",
    "share_of_customers",
    "value",
    "share_of_value",
    "cohort",
    "month_number",
    "months_after",
    "weighted_mean",
    "open_cell",
    "expected_purchases",
    "actual_purchases",
    "repeats_before",
    "miss",
    "before",
    "after",
    "from_tier",
    "total",
    "value_change",
    "moved_up",
    "moved_down",
    "stayed",
    "joined",
    "alt_bridge",
    "alt_pyramids",
    "alt_triangle",
    "alt_migration",
    "alt_series",
    "alt_calibration",
    "alt_sparkline",
    "foot_title",
    "foot_as_of",
    "foot_period",
    "foot_edition",
    "foot_edition_text",
    "foot_release",
    "foot_release_text",
    "foot_run",
    "foot_tests",
    "foot_tests_text",
    "foot_made",
    "foot_sources",
    "foot_source",
    "foot_newest",
    "foot_newest_unknown",
    "foot_rows",
    "foot_rejects",
    "foot_state",
    "foot_current",
    "foot_stale",
    "foot_changes",
    "foot_first_edition",
    "foot_no_changes",
    "foot_figure",
    "foot_was",
    "foot_is",
    "foot_difference",
    "cause_late_data",
    "cause_corrected_data",
    "cause_changed_sql",
    "index_title",
    "index_report",
    "index_edition",
    "index_release",
    "index_verdict",
    "index_pages",
    "index_not_issued",
    "index_none",
    "index_earlier",
];

/// The text of a phrase.
pub fn text<'a>(words: &'a Words, key: &str, language: Language) -> Result<&'a str> {
    let Some(phrase) = words.get(key) else {
        return Err(Error::project(format!("there is no phrase `{key}` in {FILE}"))
            .suggest(key, words.keys().map(String::as_str)));
    };
    match phrase.get(&language) {
        Some(text) => Ok(text),
        None => Err(Error::project(format!("the phrase `{key}` in {FILE} has no text in {}", language.tag()))
            .hint(format!("add a line `{}: ...` to `{key}`", language.tag()))),
    }
}

/// Every phrase that components need and every text missing in a language.
pub fn check(words: &Words, languages: &[Language]) -> Problems {
    let mut problems = Problems::new();
    for key in REQUIRED {
        if !words.contains_key(*key) {
            problems
                .push(Error::project(format!("there is no phrase `{key}` in {FILE}; pages need it")).hint(
                    "take it from the project that ships: `shipped: [\"report-templates/**\"]` in perennial.yml",
                ));
        }
    }
    for key in words.keys() {
        for language in languages {
            if let Err(error) = text(words, key, *language) {
                problems.push(error);
            }
        }
    }
    problems
}

/// An amount in three significant digits with its currency: `EUR 1.06 M`, `106 万欧元`.
pub fn amount(value: Decimal, currency: &str, language: Language) -> String {
    let figure = number::short(value, language, Sign::Minus);
    match language {
        Language::English => format!("{currency}{THIN}{figure}"),
        _ => match currency_name(currency, language) {
            Some(name) if figure.ends_with(|c: char| c.is_ascii_digit()) => format!("{figure}{THIN}{name}"),
            Some(name) => format!("{figure}{name}"),
            None => format!("{currency}{THIN}{figure}"),
        },
    }
}

/// A currency as it is named beside a table: `EUR`, `欧元`, `人民币`.
pub fn currency_word(code: &str, language: Language) -> String {
    currency_name(code, language).map_or(code, |name| name.trim_start_matches('元')).to_string()
}

/// A currency behind an amount: none, `欧元`, `欧元`, `歐元`.
pub fn currency_name(code: &str, language: Language) -> Option<&'static str> {
    let (simplified, traditional) = match code {
        "EUR" => ("欧元", "歐元"),
        "GBP" => ("英镑", "英鎊"),
        "USD" => ("美元", "美元"),
        "CNY" => ("元人民币", "元人民幣"),
        "TWD" => ("元新台币", "元新臺幣"),
        "HKD" => ("港元", "港元"),
        "JPY" => ("日元", "日圓"),
        "CHF" => ("瑞士法郎", "瑞士法郎"),
        "SGD" => ("新加坡元", "新加坡元"),
        _ => return None,
    };
    match language {
        Language::English => None,
        Language::SimplifiedChinese => Some(simplified),
        Language::TraditionalChinese => Some(traditional),
    }
}
