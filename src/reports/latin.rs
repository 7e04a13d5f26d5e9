//! The Latin letters of the page's font, small enough to stand in every page.

use crate::error::{Error, Result};
use skera::{Plan, SubsetFlags, subset_font};
use std::sync::OnceLock;
use write_fonts::read::FontRef;
use write_fonts::read::collections::IntSet;

/// Regular and bold as TrueType files of the letters that European languages and our figures need.
pub struct Latin {
    /// Weight 400.
    pub regular: Vec<u8>,
    /// Weight 700.
    pub bold: Vec<u8>,
}

/// The subset, made once for all pages of a process.
pub fn latin() -> Result<&'static Latin> {
    static LATIN: OnceLock<Latin> = OnceLock::new();
    if let Some(made) = LATIN.get() {
        return Ok(made);
    }
    let made = Latin { regular: subset(notosans::REGULAR_TTF)?, bold: subset(notosans::BOLD_TTF)? };
    Ok(LATIN.get_or_init(|| made))
}

/// ASCII, Latin-1, Latin Extended-A, spaces and dashes, currency signs, arrows and the minus.
const LETTERS: [std::ops::RangeInclusive<u32>; 7] =
    [0x20..=0x7e, 0xa0..=0x17f, 0x2000..=0x203a, 0x20a0..=0x20bf, 0x2190..=0x2193, 0x2212..=0x2212, 0x25b2..=0x25bc];

fn subset(font: &[u8]) -> Result<Vec<u8>> {
    let failed = |what: String| Error::bug(format!("the page's font cannot be cut to its Latin letters: {what}"));
    let font = FontRef::new(font).map_err(|e| failed(e.to_string()))?;
    let letters: IntSet<u32> = LETTERS.iter().cloned().flatten().collect();
    let nothing = IntSet::empty();
    let plan = Plan::new(
        &IntSet::empty(),
        &letters,
        &font,
        SubsetFlags::SUBSET_FLAGS_NO_HINTING,
        &IntSet::empty(),
        &IntSet::all(),
        &IntSet::all(),
        &IntSet::empty(),
        &nothing,
    );
    subset_font(&font, &plan).map_err(|e| failed(e.to_string()))
}
