//! Lists the catalogue's rows, the locks and our own rules, so that a new file is picked up by
//! itself. Only names are decided here; the texts are embedded by `include_str!`.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for folder in ["catalogue", "locks", "rules"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let mut text = String::new();
    text.push_str(&list("ROWS", &files(&root, "catalogue", "toml")?, &root.join("catalogue")));
    let python = root.join("locks/python");
    text.push_str(&list("PYTHON_LOCKS", &files(&root, "locks/python", "txt")?, &python));
    text.push_str(&list("NPM_FILES", &files(&root, "locks/npm", "json")?, &root.join("locks/npm")));
    let mut rules = files(&root, "rules", "yaml")?;
    rules.extend(files(&root, "rules", "yml")?);
    rules.retain(|path| !path.starts_with(root.join("rules/tests")));
    text.push_str(&list("RULES", &rules, &root.join("rules")));
    fs::write(out.join("embedded.rs"), text)
}

/// Returns every file below `folder` that ends in `.ext`, sorted.
fn files(root: &Path, folder: &str, ext: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with('.') || name == "node_modules") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == ext) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes one table of names (relative to `base`) and embedded texts.
fn list(name: &str, files: &[PathBuf], base: &Path) -> String {
    let mut rows = String::new();
    for path in files {
        let relative = path.strip_prefix(base).unwrap_or(path).display().to_string();
        let full = path.display().to_string();
        let _ = writeln!(rows, "    ({relative:?}, include_str!({full:?})),");
    }
    format!("pub(crate) static {name}: &[(&str, &str)] = &[\n{rows}];\n")
}
