//! What the file of a language says: `languages/<tag>.yml`, read once. Nothing else in this package knows a language.

use perennial_project::Language;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language as its file has it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LanguageData {
    /// Its BCP 47 tag, as in the list of languages.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the list"))]
    pub tag: String,
    /// Its name in itself.
    pub name: String,
    /// What the printed page is told of it.
    pub print: Print,
    /// Families to look for.
    pub fonts: Fonts,
    /// How figures are written.
    pub numbers: Numbers,
    /// How days are written.
    pub dates: Dates,
    /// What is put between pieces of text.
    pub text: Texts,
    /// How amounts are written.
    pub currencies: Currencies,
    /// What pages say by themselves.
    pub phrases: BTreeMap<String, String>,
    /// What charts say, by chart.
    pub charts: BTreeMap<String, BTreeMap<String, String>>,
}

/// Language and region as the typesetter knows them.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Print {
    pub language: String,
    pub region: String,
}

/// Font families, best first.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fonts {
    pub screen: Vec<String>,
    pub print: Vec<String>,
}

/// How figures are written. Patterns have `{figure}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numbers {
    pub thousands: String,
    pub decimal: String,
    pub minus: String,
    pub percent: String,
    pub points: String,
    pub units: Vec<LargeUnit>,
}

/// A word for a power of ten: `M` for six.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LargeUnit {
    pub power: u32,
    pub unit: String,
}

/// How days are written. Patterns have `{day}`, `{month}`, `{short_month}` and `{year}`; that of an instant has `{day}`
/// (a whole one) and `{time}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dates {
    pub months: Vec<String>,
    pub short_months: Vec<String>,
    pub day: String,
    pub month: String,
    pub short_day: String,
    pub short_month: String,
    pub month_name: String,
    pub instant: String,
}

/// What is put between pieces of text.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub sentence: String,
    pub list: String,
    pub unit: String,
}

/// How amounts are written. Patterns have `{figure}`, and `{name}` or `{code}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Currencies {
    pub named: String,
    pub named_after_digit: String,
    pub code: String,
    pub names: BTreeMap<String, CurrencyName>,
}

/// What a currency is called behind an amount, and beside a table where that is another word.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurrencyName {
    pub name: String,
    pub head: Option<String>,
}

impl LanguageData {
    /// A phrase of the pages or of a chart.
    pub(crate) fn phrase(&self, key: &str) -> Option<&str> {
        let of_charts = || self.charts.values().find_map(|phrases| phrases.get(key));
        self.phrases.get(key).or_else(of_charts).map(String::as_str)
    }

    /// The keys of all phrases.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.phrases.keys().chain(self.charts.values().flat_map(BTreeMap::keys)).map(String::as_str)
    }

    /// A head of a column with its unit.
    pub(crate) fn with_unit(&self, label: &str, unit: &str) -> String {
        if unit.is_empty() { label.to_string() } else { fill(&self.text.unit, &[("label", label), ("unit", unit)]) }
    }
}

/// What the file of a language says. Every file is read by a test: what is wrong in one never comes to a user.
pub(crate) fn data(language: Language) -> &'static LanguageData {
    static ALL: LazyLock<Vec<LanguageData>> = LazyLock::new(|| {
        Language::all().map(|language| serde_saphyr::from_str(language.file()).unwrap_or_default()).collect()
    });
    &ALL[language.index()]
}

/// A pattern with its `{names}` replaced.
pub(crate) fn fill(pattern: &str, parts: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = "";
            break;
        };
        out.push_str(parts.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_language_is_complete() {
        let shape = |data: &LanguageData| -> BTreeSet<String> {
            let own = data.phrases.keys().cloned();
            let of_charts =
                data.charts.iter().flat_map(|(chart, p)| p.keys().map(move |key| format!("{chart}: {key}")));
            own.chain(of_charts).collect()
        };
        let english = shape(data(Language::ENGLISH));
        assert!(english.len() > 80, "{}", english.len());
        for language in Language::all() {
            let read: Result<LanguageData, _> = serde_saphyr::from_str(language.file());
            let read = read.unwrap_or_else(|error| panic!("languages/{}.yml: {error}", language.tag()));
            assert_eq!(read.tag, language.tag());
            assert_eq!((read.dates.months.len(), read.dates.short_months.len()), (12, 12), "{}", read.tag);
            assert!(read.numbers.units.is_sorted_by(|a, b| a.power > b.power), "{}: greatest unit first", read.tag);
            let own = shape(&read);
            let differing: Vec<&String> = english.symmetric_difference(&own).collect();
            assert!(differing.is_empty(), "{} against en: {differing:?}", read.tag);
            let keys: Vec<&str> = read.keys().collect();
            let once: BTreeSet<&&str> = keys.iter().collect();
            assert_eq!(keys.len(), once.len(), "{}: a key of two charts", read.tag);
        }
    }

    #[test]
    fn patterns_are_filled() {
        assert_eq!(fill("{a} of {b}.", &[("a", "1"), ("b", "{c}")]), "1 of {c}.");
        assert_eq!(fill("none", &[]), "none");
    }
}
