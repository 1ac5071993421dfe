//! Sequences of feed loads, played through the real daemon: is every story kept once, and none lost?
//!
//! A sequence is a sentence, one or several feeds, and steps. Each step sets what the feeds say, polls them once by
//! hand, waits until the outbox is empty, and compares what is published and what was called with what was wanted.
//! What is wanted follows design 3, "Items over time"; where the design is silent, what a user would want: no story
//! twice, no story lost, no call for nothing; precision before recall, with a comment that says so.
//!
//! ```ignore
//! Sequence::new("a slug edit under a kept guid is the same story, shown with its new link")
//!     .load([e("Alpha")], want(1, 1, 0))                            // items, calls item.new, calls item.updated
//!     .load([e("Alpha").link("{h}/alpha-2")], want(1, 1, 0).link("Alpha", "{h}/alpha-2")),
//! ```
//!
//! To add one: write it into the table of its theme, that is all. The runner numbers it, and gives it its own names
//! and hosts, so that sequences cannot meet though one daemon plays a whole table in lock-step:
//!
//! - `{h}` stands for the sequence's own site (`https://s017.example`), `{x}` for another one (`https://x017.example`),
//!   `{n}` for its number; they may stand in links, guids, texts, home pages and in what is wanted of them.
//! - `e("Alpha")` is an entry with the guid `g-alpha` (no permalink), the link `{h}/alpha`, sixty words of text of
//!   its own, published on day 1. Each part can be set or left out: `.guid` `.no_guid` `.permalink` `.link` `.no_link`
//!   `.title` `.no_title` `.text` `.html` `.no_text` `.on(day)` `.date(text)` `.no_date` `.updated(day)`
//!   `.enclosure` `.orig_link`. What is left out is really absent from the document. Day 150 is today.
//! - A load is a list of entries (feed `a`, RSS), or a list of `("b", rss([…]))`, `atom([…])`, `broken()`, each with
//!   `.home("{x}/")`, the site's page: by default `{h}/`, so that every feed is its publisher's own. Feeds are polled
//!   in the order of their names, once a step, those without a new document too; a feed without any is not polled.
//! - Counts are totals since the sequence began. `first_import` is `notify` unless `.feed("a", "first_import =
//!   \"quiet\"")` says otherwise: so every story that is stored should be called, once.
//! - `want(…)` can be followed by `.titles([…])`, `.revision(title, n)`, `.link(title, link)`, `.no_link(title)`,
//!   `.seen_in(title, ["a", "b"])`, `.main_feed(title, "a")`, `.says(title, part of its text)`, and `.same(title,
//!   former title)`: the story now called so has the id of the one that was called so. [`ANY`] is no wish.
//!
//! Always wanted, of every sequence, after every step: no id and no item stands twice; an id that was published stays
//! published; an item keeps its id; the stream holds what the store holds; no story is called as new twice; nothing
//! of another sequence is in it.

#![allow(clippy::too_many_lines, reason = "a table is as long as it has cases")]

mod configured;
mod edits;
mod feeds;
mod floods;
mod guids;
mod hubs;
mod language;
mod moves;
mod player;
mod shapes;

use player::play;

#[test]
fn a_story_that_is_edited_stays_one_story() {
    play(edits::table());
}

#[test]
fn a_story_that_moves_stays_one_story() {
    play(moves::table());
}

#[test]
fn guids_that_lie_neither_merge_nor_double_stories() {
    play(guids::table());
}

#[test]
fn stories_that_share_a_link_or_have_none_stay_apart() {
    play(hubs::table());
}

#[test]
fn a_feed_that_comes_back_changed_as_a_whole_is_no_flood() {
    play(floods::table());
}

#[test]
fn a_story_in_several_feeds_is_one_story() {
    play(feeds::table());
}

#[test]
fn documents_of_every_shape_keep_their_stories() {
    play(shapes::table());
}

#[test]
fn what_the_operator_says_about_a_feeds_identity_holds() {
    play(configured::table());
}
