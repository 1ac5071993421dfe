//! Short links that are to be followed, as the boundary has them.

use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// A look for items whose link is on one of these hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hunt {
    /// Host names; what is below one of them counts too.
    pub hosts: Vec<String>,
    /// Items that came after this one. `None`: from scratch; then what was found before and never tried is forgotten,
    /// and so is what is old.
    pub above: Option<ItemId>,
    /// Items that came before this one: where the page before ended.
    pub below: Option<ItemId>,
    /// Older items are left alone.
    pub since: Timestamp,
}

/// One page of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hunted {
    /// The newest item that was looked at.
    pub newest: Option<ItemId>,
    /// Where the next page goes on; `None`: this was the last one.
    pub next: Option<ItemId>,
    /// Links that were found.
    pub found: u32,
}

/// A short link that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShortLink {
    /// Its item.
    pub item: ItemId,
    /// The link.
    pub link: String,
    /// The item's key.
    pub key: String,
    /// How often it was tried.
    pub tries: u32,
}

/// What there is to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unresolved {
    /// Links that are due, newest items first, without those of hosts that are to be left alone.
    pub links: Vec<ShortLink>,
    /// Links that were tried within the last day.
    pub tried_today: u32,
    /// Hosts, with their ports, that are to be left alone now.
    pub held: Vec<String>,
}

/// What became of following a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// Its item.
    pub item: ItemId,
    /// A word for it.
    pub outcome: &'static str,
    /// When to try again; `None`: never.
    pub next: Option<Timestamp>,
    /// A host, with its port, that is to be left alone until then.
    pub hold: Option<(String, Timestamp)>,
}
