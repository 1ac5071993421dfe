//! `[[stream]]`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::section::Section;
use super::settings::{StreamSettings, StreamShow};
use crate::domain::name::{ALL, Name, RESERVED_STREAMS};
use crate::query::syntax::Query;

/// Newest items in a published feed.
const LIMIT: u32 = 100;
const MAX_LIMIT: u64 = 1000;

/// A stream that was read, with the places of the webhooks that it names.
pub(super) struct Draft<'a> {
    pub(super) settings: StreamSettings,
    pub(super) notify: Vec<(Name, Range<usize>)>,
    pub(super) section: Section<'a>,
}

/// Reads a `[[stream]]`.
pub(super) fn read<'a>(section: Section<'a>, title: &str, warnings: &mut Vec<String>) -> Option<Draft<'a>> {
    let Some(value) = section.value("name") else {
        section.mistake(section.at(), "This stream has no `name`.", Some("name = \"peace-talks\"".to_owned()));
        return None;
    };
    // Everything is looked at, also when the name is wrong: all mistakes at once.
    let query = query(&section, value.text() == Some(ALL), warnings);
    let limit = section.count("limit", 1..=MAX_LIMIT).and_then(|n| u32::try_from(n).ok()).unwrap_or(LIMIT);
    let notify = section.names("notify").unwrap_or_default();
    let show = show(&section);
    let own_title = section.text("title").map(str::to_owned);
    let name = value.name()?;
    if RESERVED_STREAMS.contains(&name.as_str()) {
        return value.refuse(format!("`{name}` is an address of Feedmill's own and cannot name a stream."), None);
    }
    let all = name.as_str() == ALL;
    if all && let Some(value) = section.value("token") {
        let hint = "give it to a stream of its own, with match = '*'";
        return value.refuse(
            "The stream `all` is public, as search and the API are; it cannot have a `token`.",
            Some(hint.to_owned()),
        );
    }
    let title = own_title.unwrap_or_else(|| if all { title.to_owned() } else { name.to_string() });
    let names = notify.iter().map(|(name, _)| name.clone()).collect();
    Some(Draft {
        settings: StreamSettings {
            name,
            title,
            query: query.unwrap_or_else(Query::everything),
            notify: names,
            limit,
            show,
        },
        notify,
        section,
    })
}

fn show(section: &Section<'_>) -> StreamShow {
    let item_title = section.value("item_title").and_then(|value| {
        let text = value.text()?;
        let rest = text.replace("{feed}", "").replace("{title}", "");
        if text.contains("{title}") && !rest.contains(['{', '}']) {
            return Some(text.to_owned());
        }
        let hint = "item_title = \"{feed}: {title}\"".to_owned();
        value.refuse("`item_title` has a `{title}`, may have a `{feed}`, and no other brackets.", Some(hint))
    });
    StreamShow {
        item_title,
        max_per_feed: section.count("max_per_feed", 1..=MAX_LIMIT).and_then(|n| u32::try_from(n).ok()),
        own_ids: section.choice("ids", &[("preserve", false), ("own", true)]).unwrap_or(false),
        token: section.value("token").and_then(|value| super::secret::token(&value)),
    }
}

fn query(section: &Section<'_>, all: bool, warnings: &mut Vec<String>) -> Option<Query> {
    let Some(value) = section.value("match") else {
        if !all {
            section.mistake(
                section.at(),
                "This stream has no `match`.",
                Some("match = 'some words'; the stream `all` holds everything".to_owned()),
            );
        }
        return all.then(Query::everything);
    };
    if all {
        return value.refuse(
            "The stream `all` holds everything; it cannot have a `match`.",
            Some("give the stream another name".to_owned()),
        );
    }
    let text = value.text()?;
    match Query::parse(text).and_then(|query| query.stream_age().map(|_| query)) {
        Ok(query) => {
            let (line, _) = section.source.line_column(value.at.start);
            let place = format!("{}:{line}", section.source.path.display());
            warnings.extend(query.warnings().into_iter().map(|warning| format!("{place}: {warning}")));
            Some(query)
        }
        Err(e) => value.refuse_inner(&e.at, format!("`match` cannot be read: {}", e.message), e.hint),
    }
}

/// Says so if a webhook that is named is none.
pub(super) fn check_webhook(section: &Section<'_>, name: &Name, at: &Range<usize>, webhooks: &HashMap<Name, ()>) {
    if !webhooks.contains_key(name) {
        let near = super::keys::nearest(name.as_str(), webhooks.keys().map(Name::as_str));
        let hint = near.map(|near| format!("did you mean \"{near}\"?"));
        section.mistake(at.clone(), format!("There is no webhook named `{name}`."), hint);
    }
}

/// `all` first, whether it was written or not, then the others in order; says which names stand twice.
pub(super) fn finish(drafts: Vec<Draft<'_>>, title: &str, webhooks: &HashMap<Name, ()>) -> Vec<StreamSettings> {
    let mut streams: Vec<StreamSettings> = Vec::with_capacity(drafts.len() + 1);
    let mut taken = HashSet::with_capacity(drafts.len());
    for draft in drafts {
        for (name, at) in &draft.notify {
            check_webhook(&draft.section, name, at, webhooks);
        }
        if !taken.insert(draft.settings.name.clone()) {
            let at = draft.section.value("name").map_or_else(|| draft.section.at(), |value| value.at);
            draft.section.mistake(at, format!("There is another stream named `{}`.", draft.settings.name), None);
        }
        streams.push(draft.settings);
    }
    let is_all = |stream: &StreamSettings| stream.name.as_str() == ALL;
    if let Some(at) = streams.iter().position(is_all) {
        let all = streams.remove(at);
        streams.insert(0, all);
    } else if let Some(name) = Name::parse(ALL) {
        let all = StreamSettings {
            name,
            title: title.to_owned(),
            query: Query::everything(),
            notify: Vec::new(),
            limit: LIMIT,
            show: StreamShow::default(),
        };
        streams.insert(0, all);
    }
    streams
}
