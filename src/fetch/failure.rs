//! Errors as sentences with a kind: what a request died of, without its credentials.

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use url::Url;

use super::guard::{CONNECT_TIMEOUT, Refused};
use super::tls;
use crate::domain::feed::{ErrorKind, PollError};
use crate::domain::reach::Proxy;

/// A peer's own words in a message end here, in characters.
const MAX_WORDS: usize = 200;

/// A failure before or without an answer.
pub(super) fn failure(kind: ErrorKind, message: impl Into<String>) -> PollError {
    PollError { kind, http_status: None, message: message.into() }
}

/// A failure that a status or an answer with this status stands for.
pub(super) fn answered(kind: ErrorKind, status: StatusCode, message: impl Into<String>) -> PollError {
    PollError { kind, http_status: Some(status.as_u16()), message: message.into() }
}

/// A status as people read it: `404 Not Found`.
pub(super) fn status_words(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Host, and port if there is one: all of a URL that a message needs.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the server");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The same, where the request went through a proxy, which is named: what broke may be there.
#[must_use]
pub fn explain_through(error: reqwest::Error, url: &Url, proxy: Option<&Proxy>) -> PollError {
    let of_proxy = error.is_dns() && find::<Refused>(&error).is_none();
    let mut explained = explain(error, url);
    let Some(proxy) = proxy else { return explained };
    if explained.http_status.is_none() && explained.kind != ErrorKind::Refused {
        let place = proxy.place();
        let message = &explained.message;
        explained.message = match message.strip_suffix('.') {
            _ if of_proxy && proxy.resolves_names() => format!("the name of the proxy {place} does not resolve"),
            Some(sentence) => format!("{sentence} (through the proxy {place})."),
            None => format!("{message} (through the proxy {place})"),
        };
    }
    explained
}

/// What a request to `url` died of, found by walking down to the cause. No answer's status is in it.
#[must_use]
pub fn explain(error: reqwest::Error, url: &Url) -> PollError {
    let error = error.without_url();
    let place = place(url);
    let root = root(&error);
    if let Some(refused) = find::<Refused>(&error) {
        return failure(ErrorKind::Refused, refused.to_string());
    }
    if let Some(tls) = find::<rustls::Error>(&error)
        && !error.is_body()
    {
        return failure(ErrorKind::Tls, tls::sentence(tls, url.host_str().unwrap_or_default(), &place));
    }
    if error.is_builder() {
        return failure(ErrorKind::Refused, format!("no request can be made for this URL: {root}"));
    }
    if error.is_dns() {
        let host = url.host_str().unwrap_or_default();
        return failure(ErrorKind::Dns, format!("the name {host} does not resolve: {root}"));
    }
    if error.is_connect() {
        if error.is_timeout() {
            let message = format!("no connection to {place} within {} s", CONNECT_TIMEOUT.as_secs());
            return failure(ErrorKind::Connect, message);
        }
        if is_tls(&error) {
            return failure(ErrorKind::Tls, format!("TLS with {place} failed: {root}"));
        }
        return failure(ErrorKind::Connect, format!("no connection to {place}: {root}"));
    }
    if error.is_timeout() {
        return failure(ErrorKind::Timeout, format!("{place} did not answer in time"));
    }
    if error.is_body() || error.is_decode() {
        return failure(ErrorKind::Body, format!("the body from {place} ended early: {root}"));
    }
    failure(ErrorKind::Connect, format!("the connection to {place} broke: {root}"))
}

/// Whether a connection that could not be made says that the server is down: not if we refused it, nor if TLS did.
#[must_use]
pub fn is_down(error: &reqwest::Error) -> bool {
    find::<Refused>(error).is_none() && find::<rustls::Error>(error).is_none() && !is_tls(error)
}

/// The deepest cause, in its own words: one line, of bounded length.
pub(super) fn root(error: &(dyn Error + 'static)) -> String {
    one_line(chain(error).last().map(ToString::to_string).unwrap_or_default().trim_end_matches('.'))
}

/// Somebody else's words on one line of bounded length.
pub(super) fn one_line(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect()
}

/// While connecting, rustls reports through I/O errors of kinds that sockets do not have there.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut kinds = chain(error).filter_map(|error| error.downcast_ref()).map(io::Error::kind);
    kinds.any(|kind| matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof))
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(<dyn Error>::downcast_ref)
}

/// The error and its causes. The error inside an `io::Error` is not among its sources, and is looked at here.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_behind_io_errors_and_kept_on_one_line() {
        let inner = Refused { host: "x".to_owned(), address: "127.0.0.1".parse().unwrap() };
        let outer = io::Error::other(io::Error::other(inner.clone()));
        assert_eq!(find::<Refused>(&outer), Some(&inner));
        assert_eq!(root(&io::Error::other("two\nlines\u{1b}[1m.")), "two lines [1m");
        assert_eq!(root(&io::Error::other("x".repeat(10_000))).len(), MAX_WORDS);
    }

    #[test]
    fn a_place_is_a_host_and_an_unusual_port_only() {
        for (url, seen) in [
            ("https://ann:pw@example.org/feed?token=1", "example.org"),
            ("https://example.org:8443/", "example.org:8443"),
            ("http://[::1]:80/", "[::1]"),
        ] {
            assert_eq!(place(&Url::parse(url).unwrap()), seen);
        }
    }
}
