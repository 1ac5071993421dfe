//! What a server or a publisher's feed adds to a link: session ids, `ref=rss`, `ref=blog.example`.

use std::borrow::Cow;

use super::params::Folded;
use super::parts::{Parts, name};
use super::percent;
use super::rules::Context;

/// Parameters that are a session's id, whatever the server.
const SESSIONS: &[&str] =
    &["jsessionid", "phpsessid", "sessionid", "session_id", "sessid", "oscsid", "zenid", "xtcsid"];
/// The shortest that is taken for a session's id, in bytes.
const SHORTEST: usize = 16;
/// The same where the name says little.
const SHORTEST_SID: usize = 24;
/// Names by which a publisher's feed marks its links.
const MARKS: &[&str] =
    &["ref", "source", "src", "from", "via", "origin", "referrer", "referer", "cmp", "partner", "emc", "medium"];
/// What stands behind them. `format=rss` or `feed=rss2` are the feed itself, and have other names.
const FEEDS: &[&str] =
    &["rss", "rss2", "rss2.0", "rssfeed", "rss-feed", "rss_feed", "rssfeeds", "rss-feeds", "rss_feeds", "feedburner"];
/// The first of the marks, with which `feed` says the same.
const PLAIN_MARKS: usize = 4;
/// Endings of hosts that are no ending of a file: `ref=main.rs` is a file, `ref=notes.md` too.
const ENDINGS: &[&str] = &[
    "com",
    "org",
    "net",
    "edu",
    "gov",
    "int",
    "io",
    "co",
    "dev",
    "app",
    "blog",
    "news",
    "info",
    "biz",
    "online",
    "site",
    "tech",
    "page",
    "media",
    "me",
    "tv",
    "fm",
    "ai",
    "gg",
    "ly",
    "to",
    "la",
    "eu",
    "de",
    "fr",
    "uk",
    "it",
    "es",
    "nl",
    "be",
    "ch",
    "at",
    "se",
    "no",
    "dk",
    "fi",
    "is",
    "ie",
    "pt",
    "pl",
    "cz",
    "sk",
    "hu",
    "ro",
    "bg",
    "gr",
    "hr",
    "si",
    "lt",
    "lv",
    "ee",
    "lu",
    "mt",
    "cy",
    "ba",
    "mk",
    "al",
    "ru",
    "ua",
    "by",
    "kz",
    "ge",
    "am",
    "az",
    "tr",
    "il",
    "sa",
    "ae",
    "eg",
    "ma",
    "tn",
    "in",
    "pk",
    "bd",
    "lk",
    "np",
    "cn",
    "jp",
    "kr",
    "tw",
    "hk",
    "sg",
    "my",
    "th",
    "vn",
    "ph",
    "id",
    "au",
    "nz",
    "ca",
    "us",
    "mx",
    "br",
    "ar",
    "cl",
    "pe",
    "uy",
    "ve",
    "cr",
    "cu",
    "za",
    "ng",
    "ke",
    "gh",
    "tz",
    "su",
    "asia",
    "africa",
    "berlin",
    "london",
    "paris",
    "xyz",
    "club",
    "social",
    "email",
    "world",
    "press",
    "today",
    "live",
    "space",
    "cloud",
    "agency",
    "digital",
    "design",
    "studio",
    "network",
    "systems",
    "solutions",
    "services",
    "group",
    "team",
    "works",
    "report",
    "review",
    "reviews",
    "store",
    "shop",
    "art",
    "photo",
    "photos",
    "photography",
    "film",
    "video",
    "games",
    "fun",
    "one",
    "life",
    "earth",
    "health",
    "school",
    "academy",
    "university",
    "science",
    "institute",
    "foundation",
    "law",
    "money",
    "finance",
    "capital",
    "ventures",
    "vc",
    "fund",
    "market",
    "marketing",
    "consulting",
    "expert",
    "engineer",
    "engineering",
    "software",
    "technology",
    "website",
    "ink",
    "wtf",
    "community",
    "center",
    "city",
    "house",
    "land",
    "love",
    "ninja",
    "rocks",
    "run",
    "top",
    "tools",
    "wiki",
    "zone",
];

/// True if the parameter is a session's id.
pub(super) fn session_param(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if parts.query.is_none() {
        return false;
    }
    let is = |param: &str, known: &str| name(param).eq_ignore_ascii_case(known);
    let with_token = parts.params().any(|param| is(param, "cftoken"));
    let script = is_forum_script(&parts.path);
    context.drop_params(parts, |param| {
        if with_token && (is(param, "cfid") || is(param, "cftoken")) {
            return true;
        }
        let value = param.split_once('=').map(|(_, value)| value).unwrap_or_default();
        // Most values are too short: only then is the name looked at.
        if value.len() < SHORTEST {
            return false;
        }
        if SESSIONS.iter().any(|known| is(param, known)) {
            return is_token(value, SHORTEST);
        }
        if name(param).get(..12).is_some_and(|start| start.eq_ignore_ascii_case("aspsessionid")) {
            return value.bytes().all(|byte| byte.is_ascii_uppercase());
        }
        // vBulletin's `s`, in its own scripts only.
        (is(param, "sid") && is_token(value, SHORTEST_SID))
            || (script && is(param, "s") && value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

fn is_forum_script(path: &str) -> bool {
    ["/showthread.php", "/showpost.php", "/forumdisplay.php", "/member.php"].iter().any(|script| path.ends_with(script))
}

/// Letters and digits, mixed, as a machine writes them; not a number, and not words.
fn is_token(value: &str, shortest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'!' | b'.' | b',');
    value.len() >= shortest
        && value.bytes().all(allowed)
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !value.contains("--")
        && value.bytes().filter(|byte| *byte == b'-').count() <= 4
}

/// `/a;jsessionid=…`, `/(S(…))/a`.
pub(super) fn session_path(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let path = &parts.path;
    if !path.contains([';', '(']) {
        return false;
    }
    if let Some(start) = find_no_case(path, ";jsessionid=").or_else(|| find_no_case(path, ";phpsessid=")) {
        let after = path.get(start + 1..).unwrap_or_default();
        let end = after.find(['/', ';']).map_or(path.len(), |end| start + 1 + end);
        let (before, rest) = (path.get(..start).unwrap_or_default(), path.get(end..).unwrap_or_default());
        parts.path = Cow::Owned(format!("{}{rest}", if before.is_empty() { "/" } else { before }));
        return true;
    }
    // ASP.NET without cookies: letter and 24 characters in brackets, once or more.
    let Some(start) = path.find("/(") else { return false };
    let segment = path.get(start + 1..).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let inner = segment.strip_prefix('(').and_then(|rest| rest.strip_suffix("))")).unwrap_or_default();
    let is_session = inner.split(')').all(|part| {
        let id = part.get(2..).unwrap_or_default();
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.get(1..2) == Some("(")
            && id.len() == 24
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    if !is_session {
        return false;
    }
    let rest = path.get(start + 1 + segment.len()..).unwrap_or_default();
    let path = format!("{}{}", path.get(..start).unwrap_or_default(), rest);
    parts.path = Cow::Owned(if path.is_empty() { "/".to_owned() } else { path });
    true
}

fn find_no_case(text: &str, wanted: &str) -> Option<usize> {
    let starts = |at: &usize| text.get(*at..at + wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted));
    text.match_indices(';').map(|(at, _)| at).find(starts)
}

/// `?ref=rss`: the publisher's own feed marks its links.
pub(super) fn feed_mark(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if parts.query.is_none() {
        return false;
    }
    // `?rss=1` may also be the feed of a page: only what is an article for certain loses it.
    let is_article = is_surely_article(&parts.path);
    let bare = |param: &str| {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        name.eq_ignore_ascii_case("rss") && matches!(value, "" | "1" | "yes" | "true")
    };
    context.drop_params(parts, |param| is_feed_mark(param) || (is_article && bare(param)))
}

/// A number of four digits or more, or a slug of four words or more, at its end.
fn is_surely_article(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let digits = last.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    digits >= 4 || last.bytes().filter(|byte| *byte == b'-').count() >= 3
}

/// `WordPress`: the same page, with the form below the comment that is answered.
pub(super) fn reply(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    context.drop_params(parts, |param| {
        let number = param.strip_prefix("replytocom=");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `#ref=rss`.
pub(super) fn feed_mark_fragment(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    parts.fragment.take_if(|fragment| is_feed_mark(fragment)).is_some()
}

fn is_feed_mark(param: &str) -> bool {
    let Some((_, value)) = param.split_once('=') else { return false };
    // Medium, also under a publication's own domain: `source=rss----<publication>---4`.
    if value.starts_with("rss-") && value.contains("---") {
        return Folded::of(param).is("source");
    }
    let is_plain = value.eq_ignore_ascii_case("feed");
    // Most values are none of these: only then is the name looked at.
    if !is_plain && !FEEDS.iter().any(|known| value.eq_ignore_ascii_case(known)) {
        return false;
    }
    let folded = Folded::of(param);
    MARKS.iter().position(|known| folded.is(known)).is_some_and(|place| !is_plain || place < PLAIN_MARKS)
}

/// `?ref=blog.example`: Ghost and others name the site that the reader comes from.
pub(super) fn ref_host(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let is_ref = |param: &str| name(param).eq_ignore_ascii_case("ref");
    // On a code host `ref` is a branch, and branches have dots.
    if !parts.params().any(is_ref)
        || parts.path.contains("/blob/")
        || parts.path.contains("/tree/")
        || parts.path.contains("/raw/")
    {
        return false;
    }
    context.drop_params(parts, |param| {
        is_ref(param)
            && param
                .split_once('=')
                .is_some_and(|(_, value)| is_host(value) || value.eq_ignore_ascii_case("producthunt"))
    })
}

fn is_host(value: &str) -> bool {
    let value = value.strip_suffix('/').unwrap_or(value);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let Some((before, end)) = value.rsplit_once('.') else { return false };
    value.len() <= 253
        && before.split('.').all(is_label)
        && before.bytes().any(|byte| byte.is_ascii_alphabetic())
        && ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known))
        && percent::triplet(value).is_none()
}
