//! `feedmill canon`: the canonical key of each URL.

use std::io::BufRead as _;

use clap::Args;

use super::reach::Place;
use super::{Failure, out};
use crate::domain::shape::{KeyShape, KeyStepShape, KeysShape};
use crate::identity::canonical::{Rules, Step};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Show the rule of each step
    #[arg(long)]
    explain: bool,
    /// Use the switches of this feed, too
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Print the keys as JSON
    #[arg(long)]
    json: bool,
    /// URLs; without any, a line each of standard input
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let rules = rules(options, place)?;
    let given = options.urls.iter().cloned().map(Ok);
    let piped = options.urls.is_empty().then(|| std::io::stdin().lock().lines()).into_iter().flatten();
    let (mut failed, mut urls) = (0_usize, Vec::new());
    for url in given.chain(piped) {
        let key = key(&rules, url?, options.explain);
        failed += usize::from(key.key.is_none());
        if options.json {
            urls.push(key);
        } else {
            print(&key)?;
        }
    }
    if options.json {
        out::json(&KeysShape { count: urls.len(), urls })?;
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

fn key(rules: &Rules, url: String, explain: bool) -> KeyShape {
    if !explain {
        return KeyShape { key: rules.key(&url), url, steps: Vec::new() };
    }
    let (key, steps) = rules.explain(&url).unzip();
    let step = |step: Step| KeyStepShape { rule: step.rule.to_string(), url: step.url };
    KeyShape { url, key, steps: steps.unwrap_or_default().into_iter().map(step).collect() }
}

/// One line a URL, whatever it is, so that lines in and out stay side by side.
fn print(key: &KeyShape) -> Result<(), Failure> {
    out::line(key.key.as_deref().unwrap_or("-"))?;
    for step in &key.steps {
        out::line(&format!("    {:<24} {}", step.rule, step.url))?;
    }
    Ok(())
}
