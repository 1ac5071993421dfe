//! What a server or a publisher's feed adds to a link: session ids, `ref=rss`, `ref=blog.example`.

use std::borrow::Cow;

use super::names::ENDINGS;
use super::params::Folded;
use super::parts::{Parts, name};
use super::percent;
use super::rules::Context;

/// Parameters that are a session's id and nothing else: a server writes them.
const SESSIONS: &[&str] =
    &["jsessionid", "phpsessid", "phpsessionid", "asp.net_sessionid", "sessid", "oscsid", "zenid", "xtcsid"];
/// Parameters that may also be a talk's at a conference, or a story's.
const LOOSE_SESSIONS: &[&str] = &["sessionid", "session_id", "sid"];
/// The shortest that is taken for a session's id, in bytes.
const SHORTEST: usize = 16;
/// The same where the name says little.
const SHORTEST_LOOSE: usize = 24;
/// The shortest id that Drip takes for a subscriber.
const SHORTEST_DRIP: usize = 6;
/// Names by which a publisher's feed marks its links.
const MARKS: &[&str] = &[
    "ref", "source", "src", "from", "via", "origin", "referrer", "referer", "cmp", "partner", "emc", "medium", "ncid",
    "ocid", "cid", "icid", "mod", "smid", "campaign", "ftcamp", "iref", "rs",
];
/// What stands behind them. `format=rss` or `feed=rss2` are the feed itself, and have other names.
const FEEDS: &[&str] =
    &["rss", "rss2", "rss2.0", "rssfeed", "rss-feed", "rss_feed", "rssfeeds", "rss-feeds", "rss_feeds", "feedburner"];
/// The first of the marks, with which `feed` says the same.
const PLAIN_MARKS: usize = 4;
/// True if the parameter is a session's id.
pub(super) fn session_param(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    if parts.query.is_none() {
        return false;
    }
    let is = |param: &str, known: &str| name(param).eq_ignore_ascii_case(known);
    // ColdFusion's two go together; one alone may be anything.
    let coldfusion = ["cfid", "cftoken"].iter().all(|known| parts.params().any(|param| is(param, known)));
    let script = is_forum_script(&parts.path);
    context.drop_params(parts, |param| {
        if coldfusion && (is(param, "cfid") || is(param, "cftoken")) {
            return true;
        }
        let value = param.split_once('=').map(|(_, value)| value).unwrap_or_default();
        // Most values are too short: only then is the name looked at.
        if value.len() < SHORTEST {
            return value.len() >= SHORTEST_DRIP && is(param, "__s") && is_alphanumeric(value);
        }
        if SESSIONS.iter().any(|known| is(param, known)) {
            return is_token(value);
        }
        if name(param).get(..12).is_some_and(|start| start.eq_ignore_ascii_case("aspsessionid")) {
            return value.bytes().all(|byte| byte.is_ascii_uppercase());
        }
        // vBulletin's `s`, in its own scripts only.
        (LOOSE_SESSIONS.iter().any(|known| is(param, known)) && is_random(value))
            || (is(param, "__s") && is_alphanumeric(value))
            || (script && is(param, "s") && value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

fn is_forum_script(path: &str) -> bool {
    ["/showthread.php", "/showpost.php", "/forumdisplay.php", "/member.php"].iter().any(|script| path.ends_with(script))
}

fn is_alphanumeric(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Letters and digits, mixed, as a machine writes them; not a number, and not words.
fn is_token(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'!' | b'.' | b',');
    value.bytes().all(allowed)
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !value.contains("--")
        && value.bytes().filter(|byte| *byte == b'-').count() <= 4
}

/// What is drawn by chance, whatever its name: hex digits, or letters and digits without a break of which a good part
/// are digits, or a UUID. A slug has breaks, and few digits.
fn is_random(value: &str) -> bool {
    let count = |is: fn(&u8) -> bool| value.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    let hex = count(u8::is_ascii_hexdigit);
    let is_uuid = value.len() == 36
        && hex == 32
        && [8, 13, 18, 23].iter().all(|place| value.as_bytes().get(*place) == Some(&b'-'));
    is_uuid
        || (value.len() >= SHORTEST_LOOSE
            && is_alphanumeric(value)
            && digits < value.len()
            && (hex == value.len() || digits * 6 >= value.len()))
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
        (name.eq_ignore_ascii_case("rss") && matches!(value, "" | "1" | "yes" | "true"))
            || ((name.eq_ignore_ascii_case("fromrss") || name.eq_ignore_ascii_case("from_rss")) && value.len() <= 4)
            || is_named_feed(param)
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

/// `ref=rss_top`, `source=rss-sport`: which of the publisher's feeds it was.
fn is_named_feed(param: &str) -> bool {
    let Some((name, value)) = param.split_once('=') else { return false };
    let is_feed = value.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("rss"))
        && value.get(3..).is_some_and(|rest| rest.starts_with(['_', '-', ':', '.']));
    is_feed && MARKS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// `?ref=blog.example`: Ghost and others name the site that the reader comes from.
pub(super) fn ref_host(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let is_ref = |param: &str| name(param).eq_ignore_ascii_case("ref");
    if !parts.params().any(is_ref) || is_code(parts) {
        return false;
    }
    context.drop_params(parts, |param| {
        is_ref(param)
            && param
                .split_once('=')
                .is_some_and(|(_, value)| is_host(value) || value.eq_ignore_ascii_case("producthunt"))
    })
}

/// On a code host `ref` is a branch, and branches have dots.
fn is_code(parts: &Parts<'_>) -> bool {
    const PLACES: &[&str] =
        &["/blob/", "/tree/", "/raw/", "/src/", "/commits", "/contents/", "/repository/", "/archive/", "/compare/"];
    let is_forge = |label: &str| label == "code" || (label.starts_with("git") && label != "github");
    parts.host.split('.').any(is_forge) || PLACES.iter().any(|place| parts.path.contains(place))
}

/// As Ghost writes it: in lower case. What has capitals is a number in a catalogue.
fn is_host(value: &str) -> bool {
    let value = value.strip_suffix('/').unwrap_or(value);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let Some((before, end)) = value.rsplit_once('.') else { return false };
    value.len() <= 253
        && before.split('.').all(is_label)
        && before.bytes().any(|byte| byte.is_ascii_alphabetic())
        && ENDINGS.contains(&end)
        && percent::triplet(value).is_none()
}
