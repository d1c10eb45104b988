//! The page of planted bugs against the patches. That each is caught is seen by
//! `scripts/planted-bugs`, which takes minutes.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn the_page_lists_every_planted_bug() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("../../docs/planted-bugs.md")).expect("the page");
    let mut bugs = 0;
    for room in entries(&here.join("..")) {
        for path in entries(&room.join("planted")) {
            let text = fs::read_to_string(&path).expect("a patch");
            let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
            let first = text.lines().next().and_then(|line| line.strip_prefix("# "));
            let said = first.and_then(|line| line.rsplit_once("; caught by "));
            let (breaks, test) = said.expect("`# WHAT; caught by TEST`");
            let row = format!("| `{name}` | {breaks} | `{test}` |");
            assert!(page.contains(&row), "run `scripts/planted-bugs --write`: no row for {name}");
            bugs += 1;
        }
    }
    assert!(bugs > 0, "the patches were not found");
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, bugs, "run `scripts/planted-bugs --write`: a row has no patch");
}

/// What lies in the folder; nothing where there is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).collect()
}
