//! Whether an installed tool finds its planted defect and leaves a clean sample alone.
//!
//! A tool that finds nothing looks like an app without defects; this tells them apart. It happens
//! once for all that decides what it finds: the installation, the row of the catalogue, the layers
//! that keep it in check and this version of Assay.
//!
//! Keeps: only a passed self-test is remembered, a failed one is forgotten; a mark that says anything
//! else than it should counts as none; two processes at once write the same mark whole.

use super::{
    files::beginning,
    prepare::Ready,
    tool::{Bounds, Done, Files, Visit},
    workplace::Workplace,
};

use assay_model::{CanaryDeclaration, CanaryFile, Format, SourcePath, ToolStatus, Usage};
use assay_tools::{Settings, Verdict, verdict};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of what a tool writes about a sample of a few lines.
const SAMPLE_BYTES_MAX: u64 = 16 << 20;

/// Where self-tests happen and are remembered.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    passed: PathBuf,
    workplace: Arc<Workplace>,
    /// The layers in force.
    isolation: Arc<[String]>,
}

/// A self-test that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) showing: Showing,
    /// What both samples cost together.
    pub(crate) usage: Usage,
}

/// What a self-test showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Showing {
    /// It found what was planted, and nothing in the clean sample.
    Passed,
    /// Nothing can be said: it has no self-test, was stopped, or cannot reach what it needs.
    Undecided { status: ToolStatus, why: String },
    /// It does not do what it should.
    Failed { why: String },
}

/// One sample as the tool left it.
struct Tried {
    verdict: Verdict,
    rules: BTreeSet<String>,
    /// All that it wrote, for a bill of materials.
    text: String,
    usage: Usage,
}

// === impl Bench ===

impl Bench {
    /// `cache` is the folder of everything that Assay remembers about tools.
    pub(crate) fn new(cache: &Path, workplace: Arc<Workplace>) -> Self {
        let isolation = workplace.cage().describe().into();
        Self { passed: cache.join("checked"), workplace, isolation }
    }

    /// Tells whether the tool has to show itself before it is believed.
    pub(crate) fn is_due(&self, ready: &Ready) -> bool {
        let says = ready.chosen.tool.declaration();
        // What reaches the network may find its server closed today; that says nothing about it.
        says.canary.is_some() && !says.network && !self.mark(ready).is_there()
    }

    /// Lets the tool show what it finds, whether or not it has done so before.
    pub(crate) async fn show(&self, ready: &Ready, bounds: &Bounds) -> Shown {
        let mut ready = ready.clone();
        let says = ready.chosen.tool.declaration();
        let mut usage = Usage::default();
        let Some(canary) = says.canary.clone() else {
            let why = "it has no self-test".to_owned();
            return Shown {
                showing: Showing::Undecided { status: ToolStatus::NoInputs, why },
                usage,
            };
        };
        if !says.network {
            // A user who leaves out the very rule that was planted has not broken the tool. What
            // asks a server has to be told which.
            ready.chosen.settings = Settings::default();
        }
        let showing = self.try_both(&ready, &canary, bounds, &mut usage).await;
        let mark = self.mark(&ready);
        let noted = match &showing {
            Showing::Passed => mark.write(),
            Showing::Failed { .. } => mark.remove(),
            Showing::Undecided { .. } => Ok(()),
        };
        noted.unwrap_or_else(|error| {
            tracing::warn!(tool = %ready.chosen.tool.id(), %error, "the self-test is not remembered");
        });
        Shown { showing, usage }
    }

    async fn try_both(
        &self,
        ready: &Ready,
        canary: &CanaryDeclaration,
        bounds: &Bounds,
        usage: &mut Usage,
    ) -> Showing {
        let defect = match self.try_sample(ready, "defect", &canary.defect, bounds).await {
            Ok(tried) => tried,
            Err(error) => return undecided(error),
        };
        *usage += defect.usage;
        match judge_defect(ready, canary, &defect) {
            Showing::Passed => {}
            other => return other,
        }
        match self.try_sample(ready, "clean", &canary.clean, bounds).await {
            Ok(tried) => {
                *usage += tried.usage;
                judge_clean(ready, &tried)
            }
            Err(error) => undecided(error),
        }
    }

    async fn try_sample(
        &self,
        ready: &Ready,
        sample: &str,
        files: &[CanaryFile],
        bounds: &Bounds,
    ) -> io::Result<Tried> {
        let corner = self.workplace.canary_corner(ready.chosen.tool.id(), sample);
        let logs = corner.project.with_file_name("logs").into_std_path_buf();
        fs::create_dir_all(&logs)?;
        let paths = plant(corner.project.as_std_path(), files)?;
        let known = paths.clone();
        let visit = Visit {
            ready,
            corner: &corner,
            files: Files::new(move |path| known.contains(path)),
            logs: logs.clone(),
            bounds: bounds.clone(),
            journal: None,
            // What it shows holds for every analysis that comes.
            trace: None,
        };
        let matched = ready.matching(&paths);
        let done = visit.run(&matched).await;
        let tried = Tried::of(ready, &done, &logs);
        corner.clear();
        Ok(tried)
    }

    fn mark(&self, ready: &Ready) -> Mark {
        let tool = &ready.chosen.tool;
        // The row is a part: a changed command line has to show itself anew.
        let row = serde_json::to_vec(tool.declaration())
            .expect("a declaration is made of texts, numbers and lists");
        let text = format!(
            "passed\ntool {}\ninstallation {}\nrow {}\nassay {}\nisolation {}\n",
            tool.id(),
            ready.installation.digest,
            assay_source::digest_of(&row),
            env!("CARGO_PKG_VERSION"),
            assay_source::digest_of(self.isolation.join("\n").as_bytes()),
        );
        let name =
            format!("{}-{}", tool.id(), &assay_source::digest_of(text.as_bytes()).as_str()[..32]);
        Mark { path: self.passed.join(name), text }
    }
}

/// The file that says that a self-test was passed, and by what.
struct Mark {
    path: PathBuf,
    text: String,
}

// === impl Mark ===

impl Mark {
    /// A file that is cut, or was written by something else, says nothing.
    fn is_there(&self) -> bool {
        fs::read(&self.path).is_ok_and(|held| held == self.text.as_bytes())
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().expect("`Bench::mark` puts it into a folder");
        fs::create_dir_all(folder)?;
        let part = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(part.path(), &self.text)?;
        part.persist(&self.path).map(drop).map_err(|failed| failed.error)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn undecided(error: io::Error) -> Showing {
    let why = format!("its sample could not be written: {error}");
    Showing::Undecided { status: ToolStatus::Cancelled, why }
}

fn plant(project: &Path, files: &[CanaryFile]) -> io::Result<Vec<SourcePath>> {
    let mut paths = Vec::new();
    for file in files {
        let path = SourcePath::new(&file.path).map_err(io::Error::other)?;
        let full = project.join(path.as_str());
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(full, &file.text)?;
        paths.push(path);
    }
    paths.sort();
    Ok(paths)
}

/// The defect has to be reported under the rule that the row names.
fn judge_defect(ready: &Ready, canary: &CanaryDeclaration, tried: &Tried) -> Showing {
    if let Some(early) = tried.not_ok(ready, "planted defect") {
        return early;
    }
    let is_inventory = ready.chosen.tool.declaration().output.format == Format::Cyclonedx;
    let found = if is_inventory {
        tried.text.contains(&format!("\"{}\"", canary.expect))
    } else {
        tried.rules.contains(&canary.expect)
    };
    if found {
        return Showing::Passed;
    }
    let reported: Vec<&str> = tried.rules.iter().map(String::as_str).take(5).collect();
    let reported = if reported.is_empty() { "nothing".to_owned() } else { reported.join(", ") };
    Showing::Failed { why: format!("`{}` was planted, and it reports {reported}", canary.expect) }
}

fn judge_clean(ready: &Ready, tried: &Tried) -> Showing {
    if let Some(early) = tried.not_ok(ready, "clean sample") {
        return early;
    }
    match tried.rules.first() {
        None => Showing::Passed,
        Some(rule) => Showing::Failed { why: format!("it reports `{rule}` in a clean sample") },
    }
}

// === impl Tried ===

impl Tried {
    fn of(ready: &Ready, done: &Done, logs: &Path) -> Self {
        let verdict = verdict(&ready.chosen.tool, 1, &done.calls);
        let rules = done.observations.iter().map(|seen| seen.rule.as_str().to_owned()).collect();
        let kept = fs::read_dir(logs).into_iter().flatten().flatten().map(|entry| entry.path());
        let written = kept.chain(done.artifacts.iter().cloned());
        let text = written.map(|path| beginning(&path, SAMPLE_BYTES_MAX)).collect();
        Self { verdict, rules, text, usage: done.usage }
    }

    fn not_ok(&self, ready: &Ready, sample: &str) -> Option<Showing> {
        let why = || {
            let reason = self.verdict.reason.as_deref().unwrap_or("for no reason that it gives");
            format!("on the {sample} it ends as {}: {reason}", self.verdict.status)
        };
        match self.verdict.status {
            ToolStatus::Ok => None,
            // Slow is not wrong: on a busy machine the time of a self-test says nothing.
            status @ (ToolStatus::Cancelled | ToolStatus::TimedOut) => {
                Some(Showing::Undecided { status, why: why() })
            }
            // A server that cannot be reached is not the tool's fault.
            status if ready.chosen.tool.declaration().network => {
                Some(Showing::Undecided { status, why: why() })
            }
            _ => Some(Showing::Failed { why: why() }),
        }
    }
}
