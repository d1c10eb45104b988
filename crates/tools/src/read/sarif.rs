//! SARIF 2.1.0, streamed.
//!
//! Results are read one by one and never all held. Their rules may come after them (semgrep writes
//! its members in alphabetical order): results that need what has not come yet wait in a compact
//! form, up to [`PENDING_BYTES_MAX`]; beyond that they are judged without their rules, and a note
//! says so.

use super::{
    OutputError,
    collector::{Collector, Draft, Place},
    sarif_parts::{
        Artifact, ArtifactLocation, Invocation, Location, Notification, OwnedArtifactLocation,
        Properties, SarifFix, SarifResult, SarifTool,
    },
    sarif_result::{checked, cwes, normal_id, suppression, words},
    sarif_rules::Rules,
    scanner::{Scanner, Shape},
};
use assay_model::{ColumnUnit, Edit, Fix};
use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
};

const VERSION: &str = "2.1.0";

/// Text of results that wait for their rules.
const PENDING_BYTES_MAX: usize = 32 << 20;

/// Names of artifacts that are kept, for results that name theirs only by number.
const ARTIFACTS_MAX: usize = 100_000;

/// Edits of one fix that are kept.
const EDITS_MAX: usize = 50;

/// One run while it is read.
#[derive(Default)]
struct Run {
    rules: Option<Rules>,
    bases: Option<BTreeMap<String, OwnedArtifactLocation>>,
    artifacts: Vec<OwnedArtifactLocation>,
    artifact_count: u64,
    /// Files that results are about, as far as they are held.
    files_with_results: RefCell<BTreeSet<String>>,
    /// The text of results that came before what they need.
    pending: Vec<Box<str>>,
    pending_bytes: usize,
    judged_alone: u64,
    successful: bool,
    complaints: Vec<String>,
}

/// Reads `format = "sarif"`.
pub(super) fn read(
    input: &mut dyn BufRead,
    collector: &mut Collector<'_>,
) -> Result<(), OutputError> {
    let mut scanner = Scanner::new(input)?;
    if scanner.shape()? != Shape::Object {
        return Err(missing("`runs`"));
    }
    scanner.enter();
    let (mut version, mut runs, mut count) = (None, None, 0);
    while let Some(key) = scanner.key(count)? {
        count += 1;
        match key.as_str() {
            "version" => version = Some(scanner.value::<String>()?),
            "runs" => runs = Some(read_runs(&mut scanner, collector)?),
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    match version.as_deref() {
        Some(VERSION) => {}
        Some(found) => {
            let found = super::collector::cleaned(found, 40);
            return Err(OutputError::Version { found, expected: VERSION });
        }
        None => return Err(missing("`version`")),
    }
    match runs {
        Some(0) => Err(missing("a run")),
        Some(_) => Ok(()),
        None => Err(missing("`runs`")),
    }
}

fn read_runs(scanner: &mut Scanner<'_>, collector: &mut Collector<'_>) -> Result<u64, OutputError> {
    if scanner.shape()? != Shape::Array {
        return Err(missing("the list of runs"));
    }
    scanner.enter();
    let mut runs = 0;
    while scanner.element(runs)? {
        runs += 1;
        read_run(scanner, collector)?;
    }
    Ok(runs)
}

fn read_run(scanner: &mut Scanner<'_>, collector: &mut Collector<'_>) -> Result<(), OutputError> {
    if scanner.shape()? != Shape::Object {
        return Err(missing("a run"));
    }
    scanner.enter();
    let mut run = Run { successful: true, ..Run::default() };
    let (mut count, mut has_results) = (0, false);
    while let Some(key) = scanner.key(count)? {
        count += 1;
        match key.as_str() {
            "tool" => run.take_tool(scanner.value()?, collector)?,
            "results" => has_results |= run.read_results(scanner, collector)?,
            "artifacts" => run.read_artifacts(scanner)?,
            "originalUriBaseIds" => run.bases = Some(scanner.value()?),
            "invocations" => scanner.with_text(|text| {
                let invocations: Option<Vec<Invocation<'_>>> = serde_json::from_str(text)?;
                run.take_invocations(&invocations.unwrap_or_default(), collector);
                Ok(())
            })?,
            "columnKind" => {
                if scanner.value::<String>()? == "utf16CodeUnits" {
                    collector.reading.columns = ColumnUnit::Utf16;
                }
            }
            _ => scanner.skip()?,
        }
    }
    run.close(has_results, collector)
}

// === impl Run ===

impl Run {
    fn take_tool(
        &mut self,
        tool: SarifTool,
        collector: &mut Collector<'_>,
    ) -> Result<(), OutputError> {
        let driver = tool.driver.as_ref().ok_or_else(|| missing("`tool.driver`"))?;
        let name = driver.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(missing("the name of `tool.driver`"));
        }
        // A sound report of another tool, without results, would otherwise be a zero of this one.
        if let Some(expected) = &collector.tool.says.output.driver
            && name != expected
        {
            let found = super::collector::cleaned(name, 80);
            return Err(OutputError::OtherTool { found, expected: expected.clone() });
        }
        let version = driver.semantic_version.as_ref().or(driver.version.as_ref());
        if let Some(version) = version {
            collector.reading.version = Some(super::collector::cleaned(version, 80));
        }
        self.rules = Some(Rules::of(tool));
        Ok(())
    }

    /// Reads the results; `false` where the tool says that it has none to give.
    fn read_results(
        &mut self,
        scanner: &mut Scanner<'_>,
        collector: &mut Collector<'_>,
    ) -> Result<bool, OutputError> {
        match scanner.shape()? {
            Shape::Array => scanner.enter(),
            Shape::Object => return Err(missing("the list of results")),
            Shape::Scalar => {
                // `null` means that no results were made, which is not the same as none found.
                scanner.value::<()>()?;
                return Ok(false);
            }
        }
        let mut count = 0;
        while scanner.element(count)? {
            count += 1;
            scanner.with_text(|text| {
                let result: SarifResult<'_> = serde_json::from_str(text)?;
                if self.has_all_for(&result) {
                    self.take_result(&result, collector);
                } else if self.pending_bytes + text.len() <= PENDING_BYTES_MAX {
                    self.pending_bytes += text.len();
                    self.pending.push(text.into());
                } else {
                    self.judged_alone += 1;
                    self.take_result(&result, collector);
                }
                Ok(())
            })?;
        }
        Ok(true)
    }

    /// Whether everything that the result refers to has been read.
    fn has_all_for(&self, result: &SarifResult<'_>) -> bool {
        let place = result.locations.first().and_then(|l| l.physical_location.as_ref());
        let place = place.and_then(|place| place.artifact_location.as_ref());
        let waits = place.is_some_and(|place| {
            let by_number = place.uri.is_none() && place.index.is_some();
            let by_base = place.uri_base_id.is_some() && self.bases.is_none();
            (by_number && self.artifact_count == 0) || by_base
        });
        self.rules.is_some() && !waits
    }

    fn take_result(&self, result: &SarifResult<'_>, collector: &mut Collector<'_>) {
        let kind = result.kind.as_deref().unwrap_or("fail");
        let gone = result.baseline_state.as_deref() == Some("absent");
        if gone || matches!(kind, "pass" | "notApplicable") {
            collector.reading.dropped += 1;
            return;
        }
        let nothing = Rules::default();
        let rules = self.rules.as_ref().unwrap_or(&nothing);
        let rule = rules.find(result.rule_id.as_deref(), result.rule_index, result.rule.as_ref());
        let id = result.rule_id.as_deref();
        let id = id.or_else(|| result.rule.as_ref()?.id.as_deref()).or(rule.map(|r| r.id.as_str()));
        let message = rules.text(&result.message, rule);
        let place = result.locations.first().and_then(|l| l.physical_location.as_ref());
        let file = place.and_then(|place| place.artifact_location.as_ref());
        let place_of = file.map_or(Place::None, |file| self.place(file, collector));
        if let Place::File(path) = &place_of {
            let mut named = self.files_with_results.borrow_mut();
            if named.len() < ARTIFACTS_MAX && !named.contains(path.as_str()) {
                named.insert(path.as_str().to_owned());
            }
        }
        let properties = result.properties.as_ref();
        let number = properties.and_then(Properties::number);
        let confidence = properties.and_then(Properties::confidence);
        let draft = Draft {
            rule: normal_id(collector.tool.id().as_str(), id.unwrap_or("unnamed")),
            message: &message,
            region: place.and_then(|place| place.region).and_then(checked),
            kind: None,
            security_severity: number.or_else(|| rule?.security_severity),
            words: words(result, kind, rule),
            confidence: confidence.or_else(|| rule?.confidence.as_deref()),
            cwe: cwes(result, rule),
            help: rule.and_then(|rule| rule.help.as_deref()),
            suppression: result.suppressions.as_deref().and_then(suppression),
            fix: result.fixes.as_deref().and_then(|fixes| self.fix(fixes, &place_of, collector)),
            place: place_of,
        };
        collector.take(draft);
    }

    /// Returns the file that a location names.
    fn place(&self, location: &ArtifactLocation<'_>, collector: &Collector<'_>) -> Place {
        let artifact = location.index.and_then(|at| self.artifacts.get(usize::try_from(at).ok()?));
        let (uri, base) = match (&location.uri, artifact) {
            (Some(uri), _) => (Some(uri.as_ref()), location.uri_base_id.as_deref()),
            (None, Some(artifact)) => (artifact.uri.as_deref(), artifact.uri_base_id.as_deref()),
            (None, None) => (None, None),
        };
        let Some(uri) = uri else { return Place::None };
        let base = base.and_then(|base| self.base(base, 4));
        collector.paths.uri(uri, base.as_deref()).map_or(Place::Outside, Place::File)
    }

    /// Returns what a base stands for. Bases may stand on others; circles end.
    fn base(&self, name: &str, levels: u8) -> Option<Cow<'_, str>> {
        let base = self.bases.as_ref()?.get(name)?;
        let uri = base.uri.as_deref()?;
        let parent = base.uri_base_id.as_deref().filter(|_| levels > 0);
        match parent.and_then(|parent| self.base(parent, levels - 1)) {
            Some(parent) => {
                let parent = parent.trim_end_matches('/');
                Some(Cow::Owned(format!("{parent}/{}", uri.trim_start_matches('/'))))
            }
            None => Some(Cow::Borrowed(uri)),
        }
    }

    /// Returns the first fix, if it is about the finding's own file.
    fn fix(&self, fixes: &[SarifFix<'_>], place: &Place, collector: &Collector<'_>) -> Option<Fix> {
        let fix = fixes.first()?;
        let mut edits = Vec::new();
        for change in &fix.artifact_changes {
            if self.place(&change.artifact_location, collector) != *place {
                return None;
            }
            for replacement in change.replacements.iter().take(EDITS_MAX + 1) {
                let region = checked(replacement.deleted_region)?;
                let text = replacement.inserted_content.text.as_deref().unwrap_or_default();
                edits.push(Edit { region, text: text.to_owned() });
            }
        }
        if edits.is_empty() || edits.len() > EDITS_MAX {
            return None;
        }
        let description = fix.description.text.as_deref().unwrap_or_default();
        Some(Fix { description: super::collector::cleaned(description, 500), edits })
    }

    fn read_artifacts(&mut self, scanner: &mut Scanner<'_>) -> Result<(), OutputError> {
        if scanner.shape()? != Shape::Array {
            return scanner.skip();
        }
        scanner.enter();
        let mut count = 0;
        while scanner.element(count)? {
            count += 1;
            let artifact: Artifact = scanner.value()?;
            if self.artifacts.len() < ARTIFACTS_MAX {
                self.artifacts.push(artifact.location.unwrap_or_default());
            }
        }
        self.artifact_count += count;
        Ok(())
    }

    fn take_invocations(&mut self, invocations: &[Invocation<'_>], collector: &mut Collector<'_>) {
        for invocation in invocations {
            self.successful &= invocation.execution_successful.unwrap_or(true);
            let described = invocation.exit_code_description.as_deref();
            let failed = invocation.execution_successful == Some(false);
            self.complaints.extend(described.filter(|_| failed).map(str::to_owned));
            let notifications = invocation.tool_execution_notifications.iter();
            for notification in notifications.chain(&invocation.tool_configuration_notifications) {
                if notification.level.as_deref() == Some("error") {
                    self.take_error(notification, collector);
                }
            }
        }
    }

    /// An error about a file of the app means that the file was not read.
    fn take_error(&mut self, notification: &Notification<'_>, collector: &mut Collector<'_>) {
        let text = Rules::default().text(&notification.message, None);
        let text = if text.is_empty() { "an error without a message".to_owned() } else { text };
        let location = |location: &Location<'_>| {
            let file = location.physical_location.as_ref()?.artifact_location.as_ref()?;
            match self.place(file, collector) {
                Place::File(path) => Some(path),
                Place::None | Place::Outside => None,
            }
        };
        match notification.locations.iter().find_map(location) {
            Some(path) => collector.file_failed(&Place::File(path), &text),
            None => self.complaints.push(text),
        }
    }

    /// Ends the run: what waited is judged, and the tool's own word on its success counts.
    fn close(
        mut self,
        has_results: bool,
        collector: &mut Collector<'_>,
    ) -> Result<(), OutputError> {
        if self.rules.is_none() {
            return Err(missing("`tool.driver`"));
        }
        for text in std::mem::take(&mut self.pending) {
            let result = serde_json::from_str(&text)
                .expect("`read_results` has read the same text before it put it here");
            self.take_result(&result, collector);
        }
        if self.judged_alone > 0 {
            let note = format!(
                "{} findings were judged without their rules, which come later in \
                the report than can be waited for",
                self.judged_alone
            );
            collector.note(&note);
        }
        // Many tools list only files with findings: such a list says nothing of the others.
        if self.artifact_count > self.files_with_results.borrow().len() as u64 {
            let known = collector.reading.files_scanned.unwrap_or(0);
            collector.reading.files_scanned = Some(known + self.artifact_count);
        }
        let located = collector.has_failed_files();
        let why = self.complaints.first().map_or("without a reason", String::as_str);
        if !self.successful && !located {
            let why = super::collector::cleaned(why, 300);
            return Err(OutputError::SaysFailed { why });
        }
        if !has_results {
            return Err(missing("the list of results"));
        }
        self.complaints.iter().for_each(|complaint| collector.complain(complaint));
        Ok(())
    }
}

fn missing(what: &str) -> OutputError {
    OutputError::NotIts { missing: what.to_owned() }
}
