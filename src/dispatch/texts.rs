//! What messages say besides what the reports say, in the language of their readers.

use perennial_project::Language;

/// That attachments are left out because they are too large, and where they are.
pub(super) fn too_large(language: Language, link: Option<&str>) -> String {
    match (language.tag(), link) {
        ("zh-CN", Some(link)) => format!("附件超过邮件大小限制，请在此查看：{link}"),
        ("zh-CN", None) => "附件超过邮件大小限制，未随信附上。".to_string(),
        ("zh-TW", Some(link)) => format!("附件超過郵件大小限制，請在此查看：{link}"),
        ("zh-TW", None) => "附件超過郵件大小限制，未隨信附上。".to_string(),
        (_, Some(link)) => format!("The attachments are too large for mail; they are at {link}"),
        (_, None) => "The attachments are too large for mail and were left out.".to_string(),
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
