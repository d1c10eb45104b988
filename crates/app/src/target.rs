//! Which app is meant: a path, or an app of a model under the source roots.

mod asked; // what a request over the wire names
mod known; // which apps there are

pub(crate) use asked::{Sought, Whose};
pub(crate) use known::{KnownApps, number_of};

use crate::failure::Failure;
use assay_model::AppRef;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// The app that the words of the command line name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) app: AppRef,
    /// Symlink-free and absolute.
    pub(crate) path: PathBuf,
    /// It was named by model and number: nothing in it is read as configuration.
    pub(crate) is_model_app: bool,
}

// === impl Target ===

impl Target {
    /// The tree that the app belongs to: for a single file the folder around it, which came with it.
    pub(crate) fn tree(&self) -> &Path {
        let parent = self.path.parent().filter(|_| self.path.is_file());
        parent.unwrap_or(&self.path)
    }
}

/// Takes the words of a plain path. Whether it can be read is seen when it is copied.
pub(crate) fn of_path(path: &Path) -> Result<Target, Failure> {
    let full = path.canonicalize().map_err(|error| {
        let what = format!("there is no app at `{}`", path.display());
        Failure::usage(what)
            .because(error)
            .hint("give a folder or a file, or MODEL and APP; see `assay analyze --help`")
    })?;
    let app = AppRef::Path { path: path.display().to_string() };
    Ok(Target { app, path: full, is_model_app: false })
}

/// Looks for app `number` of `model` under the source roots, as the wire protocol says
/// (section 3): `<model>/app<N>`, then `<model>/<template>/app<N>`.
pub(crate) fn of_model(words: &[OsString], roots: &[PathBuf]) -> Result<Target, Failure> {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let (model, number) = (text(&words[0]), text(&words[1]));
    let app = AppRef::model_app(&model, &number)
        .map_err(|error| Failure::usage(error.to_string()).hint("write MODEL and `1` or `app1`"))?;
    let AppRef::ModelApp { model: slug, number } = &app else {
        unreachable!("`model_app` makes no other")
    };
    let folder = format!("app{number}");
    for root in roots {
        let Ok(root) = root.canonicalize() else { continue };
        for name in variants(&model, slug.as_str()) {
            let found = candidates(&root.join(name), &folder)
                .into_iter()
                .filter_map(|path| path.canonicalize().ok())
                // A link under the root may lead anywhere.
                .find(|path| path.is_dir() && path.starts_with(&root));
            if let Some(path) = found {
                return Ok(Target { app, path, is_model_app: true });
            }
        }
    }
    let roots: Vec<String> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
    Err(Failure::usage(format!("there is no {app} under {}", roots.join(" or ")))
        .hint("set `source-roots` in assay.toml or ASSAY_SOURCE_ROOTS, or give a path"))
}

/// Takes a folder that a pattern matched: the app of a model, where it lies under the source roots as
/// one, else a plain path.
pub(crate) fn of_found(path: &Path, roots: &[PathBuf]) -> Result<Target, Failure> {
    let plain = of_path(path)?;
    let Some(number) = number_of(&plain.path) else { return Ok(plain) };
    // Beside its model, or below a template of it.
    let above = plain.path.ancestors().skip(1).take(2);
    let names = above.filter_map(Path::file_name).map(ToOwned::to_owned);
    let found = names.filter_map(|model| of_model(&[model, number.to_string().into()], roots).ok());
    let same = found.into_iter().find(|target| target.path == plain.path);
    Ok(same.unwrap_or(plain))
}

/// The model's name as given, normalised, and with `_` and `-` exchanged.
fn variants(given: &str, slug: &str) -> Vec<String> {
    let mut names = Vec::new();
    let tame = !given.contains('/') && !given.contains("..") && !given.is_empty();
    let given = tame.then(|| given.to_owned());
    for name in
        given.into_iter().chain([slug.to_owned(), slug.replace('_', "-"), slug.replace('-', "_")])
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn candidates(model: &Path, folder: &str) -> Vec<PathBuf> {
    let mut templates: Vec<PathBuf> = fs::read_dir(model)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join(folder))
        .collect();
    templates.sort();
    templates.insert(0, model.join(folder));
    templates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots_with(apps: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        for app in apps {
            fs::create_dir_all(dir.path().join("apps").join(app)).unwrap();
        }
        let roots = vec![dir.path().join("nowhere"), dir.path().join("apps")];
        (dir, roots)
    }

    #[track_caller]
    fn check(apps: &[&str], words: [&str; 2], expected: Option<&str>) {
        let (dir, roots) = roots_with(apps);
        let found = of_model(&words.map(OsString::from), &roots).ok();
        let inside = dir.path().canonicalize().unwrap().join("apps");
        let shown = found.map(|t| t.path.strip_prefix(&inside).unwrap().display().to_string());
        assert_eq!(shown.as_deref(), expected);
    }

    #[test]
    fn an_app_is_found_under_the_variants_of_its_models_name() {
        check(&["openai_gpt-4/app1"], ["openai/gpt-4", "1"], Some("openai_gpt-4/app1"));
        check(&["openai-gpt-4/app1"], ["openai_gpt_4", "app1"], Some("openai-gpt-4/app1"));
        check(&["openai-gpt-4/app1"], ["openai_gpt-4", "app1"], Some("openai-gpt-4/app1"));
        check(&["Model/app3"], ["Model", "3"], Some("Model/app3"));
        check(&["m/flask/app2"], ["m", "2"], Some("m/flask/app2"));
        check(&["m/app2", "m/flask/app2"], ["m", "2"], Some("m/app2"));
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_roots() {
        check(&["m/app1"], ["../apps/m", "1"], None);
        check(&["m/app1"], ["..", "1"], None);
        let (dir, roots) = roots_with(&["m"]);
        fs::create_dir(dir.path().join("secret")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("apps/m/app1"))
            .unwrap();
        assert!(of_model(&["m".into(), "1".into()], &roots).is_err());
    }
}
