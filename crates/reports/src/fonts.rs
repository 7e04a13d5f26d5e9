//! Fonts for what is printed or drawn as pixels.
//!
//! Latin type is Noto Sans, embedded in the program. Other type is found on the system, each file read once in a process.

use super::language::data;
use super::theme::Style;
use perennial_core::error::Error;
use perennial_project::Language;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};
use typst::foundations::Bytes;
use typst::text::{Font, FontInfo, FontWeight};

/// The family of Latin type.
pub(crate) const LATIN: &str = "Noto Sans";

/// Stands for a character that no font has.
const MARK: char = '\u{fffd}';
/// Where this mark is not in the font either.
const PLAIN_MARK: char = '?';
/// When more different characters than this are missing, it is a script that no font has and not a name.
const MAX_MISSING: usize = 40;

/// The characters of a text that are seen.
pub(crate) fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_control() && !c.is_whitespace() && !is_invisible(*c))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

/// `U+0E23`, as characters are looked up.
pub(crate) fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
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

/// The faces of Latin type.
fn latin() -> &'static [Font] {
    static LATIN: LazyLock<Vec<Font>> = LazyLock::new(|| {
        let faces = [notosans::REGULAR_TTF, notosans::BOLD_TTF, notosans::ITALIC_TTF];
        faces.into_iter().filter_map(|bytes| Font::new(Bytes::new(bytes), 0)).collect()
    });
    &LATIN
}

/// The fonts of one page.
pub(crate) struct Fonts {
    /// Families, best first.
    pub families: Vec<String>,
    /// Their faces.
    pub fonts: Vec<Font>,
    /// Characters that none of them has, few enough to be marked.
    pub missing: BTreeSet<char>,
    /// What stands for them.
    pub mark: char,
}

/// Why a page cannot be set: no font has the characters of its script.
#[derive(Debug)]
pub(crate) struct NoFont {
    first: char,
    count: usize,
}

impl Fonts {
    /// The fonts that a page with these characters needs.
    pub(crate) fn for_page(needed: &BTreeSet<char>, language: Language, style: &Style) -> Result<Fonts, NoFont> {
        let mut families = vec![LATIN.to_string()];
        let mut fonts: Vec<Font> = latin().to_vec();
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
        if let Some(first) = missing.first().copied().filter(|_| is_refused) {
            return Err(NoFont { first, count: missing.len() });
        }
        let has_mark = fonts.iter().any(|font| covers(font.info(), MARK));
        Ok(Fonts { families, fonts, missing, mark: if has_mark { MARK } else { PLAIN_MARK } })
    }

    /// A text with the mark in place of every character that cannot be shown.
    pub(crate) fn marked(&self, text: &str) -> String {
        text.chars().map(|c| if self.missing.contains(&c) { self.mark } else { c }).collect()
    }
}

impl NoFont {
    /// The error, with what became of it.
    pub(crate) fn error(&self, consequence: &str) -> Error {
        let c = self.first;
        let others = if self.count > 1 { format!(" and {} other characters", self.count - 1) } else { String::new() };
        let code = code_point(c);
        let error =
            Error::project(format!("no installed font has the character `{c}` ({code}){others}, so {consequence}"));
        let (what, package) = match u32::from(c) {
            0x2e80.. => ("a Chinese font", "fonts-noto-cjk"),
            _ => ("a font that has it", "fonts-noto"),
        };
        error
            .hint(format!("install {what}, on Debian and Ubuntu `apt-get install {package}`, and run the report again"))
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
