//! What is known of single hosts: names that track there, mobile twins, and sites with two addresses for one thing.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::params::Folded;
use super::parts::{Parts, name};
use super::rules::{Context, looks_like_article};
use super::unwrap;

/// Names that track on this host.
pub(super) fn host_tracking(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if parts.query.is_none() {
        return false;
    }
    let host = parts.host.clone();
    let bounds: Vec<_> = context.table.hosts.of(&host).filter(|bound| bound.place.is_at(&parts.path)).collect();
    if bounds.is_empty() {
        return false;
    }
    context.drop_params(parts, |param| {
        let folded = Folded::of(param);
        bounds.iter().any(|bound| bound.names.hold(&folded))
    })
}

/// Names that the feed's own switches drop.
pub(super) fn feed_drop(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let Some(switches) = context.feed.filter(|switches| !switches.drop.is_empty()) else { return false };
    context.drop_params(parts, |param| switches.drop.hold(&Folded::of(param)))
}

/// Amazon's `/ref=…` at the end of a path.
pub(super) fn path_ref(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let path = parts.path.strip_suffix('/').unwrap_or(&parts.path);
    let Some((page, _)) = path.rsplit_once('/').filter(|(_, last)| last.starts_with("ref=")) else { return false };
    if !is_shop(&parts.host) {
        return false;
    }
    let length = page.len();
    parts.cut_path(length)
}

fn is_shop(host: &str) -> bool {
    let bare = host.strip_prefix("www.").unwrap_or(host);
    ["amazon.", "audible.", "m.amazon.", "smile.amazon."].iter().any(|name| {
        let end = bare.strip_prefix(name);
        end.is_some_and(|end| end == "com" || end.len() == 2 || end.starts_with("co.") || end.starts_with("com."))
    })
}

/// `m.` and `mobile.` of the hosts whose twin has the same paths.
pub(super) fn mobile_host(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let Some(bare) = parts.host.strip_prefix("m.").or_else(|| parts.host.strip_prefix("mobile.")) else { return false };
    if context.table.mobile.exactly(bare).is_none() {
        return false;
    }
    parts.host = Cow::Owned(bare.to_owned());
    true
}

/// Hosts that are another one: `old.reddit.com`, `twitter.com`, `de.m.wikipedia.org`.
pub(super) fn same_host(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let bare = parts.host.strip_prefix("www.").unwrap_or(&parts.host);
    let known = context.table.same.all_exactly(bare).find(|same| same.place.is_at(&parts.path));
    let other = match known {
        Some(same) => same.to.to_string(),
        None => {
            let edition = |(from, to): &(Box<str>, Box<str>)| {
                let language = bare.strip_suffix(&**from)?;
                (!language.is_empty()).then(|| format!("{language}{to}"))
            };
            let Some(other) = context.table.editions.iter().find_map(edition) else { return false };
            other
        }
    };
    if other == *parts.host {
        return false;
    }
    parts.host = Cow::Owned(other);
    true
}

/// The same blog under two addresses: Blogger's for a country, Substack's for its reader.
pub(super) fn blog_address(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if parts.host == "open.substack.com" {
        let Some((blog, page)) = parts.path.strip_prefix("/pub/").and_then(|rest| rest.split_once('/')) else {
            return false;
        };
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if blog.is_empty() || !is_name(blog) || !page.starts_with("p/") {
            return false;
        }
        (parts.host, parts.path) = (Cow::Owned(format!("{blog}.substack.com")), Cow::Owned(format!("/{page}")));
        return true;
    }
    let country = parts.host.split_once(".blogspot.").filter(|(_, end)| *end != "com" && is_country(end));
    if let Some((blog, _)) = country {
        parts.host = Cow::Owned(format!("{blog}.blogspot.com"));
        return true;
    }
    // Blogger's own view for telephones, under whatever host: its articles are `/2024/05/title.html`.
    is_blogger(&parts.path) && context.drop_params(parts, |param| matches!(param, "m=0" | "m=1"))
}

/// `de`, `co.uk`, `com.br`.
fn is_country(end: &str) -> bool {
    let country = end.strip_prefix("com.").or_else(|| end.strip_prefix("co.")).unwrap_or(end);
    country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_blogger(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let number = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    number(parts.next(), 4)
        && number(parts.next(), 2)
        && parts.next().is_some_and(|page| page.ends_with(".html"))
        && parts.next().is_none()
}

/// The path without the part by which this site marks its AMP pages: `/news/amp/uk-1`, `/platform/amp/2024/a`.
pub(super) fn amp_section(parts: &Parts<'_>, context: &Context<'_>) -> Option<String> {
    let host = parts.host.strip_prefix("www.").unwrap_or(&parts.host);
    let section = context.table.amp_sections.all_exactly(host).find(|section| parts.path.contains(&***section))?;
    if !looks_like_article(&parts.path) {
        return None;
    }
    let (before, rest) = parts.path.split_once(&**section)?;
    // `/amp_articleshow/` is `/articleshow/`, `/amp/` is `/`.
    let instead = section.strip_prefix("/amp_").map_or_else(|| "/".to_owned(), |name| format!("/{name}"));
    Some(format!("{before}{instead}{rest}"))
}

/// `youtu.be/ID`, `/shorts/ID`, `/embed/ID`, `/live/ID`, `/v/ID`: one film.
pub(super) fn youtube(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let host = parts.host.strip_prefix("www.").unwrap_or(&parts.host);
    if host == "youtube.com" && parts.path == "/attribution_link" {
        return attribution(parts);
    }
    let id = match host {
        "youtu.be" => parts.path.strip_prefix('/'),
        "youtube.com" | "m.youtube.com" | "youtube-nocookie.com" => {
            ["/shorts/", "/embed/", "/live/", "/v/", "/e/", "/watch/"]
                .iter()
                .find_map(|kind| parts.path.strip_prefix(kind))
        }
        _ => None,
    };
    let Some(id) = id.map(|id| id.strip_suffix('/').unwrap_or(id)) else { return false };
    let is_id = id.len() == 11
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !matches!(id, "videoseries" | "live_stream");
    if !is_id || parts.params().any(|param| name(param) == "v") {
        return false;
    }
    let rest = parts.query.as_deref().map(|query| format!("&{query}")).unwrap_or_default();
    parts.query = Some(Cow::Owned(format!("v={id}{rest}")));
    parts.path = Cow::Borrowed("/watch");
    parts.host = Cow::Borrowed("youtube.com");
    true
}

/// `/attribution_link?a=…&u=%2Fwatch%3Fv%3DID`: a link that was shared from within.
fn attribution(parts: &mut Parts<'_>) -> bool {
    let target = parts.params().find_map(|param| param.strip_prefix("u="));
    let target = target.and_then(|target| percent_decode_str(target).decode_utf8().ok());
    let Some(target) = target.filter(|target| target.starts_with("/watch?v=")) else { return false };
    let Some(page) = unwrap::of(&format!("https://youtube.com{target}")) else { return false };
    unwrap::lead_on(parts, page);
    true
}

/// `/rss/articles/CODE`, `/articles/CODE` and `/read/CODE`: one code, in whatever language the page around it is.
pub(super) fn google_news(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if parts.host != "news.google.com" {
        return false;
    }
    let Some(rest) = parts.path.strip_prefix("/rss/articles/").or_else(|| parts.path.strip_prefix("/read/")) else {
        let is_article = parts.path.starts_with("/articles/");
        return is_article && context.drop_params(parts, |param| matches!(name(param), "oc" | "hl" | "gl" | "ceid"));
    };
    parts.path = Cow::Owned(format!("/articles/{rest}"));
    true
}

/// What a file of ClearURLs says that is no name on a host.
pub(super) fn clearurls(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if context.table.providers.is_empty() {
        return false;
    }
    let url = parts.to_string();
    let host = parts.host.clone();
    let active: Vec<_> = context.table.providers.iter().filter(|provider| provider.is_for(&host, &url)).collect();
    let target = active.iter().find_map(|provider| unwrap::of(&unwrap::absolute(provider.target(&url)?)?));
    if let Some(target) = target {
        unwrap::lead_on(parts, target);
        return true;
    }
    let mut changed = context.drop_params(parts, |param| active.iter().any(|provider| provider.names(param)));
    for provider in active {
        if let Some(path) = provider.shorter_path(parts) {
            parts.path = Cow::Owned(path);
            changed = true;
        }
    }
    changed
}
