//! Pieces of programs that a document shows: what a reader copies is what the tests run.
//!
//! A program marks a piece with two lines of comment, `[NAME]` and `[end]`. A document asks for it
//! with the name `code PATH NAME`.

use crate::repo::Repo;

/// How the name of such a part begins.
const ASKED: &str = "code ";

/// The piece that a part's name asks for; `None` where it asks for something else.
///
/// # Errors
///
/// What is missing, in words.
pub(super) fn of_name(repo: &Repo, name: &str) -> Option<Result<String, String>> {
    let asked = name.strip_prefix(ASKED)?;
    let (path, piece) = asked.split_once(' ')?;
    Some(shown(repo, path, piece))
}

fn shown(repo: &Repo, path: &str, piece: &str) -> Result<String, String> {
    let file = repo.file(path).ok_or_else(|| format!("there is no file `{path}`"))?;
    let begin = format!("[{piece}]");
    let mut lines = file.text.lines().skip_while(|line| mark(line) != Some(&begin)).skip(1);
    let mut code = Vec::new();
    loop {
        match lines.next() {
            Some(line) if mark(line) == Some("[end]") => break,
            Some(line) => code.push(line),
            None => return Err(format!("`{path}` has no piece `{piece}` with an end")),
        }
    }
    let filled = code.iter().filter(|line| !line.trim().is_empty());
    let margin = filled.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let code: Vec<&str> = code.iter().map(|line| line.get(margin..).unwrap_or_default()).collect();
    Ok(format!("```{}\n{}\n```", language(path), code.join("\n").trim_end()))
}

/// What stands in a line of comment and nothing else: of `# [connect]`, `[connect]`.
fn mark(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("# ").or_else(|| line.strip_prefix("// "))
}

fn language(path: &str) -> &str {
    match path.rsplit('.').next() {
        Some("rs") => "rust",
        Some("py") => "python",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str =
        "# [one]\ndef one():\n    # [two]\n    two()\n\n      more()\n    # [end]\n# [open]\n";

    #[track_caller]
    fn check(name: &str, expected: Option<Result<&str, &str>>) {
        let repo = Repo::of(&[("a/b.py", PROGRAM)]);
        let expected = expected.map(|said| said.map(str::to_owned).map_err(str::to_owned));
        assert_eq!(of_name(&repo, name), expected);
    }

    #[test]
    fn a_piece_is_shown_without_its_marks_and_its_margin() {
        check("code a/b.py two", Some(Ok("```python\ntwo()\n\n  more()\n```")));
        check("crates", None);
    }

    #[test]
    fn what_is_missing_is_told() {
        check("code a/c.py two", Some(Err("there is no file `a/c.py`")));
        check("code a/b.py three", Some(Err("`a/b.py` has no piece `three` with an end")));
        check("code a/b.py open", Some(Err("`a/b.py` has no piece `open` with an end")));
    }
}
