//! How to follow one stream: its addresses, one for each format, and the same as a file for readers.

use maud::html;

use super::{Place, Site, alternates, shell, text};
use crate::domain::name::ALL;
use crate::domain::shape::StreamShape;

/// `/{stream}/subscribe`. `asked`: what follows the addresses of a private stream.
#[must_use]
pub fn subscribe(site: &Site<'_>, stream: &StreamShape, asked: &str) -> String {
    let title = text::present(Some(&stream.title)).unwrap_or(&stream.name);
    let formats = [
        (
            "Atom",
            "application/atom+xml",
            &stream.atom_url,
            "The best choice for most readers: it says where each story comes from, and leads to older ones.",
        ),
        ("RSS", "application/rss+xml", &stream.rss_url, "For readers and podcast players that know nothing else."),
        (
            "JSON Feed",
            "application/feed+json",
            &stream.json_url,
            "For programs: items as JSON, with all their sources.",
        ),
    ];
    let documents: Vec<(&str, String)> =
        formats.iter().map(|(_, kind, url, _)| (*kind, format!("{url}{asked}"))).collect();
    let river = site.path(&format!("{}{asked}", if stream.name == ALL { "" } else { &stream.name }));
    let main = html! {
        main #main {
            div.intro {
                h1 { "Follow " bdi { (title) } }
                p { "Copy one of these addresses into your feed reader. All three have the same stories." }
            }
            dl.addresses {
                @for ((name, _, _, words), (_, url)) in formats.iter().zip(&documents) {
                    dt { (name) }
                    dd {
                        a.address href=(url) { (url) }
                        small { (words) }
                    }
                }
                dt { "OPML" }
                dd {
                    a href=(site.path(&format!("{}/subscribe.opml{asked}", stream.name))) { "A file for your reader's import" }
                    small { "With the Atom address in it." }
                }
            }
            @if !asked.is_empty() {
                p.hint { "These addresses have the stream's token in them: whoever knows one can read it." }
            }
            p { a href=(river) { "To the stories" } }
        }
    };
    shell(site, &format!("Follow {title}"), Place::Elsewhere, &alternates(title, &documents), &main)
}
