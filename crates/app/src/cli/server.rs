//! The words of servers, and of the commands that ask a running one.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(
    after_help = "Other options go to the server as they are given: --config, --set, --verbose, --quiet.\n\
    Exit codes: 0 it takes work, or runs already; 2 it does not come up."
)]
pub(crate) struct Start {
    /// gateway (with every service, in one process), or one service alone: static
    #[arg(value_name = "SERVER")]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) listening: Listening,
    /// Listen for the gateway's clients only, not on the ports of the services
    #[arg(long, help_heading = "How it is served")]
    pub(crate) no_service_ports: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 it is gone, or did not run; 2 it does not end, or is not yours."
)]
pub(crate) struct Stop {
    /// gateway, or one service: static
    #[arg(value_name = "SERVER")]
    pub(crate) service: Option<String>,
    /// Do not wait for what it runs
    #[arg(long)]
    pub(crate) now: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// gateway, or one service: static
    #[arg(value_name = "SERVER")]
    pub(crate) service: Option<String>,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: usize,
    /// Go on with what comes
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Print the lines of JSON as they were written
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which server is asked.
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "the flag is `--server`")]
pub(crate) struct Server {
    /// The gateway to ask: `ws://localhost:8765`, `wss://assay.example`
    #[arg(long, value_name = "URL", help_heading = "Which server")]
    pub(crate) server: Option<String>,
    /// The secret by which it knows you
    #[arg(
        long,
        value_name = "TOKEN",
        env = "ASSAY_TOKEN",
        hide_env_values = true,
        help_heading = "Which server"
    )]
    pub(crate) token: Option<String>,
    /// Trust the certificates of this PEM file with wss://, and no others
    #[arg(long, value_name = "FILE", help_heading = "Which server")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 it answers; 2 no gateway answers.")]
pub(crate) struct Status {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 all are healthy; 2 no gateway answers; 3 one is not healthy."
)]
pub(crate) struct Health {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 it answers; 2 it does not.")]
pub(crate) struct Ping {
    /// gateway, static, dynamic, performance, ai
    #[arg(value_name = "SERVICE", default_value = "gateway")]
    pub(crate) service: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(after_help = "Ctrl-C leaves the task alone. Exit codes as for `analyze`.")]
pub(crate) struct Watch {
    /// A task, as `assay tasks` names it
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// Print the reply of the service as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(
    override_usage = "assay test [OPTIONS] [MODEL APP]",
    after_help = "Exit codes: 0 all that was tried worked; 2 no gateway answers; 3 something did not work."
)]
pub(crate) struct Smoke {
    /// An app that is analysed, too, with the quick profile
    #[arg(num_args = 2, value_names = ["MODEL", "APP"])]
    pub(crate) app: Vec<String>,
    /// Analyse it with exactly these tools
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) tools: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 all are stopped, or had ended; 2 no gateway answers, or it has no such task."
)]
pub(crate) struct Cancel {
    /// Tasks, as `assay tasks` names them
    #[arg(required = true, value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Where a server listens, and how it ends.
#[derive(Args, Debug)]
pub(crate) struct Listening {
    /// Where to listen: `localhost:8765`, `0.0.0.0:8765`, a port alone; port 0 is any. Another
    /// address than one of this machine needs a token
    #[arg(long, value_name = "HOST:PORT", env = "ASSAY_LISTEN", help_heading = "How it is served")]
    pub(crate) listen: Option<String>,
    /// How long running work may go on after SIGTERM or Ctrl-C: 30s, 5m [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "How it is served")]
    pub(crate) drain_timeout: Option<String>,
    /// Leave the terminal, hold a pid file and write a log: what `assay start` begins.
    #[arg(long, hide = true)]
    pub(crate) background: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "SIGTERM and Ctrl-C finish what runs, a second one ends at once; SIGHUP reads the configuration\n\
    again. Exit codes: 0 ended in order; 2 usage or configuration; 130 or 143 ended at once."
)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) listening: Listening,
    /// Listen for the gateway's clients only, not on the ports of the services
    #[arg(long, help_heading = "How it is served")]
    pub(crate) no_service_ports: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "SIGTERM and Ctrl-C finish what runs, a second one ends at once; SIGHUP reads the configuration\n\
    again. Exit codes: 0 ended in order; 2 usage or configuration; 130 or 143 ended at once."
)]
pub(crate) struct Service {
    /// Which analyzer: static
    #[arg(value_name = "SERVICE")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) listening: Listening,
}
