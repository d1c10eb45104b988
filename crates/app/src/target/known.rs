//! Which apps of which models there are under the source roots.
//!
//! Keeps: what is listed here is found by `of_model`, and under the same names.

use super::variants;
use assay_model::AppRef;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Numbers that are named where an app is not there.
const NAMED_MAX: usize = 5;

/// Numbers of apps by the name of their model's folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownApps(BTreeMap<String, BTreeSet<u32>>);

// === impl KnownApps ===

impl KnownApps {
    pub(crate) fn under(roots: &[PathBuf]) -> Self {
        let mut known = Self::default();
        for root in roots.iter().filter_map(|root| root.canonicalize().ok()) {
            for model in folders(&root) {
                let Some(name) = name_of(&model) else { continue };
                let mut numbers = numbers_in(&model, &root);
                for template in folders(&model) {
                    numbers.extend(numbers_in(&template, &root));
                }
                if !numbers.is_empty() {
                    known.0.entry(name).or_default().extend(numbers);
                }
            }
        }
        known
    }

    pub(crate) fn models(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the numbers of a model's apps, under whichever variant of its name they lie.
    pub(crate) fn of(&self, model: &str) -> BTreeSet<u32> {
        let Ok(AppRef::ModelApp { model: slug, .. }) = AppRef::model_app(model, "1") else {
            return BTreeSet::new();
        };
        let names = variants(model, slug.as_str());
        names.iter().filter_map(|name| self.0.get(name)).flatten().copied().collect()
    }

    /// Says why there is no such app, and which there is.
    pub(crate) fn why_not(&self, model: &str, app: &str) -> String {
        let numbers = self.of(model);
        if !numbers.is_empty() {
            let first: Vec<String> =
                numbers.iter().take(NAMED_MAX).map(|number| format!("app{number}")).collect();
            let more = match (numbers.len(), numbers.last()) {
                (count, Some(last)) if count > NAMED_MAX => {
                    format!(" … app{last} ({count} in all)")
                }
                _ => String::new(),
            };
            let app = app.strip_prefix("app").unwrap_or(app);
            return format!("`{model}` has no app{app}; it has {}{more}", first.join(", "));
        }
        self.no_model(model)
    }

    /// Says that there is no such model, and which is near.
    pub(crate) fn no_model(&self, model: &str) -> String {
        let near = assay_config::nearest(model, self.models());
        let hint = match (near, self.0.len()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, 0) => "there is none at all".to_owned(),
            (None, _) => {
                let named: Vec<String> =
                    self.models().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
                format!("there is {}", named.join(", "))
            }
        };
        format!("there is no model `{model}`; {hint}")
    }
}

fn folders(above: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(above).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name().and_then(|name| name.to_str()).map(str::to_owned)
}

/// Returns the number of a folder that is called `app7`.
pub(crate) fn number_of(path: &Path) -> Option<u32> {
    let digits = path.file_name()?.to_str()?.strip_prefix("app")?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // `app07` is no other way to write `app7`: `of_model` would not find it.
    let is_plain = digits == "0" || !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_number && is_plain)
}

fn numbers_in(folder: &Path, root: &Path) -> BTreeSet<u32> {
    // A link under the root may lead anywhere.
    let tame = |path: &&PathBuf| path.canonicalize().is_ok_and(|full| full.starts_with(root));
    folders(folder).iter().filter(tame).filter_map(|path| number_of(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(apps: &[&str]) -> (tempfile::TempDir, KnownApps) {
        let dir = tempfile::tempdir().unwrap();
        for app in apps {
            fs::create_dir_all(dir.path().join(app)).unwrap();
        }
        let known = KnownApps::under(&[dir.path().to_owned()]);
        (dir, known)
    }

    #[test]
    fn apps_are_known_beside_the_model_and_below_a_template() {
        let (_dir, known) =
            known(&["a_b/app1", "a_b/flask/app2", "a_b/app07", "a_b/apple", "c/docs", "d/app10"]);
        assert_eq!(known.models().collect::<Vec<_>>(), ["a_b", "d"]);
        assert_eq!(known.of("a/b"), [1, 2].into());
        assert_eq!(known.of("a-b"), [1, 2].into());
        assert_eq!(known.of("../d"), BTreeSet::new());
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let apps: Vec<String> =
            (1..=20).map(|number| format!("openai_gpt-4/app{number}")).collect();
        let apps: Vec<&str> = apps.iter().map(String::as_str).collect();
        let (_dir, known) = known(&apps);
        for (model, app, expected) in [
            (
                "openai_gpt-4",
                "app99",
                "`openai_gpt-4` has no app99; it has app1, app2, app3, app4, app5 … app20 (20 in all)",
            ),
            ("opnai_gpt-4", "1", "there is no model `opnai_gpt-4`; did you mean `openai_gpt-4`?"),
            ("zzz", "1", "there is no model `zzz`; there is `openai_gpt-4`"),
        ] {
            assert_eq!(known.why_not(model, app), expected);
        }
        assert!(KnownApps::default().no_model("x").ends_with("there is none at all"));
    }
}
