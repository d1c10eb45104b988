//! Which finding of an older report is which of a newer one.
//!
//! Owns the assignment, in four passes, each over what the one before left:
//!
//! 1. same fingerprint, same path: by line, so that the sum of the distances is least;
//! 2. same fingerprint, other path: files that share most unmatched fingerprints first (a rename);
//! 3. the rest of the same fingerprint, in order (code that was moved between files);
//! 4. same defect, same (or renamed) path, at most [`NEAR_LINES`] lines apart: the line was edited.
//!
//! Keeps: a finding is matched at most once; equal input gives equal output. Lines are compared
//! after the shift that the file's unambiguous findings show.
//!
//! Cost: a group (one fingerprint in one path) of more than [`EXACT_CELLS`] possible pairs is
//! paired in order, and of a fingerprint only [`RENAME_PAIRS`] pairs of paths vote for a rename:
//! a generated file with ten thousand equal lines must not cost their square.

use assay_model::{Finding, Report};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Pairs up to which the best assignment of a group is computed.
const EXACT_CELLS: usize = 250_000;

/// Pairs of paths of one fingerprint that vote for a rename.
const RENAME_PAIRS: usize = 1024;

/// How far apart an edited line may have moved, beside the file's shift.
const NEAR_LINES: i64 = 5;

/// What became of the findings of two reports, as indices into their lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// In both, by place in the newer.
    pub persisted: Vec<Pair>,
    /// Only in the older.
    pub fixed: Vec<usize>,
    /// Only in the newer.
    pub new: Vec<usize>,
}

/// One defect in two reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    pub old: usize,
    pub new: usize,
}

/// Where a finding is, without its line.
type Path<'a> = Option<&'a str>;

struct Matcher<'a> {
    old: &'a [Finding],
    new: &'a [Finding],
    old_free: Vec<bool>,
    new_free: Vec<bool>,
    pairs: Vec<Pair>,
    /// How far lines of a path moved down.
    shifts: BTreeMap<Path<'a>, i64>,
    renames: BTreeMap<Path<'a>, Path<'a>>,
}

/// Matches the findings of two reports. Suppressed ones take part: a suppression is no fix.
pub fn match_findings(old: &Report, new: &Report) -> Matched {
    let mut matcher = Matcher::new(&old.findings, &new.findings);
    matcher.learn_shifts();
    matcher.same_path();
    matcher.learn_renames();
    matcher.renamed();
    matcher.moved();
    matcher.edited();
    matcher.finish()
}

// === impl Matcher ===

impl<'a> Matcher<'a> {
    fn new(old: &'a [Finding], new: &'a [Finding]) -> Self {
        Self {
            old,
            new,
            old_free: vec![true; old.len()],
            new_free: vec![true; new.len()],
            pairs: Vec::new(),
            shifts: BTreeMap::new(),
            renames: BTreeMap::new(),
        }
    }

    /// The shift of a path is the median over fingerprints that it has once in both reports.
    fn learn_shifts(&mut self) {
        let key = |finding: &'a Finding| (path(finding), finding.fingerprint.as_str());
        let (old, new) = (self.free_old(key), self.free_new(key));
        let mut moves: BTreeMap<Path<'a>, Vec<i64>> = BTreeMap::new();
        for (key, olds) in &old {
            if let ([one], Some([two])) = (olds.as_slice(), new.get(key).map(Vec::as_slice)) {
                moves.entry(key.0).or_default().push(line(&self.new[*two]) - line(&self.old[*one]));
            }
        }
        self.shifts = moves
            .into_iter()
            .map(|(path, mut moves)| {
                moves.sort_unstable();
                (path, moves[moves.len() / 2])
            })
            .collect();
    }

    fn same_path(&mut self) {
        self.pair_groups(|_, finding| (path(finding), finding.fingerprint.as_str()), i64::MAX);
    }

    /// Files whose unmatched findings look alike are one file under two names.
    fn learn_renames(&mut self) {
        let (old, new) = (
            self.free_old(|finding| finding.fingerprint.as_str()),
            self.free_new(|finding| finding.fingerprint.as_str()),
        );
        let mut votes: BTreeMap<(Path<'a>, Path<'a>), usize> = BTreeMap::new();
        for (fingerprint, olds) in &old {
            let Some(news) = new.get(fingerprint) else { continue };
            let from: BTreeSet<_> = olds.iter().map(|index| path(&self.old[*index])).collect();
            let to: BTreeSet<_> = news.iter().map(|index| path(&self.new[*index])).collect();
            let all = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
            for pair in all.take(RENAME_PAIRS) {
                *votes.entry(pair).or_default() += 1;
            }
        }
        let mut ranked: Vec<_> = votes.into_iter().collect();
        ranked.sort_by_key(|((from, to), count)| {
            (Reverse(*count), !same_name(*from, *to), *from, *to)
        });
        let mut taken = BTreeSet::new();
        for ((from, to), _) in ranked {
            if !self.renames.contains_key(&from) && taken.insert(to) {
                self.renames.insert(from, to);
            }
        }
    }

    fn renamed(&mut self) {
        let renames = self.renames.clone();
        let key = |side, finding: &'a Finding| {
            (side_path(&renames, side, finding), finding.fingerprint.as_str())
        };
        self.pair_groups(key, i64::MAX);
    }

    fn moved(&mut self) {
        self.pair_groups(|_, finding| finding.fingerprint.as_str(), i64::MAX);
    }

    fn edited(&mut self) {
        self.pair_groups(|_, finding| (path(finding), finding.defect.as_str()), NEAR_LINES);
        let renames = self.renames.clone();
        let key = |side, finding: &'a Finding| {
            (side_path(&renames, side, finding), finding.defect.as_str())
        };
        self.pair_groups(key, NEAR_LINES);
    }

    /// Pairs what is free and has the same key, at most `apart_max` lines apart.
    fn pair_groups<K: Ord>(&mut self, key: impl Fn(Side, &'a Finding) -> K, apart_max: i64) {
        let old = self.free_old(|finding| key(Side::Old, finding));
        let new = self.free_new(|finding| key(Side::New, finding));
        for (key, olds) in old {
            let Some(news) = new.get(&key) else { continue };
            for pair in self.assign(&olds, news, apart_max) {
                self.old_free[pair.old] = false;
                self.new_free[pair.new] = false;
                self.pairs.push(pair);
            }
        }
    }

    /// Pairs two lists that are sorted by place.
    fn assign(&self, olds: &[usize], news: &[usize], apart_max: i64) -> Vec<Pair> {
        let pair = |(old, new): (&usize, &usize)| Pair { old: *old, new: *new };
        let apart = |pair: &Pair| self.apart(pair.old, pair.new);
        let is_large = olds.len().saturating_mul(news.len()) > EXACT_CELLS;
        if is_large || (olds.len() == news.len() && apart_max == i64::MAX) {
            let in_order = olds.iter().zip(news).map(pair);
            return in_order.filter(|pair| apart(pair) <= apart_max).collect();
        }
        self.align(olds, news, apart_max)
    }

    /// The most pairs, and of these the least sum of distances. On a line the best assignment
    /// never crosses, so this is an alignment: exact, in rows × columns.
    fn align(&self, olds: &[usize], news: &[usize], apart_max: i64) -> Vec<Pair> {
        let width = news.len() + 1;
        // (pairs not made, sum of distances): the least is the best.
        let mut best = vec![(0_i64, 0_i64); (olds.len() + 1) * width];
        for (row, old) in olds.iter().enumerate() {
            for (column, new) in news.iter().enumerate() {
                let apart = self.apart(*old, *new);
                let (made, sum) = best[row * width + column];
                let skipped = best[row * width + column + 1].min(best[(row + 1) * width + column]);
                let paired = (made - 1, sum.saturating_add(apart));
                best[(row + 1) * width + column + 1] =
                    if apart <= apart_max { paired.min(skipped) } else { skipped };
            }
        }
        let (mut row, mut column) = (olds.len(), news.len());
        let mut pairs = Vec::new();
        while row > 0 && column > 0 {
            let here = best[row * width + column];
            if here == best[(row - 1) * width + column] {
                row -= 1;
            } else if here == best[row * width + column - 1] {
                column -= 1;
            } else {
                row -= 1;
                column -= 1;
                pairs.push(Pair { old: olds[row], new: news[column] });
            }
        }
        pairs
    }

    fn apart(&self, old: usize, new: usize) -> i64 {
        let shift = self.shifts.get(&path(&self.old[old])).copied().unwrap_or(0);
        (line(&self.old[old]) + shift - line(&self.new[new])).abs()
    }

    fn free_old<K: Ord>(&self, key: impl Fn(&'a Finding) -> K) -> BTreeMap<K, Vec<usize>> {
        group(self.old, &self.old_free, key)
    }

    fn free_new<K: Ord>(&self, key: impl Fn(&'a Finding) -> K) -> BTreeMap<K, Vec<usize>> {
        group(self.new, &self.new_free, key)
    }

    fn finish(mut self) -> Matched {
        self.pairs.sort_by_key(|pair| pair.new);
        let free = |free: &[bool]| (0..free.len()).filter(|index| free[*index]).collect();
        Matched { fixed: free(&self.old_free), new: free(&self.new_free), persisted: self.pairs }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Old,
    New,
}

/// Returns the path under which a finding of either report is known in the newer.
fn side_path<'a>(
    renames: &BTreeMap<Path<'a>, Path<'a>>,
    side: Side,
    finding: &'a Finding,
) -> Path<'a> {
    let path = path(finding);
    match side {
        Side::Old => renames.get(&path).copied().unwrap_or(path),
        Side::New => path,
    }
}

/// Groups the free findings by key, each group by place.
fn group<'a, K: Ord>(
    findings: &'a [Finding],
    free: &[bool],
    key: impl Fn(&'a Finding) -> K,
) -> BTreeMap<K, Vec<usize>> {
    let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate().filter(|(index, _)| free[*index]) {
        groups.entry(key(finding)).or_default().push(index);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|index| {
            (path(&findings[*index]), line(&findings[*index]), findings[*index].occurrence)
        });
    }
    groups
}

fn path(finding: &Finding) -> Path<'_> {
    finding.location.as_ref().map(|location| location.path.as_str())
}

fn line(finding: &Finding) -> i64 {
    finding.location.as_ref().map_or(0, |location| i64::from(location.line()))
}

fn same_name(one: Path<'_>, other: Path<'_>) -> bool {
    let name = |path: Path<'_>| path.and_then(|path| path.rsplit('/').next().map(str::to_owned));
    name(one) == name(other)
}
