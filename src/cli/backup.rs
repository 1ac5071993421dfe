//! `feedmill backup`: a copy of the database as it is at this moment, while a daemon works on it or without one.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::reach::Place;
use super::{Failure, out};
use crate::config;
use crate::store::StoreError;
use crate::store::sqlite::backup::backup;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// The file to write, which must not exist yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    size_bytes: u64,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let path = place.path()?;
    // A configuration that is broken by now must not keep anybody from a backup.
    let database = match place.settings() {
        Ok(settings) => settings.storage.database.clone(),
        Err(wrong) => config::database_of(&path, &place.environment).ok_or(wrong)?,
    };
    let bar = out::bar(Some(0), "pages");
    let copied = backup(&database, &options.file, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let copied = copied.map_err(|error| match error {
        // The database is well: it is the place for the copy that is not.
        StoreError::Unusable { path, cause } if path == options.file.display().to_string() => {
            Failure::new(format!("the copy cannot be written to {path}: {cause}."))
        }
        other => other.into(),
    });
    let report = Report { file: options.file.clone(), size_bytes: copied? };
    if options.json {
        return out::json(&report);
    }
    let size = indicatif::DecimalBytes(report.size_bytes);
    out::line(&format!("{} is a sound copy of {}, {size}.", report.file.display(), database.display()))?;
    out::line("To go back to it: stop the daemon, remove what is beside the database with -wal and -shm at its end,")?;
    out::line("copy this file over the database, and start.")
}
