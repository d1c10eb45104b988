//! Completions and the manual page.

use crate::{
    cli::Cli,
    exit::Exit,
    failure::{Failure, Outcome},
    session,
};
use clap::CommandFactory as _;
use clap_complete::Shell;

pub(crate) fn completions(shell: Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "assay", &mut text);
    session::print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

/// One page for all commands, each under its own heading.
pub(crate) fn man() -> Outcome {
    let failed = |error: std::io::Error| Failure::usage("the page cannot be made").because(error);
    let mut text = Vec::new();
    let command = Cli::command();
    clap_mangen::Man::new(command.clone()).render(&mut text).map_err(failed)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let page = clap_mangen::Man::new(sub.clone()).title(format!("assay-{}", sub.get_name()));
        page.render_name_section(&mut text).map_err(failed)?;
        page.render_synopsis_section(&mut text).map_err(failed)?;
        page.render_options_section(&mut text).map_err(failed)?;
    }
    session::print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}
