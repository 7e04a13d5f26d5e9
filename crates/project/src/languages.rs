//! The languages of reports. One line each; everything a language is lies in its file, which `perennial_reports` reads.

use std::fmt;

/// Tag and file of every language, in the order in which pages list them. The first one is the language of this program.
const LANGUAGES: &[(&str, &str)] = &[
    ("en", include_str!("../../reports/languages/en.yml")),
    ("zh-CN", include_str!("../../reports/languages/zh-CN.yml")),
    ("zh-TW", include_str!("../../reports/languages/zh-TW.yml")),
];

/// A language of reports: its place in the list.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(usize);

impl Language {
    /// English, `en`: the first of the list, and the default.
    pub const ENGLISH: Language = Language(0);

    /// Every language, in the order of the list.
    pub fn all() -> impl Iterator<Item = Language> {
        (0..LANGUAGES.len()).map(Language)
    }

    /// The tags of every language.
    pub fn tags() -> impl Iterator<Item = &'static str> {
        LANGUAGES.iter().map(|(tag, _)| *tag)
    }

    /// Its place in the list, from 0.
    pub fn index(self) -> usize {
        self.0
    }

    /// Its BCP 47 tag.
    pub fn tag(self) -> &'static str {
        LANGUAGES.get(self.0).map_or("en", |(tag, _)| tag)
    }

    /// Its file: how it writes numbers and dates, its fonts, and every phrase that pages say by themselves.
    pub fn file(self) -> &'static str {
        LANGUAGES.get(self.0).map_or("", |(_, file)| file)
    }

    /// The language of a tag, in any case of letters.
    pub fn from_tag(tag: &str) -> Option<Language> {
        Language::all().find(|language| language.tag().eq_ignore_ascii_case(tag))
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_their_language() {
        for language in Language::all() {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
        assert_eq!(Language::from_tag("ZH-cn").map(Language::tag), Some("zh-CN"));
        assert_eq!(Language::from_tag("xx"), None);
        assert_eq!(Language::default().tag(), "en");
    }
}
