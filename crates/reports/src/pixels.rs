//! Pictures as pixels, for readers that show no SVG: a PNG on a white ground.

use super::fonts::{Fonts, visible};
use super::picture::{Palette, Picture};
use super::theme::Style;
use perennial_core::error::{Error, Result};
use perennial_project::Language;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{FallbackSelectionFn, FontResolver, Options, Tree, fontdb};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};
use typst::text::Font;

/// Pixels for each pixel of a page: screens have two or more.
const RESOLUTION: f32 = 2.0;

/// A picture as a PNG.
pub(crate) struct Pixels {
    pub bytes: Vec<u8>,
    /// As it is shown, not as many pixels as there are.
    pub width: u32,
    /// As it is shown.
    pub height: u32,
}

/// Draws pictures of one page with the same fonts.
pub(crate) struct Painter {
    options: Options<'static>,
    palette: Palette,
    fonts: Fonts,
}

impl Painter {
    /// A painter with fonts for these pictures.
    pub(crate) fn new(pictures: &[&str], language: Language, style: &Style) -> Result<Painter> {
        let needed: BTreeSet<char> = pictures.iter().flat_map(|svg| visible(svg)).collect();
        let consequence = || format!("the {} mail has no pictures", language.tag());
        let fonts = Fonts::for_page(&needed, language, style).map_err(|no| no.error(&consequence()))?;
        let families = fonts.families.iter().map(|family| format!("'{family}'")).collect::<Vec<_>>().join(", ");
        let faces = Faces::of(&fonts);
        let font_resolver =
            FontResolver { select_font: FontResolver::default_font_selector(), select_fallback: faces.fallback() };
        let options = Options { fontdb: faces.database, font_resolver, ..Options::default() };
        Ok(Painter { options, palette: Palette::paper(&style.accent, &families), fonts })
    }

    /// An SVG in the names of the theme, shown at a width.
    pub(crate) fn paint(&self, svg: &str, width: u32) -> Result<Pixels> {
        let failed = |why: String| Error::bug(format!("a picture could not be drawn: {why}"));
        let svg = self.fonts.marked(&self.palette.put_into(svg));
        let tree = Tree::from_str(&svg, &self.options).map_err(|e| failed(e.to_string()))?;
        let size = tree.size();
        let scale = width as f32 * RESOLUTION / size.width();
        let (across, down) = ((size.width() * scale).round() as u32, (size.height() * scale).round() as u32);
        let mut pixels = Pixmap::new(across, down).ok_or_else(|| failed(format!("{across} by {down} pixels")))?;
        pixels.fill(Color::WHITE);
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        let bytes = pixels.encode_png().map_err(|e| failed(e.to_string()))?;
        Ok(Pixels { bytes, width, height: (down as f32 / RESOLUTION).round() as u32 })
    }
}

/// The picture that reads well in a mail and the width at which it is shown: what was drawn for a phone, larger, because
/// much mail is read on one; else the wide one.
pub(crate) fn for_mail(picture: &Picture) -> (&str, u32) {
    match &picture.narrow {
        Some(narrow) => (narrow, 400),
        None => (&picture.wide, 568),
    }
}

/// A page's faces as the renderer wants them.
#[derive(Clone)]
struct Faces {
    database: Arc<fontdb::Database>,
    by_id: Arc<Vec<(fontdb::ID, Font)>>,
}

impl Faces {
    /// Put together once in a process for each choice of families.
    fn of(fonts: &Fonts) -> Faces {
        type ByFamilies = HashMap<Vec<String>, Faces>;
        static KNOWN: LazyLock<Mutex<ByFamilies>> = LazyLock::new(Mutex::default);
        let make = || {
            let mut database = fontdb::Database::new();
            let by_id = fonts.fonts.iter().map(|font| (database.push_face_info(face(font)), font.clone())).collect();
            Faces { database: Arc::new(database), by_id: Arc::new(by_id) }
        };
        match KNOWN.lock() {
            Ok(mut known) => known.entry(fonts.families.clone()).or_insert_with(make).clone(),
            Err(_) => make(),
        }
    }

    /// The face of a character that the family asked for does not have: of the same style, and the nearest weight.
    fn fallback(&self) -> FallbackSelectionFn<'static> {
        let faces = self.by_id.clone();
        Box::new(move |c, used, _| {
            let variant =
                |id: &fontdb::ID| faces.iter().find(|(own, _)| own == id).map(|(_, font)| font.info().variant);
            let wanted = used.first().and_then(variant).unwrap_or_default();
            let has_it =
                |(id, font): &&(fontdb::ID, Font)| !used.contains(id) && font.info().coverage.contains(u32::from(c));
            let distance = |(_, font): &&(fontdb::ID, Font)| {
                let own = font.info().variant;
                (own.style != wanted.style, own.weight.distance(wanted.weight))
            };
            faces.iter().filter(has_it).min_by_key(distance).map(|(id, _)| *id)
        })
    }
}

fn face(font: &Font) -> fontdb::FaceInfo {
    let info = font.info();
    fontdb::FaceInfo {
        id: fontdb::ID::dummy(),
        source: fontdb::Source::Binary(Arc::new(font.data().clone())),
        index: font.index(),
        families: vec![(info.family.clone(), fontdb::Language::English_UnitedStates)],
        post_script_name: String::new(),
        style: match info.variant.style {
            typst::text::FontStyle::Normal => fontdb::Style::Normal,
            typst::text::FontStyle::Italic => fontdb::Style::Italic,
            typst::text::FontStyle::Oblique => fontdb::Style::Oblique,
        },
        weight: fontdb::Weight(info.variant.weight.to_number()),
        stretch: fontdb::Stretch::Normal,
        monospaced: false,
    }
}
