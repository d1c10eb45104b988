//! Words to a tool, or every fault at once.
//!
//! Keeps: this is the only way to a [`Tool`]. Every fault names its key and how to mend it, and all
//! are told together, since whoever writes a row should not have to run ten times.

mod problem; // one fault, and all of them in words

pub use problem::{CatalogueError, Problem};

use crate::{
    calls::{OutputName, PLACEHOLDERS},
    mapping::CompiledMapping,
    paths::safe_name,
    recipe::Locks,
    steering::Steering,
    suppress::{Block, Suppressor},
    tool::{Origin, Tool},
};
use assay_model::{
    Format, Install, Invocation, SuppressionReach, ToolDeclaration, ToolId, WorkingDirectory,
};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{Regex, RegexSet};

/// Collects faults while the parts of a tool are made.
struct Check<'a> {
    says: &'a ToolDeclaration,
    origin: Origin,
    problems: Vec<Problem>,
}

/// Makes a tool of its words.
pub(crate) fn check(
    id: &ToolId,
    says: ToolDeclaration,
    origin: Origin,
) -> Result<Tool, Vec<Problem>> {
    let mut check = Check { says: &says, origin, problems: Vec::new() };
    check.words();
    check.run();
    check.canary();
    check.driver();
    let inputs = check.globs("inputs.files", &says.inputs.files, true);
    let output = check.output_name();
    let patterns: Vec<&String> = says.rules.iter().flat_map(|note| &note.rules).collect();
    let note_globs = check.globs("rules.rules", &patterns, false);
    let notes = says.rules.iter().enumerate();
    let note_of = notes.flat_map(|(at, note)| note.rules.iter().map(move |_| at)).collect();
    let failure_lines = check.regexes("output.failure-lines", &says.output.failure_lines);
    let file_failed_lines = check.file_failed_lines();
    let unreachable_lines = check.unreachable_lines();
    let suppressors = check.suppressors();
    let blocks = check.blocks();
    let steering = Steering::check(&says.steered_by, &mut check.problems);
    let mapping = check.mapping();
    let locks = check.locks(id);
    let problems = check.problems;
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Tool {
        id: id.clone(),
        says,
        origin,
        inputs,
        output,
        note_globs,
        note_of,
        failure_lines,
        file_failed_lines,
        unreachable_lines,
        suppressors,
        blocks,
        steering,
        mapping,
        locks,
    })
}

/// Compiles globs; `separated` ones do not let `*` pass a `/`.
pub(crate) fn glob_set<S: AsRef<str>>(
    globs: &[S],
    separated: bool,
) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob.as_ref()).literal_separator(separated).build()?);
    }
    set.build()
}

// === impl Check ===

impl Check<'_> {
    fn fault(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), what: what.into(), mend: mend.into() });
    }

    fn words(&mut self) {
        let says = self.says;
        if says.title.trim().is_empty() {
            self.fault("title", "it is empty", "write the tool's name");
        }
        let inputs = &says.inputs;
        if inputs.languages.is_empty() && inputs.files.is_empty() && !inputs.all_text {
            let mend = "name `languages`, `files` or set `all-text`";
            self.fault("inputs", "no file could ever wake this tool", mend);
        }
        if says.timeout_s == 0 {
            self.fault("timeout-s", "it is 0", "give the seconds after which it is stopped");
        }
        for name in says.config.keys() {
            let folder = name.strip_suffix('/');
            if !safe_name(folder.unwrap_or(name)) {
                let mend = "use a relative name without `..`";
                self.fault("config", format!("`{name}` is no name for a file"), mend);
            }
            if folder.is_some() && says.config[name].trim() != "@rules" {
                let mend = "write `\"@rules\"`, or a name without the last `/`";
                self.fault("config", format!("`{name}` is a folder"), mend);
            }
        }
        for (name, option) in &says.options {
            if option.args.is_empty() {
                let mend = "write the arguments that it becomes";
                self.fault(&format!("options.{name}.args"), "there are none", mend);
            }
            for arg in &option.args {
                let arg = arg.replace("{value}", "");
                self.placeholders(&format!("options.{name}.args"), &arg, &[]);
            }
        }
    }

    fn run(&mut self) {
        let run = &self.says.run;
        if run.program.trim().is_empty() {
            self.fault("run.program", "it is empty", "name the program");
        }
        self.placeholders("run.program", &run.program, &["project", "scratch", "config"]);
        for value in run.env.values() {
            self.placeholders("run.env", value, &PLACEHOLDERS[..5]);
        }
        for arg in &run.args {
            if arg == "{files}" {
                continue;
            }
            self.placeholders("run.args", arg, &PLACEHOLDERS);
            if arg.contains("{files}") {
                let mend = "let `{files}` be an argument by itself";
                self.fault("run.args", format!("`{arg}` glues all files into one word"), mend);
            }
        }
        let uses = |word: &str| run.args.iter().any(|arg| arg.contains(word));
        let each = run.invocation == Invocation::Each;
        if uses("{files}") != (run.invocation == Invocation::Batches) {
            let mend = "write both or neither";
            self.fault("run.invocation", "`{files}` and `batches` belong together", mend);
        }
        if !each && (uses("{file}") || uses("{dir}")) {
            let mend = "set `invocation = \"each\"`";
            self.fault("run.args", "`{file}` and `{dir}` are about one file", mend);
        }
        if !each && run.cwd == WorkingDirectory::FileFolder {
            let mend = "set `invocation = \"each\"`, or another `cwd`";
            self.fault("run.cwd", "`file-folder` is about one file", mend);
        }
        if !each && !run.staged.is_empty() {
            let mend = "set `invocation = \"each\"`";
            self.fault("run.staged", "it is about one file", mend);
        }
        for staged in &run.staged {
            let beside = staged.beside.as_deref().unwrap_or("beside");
            if !safe_name(&staged.name) || !safe_name(beside) || staged.name.contains('/') {
                let mend = "use plain names, without `..`";
                self.fault("run.staged", format!("`{}` is no name for a copy", staged.name), mend);
            }
        }
        if run.clean_codes.is_empty() {
            let mend = "name the code that it ends with when nothing is found";
            self.fault("run.clean-codes", "it could never be clean", mend);
        }
    }

    fn placeholders(&mut self, key: &str, text: &str, known: &[&str]) {
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            rest = &rest[open + 1..];
            let Some(close) = rest.find('}') else { return };
            let name = &rest[..close];
            let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase());
            let builtin = key == "run.program" && (name == "assay" || name == "prefix");
            if is_word && !known.contains(&name) && !builtin {
                let known: Vec<_> = known.iter().map(|known| format!("`{{{known}}}`")).collect();
                let mend = match known.len() {
                    0 => "only `{value}` stands for something here".to_owned(),
                    _ => format!("known here: {}", known.join(", ")),
                };
                self.fault(key, format!("`{{{name}}}` stands for nothing"), mend);
            }
        }
    }

    fn canary(&mut self) {
        let Some(canary) = &self.says.canary else {
            if self.origin == Origin::Shipped {
                let mend = "plant a tiny defect and a clean sample";
                self.fault("canary", "a shipped tool has to be able to prove itself", mend);
            }
            return;
        };
        if canary.defect.is_empty() || canary.clean.is_empty() || canary.expect.is_empty() {
            let mend = "give `expect`, one `defect` and one `clean` file at least";
            self.fault("canary", "half of it is missing", mend);
        }
        for file in canary.defect.iter().chain(&canary.clean) {
            if !safe_name(&file.path) {
                let mend = "use a relative name without `..`";
                self.fault("canary", format!("`{}` is no name for a file", file.path), mend);
            }
        }
    }

    /// SARIF says who wrote it, and only SARIF does.
    fn driver(&mut self) {
        let is_sarif = self.says.output.format == Format::Sarif;
        match self.says.output.driver {
            None if is_sarif && self.origin == Origin::Shipped => self.fault(
                "output.driver",
                "a row of ours says whose reports it reads",
                "write the name at `tool.driver.name` of its reports",
            ),
            Some(_) if !is_sarif => self.fault("output.driver", "only SARIF has one", "remove it"),
            None | Some(_) => {}
        }
    }

    fn output_name(&mut self) -> OutputName {
        match self.says.output.from.as_str() {
            "stdout" => OutputName::Stdout,
            "stderr" => OutputName::Stderr,
            from => {
                let name = from.strip_prefix("file:").filter(|name| safe_name(name));
                if let Some(name) = name {
                    return OutputName::File(name.to_owned());
                }
                let mend = "`stdout`, `stderr` or `file:NAME` for a file in `{scratch}`";
                self.fault("output.from", format!("`{from}` is no stream"), mend);
                OutputName::Stdout
            }
        }
    }

    fn globs<S: AsRef<str>>(&mut self, key: &str, globs: &[S], separated: bool) -> GlobSet {
        glob_set(globs, separated).unwrap_or_else(|error| {
            self.fault(key, error.to_string(), "mend the glob");
            GlobSet::empty()
        })
    }

    fn regexes(&mut self, key: &str, patterns: &[String]) -> RegexSet {
        RegexSet::new(patterns).unwrap_or_else(|error| {
            self.fault(key, error.to_string(), "mend the regular expression");
            RegexSet::empty()
        })
    }

    fn file_failed_lines(&mut self) -> Vec<Regex> {
        const KEY: &str = "output.file-failed-lines";
        let mut made = Vec::new();
        for pattern in &self.says.output.file_failed_lines {
            match Regex::new(pattern) {
                Ok(regex) if regex.capture_names().flatten().any(|name| name == "path") => {
                    made.push(regex);
                }
                Ok(_) => {
                    let what = format!("`{pattern}` does not say which file");
                    self.fault(KEY, what, "write a group `(?P<path>…)`");
                }
                Err(error) => {
                    self.fault(KEY, error.to_string(), "mend the regular expression");
                }
            }
        }
        made
    }

    fn unreachable_lines(&mut self) -> Vec<Regex> {
        const KEY: &str = "output.unreachable-lines";
        if !self.says.network && !self.says.output.unreachable_lines.is_empty() {
            self.fault(KEY, "this tool needs nothing that has to be reached", "set `network`");
        }
        let mut made = Vec::new();
        for pattern in &self.says.output.unreachable_lines {
            match Regex::new(pattern) {
                Ok(regex) => made.push(regex),
                Err(error) => self.fault(KEY, error.to_string(), "mend the regular expression"),
            }
        }
        made
    }

    fn blocks(&mut self) -> Vec<Block> {
        const KEY: &str = "suppressed-blocks";
        let mut made = Vec::new();
        for block in &self.says.suppressed_blocks {
            let until = block.until.as_deref().map(Regex::new).transpose();
            match (Regex::new(&block.from), until) {
                (Ok(from), Ok(until)) => made.push(Block { from, until, reach: block.reach }),
                (Err(error), _) | (_, Err(error)) => {
                    self.fault(KEY, error.to_string(), "mend the regular expression");
                }
            }
            if block.until.is_some() && block.reach != SuppressionReach::Rest {
                let mend = "remove `until`, or let it reach the `rest`";
                self.fault(KEY, "what reaches a whole file does not end", mend);
            }
        }
        made
    }

    fn suppressors(&mut self) -> Vec<Suppressor> {
        let mut made = Vec::new();
        for pattern in &self.says.suppressed_by {
            match Regex::new(pattern) {
                Ok(regex) => made.push(Suppressor::new(regex)),
                Err(error) => {
                    let mend = "mend the regular expression";
                    self.fault("suppressed-by", error.to_string(), mend);
                }
            }
        }
        made
    }

    fn mapping(&mut self) -> Option<CompiledMapping> {
        let output = &self.says.output;
        let reads_map = match output.format {
            Format::Json | Format::JsonLines | Format::Csv | Format::Text => true,
            Format::Sarif | Format::Cyclonedx => false,
        };
        if output.artifact.as_ref().is_some_and(|name| !safe_name(name)) {
            let mend = "use a relative name without `..`";
            self.fault("output.artifact", "it is no name for a file", mend);
        }
        match (&output.map, reads_map) {
            (None, false) => None,
            (Some(_), false) => {
                let mend = "remove it, or name another `format`";
                self.fault("output.map", "this format says by itself what is where", mend);
                None
            }
            (None, true) => {
                let mend = "say where `rule` and `message` are";
                self.fault("output.map", "this format needs one", mend);
                None
            }
            (Some(map), true) => match CompiledMapping::new(map, output.format) {
                Ok(mapping) => Some(mapping),
                Err(problems) => {
                    self.problems.extend(problems);
                    None
                }
            },
        }
    }

    fn locks(&mut self, id: &ToolId) -> Locks {
        let install = &self.says.install;
        let fetched = match install {
            Install::Pypi { .. } | Install::Npm { .. } => true,
            Install::Builtin { package, .. } => package.is_some(),
            Install::Path { .. } => false,
        };
        if self.origin == Origin::User && fetched {
            let mend =
                "install it yourself and write `install = { from = \"path\", mend = \"…\" }`";
            self.fault("install", "only tools with a lock of ours are installed by Assay", mend);
            return Locks::None;
        }
        Locks::find(id, install).unwrap_or_else(|file| {
            let mend = format!("make `{file}`");
            self.fault("install", "its lock is missing, so nothing would check what comes", mend);
            Locks::None
        })
    }
}
