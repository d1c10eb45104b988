//! Cells of the terminal.

use console::Term;

/// What is taken where there is no terminal to ask: logs and pipes are read in windows like these.
const USUAL: (usize, usize) = (80, 24);

/// Returns the width for what is written to standard output.
pub fn stdout_width() -> usize {
    size_of(&Term::stdout()).0
}

/// Returns width and rows.
pub(crate) fn size_of(term: &Term) -> (usize, usize) {
    match term.size_checked() {
        // Some pseudo-terminals say 0.
        Some((rows, columns)) if rows > 0 && columns > 0 => (columns.into(), rows.into()),
        Some(_) | None => USUAL,
    }
}
