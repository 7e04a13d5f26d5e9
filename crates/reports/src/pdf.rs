//! Typst's input as PDF, in process: A4, tagged, PDF/UA-1.
//!
//! Latin type is Noto Sans, embedded in the program. Other type is found on the system. A page that no installed font covers
//! is refused with the name of the package to install; where only a name or two cannot be written, their characters are
//! replaced by a mark and the page says so at its end. No character is ever printed as a box.

use super::language::{data, fill};
use super::template::Page;
use super::theme::Style;
use super::typst::{self as input, Input, STYLES};
use perennial_core::error::{Error, Result};
use perennial_project::Language;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook, FontInfo, FontWeight};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

const LATIN: &str = "Noto Sans";

/// Stands for a character that no font has.
const MARK: char = '\u{fffd}';
/// Where this mark is not in the font either.
const PLAIN_MARK: char = '?';
/// When more different characters than this are missing, it is a script that no font has and not a name.
const MAX_MISSING: usize = 40;

/// A PDF and the characters that it could not show.
pub(crate) struct Pdf {
    pub bytes: Vec<u8>,
    pub missing: Vec<char>,
}

/// A page as PDF.
pub(crate) fn write(page: &Page, style: &Style, made_at: jiff::Timestamp) -> Result<Pdf> {
    let needed = characters(&input::write(page, style, &[LATIN.into()], made_at));
    let fonts = Fonts::for_page(&needed, page.language, style)?;
    let missing = fonts.missing.clone();
    let mut input = input::write(page, style, &fonts.families, made_at);
    if !missing.is_empty() {
        replace(&mut input, &missing, fonts.mark, &page.furniture.missing_glyphs);
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
fn replace(input: &mut Input, missing: &BTreeSet<char>, mark: char, pattern: &str) {
    let marked = |text: &str| text.chars().map(|c| if missing.contains(&c) { mark } else { c }).collect::<String>();
    input.main = marked(&input.main);
    for (_, bytes) in input.files.iter_mut().filter(|(name, _)| name.starts_with("picture-")) {
        if let Ok(text) = std::str::from_utf8(bytes) {
            *bytes = marked(text).into_bytes();
        }
    }
    let list = missing.iter().map(|c| code_point(*c)).collect::<Vec<_>>().join(", ");
    let sentence = fill(pattern, &[("mark", &mark.to_string()), ("list", &list)]);
    input.note(&sentence);
}

/// `U+0E23`, as characters are looked up.
pub(crate) fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// All characters that are printed.
fn characters(input: &Input) -> BTreeSet<char> {
    let pictures = input.files.iter().filter(|(name, _)| name.ends_with(".svg") && name != "logo.svg");
    let texts = pictures.filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok());
    let all = texts.chain([input.main.as_str()]).flat_map(str::chars);
    all.filter(|c| !c.is_control() && !c.is_whitespace() && !is_invisible(*c)).collect()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

/// A face installed on the system.
#[derive(Debug)]
struct Installed {
    path: PathBuf,
    index: u32,
    info: FontInfo,
}

fn installed() -> &'static [Installed] {
    static FACES: LazyLock<Vec<Installed>> = LazyLock::new(|| {
        typst_kit::fonts::system().map(|(face, info)| Installed { path: face.path, index: face.index, info }).collect()
    });
    &FACES
}

impl Installed {
    /// Reads the face, once in a process.
    fn load(&self) -> Option<Font> {
        /// By file and number in it; nothing for one that cannot be read.
        type Loaded = HashMap<(PathBuf, u32), Option<Font>>;
        static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);
        let mut loaded = LOADED.lock().ok()?;
        let key = (self.path.clone(), self.index);
        let read = || std::fs::read(&self.path).ok().and_then(|bytes| Font::new(Bytes::new(bytes), self.index));
        loaded.entry(key).or_insert_with(read).clone()
    }
}

/// The fonts of one page.
struct Fonts {
    families: Vec<String>,
    fonts: Vec<Font>,
    /// Characters that none of them has, few enough to be marked.
    missing: BTreeSet<char>,
    mark: char,
}

impl Fonts {
    fn for_page(needed: &BTreeSet<char>, language: Language, style: &Style) -> Result<Fonts> {
        let mut families = vec![LATIN.to_string()];
        let mut fonts: Vec<Font> = [notosans::REGULAR_TTF, notosans::BOLD_TTF, notosans::ITALIC_TTF]
            .into_iter()
            .filter_map(|bytes| Font::new(Bytes::new(bytes), 0))
            .collect();
        let covers = |info: &FontInfo, c: char| info.coverage.contains(u32::from(c));
        let mut missing: BTreeSet<char> =
            needed.iter().copied().filter(|c| !fonts.first().is_some_and(|f| covers(f.info(), *c))).collect();
        if let Some(family) = &style.font {
            let faces: Vec<&Installed> = installed().iter().filter(|f| f.info.family == *family).collect();
            fonts.extend(faces.iter().filter_map(|f| f.load()));
            if !faces.is_empty() {
                families.insert(0, family.clone());
            }
        }
        if !missing.is_empty() {
            for family in candidates(language, &missing) {
                let faces = faces(&family);
                let Some(first) = faces.first() else { continue };
                if !missing.iter().any(|c| covers(&first.info, *c)) {
                    continue;
                }
                missing.retain(|c| !covers(&first.info, *c));
                fonts.extend(faces.iter().filter_map(|f| f.load()));
                families.push(family);
                if missing.is_empty() {
                    break;
                }
            }
        }
        let is_refused = missing.len() > MAX_MISSING || is_unreadable(language, &missing);
        if let Some(c) = missing.first().filter(|_| is_refused) {
            return Err(no_glyph(*c, missing.len(), language));
        }
        let has_mark = fonts.iter().any(|font| covers(font.info(), MARK));
        Ok(Fonts { families, fonts, missing, mark: if has_mark { MARK } else { PLAIN_MARK } })
    }
}

/// The regular and the bold face of a family.
fn faces(family: &str) -> Vec<&'static Installed> {
    let all: Vec<&Installed> = installed().iter().filter(|f| f.info.family == family).collect();
    let nearest = |weight: FontWeight| {
        let upright = all.iter().filter(|f| f.info.variant.style == typst::text::FontStyle::Normal);
        upright.min_by_key(|f| f.info.variant.weight.distance(weight)).copied()
    };
    let (regular, bold) = (nearest(FontWeight::REGULAR), nearest(FontWeight::BOLD));
    let both: Vec<&Installed> = regular.into_iter().chain(bold).collect();
    if both.len() == 2 && std::ptr::eq(both[0], both[1]) { vec![both[0]] } else { both }
}

/// Whether a language cannot be written without these characters: it says them itself.
fn is_unreadable(language: Language, missing: &BTreeSet<char>) -> bool {
    let data = data(language);
    data.keys().filter_map(|key| data.phrase(key)).flat_map(str::chars).any(|c| missing.contains(&c))
}

/// Families to try: the language's own first, then any that covers most of what is missing.
fn candidates(language: Language, missing: &BTreeSet<char>) -> Vec<String> {
    let mut all: Vec<String> = data(language).fonts.print.clone();
    let mut others: Vec<(usize, String)> = Vec::new();
    for face in installed() {
        let covered = missing.iter().filter(|c| face.info.coverage.contains(u32::from(**c))).count();
        if covered > 0 && !all.contains(&face.info.family) && !others.iter().any(|(_, f)| *f == face.info.family) {
            others.push((covered, face.info.family.clone()));
        }
    }
    others.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    all.extend(others.into_iter().map(|(_, family)| family));
    all
}

fn no_glyph(c: char, count: usize, language: Language) -> Error {
    let others = if count > 1 { format!(" and {} other characters", count - 1) } else { String::new() };
    let error = Error::project(format!(
        "no installed font has the character `{c}` ({}){others}, so the {} PDF was not made",
        code_point(c),
        language.tag()
    ));
    if u32::from(c) >= 0x2e80 {
        error.hint(
            "install a Chinese font, on Debian and Ubuntu `apt-get install fonts-noto-cjk`, and run the report again",
        )
    } else {
        error.hint(
            "install a font that has it, on Debian and Ubuntu `apt-get install fonts-noto`, and run the report again",
        )
    }
}

/// What Typst sees of the world: its input and the fonts, nothing else.
struct Sheet {
    library: LazyHash<Library>,
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
        let library = LazyHash::new(Library::default());
        Ok(Sheet { library, book, fonts: fonts.fonts, main, sources, files })
    }
}

fn id(name: &str) -> Result<FileId> {
    let path = VirtualPath::new(name).map_err(|_| Error::bug(format!("`{name}` is not a valid name of a picture")))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

impl World for Sheet {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
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
        replace(&mut input, &BTreeSet::from(['\u{f8ff}']), '?', "shown as {mark}: {list}");
        assert_eq!(input.main, "#\"a?\";\n#note[#\"shown as ?: U+F8FF\"]\n");
        assert_eq!(input.files[0].1, b"<text>?b</text>");
    }
}
