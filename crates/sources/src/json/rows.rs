//! The rows of one JSON document: the elements along a path of lists, with the fields of the objects around them.

use super::lines::{MAX_NEW_FIELDS, max_fields, too_many_fields};
use super::paths::{RowsPath, lists};
use super::scan::{JsonError, ObjectShape, Scan, Shapes, skip, space};
use crate::text::{MAX_ROWS, RowBuffers, RowReject, Span};
use memchr::memchr_iter;
use perennial_core::error::Result;

/// The elements of one list of the path; level 0 is the document itself.
struct Level {
    /// What columns write before the fields of these elements.
    prefix: String,
    /// What is wanted of them.
    shape: usize,
    /// The cell of the element as a whole.
    own: Option<usize>,
    /// The cell of its number in the list, from 1.
    number: Option<usize>,
    /// The element is itself the next list.
    is_list: bool,
}

/// What is wanted of documents.
pub(super) struct DocumentRows {
    paths: Vec<String>,
    wanted: usize,
    shapes: Shapes,
    levels: Vec<Level>,
    /// The first list may be absent, and the document then is the element.
    is_wrapped: bool,
    collect_new: bool,
    /// Cells of the element of every level that is being read, with those of the elements around it.
    rows: Vec<Vec<Span>>,
}

/// A document whose rows are being given.
pub(super) struct OpenDocument {
    /// Where it begins in the window.
    pub(super) from: usize,
    /// Where it ends.
    pub(super) to: usize,
    /// The next element of every open list, from the document's begin on, and its number.
    lists: Vec<(usize, u64)>,
    started: bool,
    /// Bytes whose lines are counted, and the line they end on.
    counted: usize,
    line: u64,
}

impl OpenDocument {
    pub(super) fn new(from: usize, to: usize, line: u64) -> OpenDocument {
        OpenDocument { from, to, lists: Vec::new(), started: false, counted: 0, line }
    }

    /// Moves the innermost list past the element that ends here.
    fn advance(&mut self, text: &str, end: usize, number: u64) {
        let Some(list) = self.lists.last_mut() else { return };
        let next = space(text.as_bytes(), end);
        let comma = text.as_bytes().get(next) == Some(&b',');
        *list = (if comma { space(text.as_bytes(), next + 1) } else { next }, number + 1);
    }

    /// The line of a byte after the last one asked for.
    fn line_of(&mut self, text: &str, at: usize) -> u64 {
        if at > self.counted {
            self.line += memchr_iter(b'\n', &text.as_bytes()[self.counted..at]).count() as u64;
            self.counted = at;
        }
        self.line
    }
}

impl DocumentRows {
    /// Plans the reading of documents.
    ///
    /// # Errors
    /// Why a path is malformed.
    pub(super) fn new(path: RowsPath<'_>, wanted: &[String], collect_new: bool) -> std::result::Result<Self, String> {
        let mut names = lists(path.rows)?;
        let is_wrapped = path.wrapper.is_some();
        names.splice(0..0, path.wrapper);
        let mut rows = DocumentRows {
            paths: wanted.to_vec(),
            wanted: wanted.len(),
            shapes: Shapes::default(),
            levels: Vec::new(),
            is_wrapped,
            collect_new,
            rows: vec![Vec::new(); names.len() + 1],
        };
        let mut prefix = String::new();
        for (i, name) in names.iter().map(Some).chain([None]).enumerate() {
            let shape = rows.shapes.objects.len();
            rows.shapes.objects.push(ObjectShape::at(prefix.clone()));
            let is_list = name.is_some_and(|name| name.is_empty());
            rows.levels.push(Level { prefix: prefix.clone(), shape, own: None, number: None, is_list });
            let Some(name) = name else { break };
            if !is_list {
                rows.shapes.want_rows(shape, name)?;
            }
            if !(is_wrapped && i == 0) {
                let dot = if prefix.is_empty() || name.is_empty() { "" } else { "." };
                prefix = format!("{prefix}{dot}{name}[]");
            }
        }
        wanted.iter().enumerate().try_for_each(|(cell, path)| rows.want(path, cell))?;
        Ok(rows)
    }

    /// Names of the fields.
    pub(super) fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Wants a field of the innermost elements whose path its own begins with.
    fn want(&mut self, path: &str, cell: usize) -> std::result::Result<(), String> {
        let number = path.strip_suffix("[#]").map(|list| format!("{list}[]"));
        for level in self.levels.iter_mut().rev().filter(|level| !level.prefix.is_empty()) {
            if *path == level.prefix {
                level.own = Some(cell);
                return Ok(());
            }
            if number.as_ref() == Some(&level.prefix) {
                level.number = Some(cell);
                return Ok(());
            }
            let rest = path.strip_prefix(level.prefix.as_str()).and_then(|rest| rest.strip_prefix('.'));
            if let Some(rest) = rest {
                return self.shapes.want(level.shape, rest, cell);
            }
        }
        // Of a document that is a list itself, fields are those of its elements, whether they begin with `[].` or not.
        // What is wrapped has the fields of what is around it.
        let levels = match self.levels[0].is_list {
            true => 1..=1,
            false => 0..=usize::from(self.is_wrapped),
        };
        levels.into_iter().try_for_each(|level| self.shapes.want(self.levels[level].shape, path, cell))
    }

    /// Gives rows until there are enough of them; true when the document has no more.
    pub(super) fn read(
        &mut self,
        document: &mut OpenDocument,
        text: &str,
        buffers: &mut RowBuffers,
        file: &str,
    ) -> Result<bool> {
        let mut width = self.paths.len();
        let done = loop {
            if buffers.lines.len() >= MAX_ROWS || buffers.rejects.len() >= MAX_ROWS {
                break false;
            }
            let Some((level, at, number)) = next_element(document, text) else { break true };
            let (end, list) = self.element(level, at, number, text, &mut buffers.unescaped);
            document.advance(text, end, number);
            if self.paths.len() > width {
                buffers.widen(width, self.paths.len());
                width = self.paths.len();
            }
            match list {
                Err(error) => {
                    let line = document.line_of(text, at);
                    let reason = error.reason();
                    buffers.rejects.push(RowReject::new(line, &text.as_bytes()[at..end], reason));
                }
                Ok(_) if level + 1 == self.levels.len() => {
                    buffers.cells.extend(self.rows[level].iter().map(|cell| cell.shifted(document.from)));
                    buffers.lines.push(document.line_of(text, at));
                }
                Ok(Some(list)) => document.lists.push((space(text.as_bytes(), list + 1), 1)),
                // As if a list held only this document; it ends where the document does.
                Ok(None) if level == 0 && self.is_wrapped => document.lists.push((at, 1)),
                Ok(None) => {}
            }
        };
        if width > self.wanted + MAX_NEW_FIELDS {
            return Err(too_many_fields(file, document.line));
        }
        Ok(done)
    }

    /// Reads one element into the row of its level; gives where it ends, and where the next list in it begins.
    fn element(
        &mut self,
        level: usize,
        at: usize,
        number: u64,
        text: &str,
        unescaped: &mut Vec<u8>,
    ) -> (usize, std::result::Result<Option<usize>, JsonError>) {
        let innermost = level + 1 == self.levels.len();
        let mut row = std::mem::take(&mut self.rows[level]);
        row.clear();
        if level > 0 {
            row.extend_from_slice(&self.rows[level - 1]);
        }
        row.resize(self.paths.len(), Span::NONE);
        let Level { shape, own, number: number_cell, is_list, .. } = self.levels[level];
        if let Some(cell) = number_cell {
            let start = unescaped.len();
            unescaped.extend_from_slice(number.to_string().as_bytes());
            row[cell] = Span::unescaped(start, unescaped.len());
        }
        let wants_fields = self.shapes.objects[shape].is_wanted();
        let collect_new = self.collect_new && innermost && own.is_none();
        let (name, is_wrapped) = (self.name(level), self.is_wrapped);
        let DocumentRows { paths, shapes, .. } = self;
        let max_fields = max_fields(collect_new, self.wanted);
        let mut scan = Scan { text, paths, shapes, max_fields, row: &mut row, unescaped, list: None };
        let bytes = text.as_bytes();
        let found = match bytes[at] {
            b'[' if is_list || is_wrapped && level == 0 => skip(bytes, at, 1).map(|(end, _)| (end, Some(at))),
            b'{' if !is_list => scan.object(text.len(), at + 1, shape, 1).map(|end| (end, scan.list)),
            _ if own.is_some() && !wants_fields && innermost => skip(bytes, at, 1).map(|(end, _)| (end, None)),
            _ if is_list => Err(JsonError::NotAList(name)),
            _ => Err(JsonError::NotAnObject(name)),
        };
        let read = found.and_then(|(end, list)| {
            if let Some(cell) = own {
                let kind = skip(bytes, at, 1)?.1;
                let whole = scan.cell(at, end, kind)?;
                scan.row[cell] = whole;
            }
            Ok((end, list))
        });
        self.rows[level] = row;
        match read {
            Ok((end, list)) => (end, Ok(list)),
            // That the document is whole was seen before.
            Err(error) => (skip(bytes, at, 1).map_or(text.len(), |(end, _)| end), Err(error)),
        }
    }

    fn name(&self, level: usize) -> String {
        match level {
            0 => "the document".to_string(),
            _ if self.levels[level].prefix.is_empty() => "the element of the list".to_string(),
            _ => self.levels[level].prefix.clone(),
        }
    }
}

/// The element to be read next: its level, where it begins, and its number in its list.
fn next_element(document: &mut OpenDocument, text: &str) -> Option<(usize, usize, u64)> {
    if !document.started {
        document.started = true;
        return Some((0, 0, 1));
    }
    loop {
        let (at, number) = *document.lists.last()?;
        match text.as_bytes().get(at) {
            None | Some(b']') => document.lists.pop(),
            Some(_) => return Some((document.lists.len(), at, number)),
        };
    }
}
