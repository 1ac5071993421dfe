//! `feedmill completions` and `feedmill man`: what a package brings along, made from the commands themselves.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

#[derive(Args, Debug)]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct Man {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(options: &Completions) -> Result<(), Failure> {
    // Into memory first: the generator panics if the pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "feedmill", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}

pub(super) fn man(options: &Man) -> Result<(), Failure> {
    let Some(folder) = &options.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return Ok(io::stdout().lock().write_all(&page)?);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|e| Failure::new(format!("the pages cannot be written to {}: {e}.", folder.display())))
}
