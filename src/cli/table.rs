//! Text in columns, folded to the width of the screen.

use super::text::fold;
use perennial_core::visible::visible;
use unicode_width::UnicodeWidthStr;

/// What stands between two columns.
const GAP: &str = "  ";

/// Columns are not made narrower than this; a table that still does not fit is shown row by row.
const MIN_WIDTH: usize = 12;

/// Rows of text in columns.
pub(super) struct Table {
    header: Vec<String>,
    /// Columns that are aligned to the right, as numbers are, and never folded.
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table whose columns are aligned to the left.
    pub(super) fn new(header: &[&str], rows: Vec<Vec<String>>) -> Table {
        let header: Vec<String> = header.iter().map(|name| visible(name).into_owned()).collect();
        let shown = |row: Vec<String>| row.iter().map(|cell| visible(cell).into_owned()).collect();
        let rows = rows.into_iter().map(shown).collect();
        Table { right: vec![false; header.len()], header, rows }
    }

    /// The same table with some columns aligned to the right.
    pub(super) fn aligned(self, right: Vec<bool>) -> Table {
        Table { right, ..self }
    }

    /// The table with a line under its header. If it is wider than the screen, text columns are folded; if that is not
    /// enough, each row is shown on several lines, one per column.
    pub(super) fn text(&self, screen: Option<usize>) -> String {
        let widths = self.natural_widths();
        let Some(widths) = self.fit(widths, screen) else { return self.records() };
        let mut text = line(&self.header, &self.right, &widths);
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        text.push_str(&format!("{}\n", rule.join(GAP)));
        self.rows.iter().for_each(|row| text.push_str(&line(row, &self.right, &widths)));
        text
    }

    /// The rows without header in groups: `titles` has the title of each row's group. All groups have the same columns.
    pub(super) fn grouped(&self, titles: &[String], screen: Option<usize>) -> String {
        let indented = screen.map(|screen| screen.saturating_sub(GAP.len()));
        let natural = self.natural_widths();
        let widths = self.fit(natural.clone(), indented).unwrap_or(natural);
        let mut text = String::new();
        let mut current = None;
        for (row, title) in self.rows.iter().zip(titles) {
            if current != Some(title) {
                let separator = if current.is_some() { "\n" } else { "" };
                text.push_str(&format!("{separator}{title}\n"));
                current = Some(title);
            }
            line(row, &self.right, &widths).lines().for_each(|line| text.push_str(&format!("{GAP}{line}\n")));
        }
        text
    }

    fn natural_widths(&self) -> Vec<usize> {
        let of_column = |i: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(i)).chain(self.header.get(i));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        (0..self.header.len()).map(of_column).collect()
    }

    /// Widths that fit the screen, made from the natural ones by narrowing the widest text columns.
    fn fit(&self, mut widths: Vec<usize>, screen: Option<usize>) -> Option<Vec<usize>> {
        let Some(screen) = screen else { return Some(widths) };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > screen {
            let foldable = (0..widths.len()).filter(|i| !self.right[*i] && widths[*i] > MIN_WIDTH);
            let widest = foldable.max_by_key(|i| widths[*i])?;
            widths[widest] -= 1;
        }
        Some(widths)
    }

    fn records(&self) -> String {
        let label = self.header.iter().map(|name| name.width()).max().unwrap_or(0);
        let mut text = String::new();
        for (i, row) in self.rows.iter().enumerate() {
            text.push_str(if i > 0 { "\n" } else { "" });
            for (name, cell) in self.header.iter().zip(row) {
                text.push_str(format!("{}{GAP}{cell}", padded(name, label, false)).trim_end());
                text.push('\n');
            }
        }
        text
    }
}

/// One row, on as many lines as its longest cell needs.
fn line(cells: &[String], right: &[bool], widths: &[usize]) -> String {
    let folded: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| if cell.width() <= *width { vec![cell.clone()] } else { fold(cell, *width) })
        .collect();
    let height = folded.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for i in 0..height {
        let parts = folded.iter().zip(widths.iter().zip(right));
        let parts = parts.map(|(lines, (width, right))| padded(lines.get(i).map_or("", |l| l), *width, *right));
        text.push_str(parts.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

fn padded(text: &str, width: usize, right: bool) -> String {
    let pad = " ".repeat(width.saturating_sub(text.width()));
    if right { format!("{pad}{text}") } else { format!("{text}{pad}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn numbers_are_aligned_to_the_right_and_wide_characters_take_two_columns() {
        let table = Table::new(&["region", "revenue"], rows(&[&["north", "5"], &["南区", "1,234"]]));
        let text = table.aligned(vec![false, true]).text(None);
        assert_eq!(text, "region  revenue\n──────  ───────\nnorth         5\n南区      1,234\n");
    }

    #[test]
    fn a_wide_table_is_folded_to_the_screen() {
        let text = "the longest text that does not fit on the screen".to_string();
        let table = Table::new(&["step", "n", "about"], vec![vec!["marts.rfm".into(), "7".into(), text]]);
        let shown = table.aligned(vec![false, true, false]).text(Some(32));
        assert_eq!(
            shown,
            "step       n  about\n\
             ─────────  ─  ──────────────────\n\
             marts.rfm  7  the longest text\n\
             \x20             that does not fit\n\
             \x20             on the screen\n"
        );
    }

    #[test]
    fn a_table_of_too_many_columns_is_shown_row_by_row() {
        let table = Table::new(&["run_id", "status"], rows(&[&["20260101T000000Z", "done"], &["2", "failed"]]));
        assert_eq!(table.text(Some(16)), "run_id  20260101T000000Z\nstatus  done\n\nrun_id  2\nstatus  failed\n");
    }

    #[test]
    fn groups_share_their_columns() {
        let table = Table::new(&["step", "kind"], rows(&[&["stg_orders", "view"], &["rfm", "table"]]));
        let text = table.grouped(&["staging".into(), "marts".into()], None);
        assert_eq!(text, "staging\n  stg_orders  view\n\nmarts\n  rfm         table\n");
    }
}
