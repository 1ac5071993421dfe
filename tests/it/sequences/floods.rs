//! A whole feed that comes back changed, grows, shrinks, or goes and comes back.

use super::language::{E, Sequence, broken, e, each, many, rss, together, want, words};

pub(super) fn table() -> Vec<Sequence> {
    let mut table = migrations();
    table.extend(growth());
    table.extend(absence());
    table
}

/// Six stories whose guids are URLs.
fn site() -> Vec<E> {
    each(many("Story", 6, 1), |entry| entry.moved("g-", "{h}/?id="))
}

/// The same stories, all told otherwise.
fn migrations() -> Vec<Sequence> {
    let renumbered = |entries: Vec<E>| -> Vec<E> {
        entries.into_iter().zip(1..).map(|(entry, n)| entry.guid(&format!("n{n}"))).collect()
    };
    let deeper = |entry: E| entry.moved("{h}/", "{h}/blog/");
    let thread =
        |n: i64| e("Open thread").text("thread").guid(&format!("t{n}")).link(&format!("{{h}}/thread-{n}")).on(n * 10);
    let short = |entry: E| entry.html("Two or three words.");
    vec![
        Sequence::new("a site that moves to another domain, links and guids and all, is the same stories")
            .load(site(), want(6, 6, 0))
            .load(
                each(site(), |entry| entry.moved("{h}", "{x}")),
                want(6, 6, 0).link("Story 3", "{x}/story-3").revision("Story 3", 1),
            )
            .load(
                together([
                    vec![e("Story 7").on(7).link("{x}/story-7")],
                    each(site(), |entry| entry.moved("{h}", "{x}")),
                ]),
                want(7, 7, 0),
            ),
        Sequence::new("a site that moves to another domain with a new story on top: that one alone is new")
            .load(site(), want(6, 6, 0))
            .load(each(together([vec![e("News").on(20)], site()]), |entry| entry.moved("{h}", "{x}")), want(7, 7, 0)),
        Sequence::new("a site that moves to https, guids that are URLs and all, is the same stories")
            .load(each(site(), |entry| entry.moved("{h}", "http://s{n}.example")), want(6, 6, 0))
            .load(site(), want(6, 6, 0)),
        Sequence::new("a feed with new guids for all its stories is the same stories")
            .load(many("Story", 6, 1), want(6, 6, 0))
            .load(renumbered(many("Story", 6, 1)), want(6, 6, 0).revision("Story 1", 1)),
        Sequence::new("a feed with new dates for all its stories is the same stories")
            .load(many("Story", 6, 1), want(6, 6, 0))
            .load(many("Story", 6, 40), want(6, 6, 0).revision("Story 1", 1)),
        Sequence::new("a feed with new guids and new links for all its stories is the same stories")
            .load(many("Story", 6, 1), want(6, 6, 0))
            .load(renumbered(each(many("Story", 6, 1), deeper)), want(6, 6, 0).link("Story 2", "{h}/blog/story-2"))
            .load(renumbered(each(many("Story", 6, 1), deeper)), want(6, 6, 0)),
        Sequence::new("a feed with short texts and new guids and links for all its stories is the same stories")
            .load(each(many("Story", 6, 1), short), want(6, 6, 0))
            .load(renumbered(each(many("Story", 6, 1), |entry| deeper(short(entry)))), want(6, 6, 0)),
        // Rule 3 wants an equal date; its model, reader's dedupe, is content with an equal title and a text of more
        // than 48 words. That a whole feed comes so, each story with its own text, is no accident.
        Sequence::new(
            "a feed with new guids, links and dates for all its stories, long texts kept, is the same stories",
        )
        .load(many("Story", 6, 1), want(6, 6, 0))
        .load(renumbered(each(many("Story", 6, 40), deeper)), want(6, 6, 0)),
        Sequence::new("guids that are numbered anew, links kept, are the same stories")
            .load(each(many("Story", 6, 1), |entry| entry.moved("g-story-", "")), want(6, 6, 0))
            .load(
                (1..=6).map(|n| e(&format!("Story {n}")).guid(&(7 - n).to_string()).on(n)).collect::<Vec<_>>(),
                want(6, 6, 0).titles(["Story 1", "Story 2", "Story 3", "Story 4", "Story 5", "Story 6"]),
            ),
        // A guid that was used again, and yet the text is known: rule 3 comes after rule 1.
        Sequence::new("guids that are numbered anew, and new links, are the same stories")
            .load(each(many("Story", 6, 1), |entry| entry.moved("g-story-", "")), want(6, 6, 0))
            .load(
                (1..=6).map(|n| deeper(e(&format!("Story {n}")).guid(&(7 - n).to_string()).on(n))).collect::<Vec<_>>(),
                want(6, 6, 0).titles(["Story 1", "Story 2", "Story 3", "Story 4", "Story 5", "Story 6"]),
            ),
        Sequence::new("a site that moves and edits one story: that one is edited, none is new")
            .load(many("Story", 6, 1), want(6, 6, 0))
            .load(
                each(together([vec![e("Story 6").on(6).text("edited")], many("Story", 5, 1)]), deeper),
                want(6, 6, 1).revision("Story 6", 2).revision("Story 5", 1),
            ),
        Sequence::new("posts without titles, with new guids and links for all of them, are the same posts")
            .load(each(many("Post", 6, 1), E::no_title), want(6, 6, 0))
            .load(renumbered(each(many("Post", 6, 1), |entry| deeper(entry.no_title()))), want(6, 6, 0)),
        // All others keep their dates, so the thread with another date is another thread.
        Sequence::new("a site that moves, with a new weekly thread in place of the last one: that one is new")
            .load(together([vec![thread(1)], many("Story", 6, 1)]), want(7, 7, 0))
            .load(
                each(together([vec![thread(2)], renumbered(many("Story", 6, 1))]), deeper),
                want(8, 8, 0).link("Story 2", "{h}/blog/story-2"),
            ),
        Sequence::new("a feed that shows full texts instead of summaries edits its stories")
            .load(each(many("Story", 6, 1), short), want(6, 6, 0))
            .load(many("Story", 6, 1), want(6, 6, 6)),
    ]
}

/// New stories, new to us, or new in truth.
fn growth() -> Vec<Sequence> {
    let undated = |entry: E| entry.no_date();
    vec![
        Sequence::new("a feed that grows backwards by five times its size is stored, and nobody is called")
            .load(many("Story", 10, 60), want(10, 10, 0))
            .load(together([many("Story", 10, 60), many("Old", 50, 1)]), want(60, 10, 0))
            .load(together([many("Story", 11, 60), many("Old", 50, 1)]), want(61, 11, 0)),
        Sequence::new("a feed that grows backwards, with a new story on top: that one alone is called")
            .load(many("Story", 10, 60), want(10, 10, 0))
            .load(together([many("Story", 11, 60), many("Old", 50, 1)]), want(61, 11, 0)),
        // What stands below known entries is older by its place; the design speaks of dates only.
        Sequence::new("a feed without dates that grows below its known entries is stored, and nobody is called")
            .load(each(many("Story", 10, 1), undated), want(10, 10, 0))
            .load(each(together([many("Story", 10, 1), many("Old", 50, 1)]), undated), want(60, 10, 0)),
        Sequence::new("five stories of five that are new after a long pause are called")
            .load(many("Story", 5, 1), want(5, 5, 0))
            .load(many("News", 5, 30), want(10, 10, 0)),
        Sequence::new("five stories of five without dates that are new after a long pause are called")
            .load(each(many("Story", 5, 1), undated), want(5, 5, 0))
            .load(each(many("News", 5, 30), undated), want(10, 10, 0)),
        Sequence::new("twenty stories without dates above the known ones are called")
            .load(each(many("Story", 4, 1), undated), want(4, 4, 0))
            .load(each(together([many("News", 20, 30), many("Story", 4, 1)]), undated), want(24, 24, 0)),
        // Of what was stored without a date it is known when it was first seen: today, and these are of tomorrow.
        Sequence::new("twenty stories with dates above known ones that have none are called")
            .load(each(many("Story", 4, 1), undated), want(4, 4, 0))
            .load(together([many("News", 20, 151), each(many("Story", 4, 1), undated)]), want(24, 24, 0)),
        Sequence::new("five stories of five that are new and have the date of the last ones, a day alone, are called")
            .load(each(many("Story", 5, 1), |entry| entry.on(10)), want(5, 5, 0))
            .load(each(many("News", 5, 1), |entry| entry.on(10)), want(10, 10, 0)),
        Sequence::new("two older stories among ten known ones are published late, and called")
            .load(many("Story", 10, 60), want(10, 10, 0))
            .load(together([many("Story", 10, 60), many("Late", 2, 1)]), want(12, 12, 0)),
        Sequence::new("one new story a load, five loads long")
            .load(many("Story", 1, 1), want(1, 1, 0))
            .load(many("Story", 2, 1), want(2, 2, 0))
            .load(many("Story", 3, 1), want(3, 3, 0))
            .load(many("Story", 4, 1), want(4, 4, 0))
            .load(many("Story", 5, 1), want(5, 5, 0)),
        Sequence::new("a load of five hundred entries, and then one more")
            .load(many("Story", 500, 1 - 400), want(500, 500, 0))
            .load(together([vec![e("News").on(120)], many("Story", 500, 1 - 400)]), want(501, 501, 0)),
        // A date that is wrong must not make everything after it old.
        Sequence::new("five new stories after one with a date in the far future are called")
            .load([e("Far").on(9000)], want(1, 1, 0))
            .load(together([many("News", 5, 151), vec![e("Far").on(9000)]]), want(6, 6, 0)),
    ]
}

/// Stories that are not there for a while.
fn absence() -> Vec<Sequence> {
    let reversed = |mut entries: Vec<E>| {
        entries.reverse();
        entries
    };
    vec![
        Sequence::new("an empty load loses nothing, and what comes back is not new")
            .load(many("Story", 3, 1), want(3, 3, 0))
            .load(rss([]), want(3, 3, 0))
            .load(many("Story", 3, 1), want(3, 3, 0)),
        // Nothing is stored that they could be older than, and this feed is to tell of its back catalogue.
        Sequence::new("an empty first load, then stories: they are called")
            .load(rss([]), want(0, 0, 0))
            .load(many("Story", 6, 1), want(6, 6, 0)),
        Sequence::new("an error page loses nothing, and what comes back is not new")
            .load(many("Story", 3, 1), want(3, 3, 0))
            .load(broken(), want(3, 3, 0))
            .load(many("Story", 4, 1), want(4, 4, 0)),
        Sequence::new("a feed that shrinks and grows back tells nothing new")
            .load(many("Story", 12, 1), want(12, 12, 0))
            .load([e("Story 12").on(12)], want(12, 12, 0))
            .load(many("Story", 12, 1), want(12, 12, 0)),
        Sequence::new("two caches, one of them days behind, tell nothing twice")
            .load(many("Story", 5, 1), want(5, 5, 0))
            .load(many("News", 5, 30), want(10, 10, 0))
            .load(many("Story", 5, 1), want(10, 10, 0))
            .load(many("News", 5, 30), want(10, 10, 0).revision("News 1", 1)),
        Sequence::new("entries in another order are the same stories")
            .load(many("Story", 6, 1), want(6, 6, 0))
            .load(reversed(many("Story", 6, 1)), want(6, 6, 0)),
        Sequence::new("a story that is taken down stays in the stream")
            .load([e("Alpha").on(2), e("Beta").on(1)], want(2, 2, 0))
            .load([e("Beta").on(1)], want(2, 2, 0).says("Alpha", &words("Alpha", 60)))
            .load([e("Gamma").on(3), e("Beta").on(1)], want(3, 3, 0).titles(["Alpha", "Beta", "Gamma"])),
    ]
}
