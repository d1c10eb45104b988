//! The command line, as typed. Nothing here is checked beyond its shape.

mod server; // servers, and those who ask them

pub(crate) use server::{
    Cancel, Health, Listening, Logs, Ping, Serve, Server, Service, Smoke, Start, Status, Stop,
    Watch,
};

use crate::logging::Logger;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::{ffi::OsString, path::PathBuf};

/// Runs every analyzer that you trust over every app that you have, and tells the truth about what ran.
#[derive(Debug, Parser)]
#[command(name = "assay", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Read this configuration file instead of looking for `assay.toml`
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ASSAY_CONFIG",
        help_heading = "Common options"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Set any setting: `--set settings.ruff.timeout=10s`
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Common options")]
    pub(crate) set: Vec<String>,
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        env = "ASSAY_COLOR",
        help_heading = "Common options"
    )]
    pub(crate) color: Color,
    /// Print nothing but errors and what was asked for
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Common options")]
    pub(crate) quiet: bool,
    /// Log what is done; twice: also the commands that are run
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub(crate) verbose: u8,
    /// How log lines are written
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        env = "ASSAY_LOG_FORMAT",
        help_heading = "Common options"
    )]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Analyse one app: a folder, a file, or app N of a model
    Analyze(Box<Analyze>),
    /// Analyse many apps, and compare what the tools say of them
    Batch(Box<Batch>),
    /// Serve the gateway and every service, in one process
    Serve(Serve),
    /// Serve one analyzer alone: static
    Service(Service),
    /// Start a server in the background, and wait until it takes work
    Start(Start),
    /// Stop a server in the background, when what it runs is finished
    Stop(Stop),
    /// Stop a server in the background, and start it again
    Restart(Start),
    /// What a server in the background has logged
    Logs(Logs),
    /// What a running gateway does: services, breakers, tasks, connections
    Status(Status),
    /// Whether a running gateway and its services are well, and which tools they lack
    Health(Health),
    /// Ask whether a server answers, and how fast
    Ping(Ping),
    /// Follow a task of a running gateway to its end
    Watch(Watch),
    /// Try a running gateway and its services: ping, health, one small analysis
    Test(Smoke),
    /// Stop work of a running gateway
    Cancel(Cancel),
    /// Results of earlier analyses
    #[command(subcommand)]
    Results(Results),
    /// Analyses that run or have run
    Tasks(Tasks),
    /// Copy the book of a gateway, also while it runs
    Backup(Backup),
    /// Tools: what there is, what is installed, what works
    #[command(subcommand)]
    Tools(Tools),
    /// The configuration in force
    #[command(subcommand)]
    Config(Config),
    /// Print completions for a shell
    Completions { shell: Shell },
    /// Print the manual page
    Man,
    /// An analyzer that is part of the binary. For Assay itself.
    #[command(name = "__native", hide = true, disable_help_flag = true)]
    Native {
        name: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

// === impl Command ===

impl Command {
    /// How it logs.
    pub(crate) fn logger(&self) -> Logger {
        match self {
            Self::Serve(Serve { listening, .. }) if listening.background => {
                Logger::Background(None)
            }
            Self::Service(Service { listening, name }) if listening.background => {
                Logger::Background(Some(name.clone()))
            }
            Self::Serve(_) | Self::Service(_) => Logger::Server,
            _ => Logger::Command,
        }
    }
}

#[derive(Args, Debug)]
#[command(
    override_usage = "assay analyze [OPTIONS] PATH\n       assay analyze [OPTIONS] MODEL APP",
    after_help = "Exit codes: 0 done and below the threshold; 1 findings at or above --fail-on; 2 usage or\n\
    configuration; 3 incomplete: a required tool did not do its work; 124 timed out;\n\
    130 interrupted; 143 terminated."
)]
pub(crate) struct Analyze {
    /// PATH, or MODEL and APP (`1` or `app1`) under the source roots
    #[arg(required = true, num_args = 1..=2, value_names = ["PATH | MODEL", "APP"])]
    pub(crate) app: Vec<OsString>,
    #[command(flatten)]
    pub(crate) what: What,
    /// Also look at files that .gitignore and .assayignore hide
    #[arg(long, help_heading = "What is run")]
    pub(crate) no_ignore: bool,
    /// Obey all of an assay.toml that lies inside the app
    #[arg(long, help_heading = "What is run")]
    pub(crate) trust_project: bool,
    /// Write a report: human, json, sarif, junit, gitlab, github, markdown, html, csv; repeatable,
    /// `=FILE` to a file, else to standard output
    #[arg(long, value_name = "FORMAT[=FILE]", help_heading = "What comes out")]
    pub(crate) format: Vec<String>,
    /// The folder for all results of this analysis
    #[arg(long, value_name = "DIR", help_heading = "What comes out")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) worth: Worth,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(
    override_usage = "assay batch [OPTIONS] FILE\n       assay batch [OPTIONS] --apps GLOB\n       \
                      assay batch [OPTIONS] --models MODELS",
    after_help = "FILE is JSON: [[\"openai/gpt-4\", 1], [\"openai/gpt-4\", 2]]; `-` reads standard input. Nothing\n\
    inside the apps is read as configuration, and their .gitignore and .assayignore are not honoured.\n\
    --timeout is for each app, --jobs for all of them together. Exit codes as for `analyze`, the\n\
    gravest of all apps: 2, 130 or 143, 124, 3, 1, 0."
)]
pub(crate) struct Batch {
    /// A list of apps, each as MODEL and APP
    #[arg(value_name = "FILE", required_unless_present_any = ["apps", "models"])]
    pub(crate) file: Option<PathBuf>,
    /// All folders that match, under the working directory or else under the source roots:
    /// `generated/apps/*/app*`, `openai_*/app1`; repeatable
    #[arg(long, value_name = "GLOB", help_heading = "Which apps")]
    pub(crate) apps: Vec<String>,
    /// All apps of these models under the source roots
    #[arg(long, value_name = "MODELS", value_delimiter = ',', help_heading = "Which apps")]
    pub(crate) models: Vec<String>,
    /// Go on without entries that name no app
    #[arg(long, help_heading = "Which apps")]
    pub(crate) skip_unknown: bool,
    /// Begin anew, also where an earlier run of the same batch was stopped
    #[arg(long, help_heading = "Which apps")]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) what: What,
    /// Write a table: human, json, csv, markdown, html; repeatable, `=FILE` to a file, else to
    /// standard output
    #[arg(long, value_name = "FORMAT[=FILE]", help_heading = "What comes out")]
    pub(crate) format: Vec<String>,
    /// The folder for the tables of this batch; each app has its own under results/ all the same
    #[arg(long, value_name = "DIR", help_heading = "What comes out")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) worth: Worth,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// What is run on an app, and within which limits.
#[derive(Args, Debug)]
pub(crate) struct What {
    /// Analyses to run: static, security, comprehensive
    #[arg(long, value_name = "KINDS", value_delimiter = ',', help_heading = "What is run")]
    pub(crate) kind: Vec<String>,
    /// How much is run: quick, standard, thorough
    #[arg(long, value_name = "PROFILE", help_heading = "What is run")]
    pub(crate) profile: Option<String>,
    /// Run exactly these tools
    #[arg(long, value_name = "TOOLS", value_delimiter = ',', help_heading = "What is run")]
    pub(crate) tools: Vec<String>,
    /// End after this time, installing tools not counted: 90s, 5m [default: 30m]
    #[arg(long, value_name = "TIME", help_heading = "What is run")]
    pub(crate) timeout: Option<String>,
    /// Tools that run side by side [default: one a processor]
    #[arg(long, value_name = "N", help_heading = "What is run")]
    pub(crate) jobs: Option<u32>,
    /// Never use the network
    #[arg(long, help_heading = "What is run")]
    pub(crate) offline: bool,
    /// How tools are kept in check: auto, strict, off
    #[arg(long, value_name = "MODE", help_heading = "What is run")]
    pub(crate) sandbox: Option<String>,
}

/// What a result is worth.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own that a user types")]
pub(crate) struct Worth {
    /// Exit with 1 from this severity up: critical, high, medium, low, info, any, none
    #[arg(long, value_name = "SEVERITY", help_heading = "What it is worth")]
    pub(crate) fail_on: Option<String>,
    /// Exit with 0 although a required tool did not do its work
    #[arg(long, help_heading = "What it is worth")]
    pub(crate) allow_incomplete: bool,
    /// Count tools as required that need what Assay cannot install
    #[arg(long, help_heading = "What it is worth")]
    pub(crate) require_all: bool,
    /// Exit with 0 instead of 1 or 3
    #[arg(long, help_heading = "What it is worth")]
    pub(crate) exit_zero: bool,
    /// Count findings that stand under a comment such as `# nosec`
    #[arg(long, help_heading = "What it is worth")]
    pub(crate) ignore_suppressions: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Results {
    /// List results, newest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one result
    Show {
        /// A task's id or the beginning of it; `latest` for the newest
        #[arg(default_value = "latest")]
        task: String,
        /// Print the whole report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a result in another format
    Export {
        #[arg(default_value = "latest")]
        task: String,
        /// Formats as for `analyze`
        #[arg(long, required = true, value_name = "FORMAT[=FILE]")]
        format: Vec<String>,
    },
    /// Remove old results
    Prune {
        /// Results to keep of each app
        #[arg(long, value_name = "N", default_value_t = 10)]
        keep: usize,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Tasks {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 it is whole; 2 it could not be taken.")]
pub(crate) struct Backup {
    /// A folder that is not there yet
    #[arg(value_name = "DIR")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    /// List all tools: what they do, when they run, whether they are installed
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Install tools
    Install {
        /// Which; all that a profile runs, if none is named
        tools: Vec<String>,
        /// Install what this profile runs
        #[arg(long, value_name = "PROFILE", default_value = "thorough")]
        profile: String,
        /// Only what is there already
        #[arg(long)]
        offline: bool,
    },
    /// Plant a defect for every tool and expect it to be found
    ///
    /// Ends with 0 if every tool that is required is there and none is untrusted, else with 3.
    Check {
        /// Which; all, if none is named
        tools: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only with what is installed
        #[arg(long)]
        offline: bool,
    },
    /// Remove installations that no tool of this version uses
    Prune,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show every value and where it came from
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what is wrong with the configuration
    Check,
    /// Write an `assay.toml` with all settings, their defaults and what they mean
    Init {
        /// Where to
        #[arg(default_value = "assay.toml")]
        file: PathBuf,
    },
}
