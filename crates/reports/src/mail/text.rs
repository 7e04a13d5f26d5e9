//! The plain body: lines of 72 columns, figures one below the other, also beside Chinese, whose characters take two.

use super::{Content, MAX_NAME, MAX_ROWS, MAX_SENTENCE, clip, figure, fitting, one_line};
use crate::blocks::{Block, Inline, Table, plain};
use crate::language::fill;
use crate::template::{MailPhrases, Page};

/// Columns of a line of text, and of a line of a table.
const WIDTH: usize = 72;
const TABLE_WIDTH: usize = 78;
/// The least columns that a column of text is cut to.
const LEAST: usize = 8;

/// The body of a page.
pub(super) fn write(page: &Page, content: &Content<'_>, link: Option<&str>) -> String {
    let phrases = &page.furniture.mail;
    let mut head = paragraph(&page.company);
    head.push_str(&wrapped(&one_line(&format!("{} · {}", clip(&page.title, MAX_NAME), page.period)), ""));
    head.push_str(&wrapped(&page.status, ""));
    head.push('\n');
    if !content.verdict.is_empty() {
        head.push_str(&paragraph(&clip(&one_line(&plain(&content.verdict)), MAX_SENTENCE)));
    }
    if !content.headlines.is_empty() {
        head.push_str(&headlines(content));
        head.push('\n');
    }
    if let Some(link) = link {
        head.push_str(&format!("{}:\n{link}\n\n", phrases.link));
    }
    let mut tail = String::new();
    if !content.sections.is_empty() {
        tail.push_str(&format!("{}\n", phrases.sections));
        content.sections.iter().for_each(|section| tail.push_str(&item("- ", section)));
        tail.push('\n');
    }
    if !content.provenance.is_empty() {
        // What stands below this line is a signature, which many clients show quietly.
        tail.push_str(&format!("-- \n{}", wrapped(&content.provenance, "")));
    }
    let cut = paragraph(&phrases.cut);
    let parts = content.parts.iter().map(|block| part(block, phrases));
    let (parts, is_cut) = fitting(parts, head.len() + tail.len() + cut.len());
    let cut = if is_cut || content.is_cut { cut } else { String::new() };
    format!("{head}{parts}{cut}{tail}")
}

fn part(block: &Block, phrases: &MailPhrases) -> String {
    let text = |runs: &[Inline]| clip(&one_line(&plain(runs)), MAX_SENTENCE);
    match block {
        Block::Figure(figure) => {
            let parts = [text(&figure.title), text(&figure.note), clip(&one_line(&figure.picture.alt), MAX_SENTENCE)];
            parts.iter().filter(|part| !part.is_empty()).map(|part| wrapped(part, "")).collect::<String>() + "\n"
        }
        Block::Heading(_, runs) | Block::Paragraph(runs) | Block::Note(runs) => paragraph(&text(runs)),
        Block::List(is_ordered, items) => {
            let mark = |i: usize| if *is_ordered { format!("{}. ", i + 1) } else { "- ".to_string() };
            let shown = items.iter().take(MAX_ROWS).enumerate();
            let lines: String = shown.map(|(i, runs)| item(&mark(i), &text(runs))).collect();
            lines + &more(items.len(), phrases) + "\n"
        }
        Block::Code(code) => format!("{}\n\n", clip(code, MAX_SENTENCE)),
        Block::Callout(head, runs) => paragraph(&format!("{}: {}", text(head), text(runs))),
        Block::Table(it) => {
            let heads = [&it.title, &it.note].map(|runs| text(runs));
            let heads: String = heads.iter().filter(|head| !head.is_empty()).map(|head| wrapped(head, "")).collect();
            heads + &table(it) + &more(it.rows.len(), phrases) + "\n"
        }
        Block::Facts(facts) => {
            let line =
                |(name, fact): &(String, String)| wrapped(&one_line(&format!("{name}: {}", clip(fact, MAX_NAME))), "");
            facts.iter().take(MAX_ROWS).map(line).collect::<String>() + "\n"
        }
        Block::Verdict(_) | Block::Headlines(_) | Block::Footer(_) | Block::PageBreak => String::new(),
    }
}

fn more(rows: usize, phrases: &MailPhrases) -> String {
    match rows.checked_sub(MAX_ROWS).filter(|hidden| *hidden > 0) {
        Some(hidden) => fill(&phrases.more_rows, &[("count", &hidden.to_string())]) + "\n",
        None => String::new(),
    }
}

fn headlines(content: &Content<'_>) -> String {
    let heads = content.comparisons();
    let mut lines: Vec<Vec<String>> = Vec::new();
    if !heads.is_empty() {
        lines.push(["", ""].into_iter().chain(heads.iter().copied()).map(str::to_string).collect());
    }
    for headline in &content.headlines {
        let change = |head: &&str| {
            let own = headline.changes.iter().find(|(own, _, _)| own == head);
            own.map_or(String::new(), |(_, text, _)| text.clone())
        };
        let mut line = vec![headline.label.clone(), figure(headline)];
        line.extend(heads.iter().map(change));
        lines.push(line);
    }
    let is_figure: Vec<bool> = (0..heads.len() + 2).map(|i| i > 0).collect();
    grid(&lines, &is_figure).unwrap_or_else(|| pairs(&lines))
}

fn table(table: &Table) -> String {
    let heads: Vec<String> = table.columns.iter().map(|(head, _)| head.clone()).collect();
    let mut lines = vec![heads];
    lines.extend(table.rows.iter().take(MAX_ROWS).map(|row| row.cells.clone()));
    let is_figure: Vec<bool> = table.columns.iter().map(|(_, is_figure)| *is_figure).collect();
    grid(&lines, &is_figure).unwrap_or_else(|| pairs(&lines))
}

/// Cells one below the other; texts are cut where a line would be too long. Nothing where figures alone are too wide.
fn grid(lines: &[Vec<String>], is_figure: &[bool]) -> Option<String> {
    let lines: Vec<Vec<String>> = lines.iter().map(|line| line.iter().map(|cell| one_line(cell)).collect()).collect();
    let widest = |i: usize| lines.iter().filter_map(|line| line.get(i)).map(|cell| columns(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..is_figure.len()).map(widest).collect();
    let room = TABLE_WIDTH.checked_sub(2 * widths.len().saturating_sub(1))?;
    while widths.iter().sum::<usize>() > room {
        let texts = (0..widths.len()).filter(|i| !is_figure[*i] && widths[*i] > LEAST);
        let widest = texts.max_by_key(|i| widths[*i])?;
        widths[widest] -= 1;
    }
    let mut out = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).zip(is_figure);
        let cells: Vec<String> = cells.map(|((cell, width), is_figure)| padded(cell, *width, *is_figure)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    Some(out)
}

/// A line for each cell, with the head of its column.
fn pairs(lines: &[Vec<String>]) -> String {
    let Some((heads, rows)) = lines.split_first() else { return String::new() };
    let mut out = String::new();
    for row in rows {
        for (head, cell) in heads.iter().zip(row).take(super::MAX_COLUMNS) {
            let head = if head.is_empty() { String::new() } else { format!("{head}: ") };
            out.push_str(&wrapped(&one_line(&clip(&format!("{head}{cell}"), MAX_NAME)), ""));
        }
        out.push('\n');
    }
    out
}

/// A cell in its width, flush right where it is a figure.
fn padded(cell: &str, width: usize, is_figure: bool) -> String {
    let mut cell = cell.to_string();
    if columns(&cell) > width {
        while columns(&cell) >= width && cell.pop().is_some() {}
        cell.push('…');
    }
    let gap = " ".repeat(width.saturating_sub(columns(&cell)));
    if is_figure { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
}

fn paragraph(text: &str) -> String {
    wrapped(text, "") + "\n"
}

fn item(mark: &str, text: &str) -> String {
    let lines = wrapped(text, &" ".repeat(mark.len()));
    format!("{mark}{}", &lines[mark.len()..])
}

/// A text in lines, each with an indent and an end.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut line = indent.to_string();
    let mut pending_space = false;
    for piece in pieces(text) {
        if piece == " " {
            pending_space = true;
            continue;
        }
        let space = usize::from(pending_space && line.len() > indent.len());
        if columns(&line) + space + columns(piece) > WIDTH && line.len() > indent.len() {
            out.push_str(&line);
            out.push('\n');
            line = indent.to_string();
        } else if space == 1 {
            line.push(' ');
        }
        pending_space = false;
        line.push_str(piece);
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// Words, spaces, and single Chinese characters with the punctuation that may not begin or end a line.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in text.char_indices() {
        let may_break = match before {
            None => false,
            Some(' ') => true,
            Some(before) => c == ' ' || ((is_wide(before) || is_wide(c)) && !is_closing(c) && !is_opening(before)),
        };
        if may_break {
            pieces.push(&text[start..at]);
            start = at;
        }
        before = Some(c);
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

fn is_closing(c: char) -> bool {
    "、，。；：！？）」』》】”’,.;:!?)%…".contains(c)
}

fn is_opening(c: char) -> bool {
    "（「『《【“‘(".contains(c)
}

fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60
        | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

/// Columns that a text takes where every letter takes one and every Chinese character two.
fn columns(text: &str) -> usize {
    let width = |c: char| match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        _ if is_wide(c) => 2,
        _ => 1,
    };
    text.chars().map(width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_one_below_the_other_beside_chinese() {
        let lines = [["地区", "收入"], ["北部 (N)", "1,234"], ["Süd", "56"]];
        let lines: Vec<Vec<String>> = lines.iter().map(|l| l.iter().map(|c| c.to_string()).collect()).collect();
        let out = grid(&lines, &[false, true]).unwrap();
        // The longest text takes 4 + 4 columns, the longest figure 5, two lie between.
        assert_eq!(out, "地区       收入\n北部 (N)  1,234\nSüd          56\n");
        assert!(out.lines().all(|line| columns(line) == 15));
    }

    #[test]
    fn long_texts_are_cut_and_too_many_figures_are_listed() {
        let wide = vec![vec!["x".repeat(90), "7".to_string()]];
        let out = grid(&wide, &[false, true]).unwrap();
        assert_eq!(out, format!("{}…  7\n", "x".repeat(74)));
        let many = vec![vec!["123456789".to_string(); 12]; 2];
        assert!(grid(&many, &[true; 12]).is_none());
        assert_eq!(pairs(&many).lines().next(), Some("123456789: 123456789"));
    }

    #[test]
    fn lines_end_at_words_and_never_before_a_full_stop() {
        let english = "word ".repeat(40);
        let lines = wrapped(&english, "");
        assert!(lines.lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')));
        assert_eq!(lines.split_whitespace().count(), 40);
        // 36 characters fill a line; the full stop after them keeps its character.
        let chinese = format!("{}。{}", "字".repeat(36), "句".repeat(3));
        let lines = wrapped(&chinese, "");
        assert_eq!(lines, format!("{}\n字。句句句\n", "字".repeat(35)));
        assert_eq!(item("- ", "a"), "- a\n");
        assert_eq!(wrapped("https://example.com/a/very/long", ""), "https://example.com/a/very/long\n");
    }
}
