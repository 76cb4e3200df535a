//! `completions` and `man`: files for packages of the program.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output;

/// Writes the completions of a shell.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "animecache", &mut text);
    output::write(&text)?;
    Ok(Exit::Done)
}

/// Writes one manual page: the program's, followed by those of its commands.
pub(crate) fn manual() -> anyhow::Result<Exit> {
    let mut program = Cli::command();
    program.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(program.clone()).render(&mut text)?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        clap_mangen::Man::new(command.clone().display_name(format!("animecache {}", command.get_name())))
            .render(&mut text)?;
    }
    output::write(&text)?;
    Ok(Exit::Done)
}
