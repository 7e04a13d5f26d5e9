//! Pictures, drawn as SVG once and shown by both writers.
//!
//! Colours are names of the theme (`var(--ink)`): a page resolves them by its style sheet, so that a picture follows
//! light and dark; for print [`Picture::print`] puts the theme's light colours in. Every picture carries the words for
//! those who cannot see it. Bars begin at zero; areas are proportional to what they show.

pub mod bridge;
pub mod calibration;
pub mod migration;
pub mod pyramids;
pub mod series;
pub mod sparkline;
mod svg;
pub mod triangle;

pub use svg::{Anchor, Svg, Weight, escape, text_width, without_backticks};

/// A drawn picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// As wide as a page.
    pub wide: String,
    /// For a phone, where the wide one would be too small to read.
    pub narrow: Option<String>,
    /// Whether a phone scrolls it sideways in a box of its own instead.
    pub scrolls: bool,
    /// Width over height of the wide one.
    pub aspect: f64,
    /// What it shows, in words.
    pub alt: String,
}

/// The colours of print, by the names that pictures use.
#[derive(Clone, Debug)]
pub struct Palette(Vec<(&'static str, String)>);

impl Palette {
    /// Ink on paper with the theme's accent.
    pub fn paper(accent: &str, font: &str) -> Palette {
        let colours = [
            ("--ink", "#1b1e22"),
            ("--quiet", "#5f656c"),
            ("--hair", "#d3d6d9"),
            ("--paper", "#ffffff"),
            ("--context", "#8b9198"),
            ("--better", "#17627f"),
            ("--worse", "#c4622d"),
        ];
        let mut all: Vec<_> = colours.into_iter().map(|(n, c)| (n, c.to_string())).collect();
        all.push(("--accent", accent.to_string()));
        all.push(("--sans", font.to_string()));
        Palette(all)
    }
}

impl Picture {
    /// The wide picture with colours put in, for writers without style sheets.
    pub fn print(&self, palette: &Palette) -> String {
        palette.0.iter().fold(self.wide.clone(), |svg, (name, colour)| svg.replace(&format!("var({name})"), colour))
    }
}

/// Positions on a linear axis.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    /// Values `from.0..from.1` onto positions `to.0..to.1`.
    pub fn new(from: (f64, f64), to: (f64, f64)) -> Scale {
        let from = if from.0 == from.1 { (from.0, from.0 + 1.0) } else { from };
        Scale { from, to }
    }

    /// Where a value lies.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share * (self.to.1 - self.to.0)
    }
}
