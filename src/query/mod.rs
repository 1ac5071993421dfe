//! The one language of streams, rules and searches: syntax, folding and splitting, and the word index that
//! finds which of many queries an item meets.
//!
//! A query goes `grammar` (with `atom`, `moment`, `pattern`) → [`syntax::Query`] → [`compile::Index`]; an item goes [`text`] →
//! [`scan::Folded`]; [`scan`] brings them together with `evaluate`, and [`explain`] says why or why not. `narrow` says
//! what an index of stored words can look for.
//!
//! Never reads HTML (text comes in), a clock (the present moment is an argument) or the store.
//!
//! Invariant: one function folds and splits text, on queries and on items alike, so the two cannot disagree.

mod ascii;
mod atom;
pub mod common;
pub mod compile;
mod evaluate;
pub mod explain;
mod filter;
mod grammar;
mod moment;
mod narrow;
mod pattern;
mod prefixes;
pub mod scan;
mod script;
mod snippet;
pub mod syntax;
mod term;
mod terms;
pub mod text;
mod words;

#[cfg(test)]
#[path = "golden/tests.rs"]
mod golden;
#[cfg(test)]
#[path = "languages/tests.rs"]
mod languages;
#[cfg(test)]
#[path = "reference/tests.rs"]
mod reference;
