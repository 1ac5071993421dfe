//! The trace of a story, told: what the store has written down, the keys that rules make of its addresses, and for
//! what is not stored the reasons. Without HTTP, so that the command line can print what the API answers.
//!
//! The sentences are made here, once for the API, the pages and the command line.

use super::lists::{self, delivery_shape, without_credentials};
use super::published::{Keys, Published};
use super::render::View;
use super::{items, views};
use crate::domain::item::{Item, ItemId, Sighting};
use crate::domain::shape::MatchShape;
use crate::domain::time::Timestamp;
use crate::domain::trace::{
    Alias, AskedShape, Call, EventShape, Habit, Ignored, KeyShape, Keyed, Merge, Note, RuleShape, Story, StoryShape,
    TraceBy, TraceShape, Traced, UnkeptShape,
};
use crate::store::{Store, StoreError};

mod unkept;

/// A story ready to be shown, with its trace.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// The item: the one that was kept, where an absorbed one was asked for.
    pub item: ItemId,
    /// The item fit to be published.
    pub view: View,
    /// Its trace.
    pub trace: TraceShape,
}

impl Told {
    /// As the API gives it.
    #[must_use]
    pub fn shape(self) -> StoryShape {
        StoryShape { item: items::shape(self.view), trace: self.trace }
    }
}

/// What there is to say about something that somebody has in hand.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It is a story.
    Story(Box<Told>),
    /// It is not kept.
    Unkept(Box<UnkeptShape>),
}

/// The story with this number.
///
/// # Errors
/// The store failed.
pub async fn of_item(store: &dyn Store, published: &Published, item: ItemId) -> Result<Option<Told>, StoreError> {
    let traced = store.trace(TraceBy::Item(item)).await?;
    match traced.story {
        Some(story) => tell(store, published, *story, &traced.ignored, None).await.map(Some),
        None => Ok(None),
    }
}

/// The story behind a URL, a published id or a number, or why there is none.
///
/// # Errors
/// The store failed.
pub async fn explain(
    store: &dyn Store,
    published: &Published,
    given: &str,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let given = given.trim();
    let keys = published.keys.all(given);
    let by = match given.parse() {
        Ok(number) if given.bytes().all(|b| b.is_ascii_digit()) => TraceBy::Item(ItemId(number)),
        _ => TraceBy::Given { text: given.to_owned(), keys: keys.iter().map(|keyed| keyed.key.clone()).collect() },
    };
    let Traced { story, alias, past, hubs, ignored } = store.trace(by).await?;
    let Some(story) = story else {
        let feeds = lists::all_feeds(store, published, now).await?;
        let unkept = unkept::Unkept { given, keys: &keys, published, alias, past, hubs, ignored, feeds };
        return Ok(Answer::Unkept(Box::new(unkept.tell())));
    };
    let asked = asked(given, &keys, &story, alias.as_ref());
    Ok(Answer::Story(Box::new(tell(store, published, *story, &ignored, Some(asked)).await?)))
}

async fn tell(
    store: &dyn Store,
    published: &Published,
    story: Story,
    ignored: &[Ignored],
    asked: Option<AskedShape>,
) -> Result<Told, StoreError> {
    let mut trace = TraceShape { asked, ..trace(&story, &published.keys) };
    trace.events.extend(ignored.iter().map(ignored_event));
    trace.events.sort_by_key(|event| event.at.unwrap_or(Timestamp::MAX));
    trace.streams.retain(|found| published.is_public(&found.stream));
    let item = story.item.id;
    let view = views::prepare(store, vec![story.item]).await?.into_iter().next();
    let mut view = view.ok_or_else(|| StoreError::Failed("the item was lost while it was made ready".to_owned()))?;
    published.keep_public(&mut view.item.streams);
    Ok(Told { item, view, trace })
}

fn trace(story: &Story, keys: &Keys) -> TraceShape {
    TraceShape {
        asked: None,
        key: without_credentials(&story.item.key),
        note: story.scope.as_ref().map(|scope| scope_note(scope, &story.item.key)),
        keys: addresses(story, keys),
        events: events(story),
        streams: story.streams.iter().map(|(stream, term)| MatchShape::new(stream, term.as_ref())).collect(),
        deliveries: story.calls.iter().map(|call| delivery_shape(call.status.clone())).collect(),
    }
}

/// How what was asked led to the story.
fn asked(given: &str, keys: &[Keyed], story: &Story, alias: Option<&Alias>) -> AskedShape {
    let item = &story.item;
    let found = match (story.absorbed, alias) {
        (Some(absorbed), _) => format!("Item {} was merged into this one.", absorbed.0),
        (None, Some(alias)) => format!("{} The story is known by {}.", learnt(alias), without_credentials(&alias.to)),
        (None, None) if keys.iter().any(|keyed| keyed.key == item.key) => {
            "The story is known by the key of this URL.".to_owned()
        }
        (None, None) if item.published_id == given => "This is the id that it is published under.".to_owned(),
        (None, None) => "This is its number.".to_owned(),
    };
    // The key that led on, else the general one.
    let led = |keyed: &&Keyed| keyed.key == item.key || alias.is_some_and(|alias| alias.from == keyed.key);
    let keyed = keys.iter().find(led).or(keys.first()).cloned();
    let (key, steps) = keyed.map(|keyed| (keyed.key, keyed.steps)).unzip();
    let mut steps = steps.unwrap_or_default();
    hide(&mut steps);
    let key = key.as_deref().map(without_credentials);
    AskedShape { url: given.to_owned(), key, steps, found: Some(found) }
}

/// Why a key holds within one feed only.
fn scope_note(scope: &Habit, key: &str) -> String {
    let by = if key.starts_with("guid:") { "its guid" } else { "its title and text" };
    let why = scope.reason.as_deref().unwrap_or("the link given there is missing, or stands for many stories");
    format!("It is known within the feed `{}` alone, by {by}: {}.", scope.feed, why.trim_end_matches('.'))
}

/// Each address that feeds gave, with its steps to a key.
fn addresses(story: &Story, keys: &Keys) -> Vec<KeyShape> {
    let mut out: Vec<KeyShape> = Vec::new();
    for Sighting { feed, url, .. } in &story.item.sightings {
        let Some(url) = url else { continue };
        let keyed = keys.of(feed, url);
        let (key, steps) = keyed.map(|keyed| (keyed.key, keyed.steps)).unzip();
        match out.iter_mut().find(|known| known.url == *url && known.key == key) {
            Some(known) if known.feeds.contains(feed) => {}
            Some(known) => known.feeds.push(feed.clone()),
            None => {
                let note = key_note(story, key.as_deref());
                let steps = steps.unwrap_or_default();
                out.push(KeyShape { feeds: vec![feed.clone()], url: url.clone(), key, steps, note });
            }
        }
    }
    for address in &mut out {
        address.url = without_credentials(&address.url);
        address.key = address.key.as_deref().map(without_credentials);
        hide(&mut address.steps);
    }
    out
}

/// User names and passwords in URLs are never shown anywhere.
fn hide(steps: &mut [RuleShape]) {
    for step in steps {
        step.url = without_credentials(&step.url);
    }
}

fn key_note(story: &Story, key: Option<&str>) -> Option<String> {
    let Some(key) = key else { return Some("This is no http or https URL, so it has no key.".to_owned()) };
    if story.scope.is_some() || key == story.item.key {
        return None;
    }
    let alias = story.aliases.iter().any(|alias| alias.from == key);
    let sentence = if alias {
        "This key is another address of the story."
    } else {
        "The story keeps the key that it came with; of this address the present rules make another one."
    };
    Some(sentence.to_owned())
}

/// What happened, in the order of time; what has none comes last.
fn events(story: &Story) -> Vec<EventShape> {
    let mut events: Vec<EventShape> = sightings(&story.item);
    let whole = u32::try_from(story.edits.len()).is_ok_and(|edits| edits + 1 == story.item.revision);
    for (revision, at) in (2_u32..).zip(&story.edits) {
        let text = if whole {
            format!("It was edited: revision {revision}.")
        } else {
            "It was edited, or got another link.".to_owned()
        };
        events.push(event(Some(*at), "edited", text));
    }
    events.extend(story.aliases.iter().map(|alias| event(Some(alias.seen_at), "alias", learnt(alias))));
    events.extend(story.merges.iter().flat_map(|merge| merged(merge, story.item.id)));
    events.extend(story.notes.iter().map(noted));
    events.extend(story.calls.iter().flat_map(called));
    events.sort_by_key(|event| event.at.unwrap_or(Timestamp::MAX));
    if story.purged {
        let text = "Its text is gone, for it was older than `keep` allows. That it was here is remembered.";
        events.push(event(None, "purged", text.to_owned()));
    }
    events
}

/// Seen in a feed that does not keep it.
fn ignored_event(ignored: &Ignored) -> EventShape {
    let text = format!("Ignored in `{}`, by its query `{}`.", ignored.feed, ignored.query);
    EventShape { feed: Some(ignored.feed.clone()), ..event(Some(ignored.at), "ignored", text) }
}

fn event(at: Option<Timestamp>, kind: &str, text: String) -> EventShape {
    EventShape { at, kind: kind.to_owned(), text, feed: None, item: None, webhook: None, error: None }
}

fn sightings(item: &Item) -> Vec<EventShape> {
    let mut sightings: Vec<&Sighting> = item.sightings.iter().collect();
    sightings.sort_by_key(|sighting| sighting.first_seen);
    let mut events: Vec<EventShape> = Vec::new();
    for sighting in sightings {
        let feed = &sighting.feed;
        let again = events.iter().any(|event| event.feed.as_ref() == Some(feed));
        let (kind, verb) = match (events.is_empty(), again) {
            (true, _) => ("seen", "First seen"),
            (false, true) => ("sighted", "Seen once more"),
            (false, false) => ("sighted", "Seen"),
        };
        let guid = sighting
            .guid
            .as_deref()
            .map_or_else(|| " without a guid".to_owned(), |guid| format!(" as `{}`", without_credentials(guid)));
        let link = sighting
            .url
            .as_deref()
            .map_or_else(|| ", without a link".to_owned(), |url| format!(", at {}", without_credentials(url)));
        let text = format!("{verb} in `{feed}`{guid}{link}.");
        events.push(EventShape { feed: Some(feed.clone()), ..event(Some(sighting.first_seen), kind, text) });
    }
    events
}

/// How an alias was learnt.
fn learnt(alias: &Alias) -> String {
    let from = without_credentials(&alias.from);
    match alias.source.as_str() {
        "redirect" => format!("{from} leads to it by a permanent redirect."),
        "origlink" => format!("Its feed says that {from} stands for it (origLink)."),
        "canonical" => format!("The page at {from} names it as the canonical one."),
        "moved" => format!("Its address was {from} before."),
        "rules" => format!("By earlier rules its key was {from}."),
        "operator" => format!("The operator said that {from} is another address of it."),
        other => format!("{from} is another address of it ({other})."),
    }
}

fn merged(merge: &Merge, id: ItemId) -> impl Iterator<Item = EventShape> {
    let (kept, absorbed) = (merge.kept.0, merge.absorbed.0);
    let (text, other) = if merge.kept == id {
        (format!("Item {absorbed} turned out to be the same story and was merged into this one"), absorbed)
    } else if merge.absorbed == id {
        (format!("It was merged into item {kept}"), kept)
    } else {
        (format!("Item {absorbed} was merged into item {kept}, which is part of this one"), absorbed)
    };
    let reason = match without_stop(&merge.reason) {
        "redirect" => "the address of one leads to the other by a permanent redirect",
        "origlink" => "their feed names one address as that of the other (origLink)",
        "canonical" => "the page of one names the other as the canonical one",
        "moved" => "the link of one became that of the other",
        "rules" => "by the rules of the key they have one",
        "operator" => "the operator said so",
        other => other,
    };
    let text = if reason.is_empty() { format!("{text}.") } else { format!("{text}: {reason}.") };
    let begun = EventShape { item: Some(other), ..event(Some(merge.at), "merged", text) };
    let undone = merge.undone_at.map(|at| {
        let text = format!("The merge of item {absorbed} into item {kept} was undone.");
        EventShape { item: Some(other), ..event(Some(at), "unmerged", text) }
    });
    std::iter::once(begun).chain(undone)
}

fn noted(note: &Note) -> EventShape {
    let known = match note.kind.as_str() {
        "moved" => "Its feed gave it another link",
        "conflict" => "Its link became that of another story",
        "recycled" => "Its guid was used again for another story",
        "backfill" => "It came with a flood of old entries, so nobody was called",
        "rekeyed" => "Newer rules made another key of its link",
        "taken-over" => "A better source took it over",
        "regrouped" => "Guid and link changed at once; it was known again by title and text",
        other => other,
    };
    // The particulars are more than the word for them.
    let detail = without_stop(&note.detail);
    let mut text = capital(if detail.is_empty() { known } else { detail });
    if note.kind == "conflict" {
        text.push_str("; the two were kept apart");
    }
    text.push('.');
    event(Some(note.at), &note.kind, text)
}

fn without_stop(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest.clone()).collect()
}

/// The debt, and each attempt to settle it.
fn called(call: &Call) -> impl Iterator<Item = EventShape> {
    let status = &call.status;
    let webhook = &status.webhook;
    let owed = format!("`{webhook}` is to be called: {}, {}.", status.kind.as_str(), status.message_id);
    let about = |event: EventShape| EventShape { webhook: Some(webhook.clone()), ..event };
    let begun = about(event(Some(call.created_at), "owed", owed));
    let attempts = status.log.iter().map(|attempt| {
        let ms = attempt.duration_ms;
        let text = match attempt.http_status {
            Some(answer) => format!("`{webhook}` answered {answer} after {ms} ms."),
            None => format!("`{webhook}` gave no answer within {ms} ms."),
        };
        EventShape { error: attempt.error.clone(), ..about(event(Some(attempt.at), "called", text)) }
    });
    std::iter::once(begun).chain(attempts.collect::<Vec<_>>())
}
