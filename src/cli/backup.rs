//! `feedmill backup`: a copy of the database as it is at this moment, while a daemon works on it or without one.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::reach::Place;
use super::{Failure, out};
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
    let database = place.database()?;
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
    out::line(&format!("To go back to it: stop the daemon, `feedmill restore {}`, start it.", report.file.display()))
}
