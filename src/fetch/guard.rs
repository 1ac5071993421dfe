//! Where connections may go: nowhere but to public addresses, unless the configuration names a network.
//!
//! A name is checked where it is resolved, so that the address that was checked is the one that is connected to
//! (no DNS rebinding); an address in the place of a name is checked in the URL, for no resolver is asked for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use url::{Host, Url};

pub use super::roots::Roots;
use crate::domain::reach::{Proxy, Reach};

/// To reach a server, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that are kept between requests: long enough for several feeds of one host in one round. How many there are is
/// bounded by how many requests a host has at a time; to keep fewer would be to open them again and again.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// What a server may send ahead of us reading it, a connection.
const HTTP2_WINDOW_BYTES: u32 = 256 * 1024;
const HTTP2_HEADER_BYTES: u32 = 64 * 1024;
/// Lookups at a time, for polls and for calls each. Together they stay below what the unit allows (`TasksMax`).
const LOOKUPS: usize = 96;
/// Addresses of one family that are tried for one name.
const ADDRESSES: usize = 8;

/// Special-purpose IPv4 (the IANA registry of RFC 6890): private, local, shared, documentation, multicast.
const REFUSED_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All that IANA has given out as global unicast; `::`, `::1`, `fc00::/7`, `fe80::/10`, `ff00::/8` are outside.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Special-purpose blocks within it: protocol assignments, documentation.
const REFUSED_V6: [Ipv6Net; 3] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// IPv6 addresses that stand for IPv4 ones: NAT64 (RFC 6052), Teredo (RFC 4380), 6to4 (RFC 3056).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const TEREDO: Ipv6Net = v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

const fn v4_all() -> IpNet {
    IpNet::V4(v4([0; 4], 0))
}

const fn v6_all() -> IpNet {
    IpNet::V6(v6([0; 8], 0))
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// Where connections may go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Guard {
    allow: Vec<IpNet>,
}

impl Guard {
    /// Public addresses, and these networks.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether this address may be connected to. An address that stands for an IPv4 one is as good as that one.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return true;
        }
        match address {
            IpAddr::V4(v4) => !REFUSED_V4.iter().any(|net| net.contains(&v4)),
            IpAddr::V6(v6) => match embedded(v6) {
                [None, None] => GLOBAL_V6.contains(&v6) && !REFUSED_V6.iter().any(|net| net.contains(&v6)),
                inner => inner.into_iter().flatten().all(|v4| self.allows(IpAddr::V4(v4))),
            },
        }
    }

    /// Checks what can be seen in a URL: scheme, and an address in place of a name, however it is spelled (the
    /// URL's parser turns `0x7f.1` and `2130706433` into `127.0.0.1`).
    ///
    /// # Errors
    /// A sentence.
    pub fn check_url(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}:` is refused: only http and https are asked", url.scheme()));
        }
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err("a URL without a host is refused".to_owned()),
        };
        if self.allows(address) { Ok(()) } else { Err(Refused { host: address.to_string(), address }.to_string()) }
    }

    /// Checks a URL that a proxy is to be asked for. What its names resolve to is the proxy's to say, but for those
    /// that mean the proxy's own machine (RFC 6761 6.3).
    ///
    /// # Errors
    /// A sentence.
    pub fn check_through(&self, url: &Url, proxy: &Proxy) -> Result<(), String> {
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let name = name.trim_end_matches('.');
        let local = name == "localhost" || name.ends_with(".localhost");
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        if local && !loopback.iter().any(|address| self.allows(*address)) {
            return Err(Refused { host: name.to_owned(), address: IpAddr::V4(Ipv4Addr::LOCALHOST) }.to_string());
        }
        // The resolver trusts this name, and with such a proxy it is asked for those of feeds too.
        if !proxy.resolves_names() && matches!(proxy.host(), Host::Domain(own) if own.trim_end_matches('.') == name) {
            return Err(format!("{name} is refused: it is the proxy itself"));
        }
        Ok(())
    }

    /// Those of a name's addresses that may be connected to, in the resolver's order (RFC 6724), a few of each
    /// family: the connector gives each address a part of its time.
    ///
    /// # Errors
    /// There are some, and none of them may be.
    pub fn choose(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let refused = found.iter().map(SocketAddr::ip).find(|ip| !self.allows(*ip));
        let mut counts = [0_usize; 2];
        let mut chosen = found;
        chosen.retain(|address| {
            let [v4, v6] = &mut counts;
            let count = if address.is_ipv4() { v4 } else { v6 };
            let keep = *count < ADDRESSES && self.allows(address.ip());
            *count += usize::from(keep);
            keep
        });
        match refused {
            Some(address) if chosen.is_empty() => Err(Refused { host: host.to_owned(), address }),
            _ => Ok(chosen),
        }
    }
}

/// The IPv4 addresses that an IPv6 one stands for. For Teredo that is the relay's server and the client, whose
/// bits are inverted (RFC 4380 4).
fn embedded(v6: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [_, _, b, c, d, e, f, g, _, _, _, _, w, x, y, z] = v6.octets();
    if NAT64.contains(&v6) {
        [Some(Ipv4Addr::new(w, x, y, z)), None]
    } else if TEREDO.contains(&v6) {
        [Some(Ipv4Addr::new(d, e, f, g)), Some(Ipv4Addr::new(!w, !x, !y, !z))]
    } else if SIX_TO_FOUR.contains(&v6) {
        [Some(Ipv4Addr::new(b, c, d, e)), None]
    } else {
        [None, None]
    }
}

/// A host is where no connection may go. In the source chain of a [`reqwest::Error`] when a name resolved to
/// nothing but such addresses.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
#[error("{} is refused. If it is meant, add its network to allow_networks.", self.what())]
pub struct Refused {
    /// The host as it was asked for.
    pub host: String,
    /// One of its addresses.
    pub address: IpAddr,
}

impl Refused {
    fn what(&self) -> String {
        if self.host == self.address.to_string() {
            format!("{} is not a public address and", self.address)
        } else {
            format!("{} is at {}, which is not a public address, and", self.host, self.address)
        }
    }
}

/// The resolver that all connections go through.
struct Resolver {
    guard: Guard,
    /// The configured proxy: it may be anywhere.
    trusted: Option<String>,
    lookups: Lookups,
}

/// Lookups that are under way, of all clients that share it. A lookup holds a thread until the system gives up, whether or not anyone
/// still waits.
#[derive(Clone, Debug)]
pub struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        // A whole name only, as it was configured: nothing that a publisher says comes to be trusted by this.
        let trusted = self.trusted.as_ref().is_some_and(|host| host.eq_ignore_ascii_case(name.as_str()));
        let guard = if trusted { Guard::new(vec![v4_all(), v6_all()]) } else { self.guard.clone() };
        let lookups = Arc::clone(&self.lookups.0);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let host = name.as_str().to_owned();
            // What `tokio::net::lookup_host` does, but the permit stays with the thread: a request that gave up
            // waiting leaves its lookup behind, and those must not use up the threads that the store needs.
            let lookup = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let found = (host.as_str(), 0_u16).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                found.map(|found| (host, found))
            });
            let (host, found) = lookup.await.map_err(io::Error::other)??;
            if found.is_empty() {
                return Err("the name has no address".into());
            }
            let chosen = guard.choose(&host, found)?;
            Ok(Box::new(chosen.into_iter()) as Addrs)
        })
    }
}

/// A client that connects only where `guard` allows, whatever a name resolves to, follows no redirect and decodes
/// nothing. [`Guard::check_url`] is still the caller's to call, before each request, and [`Guard::check_through`] where
/// there is a proxy.
///
/// Where TLS is spoken (`secure`) it reads the system's certificates, which is most of what a client costs: make one and
/// keep it, until [`Roots`] have changed.
///
/// # Errors
/// A sentence, if the TLS set-up fails or the proxy cannot be used.
pub fn client_through(
    guard: &Guard,
    reach: &Reach,
    secure: bool,
    lookups: &Lookups,
) -> Result<reqwest::Client, String> {
    let tls = if secure { super::tls::trusting(&reach.authorities)? } else { super::tls::trusting_nobody()? };
    let mut builder = builder(guard, reach.proxy.as_ref(), lookups).tls_backend_preconfigured(tls);
    if !secure {
        // Only servers of HTTP/2 can say that they have not begun with a request (RFC 9113 8.7). A copy of each is kept for that.
        builder = builder.retry(reqwest::retry::never().max_retries_per_request(0));
    }
    if let Some(proxy) = &reach.proxy {
        let url = proxy.secret_url();
        let wrong = || format!("the proxy {proxy} cannot be used");
        // A URL that only reqwest's proxies cannot read would mean to them that there is none.
        url.expose_secret().parse::<hyper::Uri>().map_err(|_| wrong())?;
        builder = builder.proxy(reqwest::Proxy::all(url.expose_secret()).map_err(|_| wrong())?);
    }
    build(builder)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    builder.build().map_err(|error| format!("the HTTPS client cannot be set up: {}", super::failure::root(&error)))
}

fn builder(guard: &Guard, proxy: Option<&Proxy>, lookups: &Lookups) -> reqwest::ClientBuilder {
    let trusted = proxy.map(|proxy| proxy.host().to_string());
    let resolver = Resolver { guard: guard.clone(), trusted, lookups: lookups.clone() };
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(resolver)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .http2_initial_stream_window_size(HTTP2_WINDOW_BYTES)
        .http2_initial_connection_window_size(HTTP2_WINDOW_BYTES)
        .http2_max_header_list_size(HTTP2_HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(guard: &Guard, address: &str) -> bool {
        guard.allows(address.parse().unwrap())
    }

    #[test]
    fn no_special_address_is_allowed_in_any_form() {
        let guard = Guard::default();
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "100::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
            "2001:2::1",
            "2001:10::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.1.1",
            "::ffff:0.0.0.0",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:c0a8:101::",
            // Teredo: a private server; a public server and a client at 127.0.0.1, inverted.
            "2001:0:a00:1::f7f7:f7f7",
            "2001:0:808:808::80ff:fffe",
        ] {
            assert!(!allows(&guard, address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_allowed_in_any_form() {
        let guard = Guard::default();
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7",
        ] {
            assert!(allows(&guard, address), "{address}");
        }
    }

    #[test]
    fn a_named_network_is_allowed_and_its_neighbours_are_not() {
        let guard = Guard::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
        for (address, allowed) in [
            ("10.1.2.3", true),
            ("10.2.2.3", false),
            ("::ffff:10.1.2.3", true),
            ("64:ff9b::10.1.2.3", true),
            ("2002:a01:203::", true),
            ("64:ff9b::10.2.2.3", false),
            ("fd00:1::9", true),
            ("fd00:2::9", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(allows(&guard, address), allowed, "{address}");
        }
    }

    #[test]
    fn a_url_is_checked_by_scheme_and_by_any_spelling_of_an_address() {
        let guard = Guard::default();
        for (url, good) in [
            ("https://example.org/feed", true),
            ("http://8.8.8.8/feed", true),
            ("http://[2606:4700::1111]/", true),
            ("http://127.0.0.1/", false),
            ("http://127.0.0.1./", false),
            ("http://0x7f.1/", false),
            ("http://0177.1/", false),
            ("http://2130706433/", false),
            ("http://0x7f000001/", false),
            ("http://127.1/", false),
            ("http://%31%32%37.0.0.1/", false),
            ("http://①②⑦.0.0.1/", false),
            ("http://[::ffff:7f00:1]/", false),
            ("http://[::1]/", false),
            ("http://a@127.0.0.1#@b", false),
            ("http://example.org@169.254.169.254/", false),
            ("file:///etc/passwd", false),
            ("ftp://example.org/", false),
            ("data:text/xml,x", false),
            ("gopher://127.0.0.1/", false),
        ] {
            let checked = guard.check_url(&Url::parse(url).unwrap());
            assert_eq!(checked.is_ok(), good, "{url}: {checked:?}");
        }
    }

    #[test]
    fn a_name_with_mixed_addresses_goes_only_to_the_public_ones() {
        let guard = Guard::default();
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let chosen = guard.choose("x", vec![at("127.0.0.1"), at("8.8.8.8"), at("::1"), at("2606:4700::1")]).unwrap();
        assert_eq!(chosen, [at("8.8.8.8"), at("2606:4700::1")]);
        let refused = guard.choose("x.test", vec![at("127.0.0.1"), at("::1")]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "x.test is at 127.0.0.1, which is not a public address, and is refused. If it is meant, add its network to allow_networks."
        );
    }

    #[test]
    fn of_a_thousand_addresses_a_few_of_each_family_are_tried() {
        let guard = Guard::default();
        let v6 = (0..500).map(|i| SocketAddr::new(format!("2606:4700::{i:x}").parse().unwrap(), 0));
        let v4 = (0..500).map(|i| SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0808_0000 + i)), 0));
        let chosen = guard.choose("x", v6.chain(v4).collect()).unwrap();
        assert_eq!(chosen.iter().filter(|address| address.is_ipv4()).count(), ADDRESSES);
        assert_eq!(chosen.len(), 2 * ADDRESSES);
    }
}
