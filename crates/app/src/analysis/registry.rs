//! The npm registry that the user has chosen.
//!
//! A tool has a home of its own, so npm would not see the user's `.npmrc` there. Only the address is
//! taken from it, without a name and password in it: tokens stay where they are.

use assay_exec::without_login;
use std::{env, fs, path::PathBuf};

/// Returns the registry of the user's own npm settings, if there is one.
pub(crate) fn of_the_user() -> Option<String> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
    let address = either("npm_config_registry").or_else(|| {
        let file = either("npm_config_userconfig").map(PathBuf::from);
        let file = file.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".npmrc")))?;
        of_npmrc(&fs::read_to_string(file).ok()?)
    });
    address.map(|address| without_login(&address))
}

/// The last one counts, as with npm. What names a variable is left to the user's own npm.
fn of_npmrc(text: &str) -> Option<String> {
    let mut values = text.lines().rev().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "registry").then(|| value.trim().trim_matches(['"', '\'']))
    });
    let last = values.next()?;
    let is_address = last.starts_with("http://") || last.starts_with("https://");
    (is_address && !last.contains("${")).then(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_of_the_registry_is_taken() {
        let text = "; registry=http://no\n//a/:_authToken=x\n@scope:registry=http://s\n\
            registry = http://first\nregistry = \"https://a.example/npm/\"\naudit=false\n";
        assert_eq!(of_npmrc(text).as_deref(), Some("https://a.example/npm/"));
        for text in ["", "registry", "#registry=http://a", "registry=${URL}", "registry=file:///x"]
        {
            assert_eq!(of_npmrc(text), None, "{text}");
        }
    }
}
