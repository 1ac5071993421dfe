//! Who is let in at all: by which names the server is asked for, with which token, and whose word about an address
//! counts. Pure: what the configuration says, and the answers to questions about it.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use super::published::TokenHash;

/// Endings of names that nobody can register: a page of a stranger cannot have such a name led here (DNS rebinding).
/// RFC 6761 `localhost`, RFC 6762 `local`, RFC 8375 `home.arpa`, ICANN's `internal`; `lan` is what routers use.
const NOBODYS: [&str; 5] = [".localhost", ".local", ".home.arpa", ".internal", ".lan"];

/// What `[server]` says about who may ask.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gate {
    /// What everything but the probes asks for; `None`: it is open.
    pub read: Option<TokenHash>,
    /// Names that it answers to, lower case; addresses and `localhost` always do.
    pub hosts: Vec<String>,
    /// Whether it also answers to names that nobody outside can have.
    pub local_names: bool,
    /// Who may say for whom they ask.
    pub proxies: Vec<IpNet>,
}

impl Gate {
    /// Whether it answers to the `Host` of a request.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        match parse(host) {
            // A browser that was led here by a name sends the name: an address was meant.
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
            Some(Host::Domain(name)) => {
                let nobodys = !name.contains('.') || NOBODYS.iter().any(|end| name.ends_with(end));
                name == "localhost" || self.hosts.contains(&name) || (self.local_names && nobodys)
            }
            None => false,
        }
    }

    /// Whether who brings this along may read; always where nothing is asked for.
    #[must_use]
    pub fn admits(&self, offered: Option<&str>, admin: Option<&TokenHash>) -> bool {
        let Some(read) = &self.read else { return true };
        offered.is_some_and(|offered| read.admits(offered) || admin.is_some_and(|admin| admin.admits(offered)))
    }

    /// For whom a connection asks: its other end, unless that is a proxy of ours. Each of those has added to
    /// `X-Forwarded-For` whom it asks for, so the last one that is none of ours counts; what stands before it is
    /// only claimed.
    #[must_use]
    pub fn client(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let ours = |address: IpAddr| self.proxies.iter().any(|network| network.contains(&address));
        let mut client = peer.to_canonical();
        let named = forwarded.iter().rev().flat_map(|value| value.rsplit(','));
        for text in named {
            if !ours(client) {
                break;
            }
            let Ok(address) = text.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// The host of a `Host` header, without its port (RFC 9110 7.2).
fn parse(host: &str) -> Option<Host> {
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let bare = match host.rsplit_once(':') {
        Some((name, end)) if port(end) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    };
    Host::parse(bare.strip_suffix('.').unwrap_or(bare)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_to_its_names_and_to_addresses_and_to_nobody_elses_name() {
        let open = Gate { hosts: vec!["news.example".into()], local_names: true, ..Gate::default() };
        let strict = Gate { local_names: false, ..open.clone() };
        for (host, by_default, named) in [
            ("news.example", true, true),
            ("NEWS.example:8080", true, true),
            ("news.example.", true, true),
            ("127.0.0.1:7878", true, true),
            ("[::1]:7878", true, true),
            ("[fe80::1]", true, true),
            ("localhost:7878", true, true),
            ("nas:7878", true, false),
            ("nas.local", true, false),
            ("feedmill.home.arpa", true, false),
            ("evil.example", false, false),
            ("news.example.evil.example", false, false),
            ("xnews.example", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("evil.example:localhost", false, false),
            ("", false, false),
            ("news.example/../x", false, false),
        ] {
            assert_eq!((open.knows(host), strict.knows(host)), (by_default, named), "{host:?}");
        }
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed_and_only_about_its_own_client() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let gate = Gate { proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Gate::default() };
        for (peer, forwarded, client) in [
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
        ] {
            assert_eq!(gate.client(ip(peer), forwarded), ip(client), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn without_a_read_token_everybody_may_read_and_with_one_who_has_it_or_the_admins() {
        let (read, admin) = (TokenHash::of("reading"), TokenHash::of("managing"));
        assert!(Gate::default().admits(None, Some(&admin)));
        let gate = Gate { read: Some(read), ..Gate::default() };
        let may = |offered| gate.admits(offered, Some(&admin));
        assert!(may(Some("reading")) && may(Some("managing")));
        assert!(!may(None) && !may(Some("")) && !may(Some("other")));
        assert!(!gate.admits(Some("managing"), None));
    }
}
