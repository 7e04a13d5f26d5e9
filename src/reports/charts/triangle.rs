//! The retention triangle: cohorts downwards, months since the first purchase across, one hue by share. A cell that was
//! not observed is empty, one whose month is not over is hatched, and the weighted mean of the closed ones stands
//! below.

use super::{Anchor, Picture, Svg, Weight};

/// One cohort.
#[derive(Clone, Debug)]
pub struct Cohort {
    /// Its month as written.
    pub label: String,
    /// How many customers, as written.
    pub size: String,
    /// A cell per month since the first purchase, beginning with month 1; `None` where nothing was observed yet.
    pub cells: Vec<Option<Cell>>,
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Share of the cohort, 0 to 1.
    pub share: f64,
    /// The share as written.
    pub written: String,
    /// Its month is not over.
    pub open: bool,
}

/// Words around it.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Over the cohorts.
    pub cohort: &'a str,
    /// Over their sizes.
    pub size: &'a str,
    /// Before the means.
    pub mean: &'a str,
}

/// Draws it with the means of its columns below.
pub fn draw(id: &str, cohorts: &[Cohort], means: &[Option<Cell>], heads: Heads<'_>, alt: &str) -> Picture {
    let columns = means.len().max(1);
    let (label, size, row) = (96.0, 78.0, 25.0);
    let left = label + size + 10.0;
    let pitch = ((720.0 - left) / columns as f64).min(64.0);
    let height = 26.0 + row * cohorts.len() as f64 + 34.0;
    let mut svg = Svg::new(id, 720.0, height);
    let quiet = ("--quiet", Weight::Regular);
    svg.text((0.0, 15.0), Anchor::Start, 12.0, quiet, heads.cohort);
    svg.text((label + size, 15.0), Anchor::End, 12.0, quiet, heads.size);
    for k in 0..columns {
        svg.text((left + pitch * (k as f64 + 0.5), 15.0), Anchor::Middle, 12.0, quiet, &(k + 1).to_string());
    }
    let strongest = cohorts.iter().flat_map(|c| c.cells.iter().flatten()).map(|c| c.share).fold(0.0, f64::max);
    for (i, cohort) in cohorts.iter().enumerate() {
        let top = 24.0 + row * i as f64;
        svg.text((0.0, top + 16.5), Anchor::Start, 12.0, ("--ink", Weight::Regular), &cohort.label);
        svg.text((label + size, top + 16.5), Anchor::End, 12.0, ("--ink", Weight::Regular), &cohort.size);
        for (k, cell) in cohort.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let at = (left + pitch * k as f64 + 0.75, top + 0.75);
            let room = (pitch - 1.5, row - 1.5);
            if cell.open {
                svg.hatch(at, room, "--hair");
            } else {
                svg.rect(at, room, "--accent", shade(cell.share, strongest));
            }
            let ink = if cell.open { "--quiet" } else { "--ink" };
            svg.text((at.0 + room.0 / 2.0, top + 16.5), Anchor::Middle, 12.0, (ink, Weight::Regular), &cell.written);
        }
    }
    let below = 24.0 + row * cohorts.len() as f64 + 6.0;
    svg.line((0.0, below), (left + pitch * columns as f64, below), "--context", false);
    svg.text((0.0, below + 18.0), Anchor::Start, 12.0, ("--ink", Weight::Bold), heads.mean);
    for (k, mean) in means.iter().enumerate() {
        if let Some(mean) = mean {
            let at = (left + pitch * (k as f64 + 0.5), below + 18.0);
            svg.text(at, Anchor::Middle, 12.0, ("--ink", Weight::Bold), &mean.written);
        }
    }
    Picture { wide: svg.finish(alt), narrow: None, scrolls: true, aspect: 720.0 / height, alt: alt.to_string() }
}

/// How strong the hue of a share is: from a breath of it to half, so that ink stays readable on every cell.
pub fn shade(share: f64, strongest: f64) -> f64 {
    if strongest <= 0.0 { 0.04 } else { 0.04 + 0.51 * (share / strongest).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unobserved_cells_are_empty_and_open_ones_hatched() {
        let cell = |share, open| Some(Cell { share, written: format!("{share}"), open });
        let cohorts = [
            Cohort { label: "a".into(), size: "9".into(), cells: vec![cell(0.5, false), cell(0.25, true)] },
            Cohort { label: "b".into(), size: "8".into(), cells: vec![cell(0.4, true), None] },
        ];
        let means = vec![cell(0.5, false), None];
        let svg = draw("t", &cohorts, &means, Heads { cohort: "c", size: "s", mean: "m" }, "alt").wide;
        assert_eq!(svg.matches("<rect ").count(), 3);
        assert_eq!(svg.matches("url(#t-hatch)").count(), 2);
    }

    #[test]
    fn the_hue_grows_with_the_share_and_never_hides_the_ink() {
        assert!(shade(0.1, 0.5) < shade(0.4, 0.5));
        assert!(shade(0.5, 0.5) <= 0.55);
        assert!(shade(0.0, 0.0) > 0.0);
    }
}
