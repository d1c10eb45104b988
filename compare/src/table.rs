//! The table property × crate: what a cell says, how it is shown, how the page is written.
//!
//! Keeps: the page says nothing that a cell has not been checked to say; a version on the page is
//! the version of the lock file that the checks ran with.

use std::fmt::Write;

/// What a crate answers to a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It holds, and the check saw it hold.
    Yes,
    /// The crate has the feature, and the check saw the property broken.
    No,
    /// The crate has no such feature, and the check saw the property broken by what it has in its
    /// place. Where its types can show that, the check no longer compiles once it has.
    NotOffered,
}

/// One crate's answer to one property.
#[derive(Debug)]
pub struct Cell {
    of: &'static str,
    answer: Answer,
    /// Whether the property holds.
    check: fn() -> bool,
    note: Option<&'static str>,
}

/// One property.
#[derive(Debug)]
pub struct Row {
    property: &'static str,
    cells: Vec<Cell>,
}

/// One machine of ours and its competitors.
#[derive(Debug)]
pub struct Table {
    pub title: &'static str,
    /// Ours first, then the crates, as their columns stand.
    pub crates: &'static [&'static str],
    pub rows: Vec<Row>,
}

/// The column of our own.
pub const OURS: &str = "assay";

const LOCK: &str = include_str!("../Cargo.lock");

// === impl Cell ===

/// The property holds.
pub fn yes(of: &'static str, check: fn() -> bool) -> Cell {
    Cell { of, answer: Answer::Yes, check, note: None }
}

/// The feature is there, and the property is broken.
pub fn no(of: &'static str, check: fn() -> bool) -> Cell {
    Cell { of, answer: Answer::No, check, note: None }
}

/// There is no such feature.
pub fn not_offered(of: &'static str, check: fn() -> bool) -> Cell {
    Cell { of, answer: Answer::NotOffered, check, note: None }
}

impl Cell {
    /// Says what a reader must know to judge the answer.
    pub fn note(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }

    /// What the check says against what the cell says.
    fn fault(&self, property: &str) -> Option<String> {
        let holds = (self.check)();
        let expected = self.answer == Answer::Yes;
        (holds != expected).then(|| {
            let (of, version) = (self.of, version(self.of));
            let now = if holds { "holds now" } else { "no longer holds" };
            format!("{of} {version}: `{property}` {now}; change its cell and write the page anew")
        })
    }
}

// === impl Row ===

/// A property, with ours first.
pub fn row(property: &'static str, cells: Vec<Cell>) -> Row {
    Row { property, cells }
}

// === impl Table ===

impl Table {
    /// Runs all checks and returns what is not as the cells say.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for row in &self.rows {
            let columns: Vec<&str> = row.cells.iter().map(|cell| cell.of).collect();
            assert_eq!(columns, self.crates, "the cells of `{}`", row.property);
            faults.extend(row.cells.iter().filter_map(|cell| cell.fault(row.property)));
        }
        faults
    }

    /// Returns the section of the page.
    pub fn section(&self) -> String {
        let mut text = format!("## {}\n\n| property |", self.title);
        for name in self.crates {
            let _ = match *name {
                OURS => write!(text, " ours |"),
                name => write!(text, " {name} {} |", version(name)),
            };
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.crates.len()));
        text.push('\n');
        let mut notes: Vec<&str> = Vec::new();
        for row in &self.rows {
            let _ = write!(text, "| {} |", row.property);
            for cell in &row.cells {
                let answer = match cell.answer {
                    Answer::Yes => "yes",
                    Answer::No => "**no**",
                    Answer::NotOffered => "not offered",
                };
                let _ = write!(text, " {answer}");
                if let Some(note) = cell.note {
                    let known = notes.iter().position(|known| *known == note);
                    let nth = known.unwrap_or_else(|| {
                        notes.push(note);
                        notes.len() - 1
                    });
                    let _ = write!(text, " ({})", nth + 1);
                }
                text.push_str(" |");
            }
            text.push('\n');
        }
        text.push('\n');
        for (nth, note) in notes.iter().enumerate() {
            let _ = writeln!(text, "{}. {note}", nth + 1);
        }
        text.push('\n');
        text
    }
}

/// The version of a crate in the lock file of this package.
fn version(name: &str) -> &'static str {
    let head = format!("name = \"{name}\"\nversion = \"");
    let Some((_, rest)) = LOCK.split_once(&head) else { return "" };
    rest.split('"').next().unwrap_or_default()
}
