//! Everything that can be known of a report before its rows: syntax, names of variables, filters, functions and
//! phrases, each mistake at its place.

use super::template::include_name;
use super::words;
use super::{Period, components, phrases, query_error};
use crate::error::{Error, Place, Problems};
use crate::project::{Project, ReportFile, TextFile};
use minijinja::{Environment, ErrorKind};
use std::collections::BTreeSet;
use std::ops::Range;

/// What every template may name besides its queries.
const VARIABLES: &[&str] = &["period", "as_of", "language", "currency", "company", "vars", "loop", "self", "caller"];

/// All problems of all reports and of the words they use.
pub fn check(project: &Project) -> Problems {
    let mut problems = Problems::new();
    if project.reports.is_empty() {
        return problems;
    }
    let mut languages: Vec<_> = project.languages.clone();
    languages.extend(project.reports.iter().flat_map(|r| r.languages.iter().copied()));
    languages.sort();
    languages.dedup();
    problems.extend(words::check(&project.words, &languages));
    let env = Environment::new();
    for (key, texts) in &project.words {
        for (language, text) in texts {
            if let Err(error) = env.template_from_named_str(key, text) {
                let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
                let message = format!("the phrase `{key}` in {} ({}): {why}", words::FILE, language.tag());
                problems.push(Error::project(message).at(Place::Whole(words::FILE.into())));
            }
        }
    }
    for report in &project.reports {
        template(&mut problems, project, &report.file, report.body, Some(report));
        queries(&mut problems, project, report);
    }
    for piece in &project.shared_templates {
        template(&mut problems, project, piece, 0, None);
    }
    problems
}

fn queries(problems: &mut Problems, project: &Project, report: &ReportFile) {
    let env = Environment::new();
    for query in &report.queries {
        if let Err(error) = env.template_from_named_str(&query.name, &query.sql) {
            problems.push(query_error(&error, report, query));
            return;
        }
    }
    // Any day will do: only names and syntax are looked at.
    let day = jiff::civil::date(2026, 1, 1);
    problems.keep(super::queries_for(project, report, Period::containing(report.period, day), day));
}

fn template(problems: &mut Problems, project: &Project, file: &TextFile, body: usize, report: Option<&ReportFile>) {
    let text = &file.text[body..];
    let at =
        |range: Range<usize>| Place::span(file.path.clone(), file.text.clone(), range.start + body..range.end + body);
    let env = Environment::new();
    let parsed = match env.template_from_named_str(&file.path, text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
            let range = error.range().unwrap_or(0..1);
            problems.push(Error::project(why).at(at(range)));
            return;
        }
    };
    let names = tokens(text);
    let globals: BTreeSet<String> = env.globals().map(|(name, _)| name.to_string()).collect();
    let mut functions: Vec<&str> = components::FUNCTIONS.iter().chain(phrases::FUNCTIONS).copied().collect();
    functions.extend(globals.iter().map(String::as_str));
    let mut variables: Vec<&str> = VARIABLES.to_vec();
    // A shared piece may name the queries of any report that includes it.
    let reports: Vec<&ReportFile> = report.map_or_else(|| project.reports.iter().collect(), |r| vec![r]);
    variables.extend(reports.iter().flat_map(|r| r.queries.iter().map(|q| q.name.as_str())));
    let set: Vec<String> = if report.is_none() { names_set(project) } else { Vec::new() };
    variables.extend(set.iter().map(String::as_str));
    let undeclared = parsed.undeclared_variables(false);
    let mut state = env.empty_state();
    for token in &names {
        let name = &text[token.range.clone()];
        match token.role {
            Role::Filter if !phrases::FILTERS.contains(&name) => {
                if state.apply_filter(name, &[]).is_err_and(|e| e.kind() == ErrorKind::UnknownFilter) {
                    let error = Error::project(format!("there is no filter `{name}`"));
                    problems.push(error.suggest(name, phrases::FILTERS.iter().copied()).at(at(token.range.clone())));
                }
            }
            Role::Call if undeclared.contains(name) && !functions.contains(&name) => {
                let error = Error::project(format!("there is no function `{name}`"));
                problems.push(error.suggest(name, functions.iter().copied()).at(at(token.range.clone())));
            }
            Role::Name if undeclared.contains(name) && !variables.contains(&name) && !functions.contains(&name) => {
                let error = Error::project(format!("there is no query or variable `{name}`"));
                problems.push(error.suggest(name, variables.iter().copied()).at(at(token.range.clone())));
            }
            Role::Phrase if !project.words.contains_key(name) => {
                let error = Error::project(format!("there is no phrase `{name}` in {}", words::FILE));
                let known = project.words.keys().map(String::as_str);
                problems.push(error.suggest(name, known).at(at(token.range.clone())));
            }
            Role::Include if !project.shared_templates.iter().any(|f| include_name(f) == name) => {
                let known: Vec<String> = project.shared_templates.iter().map(include_name).collect();
                let error = Error::project(format!("there is no piece `{name}` to include"));
                problems.push(error.suggest(name, known.iter().map(String::as_str)).at(at(token.range.clone())));
            }
            _ => {}
        }
    }
}

/// What reports set before they include a piece.
fn names_set(project: &Project) -> Vec<String> {
    let mut names = Vec::new();
    for report in &project.reports {
        let text = &report.file.text[report.body..];
        let set = tokens(text).into_iter().filter(|t| t.role == Role::Set);
        names.extend(set.map(|t| text[t.range].to_string()));
    }
    names
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Name,
    /// The name in `set name = ...`.
    Set,
    Call,
    Filter,
    /// The key in `t('key')`.
    Phrase,
    /// The piece in `include 'piece'`.
    Include,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    role: Role,
    range: Range<usize>,
}

/// Names in the tags of a template, by what they are used for. Looking at characters is enough: the parser has already
/// accepted the text, so every tag is whole.
fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = 0;
    while let Some(open) =
        text[rest..].find("{{").into_iter().chain(text[rest..].find("{%")).chain(text[rest..].find("{#")).min()
    {
        let start = rest + open;
        let close = match &text[start..start + 2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end = if close == "#}" {
            text[start..].find(close).map_or(text.len(), |i| start + i)
        } else {
            tag(text, start + 2, close, &mut out)
        };
        rest = (end + 2).min(text.len());
    }
    out
}

/// Reads one tag up to its close, which may not stand in a string, and gives where that is.
fn tag(text: &str, from: usize, close: &str, out: &mut Vec<Token>) -> usize {
    let bytes = text.as_bytes();
    let mut i = from;
    let mut depth = 0usize;
    // The last significant piece before the name: `.`, `|`, `(` after `t`, a keyword.
    let mut before = String::new();
    while i < bytes.len() {
        if depth == 0 && text[i..].starts_with(close) {
            return i;
        }
        let c = bytes[i];
        if c == b'\'' || c == b'"' {
            let end = string_end(bytes, i);
            let role = match before.as_str() {
                // A key put together from pieces is known only when it is rendered.
                "t(" if !text[(end + 1).min(text.len())..].trim_start().starts_with('~') => Role::Phrase,
                "include" | "import" | "from" => Role::Include,
                _ => Role::Other,
            };
            out.push(Token { role, range: i + 1..end });
            before = "string".into();
            i = end + 1;
        } else if c.is_ascii_alphabetic() || c == b'_' {
            let end = i + bytes[i..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            let name = &text[i..end];
            let next = text[end..].trim_start();
            let is_keyword_argument = depth > 0 && next.starts_with('=') && !next.starts_with("==");
            let role = match before.as_str() {
                "|" => Role::Filter,
                "set" => Role::Set,
                "." | "is" | "not-test" => Role::Other,
                _ if is_keyword_argument => Role::Other,
                _ if next.starts_with('(') => Role::Call,
                _ => Role::Name,
            };
            out.push(Token { role, range: i..end });
            before = if before == "is" && name == "not" { "is".into() } else { name.to_string() };
            i = end;
        } else {
            match c {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if !c.is_ascii_whitespace() {
                before = if c == b'(' && before == "t" { "t(".into() } else { char::from(c).to_string() };
            }
            i += text[i..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut i = open + 1;
    while i < bytes.len() && bytes[i] != bytes[open] {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    i.min(bytes.len())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn names_are_told_apart_by_use() {
        let text =
            "a {{ t('key', n=rows | length) }} {% if x.y is defined and z is not none %}{% include 'p.md' %}{# q #}";
        let found: Vec<(Role, &str)> = tokens(text).into_iter().map(|t| (t.role, &text[t.range])).collect();
        assert!(found.contains(&(Role::Call, "t")));
        assert!(found.contains(&(Role::Phrase, "key")));
        assert!(found.contains(&(Role::Other, "n")));
        assert!(found.contains(&(Role::Name, "rows")));
        assert!(found.contains(&(Role::Filter, "length")));
        assert!(found.contains(&(Role::Other, "y")));
        assert!(found.contains(&(Role::Include, "p.md")));
        assert!(!found.iter().any(|(_, name)| *name == "q"));
    }
}
