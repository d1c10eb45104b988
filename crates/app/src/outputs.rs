//! The files and streams that reports go to.

use crate::failure::Failure;
use assay_model::{Report, SourceText};
use assay_report::{
    MarkdownOptions, SarifLimits, html, write_csv, write_github, write_gitlab, write_json,
    write_junit, write_markdown, write_sarif,
};
use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

/// A way to write a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Json,
    Sarif,
    Junit,
    Gitlab,
    Github,
    Markdown,
    Html,
    Csv,
}

/// One `--format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) format: Format,
    /// Absent: standard output.
    pub(crate) file: Option<PathBuf>,
}

/// All `--format`s of one command, checked together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outputs {
    pub(crate) files: Vec<(Format, PathBuf)>,
    /// The machine format that standard output is for.
    pub(crate) stdout: Option<Format>,
}

// === impl Format ===

impl Format {
    const ALL: [(&'static str, Self); 9] = [
        ("human", Self::Human),
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("gitlab", Self::Gitlab),
        ("github", Self::Github),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
        ("csv", Self::Csv),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// Writes a report. The human format is not written here: it depends on the terminal.
    pub(crate) fn write(
        self,
        report: &Report,
        source: &dyn SourceText,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match self {
            Self::Human => out.write_all(plain_summary(report).as_bytes()),
            Self::Json => write_json(report, &mut out),
            Self::Sarif => write_sarif(report, SarifLimits::default(), &mut out),
            Self::Junit => write_junit(report, &mut out),
            Self::Gitlab => write_gitlab(report, &mut out),
            Self::Github => write_github(report, &mut out),
            Self::Markdown => write_markdown(report, MarkdownOptions::default(), &mut out),
            Self::Html => html::write(report, source, &mut out),
            Self::Csv => write_csv(report, &mut out),
        }?;
        out.flush()
    }
}

fn plain_summary(report: &Report) -> String {
    assay_term::summary(report, &[], &assay_term::Style::default(), 100)
}

// === impl Output ===

impl FromStr for Output {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(file)),
            None => (text, None),
        };
        let found = Format::ALL.iter().find(|(known, _)| *known == name);
        let Some((_, format)) = found else {
            let known: Vec<&str> = Format::ALL.iter().map(|(known, _)| *known).collect();
            return Err(Failure::usage(format!("`{name}` is no format")).hint(format!(
                "known: {}; `--format` may be given several times",
                known.join(", ")
            )));
        };
        if file == Some("") {
            return Err(Failure::usage(format!("`--format {text}` names no file")).hint(format!(
                "write `--format {name}=FILE`, or `--format {name}` for standard output"
            )));
        }
        Ok(Self { format: *format, file: file.map(PathBuf::from) })
    }
}

// === impl Outputs ===

impl Outputs {
    /// Checks all `--format`s: one machine format may have standard output, and no two a file.
    pub(crate) fn of(formats: &[String]) -> Result<Self, Failure> {
        let mut outputs = Self::default();
        for text in formats {
            let Output { format, file } = text.parse()?;
            match file {
                Some(file) if outputs.files.iter().any(|(_, known)| *known == file) => {
                    return Err(Failure::usage(format!("two formats go to `{}`", file.display()))
                        .hint("give each a file of its own"));
                }
                Some(file) => outputs.files.push((format, file)),
                None if format == Format::Human => {}
                None if outputs.stdout.is_some_and(|known| known != format) => {
                    return Err(Failure::usage("two machine formats go to standard output")
                        .hint(format!("write `--format {}=FILE`", format.name())));
                }
                None => outputs.stdout = Some(format),
            }
        }
        Ok(outputs)
    }

    /// Checks all `--format`s of a command that knows some formats only.
    pub(crate) fn among(formats: &[String], known: &[Format]) -> Result<Self, Failure> {
        let outputs = Self::of(formats)?;
        let all = outputs.files.iter().map(|(format, _)| *format).chain(outputs.stdout);
        if let Some(format) = all.into_iter().find(|format| !known.contains(format)) {
            let names: Vec<&str> = known.iter().map(|format| format.name()).collect();
            return Err(Failure::usage(format!("a batch cannot be told as `{}`", format.name()))
                .hint(format!(
                    "known: {}; the folder of each app has its reports in the other formats, or \
                     `assay results export` writes them",
                    names.join(", ")
                )));
        }
        Ok(outputs)
    }

    /// Writes the files that were asked for, each whole or not at all.
    pub(crate) fn write_files(
        &self,
        report: &Report,
        source: &dyn SourceText,
    ) -> Result<(), Failure> {
        self.write_files_with(|format, out| format.write(report, source, out))
    }

    /// Writes the files that were asked for in somebody else's words.
    pub(crate) fn write_files_with(
        &self,
        write: impl Fn(Format, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        for (format, path) in &self.files {
            write_whole(path, |out| write(*format, out)).map_err(|error| {
                Failure::usage(format!("`{}` could not be written", path.display()))
                    .because(error)
                    .hint("check that its folder exists and that you may write there")
            })?;
        }
        Ok(())
    }
}

/// Writes beside the target and renames, so that a reader never sees half a file. What is no
/// regular file (`/dev/stdout`, a pipe) is written to as it is.
fn write_whole(path: &Path, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|kind| !kind.is_file()) {
        return write(&mut fs::OpenOptions::new().write(true).open(path)?);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".assay-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    write(file.as_file_mut())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(formats: &[&str]) -> Result<Outputs, String> {
        let formats: Vec<String> = formats.iter().map(|f| (*f).to_owned()).collect();
        Outputs::of(&formats).map_err(|failure| failure.to_string())
    }

    #[test]
    fn one_machine_format_may_have_standard_output() {
        assert_eq!(of(&["json"]).unwrap().stdout, Some(Format::Json));
        assert_eq!(of(&["human", "json"]).unwrap().stdout, Some(Format::Json));
        assert_eq!(of(&["json", "json"]).unwrap().stdout, Some(Format::Json));
        assert!(of(&["json", "sarif"]).unwrap_err().contains("two machine formats"));
        assert_eq!(of(&["json", "sarif=x"]).unwrap().files.len(), 1);
    }

    #[test]
    fn what_is_no_format_is_said_in_words() {
        assert_eq!(of(&["pdf"]).unwrap_err(), "`pdf` is no format");
        assert_eq!(of(&["json,sarif"]).unwrap_err(), "`json,sarif` is no format");
        assert_eq!(of(&["json="]).unwrap_err(), "`--format json=` names no file");
        assert_eq!(of(&["json=x", "sarif=x"]).unwrap_err(), "two formats go to `x`");
    }

    #[test]
    fn a_file_that_fails_half_way_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        fs::write(&path, "old").unwrap();
        write_whole(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("full"))
        })
        .unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
