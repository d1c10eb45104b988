//! The generators. Each returns Markdown; none knows which document asks for it.

use crate::{manifest::Manifest, repo::Repo, tidy};
use toml::{Table, Value};

/// What `cargo xtask tidy` checks.
pub(super) fn rules(_: &Repo) -> String {
    let rows =
        tidy::RULES.iter().map(|rule| vec![format!("`{}`", rule.name), rule.keeps.to_owned()]);
    table(&["rule", "what holds"], rows)
}

/// Every crate and what it says of itself.
pub(super) fn crates(repo: &Repo) -> String {
    let manifests = Manifest::all(repo);
    let rows = manifests
        .iter()
        .map(|one| vec![format!("`{}`", one.folder()), one.description().to_owned()]);
    table(&["crate", "is"], rows)
}

/// Every row of the catalogue. A row that is no TOML is left out: the catalogue's own tests name it.
pub(super) fn tools(repo: &Repo) -> String {
    let rows = repo.ending(".toml").filter_map(|file| {
        let id = file.path.strip_prefix("crates/tools/catalogue/")?.strip_suffix(".toml")?;
        Some(tool(id, &file.text.parse().ok()?))
    });
    table(&["tool", "finds", "kinds", "profile", "cost", "network", "version", "comes from"], rows)
}

/// What a reader must know of single tools, in the words that every report repeats.
pub(super) fn tool_notes(repo: &Repo) -> String {
    let rows = repo.ending(".toml").filter_map(|file| {
        let id = file.path.strip_prefix("crates/tools/catalogue/")?.strip_suffix(".toml")?;
        let row: Table = file.text.parse().ok()?;
        let note = row.get("note").and_then(Value::as_str).map(str::to_owned);
        let optional = row.get("optional").and_then(Value::as_str);
        let optional = optional.map(|why| format!("Not required: {why}."));
        let says: Vec<String> = optional.into_iter().chain(note).collect();
        (!says.is_empty()).then(|| vec![id.to_owned(), says.join(" ")])
    });
    table(&["tool", "to know"], rows)
}

fn tool(id: &str, row: &Table) -> Vec<String> {
    let word = |table: Option<&Value>, key: &str| {
        table.and_then(|table| table.get(key)).and_then(Value::as_str).unwrap_or("-").to_owned()
    };
    let top = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    let name = match row.get("homepage").and_then(Value::as_str) {
        Some(page) => format!("[{id}]({page})"),
        None => id.to_owned(),
    };
    let also = row.get("also").and_then(Value::as_array).into_iter().flatten();
    let kinds: Vec<&str> =
        row.get("kind").into_iter().chain(also).filter_map(Value::as_str).collect();
    let network = row.get("network").and_then(Value::as_bool).unwrap_or_default();
    let network = if network { "needed" } else { "-" }.to_owned();
    let install = row.get("install");
    let (version, origin) = (word(install, "version"), word(install, "from"));
    let kinds = kinds.join(", ");
    vec![name, top("summary"), kinds, top("profile"), top("cost"), network, version, origin]
}

pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = line(&head) + &format!("|{}\n", "---|".repeat(head.len()));
    rows.for_each(|row| text.push_str(&line(&row)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_catalogue_becomes_a_row_of_the_table() {
        let text = "summary = \"smells | faults\"\nhomepage = \"https://x.y/\"\nkind = \"security\"\n\
                    also = [\"style\"]\nprofile = \"quick\"\ncost = \"heavy\"\nnetwork = true\n\
                    optional = \"it asks\"\nnote = \"Slow.\"\n[install]\nfrom = \"path\"\n";
        let silent = ("crates/tools/catalogue/c.toml", "kind = \"style\"\n");
        let repo = Repo::of(&[("crates/tools/catalogue/b.toml", text), silent]);
        let row = tools(&repo).lines().find(|line| line.contains("[b]")).unwrap().to_owned();
        let expected = r"| [b](https://x.y/) | smells \| faults | security, style | quick | heavy | needed | - | path |";
        assert_eq!(row, expected);
        let notes = "| tool | to know |\n|---|---|\n| b | Not required: it asks. Slow. |\n";
        assert_eq!(tool_notes(&repo), notes);
    }
}
