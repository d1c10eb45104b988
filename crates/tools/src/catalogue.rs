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
        let place = format!("tools.{id}");
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

    #[test]
    fn every_shipped_row_is_sound() {
        let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
        assert!(!catalogue.is_empty());
    }
}
