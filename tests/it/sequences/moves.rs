//! One story whose guid or link changes over time.

use super::language::{ANY, Sequence, e, rss, want};

pub(super) fn table() -> Vec<Sequence> {
    let mut table = links();
    table.extend(guids());
    table.extend(parts());
    table.extend(aliases());
    table.extend(conflicts());
    table
}

/// The guid stays.
fn links() -> Vec<Sequence> {
    vec![
        // "If only its key changed: update the link." A moved link is no edit: the content hash is of title and text.
        Sequence::new("a slug edit under a kept guid is the same story, shown with its new link")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0).link("Alpha", "{h}/alpha-2")),
        Sequence::new("a slug edit together with an edited title is one edit").load([e("Alpha")], want(1, 1, 0)).load(
            [e("Alpha").title("Alpha corrected").link("{h}/alpha-corrected")],
            want(1, 1, 1).same("Alpha corrected", "Alpha").link("Alpha corrected", "{h}/alpha-corrected"),
        ),
        Sequence::new("a slug edit together with an edited text is one edit")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").text("more").link("{h}/alpha-2")], want(1, 1, 1).link("Alpha", "{h}/alpha-2")),
        Sequence::new("a link that becomes https is the same story")
            .load([e("Alpha").link("http://s{n}.example/alpha")], want(1, 1, 0))
            .load([e("Alpha").link("https://s{n}.example/alpha")], want(1, 1, 0)),
        Sequence::new("a link that becomes https is the same story, without a guid too")
            .load([e("Alpha").no_guid().link("http://s{n}.example/alpha")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("https://s{n}.example/alpha")], want(1, 1, 0)),
        Sequence::new("a link that gains www is the same story, without a guid too")
            .load([e("Alpha").no_guid()], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("https://www.s{n}.example/alpha")], want(1, 1, 0)),
        Sequence::new("tracking names that change at every load are no new story")
            .load([e("Alpha").no_guid().link("{h}/alpha?utm_source=one")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/alpha?utm_source=two&utm_medium=rss")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/alpha?fbclid=xyz#utm_source=three")], want(1, 1, 0)),
        Sequence::new("a session id that changes at every load is no new story")
            .load([e("Alpha").no_guid().link("{h}/alpha?PHPSESSID=0123456789abcdef0123456789")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/alpha?PHPSESSID=fedcba9876543210fedcba9876")], want(1, 1, 0)),
        // The parameter is on no list, so the key differs: rule 3 knows the story by title, date and text.
        Sequence::new("an unknown parameter that changes at every load, without a guid, is no new story")
            .load([e("Alpha").no_guid().link("{h}/alpha?cb=1")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/alpha?cb=2")], want(1, 1, 0))
            .load([e("Alpha").no_guid().link("{h}/alpha?cb=3")], want(1, 1, 0)),
        Sequence::new("a link that moves away and back is one story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0))
            .load([e("Alpha")], want(1, 1, 0).link("Alpha", "{h}/alpha"))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0)),
        Sequence::new("a guid of ?p=N holds through an edit of the permalink")
            .load([e("Alpha").guid("{h}/?p=12").link("{h}/2026/alpha")], want(1, 1, 0))
            .load([e("Alpha").guid("{h}/?p=12").link("{h}/2026/alpha-2")], want(1, 1, 0)),
        Sequence::new("a recycled slug, guid kept but title, text and link all others, is a new story that is called")
            .load([e("Alpha")], want(1, 1, 0))
            .load(
                [e("Omega").guid("g-alpha").on(9)],
                want(2, 2, 0).titles(["Alpha", "Omega"]).link("Alpha", "{h}/alpha").link("Omega", "{h}/omega"),
            )
            .load([e("Omega").guid("g-alpha").on(9)], want(2, 2, 0))
            .load([e("Omega").guid("g-alpha").on(9).text("more")], want(2, 2, 1).revision("Alpha", 1)),
    ]
}

/// The link stays, or nothing does.
fn guids() -> Vec<Sequence> {
    vec![
        Sequence::new("another guid under the same link is the same story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").guid("other")], want(1, 1, 0).revision("Alpha", 1)),
        // The design does not say whether this is an edit: it is no new story in any case.
        Sequence::new("another guid and another title under the same link are no new story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").guid("other").title("Alpha corrected")], want(1, 1, ANY)),
        Sequence::new("a guid that two servers write each in its own way is no new story at each load")
            .load([e("Alpha").guid("srv1-1"), e("Beta").guid("srv1-2")], want(2, 2, 0))
            .load([e("Alpha").guid("srv2-1"), e("Beta").guid("srv2-2")], want(2, 2, 0))
            .load([e("Alpha").guid("srv1-1"), e("Beta").guid("srv1-2")], want(2, 2, 0))
            .load([e("Alpha").guid("srv2-1").text("more"), e("Beta").guid("srv1-2")], want(2, 2, 1)),
        Sequence::new("another guid and another link, with title, date and text the same, are the same story")
            .load([e("Alpha"), e("Beta")], want(2, 2, 0))
            .load(
                [e("Alpha").guid("other").link("{h}/2/alpha"), e("Beta")],
                want(2, 2, 0).link("Alpha", "{h}/2/alpha").revision("Alpha", 1),
            ),
        Sequence::new("a guid that is a URL and becomes https, without a link, is the same story")
            .load([e("Alpha").guid("http://s{n}.example/alpha").no_link()], want(1, 1, 0))
            .load([e("Alpha").guid("https://s{n}.example/alpha").no_link()], want(1, 1, 0)),
        Sequence::new("a permalink guid that becomes https, without a link, is the same story")
            .load([e("Alpha").permalink("http://s{n}.example/alpha").no_link()], want(1, 1, 0))
            .load([e("Alpha").permalink("https://s{n}.example/alpha").no_link()], want(1, 1, 0)),
        Sequence::new("another case of the guid under the same link is the same story")
            .load([e("Alpha").guid("ABC-1")], want(1, 1, 0))
            .load([e("Alpha").guid("abc-1")], want(1, 1, 0)),
        Sequence::new("blanks around a guid are not part of it")
            .load([e("Alpha").guid("abc 1").no_link()], want(1, 1, 0))
            .load([e("Alpha").guid("  abc 1 \n").no_link().text("more")], want(1, 1, 1)),
    ]
}

/// Guid or link come or go.
fn parts() -> Vec<Sequence> {
    vec![
        Sequence::new("an entry with a link only gains a guid later")
            .load([e("Alpha").no_guid()], want(1, 1, 0))
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").text("more")], want(1, 1, 1)),
        Sequence::new("an entry with a guid only gains a link later")
            .load([e("Alpha").no_link()], want(1, 1, 0).no_link("Alpha"))
            .load([e("Alpha")], want(1, 1, 0).link("Alpha", "{h}/alpha"))
            .load([e("Alpha").text("more")], want(1, 1, 1)),
        Sequence::new("an entry with both loses its guid later")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").no_guid()], want(1, 1, 0))
            .load([e("Alpha").no_guid().text("more")], want(1, 1, 1)),
        // The design says "update the link"; there is none to show instead, and readers need one.
        Sequence::new("an entry with both loses its link later, and is still shown with the one that it had")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").no_link()], want(1, 1, 0).link("Alpha", "{h}/alpha"))
            .load([e("Alpha").no_link().text("more")], want(1, 1, 1).link("Alpha", "{h}/alpha")),
        Sequence::new("a guid that is a permalink stands for the link")
            .load([e("Alpha").permalink("{h}/alpha").no_link()], want(1, 1, 0).link("Alpha", "{h}/alpha"))
            .load([("b", rss([e("Alpha").guid("b")]))], want(1, 1, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("a guid without isPermaLink that is a URL stands for the link")
            .load([e("Alpha").permalink("{h}/alpha").no_link()], want(1, 1, 0).link("Alpha", "{h}/alpha"))
            .load([e("Alpha").guid("g").link("{h}/alpha")], want(1, 1, 0)),
        Sequence::new("a permalink guid gains the same link later")
            .load([e("Alpha").permalink("{h}/alpha").no_link()], want(1, 1, 0))
            .load([e("Alpha").permalink("{h}/alpha")], want(1, 1, 0)),
    ]
}

/// What was learnt in one feed holds in another.
fn aliases() -> Vec<Sequence> {
    let b = |entry| [("b", rss([entry]))];
    vec![
        Sequence::new("the old link of a story that moved, carried by another feed, is the same story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0))
            .load(b(e("Alpha").guid("b")), want(1, 1, 0).seen_in("Alpha", ["a", "b"]).main_feed("Alpha", "a")),
        Sequence::new("the new link of a story that moved, carried by another feed, is the same story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0))
            .load(b(e("Alpha").guid("b").link("{h}/alpha-2")), want(1, 1, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("the first link of a story that moved twice, carried by another feed, is the same story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-3")], want(1, 1, 0).link("Alpha", "{h}/alpha-3"))
            .load(b(e("Alpha").guid("b")), want(1, 1, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("a story that moved while another feed still carries the old link stays one story")
            .load([("a", rss([e("Alpha")])), ("b", rss([e("Alpha").guid("b")]))], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0))
            .load(b(e("Alpha").guid("b").link("{h}/alpha-2")), want(1, 1, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("a story that moved by guid and link is known by its old link in another feed")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").guid("other").link("{h}/2/alpha")], want(1, 1, 0))
            .load(b(e("Alpha").guid("b")), want(1, 1, 0).seen_in("Alpha", ["a", "b"])),
        Sequence::new("a feedburner link is known by the link that it came with")
            .load(
                [e("Alpha").link("https://feedproxy.google.com/~r/f{n}/~3/abc").orig_link("{h}/alpha")],
                want(1, 1, 0).link("Alpha", "{h}/alpha"),
            )
            .load(b(e("Alpha").guid("b")), want(1, 1, 0).seen_in("Alpha", ["a", "b"]))
            .load(
                [("c", rss([e("Alpha").guid("c").link("https://feedproxy.google.com/~r/f{n}/~3/abc")]))],
                want(1, 1, 0).seen_in("Alpha", ["a", "b", "c"]),
            ),
        Sequence::new("two feedburner links without the links behind them are two stories").load(
            [
                e("Alpha").link("https://feedproxy.google.com/~r/f{n}/~3/abc"),
                e("Beta").link("https://feedproxy.google.com/~r/f{n}/~3/abd"),
            ],
            want(2, 2, 0),
        ),
    ]
}

/// Links that belong to another story already.
fn conflicts() -> Vec<Sequence> {
    vec![
        Sequence::new("a link that changes to that of another stored story merges nothing")
            .load([e("Alpha"), e("Beta").on(2)], want(2, 2, 0))
            .load([e("Alpha").link("{h}/beta"), e("Beta").on(2)], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load([e("Alpha"), e("Beta").on(2)], want(2, 2, 0).titles(["Alpha", "Beta"])),
        Sequence::new("two stories that change links with each other stay two stories")
            .load([e("Alpha"), e("Beta")], want(2, 2, 0))
            .load([e("Alpha").link("{h}/beta"), e("Beta").link("{h}/alpha")], want(2, 2, 0).titles(["Alpha", "Beta"])),
        // Rule 1 takes each for a guid that was used again; rule 2 then knows both by their links.
        Sequence::new("two stories that change guids with each other stay two stories")
            .load([e("Alpha"), e("Beta")], want(2, 2, 0))
            .load([e("Alpha").guid("g-beta"), e("Beta").guid("g-alpha")], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load([e("Alpha").guid("g-beta"), e("Beta").guid("g-alpha")], want(2, 2, 0).titles(["Alpha", "Beta"])),
        // Were the old link an alias of the story that left it, each day's story would be lost in the first one.
        Sequence::new("a page of today whose story moves to the archive when the next one comes: each is a story")
            .load([e("Alpha").link("{h}/today")], want(1, 1, 0))
            .load([e("Beta").link("{h}/today").on(2), e("Alpha")], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load(
                [e("Gamma").link("{h}/today").on(3), e("Beta").on(2), e("Alpha")],
                want(3, 3, 0).titles(["Alpha", "Beta", "Gamma"]),
            ),
        // That the two of Alpha are one cannot be known; but the page of today must not stay the first one's.
        Sequence::new("a page of today whose story another feed knew by its archive address: the next one is a story")
            .load([e("Alpha").link("{h}/today")], want(1, 1, 0))
            .load([("b", rss([e("Alpha").guid("b")]))], want(2, 2, 0))
            .load([e("Beta").link("{h}/today").on(2), e("Alpha")], want(3, 3, 0).titles(["Alpha", "Alpha", "Beta"])),
        Sequence::new("a story that moves to the page of today and back: the next one there is a story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/today")], want(1, 1, 0))
            .load([e("Beta").link("{h}/today").on(2), e("Alpha")], want(2, 2, 0).titles(["Alpha", "Beta"]))
            .load([e("Beta").link("{h}/today").on(2), e("Alpha")], want(2, 2, 0).link("Alpha", "{h}/alpha")),
        Sequence::new("a new story under the link that another one has left is a new story")
            .load([e("Alpha")], want(1, 1, 0))
            .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0))
            .load(
                [e("Omega").link("{h}/alpha").on(9), e("Alpha").link("{h}/alpha-2")],
                want(2, 2, 0).titles(["Alpha", "Omega"]),
            ),
    ]
}
