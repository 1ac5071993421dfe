//! An HTTP client for each way to reach a server. Feeds share them, so that they share connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use reqwest::Client;
use tokio::runtime::{Handle, RuntimeFlavor};
use url::Url;

use super::failure::failure;
use super::guard::{self, Guard, Lookups, Roots};
use crate::domain::feed::{ErrorKind, PollError};
use crate::domain::reach::{Proxy, Reach};

/// The clients that were needed so far: as many as the configuration has pairs of proxy and authorities, for each kind of
/// runtime. The runtime that opens a connection drives it: on a single thread, for others that wait for that thread, or on
/// several.
#[derive(Debug)]
pub(super) struct Clients {
    guard: Guard,
    lookups: Lookups,
    single: Pool,
    several: Pool,
}

#[derive(Debug, Default)]
struct Pool {
    /// Most requests are for servers that are reached directly.
    plain: OnceLock<Client>,
    made: Mutex<(HashMap<Arc<Reach>, Made>, Roots)>,
}

#[derive(Debug, Default)]
struct Made {
    plain: Option<Client>,
    /// It has read the system's certificates.
    secure: Option<Client>,
}

impl Clients {
    pub(super) fn new(guard: &Guard) -> Self {
        Self { guard: guard.clone(), lookups: Lookups::default(), single: Pool::default(), several: Pool::default() }
    }

    /// The client for this URL on the runtime that this is called on, if it may be asked.
    pub(super) fn client(&self, url: &Url, reach: &Arc<Reach>) -> Result<Client, PollError> {
        let refused = |message| failure(ErrorKind::Refused, message);
        self.guard.check_url(url).map_err(refused)?;
        if let Some(proxy) = &reach.proxy {
            self.guard.check_through(url, proxy).map_err(refused)?;
        }
        let secure = url.scheme() != "http" || reach.proxy.as_ref().is_some_and(Proxy::is_secure);
        let pool = match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => &self.single,
            _ => &self.several,
        };
        let make = |reach: &Reach| {
            let kind = if secure { ErrorKind::Tls } else { ErrorKind::Connect };
            guard::client_through(&self.guard, reach, secure, &self.lookups).map_err(|e| failure(kind, e))
        };
        if !secure && reach.proxy.is_none() {
            return match pool.plain.get() {
                Some(client) => Ok(client.clone()),
                None => make(&Reach::default()).map(|client| pool.plain.get_or_init(|| client).clone()),
            };
        }
        let mut made = pool.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, roots) = &mut *made;
        if secure && roots.changed() {
            made.values_mut().for_each(|made| made.secure = None);
        }
        let made = made.entry(Arc::clone(reach)).or_default();
        let place = if secure { &mut made.secure } else { &mut made.plain };
        match place {
            Some(client) => Ok(client.clone()),
            None => Ok(place.insert(make(reach)?).clone()),
        }
    }
}
