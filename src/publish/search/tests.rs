//! Whatever is asked, the index finds what the query itself finds: on random stores, however much of them is indexed.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tempfile::TempDir;
use url::Url;

use super::super::items::{ItemList, Params, Sorting, list};
use super::super::meet::{meets, words};
use super::super::published::tests::example;
use super::super::published::{Edition, PublishedFeed};
use super::*;
use crate::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, LinkChange, Scope, Survey};
use crate::domain::feed::{FeedId, FeedInfo, NextPoll};
use crate::domain::item::{Category, Entry, Person};
use crate::domain::stream::Match;
use crate::store::sqlite::{Access, Options, Sqlite};
use crate::store::{FeedSpec, PollCommit, PollResult, Registry, Subscriptions, Worded};

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

struct Plain;

impl Judge for Plain {
    fn decide(&self, known: &Known, candidate: &Candidate, _: &Survey) -> Decision {
        match (&known.sighting, known.item) {
            (Some(s), _) if s.fingerprint == candidate.fingerprint => Decision::Same,
            (Some(s), _) => Decision::Changed { item: s.item, revise: s.main_feed, link: LinkChange::None },
            (None, Some(known)) => Decision::Sighted(known.item),
            (None, None) => Decision::New,
        }
    }

    fn rematch(&self, _: &Candidate, _: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

struct House {
    store: Sqlite,
    registry: Registry,
    edition: Edition,
    _dir: TempDir,
}

const FEEDS: [&str; 2] = ["one", "two"];

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap()
}

impl House {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store = Sqlite::open(&dir.path().join("t.db"), &options).unwrap();
        let feed = |name: &&str| FeedSpec {
            name: (*name).into(),
            url: Url::parse(&format!("https://{name}.example/rss")).unwrap().into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        };
        let subscriptions = Subscriptions { feeds: FEEDS.iter().map(feed).collect(), ..Subscriptions::default() };
        let registry = store.apply_subscriptions(subscriptions, now()).await.unwrap();
        let mut published = example();
        let tags = PublishedFeed { tags: ["peace talks".to_owned()].into(), enabled: true };
        published.feeds = HashMap::from([("one".into(), tags)]);
        Self { store, registry, edition: Edition { number: 1, published: Arc::new(published) }, _dir: dir }
    }

    async fn load(&self, feed: usize, candidates: Vec<Candidate>) {
        let feed = self.registry.feeds[feed].0;
        let until = now().plus(Duration::from_secs(60));
        let lease = self.store.lease_due_feeds(vec![feed], now(), until).await.unwrap().remove(0);
        let result = PollResult::Loaded {
            info: Box::new(FeedInfo::default()),
            candidates,
            quiet: true,
            habits: None,
            cadence: None,
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let next = NextPoll::default();
        let poll = PollCommit { feed, token: lease.token, at: now(), result, next, alerts: Arc::default() };
        self.store.commit_poll(poll, Arc::new(Plain), Arc::default()).await.unwrap();
    }

    async fn index(&self, limit: u32) {
        let backlog = self.store.unindexed(limit).await.unwrap();
        let worded = |(item, raw): (ItemId, Option<Raw>)| Worded { item, texts: raw.as_ref().map(words) };
        let worded = backlog.items.into_iter().map(worded).collect();
        assert!(self.store.index(worded, backlog.from, backlog.to).await.unwrap());
    }

    async fn ask(&self, params: &Params) -> ItemList {
        list(&self.store, &self.edition, params, now()).await.unwrap()
    }

    /// All pages of an answer; no item may come twice.
    async fn found(&self, query: &str, sorting: Sorting, limit: u32) -> Vec<i64> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let params =
                Params { query: Some(query.to_owned()), sorting, limit, after: after.take(), ..Params::default() };
            let page = self.ask(&params).await;
            assert!(!page.partial, "{query}");
            ids.extend(page.items.iter().map(|item| item.feedmill.item));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        let distinct: BTreeSet<i64> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), ids.len(), "{query}: an item came twice");
        ids
    }

    /// What the query itself says, tried on everything.
    async fn truth(&self, query: &str) -> Vec<i64> {
        let index = Index::new(&[Query::parse(query).unwrap()]);
        let page = PageRequest { stream: None, limit: 1000, before: None };
        let items = self.store.stream_page(page).await.unwrap().items;
        items.iter().filter(|item| meets(item, &index, &self.edition.published)).map(|item| item.id.0).collect()
    }

    async fn agree(&self, query: &str, dice: &mut Dice) {
        let want = self.truth(query).await;
        let limit = [4, 7, 19, 100][dice.below(4)];
        assert_eq!(self.found(query, Sorting::Newest, limit).await, want, "{query}");
        let mut best = self.found(query, Sorting::Best, limit).await;
        let mut want = want;
        best.sort_unstable();
        want.sort_unstable();
        assert_eq!(best, want, "{query}, best first");
    }
}

fn candidate(n: usize, title: &str, summary: &str, content: &str, author: &str, tag: &str) -> Candidate {
    let key = format!("https://news.bbc.co.uk/ab/{n}");
    let print =
        [title, summary, content].concat().bytes().fold(7_u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
    Candidate {
        entry: Entry {
            guid: Some(n.to_string()),
            link: Some(key.clone()),
            title: Some(title.to_owned()),
            summary: Some(summary.to_owned()).filter(|text| !text.is_empty()),
            content: Some(format!("<p>{}</p>", content.replace('\n', "</p><p>"))),
            published: Some(now().minus(Duration::from_secs(60 * ((n as u64 * 7919) % 50)))),
            authors: vec![Person { name: Some(author.to_owned()), ..Person::default() }],
            categories: vec![Category { term: tag.to_owned(), ..Category::default() }],
            language: Some("de".to_owned()).filter(|_| n.is_multiple_of(3)),
            ..Entry::default()
        },
        link: Some(key.clone()),
        key,
        scope: Scope::Global,
        entry_id: n.to_string(),
        native_id: None,
        fingerprint: Fingerprint { title: print, text: print },
        matches: Vec::new(),
        aliases: Vec::new(),
        by_guid: false,
        wordy: false,
        own: false,
    }
}

const WORDS: &[&str] = &[
    "peace",
    "Peace",
    "talks",
    "TALKS",
    "talk",
    "Straße",
    "strasse",
    "й",
    "и",
    "上海",
    "海",
    "上",
    "C++",
    "C",
    "C#",
    "#c",
    "l'Ukraine",
    "ukraine",
    "it",
    "IT",
    "é",
    "e\u{301}",
    "ab",
    "abc",
    "abcd",
    "用ab写",
    "क्या",
    "½",
    "５",
    "ﬁsh",
    "สวัสดี",
];

fn text(dice: &mut Dice, most: usize) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(most) {
        text.push_str(dice.one(WORDS));
        text.push_str(dice.one(&[" ", " ", " ", "\n", ", ", "-", " + "]));
    }
    text
}

fn random(dice: &mut Dice, n: usize) -> Candidate {
    let (title, summary, content) = (text(dice, 6).replace('\n', " "), text(dice, 4), text(dice, 12));
    candidate(n, &title, &summary, &content, dice.one(WORDS), dice.one(WORDS))
}

fn query(dice: &mut Dice, depth: usize) -> String {
    if depth > 0 && dice.below(2) == 0 {
        let (a, b) = (query(dice, depth - 1), query(dice, depth - 1));
        return match dice.below(4) {
            0 | 1 => format!("({a}) ({b})"),
            2 => format!("({a}) OR ({b})"),
            _ => format!("({a}) -({b})"),
        };
    }
    let words = |dice: &mut Dice, n: usize| (0..n).map(|_| dice.one(WORDS)).collect::<Vec<_>>().join(" ");
    match dice.below(9) {
        0..=2 => dice.one(WORDS).to_owned(),
        3 => {
            let count = 1 + dice.below(3);
            format!("{}\"{}\"", dice.one(&["", "", "=", "title:", "body:"]), words(dice, count))
        }
        4 => dice.one(&["pea*", "tal*", "ab*", "abc*", "\"peace ta*\"", "=Pe*", "title:stras*", "上海*"]).to_owned(),
        5 => format!("{}{}", dice.one(&["title:", "body:", "author:", "tag:"]), dice.one(WORDS)),
        6 => format!("{} NEAR/{} ({} OR {})", dice.one(WORDS), 1 + dice.below(4), dice.one(WORDS), dice.one(WORDS)),
        7 => dice.one(&["feed:one", "feed:two", "tag:\"peace talks\"", "lang:de", "site:bbc.co.uk", "*"]).to_owned(),
        _ => format!("-{}", dice.one(WORDS)),
    }
}

#[tokio::test]
async fn the_index_finds_what_the_query_finds_however_much_is_indexed() {
    let seed = std::env::var("FEEDMILL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5eed_2026);
    println!("seed {seed} (FEEDMILL_SEED repeats it)");
    let mut dice = Dice(seed);
    for _ in 0..5 {
        let house = House::new().await;
        let items = 5 + dice.below(60);
        let load: Vec<Candidate> = (0..items).map(|n| random(&mut dice, n)).collect();
        house.load(0, load).await;
        house.index(u32::try_from(dice.below(2 * items)).unwrap()).await;
        // A few are edited, a few are carried by the other feed too, and a few more come.
        let edited: Vec<Candidate> = (0..items).step_by(9).map(|n| random(&mut dice, n)).collect();
        house.load(0, edited).await;
        let also: Vec<Candidate> = (0..items + 5).step_by(5).map(|n| random(&mut dice, n)).collect();
        house.load(1, also).await;
        for _ in 0..3 {
            for _ in 0..12 {
                let query = query(&mut dice, 3);
                house.agree(&query, &mut dice).await;
            }
            house.index(u32::try_from(dice.below(items)).unwrap()).await;
        }
        house.index(1000).await;
        assert!(house.store.unindexed(10).await.unwrap().is_done());
        for _ in 0..12 {
            let query = query(&mut dice, 3);
            house.agree(&query, &mut dice).await;
        }
    }
}

#[tokio::test]
async fn what_is_in_the_title_and_said_often_comes_first_indexed_or_not() {
    let house = House::new().await;
    let filler = "the harbour was closed on tuesday ".repeat(10);
    let mut load = vec![
        candidate(0, "Nothing of that", "", &format!("once harbour peace {filler}"), "a", "b"),
        candidate(1, "Peace", "", &filler, "a", "b"),
        candidate(2, "Other", "", &format!("peace peace peace peace {filler}"), "a", "b"),
    ];
    load.extend((3..40).map(|n| candidate(n, "Filler", "", &filler, "a", "b")));
    house.load(0, load).await;
    let order = |ids: Vec<i64>| async {
        let items = house.store.items(ids.into_iter().map(ItemId).collect()).await.unwrap();
        items.into_iter().map(|item| item.title.unwrap()).collect::<Vec<_>>()
    };
    house.index(1000).await;
    let indexed = house.found("peace", Sorting::Best, 10).await;
    assert_eq!(order(indexed.clone()).await, ["Peace", "Other", "Nothing of that"]);
    // An edit takes one out of the index's word; its place among the others stays by the same formula.
    let scored = |list: ItemList| list.items.iter().map(|item| item.score.unwrap()).collect::<Vec<_>>();
    let params = Params { query: Some("peace".to_owned()), sorting: Sorting::Best, ..Params::default() };
    let before = scored(house.ask(&params).await);
    house.load(0, vec![candidate(1, "Peace", "", &format!("{filler}."), "a", "b")]).await;
    assert!(!house.store.unindexed(1).await.unwrap().is_done());
    let after = scored(house.ask(&params).await);
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() < 1e-9, "{before} {after}");
    }
    assert_eq!(house.found("peace", Sorting::Best, 1).await, indexed);
}

#[tokio::test]
async fn pages_best_first_hold_their_order_while_more_is_indexed() {
    let house = House::new().await;
    let story = |n: usize| candidate(n, &"peace ".repeat(1 + n % 5), "", &"words ".repeat(n % 7), "a", "b");
    house.load(0, (0..30).map(story).collect()).await;
    house.index(1000).await;
    let mut params = Params { query: Some("peace".to_owned()), sorting: Sorting::Best, limit: 10, ..Params::default() };
    let mut seen = BTreeSet::new();
    for round in 0..3 {
        let page = house.ask(&params).await;
        for item in &page.items {
            assert!(seen.insert(item.feedmill.item), "item {} came twice", item.feedmill.item);
        }
        // The rarity of the word falls by what comes without it and rises by what has it.
        house
            .load(
                1,
                (100 * (round + 1)..100 * (round + 1) + 20).map(|n| candidate(n, "else", "", "", "a", "b")).collect(),
            )
            .await;
        house.index(1000).await;
        params.after = page.next;
    }
    assert_eq!(seen.len(), 30);
}

#[tokio::test]
async fn a_story_is_found_in_its_own_language() {
    let house = House::new().await;
    let stories = [
        ("Зеленський прибув до Києва на переговори", "зеленськ*"),
        ("Переговоры о мире начались в Женеве", "\"переговоры о мире\""),
        ("Ειρηνευτικές συνομιλίες στη Γενεύη", "ειρηνευτικεσ"),
        ("İstanbul'da barış görüşmeleri", "istanbul barıs"),
        ("Straßenverkehr in der Schweiz", "strassenverkehr"),
        ("Đàm phán hòa bình tại Hà Nội", "\"dam phan hoa binh\""),
        ("محادثات السلام في جنيف", "السلام"),
        ("שיחות השלום בז'נבה", "השלום"),
        ("जिनेवा में शांति वार्ता", "\"शांति वार्ता\""),
        ("การเจรจาสันติภาพที่เจนีวา", "สันติภาพ"),
        ("乌克兰和平谈判在日内瓦举行", "和平谈判"),
        ("ジュネーブで和平協議", "和平協議"),
        ("제네바 평화 회담", "평화"),
    ];
    let load = stories.iter().enumerate().map(|(n, (text, _))| candidate(n, text, "", text, "a", "b")).collect();
    house.load(0, load).await;
    for indexed in [false, true] {
        for (n, (text, query)) in stories.iter().enumerate() {
            for sorting in [Sorting::Newest, Sorting::Best] {
                let params = Params { query: Some((*query).to_owned()), sorting, ..Params::default() };
                let list = house.ask(&params).await;
                let titles: Vec<_> = list.items.iter().map(|item| item.title.as_deref().unwrap()).collect();
                assert_eq!(titles, [*text], "{query} ({n}, indexed: {indexed})");
                assert!(!list.items[0].snippets.is_empty());
            }
        }
        house.index(1000).await;
    }
}

#[tokio::test]
async fn one_prefix_finds_both_spellings_of_a_name() {
    let house = House::new().await;
    let text = "Zelenskyy said on Friday. In another report: Mr Zelenskiy's office denied it.";
    house.load(0, vec![candidate(0, "Agency", "", text, "a", "b")]).await;
    house.index(10).await;
    let params = Params { query: Some("zelensk*".to_owned()), sorting: Sorting::Best, ..Params::default() };
    let list = house.ask(&params).await;
    let texts: Vec<_> = list.items[0].snippets.iter().map(|passage| passage.text.as_str()).collect();
    assert_eq!(texts, ["Zelenskyy", "Zelenskiy"]);
}

#[tokio::test]
async fn a_search_without_time_says_that_it_is_not_whole() {
    let house = House::new().await;
    house.load(0, (0..10).map(|n| candidate(n, "peace", "", "", "a", "b")).collect()).await;
    for sorting in [Sorting::Newest, Sorting::Best] {
        let query = Some("peace".to_owned());
        let params = Params { query, sorting, budget: Duration::ZERO, ..Params::default() };
        let list = house.ask(&params).await;
        assert!(list.partial && list.items.is_empty());
    }
}
