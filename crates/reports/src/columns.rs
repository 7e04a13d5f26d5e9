//! Columns that templates name, held against what the queries give: names, and types where figures or dates are needed.
//!
//! What is a row and of which query is followed through the tags: `query[0]`, `for row in query`, `set now = pick(query)`.
//! A name that is set twice, or to anything else, is nobody's row and is left to the rendering.

use super::check::{page_of, slot_of};
use super::formats::Format;
use super::manual::{Argument, Kind};
use super::parameters::no_column;
use super::tokens::{self, Role, Token, Use, tags, uses};
use arrow::datatypes::{DataType, SchemaRef};
use perennial_core::error::{Error, Place, Problems};
use perennial_project::{ReportFile, TextFile};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Filters that give rows of the same query.
const KEEP_ROWS: &[&str] = &["sort", "reverse", "selectattr", "rejectattr", "select", "reject", "list", "unique"];
/// Filters whose first argument, or `attribute=`, names a column.
const BY_ATTRIBUTE: &[&str] = &["sort", "map", "sum", "min", "max", "unique", "groupby", "selectattr", "rejectattr"];
/// Those of them whose first argument it is.
const FIRST_IS_ATTRIBUTE: &[&str] = &["groupby", "selectattr", "rejectattr"];

/// The columns that a report names and that its queries do not give, or give as another type than is needed. `columns`
/// are those of each query that could be planned.
pub fn check_columns(report: &ReportFile, columns: &BTreeMap<String, SchemaRef>) -> Problems {
    let mut problems = Problems::new();
    // What a query that could not be planned gives, nobody knows.
    let is_known = report.queries.iter().all(|query| columns.contains_key(&query.name));
    let has = |name: &str| columns.values().any(|schema| schema.field_with_name(name).is_ok());
    for name in report.parameters.iter().filter(|name| is_known && !has(name)) {
        problems.push(no_column(name).at(in_header(report, name)));
    }
    let body = &report.file.text[report.body..];
    let mut of_report = Walk::new(body, columns, Scope::new());
    of_report.run();
    let inherited = of_report.scopes.into_iter().next().unwrap_or_default();
    let mut check = |file: &TextFile, offset: usize, found: Vec<Named>| {
        let text = &file.text[offset..];
        let at = |range: &Range<usize>| {
            Place::span(file.path.clone(), file.text.clone(), range.start + offset..range.end + offset)
        };
        let mut seen = BTreeSet::new();
        for Named { query, range } in found {
            let name = &text[range.clone()];
            let Some(schema) = columns.get(&query).filter(|_| seen.insert(range.start)) else { continue };
            if schema.field_with_name(name).is_err() {
                let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                let error = Error::project(format!("the query `{query}` has no column `{name}`")).at(at(&range));
                problems.push(error.suggest(name, known));
            }
        }
        for (range, error) in types(text, columns) {
            problems.push(error.at(at(&range)));
        }
    };
    let mut found = of_report.found;
    found.extend(arguments(body, columns));
    check(&report.file, report.body, found);
    for piece in &report.pieces {
        let mut walk = Walk::new(&piece.text, columns, inherited.clone());
        walk.run();
        let mut found = walk.found;
        found.extend(arguments(&piece.text, columns));
        check(piece, 0, found);
    }
    problems
}

/// Where the header names a parameter.
fn in_header(report: &ReportFile, parameter: &str) -> Place {
    let header = &report.file.text[..report.body];
    let key = header.find("\nparameters:").map_or(0, |at| at + 1);
    let found = header[key..].find(parameter).map(|at| key + at..key + at + parameter.len());
    Place::span(report.file.path.clone(), report.file.text.clone(), found.unwrap_or(key..key))
}

/// A column that a template names, of a query.
struct Named {
    query: String,
    range: Range<usize>,
}

/// Every call whose rows are those of a query, with what is given to it.
fn calls<'a>(
    text: &'a str,
    all: &'a [Use],
    columns: &'a BTreeMap<String, SchemaRef>,
) -> impl Iterator<Item = (&'a str, Vec<&'a Use>)> {
    let rows = all.iter().filter(|u| u.role == Role::Rows);
    // A name that the template sets anew is no longer the query.
    let is_set = |name: &str| all.iter().any(|u| u.role == Role::Set && text[u.range.clone()] == *name);
    rows.filter_map(move |rows| {
        let query = &text[rows.range.clone()];
        let is_query = columns.contains_key(query) && !is_set(query);
        is_query.then(|| (query, all.iter().filter(|u| u.call == rows.call && u.range != rows.range).collect()))
    })
}

/// The columns that arguments of calls name.
fn arguments(text: &str, columns: &BTreeMap<String, SchemaRef>) -> Vec<Named> {
    let all = uses(text);
    let of_call = |(query, given): (&str, Vec<&Use>)| -> Vec<Named> {
        let named = given.into_iter().filter(|u| argument_of(&u.role).is_some_and(Argument::is_column));
        named.map(|u| Named { query: query.to_string(), range: u.range.clone() }).collect()
    };
    calls(text, &all, columns).flat_map(of_call).collect()
}

/// The argument, or the key of one, that a text is given to.
fn argument_of(role: &Role) -> Option<&'static Argument> {
    match role {
        Role::Text(function, slot) => slot_of(function, slot),
        Role::KeyText(function, slot, key) => slot_of(function, slot)?.key(key).ok(),
        _ => None,
    }
}

/// Columns whose type is not the one that an argument needs or a format writes.
fn types(text: &str, columns: &BTreeMap<String, SchemaRef>) -> Vec<(Range<usize>, Error)> {
    let mut problems = Vec::new();
    let all = uses(text);
    for (query, given) in calls(text, &all, columns) {
        let Some(schema) = columns.get(query) else { continue };
        for call in &given {
            let Role::Called(function, ..) = &call.role else { continue };
            let needed = page_of(function).map_or(&[][..], |page| page.columns);
            for (name, meaning) in needed.iter().filter(|(name, _)| schema.field_with_name(name).is_err()) {
                let message =
                    format!("`{function}` needs the column `{name}`, which the query `{query}` does not have");
                problems.push((call.range.clone(), Error::project(message).hint(format!("`{name}`: {meaning}"))));
            }
        }
        let kind_of = |u: &Use| schema.field_with_name(&text[u.range.clone()]).ok().map(|f| Type::of(f.data_type()));
        for column in &given {
            let (Some(argument), Some(found)) = (argument_of(&column.role), kind_of(column)) else { continue };
            let name = &text[column.range.clone()];
            let needs = match argument.kind {
                Kind::NumberColumn if found != Type::Number => "a column of numbers",
                Kind::DateColumn if found != Type::Date => "a column of dates",
                _ => continue,
            };
            let error = Error::project(format!(
                "`{}` needs {needs}; the column `{name}` of the query `{query}` is {}",
                argument.name,
                found.name()
            ));
            problems.push((column.range.clone(), error.hint("name another column, or cast this one in the query")));
        }
        for format in given.iter().filter(|u| argument_of(&u.role).is_some_and(|a| matches!(a.kind, Kind::Format))) {
            let name = &text[format.range.clone()];
            let Some(writes) = Format::from_name(name).filter(|f| *f != Format::Text) else { continue };
            let beside = given.iter().filter(|u| format.mapping.is_some() && u.mapping == format.mapping);
            let mut columns = beside.filter(|u| argument_of(&u.role).is_some_and(Argument::is_column));
            let Some((column, found)) = columns.find_map(|u| Some((&text[u.range.clone()], kind_of(u)?))) else {
                continue;
            };
            let needed = if writes.is_date() { Type::Date } else { Type::Number };
            if found != needed {
                let message = format!(
                    "the format `{name}` writes {}; the column `{column}` of the query `{query}` is {}",
                    if writes.is_date() { "dates" } else { "numbers" },
                    found.name()
                );
                let hint = "take a format that fits, or leave it out; `perennial templates formats` lists them";
                problems.push((format.range.clone(), Error::project(message).hint(hint)));
            }
        }
    }
    problems
}

/// What a column holds, as far as pages tell it apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Date,
    Flag,
    Text,
    Other,
}

impl Type {
    fn of(data_type: &DataType) -> Type {
        match data_type {
            // A column of NULL suits everything; `Number` is what most arguments need.
            DataType::Null => Type::Number,
            other if other.is_numeric() => Type::Number,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Type::Date,
            DataType::Boolean => Type::Flag,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::Text,
            DataType::Dictionary(_, values) => Type::of(values),
            _ => Type::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Type::Number => "a number",
            Type::Date => "a date",
            Type::Flag => "true or false",
            Type::Text => "text",
            Type::Other => "of another type",
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Binding {
    /// The rows of a query.
    Rows(String),
    /// One row of it.
    Row(String),
    /// Anything else.
    Other,
}

type Scope = BTreeMap<String, Binding>;

/// A walk through the tags of a text with the names that are known at each.
struct Walk<'a> {
    text: &'a str,
    columns: &'a BTreeMap<String, SchemaRef>,
    scopes: Vec<Scope>,
    /// Names that are set more than once.
    ambiguous: BTreeSet<&'a str>,
    found: Vec<Named>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, columns: &'a BTreeMap<String, SchemaRef>, inherited: Scope) -> Walk<'a> {
        Walk { text, columns, scopes: vec![inherited], ambiguous: BTreeSet::new(), found: Vec::new() }
    }

    fn run(&mut self) {
        let text = self.text;
        let tags = tags(text);
        let word = |tag: &[Token], i: usize| tag.get(i).map_or("", |token| &text[token.range.clone()]);
        let mut seen = BTreeSet::new();
        for tag in tags.iter().filter(|tag| word(tag, 0) == "set") {
            if !seen.insert(word(tag, 1)) {
                self.ambiguous.insert(word(tag, 1));
            }
        }
        for tag in &tags {
            match word(tag, 0) {
                "for" => {
                    let of = tag.iter().position(|token| &text[token.range.clone()] == "in").unwrap_or(tag.len());
                    let (binding, _) = self.chain(tag, of + 1);
                    let mut scope = Scope::new();
                    for token in tag.iter().take(of).skip(1).filter(|token| token.kind == tokens::Kind::Name) {
                        let row = match &binding {
                            Binding::Rows(query) if of == 2 => Binding::Row(query.clone()),
                            _ => Binding::Other,
                        };
                        scope.insert(text[token.range.clone()].to_string(), row);
                    }
                    self.scopes.push(scope);
                }
                "macro" | "call" | "with" => {
                    let names = tag.iter().skip(1).filter(|token| token.kind == tokens::Kind::Name);
                    let names = names.map(|token| (text[token.range.clone()].to_string(), Binding::Other));
                    self.scopes.push(names.collect());
                }
                "endfor" | "endmacro" | "endcall" | "endwith" if self.scopes.len() > 1 => drop(self.scopes.pop()),
                _ => {}
            }
            for i in 0..tag.len() {
                if self.begins(tag, i) {
                    self.chain(tag, i);
                }
            }
            if word(tag, 0) == "set" && word(tag, 2) != "." {
                let name = word(tag, 1);
                let (binding, end) = self.chain(tag, 3);
                let is_whole = word(tag, 2) == "=" && end == tag.len();
                let binding = if is_whole && !self.ambiguous.contains(name) { binding } else { Binding::Other };
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.to_string(), binding);
                }
            }
        }
    }

    fn at(&self, tag: &[Token], i: usize) -> &'a str {
        tag.get(i).map_or("", |token| &self.text[token.range.clone()])
    }

    /// Whether a token begins an expression of its own.
    fn begins(&self, tag: &[Token], i: usize) -> bool {
        let before = i.checked_sub(1).map_or("", |i| self.at(tag, i));
        let is_name = tag[i].kind == tokens::Kind::Name && ![".", "|", "is"].contains(&before);
        let is_group = self.at(tag, i) == "(" && i.checked_sub(1).is_none_or(|i| tag[i].kind != tokens::Kind::Name);
        is_name || is_group
    }

    fn resolve(&self, name: &str) -> Binding {
        let set = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        set.cloned().unwrap_or_else(|| match self.columns.contains_key(name) {
            true => Binding::Rows(name.to_string()),
            false => Binding::Other,
        })
    }

    fn name(&mut self, query: &str, token: &Token) {
        // A path of `map` and its like may go on behind a dot.
        let text = &self.text[token.range.clone()];
        let length = text.find('.').unwrap_or(text.len());
        let range = token.range.start..token.range.start + length;
        self.found.push(Named { query: query.to_string(), range });
    }

    /// An operand with its attributes, items and filters, from a token on: what it is and where it ends.
    fn chain(&mut self, tag: &[Token], start: usize) -> (Binding, usize) {
        let Some(first) = tag.get(start) else { return (Binding::Other, start) };
        let mut next = start + 1;
        let mut binding = match (first.kind, self.at(tag, start)) {
            (tokens::Kind::Name, name) if self.at(tag, next) == "(" => {
                let end = self.closing(tag, next);
                let rows = if name == "pick" { self.chain(tag, next + 1).0 } else { Binding::Other };
                let picked = match rows {
                    Binding::Rows(query) => {
                        for i in self.keywords(tag, next, end) {
                            self.name(&query, &tag[i]);
                        }
                        Binding::Row(query)
                    }
                    _ => Binding::Other,
                };
                next = end + 1;
                picked
            }
            (tokens::Kind::Name, name) => self.resolve(name),
            (_, "(") => {
                let end = self.closing(tag, start);
                let (inner, inner_end) = self.chain(tag, start + 1);
                next = end + 1;
                if inner_end == end { inner } else { Binding::Other }
            }
            _ => Binding::Other,
        };
        loop {
            match self.at(tag, next) {
                "." => {
                    if let (Binding::Row(query), Some(token)) = (&binding, tag.get(next + 1))
                        && self.at(tag, next + 2) != "("
                    {
                        let query = query.clone();
                        self.name(&query, token);
                    }
                    (binding, next) = (Binding::Other, next + 2);
                }
                "[" => {
                    let end = self.closing(tag, next);
                    let is_slice = (next + 1..end).any(|i| self.at(tag, i) == ":");
                    binding = match binding {
                        Binding::Rows(query) if is_slice => Binding::Rows(query),
                        Binding::Rows(query) => Binding::Row(query),
                        Binding::Row(query) => {
                            if end == next + 2 && tag[next + 1].kind == tokens::Kind::Text {
                                self.name(&query, &tag[next + 1]);
                            }
                            Binding::Other
                        }
                        Binding::Other => Binding::Other,
                    };
                    next = end + 1;
                }
                "|" => {
                    let filter = self.at(tag, next + 1);
                    let has_arguments = self.at(tag, next + 2) == "(";
                    let end = if has_arguments { self.closing(tag, next + 2) } else { next + 1 };
                    binding = match binding {
                        Binding::Rows(query) => {
                            if has_arguments && BY_ATTRIBUTE.contains(&filter) {
                                self.attribute(tag, next + 2, end, filter, &query);
                            }
                            match filter {
                                "first" | "last" => Binding::Row(query),
                                keep if KEEP_ROWS.contains(&keep) => Binding::Rows(query),
                                _ => Binding::Other,
                            }
                        }
                        _ => Binding::Other,
                    };
                    next = end + 1;
                }
                _ => return (binding, next.min(tag.len())),
            }
        }
    }

    /// The column that a filter is given.
    fn attribute(&mut self, tag: &[Token], open: usize, end: usize, filter: &str, query: &str) {
        let by_name = (open + 1..end).find(|i| self.at(tag, *i) == "attribute" && self.at(tag, i + 1) == "=");
        let by_place = FIRST_IS_ATTRIBUTE.contains(&filter).then_some(open + 1);
        let Some(i) = by_name.map(|i| i + 2).or(by_place) else { return };
        let is_constant = [",", ")"].contains(&self.at(tag, i + 1));
        if let Some(token) = tag.get(i).filter(|token| token.kind == tokens::Kind::Text && is_constant) {
            self.name(query, token);
        }
    }

    /// The keywords of a call.
    fn keywords(&self, tag: &[Token], open: usize, end: usize) -> Vec<usize> {
        let mut depth = 0usize;
        let mut names = Vec::new();
        for i in open + 1..end {
            match self.at(tag, i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ if depth == 0 && tag[i].kind == tokens::Kind::Name && self.at(tag, i + 1) == "=" => names.push(i),
                _ => {}
            }
        }
        names
    }

    /// The bracket that closes the one at a token.
    fn closing(&self, tag: &[Token], open: usize) -> usize {
        let mut depth = 0usize;
        for (i, token) in tag.iter().enumerate().skip(open).filter(|(_, token)| token.kind == tokens::Kind::Sign) {
            match &self.text[token.range.clone()] {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return i;
                    }
                }
                _ => {}
            }
        }
        tag.len()
    }
}
