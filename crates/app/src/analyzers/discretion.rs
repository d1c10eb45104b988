//! Paths of ours made unrecognisable: what a client learns about the machine is what it needs.

use assay_model::{Report, ToolEnd};
use std::path::Path;

/// Folders of this machine, and the word that stands for each, the longest path first.
#[derive(Clone, Debug, Default)]
pub(super) struct Discretion(Vec<(String, &'static str)>);

// === impl Discretion ===

impl Discretion {
    pub(super) fn of<'a>(places: impl IntoIterator<Item = (&'a Path, &'static str)>) -> Self {
        let mut all = Vec::new();
        for (path, word) in places {
            let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            for path in [path, &real] {
                // The root is a part of every path, and `/a` of many a text.
                let is_telling = path.is_absolute() && path.components().count() > 2;
                if let Some(text) = path.to_str().filter(|_| is_telling) {
                    all.push((text.to_owned(), word));
                }
            }
        }
        all.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
        all.dedup();
        Self(all)
    }

    /// One more folder.
    pub(super) fn and(&self, path: &Path, word: &'static str) -> Self {
        let Self(mut all) = Self::of([(path, word)]);
        all.extend(self.0.iter().cloned());
        all.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
        Self(all)
    }

    /// Returns the text without them.
    pub(super) fn of_text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (path, word)| text.replace(path, word))
    }

    /// Takes them out of what a report says in free words.
    pub(super) fn apply(&self, report: &mut Report) {
        let each = |text: &mut String| *text = self.of_text(text);
        for run in &mut report.tools {
            [&mut run.reason, &mut run.mend, &mut run.stderr_tail]
                .into_iter()
                .flatten()
                .for_each(each);
            run.notes.iter_mut().for_each(each);
            run.commands.iter_mut().for_each(each);
            if let Some(ToolEnd::NotStarted { why } | ToolEnd::Lost { why }) = &mut run.end {
                each(why);
            }
        }
        report.warnings.iter_mut().for_each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_is_taken_out_first() {
        let places = [("/srv/x", "{here}"), ("/srv/x/cache", "{cache}"), ("/", "{root}")];
        let hidden = Discretion::of(places.map(|(path, word)| (Path::new(path), word)));
        let hidden = hidden.and(Path::new("/srv/x/cache/deep"), "{deep}");
        let shown = hidden.of_text("/srv/x/cache/deep/a, /srv/x/cache/b, /srv/x/c and /usr/d");
        assert_eq!(shown, "{deep}/a, {cache}/b, {here}/c and /usr/d");
    }
}
