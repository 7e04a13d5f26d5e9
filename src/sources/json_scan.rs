//! One pass over the JSON of one line: wanted values become ranges of the text, the others are passed over.
//!
//! The grammar is RFC 8259's, but for letters below 0x20 within strings, which are let through.

use super::text::Span;
use memchr::memchr2;
use std::borrow::Cow;

/// Names of no interest that are remembered per object, to pass over them quickly.
const MOST_IGNORED: usize = 1000;
/// Objects and arrays within each other, at most.
const MOST_DEPTH: usize = 128;

/// What is wanted of one object: of the whole line, or of one nested in it.
#[derive(Default)]
pub(super) struct ObjectShape {
    /// Dotted path to it, empty for the line itself.
    pub(super) path: String,
    fields: Vec<(String, Wanted)>,
    /// The place in `fields` of the name met last at each position: rows of one file mostly have one order.
    order: Vec<usize>,
    ignored: usize,
}

/// What is wanted of one field: its own text, fields within it, both or nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) cell: Option<usize>,
    pub(super) object: Option<usize>,
}

/// The path of a field of an object.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") }
}

impl ObjectShape {
    /// An object of which nothing is wanted yet.
    pub(super) fn at(path: String) -> ObjectShape {
        ObjectShape { path, ..ObjectShape::default() }
    }

    /// What is wanted of a field, to be changed.
    pub(super) fn wanted(&mut self, name: &str) -> &mut Wanted {
        let at = self.fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.fields.push((name.to_string(), Wanted::default()));
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }

    /// The field met last time at this position, if its name stands here again.
    #[inline]
    fn predicted(&self, position: usize, bytes: &[u8], at: usize) -> Option<(usize, Wanted)> {
        let (name, wanted) = &self.fields[*self.order.get(position)?];
        let end = at + name.len();
        (bytes.get(end) == Some(&b'"') && bytes[at..end] == *name.as_bytes()).then_some((end + 1, *wanted))
    }

    fn find(&mut self, name: &str, position: usize) -> Option<Wanted> {
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        // A name that ends in a backslash would be taken for the begin of one with an escaped quote.
        if !name.contains('\\') {
            if self.order.len() <= position {
                self.order.resize(position + 1, at);
            }
            self.order[position] = at;
        }
        Some(self.fields[at].1)
    }
}

/// A line refused, and why.
type Refused<T> = Result<T, Cow<'static, str>>;

/// Reads lines of one text into a row of cells.
pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) paths: &'a mut Vec<String>,
    pub(super) objects: &'a mut Vec<ObjectShape>,
    pub(super) collect_new: bool,
    pub(super) row: &'a mut Vec<Span>,
    pub(super) unescaped: &'a mut Vec<u8>,
}

/// What a value turned out to be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Null,
    Text { escaped: bool },
    Other,
}

impl Scan<'_> {
    /// Reads the line at this range of the text.
    pub(super) fn line(&mut self, from: usize, to: usize) -> Refused<()> {
        let bytes = &self.text.as_bytes()[..to];
        let start = space(bytes, from);
        match bytes.get(start) {
            Some(b'{') => {}
            Some(b'[') => return Err("the line is a JSON array, not an object".into()),
            Some(b'"' | b'-' | b'0'..=b'9') => return Err("the line is a JSON value, not an object".into()),
            _ => return Err("the line is not a JSON object".into()),
        }
        let end = self.object(to, start + 1, 0, 1).map_err(|mistake| mistake.words(self.text, from))?;
        match space(bytes, end) {
            end if end == to => Ok(()),
            end => Err(Mistake::Syntax(end, "nothing more").words(self.text, from)),
        }
    }

    /// Reads an object from behind its brace to behind the other one.
    fn object(&mut self, to: usize, from: usize, shape: usize, depth: usize) -> Result<usize, Mistake> {
        let text = self.text;
        let bytes = &text.as_bytes()[..to];
        let mut at = space(bytes, from);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        for position in 0.. {
            if bytes.get(at) != Some(&b'"') {
                return Err(Mistake::Syntax(at, "a name in quotes"));
            }
            let wanted;
            (at, wanted) = match self.objects[shape].predicted(position, bytes, at + 1) {
                Some(found) => found,
                None => self.name(bytes, at, shape, position)?,
            };
            at = space(bytes, at);
            if bytes.get(at) != Some(&b':') {
                return Err(Mistake::Syntax(at, "`:`"));
            }
            at = self.value(bytes, space(bytes, at + 1), wanted, depth)?;
            at = space(bytes, at);
            match bytes.get(at) {
                Some(b',') => at = space(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(Mistake::Syntax(at, "`,` or `}`")),
            }
        }
        Ok(at)
    }

    /// Reads a name that is not the predicted one, and what is wanted of it.
    fn name(&mut self, bytes: &[u8], at: usize, shape: usize, position: usize) -> Result<(usize, Wanted), Mistake> {
        let (end, escaped) = string(bytes, at + 1)?;
        let name =
            if escaped { unescape(&self.text[at..end], at)?.into() } else { Cow::from(&self.text[at + 1..end - 1]) };
        let wanted = match self.objects[shape].find(&name, position) {
            Some(wanted) => wanted,
            None => self.met(&name, shape),
        };
        Ok((end, wanted))
    }

    /// Reads a value into its cell, its fields into theirs.
    fn value(&mut self, bytes: &[u8], at: usize, wanted: Wanted, depth: usize) -> Result<usize, Mistake> {
        let (end, kind) = match wanted.object {
            Some(object) if bytes.get(at) == Some(&b'{') => {
                (self.object(bytes.len(), at + 1, object, within(depth, at)?)?, Kind::Other)
            }
            Some(object) => match skip(bytes, at, depth)? {
                (_, Kind::Text { .. } | Kind::Other) => {
                    return Err(Mistake::NoObject(self.objects[object].path.clone()));
                }
                null => null,
            },
            None => skip(bytes, at, depth)?,
        };
        if let Some(cell) = wanted.cell {
            self.row[cell] = match kind {
                Kind::Null => Span::NONE,
                Kind::Text { escaped: false } => Span::text(at + 1, end - 1),
                Kind::Text { escaped: true } => {
                    let text = unescape(&self.text[at..end], at)?;
                    let start = self.unescaped.len();
                    self.unescaped.extend_from_slice(text.as_bytes());
                    Span::unescaped(start, self.unescaped.len())
                }
                Kind::Other => Span::text(at, end),
            };
        }
        Ok(end)
    }

    /// A name that was never met in this object.
    fn met(&mut self, name: &str, shape: usize) -> Wanted {
        let object = &mut self.objects[shape];
        let mut wanted = Wanted::default();
        if self.collect_new && self.paths.len() < u16::MAX as usize {
            wanted.cell = Some(self.paths.len());
            self.paths.push(join(&object.path, name));
            self.row.push(Span::NONE);
        } else if object.ignored < MOST_IGNORED {
            object.ignored += 1;
        } else {
            return wanted;
        }
        object.fields.push((name.to_string(), wanted));
        wanted
    }
}

/// What is wrong with a line, and where in the text.
enum Mistake {
    /// Something else should stand here.
    Syntax(usize, &'static str),
    /// A string that is not closed.
    Open(usize),
    /// An escape that is none.
    Escape(usize),
    /// Too many objects within each other.
    Deep(usize),
    /// Fields are wanted of something that has none.
    NoObject(String),
}

impl Mistake {
    #[cold]
    fn words(&self, text: &str, line: usize) -> Cow<'static, str> {
        let column = |at: usize| text.get(line..at).map_or(at - line, |before| before.chars().count()) + 1;
        match self {
            Mistake::Syntax(at, wanted) => format!("not valid JSON: {wanted} should stand at column {}", column(*at)),
            Mistake::Open(at) => format!("not valid JSON: the string at column {} is not closed", column(*at)),
            Mistake::Escape(at) => format!("not valid JSON: the string at column {} has a wrong escape", column(*at)),
            Mistake::Deep(at) => format!("more than {MOST_DEPTH} objects within each other at column {}", column(*at)),
            Mistake::NoObject(path) => format!("`{path}` is not an object"),
        }
        .into()
    }
}

/// The first letter at or behind `at` that is no blank.
#[inline]
fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

fn within(depth: usize, at: usize) -> Result<usize, Mistake> {
    if depth < MOST_DEPTH { Ok(depth + 1) } else { Err(Mistake::Deep(at)) }
}

/// Behind the closing quote of a string whose letters begin at `from`, and whether it has escapes.
fn string(bytes: &[u8], from: usize) -> Result<(usize, bool), Mistake> {
    let mut at = from;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            None => return Err(Mistake::Open(from - 1)),
            Some(found) if rest[found] == b'"' => return Ok((at + found + 1, escaped)),
            Some(found) => {
                escaped = true;
                at += found + 2;
            }
        }
    }
}

fn unescape(quoted: &str, at: usize) -> Result<String, Mistake> {
    sonic_rs::from_str(quoted).map_err(|_| Mistake::Escape(at))
}

/// Passes over a value; gives where it ends.
fn skip(bytes: &[u8], at: usize, depth: usize) -> Result<(usize, Kind), Mistake> {
    match bytes.get(at) {
        Some(b'"') => string(bytes, at + 1).map(|(end, escaped)| (end, Kind::Text { escaped })),
        Some(b'-' | b'0'..=b'9') => number(bytes, at).map(|end| (end, Kind::Other)),
        Some(b'n') => word(bytes, at, b"null").map(|end| (end, Kind::Null)),
        Some(b't') => word(bytes, at, b"true").map(|end| (end, Kind::Other)),
        Some(b'f') => word(bytes, at, b"false").map(|end| (end, Kind::Other)),
        Some(b'{') => skip_many(bytes, at, within(depth, at)?, b'}').map(|end| (end, Kind::Other)),
        Some(b'[') => skip_many(bytes, at, within(depth, at)?, b']').map(|end| (end, Kind::Other)),
        _ => Err(Mistake::Syntax(at, "a value")),
    }
}

/// Passes over an object or array that opens at `open`.
fn skip_many(bytes: &[u8], open: usize, depth: usize, close: u8) -> Result<usize, Mistake> {
    let mut at = space(bytes, open + 1);
    if bytes.get(at) == Some(&close) {
        return Ok(at + 1);
    }
    loop {
        if close == b'}' {
            if bytes.get(at) != Some(&b'"') {
                return Err(Mistake::Syntax(at, "a name in quotes"));
            }
            at = space(bytes, string(bytes, at + 1)?.0);
            if bytes.get(at) != Some(&b':') {
                return Err(Mistake::Syntax(at, "`:`"));
            }
            at = space(bytes, at + 1);
        }
        at = space(bytes, skip(bytes, at, depth)?.0);
        match bytes.get(at) {
            Some(b',') => at = space(bytes, at + 1),
            Some(byte) if *byte == close => return Ok(at + 1),
            _ => return Err(Mistake::Syntax(at, if close == b'}' { "`,` or `}`" } else { "`,` or `]`" })),
        }
    }
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize, Mistake> {
    let end = at + word.len();
    if bytes.get(at..end) == Some(word) { Ok(end) } else { Err(Mistake::Syntax(at, "a value")) }
}

/// Behind a number: a sign, digits without leading zero, a point and digits, an exponent.
fn number(bytes: &[u8], from: usize) -> Result<usize, Mistake> {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let some_digits = |at: usize| match digits(at) {
        end if end == at => Err(Mistake::Syntax(at, "a digit")),
        end => Ok(end),
    };
    let start = from + usize::from(bytes[from] == b'-');
    let mut at = some_digits(start)?;
    if bytes[start] == b'0' && at > start + 1 {
        return Err(Mistake::Syntax(start + 1, "no digit behind a leading zero"));
    }
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = some_digits(at + 1 + usize::from(signed))?;
    }
    Ok(at)
}
