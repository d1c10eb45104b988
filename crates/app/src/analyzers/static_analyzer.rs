//! The analyzer of source, behind `assay service static`.
//!
//! Owns what all analyses of one process share, and the threads that they run on. Keeps: what an
//! analysis computes or waits for on disk never holds up whoever speaks to clients; a new
//! configuration that is wrong leaves the old one in force.

use super::{
    at_hand::{AtHand, Installed},
    discretion::Discretion,
    one::{analyse, bug},
    refusal::Refusal,
};
use crate::{
    analysis::Toolbox,
    cage,
    cli::Global,
    commands::results_root,
    failure::Failure,
    host, session,
    setup::{Base, Chosen, loader},
    target::Whose,
};
use assay_config::{Loader, Sandbox};
use assay_exec::{Cage, without_login};
use assay_provision::Provisioner;
use assay_server::{Analyze, Answer, Job, Tell, ToolsAtHand};
use assay_store::ResultsRoot;
use assay_wire::{Analyzer, Payload};
use serde_json::Value;
use std::{
    env, mem,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    runtime::{Handle, Runtime},
    sync::OnceCell,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// How long a tool that could not be had, or failed its self-test, is left alone. Long enough that a
/// server that is down is not asked by every request.
const BAD_NEWS_HOLD: Duration = Duration::from_mins(5);

/// How long that which is dropped at the end may take.
const DROPS: Duration = Duration::from_secs(2);

/// Analyses source with the tools of the catalogue. Cheap to clone: one for the service, one for
/// whoever tells it to read its configuration again.
#[derive(Clone, Debug)]
pub(crate) struct StaticAnalyzer {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

/// What an analyzer finds around it.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) loader: Loader,
    pub(crate) provisioner: Arc<Provisioner>,
    /// The same one without the right to bring anything here.
    pub(crate) looker: Arc<Provisioner>,
    pub(crate) root: ResultsRoot,
    /// What tools run in; absent where it is still to be found out.
    pub(crate) cage: Option<Cage>,
}

/// What all analyses share.
#[derive(Debug)]
pub(super) struct Shared {
    loader: Loader,
    base: RwLock<Arc<Base>>,
    provisioner: Arc<Provisioner>,
    toolbox: OnceCell<Arc<Toolbox>>,
    cage: Option<Cage>,
    pub(super) root: ResultsRoot,
    pub(super) at_hand: AtHand,
    pub(super) hidden: Discretion,
    /// Tools side by side, of all analyses together.
    pub(super) jobs: u32,
}

/// The threads of the analyses.
#[derive(Debug)]
struct Threads(Option<Runtime>);

// === impl Surroundings ===

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of(global: &Global) -> Result<Self, Failure> {
        let loader = loader(global)?;
        let offline = loader.check()?.config.offline;
        Ok(Self {
            loader,
            provisioner: session::provisioner(offline)?,
            looker: session::provisioner(true)?,
            root: results_root()?,
            cage: None,
        })
    }
}

// === impl StaticAnalyzer ===

impl StaticAnalyzer {
    /// Begins, and looks in the background which tools are there. Must be called inside a runtime.
    ///
    /// # Errors
    ///
    /// Where the configuration is wrong, or asks for a sandbox that this machine does not have.
    pub(crate) async fn start(around: Surroundings) -> Result<Self, Failure> {
        let Surroundings { loader, provisioner, looker, root, mut cage } = around;
        let base = Base::of(&loader)?;
        let config = &base.loaded.config;
        let usual = base.usual()?;
        if config.sandbox == Sandbox::Strict && cage.is_none() {
            // The others are tried while clients connect already; this one may be refused.
            cage = Some(cage::of(config.sandbox).await?);
        }
        let jobs = config.jobs.map_or_else(host::cpus, std::num::NonZeroU32::get);
        let installed = Installed { provisioner: looker, may_install: !config.offline };
        let hidden = hidden(&provisioner.settings().cache);
        let all = base.catalogue.iter().cloned().map(Chosen::plain).collect();
        let shared = Arc::new(Shared {
            loader,
            base: RwLock::new(Arc::new(base)),
            provisioner,
            toolbox: OnceCell::new(),
            cage,
            root,
            at_hand: AtHand::default(),
            hidden,
            jobs,
        });
        let threads = Arc::new(Threads::start()?);
        let looking = Arc::clone(&shared);
        threads.handle().spawn(async move {
            if let Err(failure) = looking.toolbox().await {
                tracing::error!(error = %failure.in_full(), "tools cannot be run");
            }
            looking.at_hand.look(all, &usual, &installed).await;
        });
        Ok(Self { shared, threads })
    }

    /// Reads the configuration again. What runs goes on with what it began with; the sandbox, the
    /// number of jobs, whether the network is used and the cache stay as they were at the start.
    ///
    /// Blocks: it reads files.
    ///
    /// # Errors
    ///
    /// Where it is wrong; the old one then stays in force.
    pub(crate) fn reload(&self) -> Result<(), Failure> {
        let base = Arc::new(Base::of(&self.shared.loader)?);
        base.usual()?;
        *self.shared.base.write().unwrap_or_else(PoisonError::into_inner) = base;
        Ok(())
    }
}

impl Analyze for StaticAnalyzer {
    fn sort(&self) -> Analyzer {
        Analyzer::Static
    }

    fn tools(&self) -> ToolsAtHand {
        let mut now = self.shared.at_hand.now();
        for why in now.unavailable.values_mut() {
            *why = self.shared.hidden.of_text(why);
        }
        now
    }

    fn configuration(&self) -> Payload {
        let values = self.shared.base().loaded.values.clone();
        let masked = masked("", Value::Object(values));
        Payload::of(&masked).expect("the keys of a JSON value are strings")
    }

    fn analyse(&self, job: Job, tell: Tell) -> impl Future<Output = Answer> + Send {
        let shared = Arc::clone(&self.shared);
        let whose = Whose::of(&job.request);
        let running = analyse(Arc::clone(&shared), job, tell).in_current_span();
        let running = self.threads.handle().spawn(running);
        let running = AbortOnDropHandle::new(running);
        async move {
            running.await.unwrap_or_else(|error| {
                tracing::error!(%error, "an analysis broke off");
                Refusal::Failed(bug(&error.to_string())).answer(&whose, &shared.hidden)
            })
        }
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn base(&self) -> Arc<Base> {
        Arc::clone(&self.base.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The tools of this process; the first who asks finds out what they run in.
    pub(super) async fn toolbox(&self) -> Result<&Arc<Toolbox>, Failure> {
        let make = || async {
            let cage = match &self.cage {
                Some(cage) => cage.clone(),
                None => cage::of(self.base().loaded.config.sandbox).await?,
            };
            let toolbox = Toolbox::new(Arc::clone(&self.provisioner), cage, self.jobs);
            Ok(Arc::new(toolbox.forgiving(BAD_NEWS_HOLD)))
        };
        self.toolbox.get_or_try_init(make).await
    }
}

/// Folders of ours that no client needs to know.
fn hidden(cache: &Path) -> Discretion {
    let home = env::var_os("HOME").unwrap_or_default();
    let (here, temporary) = (env::current_dir().unwrap_or_default(), env::temp_dir());
    Discretion::of([
        (cache, "{cache}"),
        (home.as_ref(), "~"),
        (&here, "{here}"),
        (&temporary, "{tmp}"),
    ])
}

/// Words in the name of a setting whose value nobody is told.
const SECRET_NAMES: &[&str] = &["token", "secret", "password", "passwd", "credential", "key"];

/// Hides what a configuration should not hold, and sometimes does.
fn masked(name: &str, value: Value) -> Value {
    let name = name.to_lowercase();
    let is_secret = SECRET_NAMES.iter().any(|secret| name.contains(secret));
    match value {
        Value::Object(map) => {
            let each = |(name, value): (String, Value)| {
                let value = masked(&name, value);
                (name, value)
            };
            Value::Object(map.into_iter().map(each).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| masked(&name, item)).collect(),
        Value::Null => Value::Null,
        _ if is_secret => Value::from("***"),
        Value::String(text) if text.contains("://") => Value::from(without_login(&text)),
        other => other,
    }
}

// === impl Threads ===

impl Threads {
    fn start() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("analysis")
            .enable_all()
            .build()
            .map_err(|error| Failure::usage("no threads can be started").because(error))?;
        Ok(Self(Some(runtime)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("only `drop` takes it").handle()
    }
}

impl Drop for Threads {
    /// What was dropped removes its folders on these threads. Inside of a runtime nobody may wait.
    fn drop(&mut self) {
        let Some(runtime) = mem::take(&mut self.0) else { return };
        if Handle::try_current().is_ok() {
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(DROPS);
        }
    }
}

#[cfg(test)]
mod tests;
