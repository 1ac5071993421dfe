//! What a feed's guids and links are worth, from the evidence of its loads. Trust is only ever taken away here.

use std::collections::{HashMap, HashSet};

use crate::domain::decision::Fingerprint;
use crate::domain::feed::{Habits, IdPolicy};
use crate::domain::time::Timestamp;

/// The hubs that are remembered of one feed: the oldest go.
const MAX_HUBS: usize = 256;
/// Entries with one link that are compared with each other.
const MAX_TOLD: usize = 32;
/// Loads with new guids for known stories, until the guids are not believed any more. One is a site that moved.
const FLOODS: u32 = 2;
/// So many small loads of that sort weigh as much as one.
const FLOOD: u32 = 4;

/// What one load says, entry by entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    /// Guids as they are compared.
    pub(super) guids: &'a [Option<String>],
    /// Canonical keys of the links.
    pub(super) keys: &'a [Option<String>],
    /// Of title and text.
    pub(super) prints: &'a [Fingerprint],
    /// The key of the feed's home page.
    pub(super) home: Option<&'a str>,
}

/// The habits after a load.
pub(super) fn learn(before: &Habits, load: &Evidence<'_>, now: Timestamp) -> Habits {
    let mut habits = before.clone();
    for hub in hubs(load) {
        if !habits.hubs.contains(&hub) {
            habits.hubs.push(hub);
        }
    }
    let too_many = habits.hubs.len().saturating_sub(MAX_HUBS);
    habits.hubs.drain(..too_many);
    distrust_guids(&mut habits, load, now);
    distrust_links(&mut habits, load, now);
    habits
}

/// Counts loads in a row in which most guids were new and most stories known.
#[must_use]
pub(super) fn after_load(before: &Habits, seen: Refound, now: Timestamp) -> Habits {
    let mut habits = before.clone();
    habits.floods = match seen {
        Refound::Few => 0,
        Refound::AllOfFew => habits.floods.saturating_add(1),
        Refound::Flood => habits.floods.saturating_add(FLOOD),
    };
    if habits.floods >= FLOODS * FLOOD && habits.id == IdPolicy::Guid {
        let reason = "in several loads in a row most guids were new and most stories known".to_owned();
        degrade(&mut habits, IdPolicy::Link, reason, now);
    }
    habits
}

/// How many of a load's stories were known under guids that were not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refound {
    /// Not most of them.
    Few,
    /// All of a load that is too small to tell by itself.
    AllOfFew,
    /// Most of a crowd.
    Flood,
}

fn degrade(habits: &mut Habits, id: IdPolicy, reason: String, now: Timestamp) {
    habits.id = id;
    habits.reason = reason;
    habits.since = Some(now);
}

/// More than one in twenty, and at least two.
fn is_many(part: usize, of: usize) -> bool {
    part >= 2 && part * 20 > of
}

fn distrust_guids(habits: &mut Habits, load: &Evidence<'_>, now: Timestamp) {
    let repeated = repeated_guids(load);
    let concerned = load.guids.iter().flatten().filter(|guid| repeated.contains(guid.as_str())).count();
    if habits.id == IdPolicy::Guid && is_many(concerned, load.guids.len()) {
        let reason = format!("{concerned} of {} entries share their guid with another story", load.guids.len());
        degrade(habits, IdPolicy::Link, reason, now);
    }
}

/// Where guids say nothing and most links stand for no story either, content is all there is.
fn distrust_links(habits: &mut Habits, load: &Evidence<'_>, now: Timestamp) {
    let all = load.keys.len();
    let usable = load.keys.iter().flatten().filter(|key| !is_hub(habits, load.home, key)).count();
    if habits.id == IdPolicy::Link && all >= 2 && usable * 2 < all {
        let reason = format!("{}, and {} of them have no link of their own", habits.reason, all - usable);
        degrade(habits, IdPolicy::Content, reason, now);
    }
}

/// True if no story is known by this key in this feed.
pub(super) fn is_hub(habits: &Habits, home: Option<&str>, key: &str) -> bool {
    home == Some(key) || is_front_page(key) || habits.hubs.iter().any(|hub| hub == key)
}

/// A site's own page is nobody's story.
#[must_use]
pub fn is_front_page(key: &str) -> bool {
    // A key has a path: the first slash after the host is its beginning.
    let after = key.split_once("://").map_or("", |(_, after)| after);
    after.find('/').is_some_and(|slash| slash + 1 == after.len())
}

/// Keys that different stories of one load share: a link blog, a comment feed, a podcast that links to its page.
/// Many entries that differ in guid or title; or two that differ in title and text, for whoever lists two such entries
/// at once means two.
fn hubs(load: &Evidence<'_>) -> Vec<String> {
    let most = (load.keys.len() / 10).max(2);
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, key) in load.keys.iter().enumerate() {
        if let Some(key) = key {
            places.entry(key).or_default().push(index);
        }
    }
    let mut hubs: Vec<String> = places
        .into_iter()
        .filter(|(_, places)| places.len() > 1 && are_stories(load, places, most))
        .map(|(key, _)| key.to_owned())
        .collect();
    hubs.sort_unstable();
    hubs
}

fn are_stories(load: &Evidence<'_>, places: &[usize], most: usize) -> bool {
    let guid = |index: &usize| load.guids.get(*index).and_then(Option::as_deref);
    let print = |index: &usize| load.prints.get(*index).copied().unwrap_or_default();
    let stories: HashSet<_> = places.iter().map(|index| (guid(index), print(index).title)).collect();
    if stories.len() > most {
        return true;
    }
    let mut told: Vec<_> = places.iter().map(|index| (guid(index), print(index))).collect();
    told.dedup();
    told.truncate(MAX_TOLD);
    told.iter().enumerate().any(|(n, one)| told.iter().skip(n + 1).any(|other| are_two(*one, *other)))
}

/// Whether two entries with one link are two stories: nothing of them is the same. Where there is no title or no text,
/// two guids may be one story that was posted again with another headline; but without guids of their own, one of the
/// two would be lost.
fn are_two(one: (Option<&str>, Fingerprint), other: (Option<&str>, Fingerprint)) -> bool {
    let titles = one.1.title != 0 && other.1.title != 0;
    let texts = one.1.text != 0 && other.1.text != 0;
    let tells = if one.0 == other.0 { titles || texts } else { titles && texts };
    tells && one.1.is_other(other.1)
}

/// Guids that stand for several stories in one load: they are not unique here. An entry that is there twice shares
/// its guid with itself.
pub(super) fn repeated_guids<'a>(load: &Evidence<'a>) -> HashSet<&'a str> {
    let mut first: HashMap<&str, (Option<&str>, Fingerprint)> = HashMap::new();
    let mut repeated = HashSet::new();
    for ((guid, key), print) in load.guids.iter().zip(load.keys).zip(load.prints) {
        let Some(guid) = guid.as_deref() else { continue };
        let story = (key.as_deref(), *print);
        let before = *first.entry(guid).or_insert(story);
        // What has neither title nor text is like itself.
        if before.0 != story.0 || (before.1 != story.1 && before.1.is_other(story.1)) {
            repeated.insert(guid);
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_ms(1_000)
    }

    /// Guid, key, title, text; an empty text or a 0 is missing.
    type Line = (&'static str, &'static str, u32, u32);

    fn after(before: &Habits, lines: &[Line]) -> Habits {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let guids: Vec<_> = lines.iter().map(|line| some(line.0)).collect();
        let keys: Vec<_> = lines.iter().map(|line| some(line.1)).collect();
        let prints: Vec<_> = lines.iter().map(|line| Fingerprint { title: line.2, text: line.3 }).collect();
        learn(before, &Evidence { guids: &guids, keys: &keys, prints: &prints, home: None }, now())
    }

    #[test]
    fn links_that_several_stories_share_are_hubs() {
        for (case, lines, hub) in [
            (
                "three guids",
                vec![("1", "https://n/a", 1, 0), ("2", "https://n/a", 1, 0), ("3", "https://n/a", 1, 0)],
                true,
            ),
            ("two that differ in everything", vec![("1", "https://n/a", 1, 1), ("2", "https://n/a", 2, 2)], true),
            ("two without guids", vec![("", "https://n/a", 1, 1), ("", "https://n/a", 2, 2)], true),
            ("one story reposted", vec![("1", "https://n/a", 1, 1), ("2", "https://n/a", 1, 2)], false),
            ("too little to tell", vec![("1", "https://n/a", 1, 0), ("2", "https://n/a", 2, 0)], false),
            ("two headlines without guids", vec![("", "https://n/a", 1, 0), ("", "https://n/a", 2, 0)], true),
            ("two texts without titles and guids", vec![("", "https://n/a", 0, 1), ("", "https://n/a", 0, 2)], true),
            (
                "an edit that stands twice, without guids",
                vec![("", "https://n/a", 1, 1), ("", "https://n/a", 1, 2)],
                false,
            ),
            ("links of their own", vec![("1", "https://n/a", 1, 1), ("2", "https://n/b", 2, 2)], false),
        ] {
            assert_eq!(after(&Habits::default(), &lines).hubs.len(), usize::from(hub), "{case}");
        }
    }

    #[test]
    fn a_hub_is_remembered_and_the_oldest_are_forgotten() {
        let lines = [("1", "https://n/a", 1, 1), ("2", "https://n/a", 2, 2)];
        let habits = after(&Habits::default(), &lines);
        assert_eq!(after(&habits, &[("3", "https://n/a", 3, 3)]).hubs, ["https://n/a"]);
        let full = Habits { hubs: (0..MAX_HUBS).map(|n| n.to_string()).collect(), ..Habits::default() };
        let hubs = after(&full, &lines).hubs;
        assert_eq!((hubs.len(), hubs.first().map(String::as_str)), (MAX_HUBS, Some("1")));
    }

    #[test]
    fn guids_that_stand_for_several_stories_are_not_believed_and_why_is_said() {
        let habits = after(&Habits::default(), &[("g", "https://n/a", 1, 1), ("g", "https://n/b", 2, 2)]);
        assert_eq!((habits.id, habits.since), (IdPolicy::Link, Some(now())));
        assert_eq!(habits.reason, "2 of 2 entries share their guid with another story");
        let twice = after(&Habits::default(), &[("g", "https://n/a", 1, 1), ("g", "https://n/a", 1, 1)]);
        assert_eq!(twice, Habits::default(), "the same entry twice");
        let bare = after(&Habits::default(), &[("g", "https://n/a", 0, 0), ("h", "https://n/b", 0, 0)]);
        assert_eq!(bare, Habits::default(), "entries of a guid and a link alone");
    }

    #[test]
    fn a_few_slips_in_a_long_load_cost_no_trust() {
        let mut lines: Vec<Line> = (0..60).map(|n| (if n < 2 { "g" } else { "" }, "", n, n)).collect();
        assert_eq!(after(&Habits::default(), &lines).id, IdPolicy::Guid);
        lines.truncate(30);
        assert_eq!(after(&Habits::default(), &lines).id, IdPolicy::Content, "two of thirty, and no links");
    }

    #[test]
    fn trust_does_not_come_back_by_a_good_load() {
        let habits = after(&Habits::default(), &[("g", "https://n/a", 1, 1), ("g", "https://n/b", 2, 2)]);
        assert_eq!(after(&habits, &[("1", "https://n/a", 1, 1), ("2", "https://n/b", 2, 2)]), habits);
    }

    #[test]
    fn guids_that_change_from_load_to_load_are_not_believed() {
        use Refound::{AllOfFew, Few, Flood};
        for (case, loads, id) in [
            ("a site moves once", vec![Flood], IdPolicy::Guid),
            ("and again", vec![Flood, Flood], IdPolicy::Link),
            ("not in a row", vec![Flood, Few, Flood], IdPolicy::Guid),
            ("a small feed that moves", vec![AllOfFew, AllOfFew], IdPolicy::Guid),
            ("a small feed, load after load", vec![AllOfFew; 8], IdPolicy::Link),
        ] {
            let after = loads.iter().fold(Habits::default(), |before, seen| after_load(&before, *seen, now()));
            assert_eq!(after.id, id, "{case}");
        }
    }

    #[test]
    fn a_front_page_is_a_path_of_nothing() {
        for (key, front) in
            [("https://n.example/", true), ("https://n.example/a", false), ("https://n.example/?p=1", false)]
        {
            assert_eq!(is_front_page(key), front, "{key}");
        }
    }
}
