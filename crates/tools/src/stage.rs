//! Copies that a tool sees instead of files of the app. Says what they hold; whoever starts the tool
//! writes them.
//!
//! A tool that is run beside a lock file also reads the `.npmrc` that lies there; one that is given
//! a `requirements.txt` obeys its options. With copies in its scratch folder it sees what it needs,
//! and what is left out is told, so that it never passes for "nothing found".

use crate::{
    calls::Places,
    native::{exact_requirements, own_requirements},
    read::cleaned,
    tool::Tool,
};
use assay_model::{SourcePath, StagedContent};
use camino::{Utf8Path, Utf8PathBuf};

/// Names that are told of what is left out; the rest is counted.
const NAMES_MAX: usize = 5;

/// One copy to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staging {
    pub from: Utf8PathBuf,
    pub to: Utf8PathBuf,
    /// It may be missing: then there is no copy.
    pub optional: bool,
    content: StagedContent,
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

// === impl Staging ===

impl Staging {
    /// Returns what the copy holds of what the file does, and what to tell of the rest.
    pub fn copy(&self, bytes: Vec<u8>) -> (Vec<u8>, Option<String>) {
        match self.content {
            StagedContent::Whole => (bytes, None),
            StagedContent::PinnedRequirements => {
                let (exact, open) = exact_requirements(&String::from_utf8_lossy(&bytes));
                (exact.into_bytes(), told(&open, "without an exact version could not be looked up"))
            }
            StagedContent::OwnRequirements => {
                let (own, open) = own_requirements(&String::from_utf8_lossy(&bytes));
                (own.into_bytes(), told(&open, "could not be followed"))
            }
        }
    }
}

fn told(open: &[String], what: &str) -> Option<String> {
    let names: Vec<String> =
        open.iter().take(NAMES_MAX).map(|open| format!("`{}`", cleaned(open, 60))).collect();
    let more = if open.len() > NAMES_MAX { ", …" } else { "" };
    (!open.is_empty()).then(|| format!("{} {what}: {}{more}", open.len(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use crate::{Call, Catalogue, Places, Settings};
    use assay_model::SourcePath;

    fn call(tool: &str, file: &str) -> Call {
        let places = Places {
            project: "/snap/app".into(),
            scratch: "/snap/scratch".into(),
            config: "/snap/config".into(),
            prefix: "/snap/prefix".into(),
            assay: "/bin/assay".into(),
        };
        let catalogue = Catalogue::shipped().unwrap();
        let tool = catalogue.get(tool).unwrap();
        tool.calls(&places, &[SourcePath::new(file).unwrap()], &Settings::default()).remove(0)
    }

    #[test]
    fn a_tool_sees_a_lock_file_and_not_what_lies_beside_it() {
        let call = call("npm-audit", "sub/package-lock.json");
        let copies: Vec<_> = call
            .staged
            .iter()
            .map(|copy| (copy.from.as_str(), copy.to.as_str(), copy.optional))
            .collect();
        assert_eq!(
            copies,
            [
                ("/snap/app/sub/package-lock.json", "/snap/scratch/0/package-lock.json", false),
                ("/snap/app/sub/package.json", "/snap/scratch/0/package.json", true),
            ]
        );
        assert_eq!(call.cwd, call.scratch, "npm reads the `.npmrc` of its working directory");
        assert_eq!(call.staged[0].copy(b"{}".to_vec()), (b"{}".to_vec(), None));
    }

    #[test]
    fn what_a_tool_is_not_shown_is_told() {
        let call = call("pip-audit", "requirements.txt");
        let text = "flask==1.0\n-e .\na\nb\nc\nd\ne>=\u{1b}[31m\n";
        let (copy, left_out) = call.staged[0].copy(text.as_bytes().to_vec());
        assert_eq!(copy, b"flask==1.0\n");
        let told =
            "6 without an exact version could not be looked up: `-e .`, `a`, `b`, `c`, `d`, …";
        assert_eq!(left_out.as_deref(), Some(told));
    }
}
