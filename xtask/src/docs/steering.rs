//! What an app could steer each tool by, and how it is held: the rows of the catalogue as a table.

use super::parts::table;
use crate::repo::Repo;
use toml::{Table, Value};

/// Every row of the catalogue. A row that is no TOML is left out: the catalogue's own tests name it.
pub(super) fn steering(repo: &Repo) -> String {
    let rows = repo.ending(".toml").filter_map(|file| {
        let id = file.path.strip_prefix("crates/tools/catalogue/")?.strip_suffix(".toml")?;
        let row: Table = file.text.parse().ok()?;
        let held = |how| held(&row, how);
        Some(vec![id.to_owned(), held("hide"), held("rename"), held("sections"), copies(&row)])
    });
    table(&["tool", "hidden", "under another name", "without these sections", "copies"], rows)
}

/// The files that are held so, each with its sections.
fn held(row: &Table, wanted: &str) -> String {
    let entries = row.get("steered-by").and_then(Value::as_array).into_iter().flatten();
    let entries = entries
        .filter(|entry| entry.get("how").and_then(Value::as_str).unwrap_or("hide") == wanted)
        .map(|entry| {
            let files = names(entry.get("files"));
            match entry.get("sections") {
                None => files,
                sections => format!("{files}: {}", names(sections)),
            }
        });
    or_dash(entries.collect::<Vec<_>>().join("; "))
}

/// The files that it sees alone, in a folder of ours.
fn copies(row: &Table) -> String {
    let staged = row.get("run").and_then(|run| run.get("staged")).and_then(Value::as_array);
    let copies = staged.into_iter().flatten().filter_map(|copy| {
        let name = copy.get("name")?.as_str()?;
        let content = copy.get("content").and_then(Value::as_str);
        Some(match content {
            None => format!("`{name}`"),
            Some(content) => format!("`{name}` ({content})"),
        })
    });
    or_dash(copies.collect::<Vec<_>>().join(", "))
}

fn names(list: Option<&Value>) -> String {
    let names = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_how_each_file_is_held() {
        let text = "[run]\nstaged = [{ name = 'l.json' }, { name = 'r.txt', content = 'own' }]\n\
            [[steered-by]]\nfiles = ['.a', 'b/']\n[[steered-by]]\nfiles = ['c']\n\
            [[steered-by]]\nfiles = ['p.toml']\nhow = 'sections'\nsections = ['tool.x']\n";
        let repo = Repo::of(&[("crates/tools/catalogue/b.toml", text)]);
        let row = steering(&repo).lines().last().unwrap().to_owned();
        let expected = "| b | `.a`, `b/`; `c` | - | `p.toml`: `tool.x` | `l.json`, `r.txt` (own) |";
        assert_eq!(row, expected);
    }
}
