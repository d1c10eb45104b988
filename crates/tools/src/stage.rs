//! Copies that a tool sees instead of files of the app.
//!
//! A tool that is run beside a lock file also reads the `.npmrc` that lies there; one that is given
//! a `requirements.txt` obeys its options. With copies in its scratch folder it sees what it needs,
//! and what is left out is told, so that it never passes for "nothing found".

use crate::{
    calls::{Call, Places},
    native::exact_requirements,
    read::cleaned,
    tool::Tool,
};
use assay_model::{SourcePath, StagedContent};
use camino::{Utf8Path, Utf8PathBuf};
use std::{
    fs,
    io::{self, Read as _},
};

/// Larger than any list of packages; a copy must not fill the disk.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// Names that are told of what is left out; the rest is counted.
const NAMES_MAX: usize = 5;

/// One copy to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staging {
    from: Utf8PathBuf,
    to: Utf8PathBuf,
    content: StagedContent,
    /// It may be missing.
    optional: bool,
}

// === impl Tool ===

impl Tool {
    pub(crate) fn staged(
        &self,
        places: &Places,
        scratch: &Utf8Path,
        file: Option<&SourcePath>,
    ) -> Vec<Staging> {
        let Some(file) = file else { return Vec::new() };
        let folder = places.project.join(file.parent());
        let staged = self.says.run.staged.iter().map(|staged| Staging {
            from: match &staged.beside {
                Some(name) => folder.join(name),
                None => places.project.join(file.as_str()),
            },
            to: scratch.join(&staged.name),
            content: staged.content,
            optional: staged.beside.is_some(),
        });
        staged.collect()
    }
}

// === impl Call ===

impl Call {
    /// Makes the copies that the tool is to see; its scratch folder has to be there. Blocks.
    pub fn stage(&mut self) -> io::Result<()> {
        for staging in std::mem::take(&mut self.staged) {
            let bytes = match read(&staging.from) {
                Err(error) if staging.optional && error.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                read => read?,
            };
            match staging.content {
                StagedContent::Whole => fs::write(&staging.to, bytes)?,
                StagedContent::PinnedRequirements => {
                    let (exact, open) = exact_requirements(&String::from_utf8_lossy(&bytes));
                    fs::write(&staging.to, exact)?;
                    self.left_out.extend(not_asked(&open));
                }
            }
        }
        Ok(())
    }
}

fn read(path: &Utf8Path) -> io::Result<Vec<u8>> {
    // A link in the app may lead anywhere.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other(format!("`{path}` is no regular file")));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(COPY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > COPY_BYTES_MAX {
        return Err(io::Error::other(format!("`{path}` is larger than {COPY_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn not_asked(open: &[String]) -> Option<String> {
    let names: Vec<String> =
        open.iter().take(NAMES_MAX).map(|open| format!("`{}`", cleaned(open, 60))).collect();
    let more = if open.len() > NAMES_MAX { ", …" } else { "" };
    (!open.is_empty()).then(|| {
        format!(
            "{} without an exact version could not be looked up: {}{more}",
            open.len(),
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalogue, Settings};

    /// Stages one file of a folder for a tool and returns the call and the scratch folder.
    fn staged(tool: &str, files: &[(&str, &str)]) -> (Call, tempfile::TempDir) {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(guard.path()).unwrap();
        for folder in ["project/sub", "scratch/0"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (name, text) in files {
            fs::write(root.join("project/sub").join(name), text).unwrap();
        }
        let places = Places {
            project: root.join("project"),
            scratch: root.join("scratch"),
            config: root.join("config"),
            prefix: root.join("prefix"),
            assay: root.join("assay"),
        };
        let file = SourcePath::new(&format!("sub/{}", files[0].0)).unwrap();
        let catalogue = Catalogue::shipped().unwrap();
        let tool = catalogue.get(tool).unwrap();
        (tool.calls(&places, &[file], &Settings::default()).remove(0), guard)
    }

    fn copies(call: &Call) -> Vec<(String, String)> {
        let entries = fs::read_dir(&call.scratch).unwrap().map(|entry| entry.unwrap().path());
        let mut copies: Vec<_> = entries
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(&path).unwrap())
            })
            .collect();
        copies.sort();
        copies
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn a_tool_sees_a_lock_file_and_not_what_lies_beside_it() {
        let files = [("package-lock.json", "{}"), (".npmrc", "registry=http://evil")];
        let (mut call, _guard) = staged("npm-audit", &files);
        call.stage().unwrap();
        assert_eq!(copies(&call), [pair("package-lock.json", "{}")]);
        assert_eq!(call.cwd, call.scratch, "npm reads the `.npmrc` of its working directory");
        let files = [("package-lock.json", "{}"), ("package.json", "[]")];
        let (mut call, _guard) = staged("npm-audit", &files);
        call.stage().unwrap();
        assert_eq!(copies(&call), [pair("package-lock.json", "{}"), pair("package.json", "[]")]);
    }

    #[test]
    fn what_a_tool_is_not_shown_is_told() {
        let text = "flask==1.0\n-e .\na\nb\nc\nd\ne>=\u{1b}[31m\n";
        let (mut call, _guard) = staged("pip-audit", &[("requirements.txt", text)]);
        call.stage().unwrap();
        assert_eq!(copies(&call), [pair("requirements.txt", "flask==1.0\n")]);
        let told =
            "6 without an exact version could not be looked up: `-e .`, `a`, `b`, `c`, `d`, …";
        assert_eq!(call.left_out, [told]);
    }

    #[test]
    fn a_link_is_not_followed() {
        let (mut call, guard) = staged("npm-audit", &[("package-lock.json", "{}")]);
        let beside = guard.path().join("project/sub/package.json");
        std::os::unix::fs::symlink("/etc/passwd", beside).unwrap();
        assert!(call.stage().is_err());
    }
}
