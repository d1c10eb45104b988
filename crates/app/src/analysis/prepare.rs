//! Installing what is needed: every recipe once, however many tools share it.

use super::{Woken, journal::Journal, staging::Staging};
use crate::{interrupt::Interrupt, setup::Chosen};
use assay_model::{EventKind, SourcePath, ToolId, ToolPhase, ToolRun, ToolStatus};
use assay_provision::{Installation, Phase, ProvisionError, Provisioner, Recipe};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A tool that is installed and has something to read.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) chosen: Chosen,
    pub(crate) matched: Vec<SourcePath>,
    /// Absent where nothing in the app could steer it.
    pub(crate) staging: Option<Arc<Staging>>,
    pub(crate) installation: Installation,
}

/// What became of the tools.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) ready: Vec<Ready>,
    pub(crate) not_run: Vec<ToolRun>,
}

type Ensured = (usize, Result<Installation, ProvisionError>);

/// Installs what the tools need. An interrupt ends it early; what was not installed by then is
/// cancelled.
pub(crate) async fn prepare(
    provisioner: &Arc<Provisioner>,
    woken: Vec<Woken>,
    journal: &Arc<Journal>,
    interrupt: &Interrupt,
) -> Prepared {
    let mut prepared = Prepared::default();
    let mut recipes: Vec<(Recipe, Vec<Woken>)> = Vec::new();
    for tool in woken {
        if provisioner.settings().offline && tool.chosen.tool.declaration().network {
            prepared.not_run.push(needs_network(&tool.chosen));
            continue;
        }
        let recipe = recipe_of(&tool.chosen);
        match recipes.iter_mut().find(|(known, _)| *known == recipe) {
            Some((_, tools)) => tools.push(tool),
            None => recipes.push((recipe, vec![tool])),
        }
    }
    let cancel = CancellationToken::new();
    let mut installing = JoinSet::new();
    for (number, (recipe, tools)) in recipes.iter().enumerate() {
        let ids = tools.iter().map(|tool| tool.chosen.tool.id().clone()).collect();
        let work = ensure(
            Arc::clone(provisioner),
            recipe.clone(),
            ids,
            Arc::clone(journal),
            cancel.clone(),
        );
        installing.spawn(async move { (number, work.await) });
    }
    let mut recipes: Vec<Vec<Woken>> = recipes.into_iter().map(|(_, tools)| tools).collect();
    loop {
        let next = tokio::select! {
            biased;
            _ = interrupt.asked(), if !cancel.is_cancelled() => {
                cancel.cancel();
                continue;
            }
            next = installing.join_next() => next,
        };
        let Some(ended) = next else { break };
        let (number, result): Ensured =
            ended.expect("installing is aborted by nobody and does not panic");
        prepared.take(std::mem::take(&mut recipes[number]), result);
    }
    prepared
}

async fn ensure(
    provisioner: Arc<Provisioner>,
    recipe: Recipe,
    tools: Vec<ToolId>,
    journal: Arc<Journal>,
    cancel: CancellationToken,
) -> Result<Installation, ProvisionError> {
    let is_told = AtomicBool::new(false);
    let progress = |phase: Phase| {
        // What is there already is not installed; saying so would only flicker.
        let phase = match phase {
            Phase::Waiting | Phase::Ready => return,
            Phase::Downloading { .. } | Phase::Installing => ToolPhase::Installing,
        };
        // A download tells of every piece; readers want to hear of it once.
        if is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        for tool in &tools {
            journal.tell(EventKind::ToolPhase { tool: tool.clone(), phase });
        }
    };
    provisioner.ensure(&recipe, &progress, &cancel).await
}

// === impl Prepared ===

impl Prepared {
    fn take(&mut self, tools: Vec<Woken>, result: Result<Installation, ProvisionError>) {
        match result {
            Ok(installation) => {
                self.ready.extend(tools.into_iter().map(|tool| tool.ready(installation.clone())));
            }
            Err(error) => {
                self.not_run.extend(tools.iter().map(|tool| unavailable(&tool.chosen, &error)));
            }
        }
    }
}

/// Says in provisioning's words what a tool of the catalogue needs.
pub(crate) fn recipe_of(chosen: &Chosen) -> Recipe {
    let name = chosen.tool.id().as_str().to_owned();
    match chosen.tool.recipe() {
        assay_tools::Recipe::Python { version, lock, .. } => {
            Recipe::Python { name, version: version.to_owned(), lock: lock.to_owned() }
        }
        assay_tools::Recipe::Node { package_json, package_lock, .. } => Recipe::Node {
            package_json: package_json.to_owned(),
            package_lock: package_lock.to_owned(),
        },
        assay_tools::Recipe::Path { program, version_args, version, mend } => Recipe::Path {
            program: program.to_owned(),
            version_args: version_args.to_vec(),
            version: version.map(str::to_owned),
            mend: mend.to_owned(),
        },
        assay_tools::Recipe::Builtin { version, data } => Recipe::Builtin {
            name,
            version: version.to_owned(),
            lock: data.map(|data| data.lock.to_owned()),
        },
    }
}

fn unavailable(chosen: &Chosen, error: &ProvisionError) -> ToolRun {
    let status = match error {
        ProvisionError::Cancelled => ToolStatus::Cancelled,
        _ => ToolStatus::Unavailable,
    };
    let mut run = chosen.not_run(status);
    run.reason = Some(error.to_string());
    run.mend = error.hint();
    run
}

fn needs_network(chosen: &Chosen) -> ToolRun {
    let mut run = chosen.not_run(ToolStatus::Unavailable);
    run.reason = Some("it needs the network, which `--offline` forbids".to_owned());
    run.mend = Some("run again without --offline".to_owned());
    run
}

// === impl Woken ===

impl Woken {
    pub(crate) fn ready(self, installation: Installation) -> Ready {
        Ready { chosen: self.chosen, matched: self.matched, staging: self.staging, installation }
    }
}

// === impl Ready ===

impl Ready {
    /// Picks the files that it reads among those of a sample, which are known by name alone.
    pub(crate) fn matching(&self, paths: &[SourcePath]) -> Vec<SourcePath> {
        let reads = |path: &&SourcePath| {
            self.chosen.tool.matches(path, assay_source::language_of(path, b""), true)
        };
        paths.iter().filter(reads).cloned().collect()
    }
}
