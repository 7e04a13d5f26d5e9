//! JSON lines: one object a line, its fields found by dotted paths in one pass.
//!
//! Cells are the text as written: numbers keep every digit, `true` is `true`, strings are unescaped, an object or array
//! asked for as a whole stays JSON. Of a name that stands twice in one object the last counts. Empty lines are skipped.

use super::bytes::FileBytes;
use super::text::{MOST_ROWS, RowBuffers, RowFault, Span, TextReader, TextRows};
use super::window::Window;
use crate::contract::bad_source;
use crate::error::{Error, Result};
use memchr::{memchr, memrchr};
use sonic_rs::LazyValue;
use std::borrow::Cow;

/// Columns that a table may gain beyond its contract; more mean that names are made from data.
const MOST_NEW_FIELDS: usize = 200;
/// Names of no interest that are remembered per object, to pass over them quickly.
const MOST_IGNORED: usize = 1000;

/// Reads JSON lines.
pub struct JsonLinesReader {
    window: Window,
    paths: Vec<String>,
    objects: Vec<ObjectShape>,
    /// Fields nobody asked for become new ones.
    collect_new: bool,
    promised: usize,
    buffers: RowBuffers,
    row: Vec<Span>,
}

/// What is wanted of one object: of the whole line, or of one nested in it.
#[derive(Default)]
struct ObjectShape {
    /// Dotted path to it, empty for the line itself.
    path: String,
    fields: Vec<(String, Wanted)>,
    /// The place in `fields` of the name met last at each position: rows of one file mostly have one order.
    order: Vec<usize>,
    ignored: usize,
}

#[derive(Clone, Copy, Default)]
struct Wanted {
    cell: Option<usize>,
    object: Option<usize>,
}

impl JsonLinesReader {
    /// Opens a file. `paths` are the fields asked for; with `collect_new` every other field met becomes one more, by its
    /// path, at the end of [`TextReader::fields`]. Blocks.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read.
    pub fn open(bytes: FileBytes, paths: &[String], collect_new: bool) -> Result<JsonLinesReader> {
        let mut input = bytes.into_text()?;
        let mut mark = vec![0; 3];
        let length = input.fill(&mut mark, 0)?;
        mark.truncate(length);
        if mark == b"\xef\xbb\xbf" {
            mark.clear();
        }
        let input = input.layer(|rest| Box::new(std::io::Read::chain(std::io::Cursor::new(mark), rest)));
        let mut reader = JsonLinesReader {
            window: Window::new(input),
            paths: Vec::new(),
            objects: vec![ObjectShape::default()],
            collect_new,
            promised: paths.len(),
            buffers: RowBuffers::default(),
            row: Vec::new(),
        };
        paths.iter().for_each(|path| reader.want(path));
        Ok(reader)
    }

    fn want(&mut self, path: &str) {
        let cell = self.paths.len();
        self.paths.push(path.to_string());
        let mut object = 0;
        let mut rest = path;
        while let Some((name, below)) = rest.split_once('.') {
            let prefix = join(&self.objects[object].path, name);
            let next = self.objects.len();
            let wanted = self.objects[object].wanted(name);
            object = *wanted.object.get_or_insert(next);
            if object == next {
                self.objects.push(ObjectShape { path: prefix, ..ObjectShape::default() });
            }
            rest = below;
        }
        self.objects[object].wanted(rest).cell = Some(cell);
        if rest.len() != path.len() {
            // A name may hold dots itself.
            self.objects[0].wanted(path).cell = Some(cell);
        }
    }

    /// Reads the lines of the window that are whole; gives the bytes they take up.
    fn read_lines(&mut self) -> Result<usize> {
        let JsonLinesReader { window, paths, objects, collect_new, promised, buffers, row } = self;
        let bytes = window.bytes();
        let whole = match memrchr(b'\n', bytes) {
            _ if window.ended() => bytes.len(),
            Some(at) => at + 1,
            None => 0,
        };
        let valid = std::str::from_utf8(&bytes[..whole]).map_or_else(|e| e.valid_up_to(), str::len);
        // Up to the line with the first byte that is no letter; the next call begins there.
        let text = match memrchr(b'\n', &bytes[..valid]) {
            _ if valid == whole => as_str(&bytes[..valid]),
            Some(at) => as_str(&bytes[..=at]),
            None => "",
        };
        let mut line = window.line;
        let mut from = 0;
        let mut scan = Scan { text, paths, objects, collect_new: *collect_new, row, unescaped: &mut buffers.unescaped };
        let mut width = scan.paths.len();
        while from < text.len() && buffers.lines.len() < MOST_ROWS {
            let next = memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at + 1);
            let json = text[from..next].trim();
            if !json.is_empty() {
                scan.row.clear();
                scan.row.resize(scan.paths.len(), Span::NONE);
                match scan.line(json) {
                    Ok(()) => {
                        if scan.paths.len() > width {
                            widen(&mut buffers.cells, width, scan.paths.len());
                            width = scan.paths.len();
                        }
                        buffers.cells.extend_from_slice(scan.row);
                        buffers.lines.push(line);
                    }
                    Err(reason) => buffers.faults.push(RowFault::new(line, json.as_bytes(), reason)),
                }
                if scan.paths.len() > width {
                    widen(&mut buffers.cells, width, scan.paths.len());
                    width = scan.paths.len();
                }
            }
            from = next;
            line += 1;
        }
        if text.is_empty() && whole > 0 {
            let next = memchr(b'\n', &bytes[..whole]).map_or(whole, |at| at + 1);
            let reason = "the line holds bytes that are not utf-8";
            buffers.faults.push(RowFault::new(line, &bytes[..next], reason));
            from = next;
            line += 1;
        }
        if paths.len() > *promised + MOST_NEW_FIELDS {
            return Err(too_many(&window.input.name, line - 1));
        }
        window.line = line;
        window.take(from);
        Ok(from)
    }
}

fn too_many(name: &str, line: u64) -> Error {
    bad_source(format!("`{name}` has more than {MOST_NEW_FIELDS} fields that the contract does not name, by line {line}"))
        .hint("say `on_new_column: ignore`, or take the object that holds them as one text column")
}

fn as_str(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") }
}

/// Gives the rows read so far empty cells for fields met only now.
fn widen(cells: &mut Vec<Span>, from: usize, to: usize) {
    let rows = if from == 0 { 0 } else { cells.len() / from };
    let mut wide = Vec::with_capacity((rows + 1) * to);
    for row in 0..rows {
        wide.extend_from_slice(&cells[row * from..(row + 1) * from]);
        wide.resize((row + 1) * to, Span::NONE);
    }
    *cells = wide;
}

impl ObjectShape {
    fn wanted(&mut self, name: &str) -> &mut Wanted {
        let at = self.fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.fields.push((name.to_string(), Wanted::default()));
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }

    /// What is wanted of the field met at a position of the object.
    fn find(&mut self, name: &str, position: usize) -> Option<Wanted> {
        if let Some(at) = self.order.get(position) {
            if self.fields[*at].0 == name {
                return Some(self.fields[*at].1);
            }
        }
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        if self.order.len() <= position {
            self.order.resize(position + 1, at);
        }
        self.order[position] = at;
        Some(self.fields[at].1)
    }
}

/// One pass over one line.
struct Scan<'a> {
    text: &'a str,
    paths: &'a mut Vec<String>,
    objects: &'a mut Vec<ObjectShape>,
    collect_new: bool,
    row: &'a mut Vec<Span>,
    unescaped: &'a mut Vec<u8>,
}

type Refused<T> = std::result::Result<T, Cow<'static, str>>;

impl<'a> Scan<'a> {
    fn line(&mut self, json: &'a str) -> Refused<()> {
        match json.as_bytes()[0] {
            b'{' => {}
            b'[' => return Err("the line is a JSON array, not an object".into()),
            b'"' | b'-' | b'0'..=b'9' => return Err("the line is a JSON value, not an object".into()),
            _ => return Err("the line is not a JSON object".into()),
        }
        let end = self.object(sonic_rs::to_object_iter(json), 0)?;
        // The iterator stops behind the closing brace; what follows the last value must be that brace alone.
        let behind = end.map_or(&json[1..], |end| &json[end - self.offset(json)..]);
        if behind.trim() != "}" {
            return Err("not valid JSON: letters follow the object".into());
        }
        Ok(())
    }

    /// Takes the wanted fields of one object; gives where in the text its last value ends.
    fn object(&mut self, fields: sonic_rs::ObjectJsonIter<'a>, shape: usize) -> Refused<Option<usize>> {
        let mut end = None;
        for (position, field) in fields.enumerate() {
            let (name, value) = field.map_err(|e| format!("not valid JSON: {}", first_line(&e.to_string())))?;
            let Cow::Borrowed(raw) = value.as_raw_cow() else {
                return Err("not valid JSON: a value has no place in the line".into());
            };
            end = Some(self.offset(raw) + raw.len());
            let wanted = match self.objects[shape].find(&name, position) {
                Some(wanted) => wanted,
                None => self.met(&name, shape),
            };
            if let Some(cell) = wanted.cell {
                self.row[cell] = self.cell(raw)?;
            }
            if let Some(object) = wanted.object {
                self.below(value, raw, object)?;
            }
        }
        Ok(end)
    }

    fn below(&mut self, value: LazyValue<'a>, raw: &str, object: usize) -> Refused<()> {
        if raw == "null" {
            return Ok(());
        }
        match value.into_object_iter() {
            Some(fields) => self.object(fields, object).map(|_| ()),
            None => Err(format!("`{}` is not an object", self.objects[object].path).into()),
        }
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

    fn cell(&mut self, raw: &str) -> Refused<Span> {
        let bytes = raw.as_bytes();
        let start = self.offset(raw);
        match bytes[0] {
            b'n' => Ok(Span::NONE),
            b'"' if memchr(b'\\', bytes).is_none() => Ok(Span::text(start + 1, start + raw.len() - 1)),
            b'"' => {
                let text: String = sonic_rs::from_str(raw).map_err(|e| format!("not valid JSON: {}", first_line(&e.to_string())))?;
                let from = self.unescaped.len();
                self.unescaped.extend_from_slice(text.as_bytes());
                Ok(Span::unescaped(from, self.unescaped.len()))
            }
            _ => Ok(Span::text(start, start + raw.len())),
        }
    }

    fn offset(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

impl TextReader for JsonLinesReader {
    fn fields(&self) -> &[String] {
        &self.paths
    }

    fn next(&mut self) -> Result<Option<TextRows<'_>>> {
        self.buffers.clear();
        let taken = loop {
            self.window.refill()?;
            let taken = self.read_lines()?;
            if !self.buffers.lines.is_empty() || !self.buffers.faults.is_empty() {
                break taken;
            }
            if self.window.ended() && self.window.bytes().is_empty() {
                return Ok(None);
            }
            if taken == 0 {
                self.window.read_on()?;
            }
        };
        let text = match std::str::from_utf8(self.window.taken(taken)) {
            Ok(text) => text,
            // A line that is not text is alone in its batch and has no cells.
            Err(_) if self.buffers.lines.is_empty() => "",
            Err(e) => return Err(Error::bug(format!("lines of a file are not text: {e}"))),
        };
        Ok(Some(TextRows {
            text,
            unescaped: super::csv::as_text(&self.buffers.unescaped)?,
            cells: &self.buffers.cells,
            width: self.paths.len(),
            fields: &self.paths,
            lines: &self.buffers.lines,
            faults: &self.buffers.faults,
        }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.window.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.window.input.bytes()
    }
}
