//! All tools by name.

use crate::{
    check::{CatalogueError, Problem, check},
    embedded,
    tool::{Origin, Tool},
};
use assay_model::{ToolDeclaration, ToolId};
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// The tools that can be run: ours, then the user's. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    tools: BTreeMap<ToolId, Arc<Tool>>,
}

// === impl Catalogue ===

impl Catalogue {
    /// Returns the tools that Assay ships; their rows are parsed and checked once.
    pub fn shipped() -> Result<Self, CatalogueError> {
        static SHIPPED: OnceLock<Result<Catalogue, CatalogueError>> = OnceLock::new();
        SHIPPED.get_or_init(|| Self::of_rows(embedded::ROWS)).clone()
    }

    /// Checks rows, given as (file name, text).
    pub fn of_rows(rows: &[(&str, &str)]) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        let mut problems = Vec::new();
        for (file, text) in rows {
            match row(file, text) {
                Ok(tool) => {
                    catalogue.tools.insert(tool.id().clone(), Arc::new(tool));
                }
                Err(found) => {
                    let file = format!("catalogue/{file}");
                    problems.extend(found.into_iter().map(|problem| (file.clone(), problem)));
                }
            }
        }
        problems.extend(catalogue.name_clashes());
        if problems.is_empty() { Ok(catalogue) } else { Err(CatalogueError { problems }) }
    }

    /// Adds a user's own tool. One of ours cannot be replaced: a result that says `bandit` has to
    /// be from the bandit that we know.
    pub fn add(&mut self, id: &str, says: ToolDeclaration) -> Result<(), CatalogueError> {
        let place = format!("tool.{id}");
        let fail = |problems: Vec<Problem>| CatalogueError {
            problems: problems.into_iter().map(|problem| (place.clone(), problem)).collect(),
        };
        let id = ToolId::new(id).map_err(|error| fail(vec![bad_name(&error)]))?;
        if self.tools.contains_key(&id) {
            let what = format!("`{id}` is a tool that Assay ships");
            let mend = "give it another name, or set the options of the shipped one".to_owned();
            return Err(fail(vec![Problem { key: "name".to_owned(), what, mend }]));
        }
        let tool = check(&id, says, Origin::User).map_err(fail)?;
        self.tools.insert(id, Arc::new(tool));
        Ok(())
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Tool>> {
        self.tools.get(id)
    }

    /// Returns all tools, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.values()
    }

    pub fn len(&self) -> usize {
        self.tools.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// An alias that is also a tool, or an alias of two tools, would be answered by chance.
    fn name_clashes(&self) -> Vec<(String, Problem)> {
        let mut problems = Vec::new();
        let mut seen: BTreeMap<String, &ToolId> = BTreeMap::new();
        for tool in self.tools.values() {
            for alias in tool.says.aliases.keys() {
                let plain = crate::resolve::plain(alias);
                let other = self.tools.get(plain.as_str()).map(|tool| tool.id());
                if let Some(other) = other.or_else(|| seen.insert(plain, tool.id())) {
                    let key = format!("aliases.{alias}");
                    let what = format!("`{other}` goes by that name");
                    let mend = "remove one of the two".to_owned();
                    let file = format!("catalogue/{}.toml", tool.id());
                    problems.push((file, Problem { key, what, mend }));
                }
            }
        }
        problems
    }
}

fn row(file: &str, text: &str) -> Result<Tool, Vec<Problem>> {
    let name = file.strip_suffix(".toml").unwrap_or(file);
    let id = ToolId::new(name).map_err(|error| vec![bad_name(&error)])?;
    let says: ToolDeclaration = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].lines().count().max(1));
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        let what = format!("{place}{}", error.message());
        vec![Problem { key: "row".to_owned(), what, mend: "see model::ToolDeclaration".to_owned() }]
    })?;
    check(&id, says, Origin::Shipped)
}

fn bad_name(error: &assay_model::ParseIdError) -> Problem {
    Problem { key: "name".to_owned(), what: error.to_string(), mend: "choose another".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recipe::Recipe, resolve::ResolveError};
    use assay_model::{SourcePath, Treatment};

    #[test]
    fn every_shipped_row_is_sound() {
        let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
        assert!(!catalogue.is_empty());
        assert_eq!(catalogue.len(), embedded::ROWS.len());
    }

    /// The version of a row is what its report claims; the lock is what really runs.
    #[test]
    fn every_row_pins_what_its_lock_installs() {
        for tool in Catalogue::shipped().unwrap_or_else(|error| panic!("{error}")).iter() {
            let pinned = match tool.recipe() {
                Recipe::Python { package, version, lock } => {
                    lock.lines().any(|line| is_pin(line, package, version))
                }
                Recipe::Builtin { version, data: Some(data) } => {
                    data.lock.lines().any(|line| is_pin(line, data.package, version))
                }
                Recipe::Node { package, version, package_json, package_lock } => {
                    let wanted: serde_json::Value = serde_json::from_str(package_json).unwrap();
                    let lock: serde_json::Value = serde_json::from_str(package_lock).unwrap();
                    let locked = &lock["packages"][format!("node_modules/{package}")]["version"];
                    wanted["dependencies"][package] == version && locked == version
                }
                Recipe::Path { mend, .. } => !mend.is_empty(),
                Recipe::Builtin { data: None, .. } => true,
            };
            assert!(pinned, "{}: {:?}", tool.id(), tool.version());
        }
    }

    fn is_pin(line: &str, package: &str, version: &str) -> bool {
        let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
        let pin = line.split_once("==");
        pin.is_some_and(|(name, rest)| {
            let name = name.split('[').next().unwrap_or(name);
            plain(name) == plain(package) && rest.split([' ', ';', '\\']).next() == Some(version)
        })
    }

    #[test]
    fn every_name_of_the_python_system_is_answered() {
        let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
        for (name, tool) in [
            ("flake8", "ruff"),
            ("JSHint", "oxlint"),
            ("html_validator", "html-validate"),
            ("detect_secrets", "detect-secrets"),
            ("bandit", "bandit"),
        ] {
            let resolved = catalogue.resolve(name).unwrap();
            assert_eq!(resolved.tool.id().as_str(), tool);
            assert_eq!(resolved.note.is_some(), !plain_is(name, tool), "{name}");
        }
        for name in ["nmap", "zap", "curl", "aiohttp", "ab", "locust", "artillery"] {
            let error = catalogue.resolve(name).unwrap_err();
            assert!(matches!(error, ResolveError::NotBuilt { .. }), "{name}: {error}");
        }
        for name in ["requirements-scanner", "curl-endpoint-tester", "code-quality-analyzer"] {
            assert!(catalogue.resolve(name).unwrap_err().to_string().contains("ai analysis"));
        }
        let error = catalogue.resolve("rufff").unwrap_err();
        assert!(error.hint().unwrap().contains("`ruff`"), "{error}");
    }

    fn plain_is(name: &str, tool: &str) -> bool {
        crate::resolve::plain(name) == tool
    }

    const OWN: &str = r#"
        title = "Own"
        kind = "style"
        inputs = { languages = ["python"] }
        install = { from = "path", mend = "apt install own" }
        run = { program = "own", args = ["--sarif", "{project}"], finding-codes = [1] }
        output = { format = "sarif" }
    "#;

    fn own(edit: impl Fn(&mut ToolDeclaration)) -> Result<Catalogue, CatalogueError> {
        let mut says: ToolDeclaration = toml::from_str(OWN).unwrap();
        edit(&mut says);
        let mut catalogue = Catalogue::default();
        catalogue.add("own", says).map(|()| catalogue)
    }

    #[test]
    fn a_tool_of_the_user_takes_a_dozen_lines() {
        let catalogue = own(|_| {}).unwrap();
        let tool = catalogue.get("own").unwrap();
        assert!(tool.is_optional());
        assert!(matches!(tool.recipe(), Recipe::Path { program: "own", .. }));
    }

    #[test]
    fn all_faults_of_a_row_are_told_at_once_with_key_and_mend() {
        let error = own(|says| {
            says.run.args.push("{projekt}".to_owned());
            says.suppressed_by.push("(".to_owned());
            says.inputs.files.push("a[".to_owned());
            says.output.from = "file:../x".to_owned();
            says.output.format = assay_model::Format::Json;
            says.install =
                assay_model::Install::Pypi { package: "own".to_owned(), version: "1".to_owned() };
        });
        let problems = error.unwrap_err().problems;
        let keys: Vec<_> = problems.iter().map(|(_, problem)| problem.key.as_str()).collect();
        assert_eq!(
            keys,
            ["run.args", "inputs.files", "output.from", "suppressed-by", "output.map", "install"]
        );
        assert!(problems.iter().all(|(file, p)| file == "tool.own" && !p.mend.is_empty()));
    }

    /// What a tool reads it must not lose; stubs are no code.
    #[test]
    fn what_a_tool_reads_is_renamed_and_not_hidden() {
        let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
        for tool in catalogue.iter() {
            for entry in &tool.declaration().steered_by {
                let names = entry.files.iter().map(|name| name.replace('*', "js"));
                for path in names.filter_map(|name| SourcePath::new(&name).ok()) {
                    let language = assay_model::Language::Text;
                    let reads = tool.matches(&path, language, true);
                    let hides = tool.treatment(&path) == Some(Treatment::Hide);
                    assert!(!reads || !hides, "{}: {path}", tool.id());
                }
            }
        }
    }

    #[test]
    fn a_shipped_tool_cannot_be_replaced() {
        let mut catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
        let says: ToolDeclaration = toml::from_str(OWN).unwrap();
        assert!(catalogue.add("ruff", says).is_err());
    }
}
