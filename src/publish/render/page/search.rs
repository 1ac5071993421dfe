//! `/search`: a form, what was found with the places where it meets the query, and the same as feeds.

use maud::{Markup, html};

use super::super::{View, text};
use super::river::{lead, story};
use super::{Place, Site, address, alternates, shell};
use crate::domain::stream::TermHit;

/// Places of one story that are shown.
const PASSAGES: usize = 2;

/// What a search came to.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// The query as it was asked; empty: nothing was.
    pub query: &'a str,
    /// Best first; else newest first.
    pub best: bool,
    /// What was found, in order.
    pub views: &'a [View],
    /// Of each, its score and where it meets the query.
    pub told: &'a [(Option<f64>, Vec<TermHit>)],
    /// Where it goes on.
    pub next: Option<&'a str>,
    /// Only the latest was looked at.
    pub partial: bool,
    /// Why the query cannot be read.
    pub trouble: Option<&'a str>,
}

/// The page.
#[must_use]
pub fn search(site: &Site<'_>, results: &Results<'_>) -> String {
    let feed = |extension: &str| address(site.base, &format!("search.{extension}{}", asked(&[("q", results.query)])));
    let documents = [
        ("application/atom+xml", feed("atom")),
        ("application/rss+xml", feed("rss")),
        ("application/feed+json", feed("json")),
    ];
    let title = if results.query.is_empty() {
        "Search".to_owned()
    } else {
        format!("Search: {}", text::excerpt(results.query, 80))
    };
    let is_asked = !results.query.is_empty() && results.trouble.is_none();
    let main = html! {
        main #main {
            div.intro {
                h1 { "Search" }
                (form(site, results))
                @if let Some(trouble) = results.trouble { pre.trouble role="alert" tabindex="0" { (trouble) } }
                @if is_asked {
                    p.follow {
                        "Follow it in any reader: " code { (documents[0].1) }
                        @for (name, (_, url)) in ["RSS", "JSON"].iter().zip(documents.iter().skip(1)) { " · " a href=(url) { (name) } }
                    }
                } @else {
                    p { "Words, " code { "\"a phrase\"" } ", " code { "begin*" } ", " code { "title:word" } ", " code { "tag:name" } ", " code { "-without" } ", " code { "this OR that" } "." }
                }
                @if results.partial {
                    p role="status" { "This may be met by so much that only the latest was looked at. More words, or rarer ones, find the rest." }
                }
            }
            @if !results.views.is_empty() {
                section.day {
                    h2 { @if results.best { "Best first" } @else { "Newest first" } }
                    @for (view, (_, passages)) in results.views.iter().zip(results.told) {
                        (story(site, view, found(view, passages)))
                    }
                }
            }
            @if is_asked && results.views.is_empty() { p.empty { "Nothing was found." } }
            @if let Some(next) = results.next {
                nav.pager aria-label="Pages" {
                    a rel="next" href=(asked(&[("q", results.query), ("order", order(results.best)), ("after", next)])) { "More" }
                }
            }
        }
    };
    let head = if is_asked {
        alternates(&title, &documents)
    } else {
        html! {}
    };
    shell(site, &title, Place::Search, &head, &main)
}

fn order(best: bool) -> &'static str {
    if best { "score" } else { "date" }
}

fn form(site: &Site<'_>, results: &Results<'_>) -> Markup {
    html! {
        form.search action=(site.path("search")) method="get" role="search" {
            input type="search" name="q" value=(results.query) maxlength="1000" aria-label="What to search for" autocapitalize="off" spellcheck="false";
            select name="order" aria-label="Order" {
                option value="score" selected[results.best] { "best first" }
                option value="date" selected[!results.best] { "newest first" }
            }
            button type="submit" { "Search" }
        }
    }
}

/// The places outside of the title, with what meets the query marked; else the beginning of the text.
fn found(view: &View, passages: &[TermHit]) -> Option<Markup> {
    let outside: Vec<&TermHit> = passages.iter().filter(|passage| passage.field != "title").take(PASSAGES).collect();
    if outside.is_empty() {
        return lead(view).map(|lead| html! { (lead) });
    }
    Some(html! {
        @for (n, passage) in outside.iter().enumerate() {
            @if n > 0 { " … " }
            (marked(passage))
        }
    })
}

fn marked(passage: &TermHit) -> Markup {
    let chars: Vec<char> = passage.snippet.chars().collect();
    let part = |from: usize, to: usize| chars.get(from..to).unwrap_or_default().iter().collect::<String>();
    let mut at = 0;
    html! {
        @for (from, to) in &passage.highlights {
            (part(at, *from)) mark { (part(*from, *to)) }
            @let () = at = *to;
        }
        (part(at, chars.len()))
    }
}

/// What follows an address to ask it for something.
#[must_use]
pub fn asked(parameters: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
    query.extend_pairs(parameters);
    query.finish()
}
