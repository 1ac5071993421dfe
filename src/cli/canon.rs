//! `feedmill canon`: the canonical key of each URL.

use std::io::BufRead as _;

use clap::Args;

use super::reach::Place;
use super::{Failure, out};
use crate::identity::canonical::Rules;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Show the rule of each step
    #[arg(long)]
    explain: bool,
    /// Use the switches of this feed, too
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// URLs; without any, a line each of standard input
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let rules = rules(options, place)?;
    let mut failed = 0_usize;
    if options.urls.is_empty() {
        for url in std::io::stdin().lock().lines() {
            failed += usize::from(!print(&rules, &url?, options.explain)?);
        }
    }
    for url in &options.urls {
        failed += usize::from(!print(&rules, url, options.explain)?);
    }
    match failed {
        0 => Ok(()),
        n => Err(Failure::new(format!("{n} of these are no http or https URLs; they have no canonical key."))),
    }
}

/// A configuration that only happens to lie here is not asked: the command works anywhere, and the same.
fn rules(options: &Options, place: &Place) -> Result<Rules, Failure> {
    let Some(name) = &options.feed else {
        return Ok(if place.is_named() { place.settings()?.rules.clone() } else { Rules::default() });
    };
    let settings = place.settings()?;
    let feed = settings.feeds.iter().find(|feed| feed.name.as_str() == name);
    let feed =
        feed.ok_or_else(|| Failure::new(format!("There is no feed named `{name}`; `feedmill feeds` lists them.")))?;
    Ok(settings.rules.for_feed(&feed.terms.keep_parameters, &feed.terms.drop_parameters))
}

/// One line a URL, whatever it is, so that lines in and out stay side by side.
fn print(rules: &Rules, url: &str, explain: bool) -> Result<bool, Failure> {
    if explain {
        let Some((key, steps)) = rules.explain(url) else {
            out::line("-")?;
            return Ok(false);
        };
        out::line(&key)?;
        for step in steps {
            out::line(&format!("    {:<24} {}", step.rule, step.url))?;
        }
        return Ok(true);
    }
    let key = rules.key(url);
    out::line(key.as_deref().unwrap_or("-"))?;
    Ok(key.is_some())
}
