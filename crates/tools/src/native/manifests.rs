//! Pinned dependencies in the files that projects keep them in.

use pep440_rs::Version;
use std::{collections::BTreeMap, str::FromStr};

/// Writes anew what of a `requirements.txt` is exact, one version of each package. Nothing else
/// gets through: no option, no address, no path, no hash. The rest is told.
pub(crate) fn exact_requirements(text: &str) -> (String, Vec<String>) {
    let Pins { pins, mut open } = requirements(text);
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    for Pin { name, version, .. } in pins {
        let known = versions.get(&name);
        let is_version = Version::from_str(&version).is_ok();
        match known {
            None if is_version => drop(versions.insert(name, version)),
            Some(known) if *known == version => {}
            None | Some(_) => open.push(format!("{name}=={version}")),
        }
    }
    let mut exact = String::new();
    for (name, version) in &versions {
        exact.extend([name.as_str(), "==", version, "\n"]);
    }
    (exact, open)
}

/// What parsers written in Python take for the end of a line, beside those that all do.
const LINE_ENDS: [char; 9] =
    ['\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Writes anew what a `requirements.txt` asks for itself, a line each. Options do not get through,
/// and neither do other files that it names, wherever they lie; those that nobody reads otherwise
/// are told.
pub(crate) fn own_requirements(text: &str) -> (String, Vec<String>) {
    let (mut own, mut open) = (String::new(), Vec::new());
    for (_, text) in logical_lines(&text.replace(LINE_ENDS, "\n")) {
        let text = text.trim();
        let is_editable = text.starts_with("-e ") || text.starts_with("--editable");
        if !text.starts_with('-') || is_editable {
            own.extend([text, "\n"]);
        } else if included(text).is_some_and(|included| !is_read_by_name(included)) {
            open.push(text.to_owned());
        }
    }
    (own, open)
}

/// One package of exactly one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    pub name: String,
    pub version: String,
    /// Where it stands, from 1.
    pub line: u32,
}

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pins {
    pub pins: Vec<Pin>,
    /// What names no exact version, so that nothing can be said about it, as written.
    pub open: Vec<String>,
}

/// Reads a `requirements.txt`: continuation lines, comments, options, markers and hashes as pip
/// knows them. Other files that it names (`-r`) are read when they are matched themselves.
pub(super) fn requirements(text: &str) -> Pins {
    let mut found = Pins::default();
    for (line, text) in logical_lines(text) {
        let text = text.split(" #").next().unwrap_or_default().trim();
        if text.starts_with("-e") || text.starts_with("--editable") {
            found.open.push(text.to_owned());
            continue;
        }
        if let Some(included) = included(text) {
            // A file of another name is not among those that are read, so what it asks for is open.
            if !is_read_by_name(included) {
                found.open.push(text.to_owned());
            }
            continue;
        }
        if text.is_empty() || text.starts_with(['#', '-']) {
            continue;
        }
        // Hashes, options and markers do not change which version it is.
        let text = text.split(" --").next().unwrap_or_default();
        let text = text.split(';').next().unwrap_or_default().trim();
        let name_end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        if name.is_empty() {
            found.open.push(text.to_owned());
            continue;
        }
        let rest = match rest.trim_start().strip_prefix('[') {
            Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        match exact_version(rest) {
            Some(version) => {
                found.pins.push(Pin { name: normal_name(name), version: version.to_owned(), line });
            }
            None => found.open.push(text.to_owned()),
        }
    }
    found
}

/// Returns the file that a line includes: `-r base.txt`, `--constraint=c.txt`.
fn included(line: &str) -> Option<&str> {
    let options = ["--requirement", "--constraint", "-r", "-c"];
    let rest = options.iter().find_map(|option| line.strip_prefix(option))?;
    Some(rest.trim_start_matches(['=', ' ', '\t']).trim())
}

/// Whether the row's globs find the file by itself.
fn is_read_by_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains("requirements") && name.ends_with(".txt")
}

/// Reads `poetry.lock`, `uv.lock` and `pdm.lock`, which share their shape.
pub(super) fn toml_lock(text: &str) -> Pins {
    let mut found = Pins::default();
    let (mut in_package, mut name) = (false, None);
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.starts_with('[') {
            let header = text.split('#').next().unwrap_or_default().replace([' ', '\t'], "");
            in_package = header == "[[package]]";
            name = None;
        } else if let Some((key, value)) = text.split_once('=').filter(|_| in_package) {
            let value = value.trim().trim_matches('"').to_owned();
            match (key.trim(), name.take()) {
                ("name", _) => name = Some((value, line)),
                ("version", Some((name, line))) => {
                    found.pins.push(Pin { name: normal_name(&name), version: value, line });
                }
                (_, kept) => name = kept,
            }
        }
    }
    found
}

/// Returns a name as the index compares it (PEP 503).
pub(super) fn normal_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

/// `==1.2` and `===1.2` name one version; `==1.*` and anything with a comma do not.
fn exact_version(rest: &str) -> Option<&str> {
    let rest = rest.trim().trim_start_matches('(').trim_end_matches(')');
    let version = rest.strip_prefix("===").or_else(|| rest.strip_prefix("=="))?.trim();
    let version = version.split_whitespace().next()?;
    (!version.contains([',', '*', '='])).then_some(version)
}

fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let (start, mut joined) = open.take().unwrap_or((number, String::new()));
        if let Some(head) = line.strip_suffix('\\') {
            joined.push_str(head);
            joined.push(' ');
            open = Some((start, joined));
        } else {
            joined.push_str(line);
            lines.push((start, joined));
        }
    }
    lines.extend(open);
    lines
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_found_as_pip_reads_them() {
        let text = "\u{feff}# a comment\nFlask==2.0.1  # why\nrequests[socks] == 2.25 ; python_version > '3'\n\
            -r other.txt\n--hash=sha256:aa\nJinja2==3.0.0 \\\n    --hash=sha256:bb\nnumpy>=1.0\n\
            zope.interface===5.0\npin==1.*\nurl @ https://example.org/x.whl\n";
        let found = requirements(text);
        let shown: Vec<_> = found
            .pins
            .iter()
            .map(|pin| format!("{}:{}={}", pin.line, pin.name, pin.version))
            .collect();
        assert_eq!(
            shown,
            ["2:flask=2.0.1", "3:requests=2.25", "6:jinja2=3.0.0", "9:zope-interface=5.0"]
        );
        assert_eq!(
            found.open,
            ["-r other.txt", "numpy>=1.0", "pin==1.*", "url @ https://example.org/x.whl"]
        );
        let odd =
            requirements("-e .\n--editable=git+https://a/b\n--index-url http://a\n./local\n/abs\n");
        assert_eq!(odd.open, ["-e .", "--editable=git+https://a/b", "./local", "/abs"]);
    }

    #[test]
    fn only_exact_versions_get_through() {
        let text = "Flask==2.0.1 --hash=sha256:aa\n--index-url http://evil\n-e .\n-r http://evil/r.txt\n\
            a==1;python_version<'3'\na==2\na==1\nb==x y\nc==1@http://evil\nflask===2.0.1\nd\n";
        let (exact, open) = exact_requirements(text);
        assert_eq!(exact, "a==1\nflask==2.0.1\n");
        assert_eq!(open, ["-e .", "-r http://evil/r.txt", "d", "a==2", "b==x", "c==1@http://evil"]);
    }

    #[test]
    fn no_other_file_gets_through() {
        let text = "flask==2 \\\n  --hash=sha256:aa\n-r ../../secret\n --requ x\n-cx\nb\u{c}-r /etc/passwd\n\
            -e ./c -r d\n-i http://evil -r e\n# note\n--requirement=requirements-dev.txt\n";
        let (own, open) = own_requirements(text);
        let lines: Vec<_> =
            own.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["flask==2 --hash=sha256:aa", "b", "-e ./c -r d", "# note"]);
        assert_eq!(open, ["-r ../../secret", "-cx", "-r /etc/passwd"]);
    }

    #[test]
    fn a_lock_file_is_read_package_by_package() {
        let text = "version = 1\n[[package]]\nname = \"Foo_Bar\"\nversion = \"1.0\"\n\
            [package.dependencies]\nversion = \"9\"\n[[package]]\nname = \"b\"\nversion = \"2\"\n";
        let found = toml_lock(text).pins;
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].line), ("foo-bar", 3));
        assert_eq!(found[1].version, "2");
    }
}
