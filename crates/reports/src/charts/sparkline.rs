//! Thirteen periods in the space of a word: how a headline figure came to where it is. The line need not begin at zero,
//! so it has no axis and its last point is the figure beside it.

use super::{Picture, Scale, Svg};

const WIDTH: f64 = 132.0;
const HEIGHT: f64 = 32.0;

/// Draws it; gaps are periods without a figure. Nothing is drawn of fewer than two figures.
pub(crate) fn draw(id: &str, values: &[Option<f64>], open: bool, alt: &str) -> Option<Picture> {
    let given: Vec<f64> = values.iter().flatten().copied().collect();
    if given.len() < 2 {
        return None;
    }
    let (low, high) = given.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let across = Scale::new((0.0, (values.len() - 1) as f64), (4.0, WIDTH - 5.0));
    let up = if low == high {
        Scale::new((low - 1.0, high + 1.0), (HEIGHT - 5.0, 5.0))
    } else {
        Scale::new((low, high), (HEIGHT - 5.0, 5.0))
    };
    let points: Vec<Option<(f64, f64)>> =
        values.iter().enumerate().map(|(i, v)| v.map(|v| (across.at(i as f64), up.at(v)))).collect();
    let mut svg = Svg::new(id, WIDTH, HEIGHT);
    svg.polyline(&points, "--context", 1.5);
    if let Some(Some(last)) = points.last() {
        svg.dot(*last, 3.2, "--accent", open);
    }
    let wide = svg.finish(alt);
    Some(Picture { wide, narrow: None, scrolls: false, aspect: WIDTH / HEIGHT, alt: alt.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_point_is_marked_and_the_line_keeps_its_gaps() {
        let picture = draw("s", &[Some(1.0), None, Some(3.0), Some(2.0)], false, "x").unwrap();
        assert_eq!(picture.wide.matches("<circle").count(), 1);
        assert_eq!(picture.wide.matches('M').count(), 2, "a gap lifts the pen: {}", picture.wide);
        assert!(picture.wide.contains("cx=\"127.0\" cy=\"16.0\""), "{}", picture.wide);
        assert!(draw("s", &[None, Some(1.0)], false, "x").is_none());
    }
}
