//! The nouns of Feedmill and their invariants: feed, item, stream, webhook, and the times, names and
//! shapes that go with them.
//!
//! Does no IO, reads no clock, knows no other module of the crate: everything else may use it.
//!
//! Invariant: a value of a type in here is valid as it stands; what needs checking is checked where it
//! is made (`Name::parse`, `Timestamp::parse_rfc3339`).

pub mod address;
pub mod decision;
pub mod element;
pub mod endpoint;
pub mod feed;
pub mod item;
pub mod name;
pub mod reach;
pub mod search;
pub mod shape;
pub mod stream;
pub mod time;
pub mod trace;
pub mod url;
pub mod webhook;
