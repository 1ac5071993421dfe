//! Deliveries: leases what is owed, renders it once, signs it, sends it, and settles it or puts it off.
//!
//! Never decides who is owed what (the commit of a poll does), never follows a redirect, never connects to an
//! address that the guard refuses, and writes no secret into a log.
//!
//! Invariant: the bytes of a call are stored before its first attempt and are the same in every later one; an
//! attempt is settled under its lease or not at all. So each call arrives at least once, and a receiver that
//! remembers `webhook-id` sees it once.

pub mod body;
mod flight;
pub mod outbox;
pub mod retry;
pub mod send;
pub mod sign;
mod slots;
pub mod target;
pub mod verify;

pub use outbox::{Limits, Outbox};
pub use send::Sender;
pub use target::Target;
