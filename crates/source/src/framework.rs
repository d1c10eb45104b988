//! Which frameworks the manifests name. A hint for readers and for the choice of tools; nothing
//! that a status depends on, so a manifest that cannot be read names none.

use crate::snapshot::SourceFile;
use assay_model::{SourcePath, SourceText};
use std::collections::BTreeSet;

/// Files that list dependencies or build the app.
const MANIFESTS: &[&str] = &[
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "environment.yml",
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
    "pom.xml",
    "build.gradle",
    "Gemfile",
    "Gemfile.lock",
    "composer.json",
    "composer.lock",
];

const PYTHON_FRAMEWORKS: &[&str] = &[
    "django",
    "flask",
    "fastapi",
    "starlette",
    "tornado",
    "aiohttp",
    "bottle",
    "pyramid",
    "sanic",
    "streamlit",
    "gradio",
    "dash",
    "quart",
    "falcon",
];

/// npm packages and the framework that each stands for.
const NODE_FRAMEWORKS: &[(&str, &str)] = &[
    ("react", "react"),
    ("next", "next"),
    ("vue", "vue"),
    ("nuxt", "nuxt"),
    ("svelte", "svelte"),
    ("@sveltejs/kit", "sveltekit"),
    ("@angular/core", "angular"),
    ("express", "express"),
    ("koa", "koa"),
    ("fastify", "fastify"),
    ("@nestjs/core", "nest"),
    ("@hapi/hapi", "hapi"),
    ("electron", "electron"),
    ("vite", "vite"),
    ("jquery", "jquery"),
    ("solid-js", "solid"),
    ("preact", "preact"),
    ("astro", "astro"),
];

/// Lists the manifests and lock files among the files.
pub(crate) fn manifests(files: &[SourceFile]) -> Vec<SourcePath> {
    let is_requirements = |name: &str| {
        let of_pip = name.starts_with("requirements") || name.ends_with("requirements.txt");
        of_pip && name.rsplit_once('.').is_some_and(|(_, end)| end == "txt" || end == "in")
    };
    files
        .iter()
        .map(|file| &file.path)
        .filter(|path| MANIFESTS.contains(&path.file_name()) || is_requirements(path.file_name()))
        .cloned()
        .collect()
}

/// Names the frameworks that the manifests list among their dependencies.
pub(crate) fn frameworks(manifests: &[SourcePath], source: &dyn SourceText) -> Vec<String> {
    let mut found = BTreeSet::new();
    for path in manifests {
        let Some(text) = source.text(path) else { continue };
        match path.file_name() {
            "package.json" => node(&text, &mut found),
            "pyproject.toml" => pyproject(&text, &mut found),
            "Pipfile" => pipfile(&text, &mut found),
            name if name.ends_with(".txt") || name.ends_with(".in") => {
                text.lines().for_each(|line| python(line, &mut found));
            }
            _ => {}
        }
    }
    found.into_iter().map(str::to_owned).collect()
}

fn node(text: &str, found: &mut BTreeSet<&'static str>) {
    let Ok(manifest) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let names: Vec<&String> = ["dependencies", "devDependencies", "peerDependencies"]
        .iter()
        .filter_map(|key| manifest.get(key)?.as_object())
        .flat_map(serde_json::Map::keys)
        .collect();
    let known =
        NODE_FRAMEWORKS.iter().filter(|(package, _)| names.iter().any(|name| name == package));
    found.extend(known.map(|(_, framework)| *framework));
}

fn pyproject(text: &str, found: &mut BTreeSet<&'static str>) {
    let Ok(manifest) = text.parse::<toml::Table>() else { return };
    let project = manifest.get("project").and_then(|p| p.get("dependencies"));
    for requirement in project.and_then(toml::Value::as_array).into_iter().flatten() {
        python(requirement.as_str().unwrap_or_default(), found);
    }
    let poetry = manifest.get("tool").and_then(|t| t.get("poetry")?.get("dependencies"));
    for name in poetry.and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys) {
        python(name, found);
    }
}

fn pipfile(text: &str, found: &mut BTreeSet<&'static str>) {
    let Ok(manifest) = text.parse::<toml::Table>() else { return };
    let packages = manifest.get("packages").and_then(toml::Value::as_table);
    packages.into_iter().flat_map(toml::Table::keys).for_each(|name| python(name, found));
}

/// Takes the name at the start of a requirement: `Flask[async]==3.0 ; python_version > "3"`.
fn python(requirement: &str, found: &mut BTreeSet<&'static str>) {
    let name: String = requirement
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    let name = name.to_lowercase();
    found.extend(PYTHON_FRAMEWORKS.iter().find(|known| **known == name));
}
