//! Which app a request over the wire names: section 3 of the protocol.
//!
//! Keeps: whatever a request says, what is found lies inside a source root after every link was
//! followed; of what lies outside nobody learns whether it is there.

use super::{Target, candidates, variants};
use assay_model::{AppRef, ModelSlug};
use assay_wire::AnalysisRequest;
use std::{
    env,
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// Whose app it is, as the request says and as we say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    /// As the request names the model.
    pub(crate) given: String,
    /// Normalised; absent where the name is none.
    pub(crate) model: Option<ModelSlug>,
    pub(crate) number: u32,
}

/// Where the app of a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    Found(Target),
    Missing,
    /// It lies outside of every source root.
    NotAllowed,
}

/// What clients of the first system mean when they name no model.
const NO_MODEL: &str = "unknown";
const NO_NUMBER: u32 = 1;

// === impl Whose ===

impl Whose {
    pub(crate) fn of(request: &AnalysisRequest) -> Self {
        let given = request.model.clone().unwrap_or_else(|| NO_MODEL.to_owned());
        let model = ModelSlug::new(&given).ok();
        Self { given, model, number: request.app_number.unwrap_or(NO_NUMBER) }
    }

    /// The words of the first system for an app that is not there.
    pub(crate) fn not_found(&self) -> String {
        let given: String = self.given.chars().take(NAME_SHOWN_MAX).collect();
        let Self { number, .. } = self;
        format!(
            "Model path not found for {given} app{number} (checked flat and template structures)"
        )
    }

    /// The model as a key has it: normalised, where it can be.
    pub(crate) fn normal(&self) -> &str {
        self.model.as_ref().map_or(self.given.as_str(), ModelSlug::as_str)
    }
}

/// Characters of a model's name that an answer repeats.
const NAME_SHOWN_MAX: usize = 200;

// === impl Sought ===

impl Sought {
    /// Looks for the app of a request under the source roots. Blocks.
    pub(crate) fn of(request: &AnalysisRequest, roots: &[PathBuf]) -> Self {
        let whose = Whose::of(request);
        match &request.source_path {
            Some(path) => Self::of_path(Path::new(path), &whose, roots),
            None => Self::of_model(&whose, roots),
        }
    }

    fn of_path(path: &Path, whose: &Whose, roots: &[PathBuf]) -> Self {
        let Some((full, is_there)) = followed(path) else { return Self::NotAllowed };
        let roots = roots.iter().filter_map(|root| followed(root));
        if !roots.into_iter().any(|(root, _)| full.starts_with(root)) {
            return Self::NotAllowed;
        }
        if !is_there {
            return Self::Missing;
        }
        let app = match &whose.model {
            Some(model) => AppRef::ModelApp { model: model.clone(), number: whose.number },
            None => AppRef::Path { path: path.display().to_string() },
        };
        Self::Found(Target { app, path: full, is_model_app: true })
    }

    fn of_model(whose: &Whose, roots: &[PathBuf]) -> Self {
        let Some(slug) = &whose.model else {
            let climbs = whose.given.contains("..");
            return if climbs { Self::NotAllowed } else { Self::Missing };
        };
        let folder = format!("app{}", whose.number);
        let mut is_outside = false;
        for root in roots.iter().filter_map(|root| root.canonicalize().ok()) {
            for name in variants(&whose.given, slug.as_str()) {
                let there = candidates(&root.join(name), &folder);
                for path in there.into_iter().filter_map(|path| path.canonicalize().ok()) {
                    if !path.starts_with(&root) {
                        // A link under the root may lead anywhere.
                        is_outside = true;
                    } else if path.is_dir() {
                        let app = AppRef::ModelApp { model: slug.clone(), number: whose.number };
                        return Self::Found(Target { app, path, is_model_app: true });
                    }
                }
            }
        }
        if is_outside { Self::NotAllowed } else { Self::Missing }
    }
}

/// Follows all links of a path, as far as it is there. Says where it leads and whether it is there;
/// `None` where that cannot be said.
fn followed(path: &Path) -> Option<(PathBuf, bool)> {
    let path = env::current_dir().ok()?.join(path);
    if let Ok(full) = path.canonicalize() {
        return Some((full, true));
    }
    let mut rest: Vec<OsString> = Vec::new();
    let mut above = path.as_path();
    loop {
        // `x/..` is not the folder around `x`, where `x` is a link or not there.
        let Component::Normal(name) = above.components().next_back()? else { return None };
        rest.push(name.to_owned());
        above = above.parent()?;
        // A link that leads nowhere is there, and may lead somewhere later.
        if above.join(rest.last()?).is_symlink() {
            return None;
        }
        if let Ok(full) = above.canonicalize() {
            let full = rest.iter().rev().fold(full, |full, name| full.join(name));
            return Some((full, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    /// ```text
    /// roots/apps     a source root
    /// roots/secret   outside of it
    /// ```
    fn world() -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let full = dir.path().canonicalize().unwrap();
        for path in ["apps/acme_demo/app1", "apps/other/flask/app2", "secret/app1", "apps/evil"] {
            fs::create_dir_all(full.join(path)).unwrap();
        }
        symlink(full.join("secret/app1"), full.join("apps/evil/app1")).unwrap();
        symlink("nowhere", full.join("apps/evil/app2")).unwrap();
        let roots = vec![full.join("nowhere"), full.join("apps")];
        (dir, roots)
    }

    fn sought(request: AnalysisRequest) -> String {
        let (dir, roots) = world();
        let full = dir.path().canonicalize().unwrap();
        let path = request.source_path.map(|path| path.replace('@', full.to_str().unwrap()));
        match Sought::of(&AnalysisRequest { source_path: path, ..request }, &roots) {
            Sought::Found(target) => {
                format!("{}: {}", target.app, target.path.strip_prefix(&full).unwrap().display())
            }
            Sought::Missing => "missing".to_owned(),
            Sought::NotAllowed => "not allowed".to_owned(),
        }
    }

    #[track_caller]
    fn by_model(model: &str, number: u32, expected: &str) {
        let (model, app_number) = (Some(model.to_owned()), Some(number));
        let found = sought(AnalysisRequest { model, app_number, ..AnalysisRequest::default() });
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn by_path(path: &str, expected: &str) {
        let (model, source_path) = (Some("m".to_owned()), Some(path.to_owned()));
        let found = sought(AnalysisRequest { model, source_path, ..AnalysisRequest::default() });
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn an_app_is_found_by_its_model() {
        by_model("Acme/Demo", 1, "acme_demo/app1: apps/acme_demo/app1");
        by_model("acme-demo", 1, "acme-demo/app1: apps/acme_demo/app1");
        by_model("other", 2, "other/app2: apps/other/flask/app2");
        by_model("acme_demo", 7, "missing");
        by_model("nosuch", 1, "missing");
        by_model("", 1, "missing");
        by_model("../secret", 1, "not allowed");
        by_model("evil", 1, "not allowed");
        by_model("evil", 2, "missing");
    }

    #[test]
    fn a_path_has_to_lie_inside_of_a_root() {
        by_path("@/apps/acme_demo/app1", "m/app1: apps/acme_demo/app1");
        by_path("@/apps/acme_demo/../acme_demo/./app1", "m/app1: apps/acme_demo/app1");
        by_path("@/apps/acme_demo/app9", "missing");
        by_path("@/nowhere/m/app1", "missing");
        for outside in [
            "@/secret/app1",
            "@/secret/no",
            "@/apps/../secret/app1",
            "@/apps/evil/app1",
            "@/apps/evil/app2",
            "@/apps/evil/app2/deep",
            "@/apps/no/../../secret/app1",
            "@/apps2",
            "/etc/passwd",
            "/",
            "",
            "relative",
            "\0",
        ] {
            by_path(outside, "not allowed");
        }
    }

    #[test]
    fn an_app_that_is_not_there_is_told_in_the_words_of_the_first_system() {
        let request = AnalysisRequest {
            model: Some("nosuch".to_owned()),
            app_number: Some(1),
            ..AnalysisRequest::default()
        };
        assert_eq!(
            Whose::of(&request).not_found(),
            "Model path not found for nosuch app1 (checked flat and template structures)"
        );
    }
}
