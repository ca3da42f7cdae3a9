//! Plain tables: aligned columns without lines around them, which copy and grep well.

use crate::paint::Paint;

/// Which side a column's cells stand on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has as many cells as there are columns. Control characters in a cell are shown
    /// as `�`: names in records come from callers, and a terminal obeys what it is sent.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows
            .push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, a line for each row, the headings first.
    pub fn render(&self, paint: Paint) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|c| self.width(c)).collect();
        let headings = self.columns.iter().map(|(name, _)| (*name).to_owned());
        let mut text = paint.faint(self.line(&headings.collect::<Vec<_>>(), &widths));
        text.push('\n');
        for row in &self.rows {
            text.push_str(&self.line(row, &widths));
            text.push('\n');
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let heading = width(self.columns[column].0);
        let cells = self.rows.iter().map(|row| width(&row[column]));
        cells.chain([heading]).max().unwrap_or(0)
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, wide), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let gap = " ".repeat(wide - width(cell));
            match align {
                Align::Left => line.push_str(&format!("{cell}{gap}")),
                Align::Right => line.push_str(&format!("{gap}{cell}")),
            }
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }
}

/// The columns that `text` takes on a terminal: one for each character, which is right for all that
/// Plimsoll writes itself.
pub fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` without anything that a terminal would obey.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_text_ends() {
        let mut table = Table::new(&[("system", Align::Left), ("decisions", Align::Right)]);
        table.row(vec!["loan-default".into(), "84,112".into()]);
        table.row(vec!["µ".into(), "7".into()]);
        assert_eq!(
            table.render(Paint::Plain),
            "system        decisions\nloan-default     84,112\nµ                     7\n"
        );
    }

    #[test]
    fn a_cell_cannot_command_the_terminal() {
        let mut table = Table::new(&[("unit", Align::Left)]);
        table.row(vec!["\u{1b}[2Jgone".into()]);
        assert!(!table.render(Paint::Plain).contains('\u{1b}'));
    }
}
