//! What is wrong, across tools: bandit's `B608`, ruff's `S608` and our own semgrep rule all mean
//! `sql-injection`.
//!
//! Owns `defects.toml`. Keeps: a rule belongs to at most one class (the first in the file).

use assay_model::{Kind, ToolId};
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

/// One way in which code can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefectClass {
    pub name: String,
    /// Its number in the Common Weakness Enumeration.
    pub cwe: Option<u32>,
    /// The kind of its findings, whatever the tool's is.
    pub kind: Option<Kind>,
}

/// A class as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    cwe: Option<u32>,
    #[serde(default)]
    kind: Option<Kind>,
    /// `tool:rule`; the rule may be a glob.
    rules: Vec<String>,
}

/// The classes, ready to be asked.
struct Classes {
    all: Vec<DefectClass>,
    exact: HashMap<(String, String), usize>,
    globs: Vec<(String, GlobMatcher, usize)>,
}

static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    Classes::parse(include_str!("../defects.toml"))
        .expect("`defects.toml` is sound: the test `every_class_can_be_read` reads it")
});

/// Returns all classes, by name.
pub fn defect_classes() -> &'static [DefectClass] {
    &CLASSES.all
}

/// Returns the class of a tool's rule.
pub(crate) fn class_of(tool: &ToolId, rule: &str) -> Option<&'static DefectClass> {
    let classes = &*CLASSES;
    let key = (tool.as_str().to_owned(), rule.to_owned());
    let found = classes.exact.get(&key).copied().or_else(|| {
        let mut globs = classes.globs.iter();
        globs.find(|(of, glob, _)| *of == key.0 && glob.is_match(rule)).map(|(.., class)| *class)
    });
    found.map(|class| &classes.all[class])
}

/// Tells whether one of the tool's rules means this class.
pub(crate) fn knows(tool: &ToolId, class: &str) -> bool {
    let classes = &*CLASSES;
    let is_it = |number: &usize| classes.all[*number].name == class;
    classes.exact.iter().any(|((of, _), number)| of == tool.as_str() && is_it(number))
        || classes.globs.iter().any(|(of, _, number)| of == tool.as_str() && is_it(number))
}

// === impl Classes ===

impl Classes {
    fn parse(text: &str) -> Result<Self, String> {
        let rows: BTreeMap<String, Row> = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut classes = Self { all: Vec::new(), exact: HashMap::new(), globs: Vec::new() };
        for (name, row) in rows {
            let class = classes.all.len();
            for rule in &row.rules {
                let (tool, rule) = rule.split_once(':').ok_or(format!("`{rule}`: no tool"))?;
                if rule.contains(['*', '?', '[', '{']) {
                    let glob = GlobBuilder::new(rule).build().map_err(|e| e.to_string())?;
                    classes.globs.push((tool.to_owned(), glob.compile_matcher(), class));
                } else if let Some(other) =
                    classes.exact.insert((tool.to_owned(), rule.to_owned()), class)
                {
                    let other = classes.all.get(other).map_or(&name, |class| &class.name);
                    return Err(format!("`{tool}:{rule}` is in `{other}` and in `{name}`"));
                }
            }
            classes.all.push(DefectClass { name, cwe: row.cwe, kind: row.kind });
        }
        Ok(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tool: &str, rule: &str, expected: Option<&str>) {
        let tool = ToolId::new(tool).unwrap();
        assert_eq!(class_of(&tool, rule).map(|class| class.name.as_str()), expected, "{rule}");
    }

    #[test]
    fn every_class_can_be_read() {
        let classes = Classes::parse(include_str!("../defects.toml")).unwrap();
        assert!(classes.all.len() >= 50, "{}", classes.all.len());
    }

    #[test]
    fn one_defect_has_one_name_whichever_tool_sees_it() {
        for (tool, rule) in
            [("bandit", "B608"), ("ruff", "S608"), ("semgrep", "assay.python.sql-injection")]
        {
            check(tool, rule, Some("sql-injection"));
        }
        check("ruff", "F401", Some("unused-import"));
        check("pylint", "W0611", Some("unused-import"));
        check("oxlint", "eslint(no-eval)", Some("code-injection"));
        check("eslint", "no-eval", Some("code-injection"));
        check("detect-secrets", "Private Key", Some("private-key"));
        check("ruff", "B608", None);
        check("nobody", "F401", None);
    }

    #[test]
    fn a_class_knows_the_tools_that_look_for_it() {
        let knows = |tool, class| knows(&ToolId::new(tool).unwrap(), class);
        assert!(knows("ruff", "sql-injection") && knows("bandit", "sql-injection"));
        assert!(!knows("stylelint", "sql-injection") && !knows("ruff", "no-such-class"));
    }

    #[test]
    fn a_rule_in_two_classes_is_refused() {
        let text = "[a]\nrules = [\"x:1\"]\n[b]\nrules = [\"x:1\"]\n";
        assert!(Classes::parse(text).is_err());
    }
}
