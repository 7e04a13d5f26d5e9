//! What a webhook says.

/// What a webhook says, whatever its format.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// What makes it this card; receivers of the generic format know by it what they had already.
    pub id: String,
    /// Title.
    pub title: String,
    /// The verdict, or what happened, in one line.
    pub verdict: String,
    /// Whether that is good.
    pub tone: Tone,
    /// Headline figures: label and value.
    pub figures: Vec<(String, String)>,
    /// Further lines.
    pub lines: Vec<String>,
    /// Where to read on.
    pub link: Option<Link>,
    /// What stands in place of lines that the receiver has no space for, in the card's language.
    pub cut: String,
    /// The tag of its language.
    pub language: String,
}

/// A link with the words to show.
#[derive(Clone, Debug)]
pub struct Link {
    /// Words.
    pub label: String,
    /// Address.
    pub url: String,
}

/// Whether news is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    #[default]
    Neutral,
    /// Good.
    Good,
    /// Bad.
    Bad,
}

/// Text as one line: a line break in a name or figure must not begin something else.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')).collect::<Vec<_>>().join(" ")
}

/// The beginning of a text of at most `max` characters, with an ellipsis where it is cut.
pub(super) fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_string(),
        Some(_) => {
            let end = text.char_indices().nth(max.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", &text[..end])
        }
    }
}

/// As many whole lines as fit into `max` of what `measure` counts, joined by `between`; where some are left out, `cut`
/// stands in their place. A first line that alone is too long is shortened.
pub(super) fn fitting(
    lines: &[String],
    between: &str,
    cut: &str,
    max: usize,
    measure: impl Fn(&str) -> usize,
) -> String {
    let joined = lines.join(between);
    if measure(&joined) <= max {
        return joined;
    }
    let ending = if cut.is_empty() { "…".to_string() } else { cut.to_string() };
    let space = max.saturating_sub(measure(&ending) + measure(between));
    let mut kept = String::new();
    for line in lines {
        let longer = if kept.is_empty() { line.clone() } else { format!("{kept}{between}{line}") };
        if measure(&longer) > space {
            break;
        }
        kept = longer;
    }
    if kept.is_empty()
        && let Some(first) = lines.first()
    {
        for c in first.chars() {
            kept.push(c);
            if measure(&kept) > space {
                kept.pop();
                break;
            }
        }
    }
    if kept.is_empty() { ending } else { format!("{kept}{between}{ending}") }
}

/// Characters, as Slack counts them.
pub(super) fn characters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_whole_lines() {
        let lines = ["客户 100", "订单 2000", "退货 3"].map(str::to_string);
        assert_eq!(fitting(&lines, "\n", "更多见报告", 100, str::len), "客户 100\n订单 2000\n退货 3");
        // 10 + 1 + 11 + 1 + 8 bytes are too many for 30; two lines and 15 bytes of the note are as well.
        assert_eq!(fitting(&lines, "\n", "更多见报告", 30, str::len), "客户 100\n更多见报告");
        assert_eq!(fitting(&lines, "\n", "", 30, str::len), "客户 100\n订单 2000\n…");
        assert_eq!(fitting(&["客户".repeat(20)], "\n", "", 20, str::len), format!("{}\n…", "客户客户客"));
        for max in 0..60 {
            let text = fitting(&lines, "\n\n", "more", max.max(6), str::len);
            assert!(text.len() <= max.max(6), "{max}: {text}");
        }
        assert_eq!((shortened("abc", 3), shortened("abcd", 3)), ("abc".to_string(), "ab…".to_string()));
        assert_eq!(one_line("a\r\nb"), "a  b");
    }
}
