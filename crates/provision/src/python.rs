//! Python packages: one environment each, from a lock with hashes.

use crate::{
    error::ProvisionError,
    folder::Scratch,
    host::Interpreter,
    index::Index,
    program::Program,
    recipe::{ByteCode, Settings},
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Settings of uv that say how the index is reached; the others could change what is installed.
const UV_VARIABLES: &[&str] = &[
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_CONCURRENT_DOWNLOADS",
];

/// One environment that is to be made.
#[derive(Debug)]
pub(crate) struct Environment<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) uv: &'a Path,
    pub(crate) python: &'a Interpreter,
    pub(crate) name: &'a str,
    pub(crate) lock: &'a str,
}

// === impl Environment ===

impl Environment<'_> {
    /// Makes it inside the scratch folder; it may be moved from there.
    pub(crate) async fn make(
        &self,
        scratch: &Scratch,
        cancel: &CancellationToken,
    ) -> Result<PathBuf, ProvisionError> {
        let deadline = Instant::now() + self.settings.install_time_max;
        let prefix = scratch.path().join("prefix");
        let lock = scratch.path().join("lock.txt");
        fs::write(&lock, self.lock).map_err(|error| ProvisionError::io(&lock, error))?;
        let venv = self
            .uv(scratch)
            .args(["venv", "--quiet", "--relocatable", "--no-project", "--python"])
            .arg(&self.python.path)
            .arg(&prefix);
        let ran = venv.run(scratch, deadline, cancel).await?;
        ran.installed(self.name, self.settings)?;
        let mut install = self
            .uv(scratch)
            .args(["pip", "install", "--quiet", "--require-hashes", "--no-deps", "--no-build"])
            .arg("--python")
            .arg(prefix.join("bin/python"))
            .arg("--requirements")
            .arg(&lock);
        if self.settings.byte_code == ByteCode::Compile {
            // uv has a limit of its own, too short on a busy machine; ours is over all.
            install = install.arg("--compile-bytecode").var("UV_COMPILE_BYTECODE_TIMEOUT", "0");
        }
        let ran = install.run(scratch, deadline, cancel).await?;
        if let Some(needed) = python_needed(&ran.stderr_tail) {
            let (path, found) = (self.python.path.clone(), self.python.version.clone());
            return Err(ProvisionError::PythonTooOld { path, found, needed });
        }
        ran.installed(self.name, self.settings)?;
        Ok(prefix)
    }

    fn uv(&self, scratch: &Scratch) -> Program {
        let index = Index::of(self.settings);
        let mut program = Program::new(self.uv, self.settings, scratch)
            .args(["--no-config", "--no-python-downloads", "--no-progress", "--color", "never"])
            .arg("--cache-dir")
            .arg(self.settings.cache.join("uv-cache"))
            .var("UV_DEFAULT_INDEX", index.url)
            // As everywhere else: what the system trusts is trusted.
            .var("UV_SYSTEM_CERTS", "1");
        if let Some(path) = index.certificates {
            program = program.var("SSL_CERT_FILE", path);
        }
        for (name, value) in &self.settings.env {
            let name = name.to_string_lossy();
            if UV_VARIABLES.contains(&&*name) || is_password_of_an_index(&name) {
                program = program.var(&name, value);
            }
        }
        program
    }
}

/// `UV_INDEX_INSIDE_USERNAME`.
fn is_password_of_an_index(name: &str) -> bool {
    name.starts_with("UV_INDEX_") && (name.ends_with("_USERNAME") || name.ends_with("_PASSWORD"))
}

/// The folder of modules of an environment.
pub(crate) fn site_packages(prefix: &Path, python: &Interpreter) -> PathBuf {
    let minor: Vec<&str> = python.version.split('.').take(2).collect();
    prefix.join(format!("lib/python{}/site-packages", minor.join(".")))
}

/// The Python that a package wants, where uv refused it for that reason.
fn python_needed(stderr: &str) -> Option<String> {
    let (_, rest) = stderr.split_once("does not satisfy Python>=")?;
    let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    Some(version.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_wants_a_newer_python_says_which() {
        let said = "cause: Because the current Python version (3.11.2) does not satisfy \
                    Python>=3.12 and django==6.0 depends on Python>=3.12, we can conclude";
        assert_eq!(python_needed(said).as_deref(), Some("3.12"));
        assert_eq!(python_needed("error: no space left"), None);
    }
}
