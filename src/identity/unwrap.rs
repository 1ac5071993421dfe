//! Addresses that lead on to another one which stands in them, nested up to five deep.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use super::params::Folded;
use super::parts::Parts;
use super::rules::Context;
use super::table::{Redirector, Target};

/// How deep redirectors are nested at most. What is deeper is left as it is, all of it.
const DEEPEST: usize = 5;

/// Puts the target in the place of the redirector.
pub(super) fn redirector(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let Some(target) = target(parts, context) else { return false };
    let Some(inner) = of(&target) else { return false };
    let mut deeper = self::target(&inner, context);
    for _ in 1..DEEPEST {
        let Some(text) = deeper else { break };
        deeper = of(&text).and_then(|inner| self::target(&inner, context));
    }
    if deeper.is_some() {
        return false;
    }
    lead_on(parts, inner);
    true
}

/// What a browser does: the fragment of the redirector goes on to a target that has none (RFC 9110 10.2.2).
pub(super) fn lead_on(parts: &mut Parts<'_>, target: Parts<'static>) {
    let fragment = parts.fragment.take().map(|fragment| Cow::Owned(fragment.into_owned()));
    *parts = target;
    if parts.fragment.is_none() {
        parts.fragment = fragment;
    }
}

/// The parts of a target.
pub(super) fn of(target: &str) -> Option<Parts<'static>> {
    let url = Url::parse(target).ok()?;
    Parts::of(&url).map(Parts::owned)
}

fn target(parts: &Parts<'_>, context: &Context<'_>) -> Option<String> {
    if parts.port.is_some() {
        return None;
    }
    let known = context.table.redirectors.of(bare(&parts.host));
    known.filter_map(|known| found(known, parts)).next()
}

/// The host as the table has it.
fn bare(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_prefix("www.").unwrap_or(host)
}

fn found(known: &Redirector, parts: &Parts<'_>) -> Option<String> {
    let rest = known.place.rest(&parts.path)?;
    known.targets.iter().find_map(|target| match target {
        Target::Param(name) => in_param(name, parts),
        Target::Query => absolute(parts.query.as_deref()?),
        Target::Path => in_path(rest),
        Target::Segment(marker) => in_segment(marker, rest),
        Target::Underscores => in_underscores(parts, rest),
        Target::LongUnderscores => in_long_underscores(parts, rest),
        Target::Dashes(name) => in_dashes(name, parts),
    })
}

fn in_param(name: &str, parts: &Parts<'_>) -> Option<String> {
    let param = parts.params().find(|param| {
        let param = param.trim_start_matches("amp;");
        Folded::of(param).is(name)
    })?;
    let (_, value) = param.split_once('=')?;
    // A target that was not encoded may go on behind the `&`: nobody knows whose parameters those are.
    if value.contains('?') && parts.params().nth(1).is_some() {
        return None;
    }
    // `disq.us/url?url=…:token`.
    let value =
        if parts.host.ends_with("disq.us") { value.rsplit_once("%3A").map_or(value, |(url, _)| url) } else { value };
    absolute(value)
}

/// What follows in the path: `/https%3A%2F%2Fe.org%2Fa/more`, `/https%3A//e.org/a`, `/token/https://e.org/a`.
fn in_path(rest: &str) -> Option<String> {
    // Yahoo's old `/*http://…`, with a star before it.
    let unmarked = segments(rest).map(|(at, segment)| match segment.strip_prefix('*') {
        Some(segment) => (at + 1, segment),
        None => (at, segment),
    });
    let (at, segment) = unmarked.into_iter().find(|(_, segment)| is_start(segment))?;
    let one = absolute(segment).filter(|url| url.split_once("://").is_some_and(|(_, rest)| !rest.is_empty()));
    one.or_else(|| absolute(rest.get(at..)?))
}

fn in_segment(marker: &str, rest: &str) -> Option<String> {
    let starts = |segment: &&str| segment.get(..marker.len()).is_some_and(|start| start.eq_ignore_ascii_case(marker));
    let segment = segments(rest).map(|(_, segment)| segment).find(starts)?;
    absolute(segment.get(marker.len()..)?)
}

/// `/__https://e.org/a?b=1__;!!token`; a `*` stands for a character that the token holds.
fn in_underscores(parts: &Parts<'_>, rest: &str) -> Option<String> {
    let query = parts.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{rest}{query}");
    let (target, _) = text.strip_prefix("/__")?.split_once("__;")?;
    if target.contains('*') { None } else { absolute(target) }
}

/// `/___https://e.org/a?b=1___.token`.
fn in_long_underscores(parts: &Parts<'_>, rest: &str) -> Option<String> {
    let query = parts.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{rest}{query}");
    let (target, _) = text.strip_prefix("/___")?.split_once("___.")?;
    absolute(target)
}

/// `u=https-3A__e.org_a-3Fb-3D1`: `-` and two hex digits for a triplet, `_` for a slash.
fn in_dashes(name: &str, parts: &Parts<'_>) -> Option<String> {
    let value = parts.params().find(|param| Folded::of(param).is(name))?.split_once('=')?.1;
    absolute(&value.replace('_', "/").replace('-', "%"))
}

fn segments(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
    starts.filter_map(|at| Some((at, path.get(at..)?.split('/').next()?)))
}

fn is_start(text: &str) -> bool {
    let scheme = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("https"));
    let rest = if scheme {
        text.get(5..)
    } else {
        text.get(..4).filter(|s| s.eq_ignore_ascii_case("http")).and(text.get(4..))
    };
    rest.is_some_and(|rest| rest.starts_with(':') || rest.get(..3).is_some_and(|mark| mark.eq_ignore_ascii_case("%3a")))
}

/// A text that is an absolute http(s) URL, encoded once, twice, or not.
pub(super) fn absolute(text: &str) -> Option<String> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..3 {
        let is_plain = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if is_plain("https://") || is_plain("http://") {
            return Some(text.into_owned());
        }
        if !is_start(&text) && !text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) {
            return None;
        }
        text = Cow::Owned(percent_decode_str(&text).decode_utf8().ok()?.into_owned());
    }
    None
}
