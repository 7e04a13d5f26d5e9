//! What messages say besides what the reports say, in the language of their readers.

use perennial_delivery::{LeftOut, Link};
use perennial_project::Language;

/// What a mail says of what was left out because it is too large, and where that is.
pub(super) fn left_out(language: Language, url: Option<String>) -> LeftOut {
    let (sentence, pictures, separator) = match language.tag() {
        "zh-CN" => ("因邮件大小限制，以下内容未随信附上：{}。", "图表", "、"),
        "zh-TW" => ("因郵件大小限制，以下內容未隨信附上：{}。", "圖表", "、"),
        _ => ("Left out, because the mail would be too large: {}.", "the charts", ", "),
    };
    LeftOut {
        sentence: sentence.to_string(),
        pictures: pictures.to_string(),
        separator: separator.to_string(),
        link: url.map(|url| Link { label: open(language).to_string(), url }),
    }
}

/// The words of a link to a page.
pub(super) fn open(language: Language) -> &'static str {
    match language.tag() {
        "zh-CN" => "打开报告",
        "zh-TW" => "打開報告",
        _ => "Open the report",
    }
}

/// What stands in place of lines for which there was no space.
pub(super) fn more(language: Language) -> &'static str {
    match language.tag() {
        "zh-CN" => "更多内容见报告",
        "zh-TW" => "更多內容見報告",
        _ => "More is in the report",
    }
}
