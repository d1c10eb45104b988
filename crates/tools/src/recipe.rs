//! How a tool is installed: what provisioning needs to know, with the lock itself.

use crate::embedded;
use assay_model::{Install, ToolId};

/// Everything that has to be there before a tool can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe<'a> {
    /// An environment of its own, from a `requirements.txt` with hashes.
    Python { package: &'a str, version: &'a str, lock: &'static str },
    /// The one prefix that all npm tools share.
    Node {
        package: &'a str,
        version: &'a str,
        package_json: &'static str,
        package_lock: &'static str,
    },
    /// A program that the user has.
    Path {
        program: &'a str,
        version_args: &'a [String],
        /// The beginning of the version that it has to be of.
        version: Option<&'a str>,
        mend: &'a str,
    },
    /// Part of this binary; `data` is an environment that only holds its data.
    Builtin { version: &'a str, data: Option<BuiltinData<'a>> },
}

/// A Python package that an analyzer of ours reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinData<'a> {
    pub package: &'a str,
    pub lock: &'static str,
}

/// The embedded locks of one tool, found when it was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Locks {
    None,
    Python(&'static str),
    Node { package_json: &'static str, package_lock: &'static str },
}

// === impl Locks ===

impl Locks {
    /// Returns what the tool needs, or the file that is missing.
    pub(crate) fn find(id: &ToolId, install: &Install) -> Result<Self, String> {
        match install {
            Install::Pypi { .. } => python_lock(id.as_str()).map(Self::Python),
            Install::Builtin { package: Some(package), .. } => {
                python_lock(id.as_str()).or_else(|_| python_lock(package)).map(Self::Python)
            }
            Install::Npm { .. } => {
                let package_json = npm_file("package.json")?;
                let package_lock = npm_file("package-lock.json")?;
                Ok(Self::Node { package_json, package_lock })
            }
            Install::Path { .. } | Install::Builtin { package: None, .. } => Ok(Self::None),
        }
    }
}

// === impl Recipe ===

impl<'a> Recipe<'a> {
    pub(crate) fn of(install: &'a Install, program: &'a str, locks: Locks) -> Self {
        match (install, locks) {
            (Install::Pypi { package, version }, Locks::Python(lock)) => {
                Self::Python { package, version, lock }
            }
            (Install::Npm { package, version }, Locks::Node { package_json, package_lock }) => {
                Self::Node { package, version, package_json, package_lock }
            }
            (Install::Builtin { version, package }, locks) => {
                let data = match (package, locks) {
                    (Some(package), Locks::Python(lock)) => Some(BuiltinData { package, lock }),
                    _ => None,
                };
                Self::Builtin { version, data }
            }
            (Install::Path { version_args, version, mend }, _) => {
                Self::Path { program, version_args, version: version.as_deref(), mend }
            }
            (Install::Pypi { .. } | Install::Npm { .. }, _) => {
                unreachable!("`Locks::find` refuses a package without its lock")
            }
        }
    }
}

fn python_lock(name: &str) -> Result<&'static str, String> {
    let file = format!("{name}.txt");
    let found = embedded::PYTHON_LOCKS.iter().find(|(known, _)| *known == file);
    found.map(|(_, text)| *text).ok_or_else(|| format!("locks/python/{file}"))
}

fn npm_file(name: &str) -> Result<&'static str, String> {
    let found = embedded::NPM_FILES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| format!("locks/npm/{name}"))
}
