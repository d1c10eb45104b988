//! Makes one finding of what several tools said about one defect.
//!
//! Owns when two observations are the same defect (`docs/identity.md`): the same class at the same
//! place, from different tools. Two things that *one* tool tells apart stay apart.
//!
//! Keeps: the order of the input changes nothing; every tool's word stays as a sighting. Only what
//! one tool says twice in the same words is said once.

use crate::{advisory, identity, lines::Lines, owasp};
use assay_model::{Finding, Kind, Location, Observation, Sighting, Suppression};
use std::cmp::{Ordering, Reverse};

/// A region of a whole function would swallow every defect in it: only its first lines count.
const OVERLAP_LINES: u32 = 10;

/// How many open clusters an observation is compared with. A generated file may have ten thousand
/// findings of one class in its one line; without a bound they cost their square.
const CLUSTERS_COMPARED: usize = 32;

/// An observation with what decides whether it joins another.
struct Placed {
    observation: Observation,
    class: String,
    /// First and last line that count for overlap; 0 where there is no region.
    first: u32,
    last: u32,
    /// First line of its statement, or of the function that it measures.
    anchor: u32,
    package: String,
}

/// Observations of one defect, in their fixed order.
struct Cluster {
    members: Vec<Placed>,
}

/// Merges the observations of one file (or of no file) into findings, by line. Occurrences are
/// not numbered yet, snippets not cut.
pub(crate) fn merge(observations: Vec<Observation>, lines: Option<&Lines>) -> Vec<Finding> {
    let mut placed: Vec<Placed> =
        observations.into_iter().map(|observation| Placed::new(observation, lines)).collect();
    placed.sort_by(Placed::order);
    let mut clusters: Vec<Cluster> = Vec::new();
    for one in placed {
        match nearest(&clusters, &one) {
            Some(index) => clusters[index].members.push(one),
            None => clusters.push(Cluster { members: vec![one] }),
        }
    }
    let mut findings: Vec<Finding> =
        clusters.into_iter().map(|cluster| cluster.into_finding(lines)).collect();
    findings.sort_by(by_place);
    findings
}

/// Orders findings by where they are; the rest only makes the order total.
pub(crate) fn by_place(one: &Finding, other: &Finding) -> Ordering {
    one.location
        .cmp(&other.location)
        .then_with(|| one.defect.cmp(&other.defect))
        .then_with(|| one.tool.cmp(&other.tool))
        .then_with(|| one.rule.cmp(&other.rule))
        .then_with(|| one.message.cmp(&other.message))
        .then_with(|| one.fingerprint.cmp(&other.fingerprint))
}

fn nearest(clusters: &[Cluster], one: &Placed) -> Option<usize> {
    let recent = clusters.len().saturating_sub(CLUSTERS_COMPARED);
    (recent..clusters.len())
        .filter(|index| clusters[*index].takes(one))
        .min_by_key(|index| clusters[*index].members[0].distance(one))
}

// === impl Placed ===

impl Placed {
    fn new(observation: Observation, lines: Option<&Lines>) -> Self {
        let class = identity::class(&observation).into_owned();
        let region = observation.location.as_ref().and_then(|location| location.region);
        let first = region.map_or(0, |region| region.line);
        let end = region.and_then(|region| region.end_line).unwrap_or(first);
        let text = lines.and_then(|lines| lines.get(first as usize));
        let package = if class.starts_with("dependency:") {
            advisory::package(&observation, text)
        } else {
            String::new()
        };
        let anchor =
            lines.filter(|_| first > 0).map(|lines| anchor(lines, observation.kind, first));
        Self {
            class,
            first,
            last: end.min(first.saturating_add(OVERLAP_LINES)),
            anchor: anchor.unwrap_or(first),
            package,
            observation,
        }
    }

    /// A total order over what the observations say, so that the input's order cannot matter.
    fn order(&self, other: &Self) -> Ordering {
        let (one, two) = (&self.observation, &other.observation);
        let key =
            |placed: &Self| (placed.anchor, placed.first, column(&placed.observation), placed.last);
        self.class
            .cmp(&other.class)
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| one.tool.cmp(&two.tool))
            .then_with(|| one.rule.cmp(&two.rule))
            .then_with(|| one.message.cmp(&two.message))
            .then_with(|| Reverse(one.severity).cmp(&Reverse(two.severity)))
            // Equal in all that is usually different: the rest is compared only now, being dear.
            .then_with(|| format!("{one:?}").cmp(&format!("{two:?}")))
    }

    fn is_same_place(&self, other: &Self) -> bool {
        if self.class != other.class {
            return false;
        }
        if self.class.starts_with("dependency:") {
            // Some tools point at the manifest, some at the line in it.
            return self.package.is_empty()
                || other.package.is_empty()
                || self.package == other.package;
        }
        match (self.first, other.first) {
            (0, 0) => true,
            (0, _) | (_, 0) => false,
            (first, second) => {
                self.anchor == other.anchor || (first <= other.last && second <= self.last)
            }
        }
    }

    fn is_repeat_of(&self, other: &Self) -> bool {
        let (one, two) = (&self.observation, &other.observation);
        one.tool == two.tool
            && one.rule == two.rule
            && one.message == two.message
            && one.location == two.location
    }

    fn distance(&self, other: &Self) -> (u32, u32) {
        let columns = (column(&self.observation), column(&other.observation));
        let apart = match columns {
            (0, _) | (_, 0) => 0,
            (one, two) => one.abs_diff(two),
        };
        (self.first.abs_diff(other.first), apart)
    }

    /// How much the observation tells beyond its message. The most telling tool speaks.
    fn worth(&self) -> usize {
        let it = &self.observation;
        [
            !it.defect.contains(':'),
            it.confidence.is_some(),
            it.security_severity.is_some(),
            !it.cwe.is_empty(),
            it.help.is_some(),
            it.fix.is_some(),
            column(it) > 0,
        ]
        .into_iter()
        .filter(|told| *told)
        .count()
    }
}

/// The line that stands for the place: of the measured function, else of the statement.
fn anchor(lines: &Lines, kind: Kind, line: u32) -> u32 {
    let at = line as usize;
    let anchor = match lines.measured(at) {
        Some((opened, _)) if kind == Kind::Complexity => opened,
        _ => lines.statement(at).0,
    };
    u32::try_from(anchor).unwrap_or(line)
}

fn column(observation: &Observation) -> u32 {
    let region = observation.location.as_ref().and_then(|location| location.region);
    region.and_then(|region| region.column).unwrap_or(0)
}

// === impl Cluster ===

impl Cluster {
    fn takes(&self, one: &Placed) -> bool {
        let Some(first) = self.members.first() else { return false };
        if self.members.iter().any(|member| one.is_repeat_of(member)) {
            return true;
        }
        first.is_same_place(one)
            && self.members.iter().all(|member| member.observation.tool != one.observation.tool)
    }

    fn into_finding(self, lines: Option<&Lines>) -> Finding {
        // The first member is the same whichever tools join later, so it gives the identity; of
        // dependencies, one that knows the package does.
        let named = self.members.iter().find(|member| !member.package.is_empty());
        let first = named.unwrap_or(&self.members[0]);
        let fingerprint = identity::of(&first.observation, lines);
        let mut ranked: Vec<&Placed> = self.members.iter().collect();
        ranked.sort_by_key(|member| {
            Reverse((member.worth(), member.observation.message.len().min(200)))
        });
        let speaker = &ranked[0].observation;
        let all = || ranked.iter().map(|member| &member.observation);
        let mut cwe: Vec<u32> = all().flat_map(|it| it.cwe.iter().copied()).collect();
        cwe.sort_unstable();
        cwe.dedup();
        let mut sightings: Vec<Sighting> = Vec::new();
        for it in all() {
            let sighting = sighting(it);
            if !sightings.contains(&sighting) {
                sightings.push(sighting);
            }
        }
        Finding {
            fingerprint,
            occurrence: 0,
            tool: speaker.tool.clone(),
            rule: speaker.rule.clone(),
            defect: speaker.defect.clone(),
            kind: speaker.kind,
            severity: all().map(|it| it.severity).max().unwrap_or(speaker.severity),
            security_severity: all().filter_map(|it| it.security_severity).reduce(f32::max),
            confidence: all().filter_map(|it| it.confidence).max(),
            owasp: owasp::categories(speaker.kind, &cwe),
            cwe,
            message: speaker.message.clone(),
            help: all().find_map(|it| it.help.clone()),
            location: location(speaker, all()),
            snippet: None,
            suppression: suppression(all()),
            fix: all().find_map(|it| it.fix.clone()),
            sightings,
        }
    }
}

fn sighting(observation: &Observation) -> Sighting {
    Sighting {
        tool: observation.tool.clone(),
        rule: observation.rule.clone(),
        severity: observation.severity,
        message: observation.message.clone(),
    }
}

/// The speaker's place, unless it names only the file and another the line.
fn location<'a>(
    speaker: &Observation,
    mut all: impl Iterator<Item = &'a Observation>,
) -> Option<Location> {
    let has_region = |it: &Observation| it.location.as_ref().is_some_and(|at| at.region.is_some());
    if has_region(speaker) {
        return speaker.location.clone();
    }
    all.find(|it| has_region(it)).map_or_else(|| speaker.location.clone(), |it| it.location.clone())
}

/// A comment that one tool knows covers the defect, whoever else sees it: it stands at the place
/// and was written by somebody who looked.
fn suppression<'a>(all: impl Iterator<Item = &'a Observation>) -> Option<Suppression> {
    all.filter_map(|it| it.suppression.clone()).min_by(|one, other| one.reason.cmp(&other.reason))
}
