//! Which tools can be used now, answered from memory.
//!
//! Keeps: only what was seen is claimed. A tool that is not installed yet is not at hand, though the
//! first analysis may bring it here; what an analysis learnt counts more than what was seen before.

use crate::{analysis::recipe_of, setup::Chosen};
use assay_model::{Report, ToolId, ToolRun, ToolStatus};
use assay_provision::{ProvisionError, Provisioner};
use assay_server::ToolsAtHand;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What is known about each tool.
#[derive(Debug, Default)]
pub(super) struct AtHand {
    seen: Mutex<BTreeMap<ToolId, Seen>>,
}

#[derive(Clone, Debug)]
struct Seen {
    state: State,
    /// Whether an analysis is incomplete without it.
    is_needed: bool,
}

/// Whether a tool can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Usable,
    Lacking { why: String },
}

// === impl AtHand ===

impl AtHand {
    pub(super) fn now(&self) -> ToolsAtHand {
        let mut now = ToolsAtHand::default();
        for (tool, seen) in &*self.lock() {
            match &seen.state {
                State::Usable => now.available.push(tool.to_string()),
                State::Lacking { why } if seen.is_needed => {
                    now.unavailable.insert(tool.to_string(), why.clone());
                }
                State::Lacking { .. } => {}
            }
        }
        now
    }

    /// Looks which tools are installed. `usual` are those of a request that names none.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was seen by then is known.
    pub(super) async fn look(&self, all: Vec<Chosen>, usual: &[Chosen], installed: &Installed) {
        let mut looking = JoinSet::new();
        for chosen in all {
            let needed = usual.iter().find(|usual| usual.tool.id() == chosen.tool.id());
            let is_needed = needed.is_some_and(|usual| usual.required);
            let installed = installed.clone();
            looking.spawn(async move {
                let state = installed.state_of(&chosen).await;
                (chosen.tool.id().clone(), Seen { state, is_needed })
            });
        }
        while let Some(ended) = looking.join_next().await {
            let Ok((tool, seen)) = ended else { continue };
            // What an analysis saw meanwhile is newer.
            self.lock().entry(tool).or_insert(seen);
        }
    }

    /// Takes in how tools fared.
    pub(super) fn learn(&self, report: &Report) {
        let mut all = self.lock();
        for run in &report.tools {
            let Some(state) = told_by(run) else { continue };
            if let Some(seen) = all.get_mut(&run.tool) {
                seen.state = state;
            } else {
                // Nobody has looked yet, or it is none of ours.
                let is_needed = run.required && run.version.is_some();
                all.insert(run.tool.clone(), Seen { state, is_needed });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ToolId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run says about whether its tool can be used; `None` where it says nothing.
fn told_by(run: &ToolRun) -> Option<State> {
    let why = || {
        let reason = run.reason.clone().unwrap_or_else(|| run.status.in_words().to_owned());
        match &run.mend {
            Some(mend) => format!("{reason} ({mend})"),
            None => reason,
        }
    };
    match run.status {
        ToolStatus::Ok => Some(State::Usable),
        ToolStatus::Unavailable | ToolStatus::Untrusted => Some(State::Lacking { why: why() }),
        // It was there, and what became of it was the app's or the deadline's doing.
        ToolStatus::Failed | ToolStatus::TimedOut | ToolStatus::OutputInvalid => {
            run.installation.is_some().then_some(State::Usable)
        }
        ToolStatus::NoInputs | ToolStatus::Cancelled => None,
    }
}

/// Tells whether a tool is installed, without bringing it here.
#[derive(Clone, Debug)]
pub(super) struct Installed {
    /// One that only looks at what is there.
    pub(super) provisioner: Arc<Provisioner>,
    /// Whether an analysis may bring here what is not.
    pub(super) may_install: bool,
}

// === impl Installed ===

impl Installed {
    async fn state_of(&self, chosen: &Chosen) -> State {
        let declaration = chosen.tool.declaration();
        if declaration.network && !self.may_install {
            let why = "it needs the network, which this service does not use".to_owned();
            return State::Lacking { why };
        }
        let never = CancellationToken::new();
        match self.provisioner.ensure(&recipe_of(chosen), &|_| {}, &never).await {
            Ok(_) => State::Usable,
            Err(error) => State::Lacking { why: self.why(chosen, &error) },
        }
    }

    fn why(&self, chosen: &Chosen, error: &ProvisionError) -> String {
        let is_yours = matches!(chosen.tool.recipe(), assay_tools::Recipe::Path { .. });
        if self.may_install && !is_yours {
            let tool = chosen.tool.id();
            return format!(
                "it is not installed yet; the first analysis that needs it tries to (or: assay \
                 tools install {tool})"
            );
        }
        match error.hint() {
            Some(hint) => format!("{error} ({hint})"),
            None => error.to_string(),
        }
    }
}
