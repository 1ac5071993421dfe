//! The river of news: a stream as a page, by days, with the streams to subscribe to beside it.

use maud::{Markup, html};

use super::super::{Channel, View, sighting_link, sighting_title, text};
use super::{Place, Site, alternates, away, item_path, shell, words};
use crate::domain::item::Sighting;
use crate::domain::name::ALL;
use crate::domain::shape::StreamShape;

/// How much of a story's text is shown, in characters.
const LEAD_CHARACTERS: usize = 300;
/// How much of a query is shown in the list of streams, in characters.
const TERMS_CHARACTERS: usize = 90;
/// Attached files that a story shows by name; the number of the others stands for them.
const FILES: usize = 4;
/// Further feeds that a story names; the number of the others stands for them.
const FURTHER: usize = 6;

/// `/` and `/{stream}`: the stream as a page, in the order of `views`. `older`: where the next older page is.
#[must_use]
pub fn river(site: &Site<'_>, channel: &Channel, views: &[View], older: Option<&str>) -> String {
    let documents = [
        ("application/atom+xml", channel.document("atom")),
        ("application/rss+xml", channel.document("rss")),
        ("application/feed+json", channel.document("json")),
    ];
    let title = text::present(Some(&channel.title)).unwrap_or(&channel.name);
    let live = channel.pages.live;
    let events = site.path(&format!("events?stream={}", channel.name));
    let main = html! {
        div.columns {
            main #main {
                (intro(site, channel, title))
                @if live { p.fresh #fresh role="status" data-events=(events) {} }
                @for day in views.chunk_by(|one, next| words::day(one.published()) == words::day(next.published())) {
                    @if let Some(first) = day.first() {
                        section.day {
                            h2 { time datetime=(date(first)) { (words::day(first.published())) } }
                            @for view in day { (story(site, view, lead(view).map(|lead| html! { (lead) }))) }
                        }
                    }
                }
                @if views.is_empty() {
                    p.empty { "No story yet. Each feed is asked on its schedule; " a href=(site.path("status")) { "the status page" } " says when." }
                }
                @if let Some(older) = older {
                    nav.pager aria-label="Pages" { a rel="next" href=(older) { "Older stories" } }
                }
            }
            aside #streams { (streams(site, &channel.name)) }
        }
    };
    let place = if channel.name == ALL { Place::River } else { Place::Elsewhere };
    let head = html! {
        (alternates(title, &documents))
        @if live { script src=(site.path("static/live.js")) defer {} }
    };
    shell(site, title, place, &head, &main)
}

fn intro(site: &Site<'_>, channel: &Channel, title: &str) -> Markup {
    let query = site.streams.iter().find(|stream| stream.name == channel.name).map(|stream| stream.query.as_str());
    html! {
        div.intro {
            // The site's own title stands above it already.
            h1 { bdi { @if title == site.title() { "Latest stories" } @else { (title) } } }
            @if let Some(query) = text::present(query) {
                p.query { code { (text::excerpt(query, LEAD_CHARACTERS)) } }
            }
            p.follow {
                "Follow it in any reader: " code { (channel.document("atom")) }
                // A private stream's page would need the token in the link.
                @if query.is_some() { " · " a href=(site.path(&format!("{}/subscribe", channel.name))) { "Other formats" } }
                a.more href="#streams" { "All streams" }
            }
        }
    }
}

/// A story in a list, with what is shown of its text.
pub(super) fn story(site: &Site<'_>, view: &View, lead: Option<Markup>) -> Markup {
    let item = &view.item;
    let source = &item.source;
    let language = text::language(item.language.as_deref());
    let home = source.info.home_url.as_deref().or(Some(source.feed_url.as_str()));
    html! {
        article {
            h3 lang=[language] dir="auto" { (away(item.link.as_deref(), &view.title())) }
            @if let Some(lead) = lead {
                p.lead lang=[language] dir="auto" { (lead) }
            }
            p.meta {
                span.source { (away(home, view.source_title())) }
                span { (words::moment(view.published(), &words::clock(view.published()))) }
                (further(view))
                (files(view))
                span.way { a href=(item_path(site, item.id.0)) aria-label={ "Sources and trace of " (text::excerpt(&view.title(), TERMS_CHARACTERS)) } { "trace" } }
            }
        }
    }
}

/// The beginning of the text, where it says more than the title.
pub(super) fn lead(view: &View) -> Option<String> {
    let text = text::present(view.summary_text.as_deref()).or_else(|| view.text())?;
    let lead = text::excerpt(text, LEAD_CHARACTERS);
    let title = view.title();
    (lead.trim_end_matches('…') != title.trim_end_matches('…')).then_some(lead)
}

fn further(view: &View) -> Markup {
    let further = view.further();
    let link = view.link();
    // The same address once more would lead nowhere else.
    let elsewhere = |sighting: &Sighting| sighting_link(sighting).filter(|to| Some(to) != link.as_ref());
    let more = further.len().saturating_sub(FURTHER);
    html! {
        @if !further.is_empty() {
            span.also {
                "also in "
                @for (index, sighting) in further.iter().take(FURTHER).enumerate() {
                    @if index > 0 { ", " }
                    (away(elsewhere(sighting).as_deref(), sighting_title(sighting)))
                }
                @if more > 0 { " and " (words::counted(words::number(more), "other", "others")) }
            }
        }
    }
}

fn files(view: &View) -> Markup {
    let files = &view.item.enclosures;
    let more = files.len().saturating_sub(FILES);
    html! {
        @for file in files.iter().take(FILES) {
            @let kind = file.mime_type.as_deref().and_then(text::media_type).unwrap_or("file");
            span.file {
                (away(Some(&file.url), kind.split('/').next().unwrap_or(kind)))
                @if let Some(bytes) = file.length_bytes { " " (words::size(bytes)) }
            }
        }
        @if more > 0 {
            span.file { (words::counted(words::number(more), "more file", "more files")) }
        }
    }
}

fn streams(site: &Site<'_>, current: &str) -> Markup {
    html! {
        h2 { "Streams" }
        p.hint { "Each one is a feed, in three formats." }
        ul.streams {
            @for stream in site.streams { (stream_entry(site, stream, current)) }
        }
    }
}

fn stream_entry(site: &Site<'_>, stream: &StreamShape, current: &str) -> Markup {
    let path = site.path(if stream.name == ALL { "" } else { &stream.name });
    let title = text::present(Some(&stream.title)).unwrap_or(&stream.name);
    html! {
        li {
            a.name href=(path) aria-current=[(stream.name == current).then_some("page")] { bdi { (title) } }
            @if let Some(query) = text::present(Some(&stream.query)) {
                code.terms { (text::excerpt(query, TERMS_CHARACTERS)) }
            }
            span.formats {
                @for (format, url) in [("Atom", &stream.atom_url), ("RSS", &stream.rss_url), ("JSON", &stream.json_url)] {
                    a href=(url) aria-label={ (title) " as " (format) } { (format) }
                }
            }
        }
    }
}

fn date(view: &View) -> String {
    view.published().to_chrono().format("%Y-%m-%d").to_string()
}
