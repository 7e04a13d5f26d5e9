//! Texts as YAML, plain where that is safe, and comments on one line.

/// A text as a value or key that reads back as itself, also within `{...}` and `[...]`.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_string() } else { quoted(text) }
}

/// Texts as a list on one line.
pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| scalar(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A description, in quotes unless it is plain words.
pub(super) fn words(text: &str) -> String {
    scalar(&one_line(text))
}

/// A text without line ends and other letters that are not shown.
pub(super) fn one_line(text: &str) -> String {
    let shown: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and what ends a line in some reader's eyes.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Letters, digits, blanks and a few signs, beginning with a letter, and no word that means something else.
fn is_plain(text: &str) -> bool {
    const MEANT: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let allowed = |c: char| c.is_ascii_alphanumeric() || " _-./".contains(c) || ('\u{4e00}'..='\u{9fff}').contains(&c);
    let word = text.to_ascii_lowercase();
    first && text.chars().all(allowed) && !text.ends_with(' ') && !MEANT.contains(&word.as_str())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) || ('\u{e000}'..='\u{f8ff}').contains(&c) || c >= '\u{fff0}' => {
                out.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_something_else() {
        assert_eq!(scalar("order id"), "order id");
        for (text, written) in [
            ("", "\"\""),
            ("no", "\"no\""),
            ("12", "\"12\""),
            ("订单号", "\"订单号\""),
            ("a: b", "\"a: b\""),
            ("a, b", "\"a, b\""),
            ("#1", "\"#1\""),
            ("a ", "\"a \""),
            ("say \"x\"\\", "\"say \\\"x\\\"\\\\\""),
            ("a\u{85}b", "\"a\\U00000085b\""),
        ] {
            assert_eq!(scalar(text), written);
        }
        assert_eq!(list(&["a".into(), "%Y-%m-%d".into()]), "[a, \"%Y-%m-%d\"]");
        assert_eq!(one_line("two\n  lines\u{2028}x"), "two lines x");
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_itself(text in any::<String>()) {
            let yaml = format!("a: {}\nb: {{c: {}, d: {}}}\n", scalar(&text), scalar(&text), list(std::slice::from_ref(&text)));
            #[derive(serde::Deserialize)]
            struct Inner { c: String, d: Vec<String> }
            #[derive(serde::Deserialize)]
            struct Outer { a: String, b: Inner }
            let read: Outer = serde_saphyr::from_str(&yaml).unwrap();
            prop_assert_eq!(&read.a, &text);
            prop_assert_eq!(&read.b.c, &text);
            prop_assert_eq!(&read.b.d, &vec![text]);
        }
    }
}
