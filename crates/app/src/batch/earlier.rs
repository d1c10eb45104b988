//! Apps that an earlier run of the same batch has analysed, before somebody stopped it.
//!
//! Keeps: an app counts as done while its report is whole, and the app is as it was then.

use super::{
    record::Record,
    run::{Landing, analysed},
};
use crate::{failure::Failure, interrupt::Interrupt, target::Target};
use assay_model::{AnalysisOutcome, AppEnd, Digest};
use assay_source::{Options, SourceMemory};
use assay_store::Entry;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// An app that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Analysed {
    /// Its folder of results.
    results: PathBuf,
    /// Names what the app held before it was analysed.
    digest: Digest,
}

/// Names what an app holds; `None` where it cannot be read, or nobody waits any more.
pub(super) fn digest_of(path: &Path, interrupt: &Interrupt) -> Option<Digest> {
    let stop = || interrupt.reason().is_some();
    SourceMemory::default().digest(path, Options { no_ignore: true }, &stop).ok()
}

/// Takes up what is done already. One entry for each target, in their order.
pub(crate) async fn take_up(
    record: Record<Analysed>,
    targets: &[Target],
    interrupt: &Interrupt,
) -> Result<(Record<Analysed>, Vec<Option<Landing>>), Failure> {
    let (targets, interrupt) = (targets.to_vec(), interrupt.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let one = |target: &Target| {
            let before = record.landed().get(&name_of(target))?;
            let is_as_it_was = digest_of(&target.path, &interrupt)? == before.digest;
            is_as_it_was.then(|| landing(target, &before.results)).flatten()
        };
        let earlier = targets.iter().map(one).collect();
        (record, earlier)
    });
    looking.await.map_err(|error| Failure::broken("the record was not read").because(error))
}

/// Notes that an app is done. What was stopped is not.
pub(super) fn note(
    record: &mut Record<Analysed>,
    target: &Target,
    end: &AppEnd,
    digest: Option<Digest>,
) -> Result<(), Failure> {
    let AppEnd::Analysed(result) = end else { return Ok(()) };
    let is_done = match result.outcome {
        AnalysisOutcome::Complete
        | AnalysisOutcome::Incomplete
        | AnalysisOutcome::NothingToAnalyse
        | AnalysisOutcome::TimedOut => true,
        AnalysisOutcome::Interrupted | AnalysisOutcome::Terminated | AnalysisOutcome::Lost => false,
    };
    match digest.filter(|_| is_done) {
        Some(digest) => {
            let analysed = Analysed { results: result.results.clone().into(), digest };
            record.keep(name_of(target), analysed)
        }
        None => Ok(()),
    }
}

fn landing(target: &Target, results: &Path) -> Option<Landing> {
    let report = Entry::open(results).and_then(|entry| entry.load_report());
    let report = report
        .inspect_err(|error| tracing::warn!(%error, app = %target.app, "it is analysed again"))
        .ok()?;
    Some(Landing::of(target, analysed(&report, results)))
}

/// Says that a stopped batch goes on.
pub(crate) fn gone_on(done: usize, apps: usize) -> String {
    format!(
        "{done} of {apps} apps were analysed by an earlier run that was stopped; --fresh begins anew"
    )
}

/// The name of an app in the record. By the path too: two apps may have the same name under two roots.
pub(crate) fn name_of(target: &Target) -> String {
    format!("{} at {}", target.app, target.path.display())
}
