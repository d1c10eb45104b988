//! What tools call a file, and whether it may be believed.
//!
//! A path in a tool's output may come from a hostile file name or a tool that was taken over. What
//! does not lie inside the project names no file of the app.

use crate::calls::Places;
use assay_model::SourcePath;
use camino::Utf8Path;
use std::{borrow::Cow, cell::RefCell, collections::HashMap};

/// Answers that are remembered: reports name the same few files again and again.
const REMEMBERED_MAX: usize = 4_096;

/// Finds the file of the app that a tool means.
pub(crate) struct Paths<'a> {
    project: &'a str,
    cwd: &'a str,
    is_file: &'a dyn Fn(&SourcePath) -> bool,
    /// URIs that stood on no base.
    remembered: RefCell<HashMap<String, Option<SourcePath>>>,
}

// === impl Paths ===

impl<'a> Paths<'a> {
    pub(crate) fn new(
        places: &'a Places,
        cwd: &'a Utf8Path,
        is_file: &'a dyn Fn(&SourcePath) -> bool,
    ) -> Self {
        let project = places.project.as_str().trim_end_matches('/');
        let cwd = cwd.as_str().trim_end_matches('/');
        Self { project, cwd, is_file, remembered: RefCell::default() }
    }

    /// Whether the app has that file.
    pub(crate) fn holds(&self, path: &SourcePath) -> bool {
        (self.is_file)(path)
    }

    /// Returns the file that a plain path names; `None` where it leads out of the project.
    pub(crate) fn file(&self, path: &str) -> Option<SourcePath> {
        if path.starts_with('/') {
            let path = absolute(path)?;
            return self.below_project(&path);
        }
        let from_cwd =
            absolute(&format!("{}/{path}", self.cwd)).and_then(|p| self.below_project(&p));
        let from_top = SourcePath::new(path).ok();
        let named = match (from_cwd, from_top) {
            // A tool that runs elsewhere but prints names relative to what it was given.
            (Some(cwd), Some(top)) if !(self.is_file)(&cwd) && (self.is_file)(&top) => Some(top),
            (Some(cwd), _) => Some(cwd),
            (None, top) => top,
        }?;
        if (self.is_file)(&named) {
            return Some(named);
        }
        Some(self.without_the_projects_name(path).unwrap_or(named))
    }

    /// Returns the file that a path names whose first folders are the last ones of the project's
    /// own path: checkov prints `../project/a.tf` as `project/a.tf`. Only a file that is there is
    /// taken for meant.
    fn without_the_projects_name(&self, path: &str) -> Option<SourcePath> {
        let path = SourcePath::new(path).ok()?;
        let slashes = self.project.match_indices('/').map(|(at, _)| &self.project[at + 1..]);
        let rests = slashes.filter_map(|end| path.as_str().strip_prefix(end)?.strip_prefix('/'));
        let files = rests.filter_map(|rest| SourcePath::new(rest).ok());
        files.filter(|file| (self.is_file)(file)).last()
    }

    /// Returns the file that a URI names, given what it is relative to.
    pub(crate) fn uri(&self, uri: &str, base: Option<&str>) -> Option<SourcePath> {
        if base.is_some() {
            return self.find(uri, base);
        }
        if let Some(known) = self.remembered.borrow().get(uri) {
            return known.clone();
        }
        let found = self.find(uri, None);
        let mut remembered = self.remembered.borrow_mut();
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(uri.to_owned(), found.clone());
        }
        found
    }

    fn find(&self, uri: &str, base: Option<&str>) -> Option<SourcePath> {
        let local = local_path(uri)?;
        let full = match base.and_then(local_path) {
            Some(base) if !local.starts_with('/') => {
                Cow::Owned(format!("{}/{local}", base.trim_end_matches('/')))
            }
            _ => Cow::Borrowed(local),
        };
        // Some tools encode and some do not: a file whose name really holds `%20` is believed to
        // be meant if it is there.
        let plain = self.file(&full);
        if !full.contains('%') || plain.as_ref().is_some_and(self.is_file) {
            return plain;
        }
        match percent_decoded(&full) {
            Some(decoded) => self.file(&decoded),
            None => plain,
        }
    }

    fn below_project(&self, path: &str) -> Option<SourcePath> {
        let rest = path.strip_prefix(self.project)?;
        SourcePath::new(rest.strip_prefix('/')?).ok()
    }
}

/// Whether a name stays below the folder that it is joined to.
pub(crate) fn safe_name(name: &str) -> bool {
    SourcePath::new(name).is_ok_and(|path| path.as_str() == name)
}

/// Returns the path without `.` and `..`; `None` if it climbs above `/`.
fn absolute(path: &str) -> Option<String> {
    let inner = SourcePath::new(path.trim_start_matches('/')).ok()?;
    Some(format!("/{inner}"))
}

/// Returns the path of a URI without its scheme; `None` for those of other hosts.
fn local_path(uri: &str) -> Option<&str> {
    let path = match uri.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => {
            if !scheme.eq_ignore_ascii_case("file") {
                return None;
            }
            match rest.strip_prefix("//") {
                // `file:///x` and `file://localhost/x`; `file://a.py`, which some tools write,
                // has no host either.
                Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
                None => rest,
            }
        }
        _ => uri,
    };
    Some(path)
}

/// A single letter is a drive of Windows and no scheme; a file may also be called `a.b:c`.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '-')
}

/// Returns the text with `%XX` replaced; `None` where that would be no UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let pair = tail.get(..2).filter(|_| *first == b'%');
        let byte = pair.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Places;
    use proptest::prelude::*;

    fn places() -> Places {
        Places {
            project: "/snap/app".into(),
            scratch: "/snap/scratch".into(),
            config: "/snap/config".into(),
            prefix: "/snap/prefix".into(),
            assay: "/bin/assay".into(),
        }
    }

    #[track_caller]
    fn check(uri: &str, base: Option<&str>, expected: Option<&str>) {
        let places = places();
        let is_file = |path: &SourcePath| path.as_str() == "real%20name.py";
        let paths = Paths::new(&places, &places.scratch, &is_file);
        let found = paths.uri(uri, base);
        assert_eq!(found.as_ref().map(SourcePath::as_str), expected, "{uri} from {base:?}");
    }

    #[test]
    fn a_uri_names_a_file_of_the_app_or_none() {
        check("file:///snap/app/a/b.py", None, Some("a/b.py"));
        check("file://localhost/snap/app/a.py", None, Some("a.py"));
        check("/snap/app/a%20b.py", None, Some("a b.py"));
        check("real%20name.py", None, Some("real%20name.py"));
        check("a.py", Some("file:///snap/app/sub/"), Some("sub/a.py"));
        check("../app/x.py", None, Some("x.py"));
        check("./a:b.py", None, Some("a:b.py"));
        check("file:///etc/passwd", None, None);
        check("file:///snap/application/x.py", None, None);
        check("../../etc/passwd", None, None);
        check("%2e%2e/%2e%2e/%2e%2e/etc/passwd", None, None);
        check("file:///snap/app/../../etc/passwd", None, None);
        check("https://example.org/a.py", None, None);
        check("", None, None);
    }

    #[track_caller]
    fn check_among(files: &[&str], path: &str, expected: &str) {
        let places = places();
        let is_file = |path: &SourcePath| files.contains(&path.as_str());
        let paths = Paths::new(&places, &places.scratch, &is_file);
        let found = paths.file(path);
        assert_eq!(found.as_ref().map(SourcePath::as_str), Some(expected), "{path} in {files:?}");
    }

    #[test]
    fn a_path_that_begins_with_the_projects_own_folders_names_the_file_below_it() {
        check_among(&["Dockerfile"], "app/Dockerfile", "Dockerfile");
        check_among(&["a/b.tf"], "snap/app/a/b.tf", "a/b.tf");
        // What is there is meant, whatever its folder is called.
        check_among(&["app/a.tf", "a.tf"], "app/a.tf", "app/a.tf");
        check_among(&["app/a.tf"], "app/app/a.tf", "app/a.tf");
        // What is not there stays as it was said.
        check_among(&["b.tf"], "app/a.tf", "app/a.tf");
        check_among(&["a.tf"], "other/a.tf", "other/a.tf");
        check_among(&["a.tf"], "application/a.tf", "application/a.tf");
    }

    proptest! {
        #[test]
        fn no_uri_ever_leaves_the_project(uri in "(file://|/|\\.\\./|%2e|snap|app|[a-z%:.]|\\PC){0,12}") {
            let places = places();
            let paths = Paths::new(&places, &places.scratch, &|_| false);
            if let Some(path) = paths.uri(&uri, None) {
                prop_assert!(!path.as_str().split('/').any(|part| part == ".." || part.is_empty()));
                prop_assert!(!path.as_str().starts_with('/'));
            }
        }
    }
}
