//! The door: a file a command. Each one reads its arguments, asks the daemon or the store, and prints.
//!
//! Never holds a rule of the domain: what a command does beyond printing is in the room that it calls.
//!
//! Invariant: what goes to standard output is the answer and nothing else; errors are sentences on standard
//! error, and the exit status says which kind (0 done, 1 failed, 2 wrong usage, 65 database corrupt or
//! foreign, 75 held by another daemon, 78 wrong configuration, 79 database newer than the program).

mod add;
mod backup;
mod canon;
mod check;
mod client;
mod demo;
mod doctor;
mod explain;
mod export;
mod failure;
mod feeds;
mod followed;
mod import;
mod init;
mod items;
mod log;
mod matches;
mod out;
mod packaging;
mod parse;
mod poll;
mod reach;
mod reload;
mod remove;
mod restore;
mod run;
mod search;
mod webhooks;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Environment;

pub use self::failure::Failure;

/// Polls feeds politely, keeps every story once, republishes them as merged feeds, and calls webhooks.
#[derive(Parser, Debug)]
#[command(name = "feedmill", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// The configuration.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The configuration [default: $FEEDMILL_CONFIG, ./feedmill.toml, ./config/feedmill.toml, /etc/feedmill/feedmill.toml]"
    )]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the daemon (also what happens without a command)
    Run,
    /// Show the whole product offline: a publisher, a receiver and the daemon between them
    Demo(demo::Options),
    /// Write a commented starter configuration
    Init(init::Options),
    /// Read the configuration, print every mistake, show the next runs of each schedule
    Check(check::Options),
    /// Look at configuration, database, clock, disk and network, and say what is wrong and what helps
    Doctor(doctor::Options),
    /// Copy the database into a file, whole and checked, while the daemon runs or without one
    Backup(backup::Options),
    /// Put a backup in the place of the database, while no daemon runs; what was there is kept aside
    Restore(restore::Options),
    /// Follow feeds: find each behind its page, write it into the configuration, tell the daemon
    Add(add::Options),
    /// Follow feeds no more: take them out of the configuration, tell the daemon; what they brought stays
    Remove(remove::Options),
    /// Follow what another reader follows: write an OPML list into the configuration, tell the daemon
    Import(import::Options),
    /// Print what is followed as OPML 2.0, without credentials
    Export(export::Options),
    /// Poll now, once, and show what happened
    Poll(poll::Options),
    /// Show the health of each feed; of those that are named, all that is known
    Feeds(feeds::Options),
    /// Show what is stored, newest first; show and part stories that were made one
    Items(items::Options),
    /// Search what is stored, best first
    Search(search::Options),
    /// Try a query on what is stored before it goes live: which items, which words, how many a day; or why one is met or not
    Match(matches::Options),
    /// Show the trace of one story: who carried it, how it is known, where it went; or why it is not kept
    Explain(explain::Options),
    /// Show webhooks, or call one to test it
    Webhooks(webhooks::Options),
    /// Show what Feedmill reads out of a feed
    Parse(parse::Options),
    /// Print the canonical key of each URL
    ///
    /// Without --config the built-in rules are used. With --config (or the variable `FEEDMILL_CONFIG`) those of that
    /// configuration are: its `[identity]` rules and off; with --feed also that feed's own keep and drop.
    Canon(canon::Options),
    /// Have the running daemon read its configuration again
    Reload(reload::Options),
    /// Have the running daemon log at another level, until its next reload
    Log(log::Options),
    /// Print the completions of a shell
    Completions(packaging::Completions),
    /// Print the manual page, or write one for each command
    Man(packaging::Man),
}

/// What every listing takes.
#[derive(Args, Debug, Clone)]
struct Listing {
    /// Print the body of the API route
    #[arg(long)]
    json: bool,
    /// At most so many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue after this cursor: `next` of the page before
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl Listing {
    /// The API route with this page's parameters.
    fn path(&self, route: &str, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &self.limit.to_string());
        if let Some(after) = &self.after {
            query.append_pair("after", after);
        }
        query.extend_pairs(more.iter().filter(|(_, value)| !value.is_empty()));
        format!("{route}?{}", query.finish())
    }
}

/// Says on standard error why a command failed.
pub fn complain(message: &str) {
    use std::io::Write as _;
    // If nobody listens there, there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "feedmill: {message}");
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// A sentence and the exit status.
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let place = reach::Place::new(self.config, environment.clone());
        match self.command.unwrap_or(Command::Run) {
            Command::Run => run::run(&place),
            Command::Demo(options) => demo::run(&options, environment),
            Command::Init(options) => init::run(&options, &place),
            Command::Check(options) => check::run(&options, &place),
            Command::Doctor(options) => doctor::run(&options, &place),
            Command::Backup(options) => backup::run(&options, &place),
            Command::Restore(options) => restore::run(&options, &place),
            Command::Add(options) => add::run(&options, &place),
            Command::Remove(options) => remove::run(&options, &place),
            Command::Import(options) => import::run(&options, &place),
            Command::Export(options) => export::run(&options, &place),
            Command::Poll(options) => poll::run(&options, &place),
            Command::Feeds(options) => feeds::run(&options, &place),
            Command::Items(options) => items::run(&options, &place),
            Command::Search(options) => search::run(&options, &place),
            Command::Match(options) => matches::run(&options, &place),
            Command::Explain(options) => explain::run(&options, &place),
            Command::Webhooks(options) => webhooks::run(&options, &place),
            Command::Parse(options) => parse::run(&options, &place),
            Command::Canon(options) => canon::run(&options, &place),
            Command::Reload(options) => reload::run(&options, &place),
            Command::Log(options) => log::run(&options, &place),
            Command::Completions(options) => packaging::completions(&options),
            Command::Man(options) => packaging::man(&options),
        }
    }
}
