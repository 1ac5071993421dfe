//! `feedmill init`: a commented starter configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::reach::Place;
use super::{Failure, out};
use crate::config::{self, SHIPPED};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Where to write it [default: --config, or ./feedmill.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Without the feeds and the stream that are there for a start: for packages, and for who follows others
    #[arg(long)]
    empty: bool,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let path = options.file.clone().or_else(|| place.config.clone()).unwrap_or_else(|| "feedmill.toml".into());
    let shown = path.display();
    let text = if options.empty { config::empty() } else { SHIPPED.to_owned() };
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => out::line(&format!("wrote {shown}; edit it, try it with `feedmill --config {shown} check`")),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::new(format!("{shown} is there already and was left as it is; name another file.")))
        }
        Err(e) => Err(Failure::new(format!("{shown} cannot be written: {e}."))),
    }
}
