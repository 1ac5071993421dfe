//! The binary: arguments, one call, exit status.

use std::process::ExitCode;

use clap::Parser as _;
use feedmill::cli::Cli;
use feedmill::config::Environment;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run(&Environment::of_process()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                feedmill::cli::complain(&failure.message);
            }
            ExitCode::from(failure.status)
        }
    }
}
