//! `feedmill add`: finds the feed behind each address, and writes it into the configuration.

use std::io::{BufRead, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use clap::Args;
use secrecy::ExposeSecret as _;
use url::Url;

use super::followed::{self, Followed};
use super::reach::Place;
use super::{Failure, out};
use crate::app;
use crate::config::change::Edit;
use crate::config::edit::{self, NewFeed};
use crate::config::settings::Auth;
use crate::config::{Settings, split_auth, web_address};
use crate::domain::address::Address;
use crate::domain::name::Name;
use crate::domain::reach::Reach;
use crate::domain::shape::{EditShape, EditedShape};
use crate::domain::time::{Clock as _, SystemClock};
use crate::domain::url::mask;
use crate::fetch::client::{Ask, Fetcher};
use crate::poll::discover::{self, Candidate, Discovery, Found, Verdict};

/// For one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of one document; as much as a feed may have where the configuration says nothing.
const MAX_BYTES: u64 = 10_000_000;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Addresses of feeds, or of pages that name theirs
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Where a page names several feeds, take all of them
    #[arg(long)]
    all: bool,
    /// The feed's name [default: derived from its address]
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "all")]
    name: Option<Name>,
    /// A tag for each of the feeds; may be repeated
    #[arg(long = "tag", value_name = "T", value_parser = followed::tag)]
    tags: Vec<String>,
    /// The file to write them into, one that the configuration includes [default: where new feeds are at home]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Say what would be added and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what was done as JSON, and ask nothing
    #[arg(long)]
    json: bool,
}

fn name(text: &str) -> Result<Name, String> {
    let why = || format!("names are lower-case letters, digits and hyphens, for example {}", Name::slug(text));
    Name::parse(text).ok_or_else(why)
}

/// A feed that is to be added.
struct Picked {
    found: Found,
    credentials: Option<(String, String)>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let settings = place.settings()?;
    if let Some(name) = &options.name {
        if options.urls.len() > 1 {
            return Err(Failure { status: 2, message: "--name is for one URL; here are several.".to_owned() });
        }
        if let Some(other) = settings.feeds.iter().find(|feed| feed.name == *name) {
            let message = format!("There is a feed named `{name}` already ({}); nothing was added.", other.url);
            return Err(Failure::new(message));
        }
    }
    let home = followed::home(settings, options.to.as_deref())?;
    let (picked, wrong) = place.block_on(pick_all(options, place, settings))?;
    let added = !picked.is_empty();
    let told = if added { write(&picked, &home, options, place) } else { Ok(()) };
    if wrong.is_empty() {
        return told;
    }
    let mut message = wrong.join("\n");
    if let Err(failure) = told {
        message = format!("{message}\n{failure}");
    }
    Err(Failure::new(if added { message } else { format!("{message}\nNothing was added.") }))
}

/// Writes them into the configuration, and has the daemon take it up.
fn write(picked: &[Picked], home: &Path, options: &Options, place: &Place) -> Result<(), Failure> {
    let feeds: Vec<NewFeed> = picked.iter().map(|picked| new_feed(picked, options)).collect();
    let edit: Edit<'_> = Box::new(|text| edit::add(text, &feeds));
    let after = followed::edit(place, &[(home.to_owned(), edit)], !options.dry_run)?;
    let shape = |Picked { found, .. }: &Picked| EditedShape {
        name: after
            .feeds
            .iter()
            .find(|feed| *feed.url.url() == found.url)
            .map(|feed| feed.name.to_string())
            .unwrap_or_default(),
        url: found.url.to_string(),
        title: found.title.clone(),
        tags: options.tags.clone(),
        entries: Some(found.entries),
        file: home.display().to_string(),
    };
    let renamed = if options.dry_run { Vec::new() } else { followed::renamed(place.settings()?, &after) };
    let done = EditShape {
        count: picked.len(),
        dry_run: options.dry_run,
        feeds: picked.iter().map(shape).collect(),
        renamed,
        left_out: None,
        daemon: None,
    };
    followed::finish(done, !options.dry_run, options.json, place, say)
}

/// Asks for each address in turn; gives what is to be added, and what was wrong with the rest.
async fn pick_all(
    options: &Options,
    place: &Place,
    settings: &Settings,
) -> Result<(Vec<Picked>, Vec<String>), Failure> {
    let fetcher = app::fetcher(settings).map_err(Failure::new)?;
    let mut followed = Followed::new(settings, &followed::shapes(place).await?);
    let (mut picked, mut wrong) = (Vec::new(), Vec::new());
    let bar = out::bar(Some(options.urls.len()), "");
    for text in &options.urls {
        bar.set_message(out::printable(&mask(text)));
        let found = find(text, &fetcher, &followed).await;
        let taken = bar.suspend(|| match found {
            Ok((discovery, auth)) => take(discovery, auth.as_ref(), options, &mut followed),
            Err(why) => Err(why),
        });
        match taken {
            Ok(feeds) => picked.extend(feeds),
            Err(why) => wrong.push(format!("{}: {why}", out::printable(&mask(text)))),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((picked, wrong))
}

/// What is at an address as it was typed, and the credentials in it.
async fn find(
    text: &str,
    fetcher: &Fetcher,
    followed: &Followed,
) -> Result<(Discovery, Option<(Url, String, String)>), String> {
    let mut first: Option<String> = None;
    for typed in addresses(text)? {
        let (url, auth) = split_auth(typed);
        already(followed, url.as_str())?;
        let auth = auth.and_then(|auth| match auth {
            Auth::Basic { username, password } => Some((url.clone(), username, password.expose_secret().to_owned())),
            Auth::Bearer(_) => None,
        });
        match discover::discover(fetcher, &ask(url, auth.as_ref(), fetcher.reach()), SystemClock.now()).await {
            Ok(discovery) => return Ok((discovery, auth)),
            Err(why) => first = first.or(Some(sentence(&why))),
        }
    }
    Err(first.unwrap_or_else(|| "It is no address.".to_owned()))
}

/// What may be meant by what was typed: without a scheme https, else http.
fn addresses(text: &str) -> Result<Vec<Url>, String> {
    let text = text.trim();
    let text = text.strip_prefix("feed:").map_or(text, |rest| rest.trim_start_matches('/'));
    let read = |text: &str| web_address(text).map_err(|e| format!("It is no address of a feed or page: {e}."));
    if text.contains("://") {
        return Ok(vec![read(text)?]);
    }
    Ok(vec![read(&format!("https://{text}"))?, read(&format!("http://{text}"))?])
}

fn ask(url: Url, auth: Option<&(Url, String, String)>, reach: &Arc<Reach>) -> Ask {
    let header = |(_, user, password): &(Url, String, String)| {
        let coded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        ("authorization".to_owned(), format!("Basic {coded}").into())
    };
    let url = Address::from(url);
    Ask {
        private_origin: url.clone(),
        url,
        validators: None,
        timeout: TIMEOUT,
        max_body_bytes: MAX_BYTES,
        user_agent: None,
        private_headers: auth.map(header).into_iter().collect(),
        reach: Arc::clone(reach),
    }
}

fn already(followed: &Followed, url: &str) -> Result<(), String> {
    match followed.find(url) {
        Some(name) => Err(format!("It is followed already, as {name}.")),
        None => Ok(()),
    }
}

/// Chooses, and refuses what is followed already; what is taken counts as followed from now on.
fn take(
    discovery: Discovery,
    auth: Option<&(Url, String, String)>,
    options: &Options,
    followed: &mut Followed,
) -> Result<Vec<Picked>, String> {
    let found: Vec<Found> = match discovery {
        Discovery::Feed(found) => vec![found],
        Discovery::Page(candidates) => {
            let chosen = choose(&candidates, options)?;
            chosen.into_iter().filter_map(|index| candidates.get(index)?.found().cloned()).collect()
        }
    };
    if let [only] = found.as_slice() {
        already(followed, only.url.as_str())?;
    }
    let new: Vec<Found> =
        found.into_iter().filter(|found| followed.insert(found.url.as_str(), "one of this command's")).collect();
    if new.is_empty() {
        return Err("All of them are followed already.".to_owned());
    }
    // Credentials stay with the origin that they were typed for.
    let own = |found: &Found| auth.filter(|(home, ..)| home.origin() == found.url.origin());
    let credentials = |found: &Found| own(found).map(|(_, user, password)| (user.clone(), password.clone()));
    Ok(new.into_iter().map(|found| Picked { credentials: credentials(&found), found }).collect())
}

/// Which of a page's feeds: the only one, all, or what is answered at the terminal.
fn choose(candidates: &[Candidate], options: &Options) -> Result<Vec<usize>, String> {
    let choices: Vec<usize> = discover::choices(candidates).collect();
    let clear = discover::clear(candidates);
    let list = list(candidates);
    let say = |text: &str| if options.json { Ok(()) } else { out::line(text).map_err(|e| e.to_string()) };
    if options.all {
        say(&format!("the page names these feeds; all that differ are taken:\n{list}"))?;
        return Ok(choices);
    }
    if let Some(index) = clear {
        if candidates.len() > 1 {
            say(&format!("the page names these feeds; {} is taken: {}\n{list}", index + 1, reason(candidates, index)))?;
        }
        return Ok(vec![index]);
    }
    let first = choices.first().copied().unwrap_or(0);
    let advice = format!("{} would be the first choice: {}", first + 1, reason(candidates, first));
    if options.json || !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(format!(
            "The page names several feeds that differ. Add one by its address, or all with --all; {advice}.\n{list}"
        ));
    }
    say(&format!("the page names several feeds that differ; {advice}\n{list}"))?;
    answer(&mut std::io::stdin().lock(), &choices, first)
}

fn reason(candidates: &[Candidate], index: usize) -> &'static str {
    let others =
        |test: fn(&Candidate) -> bool| candidates.iter().enumerate().any(|(n, other)| n != index && test(other));
    if others(|other| other.found().is_some() && !other.comments) {
        "the page names it first"
    } else if others(|other| matches!(other.verdict, Verdict::Same(_))) {
        "it comes first, and others are the same in another form or about comments"
    } else if others(|other| other.comments) {
        "the others are about comments or do not answer as a feed"
    } else {
        "the others do not answer as a feed"
    }
}

/// A numbered line for each.
fn list(candidates: &[Candidate]) -> String {
    let row = |(index, candidate): (usize, &Candidate)| {
        let what = match &candidate.verdict {
            Verdict::Feed(found) if candidate.comments => format!("comments, {} entries", found.entries),
            Verdict::Feed(found) => format!("{} entries", found.entries),
            Verdict::Same(other) => format!("the same stories as {}", other + 1),
            Verdict::No(why) => format!("no feed: {}", out::short(why.trim_end_matches('.'), 120)),
        };
        let own = candidate.found().and_then(|found| found.title.as_deref());
        let title = candidate.title.as_deref().or(own).unwrap_or("untitled");
        let (title, url) = (out::short(title, 80), mask_credentials(&candidate.url));
        out::printable(&format!("  {}. {title} ({}; {what}) {url}", index + 1, candidate.form))
    };
    candidates.iter().enumerate().map(row).collect::<Vec<_>>().join("\n")
}

/// A query belongs to a feed's address and is shown; a page's link has no business with a password.
fn mask_credentials(url: &str) -> String {
    Url::parse(url).map_or_else(|_| mask(url), |url| split_auth(url).0.into())
}

/// Reads which ones are meant: numbers, `a` for all, nothing for the first choice, `q` for none.
fn answer(input: &mut impl BufRead, choices: &[usize], first: usize) -> Result<Vec<usize>, String> {
    loop {
        out::line(&format!("which? numbers, a for all, q for none [{}]", first + 1)).map_err(|e| e.to_string())?;
        let mut line = String::new();
        let read = input.read_line(&mut line).map_err(|e| e.to_string())?;
        match line.trim() {
            _ if read == 0 => return Err("None was chosen.".to_owned()),
            "" => return Ok(vec![first]),
            "q" | "Q" => return Err("None was chosen.".to_owned()),
            "a" | "A" => return Ok(choices.to_vec()),
            numbers => {
                let words = numbers.split([' ', ',']).filter(|word| !word.is_empty());
                let index = |word: &str| {
                    let index = word.parse::<usize>().ok()?.checked_sub(1)?;
                    choices.contains(&index).then_some(index)
                };
                match words.map(index).collect::<Option<Vec<usize>>>() {
                    Some(chosen) => return Ok(chosen),
                    None => out::line("these are not among those that can be chosen").map_err(|e| e.to_string())?,
                }
            }
        }
    }
}

fn new_feed(picked: &Picked, options: &Options) -> NewFeed {
    NewFeed {
        url: picked.found.url.to_string(),
        name: options.name.clone(),
        title: None,
        tags: options.tags.clone(),
        credentials: picked.credentials.clone(),
    }
}

fn say(done: &EditShape) -> Result<(), Failure> {
    let (verb, written) =
        if done.dry_run { ("would add", "it would be written into") } else { ("added", "written into") };
    for EditedShape { name, url, title, entries, .. } in &done.feeds {
        let title = title.as_deref().map(|title| format!("“{}”, ", out::short(title, 80))).unwrap_or_default();
        let entries = entries.unwrap_or_default();
        out::line(&out::printable(&format!("{verb} {name}: {url} ({title}{entries} entries)")))?;
    }
    if let Some(feed) = done.feeds.first() {
        out::line(&format!("{written} {}", feed.file))?;
    }
    followed::say_renamed(&done.renamed)
}

/// As a sentence: a capital at the start, a full stop at the end.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_typed_without_its_scheme() {
        let typed = |text: &str| addresses(text).map(|urls| urls.iter().map(Url::to_string).collect::<Vec<_>>());
        let both = vec!["https://a.example/f".to_owned(), "http://a.example/f".to_owned()];
        for text in ["a.example/f", " feed://a.example/f", "feed:a.example/f"] {
            assert_eq!(typed(text).as_ref(), Ok(&both), "{text}");
        }
        assert_eq!(typed("feed:https://a.example/f"), Ok(vec!["https://a.example/f".to_owned()]));
        assert_eq!(typed("localhost:8080/f").unwrap()[0], "https://localhost:8080/f");
        for bad in ["ftp://a.example/", "", "mailto:x", "https://"] {
            assert!(typed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_numbers_all_none_or_the_first_choice() {
        let read = |text: &str| answer(&mut text.as_bytes(), &[0, 2], 0);
        assert_eq!(read("\n"), Ok(vec![0]));
        assert_eq!(read("3, 1\n"), Ok(vec![2, 0]));
        assert_eq!(read("a\n"), Ok(vec![0, 2]));
        assert_eq!(read("2\n0\nx\n3\n"), Ok(vec![2]));
        assert!(read("q\n").is_err() && read("").is_err());
    }

    #[test]
    fn a_cause_becomes_a_sentence() {
        assert_eq!(sentence("the server answered 404 Not Found"), "The server answered 404 Not Found.");
        assert_eq!(sentence("Is one."), "Is one.");
    }
}
