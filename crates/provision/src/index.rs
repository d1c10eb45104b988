//! Where the user gets Python packages from: what pip and uv are told, we are told too.
//!
//! Does not: look into the analysed project, or the working directory.

use crate::recipe::Settings;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The public index, where the user has named none.
const DEFAULT: &str = "https://pypi.org/simple";

/// A package index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    /// Without a slash at its end. May hold a user's name and password: never shown whole.
    pub(crate) url: String,
    /// A file with certificates to trust beside the system's.
    pub(crate) certificates: Option<PathBuf>,
}

// === impl Index ===

impl Index {
    pub(crate) fn of(settings: &Settings) -> Self {
        let files: Vec<String> =
            pip_files(settings).iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        let in_files = |key: &str| files.iter().find_map(|text| value_in(text, key));
        let url = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
            .iter()
            .find_map(|name| settings.text(name).map(str::to_owned))
            .or_else(|| in_files("index-url"))
            .unwrap_or_else(|| DEFAULT.to_owned());
        // uv allows a name before the address: `inside=https://…`.
        let url = url.split_once("=http").map_or(url.clone(), |(_, rest)| format!("http{rest}"));
        let certificates = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"]
            .iter()
            .find_map(|name| settings.text(name).map(str::to_owned))
            .or_else(|| in_files("cert"))
            .map(PathBuf::from);
        Self { url: url.trim_end_matches('/').to_owned(), certificates }
    }
}

/// pip's configuration files, the one that counts most first.
fn pip_files(settings: &Settings) -> Vec<PathBuf> {
    let path = |name: &str| settings.var(name).map(PathBuf::from);
    let own = path("PIP_CONFIG_FILE");
    if own.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new(); // how pip is told to read none
    }
    let home = path("HOME");
    let configs = path("XDG_CONFIG_HOME").or_else(|| Some(home.clone()?.join(".config")));
    [
        own,
        configs.map(|folder| folder.join("pip/pip.conf")),
        home.map(|folder| folder.join(".pip/pip.conf")),
        Some("/etc/xdg/pip/pip.conf".into()),
        Some("/etc/pip.conf".into()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn value_in(text: &str, key: &str) -> Option<String> {
    let mut section = String::new();
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once(['=', ':'])
            && name.trim().replace('_', "-") == key
            && matches!(section.as_str(), "global" | "install")
            && !value.trim().is_empty()
        {
            // `[install]` is nearer to what we do than `[global]`.
            if found.is_none() || section == "install" {
                found = Some(value.trim().to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::new("/cache".into(), String::new());
        settings.env = vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        settings
    }

    #[test]
    fn what_the_environment_says_beats_the_file() {
        let home = testkit::tempdir().unwrap();
        let file = home.path().join("pip.conf");
        fs::write(&file, "[global]\nindex_url = https://a/simple/\ncert: /c.pem\n").unwrap();
        let file = file.to_str().unwrap();
        let index = Index::of(&settings(&[("PIP_CONFIG_FILE", file)]));
        assert_eq!(index.url, "https://a/simple");
        assert_eq!(index.certificates.as_deref(), Some(Path::new("/c.pem")));
        let both = [("PIP_CONFIG_FILE", file), ("PIP_INDEX_URL", "https://b/simple")];
        assert_eq!(Index::of(&settings(&both)).url, "https://b/simple");
    }

    #[test]
    fn a_named_index_of_uv_loses_its_name() {
        let named = settings(&[("UV_DEFAULT_INDEX", "inside=https://c/simple")]);
        assert_eq!(Index::of(&named).url, "https://c/simple");
    }

    #[test]
    fn other_sections_do_not_count() {
        assert_eq!(value_in("[freeze]\nindex-url = x\n", "index-url"), None);
        let both = "[install]\nindex-url = near\n[global]\nindex-url = far\n";
        assert_eq!(value_in(both, "index-url").as_deref(), Some("near"));
    }
}
