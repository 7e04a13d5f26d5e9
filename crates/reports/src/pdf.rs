//! Typst's input as PDF, in process: A4, tagged, PDF/UA-1.
//!
//! A page that no installed font covers is refused with the name of the package to install; where only a name or two cannot
//! be written, their characters are replaced by a mark and the page says so at its end. No character is ever printed as a box.

use super::fonts::{Fonts, LATIN, code_point, visible};
use super::language::fill;
use super::template::Page;
use super::theme::Style;
use super::typst::{self as input, Input, STYLES};
use perennial_core::error::{Error, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::LazyLock;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

/// A PDF and the characters that it could not show.
pub(crate) struct Pdf {
    pub bytes: Vec<u8>,
    pub missing: Vec<char>,
}

/// A page as PDF.
pub(crate) fn write(page: &Page, style: &Style, made_at: jiff::Timestamp) -> Result<Pdf> {
    let needed = characters(&input::write(page, style, &[LATIN.into()], made_at));
    let consequence = || format!("the {} PDF was not made", page.language.tag());
    let fonts = Fonts::for_page(&needed, page.language, style).map_err(|no| no.error(&consequence()))?;
    let missing = fonts.missing.clone();
    let mut input = input::write(page, style, &fonts.families, made_at);
    if !missing.is_empty() {
        replace(&mut input, &fonts, &page.furniture.missing_glyphs);
    }
    let world = Sheet::new(input, fonts)?;
    let document = typst::compile(&world).output.map_err(|errors| failed("set", &errors))?;
    let standards = typst_pdf::PdfStandards::new(&[typst_pdf::PdfStandard::Ua_1])
        .map_err(|e| Error::bug(format!("PDF/UA-1 is not available: {}", e.message())))?;
    let options = typst_pdf::PdfOptions { standards, ..Default::default() };
    let bytes = typst_pdf::pdf(&document, &options).map_err(|errors| failed("written", &errors));
    typst::comemo::evict(2);
    Ok(Pdf { bytes: bytes?, missing: missing.into_iter().collect() })
}

fn failed(what: &str, errors: &[SourceDiagnostic]) -> Error {
    let messages: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
    Error::bug(format!("the PDF could not be {what}: {}", messages.join("; ")))
}

/// Puts a mark in place of every character that cannot be shown, and says so at the end of the page. Such characters are
/// only in texts, never in the markup around them.
fn replace(input: &mut Input, fonts: &Fonts, pattern: &str) {
    input.main = fonts.marked(&input.main);
    for (_, bytes) in input.files.iter_mut().filter(|(name, _)| name.starts_with("picture-")) {
        if let Ok(text) = std::str::from_utf8(bytes) {
            *bytes = fonts.marked(text).into_bytes();
        }
    }
    let list = fonts.missing.iter().map(|c| code_point(*c)).collect::<Vec<_>>().join(", ");
    let sentence = fill(pattern, &[("mark", &fonts.mark.to_string()), ("list", &list)]);
    input.note(&sentence);
}

/// All characters that are printed.
fn characters(input: &Input) -> BTreeSet<char> {
    let pictures = input.files.iter().filter(|(name, _)| name.ends_with(".svg") && name != "logo.svg");
    let texts = pictures.filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok());
    texts.chain([input.main.as_str()]).flat_map(visible).collect()
}

/// What Typst sees of the world: its input and the fonts, nothing else.
struct Sheet {
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    main: FileId,
    sources: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
}

impl Sheet {
    fn new(input: Input, fonts: Fonts) -> Result<Sheet> {
        let main = id("main.typ")?;
        let styles = id(STYLES.0)?;
        let sources = [(main, input.main), (styles, STYLES.1.to_string())];
        let sources = sources.into_iter().map(|(id, text)| (id, Source::new(id, text))).collect();
        let mut files = HashMap::new();
        for (name, bytes) in input.files {
            files.insert(id(&name)?, Bytes::new(bytes));
        }
        let book = LazyHash::new(FontBook::from_fonts(&fonts.fonts));
        Ok(Sheet { book, fonts: fonts.fonts, main, sources, files })
    }
}

fn id(name: &str) -> Result<FileId> {
    let path = VirtualPath::new(name).map_err(|_| Error::bug(format!("`{name}` is not a valid name of a picture")))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

impl World for Sheet {
    fn library(&self) -> &LazyHash<Library> {
        /// Made once for all pages of a process.
        static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        self.sources.get(&id).cloned().ok_or_else(|| not_found(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        self.files.get(&id).cloned().ok_or_else(|| not_found(id))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}

fn not_found(id: FileId) -> FileError {
    FileError::NotFound(PathBuf::from(id.vpath().get_with_slash()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_a_glyph_are_marked_and_named() {
        let picture = ("picture-1.svg".to_string(), "<text>\u{f8ff}b</text>".as_bytes().to_vec());
        let mut input = Input { main: "#\"a\u{f8ff}\";\n".into(), files: vec![picture] };
        let missing = BTreeSet::from(['\u{f8ff}']);
        let fonts = Fonts { families: Vec::new(), fonts: Vec::new(), missing, mark: '?' };
        replace(&mut input, &fonts, "shown as {mark}: {list}");
        assert_eq!(input.main, "#\"a?\";\n#note[#\"shown as ?: U+F8FF\"]\n");
        assert_eq!(input.files[0].1, b"<text>?b</text>");
    }
}
