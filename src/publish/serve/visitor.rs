//! Who asks, as far as that matters: the address, for counting wrong tokens; and what they show.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::AUTHORIZATION;
use axum::http::{Extensions, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::publish::gate::Gate;

/// The other end of a connection; the accept loop puts it beside each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// For whom a request is made; `None`: it came through a Unix socket.
pub(crate) fn client(gate: &Gate, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
    let Peer(peer) = extensions.get::<Peer>()?;
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default()).collect();
    Some(gate.client(*peer, &forwarded))
}

/// The token that is shown, as a bearer's (RFC 6750 2.1) or as the password of any user (RFC 7617 2).
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    let pair = STANDARD.decode(rest).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// Wrong tokens from one address within [`WINDOW`], until no more are looked at.
const MOST_WRONG: u32 = 10;
/// How long that is remembered.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const REMEMBERED: usize = 1024;

/// Who showed wrong tokens lately.
#[derive(Debug, Default)]
pub(crate) struct Wrong(Mutex<HashMap<Option<IpAddr>, (u32, Instant)>>);

impl Wrong {
    /// How long nothing is looked at that this address shows; `None`: it may try.
    pub(crate) fn wait(&self, client: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = *seen.get(&client.map(household))?;
        (count >= MOST_WRONG).then(|| WINDOW.saturating_sub(now.duration_since(since))).filter(|left| !left.is_zero())
    }

    /// Notes a wrong token.
    pub(crate) fn note(&self, client: Option<IpAddr>, now: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = client.map(household);
        if seen.len() >= REMEMBERED && !seen.contains_key(&key) {
            seen.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
            // Still full: the one that is forgotten soonest goes.
            if seen.len() >= REMEMBERED
                && let Some(oldest) = seen.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| *key)
            {
                seen.remove(&oldest);
            }
        }
        let entry = seen.entry(key).or_insert((0, now));
        if now.duration_since(entry.1) >= WINDOW {
            *entry = (0, now);
        }
        entry.0 = entry.0.saturating_add(1);
    }
}

#[cfg(test)]
impl Wrong {
    /// As if a minute had passed.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// One who has an IPv6 address has 2^64 of them.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_token_is_a_bearers_or_the_password_of_any_user() {
        for (value, shown) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            // `me:open:sesame`: a password may have colons (RFC 7617 2).
            ("Basic bWU6b3BlbjpzZXNhbWU=", Some("open:sesame")),
            ("basic OnNlY3JldA==", Some("secret")),
            ("Basic bm9jb2xvbg==", None),
            ("Basic ***", None),
            ("Digest abc", None),
            ("abc", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            assert_eq!(token(&headers).as_deref(), shown, "{value:?}");
            headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
            assert_eq!(token(&headers), None, "two are none");
        }
        assert_eq!(token(&HeaderMap::new()), None);
    }

    #[test]
    fn who_guesses_waits_and_nobody_else_does_and_no_more_is_remembered_than_may_be() {
        let (wrong, start) = (Wrong::default(), Instant::now());
        let ip = |n: u32| Some(IpAddr::from(n.to_be_bytes()));
        for _ in 0..MOST_WRONG {
            assert_eq!(wrong.wait(ip(1), start), None);
            wrong.note(ip(1), start);
        }
        assert_eq!(wrong.wait(ip(1), start), Some(WINDOW));
        assert_eq!(wrong.wait(ip(2), start), None);
        assert_eq!(wrong.wait(ip(1), start + WINDOW), None);
        wrong.note(ip(1), start + WINDOW);
        assert_eq!(wrong.wait(ip(1), start + WINDOW), None, "it begins anew");
        for n in 0..5000 {
            wrong.note(ip(n), start + WINDOW);
        }
        assert!(wrong.0.lock().unwrap().len() <= REMEMBERED);
        let six = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for n in 0..MOST_WRONG {
            wrong.note(six(&format!("2001:db8:1:1::{n:x}")), start);
        }
        assert!(wrong.wait(six("2001:db8:1:1:ffff::1"), start).is_some(), "one household");
        assert!(wrong.wait(six("2001:db8:1:2::1"), start).is_none());
    }
}
