//! `feedmill canon`: the canonical key of each URL.

use std::io::BufRead as _;

use clap::Args;

use super::{Failure, out};
use crate::identity::canonical::Rules;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Show the rule of each step
    #[arg(long)]
    explain: bool,
    /// URLs; without any, a line each of standard input
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut failed = 0_usize;
    if options.urls.is_empty() {
        for url in std::io::stdin().lock().lines() {
            failed += usize::from(!print(&url?, options.explain)?);
        }
    }
    for url in &options.urls {
        failed += usize::from(!print(url, options.explain)?);
    }
    match failed {
        0 => Ok(()),
        n => Err(Failure::new(format!("{n} of these are no http or https URLs; they have no canonical key."))),
    }
}

/// One line a URL, whatever it is, so that lines in and out stay side by side.
fn print(url: &str, explain: bool) -> Result<bool, Failure> {
    if explain {
        let Some((key, steps)) = Rules::default().explain(url) else {
            out::line("-")?;
            return Ok(false);
        };
        out::line(&key)?;
        for step in steps {
            out::line(&format!("    {:<24} {}", step.rule, step.url))?;
        }
        return Ok(true);
    }
    let key = Rules::default().key(url);
    out::line(key.as_deref().unwrap_or("-"))?;
    Ok(key.is_some())
}
