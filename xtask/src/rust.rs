//! What a Rust file is: a root, code, or tests.

use crate::repo::{File, Repo};

/// Folders whose Rust files are not part of what is shipped.
const TEST_FOLDERS: &[&str] = &["tests", "benches", "examples"];

/// All Rust files that we wrote.
pub(crate) fn files(repo: &Repo) -> impl Iterator<Item = &File> {
    repo.ending(".rs").filter(|file| file.is_ours())
}

/// The name of the folder in `crates/` that the file lies in.
pub(crate) fn room(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}

/// Whether the whole file is for tests. `testkit` and `xtask` are code like any other.
pub(crate) fn is_test(path: &str) -> bool {
    let mut parts = path.split('/');
    let name = parts.next_back().unwrap_or_default();
    name == "tests.rs" || parts.any(|part| TEST_FOLDERS.contains(&part))
}

/// The lines before the tests, with their numbers; none for a file of tests.
pub(crate) fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let end = if is_test(&file.path) { 0 } else { tests_begin(&file.text) };
    file.lines().take(end)
}

fn tests_begin(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |at: usize| {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        lines[at] == "#[cfg(test)]" && next.trim_start_matches("pub(crate) ").starts_with("mod ")
    };
    (0..lines.len()).find(|at| begins(*at)).unwrap_or(lines.len())
}

/// What stands on the line before a comment begins. A `//` inside a string is taken for a comment:
/// a rule then sees less than there is, never more.
pub(crate) fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether the word stands alone in the text, not as a part of a longer name.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_ends_where_the_tests_begin() {
        let text = "a\n#[cfg(test)]\nuse x;\nb\n#[cfg(test)]\nmod tests {\n}\n";
        let file = File { path: "crates/a/src/b.rs".into(), text: text.into() };
        let numbers: Vec<usize> = code(&file).map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }

    #[test]
    fn a_file_for_tests_holds_no_code() {
        for path in ["crates/a/tests/b.rs", "crates/a/src/b/tests.rs", "crates/a/benches/b.rs"] {
            assert!(is_test(path), "{path}");
        }
        for path in ["crates/a/src/tests_of.rs", "testkit/src/lib.rs", "xtask/src/tidy.rs"] {
            assert!(!is_test(path), "{path}");
        }
    }

    #[test]
    fn a_word_inside_a_longer_name_is_another_word() {
        assert!(has_word("let x = unsafe {", "unsafe"));
        assert!(!has_word("is_unsafe(c)", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
    }
}
