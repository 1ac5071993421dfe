//! The judge of the judge: it knows the true stories.

use std::collections::{BTreeSet, HashMap, HashSet};

use feedmill::domain::decision::{Candidate, Scope};
use feedmill::domain::feed::IdPolicy;
use feedmill::domain::time::Timestamp;
use feedmill::identity::prepare::Texts;

use super::bench::{Bench, Loaded, tomorrow};
use super::order::Order;
use super::world::{Document, PLANET, World};

/// An appearance of a story in a feed, as the store knows it from then on.
#[derive(Clone)]
struct Seen {
    story: usize,
    key: String,
    global: bool,
    title: u32,
    text: u32,
    date: Option<Timestamp>,
    wordy: bool,
}

/// Two stories with a sign in common have one group; only stories of one group may be one item.
#[derive(Default)]
pub(super) struct Oracle {
    groups: Vec<usize>,
    /// Keys that reach across feeds, and who had them.
    keys: HashMap<String, BTreeSet<usize>>,
    /// By feed and story: what it said last, and under which key.
    last: HashMap<(usize, usize), Seen>,
    /// By feed and entry id: all that it stood for, the last one at the end.
    entries: HashMap<(usize, String), Vec<Seen>>,
    /// By feed and title (or text, where there is no title).
    titles: HashMap<(usize, u32), Vec<Seen>>,
    /// The stories that an item was given.
    stories: HashMap<i64, BTreeSet<usize>>,
    /// The items that a story was given, and the date of the first.
    items: HashMap<usize, BTreeSet<i64>>,
    dates: HashMap<i64, Option<Timestamp>>,
    order: Order,
    /// Feeds that had a flood, and those that had one in which no date had stayed.
    flooded: HashSet<usize>,
    undated: HashSet<usize>,
    /// Loads in a row with a flood.
    floods: HashMap<usize, u32>,
    shared_guids: HashSet<usize>,
    /// The keys by which a story was told, or that lead to its item.
    own_keys: HashMap<usize, HashSet<String>>,
    loaded: HashMap<usize, Timestamp>,
    /// Chances to know a story again that were asked for, and those that were not.
    pub(super) asked: usize,
    pub(super) split: usize,
    pub(super) merged: usize,
    /// Stories that the planet has carried, or may have.
    carried: HashSet<usize>,
}

fn last_of(last: &HashMap<(usize, usize), Seen>, other: usize) -> impl Iterator<Item = &Seen> {
    last.iter().filter(move |((_, story), _)| *story == other).map(|(_, was)| was)
}

pub(super) fn story_of(candidate: &Candidate) -> usize {
    let name = candidate.entry.authors[0].name.as_deref().unwrap();
    name.strip_prefix("story ").unwrap().parse().unwrap()
}

impl Oracle {
    fn group(&self, story: usize) -> usize {
        let mut at = story;
        while let Some(next) = self.groups.get(at).copied().filter(|next| *next != at) {
            at = next;
        }
        at
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.group(one), self.group(other));
        let len = self.groups.len().max(one.max(other) + 1);
        self.groups.extend(self.groups.len()..len);
        self.groups[one.max(other)] = one.min(other);
    }

    /// A story that shares no sign with another one.
    fn is_alone(&self, story: usize) -> bool {
        let group = self.group(story);
        group == story && !self.groups.iter().enumerate().any(|(n, _)| n != story && self.group(n) == group)
    }

    /// What two stories may be taken for one by, as the design has it.
    ///
    /// `there`: the stories of the load that are there as they were known before.
    fn note_signs(&mut self, feed: usize, candidate: &Candidate, [there, by_guid]: [&HashSet<usize>; 2]) {
        let print = candidate.fingerprint;
        let now = Seen {
            story: story_of(candidate),
            key: candidate.key.clone(),
            global: candidate.scope == Scope::Global,
            title: print.title,
            text: print.text,
            date: candidate.entry.published,
            wordy: candidate.wordy,
        };
        let kept = |was: u32, is: u32| was != 0 && was == is;
        let alike = |was: &Seen| was.key == now.key || kept(was.title, now.title) || kept(was.text, now.text);
        let mut same = BTreeSet::new();
        // Rule 2: a canonical URL that is no hub is one story, in all feeds and for ever.
        if now.global {
            // By the rules of tomorrow, for keys will be made anew.
            let key = tomorrow(&now.key);
            // But not an address that a story has left in all feeds, for one that says something else.
            // It is known to have left if its guid says so, and if it stands at a page of its own now.
            let holds = |other: usize| {
                !by_guid.contains(&other)
                    || last_of(&self.last, other).any(|was| !was.global || tomorrow(&was.key) == key || alike(was))
            };
            let known = self.keys.get(&key).into_iter().flatten().copied();
            same.extend(known.filter(|other| *other == now.story || holds(*other)));
            self.keys.entry(key).or_default().insert(now.story);
        }
        // A proxy's address is one too, for who has it as its link.
        for key in &candidate.aliases {
            self.keys.entry(tomorrow(key)).or_default().insert(now.story);
        }
        // Rule 1: one guid in one feed, and the title, the text or the link kept (or no link of its own at all).
        let known = self.entries.entry((feed, candidate.entry_id.clone())).or_default();
        same.extend(known.iter().filter(|was| alike(was)).map(|was| was.story));
        known.push(now.clone());
        // Rule 3: one title, and the date or a long text with it, as far as the decision looks at it.
        let (flooded, without_dates) = (self.flooded.contains(&feed), self.undated.contains(&feed));
        let known = self.titles.entry((feed, if now.title == 0 { now.text } else { now.title })).or_default();
        let twin = |was: &Seen| {
            let same_date = was.date.is_some() && was.date == now.date;
            let same_text = was.text != 0 && was.text == now.text;
            let undated = was.date.is_none() && now.date.is_none();
            (same_text && same_date)
                || (same_text && now.wordy && undated)
                || (flooded && same_date)
                || (without_dates && same_text && now.wordy)
        };
        // One that is there itself is not another one's former self.
        same.extend(known.iter().filter(|was| twin(was) && !there.contains(&was.story)).map(|was| was.story));
        known.push(now.clone());
        self.last.insert((feed, now.story), now.clone());
        for other in same {
            self.unite(now.story, other);
        }
    }

    /// Whether the design says that this is to be known as a story of before, which has just one item.
    fn must_know(
        &self,
        bench: &Bench,
        feed: usize,
        candidate: &Candidate,
        loaded: &Loaded,
        item: i64,
        lone: bool,
    ) -> Option<&'static str> {
        let print = candidate.fingerprint;
        let story = story_of(candidate);
        let kept = |was: u32, is: u32| was != 0 && was == is;
        let alike = |was: &Seen| kept(was.title, print.title) || kept(was.text, print.text);
        let global = candidate.scope == Scope::Global;
        if let Some(all) = self.entries.get(&(feed, candidate.entry_id.clone())) {
            let last = all.last()?;
            if all.iter().all(|was| was.story == story) && (alike(last) || last.key == candidate.key) {
                return Some("its guid is known, and title, text or link stayed");
            }
        }
        let mine = || {
            self.entries.iter().filter_map(|(at, all)| Some((at, all.last()?))).filter(|(_, was)| was.story == story)
        };
        let by_key = self.own_keys.get(&story).is_some_and(|keys| keys.contains(&candidate.key));
        // An address that a past story has left is nobody's.
        if global && by_key && bench.is_item(item) && mine().any(|(_, was)| alike(was)) {
            return Some("its key is known, and title or text stayed");
        }
        // From here on: guid and link are others. It must have left the feed, and be no member of a large series; and
        // something must be left of it: of a past story no date is known.
        let first = *self.dates.get(&item).filter(|_| bench.is_item(item))?;
        let title = if print.title == 0 { print.text } else { print.title };
        let rows = self
            .entries
            .iter()
            .filter(|(at, all)| at.0 == feed && all.iter().any(|was| was.title == print.title))
            .count();
        // Nor must another one stand at an address that was its own.
        let own = self.own_keys.get(&story);
        let taken = |other: &Candidate| story_of(other) != story && own.is_some_and(|keys| keys.contains(&other.key));
        if title == 0 || !lone || rows > 15 || loaded.candidates.iter().any(taken) {
            return None;
        }
        let same_date = first.is_some() && first == candidate.entry.published;
        let twins = || mine().filter(|(at, was)| at.0 == feed && was.title == print.title);
        let same_text = twins().any(|(_, was)| kept(was.text, print.text));
        let undated = first.is_none() && candidate.entry.published.is_none();
        if same_text && (same_date || (candidate.wordy && undated)) {
            return Some("title, text and date stayed");
        }
        let flood = loaded.survey.flood && twins().next().is_some() && print.title != 0;
        if flood && (same_date || (same_text && candidate.wordy && !loaded.survey.dates_kept)) {
            return Some("in a flood, title and date stayed, or title and a long text");
        }
        None
    }

    /// Judges a load.
    pub(super) fn load(
        &mut self,
        bench: &Bench,
        world: &World,
        feed: usize,
        document: &Document,
        loaded: &Loaded,
        top: i64,
    ) -> Result<(), String> {
        self.policy(feed, document, loaded)?;
        self.hubs(world, feed, document, loaded)?;
        let kept: BTreeSet<usize> = loaded.candidates.iter().map(story_of).collect();
        if loaded.survey.flood {
            self.flooded.insert(feed);
            if !loaded.survey.dates_kept {
                self.undated.insert(feed);
            }
        }
        // What must be known is asked by what was known before this load.
        let mut musts = Vec::new();
        for candidate in &loaded.candidates {
            let story = story_of(candidate);
            let lone = loaded.candidates.iter().filter(|other| story_of(other) == story).count() == 1;
            let single =
                self.items.get(&story).filter(|items| items.len() == 1).and_then(|items| items.first().copied());
            musts.push(
                single.and_then(|item| Some((item, self.must_know(bench, feed, candidate, loaded, item, lone)?))),
            );
        }
        // Document order is newest first, and the store reads from the end.
        let is_known = |candidate: &&Candidate| {
            let known = self.entries.get(&(feed, candidate.entry_id.clone()));
            // A guid that was used for two stories is not believed.
            let known = known.filter(|all| all.iter().all(|was| was.story == story_of(candidate)));
            let known = known.and_then(|all| all.last());
            let print = candidate.fingerprint;
            let alike =
                |was: &Seen| (was.title != 0 && was.title == print.title) || (was.text != 0 && was.text == print.text);
            known.is_some_and(|was| was.story == story_of(candidate) && (was.key == candidate.key || alike(was)))
        };
        let by_guid: HashSet<usize> = loaded.candidates.iter().filter(is_known).map(story_of).collect();
        let is_there = |candidate: &&Candidate| {
            let story = story_of(candidate);
            let own = self.own_keys.get(&story).is_some_and(|keys| keys.contains(&candidate.key));
            is_known(candidate) || own
        };
        let there: HashSet<usize> = loaded.candidates.iter().filter(is_there).map(story_of).collect();
        let known_keys: HashMap<String, BTreeSet<usize>> = self.keys.clone();
        for candidate in loaded.candidates.iter().rev() {
            self.note_signs(feed, candidate, [&there, &by_guid]);
        }
        for (_, _, story) in document.iter().filter(|(_, _, story)| !kept.contains(story)) {
            // Two entries are one within a load only by one entry id: the same text without guid and link.
            let mates = kept.iter().any(|other| self.group(*other) == self.group(*story));
            if !mates && !self.same_content(document, *story, &kept) {
                return Err(format!("story {story} was dropped from the load"));
            }
        }
        for (index, candidate) in loaded.candidates.iter().enumerate().rev() {
            let story = story_of(candidate);
            let Some(item) = bench.item(feed, &candidate.entry_id) else {
                let mut keys = std::iter::once(&candidate.key)
                    .chain(&candidate.aliases)
                    .filter_map(|key| known_keys.get(&tomorrow(key)));
                let known = keys.any(|who| who.iter().any(|who| self.group(*who) == self.group(story)));
                if !known {
                    return Err(format!("story {story} was not stored, and its key was nobody's"));
                }
                continue;
            };
            let item = bench.resolve(item);
            let quiet = loaded.first || loaded.survey.backfill.get(index).copied().unwrap_or(false);
            self.one(bench, candidate, item, musts[index], (top, quiet))?;
            // It entered the planet's stream: by its creation, or because the planet carries it, too.
            if feed == PLANET && self.carried.insert(story) && self.is_alone(story) && bench.is_shown(item) {
                let calls = bench.calls(item, 1);
                if calls != i64::from(!quiet) {
                    return Err(format!(
                        "CALLS: item {item} (story {story}, quiet: {quiet}) entered the stream, with {calls} calls"
                    ));
                }
            }
        }
        self.backfill(world, feed, loaded)
    }

    /// What is of after the last load is no backfill.
    fn backfill(&mut self, world: &World, feed: usize, loaded: &Loaded) -> Result<(), String> {
        if let Some(before) = self.loaded.insert(feed, world.now) {
            for (candidate, old) in loaded.candidates.iter().zip(&loaded.survey.backfill) {
                if *old && candidate.entry.published.is_some_and(|date| date > before) {
                    return Err(format!(
                        "story {} is of after the last load, and was taken for backfill",
                        story_of(candidate)
                    ));
                }
            }
        }
        Ok(())
    }

    fn same_content(&self, document: &Document, story: usize, kept: &BTreeSet<usize>) -> bool {
        let of = |story: usize| document.iter().filter(move |(_, _, of)| *of == story);
        of(story).all(|(entry, texts, _)| {
            kept.iter().any(|other| {
                let words = |texts: &Texts| texts.1.split_whitespace().collect::<String>();
                of(*other).any(|(e, t, _)| {
                    (&e.title, e.published) == (&entry.title, entry.published) && words(t) == words(texts)
                })
            })
        })
    }

    fn one(
        &mut self,
        bench: &Bench,
        candidate: &Candidate,
        item: i64,
        must: Option<(i64, &str)>,
        (top, quiet): (i64, bool),
    ) -> Result<(), String> {
        let story = story_of(candidate);
        let held = self.stories.entry(item).or_default();
        held.insert(story);
        let held = held.clone();
        for other in &held {
            if self.group(*other) != self.group(story) {
                return Err(format!(
                    "PRECISION: item {item} holds story {other} and now story {story}, which have nothing in common"
                ));
            }
        }
        self.merged += usize::from(held.len() > 1);
        self.dates.entry(item).or_insert(candidate.entry.published);
        let items = self.items.entry(story).or_default();
        let before = items.len();
        items.insert(item);
        let is_second = items.len() > before && before > 0;
        self.asked += usize::from(must.is_some());
        if candidate.scope == Scope::Global {
            self.own_keys.entry(story).or_default().insert(candidate.key.clone());
        }
        if let Some((wanted, why)) = must.filter(|(wanted, _)| *wanted != item)
            && self.is_alone(story)
        {
            return Err(format!("RECALL: story {story} is item {wanted} and became item {item}, though {why}"));
        }
        self.split += usize::from(is_second);
        if item > top {
            let calls = bench.calls(item, 0);
            if calls != i64::from(!quiet) {
                return Err(format!(
                    "CALLS: the new item {item} (story {story}, quiet: {quiet}) was called {calls} times"
                ));
            }
        }
        Ok(())
    }

    /// Trust is taken away only where there is a reason.
    fn policy(&mut self, feed: usize, document: &Document, loaded: &Loaded) -> Result<(), String> {
        let mut guids: HashMap<&str, BTreeSet<(usize, Option<&str>)>> = HashMap::new();
        for (entry, _, story) in document {
            if let Some(guid) = &entry.guid {
                guids.entry(guid).or_default().insert((*story, entry.link.as_deref()));
            }
        }
        if guids.values().any(|who| who.len() > 1) {
            self.shared_guids.insert(feed);
        }
        let floods = self.floods.entry(feed).or_default();
        let known = *floods >= 8;
        // A load of a few with nothing but new guids counts, too, but not as much.
        let few = loaded.candidates.len() < 5 && loaded.report.sighted > 0;
        *floods = match loaded.survey.flood {
            true => *floods + 4,
            false if few => *floods + 1,
            false if known => *floods,
            false => 0,
        };
        if loaded.habits.id != IdPolicy::Guid && !known && !self.shared_guids.contains(&feed) {
            return Err(format!("feed {feed} lost its trust without a reason: {}", loaded.habits.reason));
        }
        Ok(())
    }

    /// A page that two stories of one load differ on is nobody's key.
    fn hubs(&self, world: &World, feed: usize, document: &Document, loaded: &Loaded) -> Result<(), String> {
        let home = world.home(feed);
        for candidate in loaded.candidates.iter().filter(|candidate| candidate.scope == Scope::Global) {
            let link = candidate.entry.link.as_deref().unwrap_or_default();
            let others = document.iter().filter(|(entry, texts, story)| {
                let print = candidate.fingerprint;
                let whole = print.title != 0 && print.text != 0 && entry.title.is_some() && !texts.1.is_empty();
                let differ = entry.title != candidate.entry.title && entry.content != candidate.entry.content;
                *story != story_of(candidate) && whole && differ && entry.link.as_deref() == Some(link)
            });
            if link == home || others.count() > 0 {
                return Err(format!(
                    "PRECISION: {link} stands for several stories and is a key of story {}",
                    story_of(candidate)
                ));
            }
        }
        Ok(())
    }

    /// What holds whatever happens.
    pub(super) fn invariants(&mut self, bench: &Bench, may_go: bool) -> Result<(), String> {
        self.order.check(bench, may_go)
    }

    /// Items were made one, or parted, by something else than a load.
    pub(super) fn resettle(&mut self, bench: &Bench) {
        let stories = std::mem::take(&mut self.stories);
        for (item, held) in stories {
            self.stories.entry(bench.resolve(item)).or_default().extend(held);
        }
        for items in self.items.values_mut() {
            *items = items.iter().map(|item| bench.resolve(*item)).collect();
        }
    }

    /// A true statement was believed: both keys are a story's.
    pub(super) fn learnt(&mut self, keys: [&str; 2], story: usize) {
        let own = self.own_keys.entry(story).or_default();
        if keys.iter().any(|key| own.contains(*key)) {
            own.extend(keys.map(str::to_owned));
        }
        for key in keys {
            let known = self.keys.entry(tomorrow(key)).or_default();
            let others: Vec<usize> = known.iter().copied().collect();
            known.insert(story);
            for other in others {
                self.unite(story, other);
            }
        }
    }

    /// An item was parted from another one: either may hold what both held, and such a story is not asked for any more.
    pub(super) fn parted(&mut self, kept: i64, absorbed: i64) {
        let held = self.stories.get(&kept).cloned().unwrap_or_default();
        self.stories.entry(absorbed).or_default().extend(held);
        for items in self.items.values_mut().filter(|items| items.contains(&kept)) {
            items.insert(absorbed);
        }
    }
}
