//! What speaks to the operator: log lines ([`logging`]), numbers about what was done ([`metrics`]), whether the
//! daemon lives and works ([`health`]), and the service manager's ear ([`notify`]).
//!
//! Never serves anything itself: `publish::serve` renders the numbers. Never reads the store: others tell it
//! what they saw.
//!
//! Invariant: nothing here blocks or fails; counting must never be the reason that something else stops.

pub mod health;
mod journal;
mod lines;
pub mod logging;
pub mod metrics;
pub mod notify;
