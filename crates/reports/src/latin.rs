//! The Latin letters of the page's font, small enough to be part of every page.

use skera::{Plan, SubsetError, SubsetFlags, subset_font};
use std::sync::OnceLock;
use write_fonts::read::FontRef;
use write_fonts::read::collections::IntSet;
use write_fonts::types::Tag;

/// Regular and bold as TrueType files of the letters that European languages and our figures need.
pub(crate) struct Latin {
    /// Weight 400.
    pub regular: Vec<u8>,
    /// Weight 700.
    pub bold: Vec<u8>,
}

/// The subset, made once for all pages of a process. If it cannot be cut, the whole font is used.
pub(crate) fn latin() -> &'static Latin {
    static LATIN: OnceLock<Latin> = OnceLock::new();
    LATIN.get_or_init(|| {
        let cut = |font: &[u8]| subset(font).unwrap_or_else(|_| font.to_vec());
        Latin { regular: cut(notosans::REGULAR_TTF), bold: cut(notosans::BOLD_TTF) }
    })
}

/// ASCII, Latin-1, Latin Extended-A, spaces and dashes, currency signs, arrows and the minus.
const LETTERS: [std::ops::RangeInclusive<u32>; 7] =
    [0x20..=0x7e, 0xa0..=0x17f, 0x2000..=0x203a, 0x20a0..=0x20bf, 0x2190..=0x2193, 0x2212..=0x2212, 0x25b2..=0x25bc];

fn subset(font: &[u8]) -> Result<Vec<u8>, SubsetError> {
    let font = FontRef::new(font).map_err(|_| SubsetError::SubsetTableError(Tag::new(b"head")))?;
    let letters: IntSet<u32> = LETTERS.iter().cloned().flatten().collect();
    // Noto Sans would compose a backtick with the letter after it.
    let mut features = IntSet::all();
    features.remove(Tag::new(b"ccmp"));
    let plan = Plan::new(
        &IntSet::empty(),
        &letters,
        &font,
        SubsetFlags::SUBSET_FLAGS_NO_HINTING,
        &IntSet::empty(),
        &IntSet::all(),
        &features,
        &IntSet::empty(),
        &IntSet::empty(),
    );
    subset_font(&font, &plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use write_fonts::read::TableProvider;

    #[test]
    fn the_subset_is_small_and_has_its_letters() {
        for font in [&latin().regular, &latin().bold] {
            assert!(font.len() < 80_000, "{} bytes", font.len());
            let font = FontRef::new(font).unwrap();
            let letters = font.cmap().unwrap();
            for letter in ['A', 'z', '0', '9', 'é', 'ß', '€', '−', '–', '·'] {
                assert!(letters.map_codepoint(letter).is_some(), "{letter}");
            }
            assert!(letters.map_codepoint('客').is_none());
        }
    }
}
