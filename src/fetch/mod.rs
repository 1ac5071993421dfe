//! Asks a publisher for a feed, as the best-behaved client in its access log: one request a poll, conditional
//! where the last answer gave something to recognise it by, guarded, and bounded in bytes and in time.
//!
//! Never decides when to ask, never reads a body's meaning, never stores anything, never retries. Redirects are
//! followed by hand, so that each hop is checked, and secrets and validators stay with the URL they belong to.
//!
//! Invariant: a [`outcome::Answer`] is the whole of what the server meant to send; what was cut, too long or
//! wrongly coded is a failure and not a shorter feed.
//!
//! | file | holds |
//! |---|---|
//! | `client` | the way of one request: hops, statuses, outcome |
//! | `guard` | where connections may go; the HTTP client behind it, for webhooks too |
//! | `clients` | an HTTP client for each way to reach a server: proxy, authorities |
//! | `tls` | whose certificates are trusted, and what is wrong with the others |
//! | `roots` | whether the system trusts others than before |
//! | `request` | the header fields that are sent |
//! | `conditional` | validators: read, sent, merged |
//! | `redirect` | the route of a request |
//! | `freshness` | max-age, Expires, Retry-After |
//! | `body` | wire to bytes, counted on both sides |
//! | `decode` | gzip, deflate, br, zstd undone as they stream |
//! | `held` | the bytes of a body as it grows |
//! | `memory` | what all bodies in flight may take together |
//! | `visit` | where a link leads, a hop at a time |
//! | `failure` | errors as sentences with a kind |

mod body;
pub mod client;
mod clients;
mod conditional;
mod decode;
pub mod failure;
mod freshness;
pub mod guard;
mod held;
mod memory;
pub mod outcome;
mod redirect;
mod request;
mod roots;
mod tls;
pub mod visit;
