//! One story: its text, the feeds that carried it, how it is known, what happened to it, and who was called about it.

use std::borrow::Cow;

use maud::{Markup, html};

use super::super::{View, person_name, sighting_link, sighting_title, text};
use super::{Place, Site, away, item_path, shell, words};
use crate::domain::item::Sighting;
use crate::domain::shape::{DeliveryShape, MatchShape};
use crate::domain::time::Timestamp;
use crate::domain::trace::{EventShape, KeyShape, TraceShape};

/// How much of a story's text is shown, in characters: the whole of it is where it was published.
const TEXT_CHARACTERS: usize = 4_000;
/// How much of a sentence, a guid or a URL is shown, in characters.
const LINE_CHARACTERS: usize = 1_000;
/// Authors that are named.
const AUTHORS: usize = 6;

/// `/item/{id}`: a story with its sources and its trace. It holds no error of a call: that may name a receiver's host.
#[must_use]
pub fn item(site: &Site<'_>, view: &View, trace: &TraceShape) -> String {
    let title = view.title();
    let main = html! {
        main.story #main {
            (beginning(view, &title))
            (body(view))
            section #sources {
                h2 { "Sources" }
                ul.sources { @for sighting in &view.item.sightings { (source(sighting)) } }
            }
            section #key {
                h2 { "Key" }
                (known_by(trace))
            }
            section #trace {
                h2 { "Trace" }
                ol.trace { @for event in &trace.events { (happened(site, event)) } }
            }
            section #streams {
                h2 { "Streams" }
                ul.sources {
                    li { a href=(site.path("")) { "all" } ", which every story is in" }
                    @for found in &trace.streams { (stream(site, found)) }
                }
            }
            section #calls {
                h2 { "Webhook calls" }
                @if trace.deliveries.is_empty() { p.empty { "Nobody was called about it." } }
                @else { (calls(&trace.deliveries)) }
            }
        }
    };
    shell(site, &text::excerpt(&title, 200), Place::Elsewhere, &html! {}, &main)
}

fn beginning(view: &View, title: &str) -> Markup {
    let item = &view.item;
    let language = text::language(item.language.as_deref());
    let home = item.source.info.home_url.as_deref().or(Some(item.source.feed_url.as_str()));
    let authors: Vec<&str> = item.authors.iter().filter_map(person_name).take(AUTHORS).collect();
    html! {
        div.intro {
            h1 lang=[language] dir="auto" { (away(item.link.as_deref(), title)) }
            p.meta {
                span.source { (away(home, view.source_title())) }
                span { (words::moment(view.published(), &minute(view.published()))) }
                @if !authors.is_empty() { span { "by " bdi { (text::excerpt(&authors.join(", "), 200)) } } }
                @if item.revision > 1 { span { "revision " (item.revision) ", " (words::moment(item.updated, &minute(item.updated))) } }
            }
        }
    }
}

/// The text by paragraphs, as long as there is room.
fn body(view: &View) -> Markup {
    let language = text::language(view.item.language.as_deref());
    let (mut room, mut paragraphs) = (TEXT_CHARACTERS, Vec::new());
    for line in view.text().unwrap_or_default().lines().filter(|line| text::present(Some(line)).is_some()) {
        // Less than that is no paragraph but the mark of what was left out.
        if room < 2 {
            break;
        }
        let paragraph = text::excerpt(line, room);
        room = room.saturating_sub(paragraph.chars().count());
        paragraphs.push(paragraph);
    }
    html! {
        @if !paragraphs.is_empty() {
            div.text lang=[language] dir="auto" { @for paragraph in &paragraphs { p { (paragraph) } } }
        }
    }
}

fn source(sighting: &Sighting) -> Markup {
    html! {
        li {
            (away(sighting_link(sighting).as_deref(), sighting_title(sighting)))
            small {
                "since " (words::moment(sighting.first_seen, &minute(sighting.first_seen)))
                @if let Some(guid) = text::present(sighting.guid.as_deref()) {
                    ", as " (code(&without_user(guid)))
                }
            }
        }
    }
}

/// A guid that is a URL, without a user name and password (design 6.22).
fn without_user(guid: &str) -> Cow<'_, str> {
    let url = if guid.contains('@') { text::web_link(guid) } else { None };
    url.map_or(Cow::Borrowed(guid), Cow::Owned)
}

fn known_by(trace: &TraceShape) -> Markup {
    html! {
        @if let Some(note) = &trace.note { p { (sentence(note)) } }
        @else { p { "One story has one key, in whatever feeds it stands: " (code(&trace.key)) } }
        @for address in &trace.keys { (address_steps(address, &trace.key)) }
    }
}

/// What the rules made of an address; nothing where it is the key itself.
fn address_steps(address: &KeyShape, key: &str) -> Markup {
    if address.steps.is_empty() && address.note.is_none() && address.key.as_deref() == Some(key) {
        return html! {};
    }
    html! {
        div.steps {
            p { bdi { (address.feeds.join(", ")) } " gave " (code(&address.url)) }
            @if !address.steps.is_empty() {
                ol {
                    @for step in &address.steps { li { span.rule { (step.rule) } " " (code(&step.url)) } }
                }
            }
            @if let Some(note) = &address.note { p { (sentence(note)) } }
        }
    }
}

fn happened(site: &Site<'_>, event: &EventShape) -> Markup {
    html! {
        li {
            @match event.at {
                Some(at) => { (words::moment(at, &second(at))) },
                None => { span.undated { "undated" } },
            }
            span {
                (sentence(&event.text))
                // An absorbed item leads back here; one that was parted stands by itself again.
                @if let Some(other) = event.item.filter(|_| event.kind == "unmerged") {
                    " " a href=(item_path(site, other)) { "Item " (other) }
                }
            }
        }
    }
}

fn stream(site: &Site<'_>, found: &MatchShape) -> Markup {
    html! {
        li {
            // One that is configured no more has no page, but stories stay in it.
            @if site.streams.iter().any(|stream| stream.name == found.stream) {
                a href=(site.path(&found.stream)) { (found.stream) }
            } @else { (found.stream) }
            @if let (Some(field), Some(term), Some(met)) = (&found.field, &found.term, &found.text) {
                ", for " (code(term)) " met “" bdi { (text::excerpt(met, LINE_CHARACTERS)) } "” in its " (field)
            }
            @if let Some(snippet) = text::present(found.snippet.as_deref()) {
                small { "“" bdi { (text::excerpt(snippet, LINE_CHARACTERS)) } "”" }
            }
        }
    }
}

fn calls(deliveries: &[DeliveryShape]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Webhook" } th scope="col" { "Call" } th scope="col" { "State" }
                th.number scope="col" { "Attempts" } th scope="col" { "Next attempt" }
            } }
            tbody {
                @for delivery in deliveries {
                    tr {
                        th scope="row" { (delivery.webhook) small.address { (delivery.id) } }
                        td data-label="Call" { span { (delivery.kind) } }
                        td data-label="State" { span.state.(delivery.state.as_str()) { (delivery.state.as_str()) } }
                        td.number data-label="Attempts" { (words::count(delivery.attempts.into())) }
                        td data-label="Next attempt" {
                            @match delivery.next_attempt {
                                Some(at) => { (words::moment(at, &second(at))) },
                                None => { "none" },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A sentence of ours, with names between backquotes as code.
fn sentence(text: &str) -> Markup {
    let text = text::excerpt(text, LINE_CHARACTERS);
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 0 { (part) } @else { code { bdi { (part) } } }
        }
    }
}

fn code(text: &str) -> Markup {
    html! { code { bdi { (text::excerpt(text, LINE_CHARACTERS)) } } }
}

/// `24 Nov 2026 08:30`.
fn minute(at: Timestamp) -> String {
    format!("{} {}", words::date(at), words::clock(at))
}

/// `24 Nov 2026 08:30:05`.
fn second(at: Timestamp) -> String {
    at.to_chrono().format("%-d %b %Y %H:%M:%S").to_string()
}
