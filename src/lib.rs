//! Feedmill polls feeds politely, keeps every story once, republishes them as merged feeds, and calls
//! webhooks when a story matches.

pub mod app;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod domain;
pub mod fetch;
pub mod identity;
pub mod ops;
pub mod parse;
pub mod poll;
pub mod publish;
pub mod query;
pub mod sanitize;
pub mod schedule;
pub mod store;
