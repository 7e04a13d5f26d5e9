//! What the tags of a template use: names, functions, filters, phrases, arguments, each with its place.
//!
//! The template engine has accepted the text before, so every tag is whole; what a name is used for follows from the tokens
//! around it.

use std::collections::BTreeSet;
use std::ops::Range;

/// What a piece of a template is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A variable.
    Name,
    /// A variable that is the whole first argument of a function.
    Rows,
    /// A name that a statement binds: `set name = ...`, `for name, other in ...`, `with name = ...`, the parameters of a
    /// macro, what is imported.
    Set,
    /// A function.
    Call,
    /// A filter.
    Filter,
    /// An attribute of a variable, whose name this is.
    Attribute(String),
    /// The key in `t('key')`, with the names that the phrase is given; nothing where `**` gives more.
    Phrase(Option<Vec<String>>),
    /// The piece in `include 'piece'`.
    Include,
    /// The name of an argument of this function.
    Argument(String),
    /// A text given to an argument: the function, and the argument by name or place.
    Text(String, Slot),
    /// The beginning of a list given to an argument.
    List(String, Slot),
    /// The key of a mapping within an argument.
    Key(String, Slot),
    /// A text given to such a key.
    KeyText(String, Slot, String),
    /// A mapping in a list given to an argument, with its keys.
    Mapping(String, Slot, Vec<String>),
    /// A whole call of a function: how many arguments are given by place, and the names of the others.
    Called(String, usize, Vec<String>),
}

impl Role {
    /// The function that this is a part of the call of.
    pub(crate) fn function(&self) -> Option<&str> {
        match self {
            Role::Argument(function)
            | Role::Text(function, _)
            | Role::List(function, _)
            | Role::Key(function, _)
            | Role::KeyText(function, ..)
            | Role::Mapping(function, ..)
            | Role::Called(function, ..) => Some(function),
            Role::Phrase(_) => Some("t"),
            _ => None,
        }
    }
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// By its place, from 0.
    Place(usize),
    /// By its name.
    Name(String),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub role: Role,
    /// Bytes of the text.
    pub range: Range<usize>,
    /// The call it is an argument of, by the place of its bracket; nothing outside of calls.
    pub call: Option<usize>,
    /// The mapping it is a value of, by the place of its bracket.
    pub mapping: Option<usize>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Text,
    Number,
    Sign,
}

/// A token and its bytes; of a text without its quotes.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// Everything that the tags of a template use, in the order of the text.
pub(crate) fn uses(text: &str) -> Vec<Use> {
    let mut uses = Vec::new();
    for tokens in tags(text) {
        let targets = targets(text, &tokens);
        Reader { text, tokens: &tokens, uses: &mut uses, open: Vec::new(), targets }.read();
    }
    uses
}

/// The tokens of every tag, in the order of the text.
pub(crate) fn tags(text: &str) -> Vec<Vec<Token>> {
    let mut tags = Vec::new();
    let mut rest = 0;
    while let Some((start, close)) = next_tag(text, rest) {
        if close == "#}" {
            rest = text[start..].find(close).map_or(text.len(), |i| start + i + close.len());
            continue;
        }
        let (tokens, end) = tokens(text, start + 2, close);
        rest = (end + close.len()).min(text.len());
        let is_raw = tokens.iter().find(|t| t.kind == Kind::Name).is_some_and(|t| &text[t.range.clone()] == "raw");
        if close == "%}" && is_raw {
            rest = text[rest..].find("endraw").map_or(text.len(), |i| rest + i + "endraw".len());
            continue;
        }
        // The signs that trim the white space around a tag say nothing else.
        let is_trim = |token: Option<&Token>| token.is_some_and(|t| ["-", "+"].contains(&&text[t.range.clone()]));
        let from = usize::from(is_trim(tokens.first()));
        let to = tokens.len() - usize::from(tokens.len() > from && is_trim(tokens.last()));
        tags.push(tokens[from..to].to_vec());
    }
    tags
}

/// Where the next tag begins and what closes it.
fn next_tag(text: &str, from: usize) -> Option<(usize, &'static str)> {
    let tags = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
    let found = tags.into_iter().filter_map(|(open, close)| text.get(from..)?.find(open).map(|i| (from + i, close)));
    found.min_by_key(|(start, _)| *start)
}

/// The tokens of a tag and where it closes.
fn tokens(text: &str, from: usize, close: &str) -> (Vec<Token>, usize) {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    let mut i = from;
    while i < bytes.len() {
        if depth == 0 && text[i..].starts_with(close) {
            return (tokens, i);
        }
        let c = bytes[i];
        let run =
            |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let (kind, range, next) = match c {
            b'\'' | b'"' => {
                let end = text_end(bytes, i);
                (Kind::Text, i + 1..end, end + 1)
            }
            c if c.is_ascii_alphabetic() || c == b'_' => (Kind::Name, i..run(i), run(i)),
            c if c.is_ascii_digit() => (Kind::Number, i..run(i), run(i)),
            c if c.is_ascii_whitespace() => {
                i += 1;
                continue;
            }
            c => {
                match c {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                // `==` and the like are one token, so that a lone `=` names an argument.
                let two = text.get(i..i + 2).is_some_and(|two| ["==", "!=", "<=", ">=", "**", "//"].contains(&two));
                let next = if two { i + 2 } else { i + text[i..].chars().next().map_or(1, char::len_utf8) };
                (Kind::Sign, i..next, next)
            }
        };
        tokens.push(Token { kind, range });
        i = next;
    }
    (tokens, text.len())
}

fn text_end(bytes: &[u8], open: usize) -> usize {
    let mut i = open + 1;
    while i < bytes.len() && bytes[i] != bytes[open] {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    i.min(bytes.len())
}

/// Which tokens of a tag are names that its statement binds.
fn targets(text: &str, tokens: &[Token]) -> BTreeSet<usize> {
    let at = |i: usize| tokens.get(i).map_or("", |token| &text[token.range.clone()]);
    let is_name = |i: &usize| tokens.get(*i).is_some_and(|token| token.kind == Kind::Name);
    let position = |words: &[&str]| (1..tokens.len()).find(|i| words.contains(&at(*i))).unwrap_or(tokens.len());
    let first = match at(0) {
        "for" => return (1..position(&["in"])).filter(is_name).collect(),
        "set" => return (1..position(&["=", "|", "."])).filter(is_name).collect(),
        "block" => return [1].into_iter().filter(is_name).collect(),
        "import" => return (position(&["as"]) + 1..tokens.len()).filter(is_name).collect(),
        "from" => return (position(&["import"]) + 1..tokens.len()).filter(|i| is_name(i) && at(*i) != "as").collect(),
        "with" => 1,
        // `call(user) dump()` binds the parameters of what is called back.
        "call" if at(1) == "(" => 2,
        "macro" => 3,
        _ => return BTreeSet::new(),
    };
    let mut targets = BTreeSet::new();
    if at(0) == "macro" {
        targets.extend([1].into_iter().filter(is_name));
    }
    // Names that begin an item of the list; what follows `=` is an expression.
    let (mut depth, mut is_value) = (0usize, false);
    for (i, token) in tokens.iter().enumerate().skip(first) {
        match (token.kind, at(i)) {
            (Kind::Sign, "(" | "[" | "{") => depth += 1,
            (Kind::Sign, ")" | "]" | "}") if depth == 0 => break,
            (Kind::Sign, ")" | "]" | "}") => depth -= 1,
            (Kind::Sign, "=") if depth == 0 => is_value = true,
            (Kind::Sign, ",") if depth == 0 => is_value = false,
            (Kind::Name, _) if !is_value => drop(targets.insert(i)),
            _ => {}
        }
    }
    targets
}

/// A bracket that is open.
enum Open {
    /// A call of a function: where its bracket is, and the argument that is being read.
    Call { at: usize, function: String, slot: Slot, place: usize, name: usize, given: Given },
    /// A mapping: its bracket, the key whose value is being read, and all keys before.
    Mapping { at: usize, key: Option<String>, keys: Vec<String> },
    /// A list, a group, or a call of something else.
    Other,
}

/// The arguments of a call so far.
#[derive(Default)]
struct Given {
    places: usize,
    names: Vec<String>,
    /// `*values` or `**names` give more, which only rendering knows.
    is_open: bool,
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    uses: &'a mut Vec<Use>,
    open: Vec<Open>,
    /// The tokens that are names which the statement binds.
    targets: BTreeSet<usize>,
}

impl Reader<'_> {
    fn read(mut self) {
        for i in 0..self.tokens.len() {
            match self.tokens[i].kind {
                Kind::Name => self.name(i),
                Kind::Text => self.literal(i),
                Kind::Sign => self.sign(i),
                Kind::Number => {}
            }
        }
    }

    fn at(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| &self.text[token.range.clone()])
    }

    fn is_sign(&self, i: usize, sign: &str) -> bool {
        self.tokens.get(i).is_some_and(|token| token.kind == Kind::Sign) && self.at(i) == sign
    }

    fn before(&self, i: usize) -> &str {
        i.checked_sub(1).map_or("", |i| self.at(i))
    }

    fn push(&mut self, i: usize, role: Role) {
        let call = self.open.iter().rev().find_map(|open| match open {
            Open::Call { at, .. } => Some(*at),
            _ => None,
        });
        let mapping = match self.open.last() {
            Some(Open::Mapping { at, .. }) => Some(*at),
            _ => None,
        };
        self.uses.push(Use { role, range: self.tokens[i].range.clone(), call, mapping });
    }

    fn name(&mut self, i: usize) {
        let name = self.at(i).to_string();
        let is_argument = self.is_sign(i + 1, "=") && matches!(self.open.last(), Some(Open::Call { .. } | Open::Other));
        let role = match self.before(i) {
            _ if self.targets.contains(&i) => Role::Set,
            "|" => Role::Filter,
            "." => match i.checked_sub(2).filter(|i| self.tokens[*i].kind == Kind::Name) {
                Some(of) if !self.is_sign(of.wrapping_sub(1), ".") => Role::Attribute(self.at(of).to_string()),
                _ => return,
            },
            "is" => return,
            "not" if i.checked_sub(2).is_some_and(|i| self.at(i) == "is") => return,
            _ if is_argument => match self.open.last_mut() {
                Some(Open::Call { function, slot, given, .. }) => {
                    given.names.push(name.clone());
                    *slot = Slot::Name(name);
                    Role::Argument(function.clone())
                }
                _ => return,
            },
            _ if self.is_sign(i + 1, "(") => Role::Call,
            _ if self.is_rows(i) => Role::Rows,
            _ => Role::Name,
        };
        self.push(i, role);
    }

    /// Whether a name is the first argument of a call, and nothing is done to it before.
    fn is_rows(&self, i: usize) -> bool {
        let is_first = matches!(self.open.last(), Some(Open::Call { slot: Slot::Place(0), .. }));
        is_first && self.before(i) == "(" && (self.is_sign(i + 1, ",") || self.is_sign(i + 1, ")"))
    }

    fn literal(&mut self, i: usize) {
        if ["include", "import", "from", "extends"].contains(&self.before(i)) {
            return self.push(i, Role::Include);
        }
        let is_key = self.is_sign(i + 1, ":") && matches!(self.open.last(), Some(Open::Mapping { .. }));
        if is_key {
            let name = self.at(i).to_string();
            if let Some(Open::Mapping { key, keys, .. }) = self.open.last_mut() {
                keys.push(name.clone());
                *key = Some(name);
            }
            if let Some((function, slot)) = self.argument() {
                self.push(i, Role::Key(function, slot));
            }
            return;
        }
        if !self.is_value(i) {
            return;
        }
        match (self.open.last(), self.argument()) {
            (Some(Open::Call { function, slot: Slot::Place(0), .. }), _) if function == "t" => {
                let with = self.arguments_after(i);
                self.push(i, Role::Phrase(with));
            }
            (Some(Open::Call { .. }), Some((function, slot))) => self.push(i, Role::Text(function, slot)),
            (Some(Open::Mapping { key: Some(key), .. }), Some((function, slot))) => {
                let key = key.clone();
                self.push(i, Role::KeyText(function, slot, key));
            }
            _ => {}
        }
    }

    /// Whether a text may be the value of what it stands in: alone, or as a branch of `... if ... else ...`. What is
    /// compared, joined or filtered is known only when it is rendered.
    fn is_value(&self, i: usize) -> bool {
        ["(", ",", "=", ":", "else"].contains(&self.before(i)) && [",", ")", "}", "if"].contains(&self.at(i + 1))
    }

    /// The bracket that closes the one at a token.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for i in (open..self.tokens.len()).filter(|i| self.tokens[*i].kind == Kind::Sign) {
            match self.at(i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return i;
            }
        }
        self.tokens.len()
    }

    fn sign(&mut self, i: usize) {
        match self.at(i) {
            "(" => {
                let is_call = i > 0 && self.tokens[i - 1].kind == Kind::Name;
                let is_function = is_call && !["|", "."].contains(&i.checked_sub(2).map_or("", |i| self.at(i)));
                let keyword = ["in", "if", "elif", "and", "or", "not", "else", "with"].contains(&self.before(i));
                let is_definition = self.at(0) == "macro" && i == 2;
                self.open.push(match is_function && !keyword && !is_definition {
                    true => Open::Call {
                        at: self.tokens[i].range.start,
                        function: self.before(i).to_string(),
                        slot: Slot::Place(0),
                        place: 0,
                        name: i - 1,
                        given: Given::default(),
                    },
                    false => Open::Other,
                });
            }
            "[" => {
                // An item of a list, or what a filter makes of it, is not a list.
                let begins = ["=", "(", ","].contains(&self.before(i))
                    && matches!(self.open.last(), Some(Open::Call { .. }))
                    && !["[", "|", "."].contains(&self.at(self.closing(i) + 1));
                if let Some((function, slot)) = self.argument().filter(|_| begins) {
                    self.push(i, Role::List(function, slot));
                }
                self.open.push(Open::Other);
            }
            "{" => {
                let at = self.tokens[i].range.start;
                self.open.push(Open::Mapping { at, key: None, keys: Vec::new() });
            }
            ")" | "]" | "}" => self.close(i),
            "*" | "**" if ["(", ","].contains(&self.before(i)) => {
                if let Some(Open::Call { given, .. }) = self.open.last_mut() {
                    given.is_open = true;
                }
            }
            "," => match self.open.last_mut() {
                Some(Open::Call { slot, place, given, .. }) => {
                    given.places += usize::from(matches!(slot, Slot::Place(_)));
                    *place += 1;
                    *slot = Slot::Place(*place);
                }
                Some(Open::Mapping { key, .. }) => *key = None,
                _ => {}
            },
            _ => {}
        }
    }

    /// A bracket closes: its call or mapping is known as a whole.
    fn close(&mut self, i: usize) {
        let is_last = !["(", ","].contains(&self.before(i));
        match self.open.pop() {
            Some(Open::Call { at, function, slot, name, mut given, .. }) => {
                given.places += usize::from(is_last && matches!(slot, Slot::Place(_)));
                if !given.is_open {
                    let role = Role::Called(function, given.places, given.names);
                    let range = self.tokens[name].range.clone();
                    self.uses.push(Use { role, range, call: Some(at), mapping: None });
                }
            }
            Some(Open::Mapping { at, keys, .. }) => {
                let is_item = matches!(self.open.as_slice(), [.., Open::Call { .. }, Open::Other]);
                if let Some((function, slot)) = self.argument().filter(|_| is_item) {
                    let role = Role::Mapping(function, slot, keys);
                    self.uses.push(Use { role, range: at..at + 1, call: None, mapping: Some(at) });
                }
            }
            _ => {}
        }
    }

    /// The innermost call and the argument of it that is being read.
    fn argument(&self) -> Option<(String, Slot)> {
        self.open.iter().rev().find_map(|open| match open {
            Open::Call { function, slot, .. } => Some((function.clone(), slot.clone())),
            _ => None,
        })
    }

    /// Names of the arguments that follow a token in its call; nothing where `**` gives names that only rendering knows.
    fn arguments_after(&self, i: usize) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut depth = 0usize;
        for j in i + 1..self.tokens.len() {
            match self.at(j) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" if depth == 0 => break,
                ")" | "]" | "}" => depth -= 1,
                "**" if depth == 0 && self.before(j) == "," => return None,
                _ if depth == 0 && self.tokens[j].kind == Kind::Name && self.is_sign(j + 1, "=") => {
                    names.push(self.at(j).to_string());
                }
                _ => {}
            }
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(Role, &str)> {
        uses(text).into_iter().map(|u| (u.role, &text[u.range])).collect()
    }

    #[test]
    fn names_are_told_apart_by_use() {
        let text =
            "a {{ t('key', n=rows | length) }} {% if x.y is defined and z is not none %}{% include 'p.md' %}{# q #}";
        let found = of(text);
        assert!(found.contains(&(Role::Call, "t")));
        assert!(found.contains(&(Role::Phrase(Some(vec!["n".into()])), "key")));
        assert!(found.contains(&(Role::Argument("t".into()), "n")));
        assert!(found.contains(&(Role::Name, "rows")));
        assert!(found.contains(&(Role::Filter, "length")));
        assert!(found.contains(&(Role::Attribute("x".into()), "y")));
        assert!(found.contains(&(Role::Include, "p.md")));
        assert!(!found.iter().any(|(_, name)| *name == "q" || *name == "defined"));
        assert_eq!(of("{% raw %}{{ nothing }}{% endraw %}"), []);
        assert!(of("{{ t('tier_' ~ tier) }}").iter().all(|(role, _)| !matches!(role, Role::Phrase(_))));
    }

    #[test]
    fn statements_bind_names() {
        let set = |text: &str| -> Vec<String> {
            let names = of(text).into_iter().filter(|(role, _)| *role == Role::Set);
            names.map(|(_, name)| name.to_string()).collect()
        };
        for (text, names) in [
            ("{% for name, (low, high) in rows if x %}{{ y }}", "name low high"),
            ("{%- set a, b = c, d -%}", "a b"),
            ("{% set space.x = y %}", "space"),
            ("{% set text | upper %}", "text"),
            ("{% with total = f(5, x), (left, right) = pair %}", "total left right"),
            ("{% macro line(label, unit='days', share=f(n, m)) %}", "line label unit share"),
            ("{% call(row, i) each(rows) %}", "row i"),
            ("{% from 'm.md' import one, two as second %}{% import 'm.md' as all %}", "one two second all"),
            ("{% block body %}{{ set }}{% if x == y %}", "body"),
        ] {
            assert_eq!(set(text).join(" "), names, "{text}");
        }
        let found = of("{% macro note(text, kind='x') %}");
        assert!(found.iter().all(|(role, _)| role.function().is_none()), "{found:?}");
    }

    #[test]
    fn arguments_and_keys_are_found_in_their_calls() {
        let text = "{{ table(rows, columns=[{'key': 'a', 'label': t('b'), 'format': 'money'}] + more, title='c') }}\
                    {{ bars(x | sort(attribute='d'), sort='value', y=['e']) }}";
        let found = of(text);
        let columns = || Slot::Name("columns".into());
        for (role, name) in [
            (Role::Rows, "rows"),
            (Role::Argument("table".into()), "columns"),
            (Role::Key("table".into(), columns()), "format"),
            (Role::KeyText("table".into(), columns(), "format".into()), "money"),
            (Role::Text("table".into(), Slot::Name("title".into())), "c"),
            (Role::Text("bars".into(), Slot::Name("sort".into())), "value"),
            (Role::List("bars".into(), Slot::Name("y".into())), "["),
            (Role::Phrase(Some(Vec::new())), "b"),
        ] {
            assert!(found.contains(&(role.clone(), name)), "{role:?} {name} not in {found:?}");
        }
        let of_filters = found.iter().filter(|(role, _)| matches!(role, Role::Argument(f) if f == "sort"));
        assert_eq!(of_filters.count(), 0, "arguments of a filter are not ours");
    }
}
