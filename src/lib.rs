//! Feedmill polls feeds politely, keeps every story once, republishes them as merged feeds, and calls
//! webhooks when a story matches.
//!
//! The folders are the pipeline. An item goes forward only, through eight stops:
//!
//! | stop | room | does |
//! |---|---|---|
//! | 1 tick | [`poll`], [`schedule`] | wakes at the earliest due time |
//! | 2 lease | [`store`] | feeds that are due become ours, fair to every host |
//! | 3 fetch | [`fetch`] | guarded, conditional, bounded |
//! | 4 parse | [`parse`] | bytes to entries |
//! | 5 match | [`identity`], [`query`], [`sanitize`] | keys, words, and the queries that each entry meets |
//! | 6 commit | [`store`] | one transaction; [`identity`] decides inside it |
//! | 7 publish | [`publish`] | renders from the store, once a change |
//! | 8 deliver | [`deliver`] | leases what is owed, signs, sends, settles or puts off |
//!
//! Around them: [`domain`] has the nouns, [`message`] says what a call says, [`config`] reads what was typed, [`ops`] speaks to the operator,
//! [`app`] puts the house together and [`cli`] is its door. ARCHITECTURE.md has who may use whom, and why.

pub mod app;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod domain;
pub mod fetch;
pub mod identity;
pub mod message;
pub mod ops;
pub mod parse;
pub mod poll;
pub mod publish;
pub mod query;
pub mod sanitize;
pub mod schedule;
pub mod store;
