//! Which tools read a language, and under which language their results are told.

use super::Setup;
use assay_model::Language;
use assay_report::Shelf;
use assay_tools::Tool;

/// Tools that are told where clients of the first system look for them, though they read other files
/// than those of the language.
const BY_NAME: &[(&str, Shelf)] = &[
    ("cyclonedx-npm", Shelf::JavaScript),
    ("cyclonedx-py", Shelf::Python),
    ("detect-secrets", Shelf::Python),
    ("npm-audit", Shelf::JavaScript),
    ("pip-audit", Shelf::Python),
    ("safety-db", Shelf::Python),
    ("stylelint", Shelf::Css),
];

/// Returns under which language a tool is told: the first that it reads. One that reads anything is
/// about the structure.
pub(crate) fn shelf_of(tool: &Tool) -> Shelf {
    if let Some((_, shelf)) = BY_NAME.iter().find(|(name, _)| *name == tool.id().as_str()) {
        return *shelf;
    }
    let read = &tool.declaration().inputs.languages;
    let reads = |shelf: &&Shelf| shelf.languages().iter().any(|language| read.contains(language));
    // A tool for very many languages is about none of them.
    let few = read.len() <= SPEAKS_FOR_ONE_MAX;
    Shelf::ALL.iter().find(reads).copied().filter(|_| few).unwrap_or(Shelf::Structure)
}

/// Languages of a tool that is told under the first of them: semgrep reads nine.
const SPEAKS_FOR_ONE_MAX: usize = 9;

/// Whether a tool says anything about one of these languages.
pub(super) fn speaks_of(tool: &Tool, languages: &[Language]) -> bool {
    let inputs = &tool.declaration().inputs;
    let shelf = shelf_of(tool);
    languages.iter().any(|language| {
        inputs.all_text
            || inputs.languages.contains(language)
            || shelf.languages().contains(language)
    })
}

impl Setup {
    /// Whether files of a language are looked at. What belongs to no other language, a manifest for
    /// one, always is.
    pub(crate) fn looks_at(&self, language: Language) -> bool {
        let all = || Shelf::ALL.iter().flat_map(|shelf| shelf.languages());
        self.languages.is_empty()
            || self.languages.contains(&language)
            || !all().any(|known| *known == language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_tools::Catalogue;

    #[test]
    fn every_tool_of_the_first_system_is_told_where_it_was() {
        let catalogue = Catalogue::shipped().unwrap();
        let check = |names: &[&str], shelf| {
            for name in names {
                let tool = catalogue.resolve(name).unwrap().tool;
                assert_eq!(shelf_of(&tool), shelf, "{name}");
            }
        };
        let python = [
            "bandit",
            "pylint",
            "semgrep",
            "mypy",
            "safety",
            "pip-audit",
            "vulture",
            "ruff",
            "radon",
            "detect-secrets",
        ];
        check(&python, Shelf::Python);
        check(&["eslint", "jshint", "npm-audit", "retire"], Shelf::JavaScript);
        check(&["stylelint"], Shelf::Css);
        check(&["html-validator"], Shelf::Html);
        check(&["hadolint", "jscpd", "lizard", "typos", "yamllint"], Shelf::Structure);
        for (name, _) in BY_NAME {
            assert!(catalogue.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_language_has_the_tools_that_read_it_and_those_that_read_everything() {
        let catalogue = Catalogue::shipped().unwrap();
        let speaks = |name: &str| {
            speaks_of(catalogue.get(name).unwrap(), &[Language::JavaScript, Language::TypeScript])
        };
        assert!(["eslint", "semgrep", "secretlint", "npm-audit"].into_iter().all(speaks));
        assert!(!["bandit", "pip-audit", "stylelint", "hadolint"].into_iter().any(speaks));
    }
}
