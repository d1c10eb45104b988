//! Lists: `tools list`, `results list`, `config show`.

use crate::sanitise;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets::NOTHING};

/// Lays rows out under their headers, wrapping cells so that no line is wider than `width`.
/// Cells may come from files and tools: they are made safe here.
pub fn table(headers: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(headers.iter().map(|header| header.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| sanitise(cell).into_owned()));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index + 1 == headers.len() { 0 } else { 2 }));
        if index == 0 {
            // What names the row has to stay in one piece to be copied.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(width: usize) -> String {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["ruff", "0.14.5", "installed", "bugs and style in Python, fast"]),
            row(["semgrep", "1.144.0", "not installed", "patterns of our own over many languages"]),
            row(["evil\u{1b}[2J", "1", "installed", "reorders \u{202e}txet"]),
        ];
        table(&["tool", "version", "state", "what it looks for"], &rows, width)
    }

    #[test]
    fn a_list_stays_aligned() {
        insta::assert_snapshot!(sample(80));
    }

    #[test]
    fn a_narrow_list_wraps_its_cells() {
        let text = sample(50);
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| crate::layout::width_of(line) <= 50));
    }
}
