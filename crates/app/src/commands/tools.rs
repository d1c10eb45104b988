//! `assay tools`: what there is, what is installed, what works.

use crate::{
    analysis::{Bench, Engine, Journal, Limits, Ready, Showing, Shown, Woken, Workplace, prepare},
    cage,
    cli::{Global, Tools as Command},
    exit::Exit,
    failure::{Failure, Outcome},
    host,
    interrupt::Interrupt,
    session::{self, Session},
    setup::{Chosen, catalogue, loader},
};
use assay_config::Sandbox;
use assay_exec::Cage;
use assay_model::{Digest, EventKind, Profile, ToolRun, ToolStatus, Usage};
use assay_rules::{Capacity, Durations};
use assay_term::table;
use assay_tools::{Catalogue, Optional, Selection, select};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// What became of the tools of one command.
struct Installed {
    ready: Vec<Ready>,
    not_run: Vec<ToolRun>,
}

/// One tool's line in a list.
struct Line {
    chosen: Chosen,
    state: String,
    /// What is wrong and what mends it.
    more: Option<String>,
}

pub(crate) fn run(command: Command, global: &Global, session: &Session) -> Outcome {
    let config = loader(global)?.check()?.config;
    let catalogue = catalogue(&config)?;
    match command {
        Command::List { json } => list(&catalogue, json),
        Command::Install { tools, profile, offline } => {
            let profile: Profile = profile.parse().map_err(|error| {
                Failure::usage(format!("{error}")).hint("quick, standard or thorough")
            })?;
            let chosen = chosen(&catalogue, &tools, Some(profile))?;
            install(chosen, offline || config.offline, session)
        }
        Command::Check { tools, json, offline } => {
            let mut chosen = chosen(&catalogue, &tools, None)?;
            for chosen in &mut chosen {
                // A tool shows itself as an analysis would run it: with its server, for one.
                let required = chosen.required;
                *chosen = Chosen::configured(Arc::clone(&chosen.tool), &config)?;
                chosen.required = required;
            }
            check(chosen, offline || config.offline, json, (session, config.sandbox))
        }
        Command::Prune => prune(&catalogue),
    }
}

/// Picks tools by name; without names those of a profile, or all.
fn chosen(
    catalogue: &Catalogue,
    named: &[String],
    profile: Option<Profile>,
) -> Result<Vec<Chosen>, Failure> {
    let Some(profile) = profile.or((!named.is_empty()).then_some(Profile::Thorough)) else {
        return Ok(catalogue.iter().cloned().map(Chosen::plain).collect());
    };
    let selection = Selection {
        profile,
        kinds: Vec::new(),
        named: named.to_vec(),
        optional: Optional::MayLack,
    };
    let selected = select(catalogue, &selection).map_err(|errors| {
        let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::usage(words.join("; "))
            .maybe_hint(errors.iter().find_map(assay_tools::ResolveError::hint))
            .or_hint("see `assay tools list`")
    })?;
    Ok(selected
        .into_iter()
        .map(|selected| {
            let mut chosen = Chosen::plain(selected.tool);
            chosen.required = selected.required;
            chosen
        })
        .collect())
}

fn journal(session: &Session) -> Arc<Journal> {
    Arc::new(Journal::new(session.progress()))
}

/// Brings tools here, with progress.
async fn bring(
    chosen: Vec<Chosen>,
    offline: bool,
    journal: &Arc<Journal>,
    interrupt: &Interrupt,
) -> Result<Installed, Failure> {
    let provisioner = session::provisioner(offline)?;
    for chosen in &chosen {
        let tool = chosen.tool.id().clone();
        journal.tell(EventKind::ToolPlanned { tool });
    }
    let woken = chosen
        .into_iter()
        .map(|chosen| Woken { chosen, matched: Vec::new(), staging: None })
        .collect();
    let prepared = prepare(&provisioner, woken, journal, interrupt).await;
    Ok(Installed { ready: prepared.ready, not_run: prepared.not_run })
}

fn list(catalogue: &Catalogue, as_json: bool) -> Outcome {
    let journal = Arc::new(Journal::silent());
    let all: Vec<Chosen> = catalogue.iter().cloned().map(Chosen::plain).collect();
    let installed =
        session::block_on(async |interrupt| bring(all, true, &journal, &interrupt).await)?;
    let mut lines: Vec<Line> = installed
        .ready
        .into_iter()
        .map(|ready| Line { chosen: ready.chosen, state: "installed".to_owned(), more: None })
        .collect();
    for run in installed.not_run {
        let tool = catalogue.get(run.tool.as_str()).expect("`bring` gives back what it was given");
        let needs_network = tool.declaration().network;
        let state = if needs_network { "with the network" } else { "not installed" };
        let chosen = Chosen::plain(Arc::clone(tool));
        lines.push(Line { chosen, state: state.to_owned(), more: run.reason });
    }
    lines.sort_by(|a, b| a.chosen.tool.id().cmp(b.chosen.tool.id()));
    if as_json {
        let tools: Vec<_> = lines.iter().map(line_json).collect();
        session::print_json(&tools)?;
    } else {
        let rows: Vec<Vec<String>> = lines.iter().map(line_row).collect();
        let headers = ["tool", "version", "looks for", "profile", "state"];
        session::print(&table(&headers, &rows, assay_term::stdout_width()))?;
    }
    Ok(Exit::Done)
}

fn line_row(line: &Line) -> Vec<String> {
    let says = line.chosen.tool.declaration();
    vec![
        line.chosen.tool.id().to_string(),
        line.chosen.tool.version().unwrap_or("your own").to_owned(),
        if says.summary.is_empty() { says.kind.to_string() } else { says.summary.clone() },
        says.profile.map_or("by name", Profile::as_str).to_owned(),
        line.state.clone(),
    ]
}

fn line_json(line: &Line) -> serde_json::Value {
    let tool = &line.chosen.tool;
    let says = tool.declaration();
    json!({
        "tool": tool.id(), "title": says.title, "summary": says.summary, "version": tool.version(),
        "homepage": says.homepage, "kind": says.kind, "also": says.also, "profile": says.profile,
        "inputs": says.inputs, "network": says.network, "optional": says.optional,
        "options": says.options, "aliases": says.aliases, "state": line.state, "reason": line.more,
    })
}

fn install(chosen: Vec<Chosen>, offline: bool, session: &Session) -> Outcome {
    let journal = journal(session);
    let installed =
        session::block_on(async |interrupt| bring(chosen, offline, &journal, &interrupt).await);
    journal.finish();
    let installed = installed?;
    let mut rows = Vec::new();
    for ready in &installed.ready {
        let id = ready.chosen.tool.id().to_string();
        let version = ready.chosen.version(&ready.installation.version);
        rows.push(vec![id, version, "installed".to_owned()]);
    }
    let mut missing = 0;
    for run in &installed.not_run {
        missing += u32::from(run.required);
        rows.push(vec![
            run.tool.to_string(),
            String::new(),
            format!("{}: {}", run.status, why(run)),
        ]);
    }
    rows.sort();
    session::print(&table(&["tool", "version", "state"], &rows, assay_term::stdout_width()))?;
    Ok(if missing == 0 { Exit::Done } else { Exit::Incomplete })
}

fn why(run: &ToolRun) -> String {
    let reason = run.reason.as_deref().unwrap_or("it is not there");
    match &run.mend {
        Some(mend) => format!("{reason} ({mend})"),
        None => reason.to_owned(),
    }
}

/// What `assay tools check` says of one tool.
struct Checked {
    tool: String,
    version: Option<String>,
    state: &'static str,
    why: Option<String>,
    /// Of both samples together; absent where nothing was started.
    usage: Option<Usage>,
}

fn check(
    chosen: Vec<Chosen>,
    offline: bool,
    as_json: bool,
    (session, sandbox): (&Session, Sandbox),
) -> Outcome {
    let journal = journal(session);
    let shown = session::block_on(async |interrupt| {
        let cage = cage::of(sandbox).await?;
        Ok((show_all(chosen, offline, (&journal, &cage), &interrupt).await?, cage))
    });
    journal.finish();
    let ((showings, not_run), cage) = shown?;
    let is_failed = |shown: &Shown| matches!(shown.showing, Showing::Failed { .. });
    let failed = showings.iter().any(|(_, shown)| is_failed(shown));
    let missing = not_run.iter().any(ToolRun::leaves_a_gap);
    let shown = showings.iter().map(|(ready, shown)| Checked::of(ready, shown));
    let mut all: Vec<Checked> = shown.chain(not_run.iter().map(Checked::missing)).collect();
    all.sort_by(|a, b| a.tool.cmp(&b.tool));
    print_checked(&all, as_json, &cage)?;
    Ok(if failed || missing { Exit::Incomplete } else { Exit::Done })
}

/// Installs the tools and lets each show what it finds.
async fn show_all(
    chosen: Vec<Chosen>,
    offline: bool,
    (journal, cage): (&Arc<Journal>, &Cage),
    interrupt: &Interrupt,
) -> Result<(Vec<(Ready, Shown)>, Vec<ToolRun>), Failure> {
    let installed = bring(chosen, offline, journal, interrupt).await?;
    for run in &installed.not_run {
        journal.tell(EventKind::ToolEnded { run: Box::new(run.clone()) });
    }
    let workplace = Arc::new(Workplace::new(cage.clone())?);
    let cache = session::provisioner(offline)?.settings().cache.clone();
    let engine = Engine {
        limits: Limits {
            capacity: Capacity { slots: host::cpus(), memory_mib: host::memory_mib() },
            whole: Duration::ZERO,
            lines: 0,
            durations: Durations::default(),
        },
        bench: Bench::new(&cache, Arc::clone(&workplace)),
        journal,
        workplace: &workplace,
        interrupt,
    };
    let ended = |ready: &Ready, shown: &Shown| {
        let run = Box::new(told(ready, shown, journal.elapsed_ms()));
        journal.tell(EventKind::ToolEnded { run });
    };
    match engine.showings(installed.ready, ended).await {
        (_, Some(reason)) => Err(Failure::stopped(Some(reason))),
        (showings, None) => Ok((showings, installed.not_run)),
    }
}

/// The end of a self-test as progress shows it.
fn told(ready: &Ready, shown: &Shown, now_ms: u64) -> ToolRun {
    let (status, reason) = match &shown.showing {
        Showing::Passed => (ToolStatus::Ok, "it finds what was planted"),
        Showing::Undecided { status, why } => (*status, why.as_str()),
        Showing::Failed { why } => (ToolStatus::Untrusted, why.as_str()),
    };
    let mut run = ready.chosen.not_run(status);
    run.version = Some(ready.chosen.version(&ready.installation.version));
    run.reason = Some(reason.to_owned());
    run.usage = shown.usage;
    run.started_ms = Some(now_ms.saturating_sub(shown.usage.wall_ms));
    run
}

fn print_checked(all: &[Checked], as_json: bool, cage: &Cage) -> Result<(), Failure> {
    if as_json {
        let tools: Vec<_> = all.iter().map(Checked::json).collect();
        return session::print_json(&json!({
            "isolation": cage.describe(), "missing": missing(cage), "tools": tools,
        }));
    }
    let rows: Vec<Vec<String>> = all.iter().map(Checked::row).collect();
    let headers = ["tool", "version", "state", "took", "why"];
    session::print(&table(&headers, &rows, assay_term::stdout_width()))?;
    let held = cage.describe().into_iter().map(|line| format!("  {line}\n"));
    let missing = missing(cage).into_iter().map(|line| format!("  not in force: {line}\n"));
    let lines: String = held.chain(missing).collect();
    session::print(&format!("\nin force on this machine:\n{lines}"))
}

/// The layers that are not in force, each with the reason.
fn missing(cage: &Cage) -> Vec<String> {
    cage.missing().iter().map(|(layer, why)| format!("{layer}: {why}")).collect()
}

// === impl Checked ===

impl Checked {
    fn of(ready: &Ready, shown: &Shown) -> Self {
        let (state, why) = match &shown.showing {
            Showing::Passed => ("ok", None),
            Showing::Undecided { why, .. } => ("not proven", Some(why)),
            Showing::Failed { why } => (ToolStatus::Untrusted.as_str(), Some(why)),
        };
        Self {
            tool: ready.chosen.tool.id().to_string(),
            version: Some(ready.chosen.version(&ready.installation.version)),
            state,
            why: why.cloned(),
            usage: Some(shown.usage).filter(|usage| *usage != Usage::default()),
        }
    }

    fn missing(run: &ToolRun) -> Self {
        let (tool, state) = (run.tool.to_string(), run.status.as_str());
        Self { tool, version: None, state, why: Some(why(run)), usage: None }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.tool.clone(),
            self.version.clone().unwrap_or_default(),
            self.state.to_owned(),
            self.usage.map_or_else(String::new, |usage| assay_term::duration(usage.wall_ms)),
            self.why.clone().unwrap_or_default(),
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "tool": self.tool, "version": self.version, "state": self.state, "why": self.why,
            "usage": self.usage,
        })
    }
}

fn prune(catalogue: &Catalogue) -> Outcome {
    let journal = Arc::new(Journal::silent());
    let all: Vec<Chosen> = catalogue.iter().cloned().map(Chosen::plain).collect();
    let used = session::block_on(async |interrupt| bring(all, true, &journal, &interrupt).await)?;
    let keep: Vec<Digest> = used.ready.into_iter().map(|ready| ready.installation.digest).collect();
    let pruned = session::provisioner(true)?
        .prune(&keep)
        .map_err(|error| Failure::usage(error.to_string()).maybe_hint(error.hint()))?;
    let freed = pruned.bytes.div_ceil(1 << 20);
    session::print(&format!("{} installations removed, {freed} MiB\n", pruned.removed.len()))?;
    Ok(Exit::Done)
}
