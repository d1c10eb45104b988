//! npm packages: one prefix for all, from a lock with hashes, and no script of theirs is run.

use crate::{
    error::ProvisionError,
    folder::Scratch,
    host::{self, Interpreter},
    program::Program,
    recipe::Settings,
};
use std::{fs, path::PathBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The prefix that is to be made.
#[derive(Debug)]
pub(crate) struct Prefix<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) node: &'a Interpreter,
    pub(crate) package_json: &'a str,
    pub(crate) package_lock: &'a str,
}

// === impl Prefix ===

impl Prefix<'_> {
    /// Makes it inside the scratch folder; it may be moved from there.
    pub(crate) async fn make(
        &self,
        scratch: &Scratch,
        cancel: &CancellationToken,
    ) -> Result<PathBuf, ProvisionError> {
        let npm = host::on_path(self.settings, "npm").ok_or(ProvisionError::NoNpm)?;
        let prefix = scratch.path().join("prefix");
        let failed = |error| ProvisionError::io(&prefix, error);
        fs::create_dir(&prefix).map_err(failed)?;
        fs::write(prefix.join("package.json"), self.package_json).map_err(failed)?;
        fs::write(prefix.join("package-lock.json"), self.package_lock).map_err(failed)?;
        let mut program = Program::new(&npm, self.settings, scratch)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"])
            .args(["--no-update-notifier", "--loglevel=error", "--global=false"])
            .args(["--install-strategy=hoisted", "--include=optional"])
            .arg("--prefix")
            .arg(&prefix)
            .arg("--cache")
            .arg(self.settings.cache.join("npm-cache"));
        for (name, value) in &self.settings.env {
            let name = name.to_string_lossy();
            if is_npm_setting(&name) || self.is_named_in_npmrc(&name) {
                program = program.var(&name, value);
            }
        }
        let deadline = Instant::now() + self.settings.install_time_max;
        let ran = program.run(scratch, deadline, cancel).await?;
        ran.installed("the npm tools", self.settings)?;
        Ok(prefix)
    }

    /// `//registry/:_authToken=${NPM_TOKEN}` in the user's `.npmrc` means the variable.
    fn is_named_in_npmrc(&self, name: &str) -> bool {
        let file = self.settings.var("NPM_CONFIG_USERCONFIG").map(PathBuf::from);
        let home = || Some(PathBuf::from(self.settings.var("HOME")?).join(".npmrc"));
        let text = file.or_else(home).and_then(|path| fs::read_to_string(path).ok());
        text.is_some_and(|text| text.contains(&format!("${{{name}}}")))
    }

    pub(crate) fn node_major(&self) -> &str {
        self.node.version.split('.').next().unwrap_or_default()
    }
}

/// What the user tells npm about its registry. Started by `npm run`, we would also find here which
/// package that was; this must not become the prefix.
fn is_npm_setting(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let place = ["npm_config_local_prefix", "npm_config_prefix", "npm_config_workspace"];
    lower.starts_with("npm_config_") && !place.iter().any(|place| lower.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_taken_over_and_the_prefix_is_not() {
        assert!(is_npm_setting("npm_config_registry") && is_npm_setting("NPM_CONFIG_CAFILE"));
        assert!(!is_npm_setting("npm_config_local_prefix") && !is_npm_setting("NODE_OPTIONS"));
    }
}
