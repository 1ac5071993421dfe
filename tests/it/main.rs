//! The promises, a file each, in one binary: linking dominates on small machines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions only, not what they share"
)]

mod alerts;
mod archives;
mod commands;
mod crash;
mod dates;
mod deliver;
mod disk;
mod endpoints;
mod events;
mod explain;
mod faults;
mod fetch;
mod gate;
mod habits;
mod help;
mod hosts;
mod hour;
mod house;
mod ignore;
mod include;
mod keep;
mod lists;
mod main_job;
mod media;
mod moves;
mod names;
mod operate;
mod outbox;
mod pages;
mod parse_corpus;
mod pause;
mod polite;
mod power;
mod private;
mod proxies;
mod real_feeds;
mod rekey;
mod resolve;
mod restore;
mod search;
mod sequences;
mod simulate;
mod slow;
mod soak;
mod store;
mod streams;
mod support;
mod terminal;
mod tls;
mod upgrade;
mod url_corpus;
mod valid;
mod webhooks;
mod when;
mod xss;
