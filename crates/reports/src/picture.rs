//! A drawing in SVG and the colours of print.

/// A drawn picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
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
pub(crate) struct Palette(Vec<(&'static str, String)>);

impl Palette {
    /// Ink on paper with the theme's accent.
    pub(crate) fn paper(accent: &str, font: &str) -> Palette {
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

    /// A drawing with its colours put in, for readers without style sheets.
    pub(crate) fn put_into(&self, svg: &str) -> String {
        self.0.iter().fold(svg.to_string(), |svg, (name, colour)| svg.replace(&format!("var({name})"), colour))
    }
}

impl Picture {
    /// The wide picture with colours put in, for writers without style sheets.
    pub(crate) fn print(&self, palette: &Palette) -> String {
        palette.put_into(&self.wide)
    }
}
