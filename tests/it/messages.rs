//! Every message of the program, drawn from its sources, in one file that can be read from top to bottom.

use crate::rust_source::{Token, product_sources, relative, root, tokens};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What the file of messages begins with.
const HEADER: &str =
    "# Every message of the program by source file, for reading; made from the string literals of the sources.
# PERENNIAL_UPDATE_MESSAGES=1 cargo test -p perennial --test it messages::
# writes it again. Style: CONTRIBUTING.md.
";

/// Functions, constructors and macros whose arguments are messages, however short.
const MESSAGE_CALLS: [&str; 8] = ["project", "data", "unreachable", "bug", "hint", "context", "say", "Note"];

/// Sources whose prose is not messages: pages of manuals, the text of reports, messages of other programs.
const NOT_MESSAGES: [&str; 7] = [
    "crates/demo/src/",
    "crates/engine/src/patterns",
    "crates/functions/src/manual",
    "crates/reports/src/html",
    "crates/reports/src/charts/",
    "crates/sources/src/formats/",
    "crates/reports/src/manual",
];

/// A string literal that is, or is part of, a message.
struct Message {
    file: String,
    line: usize,
    text: String,
    /// The call it is an argument of, if it is one of [`MESSAGE_CALLS`].
    call: Option<&'static str>,
}

#[test]
fn every_message_is_in_the_file() {
    let found = messages();
    let written = HEADER.to_string() + &by_file(&found);
    let path = root().join("tests/messages.txt");
    if std::env::var_os("PERENNIAL_UPDATE_MESSAGES").is_some() {
        std::fs::write(&path, written).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if stored == written {
        return;
    }
    let stored = entries(&stored);
    let mut differences = String::new();
    for message in &found {
        if !stored.contains(&(message.file.clone(), shown(&message.text))) {
            writeln!(differences, "new   {}:{}: {}", message.file, message.line, shown(&message.text)).unwrap();
        }
    }
    let now: BTreeSet<(String, String)> = found.iter().map(|m| (m.file.clone(), shown(&m.text))).collect();
    for (file, text) in stored.difference(&now) {
        writeln!(differences, "gone  {file}: {text}").unwrap();
    }
    panic!(
        "the messages of the program changed; read them as their reader would, then \
         PERENNIAL_UPDATE_MESSAGES=1 cargo test -p perennial --test it messages::\n{differences}"
    );
}

#[test]
fn error_messages_begin_in_lower_case_and_end_without_a_full_stop() {
    let wrong: Vec<String> = messages()
        .iter()
        .filter(|m| m.call.is_some_and(|call| matches!(call, "project" | "data" | "unreachable" | "bug" | "hint")))
        .filter(|m| ends_with_a_stop(&m.text) || begins_in_upper_case(&m.text))
        .map(|m| format!("{}:{}: {}", m.file, m.line, shown(&m.text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ends_with_a_stop(text: &str) -> bool {
    text.ends_with('.') && !text.ends_with("...")
}

/// An ordinary word in upper case; names such as `PostgreSQL` and `UTF-8` are written as they are.
fn begins_in_upper_case(text: &str) -> bool {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
    let names = ["Delta", "Parquet", "Python"];
    let mut characters = word.chars();
    characters.next().is_some_and(char::is_uppercase)
        && characters.clone().count() > 0
        && characters.all(char::is_lowercase)
        && !names.contains(&word.as_str())
}

fn messages() -> Vec<Message> {
    product_sources()
        .iter()
        .flat_map(|path| messages_of(&relative(path), &std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn messages_of(file: &str, source: &str) -> Vec<Message> {
    let tokens = tokens(source);
    let prose_counts = !NOT_MESSAGES.iter().any(|path| file.starts_with(path));
    // The calls whose parentheses are open, innermost last; `None` for other brackets.
    let mut open: Vec<Option<&'static str>> = Vec::new();
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i].1 {
            Token::Sign('#') if matches!(tokens.get(i + 1), Some((_, Token::Sign('[' | '!')))) => {
                i = end_of_attribute(&tokens, i);
                continue;
            }
            Token::Sign('(' | '[' | '{') => open.push(call_before(&tokens, i)),
            Token::Sign(')' | ']' | '}') => {
                open.pop();
            }
            Token::Text(text) => {
                let call = open.iter().rev().find_map(|call| *call);
                let has_letters = text.chars().filter(|c| c.is_ascii_lowercase()).count() > 1;
                // What is printed has parts such as the plural of a count; those of errors are messages of one word.
                let is_short = call.is_some_and(|call| !matches!(call, "say" | "Note")) && has_letters;
                let is_message = is_short || (prose_counts && is_prose(text));
                if is_message && !is_code(text) {
                    found.push(Message { file: file.to_string(), line: tokens[i].0, text: text.clone(), call });
                }
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// The name in front of an opening parenthesis if its arguments are messages.
fn call_before(tokens: &[(usize, Token)], at: usize) -> Option<&'static str> {
    let Some((_, Token::Word(name))) = at.checked_sub(1).and_then(|before| tokens.get(before)) else { return None };
    let call = MESSAGE_CALLS.into_iter().find(|call| call == name)?;
    let before = |back: usize| at.checked_sub(back).and_then(|i| tokens.get(i)).map(|(_, token)| token.clone());
    // `Error::project(`, `.hint(`, `say(`; not `fn hint(`.
    let of_error = before(4) == Some(Token::Word("Error".into()));
    let constructor = matches!(call, "project" | "data" | "unreachable" | "bug");
    let declared = before(2) == Some(Token::Word("fn".into()));
    (!declared && (!constructor || of_error)).then_some(call)
}

fn end_of_attribute(tokens: &[(usize, Token)], start: usize) -> usize {
    let mut depth = 0;
    for (i, (_, token)) in tokens.iter().enumerate().skip(start) {
        match token {
            Token::Sign('[') => depth += 1,
            Token::Sign(']') => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Whether two words of lower case stand side by side.
fn is_prose(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let plain = |word: &str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase())
    };
    words.windows(2).any(|pair| plain(pair[0]) && !pair[1].is_empty() || plain(pair[1]) && !pair[0].is_empty())
}

/// Whether a literal is SQL, a regular expression, HTML, Typst or CSS.
fn is_code(text: &str) -> bool {
    let keywords =
        ["SELECT", "FROM", "WHERE", "JOIN", "ORDER", "GROUP", "SET", "CASE", "PRAGMA", "COPY", "COALESCE", "CAST"];
    let first = text.trim_start_matches(['(', '\n', ' ']).split([' ', '(']).next().unwrap_or_default();
    let sql = keywords.contains(&first)
        || keywords.iter().filter(|keyword| text.contains(&format!("{keyword} "))).count() > 2
        || [" AND ", " OR ", " IS NULL", " NOT IN "].iter().any(|operator| text.contains(operator));
    let markup =
        ["</", "/>", "<td", "<div", "<li", "<!doctype", "style=", "class=", "font-family", "#set ", "#import "];
    sql || text.starts_with('#') || text.starts_with("(?") || markup.iter().any(|mark| text.contains(mark))
}

fn shown(text: &str) -> String {
    text.replace('\n', "\\n").replace('\t', "\\t")
}

fn by_file(messages: &[Message]) -> String {
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    let mut file = "";
    for message in messages {
        if message.file != file {
            file = &message.file;
            seen.clear();
            writeln!(text, "\n## {file}").unwrap();
        }
        if seen.insert(&message.text) {
            writeln!(text, "{}", shown(&message.text)).unwrap();
        }
    }
    text
}

/// File and text of each line of the stored file.
fn entries(stored: &str) -> BTreeSet<(String, String)> {
    let mut file = "";
    let mut found = BTreeSet::new();
    for line in stored.lines().skip(HEADER.lines().count()) {
        match line.strip_prefix("## ") {
            Some(name) => file = name,
            None if line.is_empty() => {}
            None => {
                found.insert((file.to_string(), line.to_string()));
            }
        }
    }
    found
}

#[test]
fn messages_are_told_from_other_texts() {
    let source = "#[arg(help = \"not a message here\")]\nfn f() { Error::project(format!(\"unknown `{x}`\")).hint(\"no\"); \
                  let sql = \"SELECT a FROM b WHERE c\"; let name = \"orders\"; let why = \"the file is empty\"; }";
    let found = messages_of("src/x.rs", source);
    let texts: Vec<&str> = found.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["unknown `{x}`", "no", "the file is empty"]);
    assert_eq!(found[0].call, Some("project"));
    assert_eq!(found[2].call, None);
}
