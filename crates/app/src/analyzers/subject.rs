//! Which app a request is about, and what it holds: what decides whether work is new.

use super::refusal::Refusal;
use crate::target::{Sought, Whose};
use assay_server::{Resolve, Resolved};
use assay_source::{Options, SourceMemory};
use assay_trace::here;
use assay_wire::{AnalysisRequest, ErrorCode, Fault};
use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Apps that are looked at side by side: more would only wait for the same disk.
const LOOKS_AT_ONCE: usize = 4;

/// The app of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Normalised, where the name is one.
    pub(crate) model: String,
    /// The normalised name, where the app is found under it too.
    pub(crate) found_as: Option<String>,
    pub(crate) app: u32,
    /// Free of links, and inside a source root. Absent where there is no such app.
    pub(crate) path: Option<PathBuf>,
    /// Names what the app holds. Absent where there is none, or it cannot be read.
    pub(crate) digest: Option<String>,
}

/// Answers which app a request is about.
#[derive(Debug)]
pub(crate) struct Subjects {
    roots: RwLock<Vec<PathBuf>>,
    memory: Arc<SourceMemory>,
    looks: Semaphore,
}

/// Says so to whoever looks when nobody wants to know any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// === impl Subjects ===

impl Subjects {
    pub(crate) fn new(roots: Vec<PathBuf>) -> Self {
        let (roots, memory) = (RwLock::new(roots), Arc::default());
        Self { roots, memory, looks: Semaphore::new(LOOKS_AT_ONCE) }
    }

    /// What the gateway asks. A request is passed on with the model's name normalised, but where the
    /// app is found under the name that was given alone.
    pub(crate) fn resolver(self: Arc<Self>) -> Resolve {
        Arc::new(move |request| {
            let subjects = Arc::clone(&self);
            Box::pin(async move {
                let Subject { found_as, digest, .. } = subjects.resolve(&request).await?;
                let model = found_as.or(request.model);
                Ok(Resolved { request: AnalysisRequest { model, ..request }, digest })
            })
        })
    }

    /// Looks in other folders from now on.
    pub(crate) fn look_in(&self, roots: Vec<PathBuf>) {
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = roots;
    }

    /// Finds the app of a request and names what it holds. An app that is not there is no error: the
    /// service says so in its own words.
    ///
    /// # Errors
    ///
    /// `path_not_allowed` where the app lies outside of the source roots.
    ///
    /// # Cancel safety
    ///
    /// Safe: a look that nobody waits for stops at the next file.
    pub(crate) async fn resolve(&self, request: &AnalysisRequest) -> Result<Subject, Fault> {
        let whose = Whose::of(request);
        let (model, app) = (whose.normal().to_owned(), whose.number);
        let normal = AnalysisRequest { model: Some(model.clone()), ..request.clone() };
        let subject = Subject { model, app, found_as: None, path: None, digest: None };
        let _look = self.looks.acquire().await.map_err(|_| broken("the looks are closed"))?;
        let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (request, memory) = (request.clone(), Arc::clone(&self.memory));
        let stop = Arc::new(AtomicBool::new(false));
        let _guard = StopOnDrop(Arc::clone(&stop));
        let look = move || {
            let target = match Sought::of(&request, &roots) {
                Sought::Found(target) => target,
                other => return Err(other),
            };
            let stop = || stop.load(Ordering::Relaxed);
            let digest = memory.digest(&target.path, Options { no_ignore: true }, &stop);
            let digest = digest.inspect_err(|error| tracing::warn!(%error, "no digest"));
            let found = Sought::of(&normal, &roots) == Sought::Found(target.clone());
            Ok((target.path, digest.ok(), normal.model.filter(|_| found)))
        };
        match spawn_blocking(here(look)).await.map_err(|error| broken(&error.to_string()))? {
            Ok((path, digest, found_as)) => {
                let digest = digest.map(|digest| digest.to_string());
                Ok(Subject { found_as, path: Some(path), digest, ..subject })
            }
            Err(Sought::NotAllowed) => {
                let fault = Fault::new(ErrorCode::PathNotAllowed, Refusal::NOT_ALLOWED);
                Err(fault.suggest(Refusal::NOT_ALLOWED_MEND))
            }
            Err(Sought::Found(_) | Sought::Missing) => Ok(subject),
        }
    }
}

fn broken(words: &str) -> Fault {
    Fault::new(ErrorCode::Internal, format!("a bug in Assay ended the look at the app: {words}"))
}
