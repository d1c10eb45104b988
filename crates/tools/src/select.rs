//! Which tools an analysis runs.

use crate::{
    catalogue::Catalogue,
    resolve::{ResolveError, Resolved},
    tool::Tool,
};
use assay_model::{Kind, Profile};
use std::sync::Arc;

/// What `--kind security` stands for.
pub const SECURITY_KINDS: [Kind; 3] = [Kind::Security, Kind::Secret, Kind::Dependency];

/// What was asked for. Names win: with any, profile and kinds say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub profile: Profile,
    /// Only tools that report one of these; empty: all.
    pub kinds: Vec<Kind>,
    /// As typed.
    pub named: Vec<String>,
    /// `--require-all`: optional tools count as well.
    pub optional: Optional,
}

/// What a tool that Assay cannot install means for the analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optional {
    /// Its absence is shown, and the analysis is complete without it.
    #[default]
    MayLack,
    /// `--require-all`.
    Required,
}

/// A tool of this analysis.
#[derive(Clone, Debug)]
pub struct Selected {
    pub tool: Arc<Tool>,
    /// Whether the analysis is incomplete without it.
    pub required: bool,
    /// What to say about the name by which it was asked for.
    pub note: Option<String>,
}

/// Picks the tools, in the catalogue's order; names that select none are told together.
pub fn select(
    catalogue: &Catalogue,
    selection: &Selection,
) -> Result<Vec<Selected>, Vec<ResolveError>> {
    if selection.named.is_empty() {
        Ok(by_profile(catalogue, selection))
    } else {
        by_name(catalogue, &selection.named)
    }
}

fn by_profile(catalogue: &Catalogue, selection: &Selection) -> Vec<Selected> {
    let wanted = |tool: &Arc<Tool>| {
        let in_profile = tool.profile().is_some_and(|profile| profile <= selection.profile);
        let kinds = &selection.kinds;
        in_profile && (kinds.is_empty() || kinds.iter().any(|kind| tool.reports(*kind)))
    };
    let tools = catalogue.iter().filter(|tool| wanted(tool));
    let selected = tools.map(|tool| Selected {
        required: selection.optional == Optional::Required || !tool.is_optional(),
        tool: Arc::clone(tool),
        note: None,
    });
    selected.collect()
}

fn by_name(catalogue: &Catalogue, named: &[String]) -> Result<Vec<Selected>, Vec<ResolveError>> {
    let mut selected: Vec<Selected> = Vec::new();
    let mut errors = Vec::new();
    for name in named {
        match catalogue.resolve(name) {
            // `flake8,ruff` is one tool: it runs once, and the note is not lost.
            Ok(Resolved { tool, note }) => {
                match selected.iter_mut().find(|known| known.tool.id() == tool.id()) {
                    Some(known) => known.note = known.note.take().or(note),
                    None => selected.push(Selected { tool, required: true, note }),
                }
            }
            Err(error) => errors.push(error),
        }
    }
    selected.sort_by(|a, b| a.tool.id().cmp(b.tool.id()));
    if errors.is_empty() { Ok(selected) } else { Err(errors) }
}
