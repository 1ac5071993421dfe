//! `feedmill restore`: a backup in the place of the database, while no daemon runs.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::reach::Place;
use super::{Failure, out};
use crate::domain::time::{Clock as _, SystemClock};
use crate::store::sqlite::restore::restore;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// A file that `feedmill backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    database: PathBuf,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aside: Option<PathBuf>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let database = place.database()?;
    let bar = out::bar(Some(0), "bytes");
    let done = restore(&options.file, &database, SystemClock.now(), |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let done = done?;
    let report = Report { file: options.file.clone(), database, size_bytes: done.size_bytes, aside: done.aside };
    if options.json {
        return out::json(&report);
    }
    let (file, database) = (report.file.display(), report.database.display());
    out::line(&format!("{database} is now a checked copy of {file}, {}.", indicatif::DecimalBytes(report.size_bytes)))?;
    if let Some(aside) = report.aside {
        out::line(&format!("What was there before is in {}; delete it once all is well.", aside.display()))?;
    }
    out::line(
        "Start the daemon. What was published since the backup is fetched again, and webhooks may be called again for it.",
    )
}
