//! Places in the text of a query, found among its tokens.

use super::patterns;
use datafusion::common::Span;
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// A range of a query's text: lines and columns from 1, columns in characters, the end behind the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Line it begins in.
    pub line: usize,
    /// Column it begins in.
    pub column: usize,
    /// Characters it covers on its first line, at least 1.
    pub width: usize,
}

impl From<Span> for Spot {
    fn from(span: Span) -> Spot {
        let one_line = span.start.line == span.end.line;
        let width = if one_line { span.end.column.saturating_sub(span.start.column) as usize } else { 1 };
        Spot { line: span.start.line as usize, column: span.start.column as usize, width: width.max(1) }
    }
}

/// The last word of a query.
pub(super) fn last_spot(sql: &str) -> Spot {
    let text = sql.trim_end();
    let line = text.rsplit('\n').next().unwrap_or("");
    Spot { line: text.matches('\n').count() + 1, column: line.chars().count().max(1), width: 1 }
}

/// Whether a text holds no SQL, or nothing but comments.
pub fn is_blank(sql: &str) -> bool {
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize();
    tokens.is_ok_and(|all| all.iter().all(|token| matches!(token, Token::Whitespace(_) | Token::SemiColon)))
}

/// Where a second statement begins.
pub fn second_statement(sql: &str) -> Option<Spot> {
    let tokens = tokens_of(sql);
    let end = tokens.iter().position(|token| token.token == Token::SemiColon)?;
    tokens[end..].iter().find(|token| token.token != Token::SemiColon).map(spot_of)
}

/// The first token of the query that the message names in quotes, or that its words point to.
pub fn spot_named(message: &str, sql: &str) -> Option<Spot> {
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize_with_location().ok()?;
    for parts in patterns::QUOTED.captures_iter(message) {
        let name = parts.get(1).or(parts.get(2))?.as_str();
        let last = name.rsplit('.').next().unwrap_or(name);
        if let Some(token) = tokens.iter().find(|t| names(&t.token, name) || names(&t.token, last)) {
            return Some(spot_of(token));
        }
    }
    if message.contains("WHERE clause") {
        return tokens.iter().find(|t| names(&t.token, "where")).map(spot_of);
    }
    let words = ["HAVING", "QUALIFY", "PIVOT", "UNPIVOT", "ASOF", "INTERVAL"];
    let word = words.into_iter().find(|word| message.contains(word))?;
    tokens.iter().find(|t| names(&t.token, word)).map(spot_of)
}

/// The places of calls of a function, in order: of one of its names with a parenthesis behind it. With an argument only
/// calls that hold it, each at the argument; where none does, the calls themselves.
pub(super) fn spots_of_call(function: &[&str], argument: Option<&str>, sql: &str) -> Vec<Spot> {
    let tokens = tokens_of(sql);
    let (mut calls, mut arguments) = (Vec::new(), Vec::new());
    for (index, token) in tokens.iter().enumerate() {
        // EXTRACT is read as a call of date_part.
        let is_name = function.iter().any(|name| names(&token.token, name))
            || (function.contains(&"date_part") && names(&token.token, "extract"));
        if !is_name || tokens.get(index + 1).is_none_or(|next| next.token != Token::LParen) {
            continue;
        }
        calls.push(spot_of(token));
        let Some(argument) = argument else { continue };
        let mut depth = 0;
        for inner in &tokens[index + 1..] {
            match inner.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ if is_value(&inner.token, argument) => arguments.push(spot_of(inner)),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    if arguments.is_empty() { calls } else { arguments }
}

/// The places of a constant.
pub(super) fn spots_of_value(value: &str, sql: &str) -> Vec<Spot> {
    tokens_of(sql).iter().filter(|t| is_value(&t.token, value)).map(spot_of).collect()
}

/// The place of a placeholder such as `$1`.
pub(super) fn spot_of_placeholder(id: &str, sql: &str) -> Option<Spot> {
    tokens_of(sql).iter().find(|t| matches!(&t.token, Token::Placeholder(text) if text == id)).map(spot_of)
}

/// The tokens that mean something.
pub(super) fn tokens_of(sql: &str) -> Vec<TokenWithSpan> {
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize_with_location().unwrap_or_default();
    tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect()
}

/// Whether a token is a constant; units after EXTRACT are words.
fn is_value(token: &Token, value: &str) -> bool {
    match token {
        Token::Number(text, _) => text == value || text.parse::<f64>().ok().is_some_and(|n| value.parse() == Ok(n)),
        other => names(other, value),
    }
}

/// Whether a token is a word or text with this content.
pub(super) fn names(token: &Token, name: &str) -> bool {
    match token {
        Token::Word(word) => word.value.eq_ignore_ascii_case(name),
        Token::SingleQuotedString(text) => text == name,
        _ => false,
    }
}

/// Where a token is.
pub(super) fn spot_of(token: &TokenWithSpan) -> Spot {
    let Location { line, column } = token.span.start;
    let width = token.span.end.column.saturating_sub(column).max(1) as usize;
    Spot { line: line as usize, column: column as usize, width }
}
