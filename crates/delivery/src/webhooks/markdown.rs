//! Cards as Markdown, for the chats that take nothing else.

use super::card::{Card, Tone, fitting, one_line, shortened};

/// Characters of a title.
const MAX_TITLE: usize = 100;
/// Characters of a verdict.
const MAX_VERDICT: usize = 300;

/// Text in which nothing is taken for a link or a tag: names and figures come from data.
pub(super) fn plain(text: &str) -> String {
    one_line(text).replace("](", "] (").replace('<', "＜").replace('>', "＞")
}

/// The figures and lines of a card.
fn lines(card: &Card) -> Vec<String> {
    let figures = card.figures.iter().map(|(label, value)| format!("- {}: **{}**", plain(label), plain(value)));
    figures.chain(card.lines.iter().map(|line| plain(line))).collect()
}

/// A whole card of at most `max` bytes: title, verdict and link always, of the rest as many lines as fit.
pub(super) fn whole(card: &Card, between: &str, colours: bool, max: usize) -> String {
    let verdict = plain(&shortened(&card.verdict, MAX_VERDICT));
    let verdict = match (colours, card.tone) {
        (true, Tone::Good) => format!("<font color=\"info\">{verdict}</font>"),
        (true, Tone::Bad) => format!("<font color=\"warning\">{verdict}</font>"),
        _ => format!("**{verdict}**"),
    };
    let mut begin = vec![format!("### {}", plain(&shortened(&card.title, MAX_TITLE)))];
    if !card.verdict.is_empty() {
        begin.push(verdict);
    }
    let link = card.link.as_ref().map(|link| format!("[{}]({})", plain(&shortened(&link.label, MAX_TITLE)), link.url));
    // A link that would fill the message is left out: one that is cut leads nowhere.
    let link = link.filter(|link| link.len() <= max / 2);
    let around: usize = begin.iter().chain(&link).map(|line| line.len() + between.len()).sum();
    let rest = lines(card);
    if !rest.is_empty() {
        begin.push(fitting(&rest, between, &plain(&card.cut), max.saturating_sub(around), str::len));
    }
    begin.extend(link);
    begin.join(between)
}
