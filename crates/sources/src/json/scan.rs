//! One pass over the JSON of one line: wanted values become ranges of the text, the others are skipped.
//!
//! The grammar is that of RFC 8259, except that control characters within strings are accepted.

use crate::text::Span;
use memchr::memchr2;
use std::borrow::Cow;
use std::collections::HashMap;

/// Unwanted names remembered per object, to skip them quickly.
const MAX_IGNORED: usize = 1000;
/// Maximum nesting of objects and arrays.
const MAX_DEPTH: usize = 128;

/// What is wanted of one object: of the whole line, or of one nested in it.
#[derive(Default)]
pub(super) struct ObjectShape {
    /// Dotted path to it, empty for the line itself.
    pub(super) path: String,
    fields: Vec<(String, Wanted)>,
    /// The index in `fields` of each name.
    known: HashMap<String, usize>,
    /// The index in `fields` of the last name at each position: rows of one file mostly have the same order.
    order: Vec<usize>,
    ignored: usize,
}

/// What is wanted of one field: its own text, something within it, both or nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) cell: Option<usize>,
    pub(super) inside: Inside,
}

/// What is wanted within a field.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Inside {
    #[default]
    Nothing,
    /// Fields of the object it is, by its place in [`Shapes::objects`].
    Object(usize),
    /// Selected elements of the list it is, by its place in [`Shapes::lookups`].
    Lookup(usize),
    /// The elements of the list it is are rows; the scan says where it begins.
    Rows,
}

/// A list whose elements are selected by the value of one of their fields (`event_params[key=page_location]`).
pub(super) struct Lookup {
    /// Dotted path to the list.
    pub(super) path: String,
    /// The field by which elements are selected.
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
}

/// A selected element.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) cell: Option<usize>,
    /// Its fields, by their place in [`Shapes::objects`].
    pub(super) object: Option<usize>,
    /// It was found in the list that is being read.
    pub(super) met: bool,
}

/// What is wanted of the objects of a file.
#[derive(Default)]
pub(super) struct Shapes {
    pub(super) objects: Vec<ObjectShape>,
    pub(super) lookups: Vec<Lookup>,
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

    /// Whether any of its fields is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.fields.iter().any(|(_, wanted)| wanted.cell.is_some() || wanted.inside != Inside::Nothing)
    }

    /// What is wanted of a field, to be changed.
    pub(super) fn wanted(&mut self, name: &str) -> &mut Wanted {
        let at = self.known.get(name).copied().unwrap_or_else(|| self.add(name, Wanted::default()));
        &mut self.fields[at].1
    }

    fn add(&mut self, name: &str, wanted: Wanted) -> usize {
        let at = self.fields.len();
        self.fields.push((name.to_string(), wanted));
        self.known.insert(name.to_string(), at);
        at
    }

    /// The last field at this position, if its name is here again.
    #[inline]
    fn predicted(&self, position: usize, bytes: &[u8], at: usize) -> Option<(usize, Wanted)> {
        let (name, wanted) = &self.fields[*self.order.get(position)?];
        let end = at + name.len();
        (bytes.get(end) == Some(&b'"') && bytes[at..end] == *name.as_bytes()).then_some((end + 1, *wanted))
    }

    fn find(&mut self, name: &str, position: usize) -> Option<Wanted> {
        let at = *self.known.get(name)?;
        // A name that ends in a backslash would be taken for the start of one with an escaped quote.
        if !name.contains('\\') {
            if self.order.len() <= position {
                self.order.resize(position + 1, at);
            }
            self.order[position] = at;
        }
        Some(self.fields[at].1)
    }
}

/// Reads lines of one text into a row of cells.
pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) paths: &'a mut Vec<String>,
    pub(super) shapes: &'a mut Shapes,
    /// Other fields become new ones until there are so many.
    pub(super) max_fields: usize,
    pub(super) row: &'a mut Vec<Span>,
    pub(super) unescaped: &'a mut Vec<u8>,
    /// Where the list of rows begins, if it was found.
    pub(super) list: Option<usize>,
}

/// What a value is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Null,
    Text { escaped: bool },
    Other,
}

impl Scan<'_> {
    /// Reads the line at this range of the text.
    pub(super) fn line(&mut self, from: usize, to: usize) -> Result<(), Cow<'static, str>> {
        let bytes = &self.text.as_bytes()[..to];
        let start = space(bytes, from);
        match bytes.get(start) {
            Some(b'{') => {}
            Some(b'[') => return Err("the line is a JSON array, not an object".into()),
            Some(b'"' | b'-' | b'0'..=b'9') => return Err("the line is a JSON value, not an object".into()),
            _ => return Err("the line is not a JSON object".into()),
        }
        let end = self.object(to, start + 1, 0, 1).map_err(|error| error.reason())?;
        match space(bytes, end) {
            end if end == to => Ok(()),
            end => Err(JsonError::Syntax(end, "the end of the line").reason()),
        }
    }

    /// Reads an object, from after its opening brace to after its closing one.
    pub(super) fn object(&mut self, to: usize, from: usize, shape: usize, depth: usize) -> Result<usize, JsonError> {
        let text = self.text;
        let bytes = &text.as_bytes()[..to];
        let mut at = space(bytes, from);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        for position in 0.. {
            if bytes.get(at) != Some(&b'"') {
                return Err(JsonError::Syntax(at, "a name in quotes"));
            }
            let wanted;
            (at, wanted) = match self.shapes.objects[shape].predicted(position, bytes, at + 1) {
                Some(found) => found,
                None => self.name(bytes, at, shape, position)?,
            };
            at = space(bytes, at);
            if bytes.get(at) != Some(&b':') {
                return Err(JsonError::Syntax(at, "`:`"));
            }
            at = self.value(bytes, space(bytes, at + 1), wanted, depth)?;
            at = space(bytes, at);
            match bytes.get(at) {
                Some(b',') => at = space(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(JsonError::Syntax(at, "`,` or `}`")),
            }
        }
        Ok(at)
    }

    /// Reads a name that is not the predicted one, and what is wanted of it.
    fn name(&mut self, bytes: &[u8], at: usize, shape: usize, position: usize) -> Result<(usize, Wanted), JsonError> {
        let (end, escaped) = string(bytes, at + 1)?;
        let name = if escaped { unescape(&self.text[at..end])?.into() } else { Cow::from(&self.text[at + 1..end - 1]) };
        let wanted = match self.shapes.objects[shape].find(&name, position) {
            Some(wanted) => wanted,
            None => self.met(&name, shape),
        };
        Ok((end, wanted))
    }

    /// Reads a value into its cell, its fields into theirs.
    fn value(&mut self, bytes: &[u8], at: usize, wanted: Wanted, depth: usize) -> Result<usize, JsonError> {
        let (end, kind) = match (wanted.inside, bytes.get(at)) {
            (Inside::Nothing, _) => skip(bytes, at, depth)?,
            (Inside::Object(object), Some(b'{')) => {
                (self.object(bytes.len(), at + 1, object, within(depth)?)?, Kind::Other)
            }
            (Inside::Lookup(lookup), Some(b'[')) => (self.look_up(bytes, at, lookup, within(depth)?)?, Kind::Other),
            (Inside::Rows, Some(b'[')) => {
                self.list = Some(at);
                skip(bytes, at, depth)?
            }
            (inside, _) => match skip(bytes, at, depth)? {
                (_, Kind::Text { .. } | Kind::Other) => return Err(self.other_kind(inside)),
                null => null,
            },
        };
        if let Some(cell) = wanted.cell {
            self.row[cell] = self.cell(at, end, kind)?;
        }
        Ok(end)
    }

    /// The cell of the value at this range of the text.
    pub(super) fn cell(&mut self, at: usize, end: usize, kind: Kind) -> Result<Span, JsonError> {
        Ok(match kind {
            Kind::Null => Span::NONE,
            Kind::Text { escaped: false } => Span::text(at + 1, end - 1),
            Kind::Text { escaped: true } => {
                let text = unescape(&self.text[at..end])?;
                let start = self.unescaped.len();
                self.unescaped.extend_from_slice(text.as_bytes());
                Span::unescaped(start, self.unescaped.len())
            }
            Kind::Other => Span::text(at, end),
        })
    }

    #[cold]
    fn other_kind(&self, inside: Inside) -> JsonError {
        match inside {
            Inside::Object(object) => JsonError::NotAnObject(self.shapes.objects[object].path.clone()),
            Inside::Lookup(lookup) => JsonError::NotAList(self.shapes.lookups[lookup].path.clone()),
            Inside::Rows | Inside::Nothing => JsonError::NotAList("the list of rows".to_string()),
        }
    }

    /// Reads a list, from its opening bracket to after its closing one, and in it the selected elements.
    fn look_up(&mut self, bytes: &[u8], open: usize, lookup: usize, depth: usize) -> Result<usize, JsonError> {
        self.shapes.lookups[lookup].choices.iter_mut().for_each(|choice| choice.met = false);
        let mut at = space(bytes, open + 1);
        if bytes.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        loop {
            let end = match bytes.get(at) {
                Some(b'{') => self.looked_up(bytes, at, lookup, within(depth)?)?,
                _ => skip(bytes, at, depth)?.0,
            };
            at = space(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = space(bytes, at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return Err(JsonError::Syntax(at, "`,` or `]`")),
            }
        }
    }

    /// Reads an element of such a list if it is selected.
    fn looked_up(&mut self, bytes: &[u8], at: usize, lookup: usize, depth: usize) -> Result<usize, JsonError> {
        let wanted = &mut self.shapes.lookups[lookup];
        let (end, value) = member(self.text, bytes, at, &wanted.name, depth)?;
        let Some(value) = value else { return Ok(end) };
        let Some(choice) = wanted.choices.iter_mut().find(|choice| choice.value == value) else { return Ok(end) };
        if std::mem::replace(&mut choice.met, true) {
            return Err(JsonError::Duplicate(format!("{}[{}={}]", wanted.path, wanted.name, choice.value)));
        }
        let (cell, object) = (choice.cell, choice.object);
        if let Some(object) = object {
            self.object(bytes.len(), at + 1, object, depth)?;
        }
        if let Some(cell) = cell {
            self.row[cell] = Span::text(at, end);
        }
        Ok(end)
    }

    /// A name that is new in this object.
    fn met(&mut self, name: &str, shape: usize) -> Wanted {
        let object = &mut self.shapes.objects[shape];
        let mut wanted = Wanted::default();
        if self.paths.len() < self.max_fields {
            wanted.cell = Some(self.paths.len());
            self.paths.push(join(&object.path, name));
            self.row.push(Span::NONE);
        } else if object.ignored < MAX_IGNORED {
            object.ignored += 1;
        } else {
            return wanted;
        }
        object.add(name, wanted);
        wanted
    }
}

/// What is wrong with a piece of JSON, and where in the text.
#[derive(Debug)]
pub(super) enum JsonError {
    /// Something else is expected here.
    Syntax(usize, &'static str),
    /// A string that is not closed.
    Unclosed,
    /// An invalid escape sequence.
    Escape,
    /// Too deep nesting.
    TooDeep,
    /// Not an object, whose fields are wanted.
    NotAnObject(String),
    /// Not a list, whose elements are wanted.
    NotAList(String),
    /// An element selected by a value occurs twice.
    Duplicate(String),
}

impl JsonError {
    /// Whether the text only ends too early.
    pub(super) fn is_cut(&self, end: usize) -> bool {
        match self {
            JsonError::Syntax(at, _) => *at >= end,
            JsonError::Unclosed => true,
            _ => false,
        }
    }

    /// The reason for a reject, without a position: the same mistake gives the same text.
    #[cold]
    pub(super) fn reason(&self) -> Cow<'static, str> {
        match self {
            JsonError::Syntax(_, wanted) => format!("not valid JSON: expected {wanted}"),
            JsonError::Unclosed => "not valid JSON: a string is not closed".to_string(),
            JsonError::Escape => "not valid JSON: a string has an invalid escape sequence".to_string(),
            JsonError::TooDeep => format!("more than {MAX_DEPTH} levels of nesting"),
            JsonError::NotAnObject(path) => format!("`{path}` is not an object"),
            JsonError::NotAList(path) => format!("`{path}` is not a list"),
            JsonError::Duplicate(path) => format!("`{path}` is duplicated"),
        }
        .into()
    }
}

/// The first byte at or after `at` that is not whitespace.
#[inline]
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

fn within(depth: usize) -> Result<usize, JsonError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(JsonError::TooDeep) }
}

/// The position after the closing quote of a string whose text begins at `from`, and whether it has escapes.
fn string(bytes: &[u8], from: usize) -> Result<(usize, bool), JsonError> {
    let mut at = from;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            None => return Err(JsonError::Unclosed),
            Some(found) if rest[found] == b'"' => return Ok((at + found + 1, escaped)),
            Some(found) => {
                escaped = true;
                at += found + 2;
            }
        }
    }
}

fn unescape(quoted: &str) -> Result<String, JsonError> {
    sonic_rs::from_str(quoted).map_err(|_| JsonError::Escape)
}

/// Skips a value; returns where it ends.
pub(super) fn skip(bytes: &[u8], at: usize, depth: usize) -> Result<(usize, Kind), JsonError> {
    match bytes.get(at) {
        Some(b'"') => string(bytes, at + 1).map(|(end, escaped)| (end, Kind::Text { escaped })),
        Some(b'-' | b'0'..=b'9') => number(bytes, at).map(|end| (end, Kind::Other)),
        Some(b'n') => word(bytes, at, b"null").map(|end| (end, Kind::Null)),
        Some(b't') => word(bytes, at, b"true").map(|end| (end, Kind::Other)),
        Some(b'f') => word(bytes, at, b"false").map(|end| (end, Kind::Other)),
        Some(b'{') => skip_many(bytes, at, within(depth)?, b'}').map(|end| (end, Kind::Other)),
        Some(b'[') => skip_many(bytes, at, within(depth)?, b']').map(|end| (end, Kind::Other)),
        _ => Err(JsonError::Syntax(at, "a value")),
    }
}

/// Skips an object or array that opens at `open`.
fn skip_many(bytes: &[u8], open: usize, depth: usize, close: u8) -> Result<usize, JsonError> {
    let mut at = space(bytes, open + 1);
    if bytes.get(at) == Some(&close) {
        return Ok(at + 1);
    }
    loop {
        if close == b'}' {
            if bytes.get(at) != Some(&b'"') {
                return Err(JsonError::Syntax(at, "a name in quotes"));
            }
            at = space(bytes, string(bytes, at + 1)?.0);
            if bytes.get(at) != Some(&b':') {
                return Err(JsonError::Syntax(at, "`:`"));
            }
            at = space(bytes, at + 1);
        }
        at = space(bytes, skip(bytes, at, depth)?.0);
        match bytes.get(at) {
            Some(b',') => at = space(bytes, at + 1),
            Some(byte) if *byte == close => return Ok(at + 1),
            _ => return Err(JsonError::Syntax(at, if close == b'}' { "`,` or `}`" } else { "`,` or `]`" })),
        }
    }
}

/// Skips an object from its brace; returns the value of one of its fields as text, if it has it.
fn member<'t>(
    text: &'t str,
    bytes: &[u8],
    open: usize,
    name: &str,
    depth: usize,
) -> Result<(usize, Option<Cow<'t, str>>), JsonError> {
    let mut found = None;
    let mut at = space(bytes, open + 1);
    if bytes.get(at) == Some(&b'}') {
        return Ok((at + 1, found));
    }
    loop {
        if bytes.get(at) != Some(&b'"') {
            return Err(JsonError::Syntax(at, "a name in quotes"));
        }
        let end = string(bytes, at + 1)?.0;
        let is_it = bytes[at + 1..end - 1] == *name.as_bytes();
        at = space(bytes, end);
        if bytes.get(at) != Some(&b':') {
            return Err(JsonError::Syntax(at, "`:`"));
        }
        at = space(bytes, at + 1);
        let (end, kind) = skip(bytes, at, depth)?;
        if is_it {
            found = match kind {
                Kind::Null => None,
                Kind::Text { escaped: false } => Some(Cow::from(&text[at + 1..end - 1])),
                Kind::Text { escaped: true } => Some(unescape(&text[at..end])?.into()),
                Kind::Other => Some(Cow::from(&text[at..end])),
            };
        }
        at = space(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = space(bytes, at + 1),
            Some(b'}') => return Ok((at + 1, found)),
            _ => return Err(JsonError::Syntax(at, "`,` or `}`")),
        }
    }
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize, JsonError> {
    let end = at + word.len();
    let rest = bytes.get(at..end.min(bytes.len())).unwrap_or_default();
    match rest == word {
        true => Ok(end),
        // The rest of the word may be cut off.
        false if word.starts_with(rest) => Err(JsonError::Syntax(bytes.len(), "a value")),
        false => Err(JsonError::Syntax(at, "a value")),
    }
}

/// The position after a number: a sign, digits without leading zero, a decimal point and digits, an exponent.
fn number(bytes: &[u8], from: usize) -> Result<usize, JsonError> {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let some_digits = |at: usize| match digits(at) {
        end if end == at => Err(JsonError::Syntax(at, "a digit")),
        end => Ok(end),
    };
    let start = from + usize::from(bytes[from] == b'-');
    let mut at = some_digits(start)?;
    if bytes[start] == b'0' && at > start + 1 {
        return Err(JsonError::Syntax(start + 1, "no digit after a leading zero"));
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
