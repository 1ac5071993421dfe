//! `feedmill search`: what is stored and meets a query, best first.

use clap::Args;

use super::reach::Place;
use super::{Failure, Listing, items};
use crate::publish::items::Sorting;

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    listing: Listing,
    /// The query, in the language of streams
    #[arg(value_name = "QUERY", required = true)]
    query: Vec<String>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    items::show(&options.listing, &options.query.join(" "), Sorting::Best, place)
}
