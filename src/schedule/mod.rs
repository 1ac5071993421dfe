//! When a feed is asked next: the crontab dialect, and the one place where all the rules about "not before"
//! meet.
//!
//! Never reads a clock: the present moment is an argument. Never looks at the store.
//!
//! Invariant: the same state, answer and moment give the same next poll, with a reason that a person can read.

pub mod auto;
pub mod cron;
mod dialect;
pub mod due;
mod skip;
mod words;

#[cfg(test)]
#[path = "agreement/tests.rs"]
mod agreement;
