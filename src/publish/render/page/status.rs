//! For the operator: how each feed and webhook is, and why. And the list of what is followed.

use maud::{Markup, html};

use super::{Place, Site, address, away, shell, text, words};
use crate::domain::feed::Health;
use crate::domain::name::ALL;
use crate::domain::shape::{AttemptShape, FeedShape, RedirectShape, WebhookShape};
use crate::domain::time::Timestamp;
use crate::store::FeedSizes;
use crate::store::StoreHealth;

/// How much of an error's sentence is shown, in characters.
const ERROR_CHARACTERS: usize = 500;

/// Feeds that the status page shows, those in trouble first; all are on the list of feeds.
const SHOWN: usize = 30;

/// What the status page tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The feeds.
    pub feeds: &'a [FeedShape],
    /// The webhooks.
    pub webhooks: &'a [WebhookShape],
    /// The store.
    pub health: &'a StoreHealth,
    /// When the next feed is due.
    pub next_due: Option<Timestamp>,
    /// The largest feeds.
    pub sizes: &'a FeedSizes,
    /// Stories by the day, today's last.
    pub days: &'a [u64],
    /// How many follow each stream, in the order of the site's.
    pub readers: &'a [u64],
    /// The program's version.
    pub version: &'a str,
}

/// `/status`: feeds, those in trouble first; webhooks; who reads; the store.
#[must_use]
pub fn status(site: &Site<'_>, report: &Report<'_>, now: Timestamp) -> String {
    let Report { feeds, webhooks, health, next_due, sizes, days, readers, version } = *report;
    let mut sorted: Vec<&FeedShape> = feeds.iter().collect();
    sorted.sort_by_key(|feed| rank(feed.state));
    let main = html! {
        main.wide #main {
            div.intro {
                h1 { "Status" }
                p.verdict { (verdict(feeds, webhooks)) }
            }
            section {
                h2 { "Feeds" }
                @if feeds.is_empty() { p.empty { "No feed is followed yet. Add a [[feed]] to the configuration, or run feedmill add URL." } }
                @else {
                    (feed_table(sorted.get(..SHOWN).unwrap_or(&sorted), now))
                    @let more = words::number(sorted.len().saturating_sub(SHOWN));
                    @if more > 0 {
                        p.rest { (words::counted(more, "feed more is", "feeds more are")) " on " a href=(site.path("feeds")) { "the list of feeds" } ", in no worse state." }
                    }
                }
            }
            section {
                h2 { "Webhooks" }
                @if webhooks.is_empty() { p.empty { "No webhook is configured." } }
                @else { (webhook_table(webhooks, now)) }
            }
            section {
                h2 { "Streams" }
                (reader_table(site, readers))
            }
            section {
                h2 { "Storage" }
                (sparkline(days, now))
                (storage(health, next_due, version, now))
                @if let Some(at) = sizes.measured_at.filter(|_| !sizes.feeds.is_empty()) { (size_table(sizes, at, now)) }
            }
        }
    };
    shell(site, "Status", Place::Status, &html! {}, &main)
}

/// `/feeds`: what is followed, a part of it. `all`: how many feeds there are. `next`: where the next part is.
#[must_use]
pub fn feeds(site: &Site<'_>, feeds: &[FeedShape], all: usize, next: Option<&str>, now: Timestamp) -> String {
    let opml = address(site.base, "feeds.opml");
    let main = html! {
        main.wide #main {
            div.intro {
                h1 { "Feeds" }
                p { (words::counted(words::number(all), "feed is", "feeds are")) " followed here. " a href=(opml) { "Take them along as OPML" } "." }
            }
            @if feeds.is_empty() { p.empty { "No feed is followed yet." } }
            @else { (followed(feeds, now)) }
            @if let Some(next) = next {
                nav.pager aria-label="Pages" { a rel="next" href=(next) { "More feeds" } }
            }
        }
    };
    let head = html! { link rel="alternate" type="text/x-opml" title="Feeds" href=(opml); };
    shell(site, "Feeds", Place::Feeds, &head, &main)
}

fn followed(feeds: &[FeedShape], now: Timestamp) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Feed" } th scope="col" { "State" } th scope="col" { "Tags" } th.number scope="col" { "Stories" } th scope="col" { "Last success" } } }
            tbody {
                @for feed in feeds {
                    tr {
                        th scope="row" {
                            (away(feed.home_page_url.as_deref().or(Some(&feed.url)), title(feed)))
                            small.address { (away(Some(&feed.url), &feed.url)) }
                        }
                        td data-label="State" { span.state.(feed.state.as_str()) { (feed.state.as_str()) } }
                        td data-label="Tags" { @for tag in &feed.tags { span.tag { bdi { (tag) } } " " } }
                        td.number data-label="Stories" { (words::count(feed.items)) }
                        td data-label="Last success" { (when(feed.last_success, now, "not yet")) }
                    }
                }
            }
        }
    }
}

fn verdict(feeds: &[FeedShape], webhooks: &[WebhookShape]) -> Markup {
    let states = [Health::Ok, Health::Failing, Health::Broken, Health::Gone, Health::Paused];
    let failed: u64 = webhooks.iter().map(|webhook| webhook.failed).fold(0, u64::saturating_add);
    let due: u64 = webhooks.iter().map(|webhook| webhook.due).fold(0, u64::saturating_add);
    html! {
        span { (words::counted(words::number(feeds.len()), "feed", "feeds")) ":" }
        @for state in states {
            @let number = feeds.iter().filter(|feed| feed.state == state).count();
            @if number > 0 { " " span.state.(state.as_str()) { (words::count(words::number(number))) " " (state.as_str()) } }
        }
        @if due > 0 { " · " (words::counted(due, "call is", "calls are")) " due" }
        @if failed > 0 { " · " (words::counted(failed, "call was", "calls were")) " given up" }
    }
}

fn feed_table(feeds: &[&FeedShape], now: Timestamp) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Feed" } th scope="col" { "State" } th scope="col" { "Last success" }
                th scope="col" { "Next poll" } th.number scope="col" { "Stories" }
            } }
            tbody { @for feed in feeds { (feed_row(feed, now)) } }
        }
    }
}

fn feed_row(feed: &FeedShape, now: Timestamp) -> Markup {
    let asked = feed.merged.is_none() && !matches!(feed.state, Health::Gone | Health::Paused);
    let next = if asked { "soon" } else { "not on its own" };
    html! {
        tr {
            th scope="row" {
                (away(Some(&feed.url), title(feed)))
                small { (feed.name) }
                @if let Some(known) = &feed.known_by {
                    small { "entries are known by their " (known.id.as_str()) ": " (known.reason) }
                }
                @if let Some(merged) = &feed.merged {
                    small { "merged into " (merged.into) " since " (words::around(merged.since, now)) ": both led to one address" }
                }
                (moves(&feed.redirects, now))
                @if let Some(error) = &feed.error {
                    p.trouble {
                        @if feed.errors_in_row > 1 { (words::counted(feed.errors_in_row.into(), "failure", "failures")) " in a row: " }
                        bdi { (text::excerpt(&error.message, ERROR_CHARACTERS)) }
                    }
                }
            }
            td data-label="State" { span.state.(feed.state.as_str()) { (feed.state.as_str()) } }
            td data-label="Last success" { (when(feed.last_success, now, "not yet")) }
            td data-label="Next poll" {
                (when(feed.next_poll, now, next))
                @if let Some(reason) = text::present(feed.next_poll_reason.as_deref()) { small { (reason) } }
            }
            td.number data-label="Stories" { (words::count(feed.items)) }
        }
    }
}

/// The last move, and the others behind it.
fn moves(redirects: &[RedirectShape], now: Timestamp) -> Markup {
    let line = |step: &RedirectShape| html! { bdi { (text::excerpt(&step.words(), ERROR_CHARACTERS)) } " " (words::around(step.at, now)) };
    html! {
        @match redirects {
            [] => {},
            [last] => { small { (line(last)) } },
            [last, before @ ..] => {
                details {
                    summary { small { (line(last)) } }
                    ul { @for step in before { li { small { (line(step)) } } } }
                }
            },
        }
    }
}

fn webhook_table(webhooks: &[WebhookShape], now: Timestamp) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Webhook" } th scope="col" { "State" } th scope="col" { "Last call" }
                th.number scope="col" { "Due" } th.number scope="col" { "Given up" }
            } }
            tbody {
                @for webhook in webhooks {
                    tr {
                        th scope="row" {
                            (webhook.name)
                            small { (webhook.events.join(", ")) }
                            @let error = webhook.last_attempt.as_ref().and_then(|last| last.error.as_deref());
                            @if let Some(trouble) = webhook.reason.as_deref().or(error) {
                                p.trouble { bdi { (text::excerpt(trouble, ERROR_CHARACTERS)) } }
                            }
                        }
                        td data-label="State" {
                            span.state.(webhook.state.as_str()) { (webhook.state.as_str()) }
                            @if let Some(until) = webhook.slowed_until { small { "next call " (words::around(until, now)) } }
                        }
                        td data-label="Last call" { (last_call(webhook.last_attempt.as_ref(), now)) }
                        td.number data-label="Due" {
                            (words::count(webhook.due))
                            @if let Some(oldest) = webhook.oldest_due { small { "oldest " (words::around(oldest, now)) } }
                        }
                        td.number data-label="Given up" { (words::count(webhook.failed)) }
                    }
                }
            }
        }
    }
}

fn last_call(attempt: Option<&AttemptShape>, now: Timestamp) -> Markup {
    html! {
        @if let Some(attempt) = attempt {
            (words::around(attempt.at, now))
            small {
                @match attempt.http_status {
                    Some(status) => { "HTTP " (status) },
                    None => { "no answer" },
                }
                " after " (words::count(attempt.duration_ms)) " ms"
            }
        } @else { "not yet" }
    }
}

fn storage(health: &StoreHealth, next_due: Option<Timestamp>, version: &str, now: Timestamp) -> Markup {
    html! {
        @if let Some(why) = &health.hindrance { p.error { "Nothing can be stored: " (why) "." } }
        dl.facts {
            div { dt { "Stories" } dd { (words::count(health.items)) } }
            div { dt { "Database" } dd { (words::size(health.size_bytes)) } }
            div { dt { "Calls due" } dd {
                (words::count(health.owed))
                @if let Some(oldest) = health.oldest_owed { small { "oldest " (words::around(oldest, now)) } }
            } }
            div { dt { "Calls given up" } dd { (words::count(health.failed)) } }
            div { dt { "Next poll" } dd { (when(next_due, now, "none")) } }
            div { dt { "Feedmill" } dd { (version) } }
        }
    }
}

fn reader_table(site: &Site<'_>, readers: &[u64]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Stream" } th.number scope="col" { "Readers within a day" } } }
            tbody {
                @for (stream, readers) in site.streams.iter().zip(readers) {
                    tr {
                        th scope="row" {
                            a href=(site.path(if stream.name == ALL { "" } else { &stream.name })) {
                                bdi { (text::present(Some(&stream.title)).unwrap_or(&stream.name)) }
                            }
                        }
                        td.number data-label="Readers" { (words::count(*readers)) }
                    }
                }
            }
        }
    }
}

/// Stories by the day as bars, of which the highest is the busiest day. Who cannot see them reads the numbers.
fn sparkline(days: &[u64], now: Timestamp) -> Markup {
    const HEIGHT: u64 = 48;
    const STEP: usize = 8;
    let most = days.iter().copied().max().unwrap_or_default().max(1);
    let bars = days.iter().enumerate().map(|(place, count)| {
        // Whatever came shows.
        let height = (count.saturating_mul(HEIGHT) / most).max(u64::from(*count > 0));
        let ago = u64::try_from(days.len() - 1 - place).unwrap_or_default();
        let day = words::day(now.minus(std::time::Duration::from_secs(ago * 86_400)));
        (place * STEP, height, format!("{day}: {}", words::count(*count)))
    });
    let total: u64 = days.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let today = days.last().copied().unwrap_or_default();
    let said = format!(
        "Stories a day over {} days: {} in all, {} today, {} on the busiest day",
        days.len(),
        words::count(total),
        words::count(today),
        words::count(most)
    );
    html! {
        @if total > 0 {
            figure.spark {
                svg role="img" aria-label=(said) viewBox={ "0 0 " (days.len() * STEP) " " (HEIGHT) } preserveAspectRatio="none" {
                    @for (x, height, words) in bars {
                        rect x=(x) y=(HEIGHT - height) width=(STEP - 2) height=(height) { title { (words) } }
                    }
                }
                figcaption { (said) "." }
            }
        }
    }
}

fn size_table(sizes: &FeedSizes, at: Timestamp, now: Timestamp) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Largest feeds" } th.number scope="col" { "Stories kept" }
                th.number scope="col" { "Their text" } th.number scope="col" { "Ever seen" } th.number scope="col" { "To know them" }
            } }
            tbody {
                @for feed in &sizes.feeds {
                    tr {
                        th scope="row" { bdi { (feed.name) } @if !feed.followed { small { "followed no more" } } }
                        td.number data-label="Stories kept" { (words::count(feed.stories)) }
                        td.number data-label="Their text" { (words::size(feed.body_bytes)) }
                        td.number data-label="Ever seen" { (words::count(feed.entries)) }
                        td.number data-label="To know them" { (words::size(feed.identity_bytes)) }
                    }
                }
            }
        }
        p {
            @if sizes.more > 0 { (words::counted(sizes.more, "smaller feed is", "smaller feeds are")) " left out. " }
            "Sizes were measured " (words::around(at, now)) "."
        }
    }
}

fn when(at: Option<Timestamp>, now: Timestamp, never: &str) -> Markup {
    match at {
        Some(at) => words::around(at, now),
        None => html! { (never) },
    }
}

fn title(feed: &FeedShape) -> &str {
    text::present(feed.title.as_deref()).unwrap_or(&feed.name)
}

/// Trouble first.
fn rank(state: Health) -> u8 {
    match state {
        Health::Broken => 0,
        Health::Gone => 1,
        Health::Failing => 2,
        Health::Ok => 3,
        Health::Paused => 4,
    }
}
